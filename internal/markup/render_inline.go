package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// pendingText is a text block that nothing visible was written to yet.
type pendingText struct {
	node      *storage.Node // its element; nil: a run
	first, at *storage.Node // of a run: where it begins
}

// mark is one piece of emphasis, a link or a code span around text.
type mark struct {
	kind   markKind
	node   *storage.Node // links and code spans are told apart by element
	open   string
	close  string
	opened int32 // where the opening mark stands in the Markdown
}

type markKind uint8

const (
	mStrong markKind = iota
	mEm
	mDel
	mUnder
	mSub
	mSup
	mLink
	mCode
)

func (a mark) same(b mark) bool {
	switch a.kind {
	case mLink:
		return a.node == b.node
	case mCode:
		return b.kind == mCode && a.open == b.open
	}
	return a.kind == b.kind
}

// inlineState is what stands between the last character written and the next:
// marks to open or close, white space and line breaks that may yet vanish.
type inlineState struct {
	pending *pendingText
	runEnd  *storage.Node
	level   int8
	want    []mark // marks around the next character
	have    []mark // marks written
	space   bool
	spaceAt [2]int32
	breaks  [][2]int32
	dirty   bool // one of the above needs attention before the next character
	inLink  int
	hidden  int
}

// inline renders a node inside a line of text.
func (r *renderer) inline(n *storage.Node) {
	switch n.Kind {
	case storage.Text:
		r.textNode(n)
		return
	case storage.CDATA:
		r.textNode(n)
		return
	case storage.Comment, storage.Instruction:
		return
	}
	if k, ok := markOf(n.Name); ok {
		r.marked(n, k)
		return
	}
	switch n.Name {
	case "br":
		r.lineBreak(n)
	case "a":
		r.anchorLink(n)
	case "ac:link":
		r.confluenceLink(n)
	case "ac:image":
		r.image(n)
	case "img":
		r.htmlImage(n)
	case "time":
		date := r.tree.Attr(n, "datetime")
		r.atom(n, linkText(date, "confluence:date"), `<a href="confluence:date">`+htmlText(date)+"</a>")
	case "ac:emoticon":
		r.emoticon(n)
	case "ac:structured-macro", "ac:macro":
		r.inlineMacro(n)
	case "ac:placeholder", "ac:parameter", "ac:default-parameter", "ac:task-id", "ac:task-uuid", "ac:task-status",
		"at:declarations", "at:var", "ac:adf-attribute", "ac:adf-parameter", "ac:adf-fallback", "script", "style", "colgroup", "col":
	default:
		r.inlineKids(n)
	}
}

func (r *renderer) inlineKids(n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if r.isBlock(k) && r.mode != escHTML && r.mode != escCell {
			r.breakFor(k)
			continue
		}
		r.inline(k)
	}
}

// breakFor renders a block that stands inside inline markup: the text before
// and after it become paragraphs, and the marks go on around them.
func (r *renderer) breakFor(k *storage.Node) {
	if r.text != nil && r.text.node == nil {
		r.text.broken = true
	}
	outer := r.in.want
	r.in.want = nil
	r.endText()
	r.block(k)
	r.in.want = outer
	r.in.pending = &pendingText{at: k}
	r.in.dirty = true
}

func markOf(name string) (markKind, bool) {
	switch name {
	case "strong", "b":
		return mStrong, true
	case "em", "i":
		return mEm, true
	case "s", "del", "strike":
		return mDel, true
	case "u":
		return mUnder, true
	case "sub":
		return mSub, true
	case "sup":
		return mSup, true
	case "code", "kbd", "tt", "samp":
		return mCode, true
	}
	return 0, false
}

var markSigns = [...][2]string{mStrong: {"**", "**"}, mEm: {"*", "*"}, mDel: {"~~", "~~"}, mUnder: {"<u>", "</u>"}, mSub: {"<sub>", "</sub>"}, mSup: {"<sup>", "</sup>"}}

var markTags = [...]string{mStrong: "strong", mEm: "em", mDel: "del", mUnder: "u", mSub: "sub", mSup: "sup", mCode: "code", mLink: "a"}

func (r *renderer) marked(n *storage.Node, k markKind) {
	m := mark{kind: k, node: n}
	switch {
	case r.mode == escHTML:
		m.open, m.close = "<"+markTags[k]+">", "</"+markTags[k]+">"
	case k == mCode:
		ticks := strings.Repeat("`", longestRun(r.tree.Text(n), '`')+1)
		m.open, m.close = ticks, ticks
		if len(ticks) > 1 {
			m.open, m.close = ticks+" ", " "+ticks
		}
	default:
		m.open, m.close = markSigns[k][0], markSigns[k][1]
	}
	if r.inCode() && r.mode != escHTML || r.has(k) {
		r.inlineKids(n)
		return
	}
	r.within(m, func() { r.inlineKids(n) })
}

