package retrieve

import (
	"cmp"
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
)

// Index finds nodes by words, under the rights of one caller; *index.Index is
// one.
type Index interface {
	Search(ctx context.Context, v *guard.View, q index.Query) (index.Answer, error)
}

// facetsOf are the counts of an index as callers know them: a space by its key,
// together with that of the same key in another integration.
func facetsOf(f index.Facets) []confluence.Facet {
	var out []confluence.Facet
	for _, one := range []struct {
		name   string
		counts []index.Count
	}{{"space", f.Spaces}, {"type", f.Types}, {"label", f.Labels}} {
		facet := confluence.Facet{Name: one.name}
		for _, c := range one.counts {
			at := slices.IndexFunc(facet.Counts, func(have confluence.Count) bool { return have.Value == c.Value })
			if at < 0 {
				facet.Counts = append(facet.Counts, confluence.Count{Value: c.Value, N: c.Nodes})
			} else {
				facet.Counts[at].N += c.Nodes
			}
		}
		slices.SortStableFunc(facet.Counts, func(a, b confluence.Count) int { return b.N - a.N })
		if len(facet.Counts) > 0 {
			out = append(out, facet)
		}
	}
	return out
}

// unread reports whether an integration a question is about was not read to its
// end yet: the one it names, else the caller's, else any.
func (e *Engine) unread(who identity.Caller, q Question) bool {
	name := cmp.Or(q.Integration, who.Integration)
	if at, found := e.Integration(name); found || name != "" {
		return at.Unread
	}
	return slices.ContainsFunc(e.cfg.Integrations(), func(i Integration) bool { return i.Unread })
}

// integrationOf gives the id an integration is asked for by: 0 for any; false
// when it is not connected.
func (e *Engine) integrationOf(name string) (int64, bool) {
	if name == "" {
		return 0, true
	}
	at, found := e.Integration(name)
	return at.ID, found
}
