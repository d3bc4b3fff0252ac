// Package site is the state of one emulated Confluence site: users, groups,
// spaces, grants, content with versions, restrictions, attachments and the
// trash, and the rule of who may see what.
//
// There is one way in: [Site.Read] and [Site.Write] hand out a [View] or an
// [Edit] bound to a user, and everything a View returns has already passed the
// visibility rule for that user. Handlers cannot forget the check because
// they never hold the unfiltered maps.
package site

import (
	"sync"
	"time"
)

// Site is one site's state. Safe for concurrent use.
type Site struct {
	mu  sync.RWMutex
	now func() time.Time
}

// View is the site as one user may see it. Valid only inside [Site.Read] or
// [Site.Write].
type View struct {
	site *Site
	user string // user id, empty for anonymous
}

// Edit is a View that can also change the site.
type Edit struct {
	View
}

// Read runs fn with the site as user (an id; empty is anonymous) may see it.
func (s *Site) Read(user string, fn func(*View)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fn(&View{site: s, user: user})
}

// Write runs fn with an edit for user. fn checks rights through the Edit's
// methods before it changes anything.
func (s *Site) Write(user string, fn func(*Edit) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn(&Edit{View{site: s, user: user}})
}
