package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// rowsOf lists the rows of a table; simple is false when something stands
// between them that GFM has no place for.
func rowsOf(n *storage.Node) (rows []*storage.Node, simple bool) {
	simple = true
	for k := n.First; k != nil; k = k.Next {
		switch {
		case k.Kind != storage.Element:
		case k.Name == "tr":
			rows = append(rows, k)
		case k.Name == "thead" || k.Name == "tbody" || k.Name == "tfoot":
			inner, ok := rowsOf(k)
			rows, simple = append(rows, inner...), simple && ok
		case k.Name != "colgroup" && k.Name != "col":
			simple = false
		}
	}
	return rows, simple
}

func cellsOf(row *storage.Node) []*storage.Node {
	var cells []*storage.Node
	for k := row.First; k != nil; k = k.Next {
		if k.Name == "td" || k.Name == "th" {
			cells = append(cells, k)
		}
	}
	return cells
}

// table renders as a GFM table when every cell is a line of text, otherwise as HTML.
func (r *renderer) table(n *storage.Node) {
	rows, simple := rowsOf(n)
	width, total := 0, 0
	for _, row := range rows {
		cells := cellsOf(row)
		width, total = max(width, len(cells)), total+len(cells)
		for _, c := range cells {
			simple = simple && r.simpleCell(c)
		}
	}
	if width == 0 {
		r.flow(n)
		return
	}
	ragged := len(rows)*width > 4*total+1000 // filling its rows up would cost more than its text
	if !simple || ragged || r.cur.kind == kCell {
		r.tableHTML(n, rows)
		return
	}
	b := r.open(kTable, n)
	b.start = width
	leave := r.enter(b, "")
	if !headerRow(rows[0]) {
		r.out = append(r.out, "|"+strings.Repeat("  |", width)...)
		r.rulerLine(width)
		b.task = openTask // no header row of its own
		r.newline()
	}
	for i, row := range rows {
		r.row(row, width)
		if i == 0 && b.task == noTask {
			r.rulerLine(width)
		}
	}
	leave()
}

func headerRow(row *storage.Node) bool {
	cells := cellsOf(row)
	for _, c := range cells {
		if c.Name != "th" {
			return false
		}
	}
	return len(cells) > 0
}

func (r *renderer) rulerLine(width int) {
	r.newline()
	r.out = append(r.out, "|"+strings.Repeat(" --- |", width)...)
}

func (r *renderer) row(n *storage.Node, width int) {
	b := r.open(kRow, n)
	leave := r.enter(b, "")
	r.out = append(r.out, '|')
	r.mode = escCell
	cells := cellsOf(n)
	for _, c := range cells {
		r.cell(b, c)
	}
	for i := len(cells); i < width; i++ {
		r.out = append(r.out, "  |"...)
	}
	r.mode = escText
	leave()
}

// cell writes one cell; its paragraphs are joined by line breaks.
func (r *renderer) cell(row *block, n *storage.Node) {
	r.out = append(r.out, ' ')
	b := r.newBlock(kCell, n)
	b.parent = row
	row.kids = append(row.kids, b)
	b.pieces = int32(len(r.pieces))
	b.inner = cellBody(n)
	r.text, r.in.level, r.in.dirty = b, 0, true
	r.cellFlow(n)
	r.in.space, r.in.breaks = false, r.in.breaks[:0]
	r.closeMarks(0, ' ')
	b.piecesEnd, b.mdEnd = int32(len(r.pieces)), int32(len(r.out))
	r.text = nil
	r.in.have = r.in.have[:0]
	r.out = append(r.out, " |"...)
}

// cellBody is the element that holds the text of a simple cell.
func cellBody(n *storage.Node) *storage.Node {
	for {
		var only *storage.Node
		for k := n.First; k != nil; k = k.Next {
			if k.Kind == storage.Element {
				if only != nil {
					return n
				}
				only = k
			}
		}
		if only == nil || only.Name != "p" && only.Name != "div" {
			return n
		}
		n = only
	}
}

func (r *renderer) cellFlow(n *storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if k.Name != "p" && k.Name != "div" {
			r.inline(k)
			continue
		}
		if len(r.pieces) > int(r.text.pieces) && strings.TrimSpace(r.tree.Text(k)) != "" {
			r.in.space = false
			r.in.breaks = append(r.in.breaks[:0], [2]int32{k.Start, k.Start})
			r.in.dirty = true
		}
		r.cellFlow(k)
		if k.Next != nil {
			r.in.space = false
			r.in.breaks = append(r.in.breaks[:0], [2]int32{k.End, k.End})
			r.in.dirty = true
			if len(r.pieces) == int(r.text.pieces) {
				r.in.breaks = r.in.breaks[:0]
			}
		}
	}
}

// simpleCell tells whether a cell is text that fits on one line.
func (r *renderer) simpleCell(c *storage.Node) bool {
	for _, a := range []string{"colspan", "rowspan"} {
		if v := r.tree.Attr(c, a); v != "" && v != "1" {
			return false
		}
	}
	return r.simpleContent(c)
}

func (r *renderer) simpleContent(n *storage.Node) bool {
	for k := n.First; k != nil; k = k.Next {
		if k.Kind != storage.Element {
			continue
		}
		if k.Name == "p" || k.Name == "div" {
			if !r.simpleContent(k) {
				return false
			}
			continue
		}
		old := r.mode
		r.mode = escCell
		bad := r.isBlock(k) || k.Name != "ac:link" && r.hasBlock(k)
		r.mode = old
		if bad {
			return false
		}
	}
	return true
}
