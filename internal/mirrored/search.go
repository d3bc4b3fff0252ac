package mirrored

import (
	"context"
	"slices"
	"strconv"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/mirror"
)

// Search implements tools.PageSource. A search that is said in fields is
// answered from the mirror; what only CQL can say is asked of Confluence. While
// there is no index, who has a credential is answered by Confluence where that
// answers, and everybody else by titles.
func (s *site) Search(ctx context.Context, q confluence.Search) (confluence.List[confluence.Hit], error) {
	cursor, copied := resumes(q.Cursor, func() bool {
		return q.Terms != nil && !q.Archived && s.of.cfg.Complete(ctx, s.at) && s.covers(ctx, q.Terms)
	})
	first := q.Cursor == ""
	q.Cursor = cursor
	if !copied || q.Terms == nil {
		return live(s.writing.Search(ctx, q))
	}
	if q.Terms.Text == "*" {
		if l, few, err := s.lastChanged(ctx, q, first); few || err != nil {
			return l, err
		}
	}
	t := q.Terms
	a, err := s.of.cfg.Retrieve.Query(ctx, s.who, retrieve.Question{Text: t.Text, Integration: s.name, SpaceKey: t.SpaceKey, Type: t.Type, Label: t.Label,
		AncestorID: t.AncestorID, UpdatedSince: t.UpdatedSince, Limit: q.Limit, Cursor: q.Cursor, Facets: first, Newest: s.newest})
	if first && s.own && withoutIndex(ctx, a, err) {
		if l, failed := live(s.writing.Search(ctx, q)); failed == nil || err != nil {
			s.of.cfg.Logger.WarnContext(ctx, "searched in Confluence instead", "err", err)
			return l, failed
		}
	}
	return hits(a), err
}

// withoutIndex reports whether no index answered: titles alone did, or nothing.
func withoutIndex(ctx context.Context, a retrieve.Answer, err error) bool {
	return a.Titles || confluence.KindOf(err) == confluence.Unavailable && ctx.Err() == nil
}

// hits is what the mirror found as Confluence would list it.
func hits(a retrieve.Answer) confluence.List[confluence.Hit] {
	out := confluence.List[confluence.Hit]{Next: marked(fromMirror, a.Next), Total: a.Total, Exact: !a.Cut, Near: a.Near, Titles: a.Titles, Facets: a.Facets}
	if a.Cut {
		out.Total = -1 // what was counted is not all there is
	}
	for _, r := range a.Results {
		out.Items = append(out.Items, confluence.Hit{ID: r.PageID, Type: r.Type, Title: r.Title, SpaceKey: r.SpaceKey, Excerpt: r.Text, Updated: r.Updated, WebURL: r.URL,
			ReadAt: r.ReadAt, Stale: r.Stale, Version: r.Version, HeadingPath: r.HeadingPath, Anchor: r.Anchor, More: r.More})
		out.Stale = out.Stale || r.Stale
		if !r.ReadAt.IsZero() {
			out.ReadAt = oldest(out.ReadAt, r.ReadAt)
		}
	}
	return out
}

// covers reports whether the mirror has where a search looks. It has no space of
// some types, and for a caller with a credential that is Confluence's to answer.
func (s *site) covers(ctx context.Context, t *confluence.Terms) bool {
	if !s.own {
		return true
	}
	if t.SpaceKey != "" {
		if found, err := s.spaces(ctx, t.SpaceKey); err != nil || len(found) == 0 {
			return false
		}
	}
	if t.AncestorID != "" {
		_, there := s.placed(ctx, t.AncestorID)
		return there
	}
	return true
}

// fewPages is up to how many pages are listed by when they were changed.
const fewPages = 1000

// lastChanged lists everything the filters leave, the last changed first; false
// when that is too much to be put in order.
func (s *site) lastChanged(ctx context.Context, q confluence.Search, first bool) (confluence.List[confluence.Hit], bool, error) {
	if _, err := strconv.Atoi(q.Cursor); err != nil && !first {
		return confluence.List[confluence.Hit]{}, false, nil // it began in another order
	}
	t := q.Terms
	a, err := s.of.cfg.Retrieve.Query(ctx, s.who, retrieve.Question{Text: t.Text, Integration: s.name, SpaceKey: t.SpaceKey, Type: t.Type, Label: t.Label,
		AncestorID: t.AncestorID, UpdatedSince: t.UpdatedSince, Limit: 1, Facets: first})
	if err != nil || first && (a.Cut || a.Total > fewPages) {
		return confluence.List[confluence.Hit]{}, false, nil // the usual way says why
	}
	all, err := s.every(ctx, t)
	if err != nil {
		return confluence.List[confluence.Hit]{}, false, err
	}
	slices.SortStableFunc(all, func(a, b mirror.Page) int { return b.Version.CreatedAt.Compare(a.Version.CreatedAt) })
	rows := part(all, q.Paging)
	out := confluence.List[confluence.Hit]{Next: rows.Next, Total: rows.Total, Exact: !a.Cut, Facets: a.Facets}
	for _, p := range rows.Items {
		now, there := s.newest(ctx, p)
		if !there {
			out.Total--
			continue
		}
		h := confluence.Hit{ID: p.ID, Type: p.Type, Title: now.Title, SpaceKey: p.SpaceKey, Updated: now.Version.CreatedAt, WebURL: now.WebURL, Anchor: now.WebURL, Version: now.Version.Number, Stale: p.Stale}
		out.Stale = out.Stale || p.Stale
		if h.ReadAt = readAt(now); !h.ReadAt.IsZero() {
			out.ReadAt = oldest(out.ReadAt, h.ReadAt)
		}
		out.Items = append(out.Items, h)
	}
	return out, true, nil
}

// every lists the pages and blog posts that filters leave.
func (s *site) every(ctx context.Context, t *confluence.Terms) ([]mirror.Page, error) {
	f := mirror.Filter{Integration: s.at, SpaceKey: t.SpaceKey, Type: t.Type, Label: t.Label, UpdatedSince: t.UpdatedSince}
	if t.AncestorID != "" {
		f.Ancestor = &mirror.Ref{Integration: s.at, ID: t.AncestorID}
	}
	var out []mirror.Page
	p := confluence.Paging{Limit: 250}
	for {
		l, err := s.of.cfg.Mirror.Pages(ctx, s.who, f, p)
		if err != nil {
			return nil, err
		}
		for _, one := range l.Items {
			if one.Type != confluence.TypeFolder {
				out = append(out, one)
			}
		}
		if p.Cursor = l.Next; p.Cursor == "" || len(out) > 2*fewPages {
			return out, nil
		}
	}
}

// newest gives a page that was written since as Confluence has it now.
func (s *site) newest(ctx context.Context, p mirror.Page) (mirror.Page, bool) {
	if !s.of.written.newer(p) {
		return p, true
	}
	now, err := s.writing.Page(ctx, p.ID, confluence.PageOptions{Format: confluence.Storage})
	if err != nil || now.Status != "" && now.Status != confluence.StatusCurrent {
		return mirror.Page{}, false
	}
	now.Stale = p.Stale // his right to it is as old as before
	return mirror.Page{Page: now, Integration: p.Integration, Index: p.Index, Labels: p.Labels}, true
}
