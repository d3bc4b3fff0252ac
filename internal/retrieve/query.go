package retrieve

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// rounds bounds how often the index is asked for one answer, when hits turn out
// not to be there any more.
const rounds = 5

// Query answers a question. The caller is resolved first, see [Engine.Resolve].
//
// Kind Invalid for the cursor of another caller or question and for a question
// the index cannot read. A space, a page above or an integration that is not
// there, or that the caller may not see, finds nothing.
func (e *Engine) Query(ctx context.Context, c identity.Caller, q Question) (Answer, error) {
	who, err := e.Resolve(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	at, err := e.open(who, q)
	if err != nil {
		return Answer{}, err
	}
	a := asking{e: e, who: who, q: q, view: e.cfg.Mirror.View(who), words: wordsOf(q.Text), out: Answer{Results: []Result{}}}
	query, possible, err := a.query(ctx)
	if err != nil || !possible || !who.Known() {
		return a.out, err
	}
	next, err := a.collect(ctx, query, at)
	if err != nil {
		return Answer{}, err
	}
	if next != (position{}) {
		a.out.Next = e.seal(who, q, next)
	}
	return a.out, nil
}

// asking is one question on its way to its answer.
type asking struct {
	e     *Engine
	who   identity.Caller
	q     Question
	view  *guard.View // kept for the whole question
	words []word
	out   Answer
	chars int
}

// query puts the question to the index; false when nothing can match.
func (a *asking) query(ctx context.Context) (Query, bool, error) {
	q := Query{Text: clipBytes(a.q.Text, maxText), SpaceKey: a.q.SpaceKey, Type: a.q.Type, Label: a.q.Label, AuthorID: a.q.AuthorID,
		UpdatedSince: a.q.UpdatedSince, Facets: a.q.Facets}
	if a.q.Integration != "" {
		at, found := a.e.Integration(a.q.Integration)
		if !found {
			return q, false, nil
		}
		q.Integration = at.ID
	}
	if a.q.AncestorID == "" {
		return q, true, nil
	}
	above, err := a.e.cfg.Mirror.Page(ctx, a.who, mirror.Ref{Integration: q.Integration, ID: a.q.AncestorID})
	if confluence.KindOf(err) == confluence.NotFound {
		return q, false, nil
	}
	q.Ancestor = above.Index
	return q, err == nil, err
}

// collect asks the index until the answer is full, and gives where it goes on,
// nothing at the end.
func (a *asking) collect(ctx context.Context, q Query, at position) (position, error) {
	limit := min(cmp.Or(max(a.q.Limit, 0), defaultLimit), maxLimit)
	for round := range rounds {
		q.After, q.Limit = at.after, at.skip+limit-len(a.out.Results)
		found, err := a.e.cfg.Index.Search(ctx, a.view, q)
		if err != nil {
			return position{}, err
		}
		if round == 0 {
			a.out.Total, a.out.Near, a.out.Cut, a.out.Facets = found.Total, found.Fuzzy, found.Cut, found.Facets
			q.Facets = false
		}
		for i := min(at.skip, len(found.Hits)); i < len(found.Hits); i++ {
			full, err := a.add(ctx, found, i)
			if err != nil {
				return position{}, err
			}
			if full {
				return position{after: at.after, skip: i}, nil
			}
		}
		if found.Next == "" {
			return position{}, nil
		}
		at = position{after: found.Next}
		if len(a.out.Results) >= limit {
			break
		}
	}
	return at, nil
}

// add shows one hit, or leaves it out when it is not there any more. full says
// that its passage does not fit.
func (a *asking) add(ctx context.Context, found Found, i int) (full bool, err error) {
	p, err := a.e.cfg.Mirror.PageAt(ctx, a.who, found.Hits[i].Index)
	if confluence.KindOf(err) == confluence.NotFound || err == nil && !a.still(p, found.Fuzzy) {
		a.out.Total = max(0, a.out.Total-1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r := a.show(p)
	n := utf8.RuneCountInString(r.Text)
	if a.q.MaxChars > 0 && len(a.out.Results) > 0 && a.chars+n > a.q.MaxChars {
		return true, nil
	}
	a.chars += n
	r.Rank = len(a.out.Results) + 1
	a.out.Results = append(a.out.Results, r)
	return false, nil
}

// still reports whether a page is what was asked for: it may have been changed
// since it was indexed.
func (a *asking) still(p mirror.Page, near bool) bool {
	q := a.q
	switch {
	case p.Type != confluence.TypePage && p.Type != confluence.TypeBlogPost && q.Type == "":
		return false
	case q.SpaceKey != "" && !strings.EqualFold(p.SpaceKey, q.SpaceKey):
		return false
	case q.Type != "" && p.Type != q.Type:
		return false
	case q.Label != "" && !slices.ContainsFunc(p.Labels, func(l string) bool { return strings.EqualFold(l, q.Label) }):
		return false
	case q.AuthorID != "" && p.AuthorID != q.AuthorID && p.Version.AuthorID != q.AuthorID:
		return false
	case p.Version.CreatedAt.Before(q.UpdatedSince):
		return false
	}
	return near || len(a.words) == 0 || speaks(a.words, p)
}
