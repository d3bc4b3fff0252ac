package ingest

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// superGroup is the built-in group of a Data Center whose members may view every
// page, restricted or not. On Cloud no group may, whatever it is called.
const superGroup = "confluence-administrators"

// honours reports whether there is a super group to honour.
func (s *Sync) honours() bool {
	return s.cfg.HonourSuperGroup && s.cfg.Source.Describe().Kind == confluence.DataCenter
}

// rule is how the mirror shows the integration, as far as it is known.
func (s *Sync) rule() guard.Integration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.honours() {
		s.shown.SuperGroup = ""
	}
	return s.shown
}

// show tells the mirror a rule.
func (s *Sync) show(ctx context.Context, i guard.Integration) error {
	if err := s.cfg.Mirror.SetIntegration(ctx, i); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = i
	return nil
}

// superGroup finds the super group among all groups, where it is honoured.
func (s *Sync) superGroup(ctx context.Context, groups []confluence.Group) error {
	if !s.honours() {
		return nil
	}
	i, id := s.rule(), ""
	if at := slices.IndexFunc(groups, func(g confluence.Group) bool { return g.Name == superGroup }); at >= 0 {
		id = groups[at].ID
	}
	if i.SuperGroup == id {
		return nil
	}
	i.SuperGroup = id
	return s.show(ctx, i)
}
