package retrieve

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// rounds bounds how often the index is asked for one answer, when hits turn out
// not to be there any more.
const rounds = 5

// askRounds bounds how often Confluence is asked for one answer.
const askRounds = 4

// Query answers a question. The caller is resolved first, see [Engine.Resolve].
// While the index is damaged or being built, titles answer: see [Answer.Titles].
//
// Kind Invalid for the cursor of another caller or question and for a question
// the index cannot read. A space, a page above or an integration that is not
// there, or that the caller may not see, finds nothing. Nothing is answered at
// even times, so that they do not tell why.
func (e *Engine) Query(ctx context.Context, c identity.Caller, q Question) (Answer, error) {
	beats := time.NewTicker(beat)
	defer beats.Stop()
	a, err := e.query(ctx, c, q)
	if err == nil && len(a.Results) == 0 {
		onTheBeat(ctx, beats)
	}
	return a, err
}

func (e *Engine) query(ctx context.Context, c identity.Caller, q Question) (Answer, error) {
	who, err := e.Resolve(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	at, err := e.open(who, q)
	if err != nil {
		return Answer{}, err
	}
	a := asking{e: e, who: who, q: q, view: e.cfg.Mirror.View(who), out: Answer{Results: []Result{}, Unread: e.unread(who, q)}}
	query, possible, err := a.query(ctx)
	if err != nil || !possible || !who.Known() {
		return a.out, err
	}
	next, err := a.answer(ctx, query, at)
	if err != nil {
		return Answer{}, err
	}
	a.out.Next = e.seal(who, q, next)
	return a.out, nil
}

// answer asks the index, and where there is none to ask the titles. What began in
// one of them goes on there.
func (a *asking) answer(ctx context.Context, q index.Query, at string) (string, error) {
	if strings.HasPrefix(at, byTitle) {
		return a.titles(ctx, q, at)
	}
	next, err := a.collect(ctx, q, at)
	if at != "" || !indexDown(err) {
		return next, err
	}
	a.e.cfg.Logger.WarnContext(ctx, "there is no index to search in now; titles were searched", "err", err)
	return a.titles(ctx, q, at)
}

// asking is one question on its way to its answer.
type asking struct {
	e     *Engine
	who   identity.Caller
	q     Question
	view  *guard.View // kept for the whole question
	out   Answer
	chars int
}

// query puts the question to the index; false when nothing can match.
func (a *asking) query(ctx context.Context) (index.Query, bool, error) {
	q := index.Query{Text: a.q.Text, SpaceKey: a.q.SpaceKey, Type: a.q.Type, Label: a.q.Label, AuthorID: a.q.AuthorID,
		UpdatedSince: a.q.UpdatedSince, Facets: a.q.Facets}
	if len(q.Text) > maxText {
		q.Text = strings.ToValidUTF8(q.Text[:maxText], "")
	}
	at, found := a.e.integrationOf(a.q.Integration)
	if !found {
		return q, false, nil
	}
	q.Integration = at
	if a.q.AncestorID == "" {
		return q, true, nil
	}
	above, err := a.e.cfg.Mirror.Place(ctx, a.who, mirror.Ref{Integration: at, ID: a.q.AncestorID})
	if confluence.KindOf(err) == confluence.NotFound {
		return q, false, nil
	}
	q.Ancestor = above.Index
	return q, err == nil, err
}

// collect asks the index until the answer is full, and gives where it goes on,
// nothing at the end.
func (a *asking) collect(ctx context.Context, q index.Query, after string) (string, error) {
	limit := min(cmp.Or(max(a.q.Limit, 0), defaultLimit), maxLimit)
	sure := false // that there is more
	for round := 0; round < rounds && len(a.out.Results) < limit; round++ {
		q.After, q.Limit = after, limit-len(a.out.Results)
		found, err := a.search(ctx, q, round == 0)
		if err != nil {
			return "", err
		}
		q.Facets = false
		for i, h := range found.Hits {
			full, err := a.add(ctx, h, found.Terms)
			if err != nil {
				return "", err
			}
			if full {
				return a.behind(ctx, q, i)
			}
		}
		if found.Next == "" || after == "" && found.Total <= len(found.Hits) {
			return "", nil
		}
		sure = after == ""
		after = found.Next
	}
	if sure {
		return after, nil
	}
	q.After, q.Limit = after, 1
	found, err := a.e.cfg.Index.Search(ctx, a.view, q)
	if err != nil || len(found.Hits) == 0 {
		return "", err
	}
	return after, nil
}

func (a *asking) search(ctx context.Context, q index.Query, first bool) (index.Answer, error) {
	found, err := a.judged(ctx, q)
	if first {
		a.out.Total, a.out.Near, a.out.Cut, a.out.Facets = found.Total, found.Fuzzy, found.Cut, facetsOf(found.Facets)
	}
	return found, err
}

// judged asks the index, and Confluence about those hits that only it can judge.
// What is left of them is not in the answer, which says that there may be more.
func (a *asking) judged(ctx context.Context, q index.Query) (index.Answer, error) {
	for round := 0; ; round++ {
		found, err := a.e.cfg.Index.Search(ctx, a.view, q)
		if err != nil || len(found.Unsure) == 0 {
			return found, err
		}
		if round == askRounds {
			found.Cut = true
			return found, nil
		}
		if a.view, err = a.e.cfg.Mirror.Resolve(ctx, a.who, a.view, found.Unsure); err != nil {
			return index.Answer{}, err
		}
	}
}

// behind is the place behind the first hits of a query.
func (a *asking) behind(ctx context.Context, q index.Query, hits int) (string, error) {
	if hits == 0 {
		return q.After, nil
	}
	q.Limit = hits
	found, err := a.e.cfg.Index.Search(ctx, a.view, q)
	return found.Next, err
}

// add shows one hit, or leaves it out when it is not there any more or its body
// is damaged. full says that its passage does not fit.
func (a *asking) add(ctx context.Context, h index.Hit, words *index.Terms) (full bool, err error) {
	p, err := a.e.cfg.Mirror.PageAt(ctx, a.who, h.Index)
	if mirror.DamagedBody(err) {
		a.e.cfg.Logger.ErrorContext(ctx, "a page is left out of an answer; a full sync makes it good", "node", h.Index, "err", err)
		a.out.Total, a.out.Cut = max(0, a.out.Total-1), true
		return false, nil
	}
	there := err == nil
	if there && a.q.Newest != nil {
		p, there = a.q.Newest(ctx, p)
	}
	if confluence.KindOf(err) == confluence.NotFound || err == nil && !there {
		a.out.Total = max(0, a.out.Total-1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, speaks := a.show(ctx, p, words)
	if !speaks || !a.still(p) {
		a.out.Total = max(0, a.out.Total-1)
		return false, nil
	}
	n := utf8.RuneCountInString(r.Text)
	if a.q.MaxChars > 0 && len(a.out.Results) > 0 && a.chars+n > a.q.MaxChars {
		return true, nil
	}
	a.chars += n
	r.Rank = len(a.out.Results) + 1
	a.out.Results = append(a.out.Results, r)
	return false, nil
}

// still reports whether a page is what the filters ask for: it may have been
// changed since it was indexed.
func (a *asking) still(p mirror.Page) bool {
	q := a.q
	switch {
	case q.Type == "" && p.Type != confluence.TypePage && p.Type != confluence.TypeBlogPost, q.Type != "" && p.Type != q.Type:
		return false
	case q.SpaceKey != "" && !strings.EqualFold(p.SpaceKey, q.SpaceKey):
		return false
	case q.Label != "" && !slices.ContainsFunc(p.Labels, func(l string) bool { return strings.EqualFold(l, q.Label) }):
		return false
	case q.AuthorID != "" && p.AuthorID != q.AuthorID && p.Version.AuthorID != q.AuthorID:
		return false
	}
	return !p.Version.CreatedAt.Before(q.UpdatedSince)
}
