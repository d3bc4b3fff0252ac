package markup

import (
	"sort"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/markup/storage"
)

// insertion is new text of a leaf, written once all deletions are known.
type insertion struct {
	at     int32
	tokens []token
	around look
	mode   insertMode
	before string // closing tags of marks that end here
	after  string // and the same marks opened again
}

type insertMode uint8

const (
	inMarks    insertMode = iota // XML with marks
	inPlain                      // XML, text only
	inCDATA                      // inside a CDATA section
	inNewCDATA                   // where a CDATA section has to be made
)

// leafEdit plans the change of one leaf from its shown tokens to edited ones.
type leafEdit struct {
	p      *page
	b      *block
	old    []token
	new    []token
	kept   []int // for each old token: the new token it stays as, or -1
	taken  []int // for each new token: the old token it stays, or -1
	del    []splice
	ins    []insertion
	notes  []string
	at     int32 // where trimming stopped, -1: nothing was trimmed
	steady bool  // what replaces words looks as they did
	free   bool  // plain text: it takes the marks of the place it goes to
}

func editLeaf(p *page, b *block, old, edited []token) (*leafEdit, error) {
	e := &leafEdit{p: p, b: b, old: old, new: edited}
	return e, e.run()
}

func (e *leafEdit) run() error {
	e.align()
	e.wholePieces()
	for _, g := range e.gaps() {
		if err := e.gap(g); err != nil {
			return err
		}
	}
	e.emptied()
	return nil
}

func tokenKey(t token) uint64 {
	h := mixN(fnvOffset, uint64(t.kind)|uint64(t.look.bits)<<8)
	if t.kind != tSpace {
		h = mix(h, t.text)
	}
	return mix(mix(h, t.look.link), t.link)
}

func keysOf(ts []token) []uint64 {
	out := make([]uint64, len(ts))
	for i, t := range ts {
		out[i] = tokenKey(t)
	}
	return out
}

func (e *leafEdit) align() {
	e.kept, e.taken = make([]int, len(e.old)), make([]int, len(e.new))
	for i := range e.kept {
		e.kept[i] = -1
	}
	for i := range e.taken {
		e.taken[i] = -1
	}
	for _, m := range matches(keysOf(e.old), keysOf(e.new)) {
		e.kept[m.a], e.taken[m.b] = m.b, m.a
	}
}

// wholePieces lets an indivisible piece stay only as a whole.
func (e *leafEdit) wholePieces() {
	lost := map[int]bool{}
	for i, t := range e.old {
		if e.kept[i] < 0 {
			e.eachPiece(t, func(k int, x piece) {
				if x.kind != pSame {
					lost[k] = true
				}
			})
		}
	}
	if len(lost) == 0 {
		return
	}
	for i, t := range e.old {
		if e.kept[i] < 0 {
			continue
		}
		e.eachPiece(t, func(k int, x piece) {
			if lost[k] && e.kept[i] >= 0 {
				e.taken[e.kept[i]] = -1
				e.kept[i] = -1
			}
		})
	}
}

// eachPiece calls f for every piece a token touches.
func (e *leafEdit) eachPiece(t token, f func(index int, x piece)) {
	ps := e.p.pieces[e.b.pieces:e.b.piecesEnd]
	i := sort.Search(len(ps), func(i int) bool { return ps[i].mdEnd > t.md })
	for ; i < len(ps) && ps[i].md < t.mdEnd; i++ {
		f(i+int(e.b.pieces), ps[i])
	}
}

// bytes are the storage ranges behind a token.
func (e *leafEdit) bytes(t token) []span {
	var out []span
	e.eachPiece(t, func(_ int, x piece) {
		s := span{x.src, x.srcEnd}
		if x.kind == pSame {
			s = span{x.src + max(0, t.md-x.md), x.srcEnd - max(0, x.mdEnd-t.mdEnd)}
		}
		if x.kind != pFake && (s.to > s.from || x.kind == pBreak) {
			out = append(out, s)
		}
	})
	return out
}

func (e *leafEdit) gaps() []gap {
	var ms []match
	for i, j := range e.kept {
		if j >= 0 {
			ms = append(ms, match{i, j})
		}
	}
	return gaps(ms, len(e.old), len(e.new))
}

func (e *leafEdit) gap(g gap) error {
	removed, added := e.old[g.a0:g.a1], append([]token(nil), e.new[g.b0:g.b1]...)
	if e.adjust(removed, added) {
		return nil
	}
	cuts, err := e.cuts(removed)
	if err != nil {
		return err
	}
	lo, hi := e.limits(g)
	if len(cuts) > 0 {
		lo, hi = min(lo, cuts[0].from), max(hi, cuts[len(cuts)-1].to)
	}
	whole := cuts
	cuts, added = e.trim(removed, cuts, added)
	for _, c := range cuts {
		e.del = append(e.del, splice{from: c.from, to: c.to})
	}
	if len(added) == 0 {
		return nil
	}
	if e.b.kind == kHTML {
		for _, t := range append(append([]token(nil), removed...), added...) {
			if t.kind == tTag {
				return e.unsupported(t)
			}
		}
	}
	if at, ok := e.seam(whole); ok && len(cuts) == 0 {
		lo, hi = at, at
	}
	e.steady = len(whole) > 0 && sameLooks(removed, added)
	return e.insert(added, cuts, lo, hi)
}

