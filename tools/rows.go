package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// short is the argument of a read with one short answer, which has no cursor.
type short struct {
	MaxChars int `json:"max_chars,omitempty" is:"min=200,max=100000"`
}

// cut gives what fits of a text, and a line about the rest when there is one.
func (s short) cut(text string) (shown, rest string) {
	most := cmp.Or(s.MaxChars, defaultChars)
	left := runes(behind(text, most))
	if left == 0 {
		return text, ""
	}
	return stretch(text, 0, most), fmt.Sprintf("\n[%d more characters did not fit into max_chars] Ask again with a greater one.", left)
}

// goingOn are the arguments of every listing: where to go on, and how much
// text to show.
type goingOn struct {
	Cursor   string `json:"cursor,omitempty" is:"max=4000"`
	MaxChars int    `json:"max_chars,omitempty" is:"min=200,max=100000"`
}

// reaches reports whether a row of a space may be shown at all. A row whose
// space is not known is not, where there is a limit.
func (k *call) reaches(spaceKey string) bool {
	return !k.limited() || spaceKey != "" && k.inSpaces(spaceKey)
}

// judged leaves out the rows of a listing that a rule hides, as if they were
// not there. Where a rule looks at what is read, every row is loaded the way a
// single read would be; what cannot be loaded, or is no page, is hidden.
func judged[T any](ctx context.Context, k *call, rows []T, of func(T) (kind, id string)) ([]T, error) {
	if !k.needsResource() {
		return rows, nil
	}
	allowed := make([]bool, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for i, row := range rows {
		kind, id := of(row)
		if kind != confluence.TypePage && kind != confluence.TypeBlogPost {
			continue
		}
		g.Go(func() error {
			var err error
			allowed[i], err = k.mayRead(ctx, id)
			return errors.Join(err, ctx.Err())
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var kept []T
	for i, row := range rows {
		if allowed[i] {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

// pagesOf reads the pages and blog posts among rows, without their bodies, in
// one request for each of the two kinds. A listing is shown without what they
// add rather than not at all.
func pagesOf[T any](ctx context.Context, k *call, rows []T, of func(T) (kind, id string)) map[string]confluence.Page {
	ids := map[string][]string{}
	for _, row := range rows {
		kind, id := of(row)
		ids[kind] = append(ids[kind], id)
	}
	out := map[string]confluence.Page{}
	for _, kind := range []string{confluence.TypePage, confluence.TypeBlogPost} {
		if len(ids[kind]) == 0 {
			continue
		}
		pages, err := k.site.PagesByID(ctx, ids[kind], kind)
		if err != nil {
			k.catalog.cfg.Logger.DebugContext(ctx, "pages not read", "tool", k.tool.Name, "err", err)
		}
		maps.Copy(out, pages)
	}
	return out
}

// mayRead judges one page of a listing by itself. The error says that it can't
// be written down that it was looked at, so nothing may be shown.
func (k *call) mayRead(ctx context.Context, id string) (bool, error) {
	one := *k
	one.on, one.request.Resource = subject{}, policy.Resource{Type: onPage, ID: id}
	if err := one.load(ctx, target{kind: onPage, id: id}, true); err != nil {
		if errors.Is(err, errUnmarked) {
			return false, err
		}
		return false, nil
	}
	return k.catalog.cfg.Policy.Decide(one.request).Effect == policy.Allow, nil
}

// maySee judges a space of a listing; a listing has all that rules look at.
func (k *call) maySee(s confluence.Space) bool {
	if !k.reaches(s.Key) || !k.needsResource() {
		return k.reaches(s.Key)
	}
	req := k.request
	req.Resource = policy.Resource{Known: true, Type: onSpace, ID: s.ID, SpaceKey: s.Key, SpaceType: s.Type, Title: s.Name, Status: s.Status, UpdatedAt: epoch()}
	return k.catalog.cfg.Policy.Decide(req).Effect == policy.Allow
}

// mayMeet judges a person of a listing: of people rules see that they are some,
// and which account it is, as where one is read alone.
func (k *call) mayMeet(u confluence.User) bool {
	if !k.needsResource() {
		return true
	}
	req := k.request
	req.Resource = policy.Resource{Known: true, Type: onUser, ID: u.ID, UpdatedAt: epoch()}
	return k.catalog.cfg.Policy.Decide(req).Effect == policy.Allow
}
