package markup

import (
	"bytes"

	"confluence-mcp/internal/markup/storage"
)

// maxNesting bounds how deep lists and quotes are indented; deeper ones are
// shown at this depth, so that hostile nesting cannot multiply the text.
const maxNesting = 48

// renderer writes Markdown and the block tree in one pass.
type renderer struct {
	tree    *storage.Tree
	src     string
	view    View
	out     []byte
	pieces  []piece
	prefix  []byte // what every new line begins with
	cur     *block // innermost open container
	text    *block // open text block
	in      inlineState
	handles map[string]int
	anchors []string
	mode    escapeMode
	pool    []block
	class   [256]uint8
}

func render(t *storage.Tree, v View) *page {
	r := &renderer{tree: t, src: t.Source, view: v, handles: map[string]int{}, class: classes()}
	r.out = make([]byte, 0, len(t.Source)/2+64)
	r.pieces = make([]piece, 0, len(t.Source)/64+16)
	root := r.newBlock(kRoot, t.Root)
	r.cur = root
	r.flow(t.Root)
	r.endText()
	root.mdEnd = int32(len(r.out))
	if len(r.out) > 0 {
		r.out = append(r.out, '\n')
	}
	return &page{tree: t, text: string(r.out), root: root, pieces: r.pieces, hidden: r.in.hidden}
}

func (r *renderer) newBlock(k kind, n *storage.Node) *block {
	if len(r.pool) == 0 {
		r.pool = make([]block, 64)
	}
	b := &r.pool[0]
	r.pool = r.pool[1:]
	b.kind, b.node, b.md = k, n, int32(len(r.out))
	if n != nil {
		b.src, b.srcEnd = n.Start, n.End
	}
	return b
}

// open begins a block: it ends the line before and adds the block to the tree.
func (r *renderer) open(k kind, n *storage.Node) *block {
	if len(r.cur.kids) > 0 {
		r.separate(k)
	}
	b := r.newBlock(k, n)
	b.parent = r.cur
	r.cur.kids = append(r.cur.kids, b)
	return b
}

// separate puts a blank line between blocks, except where a list reads better
// and means the same without one.
func (r *renderer) separate(k kind) {
	last := r.cur.kids[len(r.cur.kids)-1]
	tight := k == kItem || k == kRow || k == kList && r.cur.kind == kItem && last.kind == kText && last.level == 0
	if !tight {
		r.blank()
	}
	r.newline()
}

func (r *renderer) newline() {
	r.out = append(r.out, '\n')
	r.out = append(r.out, r.prefix...)
}

func (r *renderer) blank() {
	r.out = append(r.out, '\n')
	r.out = append(r.out, bytes.TrimRight(r.prefix, " ")...)
}

// enter makes b the innermost container whose lines begin with more.
func (r *renderer) enter(b *block, more string) (leave func()) {
	outer, width := r.cur, len(r.prefix)
	if len(r.prefix) < 4*maxNesting {
		r.prefix = append(r.prefix, more...)
	}
	r.cur = b
	return func() {
		r.endText()
		r.prefix = r.prefix[:width]
		r.cur = outer
		b.mdEnd = int32(len(r.out))
	}
}

// flow renders the content of a block container: block elements as they are,
// inline runs as paragraphs of their own.
func (r *renderer) flow(n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if r.isBlock(k) {
			r.endText()
			r.block(k)
			continue
		}
		r.beginRun(k)
		r.inline(k)
	}
	r.endText()
}

// beginRun prepares a paragraph that has no element of its own. The block is
// only made when something visible is written.
func (r *renderer) beginRun(k *storage.Node) {
	if r.in.pending == nil && r.text == nil {
		r.in.pending = &pendingText{}
		r.in.dirty = true
	}
	if r.in.pending != nil && r.in.pending.node == nil && r.in.pending.first == nil {
		r.in.pending.at = k
	}
	if r.text != nil && r.text.node == nil {
		r.extendRun()
		r.in.runEnd = k
	}
}

func (r *renderer) block(k *storage.Node) {
	switch k.Name {
	case "p", "dt", "dd", "ac:caption", "ac:plain-text-link-body", "caption", "summary":
		r.paragraph(k, 0)
	case "h1", "h2", "h3", "h4", "h5", "h6":
		r.paragraph(k, int8(k.Name[1]-'0'))
	case "ul", "ol":
		r.list(k)
	case "ac:task-list":
		r.taskList(k)
	case "table":
		r.table(k)
	case "blockquote":
		b := r.open(kQuote, k)
		r.quote(b, "", k)
	case "hr":
		r.rule(k)
	case "pre":
		r.code(k, k, "", "")
	case "ac:structured-macro", "ac:macro":
		r.blockMacro(k)
	case "ac:adf-extension":
		r.adf(k)
	case "ac:image":
		r.blockImage(k)
	default:
		r.flow(k)
	}
}

func (r *renderer) rule(k *storage.Node) {
	b := r.open(kRule, k)
	if r.cur.kind == kItem {
		r.out = append(r.out, "___"...)
	} else {
		r.out = append(r.out, "---"...)
	}
	b.mdEnd = int32(len(r.out))
}

// paragraph renders an element whose content is one line of text, unless
// blocks stand inside it.
func (r *renderer) paragraph(k *storage.Node, level int8) {
	if r.hasBlock(k) {
		for c := k.First; c != nil; c = c.Next {
			if r.isBlock(c) {
				r.endText()
				r.block(c)
				continue
			}
			r.beginRun(c)
			r.in.level = level
			r.inline(c)
		}
		r.endText()
		return
	}
	r.in.pending = &pendingText{node: k}
	r.in.level = level
	r.in.dirty = true
	for c := k.First; c != nil; c = c.Next {
		r.inline(c)
	}
	r.endText()
}

func (r *renderer) quote(b *block, head string, body *storage.Node) {
	r.out = append(r.out, "> "...)
	leave := r.enter(b, "> ")
	if head != "" {
		r.out = append(r.out, head...)
		r.newline()
	}
	r.flow(body)
	leave()
	r.trimBlanks()
	b.mdEnd = int32(len(r.out))
}

// trimBlanks removes the blank that a container without content left.
func (r *renderer) trimBlanks() {
	for len(r.out) > 0 && r.out[len(r.out)-1] == ' ' {
		r.out = r.out[:len(r.out)-1]
	}
}
