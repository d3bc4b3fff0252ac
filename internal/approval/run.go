package approval

import (
	"context"
	"errors"
	"time"

	"confluence-mcp/internal/confluence"
)

// Intervals of what Run does.
const (
	firstLook   = 5 * time.Second
	lastLook    = 5 * time.Minute
	forgetEvery = time.Hour
	sweepLimit  = 1000
)

// Run looks for work until ctx ends: attempts that a crash cut off, changes
// that were approved and not made, requests in doubt, late and old ones.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Tick)
	defer tick.Stop()
	forgotten := time.Time{}
	for {
		s.Sweep(ctx)
		if now := s.now(); now.Sub(forgotten) >= forgetEvery {
			forgotten = now
			if _, err := s.cfg.Book.ForgetApprovals(ctx, now.Add(-KeepPrivate)); err != nil && ctx.Err() == nil {
				s.cfg.Logger.ErrorContext(ctx, "approval: old bodies are not removed", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep goes once over all requests that can move by themselves: those under
// way, and pending ones whose time is over.
func (s *Service) Sweep(ctx context.Context) {
	open, err := s.cfg.Book.Approvals(ctx, Filter{States: []State{Approved, Executing, InDoubt}, Limit: sweepLimit})
	late, err2 := s.cfg.Book.Approvals(ctx, Filter{States: []State{Pending}, Late: s.now(), Limit: sweepLimit})
	if err := errors.Join(err, err2); err != nil && ctx.Err() == nil {
		s.cfg.Logger.ErrorContext(ctx, "approval: open requests cannot be read", "err", err)
	}
	for _, r := range append(open, late...) {
		if ctx.Err() != nil {
			return
		}
		if err := s.push(ctx, r); err != nil && confluence.KindOf(err) != confluence.Conflict && ctx.Err() == nil {
			s.cfg.Logger.ErrorContext(ctx, "approval: a request could not be moved on", "state", r.State, "err", err)
		}
	}
}

// push moves one request on where it can move by itself.
func (s *Service) push(ctx context.Context, listed Request) error {
	if listed.State == Executing && s.isMine(listed.Attempt) {
		return nil
	}
	r, err := s.Show(ctx, listed.ID)
	if err != nil {
		return err
	}
	switch r.State {
	case Approved:
		_, err = s.Execute(ctx, r.ID)
	case Executing:
		if !s.isMine(r.Attempt) {
			_, err = s.take(ctx, r, Event{Word: Lose, Attempt: r.Attempt, Reason: "The server stopped while it made the change."})
		}
	case InDoubt:
		err = s.search(ctx, r)
	}
	return err
}

// search looks whether the change of a request in doubt was made: soon, then
// less and less often.
func (s *Service) search(ctx context.Context, r Request) error {
	now := s.now()
	if s.executor == nil || now.Before(s.nextLook(r.ID)) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	found := s.executor.Landed(ctx, r)
	found.Attempt = r.Attempt
	next, err := s.take(ctx, r, found)
	s.lookLater(next, now)
	return err
}

func (s *Service) nextLook(id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look[id]
}

// lookLater plans the next search, and raises the alarm once when a person has
// to look.
func (s *Service) lookLater(r Request, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.State != InDoubt {
		delete(s.look, r.ID)
		delete(s.alarmed, r.ID)
		return
	}
	pause := min(max(firstLook, now.Sub(r.Claimed)/4), lastLook)
	s.look[r.ID] = now.Add(pause)
	if again := r.Gone.Add(AbsenceGap); !r.Gone.IsZero() && again.After(now) {
		s.look[r.ID] = again
	}
	if r.NeedsHuman(now) && !s.alarmed[r.ID] {
		s.alarmed[r.ID] = true
		s.cfg.Logger.Error("approval: nobody could find out whether a change was made; a person must look", "tool", r.Tool, "resource", r.Resource, "space", r.SpaceKey)
	}
}
