package tools

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// readAtOnce is how many pages are fetched side by side for passages.
const readAtOnce = 4

// passages turns hits into passages: the section of the page that speaks most
// of the words, with the headings above it. A page that can't be read, and
// everything that is not a page, keeps the excerpt of the search.
func (k *call) passages(ctx context.Context, words string, hits []confluence.Hit) ([]passage, error) {
	out := make([]passage, len(hits))
	if words == "*" { // every page, without a passage
		pages := pagesOf(ctx, k, slices.DeleteFunc(slices.Clone(hits), whole), func(h confluence.Hit) (string, string) { return h.Type, h.ID })
		for i, h := range hits {
			h.Excerpt = ""
			out[i] = k.excerpt(h)
			if p, ok := pages[h.ID]; ok && !out[i].copied {
				out[i].Version, out[i].URL = p.Version.Number, cmp.Or(p.WebURL, h.WebURL)
			}
		}
		return out, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for i, h := range hits {
		out[i] = k.excerpt(h)
		if whole(h) || h.Type != confluence.TypePage && h.Type != confluence.TypeBlogPost {
			continue
		}
		g.Go(func() error {
			p, err := k.site.Page(ctx, h.ID, confluence.PageOptions{Format: confluence.Storage})
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			if err == nil {
				out[i].fromPage(k, p, words)
			}
			return nil
		})
	}
	return out, g.Wait()
}

func (k *call) excerpt(h confluence.Hit) passage {
	p := passage{PageID: h.ID, Type: h.Type, Title: line(h.Title), Space: h.SpaceKey, URL: h.WebURL, HeadingPath: []string{}, Stale: h.Stale}
	p.guarded = guard(h.Excerpt, k.home())
	p.Text = clip(strings.TrimSpace(p.guarded.Text), passageChars)
	p.setUpdated(h.Updated)
	if whole(h) {
		p.Version, p.Anchor, p.AgeSeconds, p.copied, p.more = h.Version, h.Anchor, k.ageOf(h.ReadAt), !h.ReadAt.IsZero(), h.More
		for _, heading := range h.HeadingPath {
			p.HeadingPath = append(p.HeadingPath, line(heading))
		}
	}
	return p
}

// whole reports whether a hit brings its passage along.
func whole(h confluence.Hit) bool { return h.Version > 0 }

func (p *passage) setUpdated(at time.Time) {
	if !at.IsZero() {
		p.Updated, p.changed = at.UTC().Format(time.RFC3339), at
	}
}

// fromPage replaces the excerpt by the best section of the page.
func (p *passage) fromPage(k *call, page confluence.Page, words string) {
	p.Version, p.URL = page.Version.Number, cmp.Or(page.WebURL, p.URL)
	p.setUpdated(page.Version.CreatedAt)
	p.AgeSeconds, p.copied, p.Stale = k.ageOf(page.ReadAt), !page.ReadAt.IsZero(), page.Stale
	best, score := markup.Passage{}, 0
	for _, part := range document(page.Body).Passages(k.view(page.SpaceKey)) {
		if n := matches(strings.Join(part.Path, " ")+" "+part.Text+" "+part.Code, words); n > score {
			best, score = part, n
		}
	}
	if score == 0 {
		return
	}
	p.guarded = guard(around(strings.TrimSpace(best.Text+"\n"+best.Code), words), k.home())
	p.Text = clip(strings.TrimSpace(p.guarded.Text), passageChars)
	for _, h := range best.Path {
		p.HeadingPath = append(p.HeadingPath, line(h))
	}
	if len(best.Path) > 0 && p.URL != "" {
		p.Anchor = p.URL + "#" + k.anchor(page.Title, best.Path[len(best.Path)-1])
	}
}

// anchor is the fragment Confluence gives a heading: its text with hyphens for
// spaces on Cloud; on Data Center title and heading without spaces.
func (k *call) anchor(title, heading string) string {
	if k.info.Kind == confluence.DataCenter {
		return url.PathEscape(strings.Join(strings.Fields(title), "") + "-" + strings.Join(strings.Fields(heading), ""))
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(heading), "-"), "#", "%23")
}

// matches counts how many different words of a query a text has.
func matches(text, words string) int {
	low := strings.ToLower(text)
	n := 0
	for _, w := range wordsOf(words) {
		if strings.Contains(low, w) {
			n++
		}
	}
	return n
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// around cuts a long text down to the neighbourhood of the first match.
func around(text, words string) string {
	if runes(text) <= passageChars {
		return text
	}
	low, first := strings.ToLower(text), len(text)
	for _, w := range wordsOf(words) {
		if i := strings.Index(low, w); i >= 0 && i < first {
			first = i
		}
	}
	if first >= len(text) || first < passageChars/4 {
		return text
	}
	start := first - passageChars/4
	if nl := strings.LastIndexByte(text[:first], '\n'); nl > start {
		start = nl + 1
	}
	return strings.ToValidUTF8("…"+text[start:], "")
}
