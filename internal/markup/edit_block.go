package markup

import (
	"confluence-mcp/internal/markup/storage"
)

// appendTo adds at the end of the page, a section, a list, a table or a container.
func (e *editor) appendTo(x Edit) error {
	md, err := e.parse(x.Markdown)
	if err != nil {
		return err
	}
	if len(md.kids) == 0 {
		return missing("markdown", x.Op)
	}
	if x.To == "" || x.To == "page" {
		cell := &block{kind: kRoot, node: lastCell(e.p.tree.Root)}
		e.fill(md.kids, &mnode{kind: kRoot, tie: cell})
		return nil
	}
	b, err := e.place(x.To)
	if err != nil {
		return err
	}
	switch {
	case b.heading():
		s := e.p.section(b)
		_, at := e.p.outer(s[len(s)-1])
		e.put(md.kids, at, &mnode{kind: b.parent.kind, tie: b.parent})
	case (b.kind == kList || b.kind == kTable) && len(b.kids) > 0:
		last := b.kids[len(b.kids)-1]
		ms, into, err := e.fit(md.kids, last)
		if err != nil {
			return err
		}
		_, at := e.p.outer(last)
		e.put(ms, at, into)
	case b.kind == kQuote || b.kind == kDetails || b.kind == kMacro || b.kind == kItem:
		e.fill(md.kids, &mnode{kind: b.kind, tie: b})
	default:
		return fail("invalid", "Name a heading, list, table or container, or insert after the block.", "nothing can be appended to a %s", b.name())
	}
	return nil
}

// fill plans new blocks at the end of a container, which may be an empty element.
func (e *editor) fill(ms []*mnode, into *mnode) {
	at, closed := e.p.inside(into.tie)
	for _, m := range ms {
		e.pl.order++
		e.pl.inserts = append(e.pl.inserts, blockInsert{at: at, m: m, into: into, close: closed, order: e.pl.order})
	}
}

func (e *editor) setTask(x Edit) error {
	if x.Handle == "" || x.Done == nil {
		return missing("handle and done", x.Op)
	}
	b, err := e.find(x.Handle)
	if err != nil {
		return err
	}
	for b.kind != kRoot && (b.kind != kItem || b.task == noTask) {
		b = b.parent
	}
	if b.kind == kRoot {
		return fail("invalid", "Name the handle of a task.", "the block is no task")
	}
	want := openTask
	if *x.Done {
		want = doneTask
	}
	if want == b.task {
		return nil
	}
	return e.pl.setTask(&mnode{kind: kItem, tie: b}, want)
}

func (e *editor) setStatus(x Edit) error {
	if x.Handle == "" || x.Title == "" && x.Colour == "" {
		return missing("handle and title or colour", x.Op)
	}
	b, err := e.find(x.Handle)
	if err != nil {
		return err
	}
	var found []*storage.Node
	e.statuses(e.p.tree.Root, b.src, b.srcEnd, x.Find, &found)
	if len(found) != 1 {
		code := map[bool]string{true: "not_found", false: "ambiguous"}[len(found) == 0]
		return fail(code, "Name the status by its present title in find.", "the block holds %d such statuses", len(found))
	}
	if x.Title != "" {
		e.pl.macroParam(found[0], "title", x.Title)
	}
	if x.Colour != "" {
		e.pl.macroParam(found[0], "colour", x.Colour)
	}
	return nil
}

// statuses finds status macros between two places.
func (e *editor) statuses(n *storage.Node, from, to int32, title string, out *[]*storage.Node) {
	for k := n.First; k != nil; k = k.Next {
		if k.End <= from || k.Start >= to {
			continue
		}
		if k.Name == "ac:structured-macro" && e.p.tree.Attr(k, "ac:name") == "status" {
			p := e.p.tree.Param(k, "title")
			if title == "" || p != nil && fold(e.p.tree.Text(p)) == fold(title) {
				*out = append(*out, k)
			}
			continue
		}
		e.statuses(k, from, to, title, out)
	}
}
