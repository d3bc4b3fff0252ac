package mirrored

import (
	"context"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// site is Confluence for one caller, from the mirror where it has it. What is
// not overridden here is asked of Confluence.
type site struct {
	*writing
	name string // of the integration

	mu    sync.Mutex
	known map[string]mirror.Space // spaces this call has seen, by id
}

// Live gives the same site for the same caller with every question asked of
// Confluence.
func (s *site) Live() tools.Site { return s.writing }

// Where a listing's cursor came from: a listing goes on where it began.
const (
	fromMirror = "m:"
	fromLive   = "l:"
)

// resumes reports whether a listing that goes on began in the mirror, and gives
// the cursor as that side knows it. first decides where there is no cursor.
func resumes(cursor string, first func() bool) (string, bool) {
	switch {
	case cursor == "":
		return "", first()
	case strings.HasPrefix(cursor, fromMirror):
		return strings.TrimPrefix(cursor, fromMirror), true
	}
	return strings.TrimPrefix(cursor, fromLive), false
}

func marked(side, next string) string {
	if next == "" {
		return ""
	}
	return side + next
}

// live passes a listing on to Confluence, with its cursor marked.
func live[T any](l confluence.List[T], err error) (confluence.List[T], error) {
	l.Next = marked(fromLive, l.Next)
	return l, err
}

// have gives the mirror's copy of a page. false: it has none the caller may see,
// or Confluence has a newer one.
func (s *site) have(ctx context.Context, id string) (mirror.Page, bool) {
	p, err := s.of.cfg.Mirror.Page(ctx, s.who, mirror.Ref{Integration: s.at, ID: id})
	if err != nil {
		if confluence.KindOf(err) != confluence.NotFound && ctx.Err() == nil {
			s.of.cfg.Logger.ErrorContext(ctx, "mirror not read", "page", id, "err", err)
		}
		return mirror.Page{}, false
	}
	return p, !s.of.written.newer(p)
}

// placed is have for what depends on the page's place in the tree of its space:
// the mirror must have read the whole space, since anybody wrote in it.
func (s *site) placed(ctx context.Context, id string) (mirror.Page, bool) {
	p, err := s.of.cfg.Mirror.Page(ctx, s.who, mirror.Ref{Integration: s.at, ID: id})
	if err != nil || p.RightsAt.IsZero() {
		return mirror.Page{}, false
	}
	return p, !s.of.written.moved(tree{s.at, p.SpaceKey}, p.RightsAt)
}

// copyOf is a page of the mirror as tools know it.
func copyOf(p mirror.Page) confluence.Page {
	out := p.Page
	out.ReadAt = readAt(p)
	return out
}

// readAt is when a copy was last read, or found to be what Confluence has: a
// pass compares everything in a space.
func readAt(p mirror.Page) time.Time {
	if p.RightsAt.After(p.ReadAt) {
		return p.RightsAt
	}
	return p.ReadAt
}

// oldest keeps the earliest time.
func oldest(have, next time.Time) time.Time {
	if have.IsZero() || next.Before(have) {
		return next
	}
	return have
}
