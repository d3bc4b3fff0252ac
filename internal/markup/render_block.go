package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// isBlock tells whether a node ends the line of text it stands in.
func (r *renderer) isBlock(n *storage.Node) bool {
	if n.Kind != storage.Element {
		return false
	}
	switch n.Name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "thead", "tbody", "tfoot", "tr", "td", "th",
		"blockquote", "hr", "pre", "div", "center", "dl", "dt", "dd", "section", "article", "header", "footer", "main", "figure", "figcaption", "caption",
		"ac:layout", "ac:layout-section", "ac:layout-cell", "ac:task-list", "ac:task", "ac:task-body", "ac:rich-text-body", "ac:caption", "details", "summary",
		"ac:adf-extension", "ac:adf-node", "ac:adf-content", "ac:adf-leaf":
		return true
	case "ac:image":
		return n.Child("ac:caption") != nil
	case "ac:structured-macro", "ac:macro":
		return r.isBlockMacro(n)
	}
	return false
}

// isBlockMacro: a body makes a block, and so does standing alone between blocks.
func (r *renderer) isBlockMacro(n *storage.Node) bool {
	name := r.tree.Attr(n, "ac:name")
	switch {
	case n.Child("ac:rich-text-body") != nil:
		return true
	case n.Child("ac:plain-text-body") != nil:
		return !inlineBody(name)
	case inlineMacro(name) || r.mode == escHTML || r.mode == escCell:
		return false
	}
	return flowParent(n.Parent) && !r.inlineText(n.Prev) && !r.inlineText(n.Next) || n.Parent.Name == "p" && r.onlyMacros(n.Parent)
}

// onlyMacros tells whether a paragraph holds nothing but macros without body.
func (r *renderer) onlyMacros(p *storage.Node) bool {
	for k := p.First; k != nil; k = k.Next {
		switch {
		case k.Kind == storage.Element && k.Name == "ac:structured-macro":
			if inlineMacro(r.tree.Attr(k, "ac:name")) || k.Child("ac:plain-text-body") != nil || k.Child("ac:rich-text-body") != nil {
				return false
			}
		case k.Name != "br" && (k.Kind == storage.Element || strings.TrimSpace(r.tree.Text(k)) != ""):
			return false
		}
	}
	return true
}

func inlineBody(name string) bool {
	switch name {
	case "mathinline", "unmigrated-inline-wiki-markup", "eazy-math-inline", "easy-math-inline", "latex-inline":
		return true
	}
	return false
}

func inlineMacro(name string) bool {
	switch name {
	case "status", "anchor", "jira", "jiraissues", "profile-picture", "mention", "emoji":
		return true
	}
	return false
}

func flowParent(n *storage.Node) bool {
	switch n.Name {
	case "", "li", "div", "td", "th", "blockquote", "center", "dd", "section", "ac:layout-cell", "ac:rich-text-body", "ac:task-body", "ac:adf-content", "ac:layout-section", "ac:layout":
		return true
	}
	return false
}

// inlineText tells whether a node is text that a macro beside it shares a line with.
func (r *renderer) inlineText(n *storage.Node) bool {
	if n == nil {
		return false
	}
	if n.Kind == storage.Element {
		_, isMark := markOf(n.Name)
		return (isMark || n.Name == "a" || n.Name == "span" || n.Name == "ac:link") && !r.hasBlock(n)
	}
	return visibleText(r.tree, n)
}

// hasBlock tells whether a block stands somewhere inside a paragraph.
func (r *renderer) hasBlock(n *storage.Node) bool {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == storage.Element && (r.isBlock(k) || k.Name != "ac:link" && k.First != nil && r.hasBlock(k)) {
			return true
		}
	}
	return false
}

// code writes a fence. body is the element whose text is the code.
func (r *renderer) code(n, body *storage.Node, language, tag string) {
	text := r.tree.Text(body)
	if strings.TrimSpace(text) == "" && tag == "" {
		r.placeholder(n, "code")
		return
	}
	b := r.open(kCode, n)
	b.inner, b.tag = body, language
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	r.out = append(r.out, fence...)
	r.out = append(r.out, language...)
	b.pieces = int32(len(r.pieces))
	r.newline()
	r.codeBody(body, true)
	b.piecesEnd = int32(len(r.pieces))
	if n := len(r.pieces); n > int(b.pieces) && r.pieces[n-1].kind == pBreak && int(r.pieces[n-1].mdEnd) == len(r.out) {
		r.pieces[n-1].mdEnd = int32(len(r.out)) // the line feed before the closing fence
	} else {
		r.newline()
	}
	r.out = append(r.out, fence...)
	b.mdEnd = int32(len(r.out))
}

