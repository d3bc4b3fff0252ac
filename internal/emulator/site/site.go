// Package site is the state of one emulated Confluence site: users, groups,
// spaces, grants, content with versions, restrictions, attachments and the
// trash, and the rule of who may see what.
//
// There is one way in: [Site.Read] and [Site.Write] hand out a [View] or an
// [Edit] bound to a user, and everything a View returns has already passed the
// visibility rule for that user. Handlers cannot forget the check because
// they never hold the unfiltered maps.
//
// Every noun is immutable once it is in the site: an Edit replaces it by a
// changed copy. A pointer taken from a View therefore stays safe to read after
// the View has ended, it only grows old; and a search index that lags (see
// [Site.SetSearchLag]) is nothing but a few old pointers.
//
// The package knows nothing of HTTP and of the two API generations. Start
// reading at [View.Content] and visible.go.
package site

import (
	"slices"
	"sync"
	"time"
)

// Config says how a site begins.
type Config struct {
	// Now is the site's clock; nil is refused by a panic in New.
	Now func() time.Time
	// RoleMode is how space permissions are kept until a site line says
	// otherwise: PRE_ROLES, ROLES_TRANSITION or ROLES. Empty is
	// ROLES_TRANSITION, in which both models can be read.
	RoleMode string
}

// Site is one site's state. Safe for concurrent use.
type Site struct {
	mu  sync.RWMutex
	now func() time.Time

	name      string
	cloudID   string
	roleMode  string
	anonymous bool

	users      map[string]*User
	tokens     map[string][]string // token -> ids of the users who have it
	groups     map[string]*Group   // by id
	groupNames map[string]string   // name -> id
	spaces     map[string]*Space   // by id
	spaceKeys  map[string]string   // lower-case key -> id
	contents   map[string]*Content
	templates  map[string]*Template

	kids    map[string][]string          // parent id -> child ids, every type and status
	titles  map[string]map[string]string // space key -> lower-case title -> page id
	homes   map[string]string            // space key -> home page id
	shadows map[string][]shadow          // content id -> states the search index still shows

	lag      time.Duration
	lastID   int64
	places   int64
	orders   orders
	listings listings
}

// New makes an empty site.
func New(cfg Config) *Site {
	if cfg.Now == nil {
		panic("site: Config.Now is missing")
	}
	if cfg.RoleMode == "" {
		cfg.RoleMode = "ROLES_TRANSITION"
	}
	return &Site{
		now:      cfg.Now,
		name:     "Confluence",
		cloudID:  "00000000-0000-4000-8000-000000000001",
		roleMode: cfg.RoleMode,

		users:      map[string]*User{},
		tokens:     map[string][]string{},
		groups:     map[string]*Group{},
		groupNames: map[string]string{},
		spaces:     map[string]*Space{},
		spaceKeys:  map[string]string{},
		contents:   map[string]*Content{},
		templates:  map[string]*Template{},
		kids:       map[string][]string{},
		titles:     map[string]map[string]string{},
		homes:      map[string]string{},
		shadows:    map[string][]shadow{},
		lastID:     firstID,
	}
}

// firstID keeps ids that the site makes away from ids that people write into
// site files.
const firstID = 900_000_000

// Name is the site's display name.
func (s *Site) Name() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.name
}

// CloudID is the site's UUID, which is no secret.
func (s *Site) CloudID() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cloudID
}

// Now is the site's clock.
func (s *Site) Now() time.Time { return s.now() }

// Authenticate finds the active user who owns token. login is the e-mail or
// the user name that came with it (Basic) or empty (Bearer). False for an
// unknown token, a login that is not the token's owner and a deactivated user.
func (s *Site) Authenticate(login, token string) (*User, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if token == "" {
		return nil, false
	}
	for _, id := range s.tokens[token] {
		if u := s.users[id]; u.Active && u.answersTo(login) {
			return u, true
		}
	}
	return nil, false
}

// setUser stores u in the place of whoever had the id.
func (s *Site) setUser(u *User) {
	s.dropUser(u.ID)
	s.users[u.ID] = u
	if u.Token != "" {
		s.tokens[u.Token] = append(s.tokens[u.Token], u.ID)
	}
}

func (s *Site) dropUser(id string) {
	old, ok := s.users[id]
	if !ok {
		return
	}
	delete(s.users, id)
	s.tokens[old.Token] = slices.DeleteFunc(s.tokens[old.Token], func(owner string) bool { return owner == id })
	if len(s.tokens[old.Token]) == 0 {
		delete(s.tokens, old.Token)
	}
}

// User finds an active user by id, for consent pages.
func (s *Site) User(id string) (*User, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u, ok := s.users[id]
	return u, ok && u.Active
}

// SetSearchLag makes the search index show what the site was d ago
// ([View.Indexed]); 0 makes it exact. Changes made before the call are shown
// at once. Rights are never old: only the indexed state is.
func (s *Site) SetSearchLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = d
	if d <= 0 {
		clear(s.shadows)
	}
}

// Read runs fn with the site as user (an id; empty is anonymous) may see it.
func (s *Site) Read(user string, fn func(*View)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fn(s.view(user))
}

// Write runs fn with an edit for user. The Edit's methods check rights before
// they change anything; a method that answers an error has changed nothing.
func (s *Site) Write(user string, fn func(*Edit) error) error {
	s.mu.Lock()
	defer s.changed()
	return fn(&Edit{View: *s.view(user)})
}

// changed ends a change: lists made before it are as old as the site was.
func (s *Site) changed() {
	s.listings.forget()
	s.mu.Unlock()
}
