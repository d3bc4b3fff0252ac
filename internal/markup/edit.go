package markup

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// Edit is one patch operation. Which fields matter depends on Op:
//
//	replace_text     find, replace [occurrence from 1 | all] [within]
//	replace_section  heading or handle, markdown
//	append           markdown [to: page, a heading, a list or table handle]
//	insert           after or before (heading or handle), markdown
//	delete           handle or section
//	set_cell         table, row, column, markdown
//	add_row          table, markdown ("| a | b |") [after: row]
//	set_task         handle, done
//	set_status       handle, title and/or colour [find: its present title]
//	set_property     key, markdown (page properties)
//	move             handle, after or before
//
// Headings are named by text, by a path "A > B" or by handle; tables by
// handle, heading or number; rows by the text of their first cell or number;
// columns by header or number. Numbers count from 1.
type Edit struct {
	Op         string `json:"op"`
	Find       string `json:"find,omitempty"`
	Replace    string `json:"replace,omitempty"`
	Occurrence int    `json:"occurrence,omitempty"`
	All        bool   `json:"all,omitempty"`
	Within     string `json:"within,omitempty"`
	Heading    string `json:"heading,omitempty"`
	Section    string `json:"section,omitempty"`
	Handle     string `json:"handle,omitempty"`
	Markdown   string `json:"markdown,omitempty"`
	To         string `json:"to,omitempty"`
	After      string `json:"after,omitempty"`
	Before     string `json:"before,omitempty"`
	Table      string `json:"table,omitempty"`
	Row        string `json:"row,omitempty"`
	Column     string `json:"column,omitempty"`
	Done       *bool  `json:"done,omitempty"`
	Title      string `json:"title,omitempty"`
	Colour     string `json:"colour,omitempty"`
	Key        string `json:"key,omitempty"`
}

// MaxEdits is how many operations one call may hold.
const MaxEdits = 100

// editor plans operations against one page.
type editor struct {
	p     *page
	pl    *planner
	list  []entry
	shown *mnode
	ties  map[*block]*mnode
	named []string // losses that the operations themselves name
}

// ApplyEdits plans all operations against base and applies them at once, or
// none of them. Errors: every code of [Error] but conflict; the message names
// the operation by number.
func ApplyEdits(base string, edits []Edit, opt Options) (Result, error) {
	t := storage.Parse(base)
	if t.Fault != nil {
		return Result{}, faultError(t.Fault)
	}
	if len(edits) == 0 || len(edits) > MaxEdits {
		return Result{}, fail("invalid", "", "between 1 and %d edits are possible, not %d", MaxEdits, len(edits))
	}
	p := render(t, opt.View)
	e := &editor{p: p, pl: &planner{p: p, opt: opt}}
	var claims []claim
	for i, x := range edits {
		cuts, leaves, inserts := len(e.pl.cuts), len(e.pl.leaves), len(e.pl.inserts)
		err := e.apply(x)
		claims = append(claims, e.pl.claimed(cuts, leaves, inserts))
		for j := 0; j < i && err == nil; j++ {
			if claims[j].overlaps(claims[i]) {
				err = fail("overlap", "Send them one after the other, or join them into one.", "it changes the same place as edit %d", j+1)
			}
		}
		if err != nil {
			return Result{}, numbered(err, i, x.Op, len(edits))
		}
	}
	ss, err := e.pl.finish()
	if err != nil {
		return Result{}, err
	}
	opt.AllowLoss = append(append([]string(nil), opt.AllowLoss...), e.named...)
	return finishWrite(p, ss, e.pl.notes, opt)
}

func numbered(err error, i int, op string, total int) error {
	me, ok := err.(*Error)
	if !ok || total == 1 {
		return err
	}
	c := *me
	c.Message = fmt.Sprintf("edit %d (%s): %s", i+1, op, me.Message)
	return &c
}

