package retrieve

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
	"confluence-mcp/store/mirror"
)

const (
	passageChars = 600
	maxParsed    = 4 << 20 // bytes of storage that are split into sections
)

// show makes the result of a page.
func (a *asking) show(p mirror.Page) Result {
	r := Result{Integration: p.Integration, PageID: p.ID, Type: p.Type, Title: p.Title, SpaceKey: p.SpaceKey, URL: p.WebURL, Anchor: p.WebURL,
		HeadingPath: []string{}, Version: p.Version.Number, Updated: p.Version.CreatedAt, ReadAt: p.ReadAt}
	if strings.TrimSpace(a.q.Text) == everything {
		return r
	}
	best, others := choose(sections(p), a.words)
	r.Text, r.More = around(best.body(), a.words), others
	r.HeadingPath = append(r.HeadingPath, best.Path...)
	if n := len(best.Path); n > 0 && p.WebURL != "" {
		r.Anchor = p.WebURL + "#" + a.e.fragment(p, best.Path[n-1])
	}
	return r
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
func sections(p mirror.Page) []section {
	if len(p.Body) > maxParsed {
		return []section{{Text: p.Text}}
	}
	doc, err := markup.Parse(p.Body)
	if err != nil && doc == nil {
		return []section{{Text: p.Text}}
	}
	var out []section
	for _, one := range doc.Passages(markup.View{}) {
		out = append(out, section(one))
	}
	if len(out) == 0 {
		return []section{{Text: p.Text}}
	}
	return out
}

// choose gives the section that speaks most of the words, rare ones first, and
// how many others have any. Where none has, because only the title does, it is
// the beginning of the page.
func choose(all []section, words []word) (best section, others int) {
	has := make([][]float64, len(all)) // by section and word
	among := make([]float64, len(words))
	for i, s := range all {
		has[i] = weights(s, words)
		for n, w := range has[i] {
			if w > 0 {
				among[n]++
			}
		}
	}
	top, at, speaking := 0.0, 0, 0
	for i := range all {
		score := 0.0
		for n, w := range has[i] {
			score += w * math.Log(1+float64(len(all))/max(1, among[n]))
		}
		if score > 0 {
			speaking++
		}
		if score > top {
			top, at = score, i
		}
	}
	return all[at], max(0, speaking-1)
}

// weights says for each word how well a section speaks it.
func weights(s section, words []word) []float64 {
	const whole, form, inHeading = 1, 0.6, 0.5
	out := make([]float64, len(words))
	for _, m := range matchesIn(s.body(), words) {
		w := form
		if m.whole {
			w = whole
		}
		out[m.word] = max(out[m.word], w)
	}
	for _, m := range matchesIn(s.heading(), words) {
		out[m.word] += inHeading
		if !m.whole {
			out[m.word] -= inHeading / 2
		}
	}
	return out
}

// around cuts a text down to the part with the most different words.
func around(text string, words []word) string {
	if utf8.RuneCountInString(text) <= passageChars {
		return text
	}
	start := startOf(text, matchesIn(text, words))
	cut := []rune(text[start:])
	lead, tail := "", ""
	if start > 0 {
		lead = "…"
	}
	if len(cut) > passageChars {
		cut, tail = cut[:passageChars], "…"
	}
	return lead + strings.TrimSpace(string(cut)) + tail
}

// startOf chooses where a part begins: a little before the first match of those
// that have most different words close behind them, at a line or a word.
func startOf(text string, found []match) int {
	const near, before = passageChars * 2 / 3, passageChars / 4
	most, first := 0, 0
	for i, m := range found {
		if i > 0 && found[i-1].at == m.at {
			continue
		}
		different := map[int]bool{}
		for _, o := range found[i:] {
			if o.at > m.at+near {
				break
			}
			different[o.word] = true
		}
		if len(different) > most {
			most, first = len(different), m.at
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
