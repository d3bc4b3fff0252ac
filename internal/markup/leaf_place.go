package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// insert finds the place between lo and hi where added text fits best: inside
// as many of its marks as possible and inside none it does not have.
func (e *leafEdit) insert(added []token, cuts []span, lo, hi int32) error {
	if e.b.kind == kCode {
		return e.insertCode(added, cuts, lo)
	}
	common := commonLook(added)
	best, bestScore := int32(-1), -1
	for _, at := range e.places(cuts, lo, hi) {
		around, depth, ok := e.around(at)
		if !ok || !e.anyLook() && (around.bits&^common.bits != 0 || around.link != "" && !sameDest(around.link, common.link)) {
			continue
		}
		score := 100*overlapOf(around, common) - min(depth, 40)
		if len(cuts) > 0 && at == cuts[0].from {
			score += 50
			if e.steady {
				score += 1000
			}
		}
		if score > bestScore || best < 0 {
			best, bestScore = at, score
		}
	}
	if best < 0 {
		return e.split(added, cuts, lo, common)
	}
	around, _, _ := e.around(best)
	e.ins = append(e.ins, insertion{at: best, tokens: added, around: around, mode: e.modeAt(best)})
	return nil
}

// commonLook is the marks all tokens have.
func commonLook(added []token) look {
	common := added[0].look
	for _, t := range added {
		common.bits &= t.look.bits
		if t.look.link != common.link {
			common.link = ""
		}
	}
	return common
}

// anyLook tells whether text may go inside any marks: it brings none,
// or those that are there already.
func (e *leafEdit) anyLook() bool { return e.free || e.steady || e.b.kind == kHTML }

func overlapOf(around, common look) int {
	n := 0
	for k := range mCode + 1 {
		if around.has(k) && common.has(k) {
			n++
		}
	}
	if around.link != "" {
		n++
	}
	return n
}

func sameDest(a, b string) bool {
	return a == b || pathUnescape(a) == pathUnescape(b)
}

// places lists where text may go: what is removed, both neighbours, and every
// border of a tag between them.
func (e *leafEdit) places(cuts []span, lo, hi int32) []int32 {
	var out []int32
	if len(cuts) > 0 {
		out = append(out, cuts[0].from)
	}
	out = append(out, lo)
	box := e.box()
	if box == nil {
		box = e.b.parentNode()
	}
	if box != nil {
		out = borders(out, box, lo, hi)
	}
	return append(out, hi)
}

const maxPlaces = 200

// borders adds the borders of elements between lo and hi, entering only those
// that text may be inside of.
func borders(out []int32, n *storage.Node, lo, hi int32) []int32 {
	for k := n.First; k != nil && k.Start <= hi && len(out) < maxPlaces; k = k.Next {
		if k.End < lo || k.Kind != storage.Element {
			continue
		}
		out = appendWithin(out, k.Start, lo, hi)
		if textual(k) && k.OpenEnd < k.End {
			out = appendWithin(out, k.OpenEnd, lo, hi)
			out = borders(out, k, lo, hi)
			out = appendWithin(out, k.CloseStart, lo, hi)
		}
		out = appendWithin(out, k.End, lo, hi)
	}
	return out
}

func appendWithin(out []int32, at, lo, hi int32) []int32 {
	if at < lo || at > hi {
		return out
	}
	return append(out, at)
}

// textual tells elements inside a line that hold text.
func textual(n *storage.Node) bool {
	if _, ok := markOf(n.Name); ok {
		return true
	}
	switch n.Name {
	case "span", "a", "small", "big", "font", "ac:inline-comment-marker", "ac:link-body", "p", "div", "ac:parameter", "cite", "q", "abbr", "ins", "var":
		return true
	}
	return false
}

