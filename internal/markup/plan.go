package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// planner turns the difference of two Markdown trees into splices on the page
// the first one was rendered from. It works in two steps: first everything
// that goes is known, then what is new is written, so that what merely moved
// is written with its own bytes.
type planner struct {
	p       *page
	opt     Options
	cuts    []splice
	leaves  []insertion
	inserts []blockInsert
	notes   []string
	gone    []*mnode // deleted blocks
	order   int
}

// blockInsert is a new block and where it goes.
type blockInsert struct {
	at    int32
	m     *mnode
	into  *mnode // container of the original it becomes part of
	close bool   // the container's tag is self-closing and must be opened
	order int
}

// plan compares shown and edited and returns the splices.
func plan(p *page, shown, edited *mnode, opt Options) (*planner, []splice, error) {
	pl := &planner{p: p, opt: opt}
	if err := pl.kids(shown, edited); err != nil {
		return nil, nil, err
	}
	ss, err := pl.finish()
	return pl, ss, err
}

func (pl *planner) kids(a, b *mnode) error {
	pairs := pairUp(a.kids, b.kids)
	paired := make([]int, len(b.kids))
	for j := range paired {
		paired[j] = -1
	}
	for i, j := range pairs {
		if j >= 0 {
			paired[j] = i
			continue
		}
		if err := pl.remove(a.kids[i]); err != nil {
			return err
		}
	}
	for j, i := range paired {
		if i >= 0 {
			if err := pl.pair(a.kids[i], b.kids[j]); err != nil {
				return err
			}
			continue
		}
		if err := pl.add(a, b, paired, j); err != nil {
			return err
		}
	}
	return nil
}

func (pl *planner) loose(m *mnode) error {
	err := fail("unsupported", "Use edits with handles for this place.", "this %s can't be edited through Markdown", kindNames[m.kind])
	err.Candidates = []string{cut(strings.TrimSpace(m.text()), 120)}
	return err
}

func (pl *planner) remove(m *mnode) error {
	if m.tie == nil {
		return pl.loose(m)
	}
	pl.gone = append(pl.gone, m)
	b := m.tie
	if b.kind == kText && b.broken {
		e, err := editLeaf(pl.p, b, m.tokens, nil)
		if err != nil {
			return err
		}
		pl.take(e)
		return nil
	}
	pl.cuts = append(pl.cuts, splice{from: b.src, to: b.srcEnd})
	if betweenRuns(b) {
		pl.cuts = append(pl.cuts, splice{from: b.srcEnd, to: b.srcEnd, text: "<p />"})
	}
	return nil
}

// betweenRuns tells whether only this block keeps two runs of bare text apart;
// an empty paragraph, which shows nothing, then takes its place.
func betweenRuns(b *block) bool {
	kids := b.parent.kids
	for i, k := range kids {
		if k == b {
			return i > 0 && i+1 < len(kids) && kids[i-1].kind == kText && kids[i-1].node == nil && kids[i+1].kind == kText && kids[i+1].node == nil
		}
	}
	return false
}

func (pl *planner) take(e *leafEdit) {
	pl.cuts = append(pl.cuts, e.del...)
	pl.leaves = append(pl.leaves, e.ins...)
	pl.notes = append(pl.notes, e.notes...)
}

// add plans a new block: after its left neighbour, else before the first
// block of the container, else into the empty container.
func (pl *planner) add(a, b *mnode, paired []int, j int) error {
	pl.order++
	ins := blockInsert{m: b.kids[j], into: a, order: pl.order}
	left := -1
	for k := j - 1; k >= 0 && left < 0; k-- {
		left = paired[k]
	}
	switch {
	case left >= 0 && a.kids[left].tie != nil:
		_, ins.at = pl.p.outer(a.kids[left].tie)
	case left < 0 && len(a.kids) > 0 && a.kids[0].tie != nil:
		ins.at, _ = pl.p.outer(a.kids[0].tie)
	case len(a.kids) == 0 && a.tie != nil:
		ins.at, ins.close = pl.p.inside(a.tie)
	default:
		return pl.loose(ins.m)
	}
	pl.inserts = append(pl.inserts, ins)
	return nil
}

