package ingest

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// granted is who may view a space.
type granted struct {
	view   []guard.Principal
	sealed bool
}

// reread reads the rights of a batch and of everything above it again, after
// its bodies: what was restricted before it was written is not shown.
func (w *sweep) reread(ctx context.Context, c *chunk) error {
	ids := w.differing(c)
	if len(ids) == 0 {
		return nil
	}
	again, err := w.upwards(ctx, c.kind, ids)
	if err != nil {
		return err
	}
	c.again = append(c.again, again...)
	view, cause, err := w.s.grants(ctx, w.space.ID)
	if err != nil {
		return err
	}
	c.grants = &granted{view, cause != "" && len(view) == 0}
	return w.s.recheckCallers(ctx, fewCallers)
}

// upwards reads nodes of one kind and everything above them again. All places are
// read before any clause, so that nothing comes out from under a restriction in
// between.
func (w *sweep) upwards(ctx context.Context, kind string, ids []string) ([]Node, error) {
	var opaque []string
	for _, id := range w.latest().chain(ids) {
		switch e := w.latest().entries[id]; {
		case e == nil: // nothing was read of it: it is sealed
		case e.kind == confluence.TypePage:
			ids = append(ids, id)
		default:
			opaque = append(opaque, id)
		}
	}
	place, err := w.s.cfg.Source.PagesByID(ctx, ids, kind) // a blog post has nothing above it
	if err != nil {
		return nil, err
	}
	out := make([]Node, 0, len(opaque)+len(ids))
	for _, id := range opaque {
		n, err := w.standing(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	for _, id := range ids {
		n, err := w.judge(ctx, id, place)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// differing are the pages of a batch that are not as the mirror has them.
func (w *sweep) differing(c *chunk) []string {
	ids := make([]string, 0, len(c.pages))
	for i := range c.pages {
		if p := &c.pages[i]; c.fresh || p.Version.Number != w.latest().entries[p.ID].version {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// judge reads the own clause of a page again; place says where it stands now. One
// that stands elsewhere than it was listed is sealed until the next pass: of what
// is above it there nothing was read since.
func (w *sweep) judge(ctx context.Context, id string, place map[string]confluence.Page) (Node, error) {
	n := w.latest().entries[id].node()
	p, there := place[id]
	switch {
	case !there || p.SpaceID != w.space.ID:
		n.Clause, n.Cause, n.Gone = guard.Clause{}, causeGone, true
		return n, nil
	case p.ParentID != n.ParentID:
		n.Clause, n.Cause = guard.Clause{}, causeMoved
		return n, nil
	}
	var err error
	n.Clause, n.Cause, err = w.s.clause(ctx, id)
	return n, err
}

// standing is judge for what is no page: its own restriction nobody can read.
func (w *sweep) standing(ctx context.Context, id string) (Node, error) {
	listed := w.latest().entries[id]
	now := &entry{id: id, kind: listed.kind}
	if err := w.latest().opaque(ctx, now); err != nil {
		return Node{}, err
	}
	n := listed.node()
	n.Clause, n.Cause = now.clause, now.cause
	if now.cause == "" && now.parent != listed.parent {
		n.Clause, n.Cause = guard.Clause{}, causeMoved
	}
	return n, nil
}

// chain gives the nodes above some nodes, without those themselves.
func (r *reading) chain(ids []string) []string {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	var out []string
	for _, id := range ids {
		for e := r.entries[id]; e != nil && e.parent != "" && !seen[e.parent]; e = r.entries[e.parent] {
			seen[e.parent] = true
			out = append(out, e.parent)
		}
	}
	slices.Sort(out)
	return out
}
