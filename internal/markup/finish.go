package markup

import (
	"sort"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// finish writes what is new and returns all splices.
func (pl *planner) finish() ([]splice, error) {
	kept := pl.keeper()
	for i, x := range pl.leaves {
		text, err := pl.leafText(x, kept)
		if err != nil {
			return nil, err
		}
		pl.cuts = append(pl.cuts, splice{from: x.at, to: x.at, text: text, order: i})
	}
	for _, x := range pl.inserts {
		text, err := pl.blockText(x, kept)
		if err != nil {
			return nil, err
		}
		at := x.at
		if x.close {
			n := x.into.tie.inner
			if n == nil {
				n = x.into.tie.node
			}
			pl.reopenOnce(n)
			text += ""
		}
		pl.cuts = append(pl.cuts, splice{from: at, to: at, text: text, order: x.order})
	}
	pl.closeReopened()
	return join(pl.cuts)
}

func (pl *planner) reopenOnce(n *storage.Node) {
	for _, c := range pl.cuts {
		if c.to == n.OpenEnd && c.text == ">" {
			return
		}
	}
	pl.reopen(n)
}

// closeReopened adds the closing tags of containers that were empty elements.
func (pl *planner) closeReopened() {
	done := map[*storage.Node]bool{}
	for _, x := range pl.inserts {
		if !x.close {
			continue
		}
		n := x.into.tie.inner
		if n == nil {
			n = x.into.tie.node
		}
		if !done[n] {
			done[n] = true
			pl.cuts = append(pl.cuts, splice{from: n.End, to: n.End, text: "</" + n.Name + ">", order: 1 << 30})
		}
	}
}

func (pl *planner) leafText(x insertion, kept keeper) (string, error) {
	w := newWriter(pl.opt, kept)
	text := ""
	switch x.mode {
	case inMarks:
		text = w.inlineIn(x.tokens, x.around)
	case inPlain:
		text = storage.EscapeText(tokenText(x.tokens))
	case inCDATA:
		text = storage.EscapeCDATA(tokenText(x.tokens))
	case inNewCDATA:
		text = "<![CDATA[" + storage.EscapeCDATA(tokenText(x.tokens)) + "]]>"
	}
	return x.before + text + x.after, w.err
}

// blockText writes a new block in the style of the blocks around it.
func (pl *planner) blockText(x blockInsert, kept keeper) (string, error) {
	w := newWriter(pl.opt, kept)
	w.itemP, w.cellP = pl.style(w.itemP, w.cellP, x.into.tie)
	switch x.m.kind {
	case kItem:
		if err := pl.sameList(x); err != nil {
			return "", err
		}
		if x.m.task != noTask {
			w.task(x.m)
		} else {
			w.item(x.m)
		}
	case kRow:
		pl.rowText(w, x)
	case kCell:
		tag := "td"
		if x.into.kids[0].tie != nil && x.into.kids[0].tie.node.Name == "th" && headerRow(x.into.tie.node) {
			tag = "th"
		}
		w.out.WriteString("<" + tag + ">" + w.cell(w.inline(x.m.tokens)) + "</" + tag + ">")
	default:
		w.block(x.m)
	}
	return w.out.String(), w.err
}

func (pl *planner) sameList(x blockInsert) error {
	into := x.into.tie.node
	if into == nil || (into.Name == "ac:task-list") != (x.m.task != noTask) {
		return fail("unsupported", "Put a paragraph between them, or make two lists.", "tasks and plain items can't share one list")
	}
	return nil
}

// rowText writes a new row with header cells where the row beside it has them.
func (pl *planner) rowText(w *writer, x blockInsert) {
	if bytes, ok := w.kept.moved(x.m); ok {
		w.out.WriteString(bytes)
		return
	}
	var like []*storage.Node
	for _, k := range x.into.kids {
		if k.tie != nil && k.tie.node != nil && !headerRow(k.tie.node) {
			like = cellsOf(k.tie.node)
		}
	}
	w.out.WriteString("<tr>")
	for i, c := range x.m.kids {
		tag := "td"
		if i < len(like) {
			tag = like[i].Name
		}
		w.out.WriteString("<" + tag + ">" + w.cell(w.inline(c.tokens)) + "</" + tag + ">")
	}
	w.out.WriteString("</tr>")
}

// style looks how items and cells of a container are written.
func (pl *planner) style(itemP, cellP bool, b *block) (items, cells bool) {
	n := b.node
	if n == nil || n.Parent == nil {
		return itemP, cellP
	}
	if li := findFirst(n, "li"); li != nil {
		itemP = li.Child("p") != nil
	}
	if td := findFirst(n, "td"); td != nil {
		cellP = td.Child("p") != nil
	} else if n.Name == "tr" && n.First != nil {
		cellP = n.First.Child("p") != nil
	}
	return itemP, cellP
}

// original knows the bytes of everything on the page, and what is going away.
type original struct {
	pl      *planner
	going   []splice // deletions, sorted and joined
	blocks  map[string]*block
	atoms   map[string][]piece
	movable map[uint64][]*mnode
	used    map[int32]bool
}

func (pl *planner) keeper() *original {
	o := &original{pl: pl, blocks: map[string]*block{}, atoms: map[string][]piece{}, movable: map[uint64][]*mnode{}, used: map[int32]bool{}}
	for _, c := range pl.cuts {
		if c.text == "" && c.to > c.from {
			o.going = append(o.going, c)
		}
	}
	sort.Slice(o.going, func(i, j int) bool { return o.going[i].from < o.going[j].from })
	o.collectBlocks(pl.p.root)
	for _, x := range pl.p.pieces {
		if x.kind == pAtom {
			md := namelessAtom(pl.p.text[x.md:x.mdEnd])
			o.atoms[md] = append(o.atoms[md], x)
		}
	}
	for _, m := range pl.gone {
		o.movable[m.hash()] = append(o.movable[m.hash()], m)
		o.collectGone(m)
	}
	return o
}

func (o *original) collectGone(m *mnode) {
	for _, k := range m.kids {
		o.movable[k.hash()] = append(o.movable[k.hash()], k)
		o.collectGone(k)
	}
}

func (o *original) collectBlocks(b *block) {
	if b.handle != "" {
		o.blocks[b.handle] = b
	}
	for _, k := range b.kids {
		o.collectBlocks(k)
	}
}

func (o *original) leaving(from, to int32) bool {
	i := sort.Search(len(o.going), func(i int) bool { return o.going[i].from > from })
	for i--; i >= 0; i-- {
		if o.going[i].to >= to {
			return true
		}
	}
	return false
}

func (o *original) valid() []string {
	var out []string
	for h, b := range o.blocks {
		out = append(out, h+" "+b.tag)
	}
	sort.Strings(out)
	return out[:min(len(out), maxCandidates)]
}

func (o *original) handle(h string) (string, bool) {
	if b, ok := o.blocks[h]; ok {
		return o.bytes(b.src, b.srcEnd), true
	}
	for md, xs := range o.atoms {
		if strings.Contains(md, scheme+"macro/"+h) {
			return o.bytes(xs[0].src, xs[0].srcEnd), true
		}
	}
	return "", false
}

// bytes are the original bytes: as they are when they go elsewhere, without
// the server's ids when they stay and this is a copy.
func (o *original) bytes(from, to int32) string {
	s := o.pl.p.tree.Source[from:to]
	if o.leaving(from, to) && !o.used[from] {
		o.used[from] = true
		return s
	}
	return withoutIDs(s)
}

func (o *original) link(dest, label string) (string, bool) {
	md := linkText(label, dest)
	if image, ok := strings.CutPrefix(dest, "!"); ok {
		md = "!" + linkText(label, image)
	}
	if label == dest {
		md = "<" + escapeAmp(dest) + ">"
	}
	for _, x := range o.atoms[md] {
		if o.leaving(x.src, x.srcEnd) && !o.used[x.src] {
			o.used[x.src] = true
			return o.pl.p.tree.Source[x.src:x.srcEnd], true
		}
	}
	return "", false
}

func (o *original) moved(m *mnode) (string, bool) {
	for _, k := range o.movable[m.hash()] {
		if k.tie == nil || k.kind != m.kind || o.used[k.tie.src] || k.tie.broken && k.kind == kText {
			continue
		}
		if m.kind == kText && k.tie.node == nil {
			continue
		}
		if n := k.tie.node; n != nil && n.Name == "ac:parameter" {
			continue
		}
		o.used[k.tie.src] = true
		return o.pl.p.tree.Source[k.tie.src:k.tie.srcEnd], true
	}
	return "", false
}

// withoutIDs drops the ids the server gives each element, so that a copy does
// not claim to be the original.
func withoutIDs(s string) string {
	t := storage.Parse(s)
	var ss []splice
	var walk func(n *storage.Node)
	walk = func(n *storage.Node) {
		for k := n.First; k != nil; k = k.Next {
			for _, name := range []string{"ac:macro-id", "ac:local-id", "local-id", "ac:ref"} {
				if _, from, to := t.AttrSpan(k, name); from > 0 && name != "ac:ref" {
					start := int32(from - len(name) - 2)
					ss = append(ss, splice{from: start - 1, to: int32(to) + 1})
				}
			}
			walk(k)
		}
	}
	walk(t.Root)
	joined, err := join(ss)
	if err != nil {
		return s
	}
	return applySplices(s, joined)
}
