package markup

import (
	"strconv"

	"confluence-mcp/internal/markup/storage"
)

// attributes splices what a block says beside its content.
func (pl *planner) attributes(a, b *mnode) error {
	switch a.kind {
	case kText:
		return pl.setLevel(a, b.level)
	case kList:
		return pl.setList(a, b)
	case kItem:
		if a.task != b.task {
			return pl.setTask(a, b.task)
		}
	case kFence:
		return keptTag(a, b.tag)
	case kCode:
		return pl.setLanguage(a, b.tag)
	case kQuote:
		return pl.setQuote(a, b)
	case kDetails:
		return pl.setTitle(a, b.title)
	}
	return nil
}

// setLevel makes a paragraph a heading, or the other way round.
func (pl *planner) setLevel(a *mnode, level int8) error {
	n := a.tie.node
	switch {
	case a.level == level:
		return nil
	case n == nil || n.Name == "ac:parameter" || n.Name == "ac:caption":
		return pl.loose(a)
	}
	tag := "p"
	if level > 0 {
		tag = "h" + strconv.Itoa(int(level))
	}
	pl.retag(n, tag)
	return nil
}

// setList changes the kind of a list or, of an ordered one, its first number.
func (pl *planner) setList(a, b *mnode) error {
	n := a.tie.node
	if a.ordered == b.ordered {
		if a.ordered && a.start != b.start {
			pl.setAttr(n, "start", strconv.Itoa(b.start))
		}
		return nil
	}
	if n.Name == "ac:task-list" {
		return pl.loose(a)
	}
	tag := "ul"
	if b.ordered {
		tag = "ol"
	}
	pl.retag(n, tag)
	return nil
}

// keptTag refuses a change of the line a placeholder stands in.
func keptTag(a *mnode, tag string) error {
	if a.tag == tag {
		return nil
	}
	err := fail("invalid", "Leave the line of a placeholder as it is; take the whole fence out to delete it.", "the placeholder %s is altered: %q", a.handle, cut(tag, 40))
	err.Candidates = []string{a.handle + " " + a.tag}
	return err
}

func (pl *planner) setLanguage(a *mnode, language string) error {
	if a.tag == language {
		return nil
	}
	return pl.setMacroParam(a, "language", language)
}

func (pl *planner) setQuote(a, b *mnode) error {
	if calloutMacro(a.tag) != calloutMacro(b.tag) {
		return pl.setCallout(a, b)
	}
	return pl.setTitle(a, b.title)
}

func (pl *planner) setTitle(a *mnode, title string) error {
	if a.title == title {
		return nil
	}
	return pl.setMacroParam(a, "title", title)
}

func (pl *planner) retag(n *storage.Node, tag string) {
	pl.cuts = append(pl.cuts, splice{from: n.Start + 1, to: n.Start + 1 + int32(len(n.Name)), text: tag})
	if n.CloseStart < n.End {
		pl.cuts = append(pl.cuts, splice{from: n.CloseStart + 2, to: n.CloseStart + 2 + int32(len(n.Name)), text: tag})
	}
}

func (pl *planner) setAttr(n *storage.Node, name, value string) {
	pl.cuts = append(pl.cuts, attrSplice(pl.p.tree, n, name, value))
}

func (pl *planner) setTask(a *mnode, state task) error {
	s := a.tie.node.Child("ac:task-status")
	if s == nil || state == noTask || s.OpenEnd == s.End {
		return pl.loose(a)
	}
	text := "incomplete"
	if state == doneTask {
		text = "complete"
	}
	pl.cuts = append(pl.cuts, splice{from: s.OpenEnd, to: s.CloseStart, text: text})
	return nil
}

// setMacroParam changes, makes or, with an empty value, removes a parameter.
func (pl *planner) setMacroParam(a *mnode, name, value string) error {
	n := a.tie.node
	if n == nil || n.Name != "ac:structured-macro" && n.Name != "ac:macro" {
		return pl.loose(a)
	}
	pl.macroParam(n, name, value)
	return nil
}

func (pl *planner) macroParam(n *storage.Node, name, value string) {
	pl.cuts = append(pl.cuts, paramSplices(pl.p.tree, n, name, value)...)
}

// setCallout turns a callout into another kind of callout.
func (pl *planner) setCallout(a, b *mnode) error {
	name := calloutMacro(b.tag)
	n := a.tie.node
	if n == nil || n.Name != "ac:structured-macro" || name == "" || a.tag == "PANEL" || b.tag == "PANEL" {
		return pl.loose(a)
	}
	pl.setAttr(n, "ac:name", name)
	return pl.setTitle(a, b.title)
}
