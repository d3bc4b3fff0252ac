package mirrored

import (
	"cmp"
	"context"
	"maps"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// bodyless reports that a page is mirrored without its body, because that is
// too large: then its text is its title.
func bodyless(p mirror.Page) bool { return p.Body == "" && p.Text != "" && p.Text == p.Title }

// Page implements tools.PageSource. Earlier versions and rendered bodies are
// Confluence's, and so are drafts, which the mirror does not have.
func (s *site) Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	if opt.Version == 0 && (opt.Format == confluence.NoBody || opt.Format == confluence.Storage) {
		if p, ok := s.have(ctx, id); ok && p.Type != confluence.TypeFolder && (opt.Format == confluence.NoBody || !bodyless(p)) {
			out := copyOf(p)
			if opt.Format == confluence.NoBody {
				out.Body = ""
			}
			return out, nil
		}
	}
	return s.writing.Page(ctx, id, opt)
}

// Pages implements tools.PageSource.
func (s *site) Pages(ctx context.Context, f confluence.PageFilter, p confluence.Paging) (confluence.List[confluence.Page], error) {
	var in mirror.Space
	cursor, copied := resumes(p.Cursor, func() bool {
		var ok bool
		in, ok = s.spaceOf(ctx, f)
		return ok && !s.of.written.moved(tree{s.at, in.Key}, in.RightsAt)
	})
	p.Cursor = cursor
	if copied && in.Key == "" {
		in, copied = s.spaceOf(ctx, f)
	}
	if !copied {
		return live(s.writing.Pages(ctx, f, p))
	}
	if f.Title != "" {
		return s.titled(ctx, f, p, in)
	}
	found, err := s.of.cfg.Mirror.Pages(ctx, s.who, mirror.Filter{Integration: s.at, SpaceKey: in.Key, Type: cmp.Or(f.Type, confluence.TypePage)}, p)
	out := confluence.List[confluence.Page]{Next: marked(fromMirror, found.Next), Total: found.Total}
	for _, one := range found.Items {
		out.Items = append(out.Items, copyOf(one))
		out.ReadAt, out.Stale = oldest(out.ReadAt, readAt(one)), out.Stale || one.Stale
	}
	return out, err
}

// spaceOf gives the space whose pages the mirror can list by a filter.
func (s *site) spaceOf(ctx context.Context, f confluence.PageFilter) (mirror.Space, bool) {
	if f.SpaceID == "" || f.Sort != "" || f.Root || f.Status != "" && f.Status != confluence.StatusCurrent || f.Format != confluence.NoBody {
		return mirror.Space{}, false
	}
	s.mu.Lock()
	in, ok := s.known[f.SpaceID]
	s.mu.Unlock()
	if !ok {
		if _, err := s.spaces(ctx, ""); err != nil {
			return mirror.Space{}, false
		}
		s.mu.Lock()
		in, ok = s.known[f.SpaceID]
		s.mu.Unlock()
	}
	return in, ok && !in.RightsAt.IsZero()
}

// titled finds a page by its title; one the mirror does not have under that
// very title may be there under another case.
func (s *site) titled(ctx context.Context, f confluence.PageFilter, p confluence.Paging, in mirror.Space) (confluence.List[confluence.Page], error) {
	found, err := s.of.cfg.Mirror.FindPage(ctx, s.who, s.at, in.Key, f.Title)
	if err != nil || found.Type != cmp.Or(f.Type, confluence.TypePage) || s.of.written.newer(found) {
		return live(s.writing.Pages(ctx, f, p))
	}
	out := copyOf(found)
	out.Body = ""
	return confluence.List[confluence.Page]{Items: []confluence.Page{out}, Total: 1, ReadAt: out.ReadAt, Stale: out.Stale}, nil
}

// Children implements tools.PageSource.
func (s *site) Children(ctx context.Context, id, contentType string, p confluence.Paging) (confluence.List[confluence.Node], error) {
	cursor, copied := resumes(p.Cursor, func() bool { _, ok := s.placed(ctx, id); return ok })
	p.Cursor = cursor
	if !copied {
		return live(s.writing.Children(ctx, id, contentType, p))
	}
	found, err := s.of.cfg.Mirror.Children(ctx, s.who, mirror.Ref{Integration: s.at, ID: id}, p)
	out := confluence.List[confluence.Node]{Next: marked(fromMirror, found.Next), Total: found.Total}
	for _, one := range found.Items {
		out.Items = append(out.Items, nodeOf(one, 1))
		out.ReadAt, out.Stale = oldest(out.ReadAt, readAt(one)), out.Stale || one.Stale
	}
	return out, err
}

