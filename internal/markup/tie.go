package markup

import "confluence-mcp/internal/markup/storage"

// tie connects parsed Markdown to the blocks it was rendered from. What can't
// be connected stays loose, and edits there are refused.
func tie(m *mnode, b *block) {
	m.tie = b
	if b.leaf() {
		return
	}
	kids := b.kids
	if m.kind == kTable && !m.headed && len(kids) == len(m.kids)+1 {
		kids = kids[1:]
	}
	if m.kind == kRow || len(kids) == len(m.kids) && sameKinds(m.kids, kids) {
		for i := range min(len(kids), len(m.kids)) {
			tie(m.kids[i], kids[i])
		}
		return
	}
	tieByPlace(m.kids, kids)
}

func sameKinds(ms []*mnode, bs []*block) bool {
	for i := range ms {
		if ms[i].kind != bs[i].kind {
			return false
		}
	}
	return true
}

// tieByPlace connects by position in the Markdown where the two trees differ.
func tieByPlace(ms []*mnode, bs []*block) {
	i := 0
	for _, m := range ms {
		for i < len(bs) && bs[i].mdEnd <= m.at {
			i++
		}
		if i < len(bs) && bs[i].kind == m.kind && m.at >= bs[i].md-3 {
			tie(m, bs[i])
			i++
		}
	}
}

// flowBox tells elements that hold blocks.
func flowBox(n *storage.Node) bool {
	switch n.Name {
	case "", "li", "div", "td", "th", "blockquote", "center", "dd", "section", "ac:layout-cell", "ac:rich-text-body", "ac:task-body", "ac:adf-content", "ac:adf-fallback",
		"ul", "ol", "ac:task-list", "tbody", "thead", "table", "tr":
		return true
	}
	return false
}

// outer is the range of the element a block fills in its container: where
// something may stand before or after it.
func (p *page) outer(b *block) (from, to int32) {
	n, box := b.node, b.parentNode()
	if n == nil {
		n = p.deepest(box, b.src)
	}
	if top := topInline(n, b, box); top != nil {
		n = top
	} else if b.node == nil && flowBox(n) {
		return b.src, b.srcEnd
	}
	if n.Parent == nil {
		return n.Start, n.End
	}
	for n.Parent != nil && !flowBox(n.Parent) {
		n = n.Parent
	}
	return n.Start, n.End
}

// topInline is the outermost inline element around a block: old pages have
// whole paragraphs inside <strong>.
func topInline(n *storage.Node, b *block, box *storage.Node) *storage.Node {
	var top *storage.Node
	for k := n; k != nil && k != box; k = k.Parent {
		if k != b.node && textual(k) && k.Name != "div" {
			top = k
		}
	}
	return top
}

// parentNode is the element whose content the block is part of.
func (b *block) parentNode() *storage.Node {
	for p := b.parent; p != nil; p = p.parent {
		if p.inner != nil {
			return p.inner
		}
		if p.node != nil {
			return p.node
		}
	}
	return nil
}

// deepest is the innermost element below n whose content holds the place.
func (p *page) deepest(n *storage.Node, at int32) *storage.Node {
	if n == nil {
		n = p.tree.Root
	}
	for {
		next := (*storage.Node)(nil)
		for k := n.First; k != nil && k.Start <= at; k = k.Next {
			if k.Kind == storage.Element && k.OpenEnd <= at && at <= k.CloseStart && k.End > k.OpenEnd {
				next = k
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
}
