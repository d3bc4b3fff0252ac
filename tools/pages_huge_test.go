package tools_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
	"confluence-mcp/tools"
)

// inParts is a site that gives of a large body the part that is asked for, as
// the client of Confluence does; the fake alone gives every body whole.
type inParts struct{ *fake }

func (s inParts) Page(ctx context.Context, id string, opt confluence.PageOptions) (confluence.Page, error) {
	p, err := s.fake.Page(ctx, id, opt)
	if err != nil || opt.Part.Size == 0 || len(p.Body) <= opt.Part.Whole {
		return p, err
	}
	p.BodySize = len(p.Body)
	from, to := min(opt.Part.From, len(p.Body)), min(opt.Part.From+opt.Part.Size, len(p.Body))
	for to < len(p.Body) && !utf8.RuneStart(p.Body[to]) {
		to--
	}
	p.Body = p.Body[from:to]
	return p, nil
}

// hugeBody is more than 1.5 MiB of numbered words in paragraphs, headings and one
// large table, in scripts of several bytes a character.
func hugeBody() string {
	var b strings.Builder
	for i := range 9_000 {
		if i%500 == 0 {
			fmt.Fprintf(&b, "<h2>Chapter %d</h2>", i/500)
		}
		fmt.Fprintf(&b, "<p>Absatz p%d über die Pumpe, 配管の点検 <strong>stark%d</strong> &amp; mehr.</p>", i, i)
	}
	b.WriteString("<table><tbody>")
	for i := range 25_000 {
		fmt.Fprintf(&b, "<tr><td>zeile%d</td><td>値%d</td><td>c%d</td></tr>", i, i, i)
	}
	b.WriteString("</tbody></table><p>the very end</p>")
	return b.String()
}

var (
	fenced   = regexp.MustCompile(`(?s)^<<<confluence-content \w+ [^\n]*\n(?:<<<confluence-cut [^\n]*\n)?(.*?)(?:\n<<<confluence-cut [^\n]*)?\n>>>confluence-content \w+$`)
	notWords = regexp.MustCompile(`[|\s]+|-{3,}`)
)

// wordsOf leaves out how tables are drawn: one that is cut begins anew.
func wordsOf(markdown string) []string {
	return strings.Fields(notWords.ReplaceAllString(markdown, " "))
}

// readOn reads a page to its end with cursors and gives the contents in order.
func readOn(t *testing.T, d *desk, a args) []string {
	t.Helper()
	var parts []string
	for {
		shown, out := d.ok("get_page", a)
		content := out["content"].(string)
		if a["mode"] != "storage" {
			inside := fenced.FindStringSubmatch(content)
			require.NotNil(t, inside, "%.200s", content)
			content = inside[1]
		}
		parts = append(parts, content)
		next, more := out["next_cursor"].(string)
		require.Equal(t, more, out["truncated"])
		if !more {
			return parts
		}
		assert.Contains(t, shown.Text, next)
		a["cursor"] = next
		require.Less(t, len(parts), 1_000, "it comes to an end")
	}
}

// TestHugePagesAreTheirParts: a page beyond 1.5 MiB is never held as a tree, and
// yet its parts, joined, are all of it: byte for byte in mode storage, word for
// word of the whole rendering in mode markdown; from a site that gives parts
// and from one that gives bodies whole.
func TestHugePagesAreTheirParts(t *testing.T) {
	body := hugeBody()
	require.Greater(t, len(body), 3<<19)
	d, err := markup.Parse(body)
	require.NoError(t, err)
	whole := wordsOf(d.Markdown(markup.View{}).Text)
	for name, site := range map[string]func(*fake) tools.Site{
		"parts": func(f *fake) tools.Site { return inParts{f} },
		"whole": func(f *fake) tools.Site { return f },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			p := f.pages["11"]
			p.Body = body
			f.put(p)
			d := newDesk(t, site(f), func(c *tools.Config) { c.Limits = tools.Limits{CallsPerMinute: 1e6} })

			stored := readOn(t, d, args{"page_id": "11", "mode": "storage", "max_chars": 100_000})
			assert.True(t, strings.Join(stored, "") == body, "byte for byte") // a diff of megabytes says nothing

			shown := wordsOf(strings.Join(readOn(t, d, args{"page_id": "11", "max_chars": 50_000}), "\n"))
			require.Equal(t, len(whole), len(shown))
			for i := range whole {
				require.Equal(t, whole[i], shown[i], "word %d", i)
			}
			for _, mode := range []string{"outline", "blocks"} {
				e := d.fails("limit.too_large", "get_page", args{"page_id": "11", "mode": mode})
				assert.Contains(t, e.Message, fmt.Sprint(len(body)))
			}
		})
	}
}

// TestHugePagesAreOfOneVersion: a page that is changed, or that is no longer
// huge, is not joined from two versions.
func TestHugePagesAreOfOneVersion(t *testing.T) {
	f := newFake()
	p := f.pages["11"]
	p.Body = hugeBody()
	f.put(p)
	d := newDesk(t, inParts{f})
	_, out := d.ok("get_page", args{"page_id": "11", "mode": "storage", "max_chars": 100_000})
	p.Body, p.Version.Number = "<p>short</p>", p.Version.Number+1
	f.put(p)
	e := d.fails("conflict", "get_page", args{"page_id": "11", "mode": "storage", "cursor": out["next_cursor"]})
	assert.Contains(t, e.Next, "without cursor")
}
