package markup

import (
	"strconv"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// tableHTML renders a table GFM can't express: merged cells, or cells with
// lists, code or panels. The block holds no blank line, which would end it.
func (r *renderer) tableHTML(n *storage.Node, rows []*storage.Node) {
	b := r.open(kHTML, n)
	b.pieces = int32(len(r.pieces))
	outer := r.mode
	r.mode = escHTML
	r.out = append(r.out, "<table>"...)
	r.newline()
	r.captionHTML(n)
	for _, row := range rows {
		r.out = append(r.out, "<tr>"...)
		for _, c := range cellsOf(row) {
			r.out = append(r.out, "<"+c.Name...)
			for _, a := range []string{"colspan", "rowspan"} {
				if v, err := strconv.Atoi(r.tree.Attr(c, a)); err == nil && v > 1 && v < 1000 {
					r.out = append(r.out, " "+a+`="`+strconv.Itoa(v)+`"`...)
				}
			}
			r.out = append(r.out, '>')
			r.flowHTML(b, c)
			r.out = append(r.out, "</"+c.Name+">"...)
		}
		r.out = append(r.out, "</tr>"...)
		r.newline()
	}
	r.out = append(r.out, "</table>"...)
	r.mode = outer
	b.piecesEnd, b.mdEnd = int32(len(r.pieces)), int32(len(r.out))
}

func (r *renderer) captionHTML(n *storage.Node) {
	if c := n.Child("caption"); c != nil {
		r.out = append(r.out, "<caption>"...)
		r.flowHTML(r.cur.kids[len(r.cur.kids)-1], c)
		r.out = append(r.out, "</caption>"...)
		r.newline()
	}
}

// flowHTML renders the content of a cell or of an element inside it.
func (r *renderer) flowHTML(b *block, n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if r.isBlock(k) {
			r.endLine()
			r.blockHTML(b, k)
			continue
		}
		r.text = b
		r.inline(k)
	}
	r.endLine()
}

// endLine ends a run of text inside the HTML block, which goes on.
func (r *renderer) endLine() {
	r.in.space, r.in.breaks = false, r.in.breaks[:0]
	r.closeMarks(0, ' ')
	r.in.dirty = true
	r.text = nil
}

func (r *renderer) blockHTML(b *block, k *storage.Node) {
	switch k.Name {
	case "p":
		if lonely(k) {
			r.flowHTML(b, k)
			return
		}
		r.wrapHTML(b, k, "p")
	case "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote":
		r.wrapHTML(b, k, k.Name)
	case "hr":
		r.out = append(r.out, "<hr>"...)
	case "pre":
		r.preHTML(b, k, "")
	case "table":
		r.innerTable(b, k)
	case "ac:task-list":
		r.wrapHTML(b, k, "ul")
	case "ac:task":
		r.taskHTML(b, k)
	case "ac:structured-macro", "ac:macro":
		r.macroHTML(b, k)
	case "ac:image":
		r.text = b
		r.image(k)
		r.endLine()
		r.flowHTML(b, k.Child("ac:caption"))
	case "ac:adf-extension":
		r.adfHTML(b, k)
	default:
		r.flowHTML(b, k)
	}
}

// lonely tells whether an element is all there is beside white space.
func lonely(k *storage.Node) bool {
	return k.Parent.First == k && k.Next == nil
}

func (r *renderer) wrapHTML(b *block, k *storage.Node, tag string) {
	at := len(r.out)
	r.out = append(r.out, "<"+tag+">"...)
	from := len(r.out)
	r.flowHTML(b, k)
	if len(r.out) == from && tag != "li" {
		r.out = r.out[:at]
		return
	}
	r.out = append(r.out, "</"+tag+">"...)
}

func (r *renderer) taskHTML(b *block, k *storage.Node) {
	sign := "☐ "
	if s := k.Child("ac:task-status"); s != nil && strings.TrimSpace(r.tree.Text(s)) == "complete" {
		sign = "☑ "
	}
	r.out = append(r.out, "<li>"+sign...)
	r.flowHTML(b, k)
	r.out = append(r.out, "</li>"...)
}