// cuts is where the removed tokens stand in the storage.
func (e *leafEdit) cuts(removed []token) ([]span, error) {
	var out []span
	for _, t := range removed {
		bytes := e.bytes(t)
		if len(bytes) == 0 && t.kind != tSpace {
			return nil, e.unsupported(t)
		}
		out = append(out, bytes...)
	}
	for _, c := range out {
		if c.from == c.to {
			return nil, e.unsupported(token{text: "a paragraph break inside the cell"})
		}
	}
	return out, nil
}

func (e *leafEdit) unsupported(t token) error {
	err := fail("unsupported", "Use replace_text, set_cell or another edit on this block instead.",
		"this change of %q in a %s can't be made through Markdown", cut(t.text, 40), e.b.name())
	err.Candidates = []string{cut(e.p.visible(e.b), 120)}
	return err
}

// trim keeps the letters that the removed and the added text share at their
// ends, so that marks and references inside a changed word survive.
func (e *leafEdit) trim(removed []token, whole []span, added []token) ([]span, []token) {
	r := replacement{removed: removed, cuts: append([]span(nil), whole...), added: added}
	e.at = -1
	for r.open() && e.trimFront(&r) {
	}
	for r.open() && e.trimBack(&r) {
	}
	return r.cuts, r.added
}

// replacement is what is left of a change while it is trimmed.
type replacement struct {
	removed []token
	cuts    []span
	added   []token
}

func (r *replacement) open() bool {
	return len(r.cuts) > 0 && len(r.added) > 0 && len(r.removed) > 0
}

// trimFront keeps the letters both begin with. It says whether what was removed
// was all kept, so that the next may be.
func (e *leafEdit) trimFront(r *replacement) bool {
	c, a := &r.cuts[0], &r.added[0]
	if r.removed[0].look != a.look || a.kind != tWord || !e.verbatim(*c) {
		return false
	}
	n := sharedPrefix(e.p.tree.Source[c.from:c.to], a.text)
	if n == 0 {
		return false
	}
	c.from += int32(n)
	e.at = c.from
	if a.text = a.text[n:]; a.text == "" {
		r.added = r.added[1:]
	}
	if c.from < c.to {
		return false
	}
	r.cuts, r.removed = r.cuts[1:], r.removed[1:]
	return true
}

// trimBack is trimFront from the end.
func (e *leafEdit) trimBack(r *replacement) bool {
	c, a := &r.cuts[len(r.cuts)-1], &r.added[len(r.added)-1]
	if r.removed[len(r.removed)-1].look != a.look || a.kind != tWord || !e.verbatim(*c) {
		return false
	}
	n := sharedSuffix(e.p.tree.Source[c.from:c.to], a.text)
	if n == 0 {
		return false
	}
	c.to -= int32(n)
	e.at = c.to
	if a.text = a.text[:len(a.text)-n]; a.text == "" {
		r.added = r.added[:len(r.added)-1]
	}
	if c.from < c.to {
		return false
	}
	r.cuts, r.removed = r.cuts[:len(r.cuts)-1], r.removed[:len(r.removed)-1]
	return true
}

// sameLooks tells whether new words carry exactly the marks of those they replace.
func sameLooks(removed, added []token) bool {
	for _, t := range append(append([]token(nil), removed...), added...) {
		if t.look != removed[0].look {
			return false
		}
	}
	return true
}

// seam is the place where trimming a replaced word left nothing to cut.
func (e *leafEdit) seam(whole []span) (int32, bool) { return e.at, len(whole) > 0 && e.at >= 0 }

// verbatim tells whether a range is plain text on both sides.
func (e *leafEdit) verbatim(s span) bool {
	return !strings.ContainsAny(e.p.tree.Source[s.from:s.to], "<>&")
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && (n < len(a) && !utf8.RuneStart(a[n]) || n < len(b) && !utf8.RuneStart(b[n])) {
		n--
	}
	return n
}

func sharedSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	for n > 0 && !utf8.RuneStart(a[len(a)-n]) {
		n--
	}
	return n
}

// limits are the ends of the kept bytes before and after a gap.
func (e *leafEdit) limits(g gap) (lo, hi int32) {
	box := e.box()
	lo, hi = e.b.src, e.b.srcEnd
	if box != nil {
		lo, hi = box.OpenEnd, box.CloseStart
	}
	for i := g.a0 - 1; i >= 0; i-- {
		if s := e.bytes(e.old[i]); len(s) > 0 {
			lo = s[len(s)-1].to
			break
		}
	}
	for i := g.a1; i < len(e.old); i++ {
		if s := e.bytes(e.old[i]); len(s) > 0 {
			hi = s[0].from
			break
		}
	}
	return lo, max(lo, hi)
}

// box is the element whose content the leaf's text is.
func (e *leafEdit) box() *storage.Node {
	if e.b.inner != nil {
		return e.b.inner
	}
	return e.b.node
}
