package mirrored

import (
	"context"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

const clausesAtOnce = 4 // restrictions that are read side by side

// stillOpen refuses what was restricted, itself or above, after its rights were
// read: what Confluence tells now may have been written behind that restriction.
// It asks for every restriction on the way up from a page that stands below
// parent, once in a call; of folders none can be read.
func (g *guarded) stillOpen(ctx context.Context, known mirror.Page, parent string) error {
	path := []mirror.Page{known}
	from := known.ID
	if parent != "" && parent != known.ParentID {
		up, err := g.sees(ctx, parent)
		if err != nil {
			return err
		}
		path, from = append(path, up), up.ID
	}
	above, err := g.of.cfg.Mirror.Ancestors(ctx, g.who, mirror.Ref{Integration: g.at, ID: from})
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(clausesAtOnce)
	for _, p := range append(path, above...) {
		if p.Type != confluence.TypeFolder {
			all.Go(func() error { return g.passes(ctx, p.ID) })
		}
	}
	return all.Wait()
}

// passes refuses a page whose own restriction, as it is now, does not name the
// caller.
func (g *guarded) passes(ctx context.Context, id string) error {
	open, asked := g.open.Load(id)
	if !asked {
		own, err := g.live.Restrictions(ctx, id)
		if err != nil {
			return err
		}
		open = g.of.cfg.Mirror.View(g.who).Snapshot().Passes(g.who, g.at, guard.ClauseOf(g.at, own), g.of.cfg.Now())
		g.open.Store(id, open)
	}
	if open != true {
		return missing("get page", "page "+id)
	}
	return nil
}
