package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// calloutTags maps macro names to the tag their callout is shown with.
func calloutTag(macro string) string {
	switch macro {
	case "info":
		return "NOTE"
	case "note":
		return "IMPORTANT"
	case "tip", "success":
		return "TIP"
	case "warning":
		return "WARNING"
	case "error":
		return "CAUTION"
	case "panel":
		return "PANEL"
	}
	return ""
}

func (r *renderer) param(n *storage.Node, name string) string {
	if p := r.tree.Param(n, name); p != nil {
		return strings.TrimSpace(r.tree.Text(p))
	}
	return ""
}

// blockMacro renders a macro that stands by itself.
func (r *renderer) blockMacro(n *storage.Node) {
	name := r.tree.Attr(n, "ac:name")
	if body := n.Child("ac:rich-text-body"); body != nil {
		r.richMacro(n, body, name)
		return
	}
	if body := n.Child("ac:plain-text-body"); body != nil {
		r.plainMacro(n, body, name)
		return
	}
	r.placeholder(n, name)
}

func (r *renderer) richMacro(n, body *storage.Node, name string) {
	title := r.param(n, "title")
	if tag := calloutTag(name); tag != "" {
		b := r.open(kQuote, n)
		b.inner, b.tag, b.title = body, tag, title
		r.quote(b, strings.TrimSpace("[!"+tag+"] "+mdText(title)), body)
		return
	}
	switch name {
	case "expand", "ui-expand":
		r.expand(n, body, title)
	case "section", "column":
		r.flow(body)
	default:
		r.section(n, body, name, name)
	}
}

// expand writes the tag of the title in capitals, so that the word "summary"
// of a page's own text can be found and replaced without hitting the tag.
func (r *renderer) expand(n, body *storage.Node, title string) {
	b := r.open(kDetails, n)
	b.inner, b.title = body, title
	r.out = append(r.out, "<details>"...)
	r.newline()
	r.out = append(r.out, "<SUMMARY>"+htmlText(title)+"</SUMMARY>"...)
	r.bodyBetween(b, body, "</details>")
}

// section shows the body of a macro between two comment lines, so that its
// text stays readable and editable.
func (r *renderer) section(n, body *storage.Node, name, seed string) {
	b := r.open(kMacro, n)
	b.inner, b.tag = body, name
	open := r.src[n.Start:body.OpenEnd]
	b.handle = r.handle("macro", seed+open)
	r.out = append(r.out, "<!-- macro:"+commentText(name)+" "+b.handle+" -->"...)
	r.bodyBetween(b, body, "<!-- /macro -->")
}

func (r *renderer) bodyBetween(b *block, body *storage.Node, end string) {
	leave := r.enter(b, "")
	at := len(r.out)
	r.blank()
	r.newline()
	start := len(r.out)
	r.flow(body)
	if len(r.out) == start {
		r.out = r.out[:at]
		r.newline()
		r.out = append(r.out, end...)
	} else {
		r.blank()
		r.newline()
		r.out = append(r.out, end...)
	}
	leave()
}

// commentText keeps a name from ending the comment it stands in.
func commentText(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == '<' || c == '>' || hiddenRune(c) {
			return '_'
		}
		return c
	}, strings.ReplaceAll(s, "--", "-_"))
}

func (r *renderer) plainMacro(n, body *storage.Node, name string) {
	switch name {
	case "code":
		r.titled(n)
		r.code(n, body, fenceWord(r.param(n, "language")), "code")
	case "noformat", "plantuml", "mermaid-macro", "mermaid", "graphviz", "mathblock", "latex", "easy-math-block", "unmigrated-wiki-markup", "markdown":
		r.titled(n)
		r.code(n, body, fenceName(name), name)
	case "html", "style", "html-include", "script":
		r.placeholder(n, name)
	default:
		r.code(n, body, fenceName(name), name)
	}
}

func fenceName(name string) string {
	if name == "noformat" {
		return ""
	}
	return fenceWord(name)
}

// fenceWord is a language as the first word of a fence.
func fenceWord(s string) string {
	word := strings.Map(func(c rune) rune {
		if c == '`' || hiddenRune(c) || c < 0x20 {
			return -1
		}
		if c == ' ' {
			return '-'
		}
		return c
	}, s)
	if strings.HasPrefix(word, "confluence") {
		return "x-" + word
	}
	return word
}

// titled shows the title of a code block as a bold line before it.
func (r *renderer) titled(n *storage.Node) {
	p := r.tree.Param(n, "title")
	if p == nil || strings.TrimSpace(r.tree.Text(p)) == "" {
		return
	}
	r.in.pending = &pendingText{node: p}
	r.in.dirty = true
	r.within(mark{kind: mStrong, open: "**", close: "**"}, func() { r.inlineKids(p) })
	r.endText()
}

// placeholder shows a macro without a visible body as a fence that names it.
func (r *renderer) placeholder(n *storage.Node, name string) {
	b := r.open(kFence, n)
	b.tag = name
	b.handle = r.handle("macro", r.src[n.Start:n.End])
	r.out = append(r.out, "```confluence "+b.handle+" "+fenceWord(name)...)
	if s := r.summary(n, name); s != "" {
		r.out = append(r.out, ` "`+s+`"`...)
	}
	b.pieces, b.piecesEnd = int32(len(r.pieces)), int32(len(r.pieces))
	r.newline()
	r.out = append(r.out, "```"...)
	b.mdEnd = int32(len(r.out))
}

