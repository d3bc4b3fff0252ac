package mirrored

import (
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/mirror"
)

// Search implements tools.PageSource. A search that is said in fields is
// answered from the mirror; what only CQL can say is asked of Confluence.
func (s *site) Search(ctx context.Context, q confluence.Search) (confluence.List[confluence.Hit], error) {
	cursor, copied := resumes(q.Cursor, func() bool { return q.Terms != nil && !q.Archived && s.of.cfg.Complete(ctx, s.at) })
	first := q.Cursor == ""
	q.Cursor = cursor
	if !copied || q.Terms == nil {
		return live(s.writing.Search(ctx, q))
	}
	t := q.Terms
	a, err := s.of.cfg.Retrieve.Query(ctx, s.who, retrieve.Question{Text: t.Text, Integration: s.name, SpaceKey: t.SpaceKey, Type: t.Type, Label: t.Label,
		AncestorID: t.AncestorID, UpdatedSince: t.UpdatedSince, Limit: q.Limit, Cursor: q.Cursor, Facets: first, Newest: s.newest})
	if first && confluence.KindOf(err) == confluence.Unavailable && ctx.Err() == nil {
		s.of.cfg.Logger.WarnContext(ctx, "searched in Confluence instead", "err", err)
		return live(s.writing.Search(ctx, q))
	}
	out := confluence.List[confluence.Hit]{Next: marked(fromMirror, a.Next), Total: a.Total, Exact: !a.Cut, Near: a.Near, Facets: a.Facets}
	for _, r := range a.Results {
		out.Items = append(out.Items, confluence.Hit{ID: r.PageID, Type: r.Type, Title: r.Title, SpaceKey: r.SpaceKey, Excerpt: r.Text, Updated: r.Updated, WebURL: r.URL,
			ReadAt: r.ReadAt, Version: r.Version, HeadingPath: r.HeadingPath, Anchor: r.Anchor, More: r.More})
		if !r.ReadAt.IsZero() {
			out.ReadAt = oldest(out.ReadAt, r.ReadAt)
		}
	}
	return out, err
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
	return mirror.Page{Page: now, Integration: p.Integration, Index: p.Index, Labels: p.Labels}, true
}
