package retrieve

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// byTitle marks a position in an answer by titles. The index's own positions
// never begin so.
const byTitle = "title:"

// indexDown reports whether an error says that there is no index to ask now: it
// is damaged, or not built to its end. The rows it is built from are there.
func indexDown(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Kind == confluence.Unavailable && strings.HasPrefix(e.Code, "index.")
}

// titles answers from the mirror's rows alone. Everything is found as ever; words
// are looked for in titles only, which the answer says.
func (a *asking) titles(ctx context.Context, q index.Query, at string) (string, error) {
	a.out = Answer{Results: []Result{}, Unread: a.out.Unread}
	f := mirror.Filter{Integration: q.Integration, Type: q.Type, Label: strings.ToLower(q.Label), AuthorID: q.AuthorID, UpdatedSince: q.UpdatedSince}
	if a.q.AncestorID != "" {
		f.Ancestor = &mirror.Ref{Integration: q.Integration, ID: a.q.AncestorID}
	}
	if q.SpaceKey != "" {
		var found bool
		var err error
		if f.SpaceKey, found, err = a.keyOf(ctx, q); err != nil || !found {
			return "", err
		}
	}
	match := titleWords(q.Text)
	a.out.Titles, a.out.Cut = match != nil, match != nil
	all, err := a.e.cfg.Mirror.Titles(ctx, a.who, f, match)
	if err != nil {
		return "", err
	}
	a.out.Total = len(all)
	skip, _ := strconv.Atoi(strings.TrimPrefix(at, byTitle)) // none at the beginning
	limit := min(cmp.Or(max(a.q.Limit, 0), defaultLimit), maxLimit)
	for i := min(skip, len(all)); i < len(all); i++ {
		if len(a.out.Results) == limit {
			return byTitle + strconv.Itoa(i), nil
		}
		full, err := a.add(ctx, index.Hit{Index: all[i]}, nil)
		if err != nil {
			return "", err
		}
		if full {
			return byTitle + strconv.Itoa(i), nil
		}
	}
	return "", nil
}

// keyOf gives the key of a space as it is written, of those the caller may view.
func (a *asking) keyOf(ctx context.Context, q index.Query) (string, bool, error) {
	all, err := a.e.cfg.Mirror.Spaces(ctx, a.who, q.Integration, "")
	at := slices.IndexFunc(all, func(s mirror.Space) bool { return strings.EqualFold(s.Key, q.SpaceKey) })
	if err != nil || at < 0 {
		return "", false, err
	}
	return all[at].Key, true, nil
}

// mostTitleWords bounds what is looked for in every title.
const mostTitleWords = 16

// titleWords tells of a title how many words of a question it says, 0 also where
// it says one that must not be there; nil when everything is asked for.
func titleWords(text string) func(title string) int {
	if t := strings.TrimSpace(text); t == "" || t == everything {
		return nil
	}
	wanted, unwanted := questionWords(text)
	return func(title string) int {
		title = fold(title)
		said := 0
		for _, w := range wanted {
			if strings.Contains(title, w) {
				said++
			}
		}
		if len(wanted) == 0 && len(unwanted) > 0 {
			said = 1
		}
		if slices.ContainsFunc(unwanted, func(w string) bool { return strings.Contains(title, w) }) {
			return 0
		}
		return said
	}
}

// questionWords are the words of a question, folded and each once, and apart
// from them those after a minus.
func questionWords(text string) (wanted, unwanted []string) {
	for _, part := range strings.Fields(fold(text)) {
		to := &wanted
		if strings.HasPrefix(part, "-") {
			to = &unwanted
		}
		for _, w := range strings.FieldsFunc(part, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
			if len(wanted)+len(unwanted) < mostTitleWords && !slices.Contains(*to, w) {
				*to = append(*to, w)
			}
		}
	}
	return wanted, unwanted
}

// fold makes letters comparable.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }
