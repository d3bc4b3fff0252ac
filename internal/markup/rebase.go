package markup

import (
	"slices"
	"sort"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// Rebase carries a write over to a page that moved on: base is the storage the
// write was planned on, edited its result, fresh the storage of now. Changes to
// different blocks are merged, and so are comment markers and ids that fresh
// gained or lost inside a block the write changed. The same block changed on
// both sides is a markup.conflict that shows the block.
func Rebase(base, edited, fresh string) (string, error) {
	switch {
	case fresh == base || edited == fresh:
		return edited, nil
	case edited == base:
		return fresh, nil
	}
	t := storage.Parse(fresh)
	if t.Fault != nil {
		return "", faultError(t.Fault)
	}
	b, e, f := lex(base), lex(edited), lex(fresh)
	r := &rebase{base: b, ours: changes(b, e), theirs: changes(b, f)}
	if err := r.check(); err != nil {
		return "", err
	}
	merged := r.merge()
	if fault := storage.Parse(merged).Fault; fault != nil {
		return "", fail("conflict", "Read the page again and repeat the edit.", "the edit and a change made meanwhile don't fit together")
	}
	return merged, nil
}

// lexed is a storage value as tags and words.
type lexed struct {
	tree  *storage.Tree
	at    []int32 // where each token begins, and the end
	keys  []uint64
	block []*storage.Node // the block each token belongs to; nil: between blocks
}

func lex(s string) *lexed {
	l := &lexed{tree: storage.Parse(s)}
	l.walk(l.tree.Root, nil)
	l.at = append(l.at, int32(len(s)))
	for i := range l.keys {
		l.keys[i] = mix(fnvOffset, s[l.at[i]:l.at[i+1]])
	}
	return l
}

func (l *lexed) add(at int32, block *storage.Node) {
	l.at = append(l.at, at)
	l.keys = append(l.keys, 0)
	l.block = append(l.block, block)
}

func (l *lexed) walk(n, block *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind != storage.Element {
			l.words(k, block)
			continue
		}
		inner := block
		if textBlock(k.Name) {
			inner = k
		}
		l.add(k.Start, inner)
		if k.OpenEnd < k.End {
			l.walk(k, inner)
			l.add(k.CloseStart, inner)
		}
	}
}

func (l *lexed) words(k, block *storage.Node) {
	s := l.tree.Raw(k)
	for i := 0; i < len(s); {
		l.add(k.Start+int32(i), block)
		i += wordLen(s[i:])
	}
}

// textBlock tells elements that count as one block when two people edit.
func textBlock(name string) bool {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "pre", "dt", "dd", "ac:plain-text-body", "ac:task", "ac:parameter", "ac:caption":
		return true
	}
	return false
}

// change is a stretch of base tokens that became other text.
type change struct {
	a0, a1 int
	text   string
	quiet  bool // only comment markers or ids
	other  *lexed
	b0, b1 int
}

func changes(base, other *lexed) []change {
	var out []change
	for _, g := range gaps(matches(base.keys, other.keys), len(base.keys), len(other.keys)) {
		c := change{a0: g.a0, a1: g.a1, b0: g.b0, b1: g.b1, other: other, text: other.tree.Source[other.at[g.b0]:other.at[g.b1]]}
		c.quiet = quiet(base, g.a0, g.a1, other, g.b0, g.b1)
		out = append(out, c)
	}
	return out
}

// quiet tells whether a change is only of comment markers, or of attributes
// the server sets.
func quiet(a *lexed, a0, a1 int, b *lexed, b0, b1 int) bool {
	left, right := tagNames(a, a0, a1), tagNames(b, b0, b1)
	return left != nil && right != nil && strings.Join(left, " ") == strings.Join(right, " ")
}

// tagNames lists the tags of a stretch without comment markers; nil when it
// holds text.
func tagNames(l *lexed, from, to int) []string {
	out := []string{}
	for i := from; i < to; i++ {
		s := l.tree.Source[l.at[i]:l.at[i+1]]
		if s[0] != '<' || strings.HasPrefix(s, "<!") {
			return nil
		}
		name := strings.TrimLeft(s, "</")
		n := 0
		for n < len(name) && name[n] != ' ' && name[n] != '>' && name[n] != '/' && name[n] != '\n' {
			n++
		}
		if name[:n] != "ac:inline-comment-marker" {
			out = append(out, s[:len(s)-len(name)]+name[:n])
		}
	}
	return out
}

type rebase struct {
	base         *lexed
	ours, theirs []change
}

// check refuses changes that overlap or share a block.
func (r *rebase) check() error {
	blocks := map[*storage.Node]bool{}
	for _, c := range r.ours {
		for _, n := range r.touched(c) {
			blocks[n] = blocks[n] || !c.quiet
		}
	}
	for _, t := range r.theirs {
		ours := slices.ContainsFunc(r.ours, func(o change) bool { return o.crosses(t) })
		if ours || r.shares(t, blocks) {
			return r.conflict(t)
		}
	}
	return nil
}

// crosses tells whether two changes overlap and differ, or one inserts into
// what the other replaces.
func (o change) crosses(t change) bool {
	overlap := o.a0 < t.a1 && t.a0 < o.a1
	return overlap && o.text != t.text || t.into(o) || o.into(t)
}

// into tells an insertion in the middle of another change.
func (c change) into(o change) bool { return c.a0 == c.a1 && o.a0 < c.a0 && c.a0 < o.a1 }

// shares tells whether a change of theirs lies in a block of ours.
func (r *rebase) shares(t change, blocks map[*storage.Node]bool) bool {
	if t.quiet || r.same(t) {
		return false
	}
	return slices.ContainsFunc(r.touched(t), func(n *storage.Node) bool { return blocks[n] })
}

func (r *rebase) same(t change) bool {
	for _, o := range r.ours {
		if o.a0 == t.a0 && o.a1 == t.a1 && o.text == t.text {
			return true
		}
	}
	return false
}

// touched lists the blocks a change lies in. An insertion between two blocks
// lies in neither.
func (r *rebase) touched(c change) []*storage.Node {
	var out []*storage.Node
	for i := c.a0; i < c.a1; i++ {
		if n := r.base.block[i]; n != nil && (len(out) == 0 || out[len(out)-1] != n) {
			out = append(out, n)
		}
	}
	if c.a0 != c.a1 || c.a0 == 0 || c.a0 >= len(r.base.block) {
		return out
	}
	at := r.base.at[c.a0]
	for _, beside := range []*storage.Node{r.base.block[c.a0], r.base.block[c.a0-1]} {
		if n := textAround(beside, at); n != nil {
			return append(out, n)
		}
	}
	return out
}

// textAround is the block of text a place lies in, n or one above it.
func textAround(n *storage.Node, at int32) *storage.Node {
	for ; n != nil; n = n.Parent {
		if textBlock(n.Name) && n.OpenEnd <= at && at <= n.CloseStart {
			return n
		}
	}
	return nil
}

func (r *rebase) conflict(t change) error {
	err := fail("conflict", "Read the page again and repeat the edit.", "somebody changed the same place meanwhile")
	for _, n := range r.touched(t) {
		err.Candidates = append(err.Candidates, cut(strings.Join(strings.Fields(r.base.tree.Text(n)), " "), 120))
	}
	return err
}

// merge applies both lists of changes to base; where both insert at one place,
// what is there already comes first.
func (r *rebase) merge() string {
	all := append([]change(nil), r.theirs...)
	for _, o := range r.ours {
		if !r.inTheirs(o) {
			all = append(all, o)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].a0 != all[j].a0 {
			return all[i].a0 < all[j].a0
		}
		return all[i].a0 == all[i].a1 && all[j].a0 != all[j].a1
	})
	var b strings.Builder
	src, at := r.base.tree.Source, int32(0)
	for _, c := range all {
		b.WriteString(src[at:r.base.at[c.a0]])
		b.WriteString(c.text)
		at = r.base.at[c.a1]
	}
	b.WriteString(src[at:])
	return b.String()
}

func (r *rebase) inTheirs(o change) bool {
	for _, t := range r.theirs {
		if o.a0 == t.a0 && o.a1 == t.a1 && o.text == t.text {
			return true
		}
	}
	return false
}
