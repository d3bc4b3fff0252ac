package ingest

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Sizes of what is asked for at once.
const (
	listLimit   = 250
	extrasLimit = 200
	leastExtras = 25
	atOnce      = 4 // requests of one sync for one space
)

// entry is what one reading found out about one node.
type entry struct {
	id, kind, parent, parentKind string
	title                        string
	version                      int
	position                     *int // among siblings
	labels                       []string
	files                        []confluence.Attachment
	whole                        bool // labels and files are known
	clause                       guard.Clause
	known                        bool // the clause was read, or could not be
	cause                        string
	folder                       *confluence.Page // content of what has no body
}

// reading is one look at every node of a space: where it stands, in which
// version, and its own restriction. One that was interrupted goes on where it
// stopped.
type reading struct {
	s       *Sync
	space   confluence.Space
	rights  bool // false: the integration's rights are not synced
	told    func(nodes int)
	entries map[string]*entry
	steps   []step
	cursor  string
	limit   int
	mu      sync.Mutex // of failed and entries' clauses
	failed  int        // nodes whose rights could not be read for no reason of theirs
	total   int
}

// step is one stage of a reading; it may be run again after an error.
type step func(ctx context.Context) error

func (s *Sync) newReading(sp confluence.Space, told func(int)) *reading {
	r := &reading{s: s, space: sp, rights: s.cfg.Integration.Mode == guard.Synced, told: told, entries: map[string]*entry{}, limit: extrasLimit}
	kinds := []string{confluence.TypePage}
	if s.cfg.BlogPosts {
		kinds = append(kinds, confluence.TypeBlogPost)
	}
	for _, kind := range kinds {
		r.steps = append(r.steps, func(ctx context.Context) error { return r.list(ctx, kind) })
	}
	r.steps = append(r.steps, r.above)
	for _, kind := range kinds {
		r.steps = append(r.steps, func(ctx context.Context) error { return r.extras(ctx, kind) })
	}
	r.steps = append(r.steps, r.alone)
	return r
}

// run goes on with the reading, and reports that it is finished by nil.
func (r *reading) run(ctx context.Context) error {
	for len(r.steps) > 0 {
		if err := r.steps[0](ctx); err != nil {
			return err
		}
		r.steps, r.cursor = r.steps[1:], ""
	}
	return nil
}

// list reads which pages or blog posts there are, by id. A page that comes twice
// counts once, as it came last.
func (r *reading) list(ctx context.Context, kind string) error {
	f := confluence.PageFilter{SpaceID: r.space.ID, Type: kind, Sort: "id"}
	return r.walk(ctx, listLimit, func(p confluence.Paging) (string, int, error) {
		l, err := r.s.cfg.Source.Pages(ctx, f, p)
		for _, page := range l.Items {
			if page.ID == "" || page.SpaceID != r.space.ID || page.Status != confluence.StatusCurrent {
				continue
			}
			e := &entry{id: page.ID, kind: kind, parent: page.ParentID, parentKind: page.ParentType, title: page.Title, version: page.Version.Number, position: page.Position}
			if e.parent == e.id {
				e.known, e.cause = true, "stands below itself"
				e.parent = ""
			}
			r.entries[page.ID] = e
			r.s.notice(page.AuthorID, page.OwnerID, page.Version.AuthorID)
		}
		r.told(len(r.entries))
		return l.Next, len(l.Items), err
	})
}

