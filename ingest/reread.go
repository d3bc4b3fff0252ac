package ingest

import (
	"context"
	"maps"
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
func (w *sweep) reread(ctx context.Context, c *chunk, pages []confluence.Page) error {
	ids := w.differing(c)
	if len(ids) == 0 {
		return nil
	}
	above := slices.DeleteFunc(w.latest().chain(ids), func(id string) bool {
		e := w.latest().entries[id]
		return e == nil || e.kind != confluence.TypePage // nothing is known of the rights of others
	})
	up, err := w.s.cfg.Source.PagesByID(ctx, above, confluence.TypePage)
	if err != nil {
		return err
	}
	place := make(map[string]confluence.Page, len(up)+len(pages))
	maps.Copy(place, up)
	for _, p := range pages {
		place[p.ID] = p
	}
	for _, id := range append(ids, above...) {
		n, err := w.judge(ctx, id, place)
		if err != nil {
			return err
		}
		c.again = append(c.again, n)
	}
	view, cause, err := w.s.grants(ctx, w.space.ID)
	if err != nil {
		return err
	}
	c.grants = &granted{view, cause != "" && len(view) == 0}
	return w.s.recheckCallers(ctx, fewCallers)
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

// judge reads the own clause of a node again; place says where it stands now.
func (w *sweep) judge(ctx context.Context, id string, place map[string]confluence.Page) (Node, error) {
	n := w.latest().entries[id].node()
	p, there := place[id]
	if !there || p.SpaceID != w.space.ID {
		n.Clause, n.Cause, n.Gone = guard.Clause{}, causeGone, true
		return n, nil
	}
	n.ParentID = p.ParentID
	var err error
	n.Clause, n.Cause, err = w.s.clause(ctx, id)
	return n, err
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
