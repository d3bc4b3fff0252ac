package ingest

import (
	"context"
	"slices"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// callers reads the memberships of those who asked lately: first what they lost,
// at the end of a pass what they gained.
func (c *census) callers(ctx context.Context, lossOnly bool) error {
	return each(ctx, append(c.s.lately(), c.me.ID), func(ctx context.Context, id string) error {
		err := c.s.readCaller(ctx, id, lossOnly)
		if fatal(ctx, err) {
			return err
		}
		return nil // the last good memberships stay until they are too old
	})
}

// lately lists who asked within the memory.
func (s *Sync) lately() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, at := range s.asked {
		if s.cfg.Now().Sub(at) > callerMemory {
			delete(s.asked, id)
			continue
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// recheckCallers takes from those who asked lately what they lost since the pass
// began, right before something new is shown: from the first so many of them,
// whose memberships are as old as a pass is long otherwise.
func (s *Sync) recheckCallers(ctx context.Context, most int) error {
	ids := s.lately()
	return each(ctx, ids[:min(len(ids), most)], func(ctx context.Context, id string) error {
		err := s.readCaller(ctx, id, true)
		if fatal(ctx, err) {
			return err
		}
		return nil
	})
}

// Membership makes sure that the groups of a caller, named by account id, were
// read at most 15 minutes ago. Somebody Confluence does not know stays unknown,
// which is no error. On an error the last good memberships stay in force until
// they are too old.
func (s *Sync) Membership(ctx context.Context, account string) error {
	if s.cfg.Integration.Mode != guard.Synced || account == "" {
		return nil
	}
	now := s.cfg.Now()
	p, err := s.cfg.Mirror.Person(ctx, s.cfg.Integration.ID, account)
	switch {
	case err == nil && p.ID == account:
		s.mu.Lock()
		s.asked[account] = now
		s.mu.Unlock()
		if age := now.Sub(p.CheckedAt); age >= 0 && age < callerAge {
			return nil
		}
	case err != nil && confluence.KindOf(err) != confluence.NotFound:
		return err
	case s.isAbsent(account, now):
		return nil
	}
	read := s.asking.DoChan(account, func() (any, error) { return nil, s.readCaller(context.WithoutCancel(ctx), account, false) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-read:
		return r.Err
	}
}

// mostAbsent bounds the memory of accounts that do not exist.
const mostAbsent = 10_000

// isAbsent reports whether Confluence was asked about an account lately and did
// not know it.
func (s *Sync) isAbsent(account string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, is := s.absent[account]
	if age := now.Sub(at); is && age >= 0 && age < callerAge {
		return true
	}
	delete(s.absent, account)
	return false
}

func (s *Sync) setAbsent(account string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.absent) >= mostAbsent {
		clear(s.absent)
	}
	s.absent[account] = at
}

// readCaller reads somebody and his groups; lossOnly publishes only what he
// lost.
func (s *Sync) readCaller(ctx context.Context, id string, lossOnly bool) error {
	at := s.cfg.Now()
	old, err := s.cfg.Mirror.Person(ctx, s.cfg.Integration.ID, id)
	known := err == nil && old.ID == id
	if err != nil && confluence.KindOf(err) != confluence.NotFound {
		return err
	}
	users, err := s.cfg.Source.UsersByID(ctx, []string{id})
	if err != nil && confluence.KindOf(err) == confluence.Invalid {
		s.setAbsent(id, at) // not even the form of an account id
		return nil
	}
	if err != nil {
		return err
	}
	u, there := users[id]
	if !there {
		if !known {
			s.setAbsent(id, at)
			return nil
		}
		old.Active, old.Groups, old.CheckedAt = false, nil, at
		return s.cfg.Mirror.SetPeople(ctx, []Person{old})
	}
	groups, err := s.groupsOf(ctx, id)
	if err != nil {
		return err
	}
	p := s.person(u, groups, at)
	p.Username = old.Username
	if lossOnly && known {
		p.Groups, p.Active = common(old.Groups, p.Groups), p.Active && old.Active
	}
	return s.cfg.Mirror.SetPeople(ctx, []Person{p})
}

// groupsOf reads the groups of one account and makes new ones known.
func (s *Sync) groupsOf(ctx context.Context, id string) ([]string, error) {
	var ids []string
	var fresh []guard.Membership
	err := everyPage(ctx, func(p confluence.Paging) (string, error) {
		l, err := s.cfg.Source.GroupsOf(ctx, id, p)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, g := range l.Items {
			ids = append(ids, g.ID)
			if !s.groups[g.ID] {
				fresh = append(fresh, guard.Membership{Integration: s.cfg.Integration.ID, ID: g.ID, Name: g.Name})
			}
		}
		return l.Next, err
	})
	if err != nil {
		return nil, err
	}
	if len(fresh) > 0 {
		if err := s.cfg.Mirror.SetGroups(ctx, fresh); err != nil {
			return nil, err
		}
		s.mu.Lock()
		for _, g := range fresh {
			s.groups[g.ID] = true
		}
		s.mu.Unlock()
	}
	return ids, nil
}