// walk goes through a listing from the cursor on. A cursor Confluence no longer
// knows starts it again; one that comes twice ends it.
func (r *reading) walk(ctx context.Context, limit int, ask func(confluence.Paging) (next string, n int, err error)) error {
	seen, again := map[string]bool{}, false
	for {
		next, _, err := ask(confluence.Paging{Cursor: r.cursor, Limit: limit})
		if e := asError(err); e != nil && e.StableCode() == "input.cursor" && r.cursor != "" && !again {
			r.cursor, again = "", true
			clear(seen)
			continue
		}
		if err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		if seen[next] {
			return &confluence.Error{Kind: confluence.Unavailable, Op: "list", Ref: "space " + r.space.Key, Message: "the listing of Confluence repeats itself"}
		}
		seen[next], r.cursor = true, next
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// extras reads labels, files and own restrictions of many at once. A site that
// does not have the operation any more, or fails with it, is asked about each
// page alone.
func (r *reading) extras(ctx context.Context, kind string) error {
	for {
		err := r.walk(ctx, r.limit, func(p confluence.Paging) (string, int, error) {
			l, err := r.s.cfg.Source.Extras(ctx, r.space.Key, kind, p)
			for i := range l.Items {
				r.take(&l.Items[i])
			}
			return l.Next, len(l.Items), err
		})
		if err == nil || fatal(ctx, err) {
			return err
		}
		if k := confluence.KindOf(err); r.limit <= leastExtras || k == confluence.NotFound || k == confluence.Invalid || k == confluence.Denied {
			return nil // alone asks for what is missing
		}
		r.limit = max(r.limit/4, leastExtras)
	}
}

func (r *reading) take(x *confluence.Extras) {
	e := r.entries[x.ID]
	if e == nil {
		return // made after the listing: the next pass has it
	}
	if !x.Partial {
		e.labels, e.files, e.whole = x.Labels, x.Attachments, true
	}
	if r.rights && x.Restrictions != nil && !e.known {
		e.clause, e.known = guard.ClauseOf(r.s.cfg.Integration.ID, x.Restrictions), true
		r.s.notice(usersOf(e.clause)...)
	}
}

// alone reads the restrictions that no listing told. What one node's own fault
// is seals that node; what is not ends the reading.
func (r *reading) alone(ctx context.Context) error {
	var left []*entry
	for _, e := range r.entries {
		switch {
		case e.known:
		case r.rights:
			left = append(left, e)
		default:
			e.clause, e.known = guard.Clause{State: guard.Open}, true
		}
	}
	r.total, r.failed = len(left), 0
	return each(ctx, left, func(ctx context.Context, e *entry) error {
		clause, cause, err := r.s.clause(ctx, e.id)
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if clause.State == guard.Sealed && cause == causeDown {
			if r.failed++; r.failed > 5 && r.failed*10 > r.total {
				return &confluence.Error{Kind: confluence.Unavailable, Op: "read restrictions", Ref: "space " + r.space.Key, Message: "Confluence fails to tell the restrictions of many pages"}
			}
		}
		e.clause, e.known, e.cause = clause, true, cause
		return nil
	})
}

// Causes of a sealed node, as reports count them.
const (
	causeHidden  = "its restrictions are not visible to the connecting account"
	causeDenied  = "the connecting account may not read its restrictions"
	causeDown    = "Confluence failed to tell its restrictions"
	causeUnknown = "its restrictions came in an unknown form"
	causeGone    = "it was gone when it was read again"
	causePlace   = "its place in the tree could not be read"
	causeMoved   = "it was moved while its space was read"
)

// clause reads the own restriction of one node. An error is not the node's.
func (s *Sync) clause(ctx context.Context, id string) (guard.Clause, string, error) {
	own, err := s.cfg.Source.Restrictions(ctx, id)
	if fatal(ctx, err) {
		return guard.Clause{}, "", err
	}
	if err != nil {
		return guard.Clause{}, causeOf(err), nil
	}
	clause := guard.ClauseOf(s.cfg.Integration.ID, own)
	if clause.State == guard.Sealed {
		return clause, causeUnknown, nil
	}
	s.notice(usersOf(clause)...)
	return clause, "", nil
}

func causeOf(err error) string {
	switch confluence.KindOf(err) {
	case confluence.NotFound:
		return causeHidden
	case confluence.Denied:
		return causeDenied
	case confluence.Unavailable:
		return causeDown
	}
	return causeUnknown
}

func usersOf(c guard.Clause) []string {
	var out []string
	for _, p := range c.Of {
		if p.Kind == guard.User {
			out = append(out, p.ID)
		}
	}
	return out
}

// above reads the folders and other nodes that pages stand under, up to the
// root. Their own restrictions cannot be read (CONFCLOUD-82920).
func (r *reading) above(ctx context.Context) error {
	for {
		var missing []*entry
		asked := map[string]bool{}
		for _, e := range r.entries {
			if e.parent == "" || r.entries[e.parent] != nil || asked[e.parent] || e.parentKind == "" || e.parentKind == confluence.TypePage {
				continue
			}
			asked[e.parent] = true
			missing = append(missing, &entry{id: e.parent, kind: e.parentKind, known: true})
		}
		if len(missing) == 0 {
			return nil
		}
		if err := each(ctx, missing, r.opaque); err != nil {
			return err
		}
		for _, e := range missing {
			r.entries[e.id] = e
		}
	}
}

// opaque finds out where a node stands that is not a page.
func (r *reading) opaque(ctx context.Context, e *entry) error {
	e.clause, e.whole = guard.Clause{State: guard.Opaque}, true
	if !r.rights {
		e.clause.State = guard.Open
	}
	if e.kind == confluence.TypeFolder {
		f, err := r.s.cfg.Source.Folder(ctx, e.id)
		if err == nil {
			e.parent, e.parentKind, e.title, e.version, e.position, e.folder = f.ParentID, f.ParentType, f.Title, max(1, f.Version.Number), f.Position, &f
			return nil
		}
		return r.unplaced(ctx, e, err)
	}
	up, err := r.s.cfg.Source.Ancestors(ctx, e.id)
	if err != nil {
		return r.unplaced(ctx, e, err)
	}
	if len(up) > 0 {
		e.parent, e.parentKind = up[len(up)-1].ID, up[len(up)-1].Type
	}
	return nil
}

func (r *reading) unplaced(ctx context.Context, e *entry, err error) error {
	if fatal(ctx, err) {
		return err
	}
	e.clause, e.cause = guard.Clause{}, causePlace
	return nil
}

// nodes are the entries as the mirror observes them.
func (r *reading) nodes() []Node {
	out := make([]Node, 0, len(r.entries))
	for _, e := range r.entries {
		out = append(out, e.node())
	}
	return out
}

// shed lets go of what content was compared with: of a large space that is more
// than its places and rights.
func (r *reading) shed() {
	for _, e := range r.entries {
		e.title, e.position, e.labels, e.files, e.folder = "", nil, nil, nil, nil
	}
}

func (e *entry) node() Node {
	return Node{ID: e.id, Type: e.kind, ParentID: e.parent, Clause: e.clause, Cause: e.cause}
}

// each runs fn on every item, a few at once, and stops at the first error.
func each[T any](ctx context.Context, items []T, fn func(context.Context, T) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, item := range items {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error { return fn(inner, item) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