// within renders under one more mark. Code spans hold no other mark, so links
// are put around them.
func (r *renderer) within(m mark, body func()) {
	outer := r.in.want
	want := append(make([]mark, 0, len(outer)+1), outer...)
	if n := len(want); n > 0 && want[n-1].kind == mCode && r.mode != escHTML {
		want = append(want[:n-1], m, want[n-1])
	} else {
		want = append(want, m)
	}
	r.in.want = want
	r.in.dirty = true
	body()
	r.in.want = outer
	r.in.dirty = true
}

func (r *renderer) inCode() bool {
	n := len(r.in.want)
	return n > 0 && r.in.want[n-1].kind == mCode
}

func (r *renderer) has(k markKind) bool {
	for _, m := range r.in.want {
		if m.kind == k {
			return true
		}
	}
	return false
}

func longestRun(s string, c byte) int {
	best, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			run++
			best = max(best, run)
		} else {
			run = 0
		}
	}
	return best
}

func (r *renderer) lineBreak(n *storage.Node) {
	if r.text == nil {
		return
	}
	r.in.space = false
	r.in.breaks = append(r.in.breaks, [2]int32{n.Start, n.End})
	r.in.dirty = true
}

func (r *renderer) whiteSpace(from, to int32) {
	if r.text == nil || r.in.space || len(r.in.breaks) > 0 {
		return
	}
	r.in.space, r.in.spaceAt, r.in.dirty = true, [2]int32{from, to}, true
}

// ready brings the Markdown to where the next visible character may be written.
func (r *renderer) ready(next byte) {
	if !r.in.dirty {
		return
	}
	r.in.dirty = false
	if r.text == nil {
		r.openText()
	}
	keep := 0
	for keep < len(r.in.have) && keep < len(r.in.want) && r.in.have[keep].same(r.in.want[keep]) {
		keep++
	}
	if len(r.in.breaks) > 0 { // a code span can't go over a line break
		for i, m := range r.in.have[:keep] {
			if m.kind == mCode && r.mode != escHTML {
				keep = i
				break
			}
		}
	}
	gap := next
	if r.in.space || len(r.in.breaks) > 0 {
		gap = ' '
	}
	r.closeMarks(keep, gap)
	r.flushGap()
	for i, m := range r.in.want[keep:] {
		inner := next
		if rest := r.in.want[keep+i+1:]; len(rest) > 0 {
			inner = rest[0].open[0]
		}
		r.openMark(m, inner)
	}
}

func (r *renderer) flushGap() {
	if r.in.space {
		r.put(pSpace, " ", r.in.spaceAt[0], r.in.spaceAt[1])
		r.in.space = false
	}
	for _, at := range r.in.breaks {
		r.putBreak(at)
	}
	r.in.breaks = r.in.breaks[:0]
}

func (r *renderer) putBreak(at [2]int32) {
	if r.mode != escText || r.text.level > 0 {
		r.put(pBreak, "<br>", at[0], at[1])
		return
	}
	from := int32(len(r.out))
	r.out = append(r.out, '\\')
	r.newline()
	r.pieces = append(r.pieces, piece{from, int32(len(r.out)), at[0], at[1], pBreak})
}

// put writes a piece of Markdown that stands for the storage bytes [src,end).
func (r *renderer) put(k pieceKind, s string, src, end int32) {
	from := int32(len(r.out))
	r.out = append(r.out, s...)
	r.pieces = append(r.pieces, piece{from, int32(len(r.out)), src, end, k})
}

// atom writes an element as one indivisible thing, in the spelling of the
// surroundings.
func (r *renderer) atom(n *storage.Node, markdown, html string) {
	s := markdown
	switch r.mode {
	case escHTML:
		s = html
	case escCell:
		s = strings.ReplaceAll(s, "|", "\\|")
	}
	if s == "" {
		return
	}
	outer := r.in.want
	if r.inCode() && r.mode != escHTML {
		r.in.want = outer[:len(outer)-1]
		r.in.dirty = true
	}
	r.ready(s[0])
	r.put(pAtom, s, n.Start, n.End)
	if len(r.in.want) != len(outer) {
		r.in.want = outer
		r.in.dirty = true
	}
}
