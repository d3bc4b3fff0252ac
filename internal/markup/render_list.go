package markup

import (
	"strconv"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

func (r *renderer) list(k *storage.Node) {
	if k.First == nil || !hasElement(k) {
		r.flow(k)
		return
	}
	b := r.open(kList, k)
	b.ordered = k.Name == "ol"
	b.start = 1
	if n, err := strconv.Atoi(r.tree.Attr(k, "start")); err == nil && n >= 0 && n < 1e8 {
		b.start = n
	}
	alternate := r.afterSimilarList(b)
	leave := r.enter(b, "")
	number := b.start
	for c := k.First; c != nil; c = c.Next {
		if c.Kind != storage.Element && !visibleText(r.tree, c) {
			continue
		}
		r.item(c, listMarker(b.ordered, alternate, number), noTask)
		number++
	}
	leave()
}

func hasElement(n *storage.Node) bool {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == storage.Element {
			return true
		}
	}
	return false
}

// afterSimilarList tells whether the list would run into the one before it;
// the marker is then changed, which Markdown reads as a new list.
func (r *renderer) afterSimilarList(b *block) bool {
	kids := b.parent.kids
	if len(kids) < 2 {
		return false
	}
	last := kids[len(kids)-2]
	return last.kind == kList && last.ordered == b.ordered && !last.broken && r.setAlternate(b)
}

// setAlternate remembers the other marker on the block itself.
func (r *renderer) setAlternate(b *block) bool {
	b.broken = true
	return true
}

func listMarker(ordered, alternate bool, number int) string {
	switch {
	case ordered && alternate:
		return strconv.Itoa(number) + ") "
	case ordered:
		return strconv.Itoa(number) + ". "
	case alternate:
		return "* "
	}
	return "- "
}

// item renders one entry of a list. A list that stands directly in a list is
// shown as an entry that holds it.
func (r *renderer) item(c *storage.Node, marker string, state task) {
	b := r.open(kItem, c)
	b.task = state
	r.out = append(r.out, marker...)
	indent := strings.Repeat(" ", len(marker))
	switch state {
	case openTask:
		r.out = append(r.out, "[ ] "...)
	case doneTask:
		r.out = append(r.out, "[x] "...)
	}
	leave := r.enter(b, indent)
	switch c.Name {
	case "li":
		r.flow(c)
	case "ac:task":
		r.taskContent(c, b)
	default:
		if r.isBlock(c) {
			r.block(c)
		} else {
			r.beginRun(c)
			r.inline(c)
		}
	}
	leave()
	r.trimBlanks()
	b.mdEnd = int32(len(r.out))
}

func (r *renderer) taskList(k *storage.Node) {
	if k.Child("ac:task") == nil && k.Child("ac:task-list") == nil {
		r.flow(k)
		return
	}
	b := r.open(kList, k)
	b.start = 1
	marker := listMarker(false, r.afterSimilarList(b), 1)
	leave := r.enter(b, "")
	for c := k.First; c != nil; c = c.Next {
		switch c.Name {
		case "ac:task":
			state := openTask
			if s := c.Child("ac:task-status"); s != nil && strings.TrimSpace(r.tree.Text(s)) == "complete" {
				state = doneTask
			}
			r.item(c, marker, state)
		case "ac:task-list":
			if len(b.kids) == 0 {
				r.item(c, marker, noTask)
				continue
			}
			r.nestedTasks(b.kids[len(b.kids)-1], c, len(marker))
		}
	}
	leave()
}

// nestedTasks shows a task list that stands beside a task as a child of it.
func (r *renderer) nestedTasks(under *block, c *storage.Node, width int) {
	leave := r.enter(under, strings.Repeat(" ", width))
	r.taskList(c)
	leave()
}

func (r *renderer) taskContent(c *storage.Node, b *block) {
	for k := c.First; k != nil; k = k.Next {
		switch k.Name {
		case "ac:task-body":
			b.inner = k
			r.flow(k)
		case "ac:task-list":
			r.endText()
			r.taskList(k)
		}
	}
}

func visibleText(t *storage.Tree, n *storage.Node) bool {
	return n.Kind == storage.CDATA || n.Kind == storage.Text && strings.TrimSpace(t.Inner(n)) != ""
}
