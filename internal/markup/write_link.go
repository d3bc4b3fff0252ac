package markup

import (
	"net/url"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

func pathUnescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// link writes tokens that share a link.
func (w *writer) link(b *strings.Builder, ts []token, around look) {
	dest, label := ts[0].look.link, tokenText(ts)
	if w.kept != nil {
		if bytes, ok := w.kept.link(dest, label); ok {
			b.WriteString(bytes)
			return
		}
	}
	inner := make([]token, len(ts))
	for i, t := range ts {
		t.look.link, t.look.title = "", ""
		inner[i] = t
	}
	if rest, ok := strings.CutPrefix(dest, scheme); ok {
		w.confluence(b, rest, label, inner, around)
		return
	}
	if forbiddenAddress(dest) {
		w.fail(refuseAddress(dest))
		return
	}
	if anchor, ok := strings.CutPrefix(dest, "#"); ok && anchor != "" {
		b.WriteString(`<ac:link ac:anchor="` + storage.EscapeAttr(pathUnescape(anchor)) + `">` + w.linkBody(inner, around) + "</ac:link>")
		return
	}
	if w.opt.Page != nil {
		address, fragment, _ := strings.Cut(dest, "#")
		if space, title, ok := w.opt.Page(address); ok {
			w.pageLink(b, w.pageRefOf(space, title), fragment, inner, around)
			return
		}
	}
	b.WriteString(`<a href="` + storage.EscapeAttr(dest) + `"`)
	if t := ts[0].look.title; t != "" {
		b.WriteString(` title="` + storage.EscapeAttr(t) + `"`)
	}
	b.WriteByte('>')
	w.marks(b, inner, around)
	b.WriteString("</a>")
}

// confluence writes a link of the private scheme.
func (w *writer) confluence(b *strings.Builder, dest, label string, inner []token, around look) {
	what, rest, _ := strings.Cut(dest, "/")
	switch what {
	case "user":
		b.WriteString("<ac:link><ri:user " + w.userAttr(pathUnescape(rest)) + " /></ac:link>")
	case "status":
		b.WriteString(w.small("status", [][2]string{{"colour", pathUnescape(rest)}, {"title", label}}))
	case "date":
		w.date(b, label)
	case "jira":
		b.WriteString(w.small("jira", [][2]string{{"key", pathUnescape(rest)}}))
	case "macro":
		w.inlineMacro(b, rest)
	case "page":
		ref, fragment, _ := strings.Cut(rest, "#")
		if title := pathUnescape(lastSegment(ref)); title == label {
			inner = nil
		}
		w.pageLink(b, w.pageRef(ref), fragment, inner, around)
	case "blog", "space", "content", "shortcut", "attachment":
		w.resource(b, what, rest, label, inner, around)
	default:
		w.fail(fail("invalid", "Known are user, status, date, jira, page, blog, space, content, shortcut, attachment, image and macro.", "unknown link confluence:%s", cut(what, 40)))
	}
}

func (w *writer) small(name string, params [][2]string) string {
	inner := newWriter(w.opt, w.kept)
	inner.macro(name, params)
	return inner.out.String()
}

func (w *writer) userAttr(id string) string {
	name := "ri:account-id"
	switch {
	case len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "":
		name = "ri:userkey"
	case w.opt.DataCenter:
		name = "ri:username"
	}
	return name + `="` + storage.EscapeAttr(id) + `"`
}

func (w *writer) date(b *strings.Builder, label string) {
	d := strings.TrimSpace(label)
	ok := len(d) == 10 && d[4] == '-' && d[7] == '-' && strings.Trim(d, "0123456789-") == ""
	if !ok {
		w.fail(fail("invalid", "Write [2026-03-14](confluence:date).", "%q is no date", cut(label, 40)))
		return
	}
	b.WriteString(`<time datetime="` + d + `" />`)
}

func (w *writer) inlineMacro(b *strings.Builder, ref string) {
	if w.kept != nil {
		if bytes, ok := w.kept.handle(ref); ok {
			b.WriteString(bytes)
			return
		}
	}
	if !macroName(ref) || len(ref) == 9 && ref[0] == 'b' {
		w.fail(w.unknownHandle(ref))
		return
	}
	if forbiddenMacro(ref) {
		w.fail(refuseMacro(ref))
	}
	b.WriteString(w.small(ref, nil))
}

// pageRef writes the reference of "Title" or "SPACE/Title".
func (w *writer) pageRef(ref string) string {
	space, title, ok := strings.Cut(ref, "/")
	if !ok {
		space, title = "", space
	}
	return w.pageRefOf(pathUnescape(space), pathUnescape(title))
}

func (w *writer) pageRefOf(space, title string) string {
	if space == "" {
		space = w.opt.Space
	}
	s := "<ri:page "
	if space != "" {
		s += `ri:space-key="` + storage.EscapeAttr(space) + `" `
	}
	return s + `ri:content-title="` + storage.EscapeAttr(title) + `" />`
}

func (w *writer) pageLink(b *strings.Builder, ref, fragment string, inner []token, around look) {
	b.WriteString("<ac:link")
	if fragment != "" {
		b.WriteString(` ac:anchor="` + storage.EscapeAttr(pathUnescape(fragment)) + `"`)
	}
	b.WriteString(">" + ref)
	if inner != nil {
		b.WriteString(w.linkBody(inner, around))
	}
	b.WriteString("</ac:link>")
}

// linkBody writes the text of a link: plain where it is plain.
func (w *writer) linkBody(inner []token, around look) string {
	plain := true
	for _, t := range inner {
		plain = plain && t.look.bits&^around.bits == 0 && (t.kind == tWord || t.kind == tSpace)
	}
	if plain {
		return "<ac:plain-text-link-body><![CDATA[" + storage.EscapeCDATA(tokenText(inner)) + "]]></ac:plain-text-link-body>"
	}
	var b strings.Builder
	w.marks(&b, inner, around)
	return "<ac:link-body>" + b.String() + "</ac:link-body>"
}

func (w *writer) resource(b *strings.Builder, what, rest, label string, inner []token, around look) {
	ref := ""
	rest, fragment, _ := strings.Cut(rest, "#")
	parts := strings.Split(rest, "/")
	for i := range parts {
		parts[i] = storage.EscapeAttr(pathUnescape(parts[i]))
	}
	switch {
	case what == "attachment":
		name := ""
		if ref, name = w.attachment(rest); name == label {
			inner = nil
		}
	case what == "space" && len(parts) == 1:
		ref = `<ri:space ri:space-key="` + parts[0] + `" />`
		if pathUnescape(rest) == label {
			inner = nil
		}
	case what == "content" && len(parts) == 1:
		ref = `<ri:content-entity ri:content-id="` + parts[0] + `" />`
	case what == "shortcut" && len(parts) == 2:
		ref = `<ri:shortcut ri:key="` + parts[0] + `" ri:parameter="` + parts[1] + `" />`
	case what == "blog" && len(parts) == 3:
		ref = `<ri:blog-post ri:space-key="` + parts[0] + `" ri:content-title="` + parts[2] + `" ri:posting-day="` + strings.ReplaceAll(parts[1], "-", "/") + `" />`
	default:
		w.fail(fail("invalid", "Write the parts as the page shows them.", "bad link confluence:%s/%s", what, cut(rest, 60)))
		return
	}
	w.pageLink(b, ref, fragment, inner, around)
}
