package mirrored

import (
	"context"
	"strconv"

	"confluence-mcp/internal/confluence"
)

// Bounds of what is looked through for one page of a filtered listing.
const (
	sifted  = 1000 // rows; a listing that is cut there is not Exact
	atATime = 100
)

// sift lists what the caller may see of an upstream listing. Its cursor counts
// rows he was shown, and the listing is read from the beginning each time: an
// upstream cursor, a short page or a total would tell of what was left out. Exact
// says that all rows there are were looked through, or that the listing goes on.
func sift[T any](p confluence.Paging, fetch func(confluence.Paging) (confluence.List[T], error), keep func(T) (bool, error)) (confluence.List[T], error) {
	s := sieve[T]{keep: keep, limit: p.Limit, out: confluence.List[T]{Total: -1}}
	s.skip, _ = strconv.Atoi(p.Cursor)
	if s.limit <= 0 {
		s.limit = atATime
	}
	read, up := 0, confluence.Paging{Limit: atATime}
	for {
		rows, err := fetch(up)
		if err != nil {
			return confluence.List[T]{}, err
		}
		full, err := s.add(rows.Items)
		if err != nil {
			return confluence.List[T]{}, err
		}
		if full {
			return s.out, nil
		}
		read += len(rows.Items)
		if up.Cursor = rows.Next; up.Cursor == "" || read >= sifted || len(rows.Items) == 0 {
			s.out.Exact = up.Cursor == ""
			return s.out, nil
		}
	}
}

// sieve is one listing on its way to the caller.
type sieve[T any] struct {
	keep        func(T) (bool, error)
	skip, limit int // rows shown before, and at most now
	shown       int
	out         confluence.List[T]
}

// add takes rows in. Full is said at the first row that is one too many: only
// then is it known that the listing goes on.
func (s *sieve[T]) add(rows []T) (full bool, err error) {
	for _, row := range rows {
		ok, err := s.keep(row)
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		if len(s.out.Items) == s.limit {
			s.out.Next, s.out.Exact = strconv.Itoa(s.shown), true
			return true, nil
		}
		if s.shown++; s.shown > s.skip {
			s.out.Items = append(s.out.Items, row)
		}
	}
	return false, nil
}

// Pages implements tools.PageSource.
func (g *guarded) Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error) {
	if err := stored("list pages", f.Format); err != nil {
		return confluence.List[confluence.Page]{}, err
	}
	f.Status = confluence.StatusCurrent
	stale := false
	out, err := sift(p, func(up confluence.Paging) (confluence.List[confluence.Page], error) { return g.live.Pages(ctx, f, up) },
		func(one confluence.Page) (bool, error) {
			known, err := g.sees(ctx, one.ID)
			if err == nil {
				err = g.stillThere(ctx, known, one)
			}
			if confluence.KindOf(err) == confluence.NotFound {
				return false, nil
			}
			stale = stale || known.Stale
			return err == nil, err
		})
	out.Stale = stale
	return out, err
}

// Children implements tools.PageSource.
func (g *guarded) Children(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Node], error) {
	return g.nodes(ctx, id, p, func(up confluence.Paging) (confluence.List[confluence.Node], error) {
		return g.live.Children(ctx, id, contentType, up)
	})
}

// Descendants implements tools.PageSource.
func (g *guarded) Descendants(ctx context.Context, id string, depth int, p confluence.Paging) (confluence.List[confluence.Node], error) {
	return g.nodes(ctx, id, p, func(up confluence.Paging) (confluence.List[confluence.Node], error) {
		return g.live.Descendants(ctx, id, depth, up)
	})
}

// nodes lists what the caller sees of nodes below one that he sees.
func (g *guarded) nodes(ctx context.Context, id string, p confluence.Paging, fetch func(confluence.Paging) (confluence.List[confluence.Node], error)) (confluence.List[confluence.Node], error) {
	if _, err := g.sees(ctx, id); err != nil {
		return confluence.List[confluence.Node]{}, err
	}
	stale := false
	out, err := sift(p, fetch, func(n confluence.Node) (bool, error) { return g.shows(ctx, n, &stale) })
	out.Stale = stale
	return out, err
}

// shows reports whether the caller sees a node as Confluence lists it, and adds to
// stale whether his right to it is. A name or a place that the mirror does not know
// may have been given behind a restriction: then its own and those above it count
// as they are now, and of a folder, whose own cannot be read, it is not shown.
func (g *guarded) shows(ctx context.Context, n confluence.Node, stale *bool) (bool, error) {
	known, err := g.sees(ctx, n.ID)
	if err == nil && (n.Title != "" && n.Title != known.Title || n.ParentID != "" && n.ParentID != known.ParentID) {
		if known.Type == confluence.TypeFolder {
			return false, nil
		}
		err = g.stillOpen(ctx, known, n.ParentID)
	}
	if confluence.KindOf(err) == confluence.NotFound {
		return false, nil
	}
	*stale = *stale || known.Stale
	return err == nil, err
}

// Ancestors implements tools.PageSource. Confluence tells no more than the way
// down: a node stands below the one before it, the page itself below the last.
func (g *guarded) Ancestors(ctx context.Context, id string) ([]confluence.Node, error) {
	if _, err := g.sees(ctx, id); err != nil {
		return nil, err
	}
	all, err := g.live.Ancestors(ctx, id)
	if err != nil {
		return nil, err
	}
	out, parent := []confluence.Node{}, ""
	for _, n := range append(all, confluence.Node{ID: id}) {
		n.ParentID = parent
		parent = n.ID
		ok, err := g.shows(ctx, n, new(bool))
		switch {
		case err != nil:
			return nil, err
		case n.ID == id && !ok:
			return nil, missing("get page", "page "+id)
		case n.ID != id && ok:
			out = append(out, n)
		}
	}
	return out, nil
}

// Spaces implements tools.SpaceStore.
func (g *guarded) Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error) {
	seen, err := g.of.cfg.Mirror.Spaces(ctx, g.who, g.at, "")
	if err != nil {
		return confluence.List[confluence.Space]{}, err
	}
	mine, stale := map[string]bool{}, false
	for _, one := range seen {
		mine[one.ID] = true
		stale = stale || one.Stale
	}
	out, err := sift(p, func(up confluence.Paging) (confluence.List[confluence.Space], error) {
		return g.live.Spaces(ctx, f, up)
	},
		func(s confluence.Space) (bool, error) { return mine[s.ID], nil })
	out.Stale = stale
	return out, err
}

// Space implements tools.SpaceStore.
func (g *guarded) Space(ctx context.Context, key string) (confluence.Space, error) {
	if err := g.inSpace(ctx, key); err != nil {
		return confluence.Space{}, err
	}
	return g.live.Space(ctx, key)
}
