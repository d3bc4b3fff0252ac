package wiki

import (
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"
)

func (w *writer) inlines(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.inline(c)
	}
}

func (w *writer) inline(n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		w.text(n)
	case *ast.String:
		w.put(escape(string(n.Value)))
	case *ast.CodeSpan:
		w.put("<code>" + escape(plain(n, w.source)) + "</code>")
	case *ast.Emphasis:
		tag := "em"
		if n.Level == 2 {
			tag = "strong"
		}
		w.span(tag, n)
	case *east.Strikethrough:
		w.span("del", n)
	case *ast.Link:
		w.anchor(string(n.Destination), n)
	case *ast.AutoLink:
		url := string(n.URL(w.source))
		if n.AutoLinkType == ast.AutoLinkEmail {
			url = "mailto:" + url
		}
		w.put(`<a href="` + escape(url) + `">` + escape(string(n.Label(w.source))) + `</a>`)
	case *ast.Image:
		w.image(n)
	case *ast.RawHTML:
		w.rawHTML(n)
	case *east.TaskCheckBox:
		if n.IsChecked {
			w.put("[x] ")
		} else {
			w.put("[ ] ")
		}
	default:
		w.inlines(n)
	}
}

func (w *writer) span(tag string, n ast.Node) {
	w.put("<" + tag + ">")
	w.inlines(n)
	w.put("</" + tag + ">")
}

func (w *writer) text(n *ast.Text) {
	value := n.Segment.Value(w.source)
	if !n.IsRaw() {
		value = util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(value)))
	}
	w.put(escape(string(value)))
	switch {
	case n.HardLineBreak():
		w.put("<br />")
	case n.SoftLineBreak():
		w.put("\n")
	}
}

// anchor writes a link; wiki:ID and wiki:ID#anchor name a page of the corpus.
func (w *writer) anchor(url string, n ast.Node) {
	if id, ok := strings.CutPrefix(url, "wiki:"); ok {
		id, anchor, _ := strings.Cut(id, "#")
		if open, known := w.link(id, anchor); known {
			w.put(open + "<ac:link-body>")
			w.inlines(n)
			w.put("</ac:link-body></ac:link>")
			return
		}
	}
	w.put(`<a href="` + escape(url) + `">`)
	w.inlines(n)
	w.put("</a>")
}

func (w *writer) image(n *ast.Image) {
	alt := ""
	if text := plain(n, w.source); text != "" {
		alt = ` ac:alt="` + escape(text) + `"`
	}
	w.put(`<ac:image` + alt + `><ri:url ri:value="` + escape(string(n.Destination)) + `" /></ac:image>`)
}

// rawHTML keeps line breaks; other tags are not storage.
func (w *writer) rawHTML(n *ast.RawHTML) {
	for i := range n.Segments.Len() {
		s := n.Segments.At(i)
		if strings.HasPrefix(strings.ToLower(string(s.Value(w.source))), "<br") {
			w.put("<br />")
		}
	}
}

// plain is the text below a node, without marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		} else {
			b.WriteString(plain(c, source))
		}
	}
	if n.Kind() == ast.KindImage {
		return html.UnescapeString(b.String())
	}
	return b.String()
}
