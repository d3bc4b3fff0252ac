package wiki

import (
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
)

func (w *writer) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		w.inlineIn(fmt.Sprintf("<h%d>", n.Level), n, fmt.Sprintf("</h%d>", n.Level))
	case *ast.Paragraph:
		w.inlineIn("<p>", n, "</p>")
	case *ast.TextBlock:
		w.inlines(n)
	case *ast.List:
		w.list(n)
	case *ast.Blockquote:
		w.wrap("<blockquote>", n, "</blockquote>")
	case *ast.ThematicBreak:
		w.put("<hr />")
	case *ast.FencedCodeBlock:
		w.code(string(n.Language(w.source)), n)
	case *ast.CodeBlock:
		w.code("", n)
	case *ast.HTMLBlock:
		w.htmlBlock(n)
	case *east.Table:
		w.table(n)
	default:
		w.blocks(n)
	}
}

// inlineIn writes an element unless it would be empty.
func (w *writer) inlineIn(open string, n ast.Node, shut string) {
	before := w.b.Len()
	w.put(open)
	begin := w.b.Len()
	w.inlines(n)
	if w.b.Len() == begin {
		kept := w.b.String()[:before]
		w.b.Reset()
		w.put(kept)
		return
	}
	w.put(shut)
}

func (w *writer) list(n *ast.List) {
	if isTaskList(n) {
		*w.tasks++
		if *w.tasks%everyTasks == 0 {
			w.taskList(n)
			return
		}
	}
	tag := "ul"
	open := "<ul>"
	if n.IsOrdered() {
		tag, open = "ol", "<ol>"
		if n.Start > 1 {
			open = fmt.Sprintf(`<ol start="%d">`, n.Start)
		}
	}
	w.put(open)
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		w.wrap("<li>", item, "</li>")
	}
	w.put("</" + tag + ">")
}

func isTaskList(n *ast.List) bool {
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		if checkBox(item) == nil {
			return false
		}
	}
	return true
}

// checkBox is the check box that a list item begins with.
func checkBox(item ast.Node) *east.TaskCheckBox {
	if item.FirstChild() == nil {
		return nil
	}
	box, _ := item.FirstChild().FirstChild().(*east.TaskCheckBox)
	return box
}

func (w *writer) taskList(n *ast.List) {
	w.put("<ac:task-list>")
	id := 1
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		box := checkBox(item)
		status := "incomplete"
		if box.IsChecked {
			status = "complete"
		}
		box.Parent().RemoveChild(box.Parent(), box)
		w.put(fmt.Sprintf("<ac:task><ac:task-id>%d</ac:task-id><ac:task-status>%s</ac:task-status><ac:task-body>", id, status))
		w.wrap("<span>", item.FirstChild(), "</span>")
		for more := item.FirstChild().NextSibling(); more != nil; more = more.NextSibling() {
			w.block(more)
		}
		w.put("</ac:task-body></ac:task>")
		id++
	}
	w.put("</ac:task-list>")
}

// code writes a code macro, in an expand macro once a page where wanted.
func (w *writer) code(language string, n ast.Node) {
	var text strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		text.Write(line.Value(w.source))
	}
	expand := w.expandCode
	w.expandCode = false
	if expand {
		w.put(`<ac:structured-macro ac:name="expand" ac:schema-version="1"><ac:parameter ac:name="title">Show the code</ac:parameter><ac:rich-text-body>`)
	}
	w.put(`<ac:structured-macro ac:name="code" ac:schema-version="1">`)
	if language != "" {
		w.put(`<ac:parameter ac:name="language">` + escape(language) + `</ac:parameter>`)
	}
	body := strings.ReplaceAll(legal(strings.TrimSuffix(text.String(), "\n")), "]]>", "]]]]><![CDATA[>")
	w.put("<ac:plain-text-body><![CDATA[" + body + "]]></ac:plain-text-body></ac:structured-macro>")
	if expand {
		w.put("</ac:rich-text-body></ac:structured-macro>")
	}
}

// htmlBlock keeps the words of raw HTML; its tags are not storage.
func (w *writer) htmlBlock(n *ast.HTMLBlock) {
	var raw strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		raw.Write(line.Value(w.source))
	}
	if n.HasClosure() {
		raw.Write(n.ClosureLine.Value(w.source))
	}
	if words := strings.Fields(withoutTags(raw.String())); len(words) > 0 {
		w.put("<p>" + escape(strings.Join(words, " ")) + "</p>")
	}
}

func (w *writer) table(n *east.Table) {
	w.put("<table><tbody>")
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		tag := "td"
		if _, head := row.(*east.TableHeader); head {
			tag = "th"
		}
		w.put("<tr>")
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			w.put("<" + tag + "><p>")
			w.inlines(cell)
			w.put("</p></" + tag + ">")
		}
		w.put("</tr>")
	}
	w.put("</tbody></table>")
}

// escape makes text legal in element content and attributes.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(legal(s))
}

// legal drops what XML cannot hold.
func legal(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 && c != '\t' && c != '\n' || c == 0xFFFE || c == 0xFFFF {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// withoutTags is the text of an HTML fragment.
func withoutTags(s string) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(s, "<")
		b.WriteString(text)
		if !found {
			return html.UnescapeString(b.String())
		}
		if after, comment := strings.CutPrefix(rest, "!--"); comment {
			_, s, _ = strings.Cut(after, "-->")
		} else {
			_, s, _ = strings.Cut(rest, ">")
		}
		b.WriteByte(' ')
	}
}