func (e *editor) apply(x Edit) error {
	if err := x.stray(); err != nil {
		return err
	}
	switch x.Op {
	case "replace_text":
		return e.replaceText(x)
	case "replace_section":
		return e.replaceSection(x)
	case "append":
		return e.appendTo(x)
	case "insert":
		return e.insert(x)
	case "delete":
		return e.remove(x)
	case "set_cell":
		return e.setCell(x)
	case "add_row":
		return e.addRow(x)
	case "set_task":
		return e.setTask(x)
	case "set_status":
		return e.setStatus(x)
	case "set_property":
		return e.setProperty(x)
	case "move":
		return e.move(x)
	}
	return fail("invalid", "Use replace_text, replace_section, append, insert, delete, set_cell, add_row, set_task, set_status, set_property or move.", "unknown operation %q", cut(x.Op, 40))
}

func missing(what, op string) error {
	return fail("invalid", "", "%s needs %s", op, what)
}

func (e *editor) entries() []entry {
	if e.list == nil {
		e.list = e.p.entries()
	}
	return e.list
}

// tree parses the shown Markdown, once.
func (e *editor) tree() (*mnode, error) {
	if e.shown != nil {
		return e.shown, nil
	}
	m, err := parseMarkdown(e.p.text)
	if err != nil {
		return nil, err
	}
	tie(m, e.p.root)
	e.shown, e.ties = m, map[*block]*mnode{}
	e.collect(m)
	return m, nil
}

func (e *editor) collect(m *mnode) {
	if m.tie != nil {
		e.ties[m.tie] = m
	}
	for _, k := range m.kids {
		e.collect(k)
	}
}

// node is the parsed Markdown of a block.
func (e *editor) node(b *block) (*mnode, error) {
	if _, err := e.tree(); err != nil {
		return nil, err
	}
	if m := e.ties[b]; m != nil {
		return m, nil
	}
	return nil, fail("unsupported", "Edit its text with replace_text.", "this %s can't be edited as Markdown", b.name())
}

func (e *editor) parse(md string) (*mnode, error) {
	return parseMarkdown(spread(strings.ReplaceAll(md, "\r\n", "\n")))
}

// find returns the block a handle names.
func (e *editor) find(handle string) (*block, error) {
	for _, x := range e.entries() {
		if x.handle == handle {
			return x.block, nil
		}
	}
	err := fail("not_found", "Read the page in blocks or outline mode for its handles.", "no block %q on the page", cut(handle, 60))
	for _, x := range e.entries() {
		if x.block.heading() && len(err.Candidates) < maxCandidates {
			err.Candidates = append(err.Candidates, x.handle+" "+cut(e.p.visible(x.block), 60))
		}
	}
	return nil, err
}

// place finds a block by handle, or a heading by text or path.
func (e *editor) place(ref string) (*block, error) {
	if looksLikeHandle(ref) {
		if b, err := e.find(ref); err == nil {
			return b, nil
		}
	}
	return e.p.findSection(ref)
}

func looksLikeHandle(s string) bool {
	return len(s) == 9 && s[0] == 'b' && strings.Trim(s[1:], "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func (e *editor) replaceSection(x Edit) error {
	if x.Heading != "" && x.Handle != "" {
		return missing("either heading or handle", x.Op)
	}
	ref := x.Heading
	if ref == "" {
		ref = x.Handle
	}
	if ref == "" {
		return missing("heading or handle", x.Op)
	}
	h, err := e.place(ref)
	if err != nil {
		return err
	}
	blocks := []*block{h}
	if h.heading() {
		blocks = e.p.section(h)
	}
	md, err := e.parse(x.Markdown)
	if err != nil {
		return err
	}
	old, err := e.slice(blocks)
	if err != nil {
		return err
	}
	if err := checkElision(e.p.text[blocks[0].md:blocks[len(blocks)-1].mdEnd], x.Markdown+strings.Repeat(" x", 1<<8), e.pl.opt.AllowLoss); err != nil {
		return err
	}
	if h.heading() && !startsWithHeading(md, h) {
		md.kids = append([]*mnode{old.kids[0]}, md.kids...)
	}
	return e.pl.kids(old, md)
}

// startsWithHeading tells whether new text brings its own heading.
func startsWithHeading(md *mnode, h *block) bool {
	return len(md.kids) > 0 && md.kids[0].kind == kText && md.kids[0].level > 0 && md.kids[0].level <= h.level
}

// slice is a container that holds only the given sibling blocks.
func (e *editor) slice(blocks []*block) (*mnode, error) {
	if _, err := e.tree(); err != nil {
		return nil, err
	}
	out := &mnode{kind: blocks[0].parent.kind, tie: blocks[0].parent}
	for _, b := range blocks {
		m, err := e.node(b)
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, m)
	}
	return out, nil
}

