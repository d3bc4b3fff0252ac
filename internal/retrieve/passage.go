package retrieve

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/markup"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

const (
	passageChars = 600
	maxParsed    = 4 << 20 // bytes of storage that are split into sections
)

// show makes the result of a page. false: no word of the question stands in it.
func (a *asking) show(ctx context.Context, p mirror.Page, words *index.Terms) (Result, bool) {
	r := Result{Integration: p.Integration, PageID: p.ID, Type: p.Type, Title: p.Title, SpaceKey: p.SpaceKey, URL: p.WebURL, Anchor: p.WebURL,
		HeadingPath: []string{}, Version: p.Version.Number, Updated: p.Version.CreatedAt, ReadAt: readAt(p), Stale: p.Stale}
	if !a.out.Titles && (words == nil || words.Empty()) {
		return r, true
	}
	all := sections(p, a.names(ctx, p.Integration))
	best, others := 0, 0
	if words != nil {
		best, others = choose(all, words)
	}
	if best < 0 {
		if !elsewhere(p, words) {
			return r, false
		}
		best = 0 // only title or labels say it: the beginning of the page
	}
	r.Text, r.More = around(all[best].body(), words), others
	r.HeadingPath = append(r.HeadingPath, all[best].Path...)
	if heading := all[best].heading(); heading != "" && p.WebURL != "" {
		r.Anchor = p.WebURL + "#" + a.e.fragment(p, heading)
	}
	return r, true
}

// elsewhere reports whether a page says a word outside of its sections.
func elsewhere(p mirror.Page, words *index.Terms) bool {
	for _, text := range []string{p.Title, strings.Join(p.Labels, "\n"), p.Text} {
		if len(words.Marks(text)) > 0 {
			return true
		}
	}
	return false
}

// names shows mentioned people by their names, to callers who may read the
// directory: the connecting account, and users who are active and neither guests
// nor apps. Others are shown ids.
func (a *asking) names(ctx context.Context, integration int64) markup.View {
	reads := sync.OnceValue(func() bool { return a.readsDirectory(ctx, integration) })
	return markup.View{UserName: func(id string) string {
		if !reads() {
			return ""
		}
		p, err := a.e.cfg.Mirror.Writer().Person(ctx, integration, id)
		if err != nil || p.ID != id {
			return "" // shown by id
		}
		return p.Name
	}}
}

// readsDirectory reports whether the caller may read the names of an
// integration's people. A user of another one is nobody there.
func (a *asking) readsDirectory(ctx context.Context, integration int64) bool {
	at, found := a.e.Integration(a.who.Integration)
	if !found || at.ID != integration {
		return false
	}
	if a.who.Kind != identity.User {
		return a.who.Kind == identity.Service
	}
	p, err := a.e.cfg.Mirror.Writer().Person(ctx, integration, a.who.AccountID)
	return err == nil && p.ID == a.who.AccountID && p.Active && !p.Guest && !p.App
}

// section is the text under one heading.
type section markup.Passage

func (s section) body() string { return strings.TrimSpace(s.Text + "\n" + s.Code) }

func (s section) heading() string {
	if len(s.Path) == 0 {
		return ""
	}
	return s.Path[len(s.Path)-1]
}

// sections splits a page by its headings; a page too large for that is one.
func sections(p mirror.Page, view markup.View) []section {
	if len(p.Body) > maxParsed {
		return []section{{Text: p.Text}}
	}
	doc, err := markup.Parse(p.Body)
	if err != nil && doc == nil {
		return []section{{Text: p.Text}}
	}
	var out []section
	for _, one := range doc.Passages(view) {
		out = append(out, section(one))
	}
	if len(out) == 0 {
		return []section{{Text: p.Text}}
	}
	return out
}

// choose gives the section that says most of the words, rare ones first, and how
// many others say any; -1 where none does.
func choose(all []section, words *index.Terms) (best, others int) {
	best, others = -1, -1
	top := 0.0
	for i, s := range all {
		if w := weight(s, words); w > 0 {
			others++
			if w > top {
				top, best = w, i
			}
		}
	}
	return best, max(0, others)
}

// weight says how much of a question a section says: each word once, and half as
// much again in its heading.
func weight(s section, words *index.Terms) float64 {
	const inHeading = 0.5
	var out float64
	for _, part := range []struct {
		text  string
		share float64
	}{{s.body(), 1}, {s.heading(), inHeading}} {
		said := map[int]float64{}
		for _, m := range words.Marks(part.text) {
			said[m.Term] = max(said[m.Term], m.Weight)
		}
		for _, w := range said {
			out += part.share * w
		}
	}
	return out
}

// around cuts a text down to the part that says most of the words.
func around(text string, words *index.Terms) string {
	if utf8.RuneCountInString(text) <= passageChars {
		return text
	}
	start := 0
	if words != nil {
		start = startOf(text, words.Marks(text))
	}
	cut := []rune(text[start:])
	lead, tail := "", ""
	if start > 0 {
		lead = "…"
	}
	if most := passageChars - 2; len(cut) > most {
		cut, tail = cut[:most], "…"
	}
	return lead + strings.TrimSpace(string(cut)) + tail
}

// startOf chooses where a part begins: a little before the first mark of those
// that have most behind them, at a line or a word.
func startOf(text string, marks []index.Mark) int {
	const near, before, most = passageChars * 2 / 3, passageChars / 4, 500
	top, first := 0.0, 0
	for i, m := range marks[:min(len(marks), most)] {
		said, sum := map[int]bool{}, 0.0
		for _, o := range marks[i:] {
			if o.Start > m.Start+near {
				break
			}
			if !said[o.Term] {
				said[o.Term] = true
				sum += o.Weight
			}
		}
		if sum > top {
			top, first = sum, m.Start
		}
	}
	if first <= before {
		return 0
	}
	start := first - before
	for !utf8.RuneStart(text[start]) {
		start++
	}
	if nl := strings.LastIndexByte(text[start:first], '\n'); nl >= 0 {
		return start + nl + 1
	}
	if sp := strings.IndexByte(text[start:first], ' '); sp >= 0 {
		return start + sp + 1
	}
	return start
}

// fragment is the address of a heading inside its page: its text with hyphens on
// Cloud; on Data Center title and heading without spaces.
func (e *Engine) fragment(p mirror.Page, heading string) string {
	at := slices.IndexFunc(e.cfg.Integrations(), func(i Integration) bool { return i.ID == p.Integration })
	if at >= 0 && e.cfg.Integrations()[at].Edition == confluence.DataCenter {
		return url.PathEscape(joined(p.Title, "") + "-" + joined(heading, ""))
	}
	return strings.ReplaceAll(joined(heading, "-"), "#", "%23")
}

func joined(s, by string) string { return strings.Join(strings.Fields(s), by) }

// readAt is when a page was last read, or found to be what Confluence has: a
// pass compares everything in a space.
func readAt(p mirror.Page) time.Time {
	if p.RightsAt.After(p.ReadAt) {
		return p.RightsAt
	}
	return p.ReadAt
}
