package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
)

var errNoSession = errors.New("no such session")

// sessions are the ids of initialize-based clients, each bound to the agent
// that opened it. An id is not a credential: it only tells streams apart.
type sessions struct {
	now  func() time.Time
	idle time.Duration

	mu   sync.Mutex
	open map[string]*session
}

type session struct {
	owner string // principal of the agent
	used  time.Time
}

func newSessions(now func() time.Time, idle time.Duration) *sessions {
	return &sessions{now: now, idle: idle, open: map[string]*session{}}
}

// start makes a session. The owner's longest unused one ends when there are
// too many.
func (s *sessions) start(owner string) string {
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(owner)
	s.open[id] = &session{owner: owner, used: s.now()}
	return id
}

func (s *sessions) sweep(owner string) {
	now, count, oldest := s.now(), 0, ""
	for id, known := range s.open {
		switch {
		case now.Sub(known.used) > s.idle:
			delete(s.open, id)
		case known.owner == owner:
			count++
			if oldest == "" || known.used.Before(s.open[oldest].used) {
				oldest = id
			}
		}
	}
	if count >= maxSessionsPerAgent {
		delete(s.open, oldest)
	}
}

// use reports whether the session exists, is not ended, and is the owner's.
func (s *sessions) use(id, owner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.open[id]
	if !ok || known.owner != owner || s.now().Sub(known.used) > s.idle {
		return false
	}
	known.used = s.now()
	return true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// ResolveSessionIdManager implements the library's resolver: the sessions of
// the agent that r comes from. The library passes nil when it sweeps.
func (s *sessions) ResolveSessionIdManager(r *http.Request) mcpserver.SessionIdManager {
	if r == nil {
		return ownedSessions{sessions: s}
	}
	owner, _ := r.Context().Value(ownerKey{}).(string)
	return ownedSessions{sessions: s, owner: owner}
}

type ownerKey struct{}

func withOwner(ctx context.Context, principal string) context.Context {
	return context.WithValue(ctx, ownerKey{}, principal)
}

type ownedSessions struct {
	*sessions
	owner string
}

// Generate implements the library's session manager.
func (o ownedSessions) Generate() string { return o.start(o.owner) }

// Validate implements the library's session manager.
func (o ownedSessions) Validate(id string) (ended bool, err error) {
	if !o.use(id, o.owner) {
		return false, errNoSession
	}
	return false, nil
}

// Terminate implements the library's session manager. Whose session it is was
// checked before the library was asked.
func (o ownedSessions) Terminate(id string) (forbidden bool, err error) {
	o.end(id)
	return false, nil
}
