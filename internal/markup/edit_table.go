package markup

import (
	"strconv"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// tableNamed finds a table by handle, number, heading, or as the only one.
func (e *editor) tableNamed(ref string) (*storage.Node, *block, error) {
	var tables, direct []*block
	var under *block
	if ref != "" && !isNumber(ref) {
		b, err := e.place(ref)
		if err != nil {
			return nil, nil, err
		}
		under = b
	}
	e.eachBlock(under, func(b *block) {
		if b.kind == kTable || b.kind == kHTML {
			tables = append(tables, b)
			if under != nil && b.parent == under.parent {
				direct = append(direct, b)
			}
		}
	})
	if len(direct) == 1 {
		tables = direct
	}
	return tableAt(tables, ref)
}

// tableAt chooses by number, or the only one.
func tableAt(tables []*block, ref string) (*storage.Node, *block, error) {
	if n, err := strconv.Atoi(ref); err == nil && n >= 1 && n <= len(tables) {
		return tables[n-1].node, tables[n-1], nil
	}
	if len(tables) == 1 && !isNumber(ref) {
		return tables[0].node, tables[0], nil
	}
	if len(tables) == 0 || isNumber(ref) {
		return nil, nil, fail("not_found", "Name the table by handle, heading or number.", "no such table; the page has %d", len(tables))
	}
	return nil, nil, fail("ambiguous", "Name the table by handle or number.", "%d tables match", len(tables))
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// eachBlock visits the blocks of a section, of one block, or of the page.
func (e *editor) eachBlock(within *block, f func(*block)) {
	roots := []*block{e.p.root}
	if within != nil {
		roots = []*block{within}
		if within.heading() {
			roots = e.p.section(within)
		}
	}
	var walk func(*block)
	walk = func(b *block) {
		f(b)
		for _, k := range b.kids {
			walk(k)
		}
	}
	for _, b := range roots {
		walk(b)
	}
}

func (e *editor) cellText(c *storage.Node) string { return fold(e.p.tree.Text(c)) }

// rowNamed finds a row by the text of its first cell or by number; the header
// row has no number.
func (e *editor) rowNamed(rows []*storage.Node, ref string) (*storage.Node, error) {
	var found []*storage.Node
	for _, r := range rows {
		if cells := cellsOf(r); len(cells) > 0 && e.cellText(cells[0]) == fold(ref) {
			found = append(found, r)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if n, err := strconv.Atoi(ref); err == nil && len(found) == 0 {
		if len(rows) > 0 && headerRow(rows[0]) {
			rows = rows[1:]
		}
		if n >= 1 && n <= len(rows) {
			return rows[n-1], nil
		}
	}
	code, next := "not_found", "Name a row by the text of its first cell, or by number."
	if len(found) > 1 {
		code, next = "ambiguous", "Name the row by number."
	}
	err := fail(code, next, "%d rows begin with %q", len(found), cut(ref, 60))
	for _, r := range rows[:min(len(rows), maxCandidates)] {
		if cells := cellsOf(r); len(cells) > 0 {
			err.Candidates = append(err.Candidates, cut(strings.TrimSpace(e.p.tree.Text(cells[0])), 60))
		}
	}
	return nil, err
}

func (e *editor) columnNamed(rows []*storage.Node, ref string) (int, error) {
	var found []int
	for i, c := range cellsOf(rows[0]) {
		if e.cellText(c) == fold(ref) {
			found = append(found, i)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if n, err := strconv.Atoi(ref); err == nil && n >= 1 {
		return n - 1, nil
	}
	err := fail("not_found", "Name a column by its header, or by number.", "%d columns are named %q", len(found), cut(ref, 60))
	for _, c := range cellsOf(rows[0]) {
		err.Candidates = append(err.Candidates, cut(strings.TrimSpace(e.p.tree.Text(c)), 60))
	}
	return 0, err
}

func (e *editor) setCell(x Edit) error {
	if x.Row == "" || x.Column == "" {
		return missing("row and column", x.Op)
	}
	t, b, err := e.tableNamed(x.Table)
	if err != nil {
		return err
	}
	rows, _ := rowsOf(t)
	row, err := e.rowNamed(rows, x.Row)
	if err != nil {
		return err
	}
	column, err := e.columnNamed(rows, x.Column)
	if err != nil {
		return err
	}
	cells := cellsOf(row)
	if column >= len(cells) {
		return fail("not_found", "Name the column by number within the row.", "the row has %d cells", len(cells))
	}
	return e.fillCell(b, cells[column], x.Markdown)
}

// fillCell changes a cell word by word where it is one line of text, and as a
// whole where it is not.
func (e *editor) fillCell(table *block, cell *storage.Node, markdown string) error {
	md, err := e.parse(markdown)
	if err != nil {
		return err
	}
	edited, oneLine := lineOf(md)
	shown := cellBlock(table, cell)
	if !oneLine || shown == nil {
		return e.rewriteCell(cell, md.kids)
	}
	m, err := e.node(shown)
	if err != nil {
		return err
	}
	return e.pl.pair(m, edited)
}

// lineOf is Markdown as a cell of one line of text, if it is that.
func lineOf(md *mnode) (cell *mnode, ok bool) {
	cell = &mnode{kind: kCell}
	switch {
	case len(md.kids) == 0:
		return cell, true
	case len(md.kids) > 1 || md.kids[0].kind != kText:
		return nil, false
	}
	cell.tokens = md.kids[0].tokens
	return cell, true
}

// cellBlock is the block of a cell in a table that Markdown shows as one.
func cellBlock(table *block, cell *storage.Node) *block {
	if table.kind != kTable {
		return nil
	}
	for _, r := range table.kids {
		for _, c := range r.kids {
			if c.node == cell {
				return c
			}
		}
	}
	return nil
}

func (e *editor) rewriteCell(cell *storage.Node, ms []*mnode) error {
	b := &block{kind: kCell, node: cell, src: cell.Start, srcEnd: cell.End}
	into := &mnode{kind: kCell, tie: b}
	if cell.OpenEnd == cell.End {
		for _, m := range ms {
			e.pl.order++
			e.pl.inserts = append(e.pl.inserts, blockInsert{at: cell.OpenEnd, m: m, into: into, close: true, order: e.pl.order})
		}
		return nil
	}
	if cell.First != nil {
		e.pl.cuts = append(e.pl.cuts, splice{from: cell.OpenEnd, to: cell.CloseStart})
	}
	e.put(ms, cell.CloseStart, into)
	return nil
}

func (e *editor) addRow(x Edit) error {
	t, b, err := e.tableNamed(x.Table)
	if err != nil {
		return err
	}
	rows, _ := rowsOf(t)
	if len(rows) == 0 {
		return fail("unsupported", "", "the table has no rows")
	}
	after := rows[len(rows)-1]
	if x.After != "" {
		if after, err = e.rowNamed(rows, x.After); err != nil {
			return err
		}
	}
	cells, err := e.rowCells(x.Markdown)
	if err != nil {
		return err
	}
	width := len(cellsOf(rows[0]))
	if len(cells) > width {
		return fail("invalid", "", "the table has %d columns, the row %d", width, len(cells))
	}
	for len(cells) < width {
		cells = append(cells, &mnode{kind: kCell})
	}
	into := &mnode{kind: kTable, tie: b}
	for _, r := range rows {
		into.kids = append(into.kids, &mnode{kind: kRow, tie: &block{kind: kRow, node: r}})
	}
	e.put([]*mnode{{kind: kRow, kids: cells}}, after.End, into)
	return nil
}

// rowCells reads "| a | b |" as the cells of one row.
func (e *editor) rowCells(line string) ([]*mnode, error) {
	line = strings.TrimSpace(line)
	if line == "" || strings.Contains(line, "\n") {
		return nil, fail("invalid", "", "add_row needs markdown with one line such as | a | b |")
	}
	if !strings.HasPrefix(line, "|") {
		line = "| " + line
	}
	if !strings.HasSuffix(line, "|") || strings.HasSuffix(line, "\\|") {
		line += " |"
	}
	width := strings.Count(line, "|")
	md, err := parseMarkdown("|" + strings.Repeat(" x |", width) + "\n|" + strings.Repeat(" --- |", width) + "\n" + line + "\n")
	if err != nil {
		return nil, err
	}
	if len(md.kids) != 1 || md.kids[0].kind != kTable || len(md.kids[0].kids) < 2 {
		return nil, fail("invalid", "", "add_row needs markdown with one line such as | a | b |")
	}
	cells := md.kids[0].kids[1].kids
	for len(cells) > 0 && cells[len(cells)-1].at == 0 && len(cells[len(cells)-1].tokens) == 0 && len(cells) > strings.Count(line, "|")-1-strings.Count(line, "\\|") {
		cells = cells[:len(cells)-1]
	}
	return cells, nil
}

// setProperty changes or adds one line of the page properties.
func (e *editor) setProperty(x Edit) error {
	if x.Key == "" {
		return missing("key", x.Op)
	}
	tables := e.propertyTables()
	if len(tables) == 0 {
		return fail("not_found", "Add a page properties section first.", "the page has no page properties")
	}
	if b, cell := e.property(tables, fold(x.Key)); cell != nil {
		return e.fillCell(b, cell, x.Markdown)
	}
	return e.addProperty(tables[0], x)
}

// propertyTables are the tables in sections of page properties.
func (e *editor) propertyTables() []*block {
	var tables []*block
	e.eachBlock(nil, func(b *block) {
		if b.kind != kTable && b.kind != kHTML {
			return
		}
		for p := b.parent; p != nil; p = p.parent {
			if p.tag == "details" && p.kind == kMacro {
				tables = append(tables, b)
				return
			}
		}
	})
	return tables
}

// property finds the value of a folded key, nil where there is none.
func (e *editor) property(tables []*block, key string) (*block, *storage.Node) {
	for _, b := range tables {
		rows, _ := rowsOf(b.node)
		for _, r := range rows {
			if cells := cellsOf(r); len(cells) > 1 && e.cellText(cells[0]) == key {
				return b, cells[1]
			}
		}
	}
	return nil, nil
}

// addProperty adds a line to a table whose lines are a key and a value.
func (e *editor) addProperty(t *block, x Edit) error {
	rows, _ := rowsOf(t.node)
	if len(rows) == 0 || len(cellsOf(rows[0])) != 2 {
		return fail("not_found", "Edit the table with set_cell.", "no property %q on the page", cut(x.Key, 60))
	}
	key, err := e.rowCells("| " + strings.ReplaceAll(mdText(x.Key), "|", "\\|") + " | " + strings.ReplaceAll(x.Markdown, "\n", " ") + " |")
	if err != nil {
		return err
	}
	into := &mnode{kind: kTable, tie: t}
	for _, r := range rows {
		into.kids = append(into.kids, &mnode{kind: kRow, tie: &block{kind: kRow, node: r}})
	}
	e.put([]*mnode{{kind: kRow, kids: key}}, rows[len(rows)-1].End, into)
	return nil
}