// inside is where the content of an empty container goes.
func (p *page) inside(b *block) (at int32, closed bool) {
	n := b.inner
	if n == nil {
		n = b.node
	}
	if b.kind == kRoot {
		n = lastCell(p.tree.Root)
	}
	if n.OpenEnd == n.End && n.Parent != nil {
		return n.OpenEnd, true
	}
	return n.CloseStart, false
}

// lastCell is where the end of the page is: the last cell of its layout.
func lastCell(root *storage.Node) *storage.Node {
	last := root
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for k := n.First; k != nil; k = k.Next {
			if k.Name == "ac:layout" || k.Name == "ac:layout-section" {
				walk(k)
			}
			if k.Name == "ac:layout-cell" {
				last = k
			}
		}
	}
	walk(root)
	return last
}

func (pl *planner) pair(a, b *mnode) error {
	if a.hash() == b.hash() {
		return nil
	}
	if a.tie == nil {
		return pl.loose(a)
	}
	if err := pl.attributes(a, b); err != nil {
		return err
	}
	switch {
	case a.kind == kCode && a.raw != b.raw:
		return pl.leaf(a, b, codeTokens(pl.p.text, a), codeTokens("", b))
	case a.kind == kTable && a.start != b.start:
		return pl.columns(a, b)
	case a.tie.leaf() && a.kind != kCode:
		return pl.leaf(a, b, a.tokens, b.tokens)
	}
	return pl.kids(a, b)
}

func (pl *planner) leaf(a, b *mnode, old, edited []token) error {
	if len(old) == 0 && len(edited) > 0 && pl.fillEmpty(a, edited) {
		return nil
	}
	if a.kind == kHTML {
		for i := range edited {
			edited[i].look = look{}
		}
	}
	e, err := editLeaf(pl.p, a.tie, old, edited)
	if err != nil {
		return err
	}
	pl.take(e)
	return nil
}

// fillEmpty writes into an element that had no text: <td />, <p />.
func (pl *planner) fillEmpty(a *mnode, edited []token) bool {
	n := a.tie.inner
	if n == nil {
		n = a.tie.node
	}
	if n == nil || n.Kind != storage.Element || a.kind == kCode {
		return false
	}
	ins := insertion{at: n.CloseStart, tokens: edited}
	if n.OpenEnd == n.End {
		pl.reopen(n)
		ins.at, ins.after = n.End, "</"+n.Name+">"
	}
	pl.leaves = append(pl.leaves, ins)
	return true
}

// reopen turns <x /> into <x>.
func (pl *planner) reopen(n *storage.Node) {
	from := n.OpenEnd - 2
	for pl.p.tree.Source[from-1] == ' ' {
		from--
	}
	pl.cuts = append(pl.cuts, splice{from: from, to: n.OpenEnd, text: ">"})
}

// codeTokens splits the body of a fence; md is empty when places don't matter.
func codeTokens(md string, m *mnode) []token {
	var out []token
	if md == "" {
		for i, line := range strings.Split(m.raw, "\n") {
			if i > 0 {
				out = append(out, token{kind: tBreak, text: "\n"})
			}
			out = words(out, line, 0)
		}
		return out
	}
	for i, l := range m.lines {
		line := strings.TrimSuffix(md[l.from:l.to], "\n")
		if i > 0 {
			at := m.lines[i-1].to - 1
			out = append(out, token{kind: tBreak, text: "\n", md: at, mdEnd: at + 1})
		}
		out = words(out, line, l.from)
	}
	return out
}

func words(out []token, line string, at int32) []token {
	for len(line) > 0 {
		n := wordLen(line)
		out = append(out, token{kind: tWord, text: line[:n], md: at, mdEnd: at + int32(n)})
		line, at = line[n:], at+int32(n)
	}
	return out
}
