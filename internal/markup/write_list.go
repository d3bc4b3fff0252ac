package markup

import (
	"strconv"
	"strings"
)

// list writes a list; neighbouring tasks become a task list of their own.
func (w *writer) list(m *mnode) {
	for i := 0; i < len(m.kids); {
		j := i
		isTask := m.kids[i].task != noTask
		for j < len(m.kids) && (m.kids[j].task != noTask) == isTask {
			j++
		}
		if isTask {
			w.tasks(m.kids[i:j])
		} else {
			w.plainList(m, m.kids[i:j], m.start+i)
		}
		i = j
	}
}

func (w *writer) plainList(m *mnode, items []*mnode, start int) {
	tag := "ul"
	if m.ordered {
		tag = "ol"
	}
	w.out.WriteString("<" + tag)
	if m.ordered && start != 1 {
		w.out.WriteString(` start="` + strconv.Itoa(start) + `"`)
	}
	w.out.WriteString(">")
	for _, it := range items {
		w.item(it)
	}
	w.out.WriteString("</" + tag + ">")
}

func (w *writer) item(it *mnode) {
	if w.kept != nil {
		if bytes, ok := w.kept.moved(it); ok {
			w.out.WriteString(bytes)
			return
		}
	}
	w.out.WriteString("<li>")
	if len(it.kids) == 0 && w.itemP {
		w.out.WriteString("<p />")
	}
	if !w.itemP && plainText(it.kids) {
		w.out.WriteString(w.inline(it.kids[0].tokens))
		w.blocks(it.kids[1:])
	} else {
		w.blocks(it.kids)
	}
	w.out.WriteString("</li>")
}

// plainText: one line of text, then perhaps lists.
func plainText(kids []*mnode) bool {
	if len(kids) == 0 || kids[0].kind != kText || kids[0].level > 0 {
		return false
	}
	for _, k := range kids[1:] {
		if k.kind != kList {
			return false
		}
	}
	return true
}

func (w *writer) tasks(items []*mnode) {
	w.out.WriteString("<ac:task-list>")
	for _, it := range items {
		w.task(it)
	}
	w.out.WriteString("</ac:task-list>")
}

func (w *writer) task(it *mnode) {
	if w.kept != nil {
		if bytes, ok := w.kept.moved(it); ok {
			w.out.WriteString(bytes)
			return
		}
	}
	state := "incomplete"
	if it.task == doneTask {
		state = "complete"
	}
	w.out.WriteString("<ac:task><ac:task-status>" + state + "</ac:task-status><ac:task-body>")
	if plainText(it.kids) {
		w.out.WriteString(w.inline(it.kids[0].tokens))
		w.blocks(it.kids[1:])
	} else {
		w.blocks(it.kids)
	}
	w.out.WriteString("</ac:task-body></ac:task>")
}

func (w *writer) table(m *mnode) {
	w.out.WriteString("<table><tbody>")
	for i, row := range m.kids {
		tag := "td"
		if i == 0 && m.headed {
			tag = "th"
		}
		w.row(row, tag, m.start)
	}
	w.out.WriteString("</tbody></table>")
}

func (w *writer) row(row *mnode, tag string, width int) {
	w.out.WriteString("<tr>")
	for i := range max(width, len(row.kids)) {
		content := ""
		if i < len(row.kids) {
			content = w.inline(row.kids[i].tokens)
		}
		w.out.WriteString("<" + tag + ">" + w.cell(content) + "</" + tag + ">")
	}
	w.out.WriteString("</tr>")
}

func (w *writer) cell(content string) string {
	switch {
	case !w.cellP:
		return content
	case content == "":
		return "<p />"
	case strings.HasPrefix(content, "<ac:image") && strings.HasSuffix(content, "</ac:image>"):
		return content
	}
	return "<p>" + content + "</p>"
}
