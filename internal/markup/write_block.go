package markup

import (
	"fmt"
	"strconv"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// writer makes new storage from parsed Markdown.
type writer struct {
	opt   Options
	out   strings.Builder
	itemP bool // list items hold paragraphs
	cellP bool // table cells hold paragraphs
	kept  keeper
	err   error
}

// keeper finds the original bytes of what moved or came back unchanged.
type keeper interface {
	handle(h string) (bytes string, ok bool)
	link(dest, label string) (bytes string, ok bool)
	moved(m *mnode) (bytes string, ok bool)
	valid() []string
}

func newWriter(opt Options, k keeper) *writer {
	return &writer{opt: opt, itemP: !opt.DataCenter, cellP: !opt.DataCenter, kept: k}
}

// FromMarkdown writes GFM, callouts, tasks and the confluence: forms as
// storage. Errors: markup.invalid, markup.refused and markup.too_large, with
// the line where there is one.
func FromMarkdown(md string, opt Options) (string, error) {
	m, err := parseMarkdown(spread(md))
	if err != nil {
		return "", err
	}
	w := newWriter(opt, nil)
	w.blocks(m.kids)
	if w.err != nil {
		return "", w.err
	}
	result := w.out.String()
	return result, Validate(result, "")
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) blocks(ms []*mnode) {
	for i := 0; i < len(ms); i++ {
		if title, ok := codeTitle(ms, i); ok {
			w.code(ms[i+1], title)
			i++
			continue
		}
		w.block(ms[i])
	}
}

// codeTitle recognises the bold line before a fence that the reader makes of a
// code block's title: a single bold run naming a file. A title has no marks of
// its own, so what has others beside the bold is a sentence.
func codeTitle(ms []*mnode, i int) (string, bool) {
	if i+1 >= len(ms) || ms[i].kind != kText || ms[i].level != 0 || ms[i+1].kind != kCode {
		return "", false
	}
	for _, t := range ms[i].tokens {
		if t.look != (look{}).with(mStrong) || t.kind == tBreak {
			return "", false
		}
	}
	title := tokenText(ms[i].tokens)
	return title, !strings.Contains(title, " ") && strings.Contains(strings.Trim(title, "."), ".")
}

func (w *writer) block(m *mnode) {
	if w.kept != nil {
		if bytes, ok := w.kept.moved(m); ok {
			w.out.WriteString(bytes)
			return
		}
	}
	switch m.kind {
	case kText:
		w.text(m)
	case kCode:
		w.code(m, "")
	case kFence:
		w.placeholder(m)
	case kRaw:
		w.raw(m)
	case kHTML:
		w.html(m.raw)
	case kRule:
		w.out.WriteString("<hr />")
	case kList:
		w.list(m)
	case kQuote:
		w.quote(m)
	case kDetails:
		w.rich("expand", m.title, m.kids)
	case kMacro:
		w.section(m)
	case kTable:
		w.table(m)
	}
}

func (w *writer) text(m *mnode) {
	switch {
	case m.level > 0:
		tag := "h" + strconv.Itoa(int(m.level))
		w.out.WriteString("<" + tag + ">" + w.inline(m.tokens) + "</" + tag + ">")
	case isTOC(m):
		w.macro("toc", nil)
	case len(m.tokens) == 1 && m.tokens[0].kind == tImage && m.tokens[0].look == (look{}):
		w.out.WriteString(w.inline(m.tokens))
	default:
		w.out.WriteString("<p>" + w.inline(m.tokens) + "</p>")
	}
}

func isTOC(m *mnode) bool {
	switch strings.ToLower(tokenText(m.tokens)) {
	case "[toc]", "[[toc]]", "[[_toc_]]":
		return true
	}
	return false
}

// schemaVersion is what each macro wants; all others are at 1.
func schemaVersion(name string) string {
	switch name {
	case "children":
		return "2"
	case "contentbylabel":
		return "4"
	case "detailssummary":
		return "3"
	}
	return "1"
}

func (w *writer) open(name string) {
	if forbiddenMacro(name) {
		w.fail(refuseMacro(name))
	}
	fmt.Fprintf(&w.out, `<ac:structured-macro ac:name="%s" ac:schema-version="%s">`, storage.EscapeAttr(name), schemaVersion(name))
}

func (w *writer) param(name, value string) {
	fmt.Fprintf(&w.out, `<ac:parameter ac:name="%s">%s</ac:parameter>`, storage.EscapeAttr(name), storage.EscapeText(value))
}

func (w *writer) macro(name string, params [][2]string) {
	w.open(name)
	for _, p := range params {
		w.param(p[0], p[1])
	}
	w.out.WriteString("</ac:structured-macro>")
}

func (w *writer) code(m *mnode, title string) {
	name := "code"
	if m.tag == "mathblock" || m.tag == "plantuml" && w.kept != nil {
		name = m.tag
	}
	w.open(name)
	if m.tag != "" && name == "code" {
		w.param("language", m.tag)
	}
	if title != "" {
		w.param("title", title)
	}
	w.out.WriteString("<ac:plain-text-body><![CDATA[" + storage.EscapeCDATA(m.raw) + "]]></ac:plain-text-body></ac:structured-macro>")
}

func (w *writer) rich(name, title string, kids []*mnode) {
	w.open(name)
	if title != "" {
		w.param("title", title)
	}
	w.out.WriteString("<ac:rich-text-body>")
	w.body(kids)
	w.out.WriteString("</ac:rich-text-body></ac:structured-macro>")
}

func (w *writer) body(kids []*mnode) {
	if len(kids) == 0 {
		w.out.WriteString("<p />")
	}
	w.blocks(kids)
}

// calloutMacro is the macro a callout tag is written as.
func calloutMacro(tag string) string {
	switch tag {
	case "NOTE", "INFO":
		return "info"
	case "TIP", "SUCCESS":
		return "tip"
	case "IMPORTANT":
		return "note"
	case "WARNING", "CAUTION", "ERROR":
		return "warning"
	case "PANEL":
		return "panel"
	}
	return ""
}

func (w *writer) quote(m *mnode) {
	if name := calloutMacro(m.tag); name != "" {
		w.rich(name, m.title, m.kids)
		return
	}
	w.out.WriteString("<blockquote>")
	w.body(m.kids)
	w.out.WriteString("</blockquote>")
}

func (w *writer) section(m *mnode) {
	if w.kept != nil {
		if bytes, ok := w.kept.handle(m.handle); ok {
			w.out.WriteString(bytes)
			return
		}
	}
	if m.handle != "" {
		w.fail(w.unknownHandle(m.handle))
		return
	}
	w.rich(m.tag, "", m.kids)
}

func (w *writer) unknownHandle(h string) error {
	err := fail("not_found", "Use a handle of the page as it was read, or leave it out to make a new macro.", "no placeholder %q on the page", cut(h, 40))
	if w.kept != nil {
		err.Candidates = w.kept.valid()
	}
	return err
}

// placeholder writes a placeholder fence: the macro it stands for, or a new
// macro without a body when the fence says "new" or only a name.
func (w *writer) placeholder(m *mnode) {
	if w.kept != nil {
		if bytes, ok := w.kept.handle(m.handle); ok {
			w.out.WriteString(bytes)
			return
		}
	}
	name := m.tag
	if name == "" {
		name = m.handle
	} else if m.handle != "new" {
		w.fail(w.unknownHandle(m.handle))
		return
	}
	if !macroName(name) {
		w.fail(fail("invalid", "Write ```confluence new NAME with key=value lines.", "a confluence fence without the name of a macro"))
		return
	}
	var params [][2]string
	for line := range strings.Lines(m.raw) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			params = append(params, [2]string{strings.TrimSpace(k), strings.TrimSpace(v)})
		}
	}
	w.macro(name, params)
}

func macroName(s string) bool {
	for i := range len(s) {
		if !asciiWord(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 80
}

// raw writes a confluence-storage fence as it is, once it is known to be safe.
func (w *writer) raw(m *mnode) {
	if err := Validate(m.raw, ""); err != nil {
		w.fail(err)
		return
	}
	w.out.WriteString(m.raw)
}
