package markup

// move takes a block, or a section named by its heading, to another place with
// its own bytes.
func (e *editor) move(x Edit) error {
	ref := x.After + x.Before
	if x.Handle == "" || ref == "" || x.After != "" && x.Before != "" {
		return missing("handle and either after or before", x.Op)
	}
	b, err := e.place(x.Handle)
	if err != nil {
		return err
	}
	target, err := e.place(ref)
	if err != nil {
		return err
	}
	if !besides(b, target) {
		return fail("invalid", "Name a block of the same kind.", "a %s can't stand beside a %s", b.name(), target.name())
	}
	blocks := []*block{b}
	if b.heading() {
		blocks = e.p.section(b)
	}
	at := e.target(b, target, x.Before != "")
	text := ""
	for _, k := range blocks {
		if k.node == nil || k.node.Name == "ac:parameter" {
			return fail("unsupported", "Move the block around it.", "this %s has no element of its own to move", k.name())
		}
		if at > k.src && at < k.srcEnd {
			return fail("invalid", "Name a place outside of it.", "a block can't move into itself")
		}
		text += e.p.tree.Source[k.src:k.srcEnd]
		e.pl.cuts = append(e.pl.cuts, splice{from: k.src, to: k.srcEnd})
	}
	e.pl.order++
	e.pl.cuts = append(e.pl.cuts, splice{from: at, to: at, text: text, order: e.pl.order})
	return nil
}

// besides tells whether a block may stand beside another: items only beside
// items, rows only beside rows.
func besides(b, target *block) bool {
	for _, k := range []kind{kItem, kRow, kCell} {
		if (b.kind == k) != (target.kind == k) {
			return false
		}
	}
	return true
}

// target is the place before or after a block; after a heading that a section
// moves to means after its whole section.
func (e *editor) target(b, target *block, before bool) int32 {
	from, to := e.p.outer(target)
	if before {
		return from
	}
	if target.heading() && b.heading() {
		section := e.p.section(target)
		_, to = e.p.outer(section[len(section)-1])
	}
	return to
}