// Descendants implements tools.PageSource.
func (s *site) Descendants(ctx context.Context, id string, depth int, p confluence.Paging) (confluence.List[confluence.Node], error) {
	cursor, copied := resumes(p.Cursor, func() bool { _, ok := s.placed(ctx, id); return ok })
	p.Cursor = cursor
	if !copied {
		return live(s.writing.Descendants(ctx, id, depth, p))
	}
	top, err := s.of.cfg.Mirror.Page(ctx, s.who, mirror.Ref{Integration: s.at, ID: id})
	if err != nil {
		return confluence.List[confluence.Node]{}, err
	}
	out := confluence.List[confluence.Node]{Total: -1}
	tree := s.of.cfg.Mirror.View(s.who).Snapshot()
	for {
		found, err := s.of.cfg.Mirror.Pages(ctx, s.who, mirror.Filter{Integration: s.at, SpaceKey: top.SpaceKey, Ancestor: &mirror.Ref{Integration: s.at, ID: id}}, p)
		if err != nil {
			return confluence.List[confluence.Node]{}, err
		}
		for _, one := range found.Items {
			below := 0
			for idx := one.Index; idx != 0 && idx != top.Index; idx = tree.Parent(idx) {
				below++
			}
			if below <= depth {
				out.Items = append(out.Items, nodeOf(one, below))
				out.ReadAt, out.Stale = oldest(out.ReadAt, readAt(one)), out.Stale || one.Stale
			}
		}
		p.Cursor = found.Next
		if out.Next = marked(fromMirror, found.Next); len(out.Items) > 0 || out.Next == "" {
			return out, nil
		}
	}
}

// Ancestors implements tools.PageSource.
func (s *site) Ancestors(ctx context.Context, id string) ([]confluence.Node, error) {
	if _, ok := s.placed(ctx, id); !ok {
		return s.writing.Ancestors(ctx, id)
	}
	found, err := s.of.cfg.Mirror.Ancestors(ctx, s.who, mirror.Ref{Integration: s.at, ID: id})
	out := []confluence.Node{}
	for _, one := range found {
		out = append(out, nodeOf(one, 0))
	}
	return out, err
}

func nodeOf(p mirror.Page, depth int) confluence.Node {
	return confluence.Node{ID: p.ID, Type: p.Type, Status: p.Status, Title: p.Title, ParentID: p.ParentID, Position: p.Position, Depth: depth}
}

// Labels implements tools.LabelStore: the labels everybody sees.
func (s *site) Labels(ctx context.Context, id, contentType string) ([]confluence.Label, error) {
	p, ok := s.have(ctx, id)
	if !ok {
		return s.writing.Labels(ctx, id, contentType)
	}
	out := []confluence.Label{}
	for _, name := range p.Labels {
		out = append(out, confluence.Label{Name: name, Prefix: "global"})
	}
	return out, nil
}

// Attachments implements tools.AttachmentStore.
func (s *site) Attachments(ctx context.Context, pageID, contentType string, p confluence.Paging) (confluence.List[confluence.Attachment], error) {
	var on mirror.Page
	cursor, copied := resumes(p.Cursor, func() bool { var ok bool; on, ok = s.have(ctx, pageID); return ok })
	p.Cursor = cursor
	if !copied {
		return live(s.writing.Attachments(ctx, pageID, contentType, p))
	}
	found, err := s.of.cfg.Mirror.Attachments(ctx, s.who, mirror.Ref{Integration: s.at, ID: pageID})
	if err != nil {
		return confluence.List[confluence.Attachment]{}, err
	}
	all := make([]confluence.Attachment, 0, len(found))
	for _, a := range found {
		all = append(all, a.Attachment)
	}
	out := part(all, p)
	out.ReadAt, out.Stale = readAt(on), on.Stale
	return out, nil
}

// Attachment implements tools.AttachmentStore.
func (s *site) Attachment(ctx context.Context, id string) (confluence.Attachment, error) {
	a, err := s.of.cfg.Mirror.Attachment(ctx, s.who, mirror.Ref{Integration: s.at, ID: id})
	if err != nil {
		return s.writing.Attachment(ctx, id)
	}
	if _, ok := s.have(ctx, a.PageID); !ok {
		return s.writing.Attachment(ctx, id)
	}
	return a.Attachment, nil
}

// PagesByID implements tools.PageSource: from the mirror, and what it has not in
// one question to Confluence.
func (s *site) PagesByID(ctx context.Context, ids []string, contentType string) (map[string]confluence.Page, error) {
	out := make(map[string]confluence.Page, len(ids))
	var left []string
	for _, id := range ids {
		p, ok := s.have(ctx, id)
		if !ok || p.Type != cmp.Or(contentType, confluence.TypePage) {
			left = append(left, id)
			continue
		}
		p.Body = ""
		out[id] = copyOf(p)
	}
	if len(left) == 0 {
		return out, nil
	}
	more, err := s.writing.PagesByID(ctx, left, contentType)
	maps.Copy(out, more)
	return out, err
}
