package markup

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"confluence-mcp/internal/markup/storage"
)

// FromHTML turns what Confluence renders of a page (its export view) into
// storage format for reading: boxes, tasks, statuses, expands and code become
// the macros they were rendered from, everything else keeps its text, tables,
// lists and links. It takes any text; what runs or styles is left out. The
// result is never written back.
func FromHTML(rendered string) string {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(rendered), body)
	if err != nil { // nested deeper than the parser goes
		return storage.EscapeText(rendered)
	}
	var w exported
	for _, n := range nodes {
		w.node(n, 0)
	}
	return w.out.String()
}

// maxExported bounds how deep elements are followed; text below is joined.
const maxExported = 200

type exported struct{ out strings.Builder }

func (w *exported) node(n *html.Node, depth int) {
	switch {
	case n.Type == html.TextNode:
		w.out.WriteString(storage.EscapeText(n.Data))
	case n.Type != html.ElementNode || skipped(n):
	case depth > maxExported:
		w.out.WriteString(storage.EscapeText(textOf(n)))
	case w.box(n, depth) || w.small(n):
	default:
		w.plain(n, depth)
	}
}

func (w *exported) kids(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c, depth+1)
	}
}

// skipped tells what shows nothing: code, styles, and the icons beside boxes.
func skipped(n *html.Node) bool {
	if slices.Contains([]string{"script", "style", "template", "iframe", "object", "embed", "noscript", "head", "svg", "math", "form", "input", "button"}, n.Data) {
		return true
	}
	return hasClass(n, "aui-icon") || hasClass(n, "expand-control-icon") || n.Data == "img" && hasClass(n, "icon")
}

// box writes what was rendered from a macro with a body, or tells that n was not.
func (w *exported) box(n *html.Node, depth int) bool {
	switch {
	case hasClass(n, "confluence-information-macro"):
		w.rich(boxKind(n), find(n, "title"), find(n, "confluence-information-macro-body"), depth)
	case hasClass(n, "expand-container"):
		w.rich("expand", find(n, "expand-control-text"), find(n, "expand-content"), depth)
	case n.Data == "pre" && attrOf(n, "data-syntaxhighlighter-params") != "":
		w.code(n)
	case hasClass(n, "code") && hasClass(n, "panel"), hasClass(n, "preformatted"):
		w.kids(n, depth) // the frame around pre
	case hasClass(n, "panel") && find(n, "panelContent") != nil:
		w.rich("panel", find(n, "panelHeader"), find(n, "panelContent"), depth)
	case hasClass(n, "inline-task-list"):
		w.tasks(n, depth)
	default:
		return false
	}
	return true
}

func boxKind(n *html.Node) string {
	for _, kind := range []string{"tip", "note", "warning"} {
		if hasClass(n, "confluence-information-macro-"+kind) {
			return kind
		}
	}
	return "info"
}

func (w *exported) rich(name string, title, body *html.Node, depth int) {
	w.out.WriteString(`<ac:structured-macro ac:name="` + name + `">`)
	if title != nil {
		if text := strings.TrimSpace(textOf(title)); text != "" {
			w.out.WriteString(`<ac:parameter ac:name="title">` + storage.EscapeText(text) + "</ac:parameter>")
		}
	}
	w.out.WriteString("<ac:rich-text-body>")
	if body != nil {
		w.kids(body, depth)
	}
	w.out.WriteString("</ac:rich-text-body></ac:structured-macro>")
}

func (w *exported) code(n *html.Node) {
	w.out.WriteString(`<ac:structured-macro ac:name="code">`)
	for part := range strings.SplitSeq(attrOf(n, "data-syntaxhighlighter-params"), ";") {
		if name, value, _ := strings.Cut(part, ":"); strings.TrimSpace(name) == "brush" {
			w.out.WriteString(`<ac:parameter ac:name="language">` + storage.EscapeText(strings.TrimSpace(value)) + "</ac:parameter>")
		}
	}
	w.out.WriteString("<ac:plain-text-body><![CDATA[" + storage.EscapeCDATA(textOf(n)) + "]]></ac:plain-text-body></ac:structured-macro>")
}

func (w *exported) tasks(n *html.Node, depth int) {
	w.out.WriteString("<ac:task-list>")
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Data != "li" {
			continue
		}
		status := "incomplete"
		if hasClass(c, "checked") {
			status = "complete"
		}
		w.out.WriteString("<ac:task><ac:task-status>" + status + "</ac:task-status><ac:task-body>")
		w.kids(c, depth)
		w.out.WriteString("</ac:task-body></ac:task>")
	}
	w.out.WriteString("</ac:task-list>")
}

// small writes what was rendered from a macro inside a line, or a picture.
func (w *exported) small(n *html.Node) bool {
	switch {
	case hasClass(n, "status-macro"):
		w.out.WriteString(`<ac:structured-macro ac:name="status"><ac:parameter ac:name="title">` + storage.EscapeText(strings.TrimSpace(textOf(n))) +
			`</ac:parameter><ac:parameter ac:name="colour">` + colourOf(n) + "</ac:parameter></ac:structured-macro>")
	case n.Data == "img" && attrOf(n, "data-linked-resource-default-alias") != "":
		w.out.WriteString(`<ac:image><ri:attachment ri:filename="` + storage.EscapeAttr(attrOf(n, "data-linked-resource-default-alias")) + `" /></ac:image>`)
	case n.Data == "img":
		w.out.WriteString(storage.EscapeText(attrOf(n, "alt")))
	default:
		return false
	}
	return true
}

func colourOf(n *html.Node) string {
	for class, colour := range map[string]string{"aui-lozenge-success": "Green", "aui-lozenge-error": "Red", "aui-lozenge-current": "Yellow", "aui-lozenge-moved": "Yellow",
		"aui-lozenge-complete": "Blue", "aui-lozenge-progress": "Blue", "aui-lozenge-new": "Purple"} {
		if hasClass(n, class) {
			return colour
		}
	}
	return "Grey"
}

// plain writes an element that storage has too, without what only styles it.
func (w *exported) plain(n *html.Node, depth int) {
	name := n.Data
	switch name {
	case "br", "hr":
		w.out.WriteString("<" + name + " />")
		return
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "tbody", "thead", "tr", "td", "th", "blockquote", "pre", "div", "dl", "dt", "dd",
		"strong", "b", "em", "i", "u", "s", "del", "sub", "sup", "code", "a":
	default:
		w.kids(n, depth)
		return
	}
	w.out.WriteString("<" + name)
	for _, a := range []string{"href", "colspan", "rowspan", "start"} {
		if v := attrOf(n, a); v != "" && (a != "href" || name == "a" && !forbiddenAddress(v)) && (a == "href" || isCount(v)) {
			w.out.WriteString(" " + a + `="` + storage.EscapeAttr(v) + `"`)
		}
	}
	w.out.WriteByte('>')
	w.kids(n, depth)
	w.out.WriteString("</" + name + ">")
}

func isCount(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n <= 1000
}

func hasClass(n *html.Node, class string) bool {
	return slices.Contains(strings.Fields(attrOf(n, "class")), class)
}

// find is the first element of a class inside n.
func find(n *html.Node, class string) *html.Node {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && hasClass(c, class) {
			return c
		}
	}
	return nil
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(c.Data)
		case c.Data == "br":
			b.WriteByte('\n')
		}
	}
	return b.String()
}