// around is the look of text at a place and how many other elements are
// around it there; ok is false where text can't stand.
func (e *leafEdit) around(at int32) (l look, depth int, ok bool) {
	top := e.b.node
	if top == nil {
		top = e.b.parentNode()
	}
	n := e.p.deepest(top, at)
	for k := n; k != nil && k != top; k = k.Parent {
		mark, isMark := markOf(k.Name)
		switch {
		case isMark:
			l = l.with(mark)
		case k.Name == "a":
			l.link = e.p.tree.Attr(k, "href")
		case k.Name == "ac:plain-text-link-body" || k.Name == "ac:link-body":
			l.link = e.linkAt(k)
		case k.Name == "ac:link":
			if n == k {
				return l, depth, false
			}
		default:
			if !e.mayHold(k) {
				return l, depth, false
			}
			depth++
		}
		if k.Name == "ac:plain-text-link-body" && !e.inCDATA(at) {
			return l, depth, false
		}
	}
	return l, depth, true
}

// mayHold tells elements that text may stand inside of, directly or deeper.
func (e *leafEdit) mayHold(k *storage.Node) bool {
	return textual(k) || flowBox(k) || e.b.kind == kHTML || k.Name == "ac:task-body"
}

// linkAt is the address Markdown shows for the link around a link body: that
// of the token shown from inside it.
func (e *leafEdit) linkAt(body *storage.Node) string {
	for _, t := range e.old {
		if t.look.link == "" {
			continue
		}
		for _, s := range e.bytes(t) {
			if s.from >= body.OpenEnd && s.to <= body.CloseStart {
				return t.look.link
			}
		}
	}
	return "\x00"
}

func (e *leafEdit) inCDATA(at int32) bool {
	n := e.p.deepest(e.b.parentNode(), at)
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == storage.CDATA && k.OpenEnd <= at && at <= k.CloseStart {
			return true
		}
	}
	return false
}

func (e *leafEdit) modeAt(at int32) insertMode {
	switch {
	case e.inCDATA(at):
		return inCDATA
	case e.b.kind == kHTML || e.box() != nil && e.box().Name == "ac:parameter":
		return inPlain
	}
	return inMarks
}

// split closes the marks that new text does not have, writes it, and opens
// them again.
func (e *leafEdit) split(added []token, cuts []span, lo int32, common look) error {
	at := lo
	if len(cuts) > 0 {
		at = cuts[0].from
	}
	top := e.b.node
	if top == nil {
		top = e.b.parentNode()
	}
	closing, opening := "", ""
	reached := 0
	var chain []*storage.Node
	for k := e.p.deepest(top, at); k != nil && k != top && textual(k) && k.Name != "p"; k = k.Parent {
		chain = append(chain, k)
		mark, isMark := markOf(k.Name)
		if isMark && !common.has(mark) || k.Name == "a" {
			reached = len(chain)
		}
	}
	if reached == 0 {
		return e.unsupported(added[0])
	}
	for _, k := range chain[:reached] {
		closing += "</" + k.Name + ">"
		opening = e.p.tree.Source[k.Start:k.OpenEnd] + opening
	}
	var around look
	for _, k := range chain[reached:] {
		if mark, ok := markOf(k.Name); ok {
			around = around.with(mark)
		}
	}
	e.ins = append(e.ins, insertion{at: at, tokens: added, around: around, before: closing, after: opening})
	return nil
}

func (e *leafEdit) insertCode(added []token, cuts []span, lo int32) error {
	at := lo
	if len(cuts) > 0 {
		at = cuts[0].from
	}
	mode := inPlain
	box := e.box()
	switch {
	case e.inCDATA(at):
		mode = inCDATA
	case box != nil && strings.HasPrefix(box.Name, "ac:plain-text"):
		if n := cdataNear(box, at); n != nil {
			at, mode = n.OpenEnd, inCDATA
		} else if box.First == nil {
			mode = inNewCDATA
		}
	}
	e.ins = append(e.ins, insertion{at: at, tokens: added, mode: mode})
	return nil
}

// cdataNear is a CDATA section that begins or ends at the place.
func cdataNear(box *storage.Node, at int32) *storage.Node {
	for k := box.First; k != nil; k = k.Next {
		if k.Kind == storage.CDATA && k.Start >= at {
			return k
		}
	}
	return nil
}