// preHTML writes code inside a cell. A blank line would end the HTML block, so
// a line feed before another one is spelled as a reference.
func (r *renderer) preHTML(b *block, body *storage.Node, title string) {
	if title != "" {
		r.out = append(r.out, "<strong>"+htmlText(title)+"</strong>"...)
	}
	r.out = append(r.out, "<pre>"...)
	r.preText(body)
	r.out = append(r.out, "</pre>"...)
}

func (r *renderer) preText(n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == storage.Element {
			if k.Name == "br" {
				r.put(pChar, "&#10;", k.Start, k.End)
			}
			r.preText(k)
			continue
		}
		if k.Kind == storage.Text || k.Kind == storage.CDATA {
			r.preRun(k)
		}
	}
}

func (r *renderer) preRun(k *storage.Node) {
	s := r.src[k.OpenEnd:k.CloseStart]
	for i := 0; i < len(s); {
		at := k.OpenEnd + int32(i)
		if s[i] == '&' && k.Kind == storage.Text {
			if text, n := storage.Reference(s[i:]); n > 0 {
				r.put(pChar, htmlText(text), at, at+int32(n))
				i += n
				continue
			}
		}
		switch c := s[i]; {
		case c == '\n':
			r.put(pChar, "&#10;", at, at+1)
		case c == '<' || c == '>' || c == '&':
			r.put(pChar, htmlChar(c), at, at+1)
		case c < 0x20 && c != '\t':
		default:
			j := preEnd(s, i+1)
			r.put(pSame, s[i:j], at, at+int32(j-i))
			i = j
			continue
		}
		i++
	}
}

// preEnd is where a run ends that needs no other spelling in preformatted HTML.
func preEnd(s string, i int) int {
	for i < len(s) && s[i] >= 0x20 && s[i] != '<' && s[i] != '>' && s[i] != '&' {
		i++
	}
	return i
}

// innerTable shows a table inside a cell as one line a row.
func (r *renderer) innerTable(b *block, k *storage.Node) {
	rows, _ := rowsOf(k)
	if len(rows) == 0 {
		return
	}
	r.out = append(r.out, "<ul>"...)
	for _, row := range rows {
		r.out = append(r.out, "<li>"...)
		for i, c := range cellsOf(row) {
			if i > 0 {
				r.out = append(r.out, " | "...)
			}
			r.flowHTML(b, c)
		}
		r.out = append(r.out, "</li>"...)
	}
	r.out = append(r.out, "</ul>"...)
}

func (r *renderer) macroHTML(b *block, k *storage.Node) {
	name := r.tree.Attr(k, "ac:name")
	title := r.param(k, "title")
	if body := k.Child("ac:rich-text-body"); body != nil {
		r.out = append(r.out, "<blockquote>"...)
		if tag := calloutTag(name); tag != "" {
			r.out = append(r.out, "[!"+tag+"] "...)
		}
		if calloutTag(name) == "" && name != "expand" && name != "ui-expand" {
			title = ""
		}
		if title != "" {
			r.out = append(r.out, "<strong>"+htmlText(title)+"</strong> "...)
		}
		r.flowHTML(b, body)
		r.out = append(r.out, "</blockquote>"...)
		return
	}
	if body := k.Child("ac:plain-text-body"); body != nil && !hiddenBody(name) {
		if name != "code" {
			title = ""
		}
		r.preHTML(b, body, title)
		return
	}
	r.text = b
	r.inlineMacro(k)
	r.endLine()
}

func (r *renderer) adfHTML(b *block, k *storage.Node) {
	content := findFirst(k, "ac:adf-content")
	if content == nil {
		content = k.Child("ac:adf-fallback")
	}
	if content != nil {
		r.flowHTML(b, content)
	}
}