// summary is one line that says what a macro is about.
func (r *renderer) summary(n *storage.Node, name string) string {
	s := ""
	for _, key := range []string{"diagramDisplayName", "diagramName", "title", "name", "key", "jqlQuery", "cql", "url", "labels", "filename"} {
		if s = r.param(n, key); s != "" {
			break
		}
	}
	for k := n.First; k != nil && s == ""; k = k.Next {
		s = r.referenceIn(k)
	}
	s = strings.Map(func(c rune) rune {
		if c < 0x20 || c == '`' || c == '~' || c == '"' || c == '\\' || c == '&' || hiddenRune(c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return strings.TrimSpace(s)
}

// referenceIn is the page, file or user a parameter names.
func (r *renderer) referenceIn(n *storage.Node) string {
	if n.Kind != storage.Element {
		return ""
	}
	if n.Name == "ri:user" {
		return "@" + userID(r.tree, n)
	}
	if strings.HasPrefix(n.Name, "ri:") {
		label, _ := r.resource(n, "")
		return label
	}
	for k := n.First; k != nil; k = k.Next {
		if s := r.referenceIn(k); s != "" {
			return s
		}
	}
	return ""
}

// inlineMacro renders a macro inside a line.
func (r *renderer) inlineMacro(n *storage.Node) {
	name := r.tree.Attr(n, "ac:name")
	switch name {
	case "status":
		title := r.param(n, "title")
		if title == "" {
			title = r.param(n, "colour")
		}
		r.inlineLink(n, labelled(title, "…"), scheme+"status/"+pathEscape(r.param(n, "colour")))
		return
	case "anchor":
		return
	case "jira", "jiraissues":
		if key := r.param(n, "key"); key != "" {
			r.inlineLink(n, key, scheme+"jira/"+pathEscape(key))
			return
		}
	}
	if body := n.Child("ac:plain-text-body"); body != nil && !hiddenBody(name) {
		r.within(mark{kind: mCode, node: n, open: "`", close: "`"}, func() { r.inlineKids(body) })
		return
	}
	if body := n.Child("ac:rich-text-body"); body != nil {
		r.inlineKids(body)
		return
	}
	r.inlineLink(n, labelled(name, "macro"), scheme+"macro/"+r.handle("macro", r.src[n.Start:n.End]))
}

func hiddenBody(name string) bool {
	return name == "html" || name == "style" || name == "html-include" || name == "script"
}

func (r *renderer) inlineLink(n *storage.Node, label, dest string) {
	r.atom(n, linkText(label, dest), `<a href="`+htmlText(dest)+`">`+htmlText(label)+"</a>")
}

// adf renders an island of the Cloud editor's own format. Its content and its
// fallback say the same thing twice.
func (r *renderer) adf(n *storage.Node) {
	content := findFirst(n, "ac:adf-content")
	node := n.Child("ac:adf-node")
	kindOf := ""
	if node != nil {
		kindOf = r.tree.Attr(node, "type")
	}
	if content == nil {
		content = n.Child("ac:adf-fallback")
	}
	if content == nil || strings.TrimSpace(r.tree.Text(content)) == "" {
		r.placeholder(n, strings.TrimSuffix("adf-"+kindOf, "-"))
		return
	}
	if kindOf == "panel" {
		b := r.open(kQuote, n)
		b.inner, b.tag = content, adfTag(r.adfAttribute(node, "panel-type"))
		r.quote(b, "[!"+b.tag+"]", content)
		return
	}
	if more := nextContent(n, content); more {
		content = node
	}
	r.section(n, content, strings.TrimSuffix("adf-"+kindOf, "-"), "")
}

func adfTag(panel string) string {
	switch panel {
	case "error":
		return "CAUTION"
	case "success":
		return "TIP"
	}
	if t := calloutTag(panel); t != "" {
		return t
	}
	return "PANEL"
}

func (r *renderer) adfAttribute(n *storage.Node, key string) string {
	for k := n.First; k != nil; k = k.Next {
		if k.Name == "ac:adf-attribute" && r.tree.Attr(k, "key") == key {
			return strings.TrimSpace(r.tree.Text(k))
		}
	}
	return ""
}

func findFirst(n *storage.Node, name string) *storage.Node {
	for k := n.First; k != nil; k = k.Next {
		if k.Name == name {
			return k
		}
		if found := findFirst(k, name); found != nil {
			return found
		}
	}
	return nil
}

// nextContent tells whether the island has content beside the first one.
func nextContent(n, first *storage.Node) bool {
	count := 0
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for k := n.First; k != nil; k = k.Next {
			if k.Name == "ac:adf-content" && !inside(k, first) {
				count++
			}
			walk(k)
		}
	}
	walk(n)
	return count > 0
}

func inside(n, outer *storage.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == outer {
			return true
		}
	}
	return false
}