// codeBody writes verbatim text line by line.
func (r *renderer) codeBody(n *storage.Node, first bool) {
	for k := n.First; k != nil; k = k.Next {
		switch k.Kind {
		case storage.Text, storage.CDATA:
			r.codeText(k)
		case storage.Element:
			if k.Name == "br" {
				from := int32(len(r.out))
				r.newline()
				r.pieces = append(r.pieces, piece{from, int32(len(r.out)), k.Start, k.End, pBreak})
				continue
			}
			r.codeBody(k, first)
		}
	}
}

func (r *renderer) codeText(k *storage.Node) {
	s, base := r.src[k.OpenEnd:k.CloseStart], k.OpenEnd
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\n':
			from := int32(len(r.out))
			r.newline()
			r.pieces = append(r.pieces, piece{from, int32(len(r.out)), base + int32(i), base + int32(i) + 1, pBreak})
			i++
		case c == '\r' || c < 0x20 && c != '\t':
			i++
		case c == '&' && k.Kind == storage.Text:
			text, n := storage.Reference(s[i:])
			if n == 0 {
				text, n = "&", 1
			}
			r.put(pChar, strings.Trim(text, "\r\n"), base+int32(i), base+int32(i+n))
			i += n
		default:
			i = r.codeRun(s, i, base, k.Kind == storage.Text)
		}
	}
}

func (r *renderer) codeRun(s string, i int, base int32, references bool) int {
	j := i + 1
	for j < len(s) && s[j] >= 0x20 && (s[j] != '&' || !references) {
		j++
	}
	run := strings.ToValidUTF8(s[i:j], "\uFFFD")
	if len(run) != j-i || strings.ContainsFunc(run, hiddenRune) {
		r.codeHidden(s[i:j], base+int32(i))
		return j
	}
	at := int32(len(r.out))
	r.out = append(r.out, run...)
	r.pieces = append(r.pieces, piece{at, at + int32(len(run)), base + int32(i), base + int32(j), pSame})
	return j
}

// codeHidden writes a run of code without the characters nobody can see.
func (r *renderer) codeHidden(s string, base int32) {
	for i, c := range s {
		n := len(string(c))
		if c == 0xFFFD {
			n = 1
		}
		if hiddenRune(c) {
			r.in.hidden++
			continue
		}
		r.put(pChar, string(c), base+int32(i), base+int32(i+n))
	}
}

// image renders <ac:image> in a line.
func (r *renderer) image(n *storage.Node) {
	file, dest := "", ""
	if a := n.Child("ri:attachment"); a != nil {
		file = r.tree.Attr(a, "ri:filename")
		dest = r.attachmentDest(a, "attachment")
	} else if u := n.Child("ri:url"); u != nil {
		file = r.tree.Attr(u, "ri:value")
		dest = externalImage(file)
	} else {
		return
	}
	alt := r.tree.Attr(n, "ac:alt")
	if alt == "" {
		alt = file
		if i := strings.LastIndexByte(alt, '/'); i >= 0 {
			alt = alt[i+1:]
		}
	}
	r.putImage(n, alt, dest)
}

// externalImage hides the address of a picture on another host behind the
// private scheme: a client that loads pictures would tell that host who reads.
func externalImage(address string) string { return scheme + "image/" + address }

func (r *renderer) htmlImage(n *storage.Node) {
	if src := r.tree.Attr(n, "src"); src != "" {
		r.putImage(n, r.tree.Attr(n, "alt"), externalImage(src))
	}
}

func (r *renderer) putImage(n *storage.Node, alt, dest string) {
	r.atom(n, "!"+linkText(alt, dest), `<img src="`+htmlText(dest)+`" alt="`+htmlText(alt)+`">`)
}

// blockImage renders a picture with a caption: the picture, then the caption.
func (r *renderer) blockImage(n *storage.Node) {
	r.in.pending = &pendingText{at: n}
	r.in.dirty = true
	r.image(n)
	if r.text != nil {
		r.text.broken = true
	}
	r.endText()
	if c := n.Child("ac:caption"); c != nil {
		r.paragraph(c, 0)
	}
}

func (r *renderer) emoticon(n *storage.Node) {
	text := r.tree.Attr(n, "ac:emoji-fallback")
	if text == "" {
		text = r.tree.Attr(n, "ac:emoji-shortname")
	}
	if text == "" && r.tree.Attr(n, "ac:name") != "" {
		text = ":" + r.tree.Attr(n, "ac:name") + ":"
	}
	plain := strings.Map(func(c rune) rune {
		if strings.ContainsRune("\\`*[]<>&|~", c) || c < 0x20 {
			return -1
		}
		return c
	}, text)
	r.atom(n, plain, plain)
}