// put plans new blocks at a place.
func (e *editor) put(ms []*mnode, at int32, into *mnode) {
	for _, m := range ms {
		e.pl.order++
		e.pl.inserts = append(e.pl.inserts, blockInsert{at: at, m: m, into: into, order: e.pl.order})
	}
}

func (e *editor) insert(x Edit) error {
	ref := x.After + x.Before
	if x.After != "" && x.Before != "" || ref == "" {
		return missing("either after or before", x.Op)
	}
	b, err := e.place(ref)
	if err != nil {
		return err
	}
	md, err := e.parse(x.Markdown)
	if err != nil {
		return err
	}
	if len(md.kids) == 0 {
		return missing("markdown", x.Op)
	}
	ms, into, err := e.fit(md.kids, b)
	if err != nil {
		return err
	}
	from, to := e.p.outer(b)
	if x.Before != "" {
		to = from
	}
	e.put(ms, to, into)
	return nil
}

// fit unwraps new blocks for their place: beside an item go items, beside a
// row go rows.
func (e *editor) fit(ms []*mnode, b *block) ([]*mnode, *mnode, error) {
	into := &mnode{kind: b.parent.kind, tie: b.parent, kids: []*mnode{{tie: b, kind: b.kind}}}
	want := map[kind]kind{kItem: kList, kRow: kTable}[b.kind]
	if want == kRoot {
		return ms, into, nil
	}
	var out []*mnode
	for _, m := range ms {
		if m.kind != want {
			return nil, nil, fail("invalid", "Send a list beside an item and table rows beside a row.", "a %s can't stand beside a %s", kindNames[m.kind], b.name())
		}
		out = append(out, m.kids...)
	}
	return out, into, nil
}

func (e *editor) remove(x Edit) error {
	ref := x.Handle + x.Section
	if x.Handle != "" && x.Section != "" || ref == "" {
		return missing("handle or section", x.Op)
	}
	b, err := e.place(ref)
	if err != nil {
		return err
	}
	blocks := []*block{b}
	if x.Section != "" && b.heading() {
		blocks = e.p.section(b)
	}
	if len(blocks) == 1 {
		e.name(blocks[0])
	}
	for _, b := range blocks {
		if b.kind == kText && b.broken {
			return fail("unsupported", "Delete the block around it.", "this text shares its paragraph with another block")
		}
		e.pl.cuts = append(e.pl.cuts, splice{from: b.src, to: b.srcEnd})
	}
	return nil
}

// name notes what a block is that is removed by itself: then its loss is meant.
func (e *editor) name(b *block) {
	if b.handle != "" || b.kind == kCode || b.kind == kQuote || b.kind == kDetails {
		e.named = append(e.named, e.p.macroName(b))
	}
	if b.kind == kItem && b.task != noTask {
		e.named = append(e.named, "task")
	}
}

// macroName is the macro a block is, "" when it is none.
func (p *page) macroName(b *block) string {
	if b.node != nil && (b.node.Name == "ac:structured-macro" || b.node.Name == "ac:macro") {
		return p.tree.Attr(b.node, "ac:name")
	}
	if b.node != nil && b.node.Name == "ac:adf-extension" {
		return "adf-extension"
	}
	return ""
}
