package wiki

import (
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Positions at which macros are seasoned in: every n-th page, or task list.
const (
	everyInfo     = 7
	everyChildren = 11
	everyTasks    = 5
	everyDetails  = 13
	everyExpand   = 17
	everyLayout   = 19
)

func newParser() parser.Parser { return goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser() }

// storage is the body of a page in storage format.
func (c *converter) storage(p place, h uint64) string {
	source := []byte(c.markdown(p))
	root := c.parser.Parse(text.NewReader(source))
	w := &writer{source: source, link: func(id, anchor string) (string, bool) { return c.pageLink(p, id, anchor) },
		expandCode: nth(p.k, everyExpand), tasks: &c.taskLists}
	var blocks []string
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		w.b.Reset()
		w.block(n)
		if w.b.Len() > 0 {
			blocks = append(blocks, w.b.String())
		}
	}
	return season(p.k, h, blocks)
}

func nth(k, every int) bool { return (k+1)%every == 0 }

// season adds what a Markdown page does not have.
func season(k int, h uint64, blocks []string) string {
	if nth(k, everyDetails) {
		blocks = append([]string{details(h)}, blocks...)
	}
	if nth(k, everyInfo) {
		blocks = append([]string{
			`<ac:structured-macro ac:name="info" ac:schema-version="1"><ac:rich-text-body><p>This page is part of the wiki.</p></ac:rich-text-body></ac:structured-macro>`,
			`<ac:structured-macro ac:name="toc" ac:schema-version="1"><ac:parameter ac:name="maxLevel">3</ac:parameter></ac:structured-macro>`,
		}, blocks...)
	}
	if nth(k, everyChildren) {
		blocks = append(blocks, `<ac:structured-macro ac:name="children" ac:schema-version="2" />`)
	}
	if !nth(k, everyLayout) || len(blocks) < 2 {
		return strings.Join(blocks, "")
	}
	half := len(blocks) / 2
	return `<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell>` + strings.Join(blocks[:half], "") +
		`</ac:layout-cell><ac:layout-cell>` + strings.Join(blocks[half:], "") + `</ac:layout-cell></ac:layout-section></ac:layout>`
}

// details is a page-properties table with a status, a date and a mention.
func details(h uint64) string {
	states := [...]struct{ title, colour string }{{"DRAFT", "Grey"}, {"IN REVIEW", "Yellow"}, {"APPROVED", "Green"}, {"OUTDATED", "Red"}}
	state := states[h%4]
	row := func(name, value string) string {
		return "<tr><th><p>" + name + "</p></th><td><p>" + value + "</p></td></tr>"
	}
	return `<ac:structured-macro ac:name="details" ac:schema-version="1"><ac:rich-text-body><table><tbody>` +
		row("Status", `<ac:structured-macro ac:name="status" ac:schema-version="1"><ac:parameter ac:name="colour">`+state.colour+
			`</ac:parameter><ac:parameter ac:name="title">`+state.title+`</ac:parameter></ac:structured-macro>`) +
		row("Due", fmt.Sprintf(`<time datetime="2026-%02d-%02d" />`, 1+h/4%12, 1+h/48%28)) +
		row("Owner", `<ac:link><ri:user ri:account-id="`+userID(h)+`" /></ac:link>`) +
		`</tbody></table></ac:rich-text-body></ac:structured-macro>`
}

// pageLink opens a link to the page that the corpus calls id, in the same
// replica when that has it; false when there is no such page.
func (c *converter) pageLink(from place, id, anchor string) (string, bool) {
	b, ok := c.corpus.byID[id]
	if !ok {
		return "", false
	}
	to := c.corpus.at(from.r, b)
	if to.k >= c.growth.Pages {
		to = c.corpus.at(0, b)
	}
	attr := ""
	if anchor != "" {
		attr = ` ac:anchor="` + html.EscapeString(anchor) + `"`
	}
	return `<ac:link` + attr + `><ri:page ri:space-key="` + html.EscapeString(c.corpus.spaceKey(to)) +
		`" ri:content-title="` + html.EscapeString(c.corpus.title(to)) + `" />`, true
}

// writer turns the Markdown tree into storage.
type writer struct {
	b          strings.Builder
	source     []byte
	link       func(id, anchor string) (string, bool)
	expandCode bool // around the first code block
	tasks      *int
}

func (w *writer) put(s string) { w.b.WriteString(s) }

func (w *writer) wrap(open string, n ast.Node, shut string) {
	w.put(open)
	w.blocks(n)
	w.put(shut)
}

func (w *writer) blocks(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.block(c)
	}
}
