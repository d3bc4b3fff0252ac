package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTMLDepth bounds raw HTML in Markdown.
const maxHTMLDepth = 64

// html writes raw HTML of a Markdown text: the elements storage knows, the
// text of all others.
func (w *writer) html(raw string) {
	if strings.Count(raw, "<") > 50_000 {
		w.fail(fail("too_large", "Split the table.", "too much raw HTML in the Markdown"))
		return
	}
	parent := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(raw), parent)
	if err != nil {
		w.fail(fail("invalid", "Write plain Markdown.", "the raw HTML can't be read"))
		return
	}
	var b strings.Builder
	loose := false
	for _, n := range nodes {
		isBlock := n.Type == html.ElementNode && htmlBlocks(n.Data)
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" || n.Type == html.CommentNode {
			continue
		}
		if isBlock == loose {
			if loose = !isBlock; loose {
				b.WriteString("<p>")
			} else {
				b.WriteString("</p>")
			}
		}
		w.htmlNode(&b, n, 0)
	}
	if loose {
		b.WriteString("</p>")
	}
	w.out.WriteString(b.String())
}

func htmlBlocks(name string) bool {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "hr", "pre", "dl", "div", "details", "center", "section", "figure":
		return true
	}
	return false
}

func attrOf(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func (w *writer) htmlKids(b *strings.Builder, n *html.Node, depth int) {
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		w.htmlNode(b, k, depth+1)
	}
}

func (w *writer) htmlNode(b *strings.Builder, n *html.Node, depth int) {
	if depth > maxHTMLDepth {
		w.fail(fail("too_large", "Nest less.", "raw HTML is nested too deep"))
		return
	}
	if n.Type == html.TextNode {
		w.token(b, token{kind: tWord, text: n.Data})
		return
	}
	if n.Type != html.ElementNode {
		return
	}
	switch n.Data {
	case "br", "hr", "col":
		b.WriteString("<" + n.Data + " />")
	case "a":
		w.htmlLink(b, n, depth)
	case "img":
		w.image(b, token{kind: tImage, text: attrOf(n, "alt"), link: attrOf(n, "src")})
	case "pre":
		w.htmlCode(b, n)
	case "details":
		w.htmlDetails(b, n, depth)
	case "script", "style", "iframe", "object", "embed", "form", "svg", "math", "textarea", "noembed", "noframes", "plaintext", "xmp":
		w.htmlAsText(b, n)
	case "summary", "title":
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "tbody", "thead", "tfoot", "tr", "td", "th", "blockquote",
		"strong", "b", "em", "i", "u", "s", "del", "code", "sub", "sup", "small", "dl", "dt", "dd", "colgroup", "caption":
		b.WriteString("<" + n.Data + htmlSpans(n) + ">")
		w.htmlKids(b, n, depth)
		b.WriteString("</" + n.Data + ">")
	default:
		w.htmlKids(b, n, depth)
	}
}

// htmlAsText shows active elements as the text they are, as GFM does: nothing
// of them may reach a reader's browser as markup.
func (w *writer) htmlAsText(b *strings.Builder, n *html.Node) {
	var text strings.Builder
	if err := html.Render(&text, n); err != nil {
		w.fail(fail("invalid", "Write plain Markdown.", "the raw HTML can't be shown"))
		return
	}
	w.token(b, token{kind: tWord, text: text.String()})
}

func htmlSpans(n *html.Node) string {
	s := ""
	for _, a := range []string{"colspan", "rowspan", "start"} {
		if v, err := strconv.Atoi(attrOf(n, a)); err == nil && v >= 0 && v < 1000 {
			s += " " + a + `="` + strconv.Itoa(v) + `"`
		}
	}
	return s
}

func (w *writer) htmlLink(b *strings.Builder, n *html.Node, depth int) {
	dest := attrOf(n, "href")
	if dest == "" {
		w.htmlKids(b, n, depth)
		return
	}
	w.link(b, []token{{kind: tWord, text: htmlString(n), look: look{link: dest}}}, look{})
}

func htmlString(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		b.WriteString(htmlString(k))
	}
	return b.String()
}

func (w *writer) htmlCode(b *strings.Builder, n *html.Node) {
	inner := newWriter(w.opt, nil)
	inner.code(&mnode{kind: kCode, raw: htmlString(n)}, "")
	b.WriteString(inner.out.String())
}

func (w *writer) htmlDetails(b *strings.Builder, n *html.Node, depth int) {
	title := ""
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		if k.Data == "summary" {
			title = strings.TrimSpace(htmlString(k))
		}
	}
	inner := newWriter(w.opt, nil)
	inner.open("expand")
	inner.param("title", title)
	b.WriteString(inner.out.String() + "<ac:rich-text-body>")
	w.htmlKids(b, n, depth)
	b.WriteString("</ac:rich-text-body></ac:structured-macro>")
}
