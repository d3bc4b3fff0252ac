package markup

import (
	"net/url"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// scheme is the private scheme of everything that only Confluence can resolve.
// No client loads it by itself, so a page can't make a reader's client call out.
const scheme = "confluence:"

// linkText is a whole Markdown link.
func linkText(label, dest string) string { return "[" + mdText(label) + "](" + mdDest(dest) + ")" }

// labelled is a label that can be seen: a link without text could not be kept.
func labelled(label, what string) string {
	if mdText(label) == "" {
		return what
	}
	return label
}

// mdDest spells a link destination.
func mdDest(dest string) string {
	clean := strings.Map(func(c rune) rune {
		if c < 0x20 || hiddenRune(c) {
			return -1
		}
		return c
	}, dest)
	if clean == "" {
		return "<>"
	}
	if !strings.ContainsAny(clean, " ()<>\\`*_[]&|\"'~") {
		return clean
	}
	if strings.ContainsAny(clean, " ()<>\\\"'") || strings.ContainsRune(clean, '|') {
		clean = strings.NewReplacer("<", "%3C", ">", "%3E", "\\", "%5C", "|", "%7C").Replace(clean)
		if strings.ContainsAny(clean, " ()\"'") {
			return "<" + escapeAmp(clean) + ">"
		}
	}
	return escapeAmp(clean)
}

// escapeAmp keeps "&copy" in an address from being read as a character.
func escapeAmp(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '&' {
			if _, n := storage.Reference(s[i:]); n > 0 {
				b.WriteString("&amp;")
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (r *renderer) linkMark(n *storage.Node, dest string) mark {
	if r.mode == escHTML {
		return mark{kind: mLink, node: n, open: `<a href="` + htmlText(dest) + `">`, close: "</a>"}
	}
	d := mdDest(dest)
	if r.mode == escCell {
		d = strings.ReplaceAll(d, "|", "%7C")
	}
	return mark{kind: mLink, node: n, open: "[", close: "](" + d + ")"}
}

// anchorLink renders <a>. A link that shows its own address is written as such.
func (r *renderer) anchorLink(n *storage.Node) {
	href := r.tree.Attr(n, "href")
	if href == "" || r.in.inLink > 0 {
		r.inlineKids(n)
		return
	}
	text := strings.TrimSpace(r.tree.Text(n))
	bare := text == "" && !r.holdsVisible(n)
	if bare || text == href && n.First == n.Last {
		if strings.HasPrefix(href, "http") && !strings.ContainsAny(href, " <>\n\t\\") && strings.Contains(href, "://") {
			r.atom(n, "<"+escapeAmp(href)+">", `<a href="`+htmlText(href)+`">`+htmlText(text)+"</a>")
			return
		}
		if bare {
			r.atom(n, linkText(href, href), `<a href="`+htmlText(href)+`">`+htmlText(href)+"</a>")
			return
		}
	}
	r.linked(n, n, href)
}

func (r *renderer) linked(n, body *storage.Node, dest string) {
	r.in.inLink++
	r.within(r.linkMark(n, dest), func() { r.inlineKids(body) })
	r.in.inLink--
}

// holdsVisible tells whether anything in n shows without being text.
func (r *renderer) holdsVisible(n *storage.Node) bool {
	for k := n.First; k != nil; k = k.Next {
		switch k.Name {
		case "ac:image", "img", "ac:emoticon", "time", "ac:structured-macro", "ac:link":
			return true
		}
		if r.holdsVisible(k) {
			return true
		}
	}
	return false
}

// confluenceLink renders <ac:link>: what it points to is named by its ri: child.
func (r *renderer) confluenceLink(n *storage.Node) {
	label, dest := r.target(n)
	body := n.Child("ac:link-body")
	if body == nil {
		body = n.Child("ac:plain-text-link-body")
	}
	if body == nil {
		body = n.Child("ac:rich-text-link-body")
	}
	hasBody := body != nil && (strings.TrimSpace(r.tree.Text(body)) != "" || r.holdsVisible(body))
	switch {
	case hasBody && (dest == "" || r.in.inLink > 0):
		r.inlineKids(body)
	case hasBody:
		r.linked(n, body, dest)
	case dest != "":
		label = labelled(label, "link")
		r.atom(n, linkText(label, dest), `<a href="`+htmlText(dest)+`">`+htmlText(label)+"</a>")
	}
}

// target is what an <ac:link> shows by itself and where it leads.
func (r *renderer) target(n *storage.Node) (label, dest string) {
	fragment := ""
	if a := r.tree.Attr(n, "ac:anchor"); a != "" {
		fragment = "#" + pathEscape(a)
	}
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == storage.Element && strings.HasPrefix(k.Name, "ri:") {
			return r.resource(k, fragment)
		}
	}
	if fragment != "" {
		return r.tree.Attr(n, "ac:anchor"), fragment
	}
	return "", ""
}

func (r *renderer) resource(k *storage.Node, fragment string) (label, dest string) {
	attr := func(name string) string { return r.tree.Attr(k, name) }
	switch k.Name {
	case "ri:page", "ri:blog-post":
		return attr("ri:content-title"), r.pageDest(k, fragment)
	case "ri:attachment":
		return attr("ri:filename"), r.attachmentDest(k, "attachment")
	case "ri:url":
		return attr("ri:value"), attr("ri:value")
	case "ri:user":
		id := userID(r.tree, k)
		name := ""
		if r.view.UserName != nil && id != "" {
			name = r.view.UserName(id)
		}
		if name == "" && pathEscape(id) != id {
			name = id // the address spells it differently
		}
		return "@" + name, scheme + "user/" + pathEscape(id)
	case "ri:space":
		return attr("ri:space-key"), scheme + "space/" + pathEscape(attr("ri:space-key"))
	case "ri:shortcut":
		return attr("ri:parameter"), scheme + "shortcut/" + pathEscape(attr("ri:key")) + "/" + pathEscape(attr("ri:parameter"))
	case "ri:content-entity":
		return attr("ri:content-id"), scheme + "content/" + pathEscape(attr("ri:content-id")) + fragment
	}
	return "", ""
}

func userID(t *storage.Tree, k *storage.Node) string {
	for _, a := range []string{"ri:account-id", "ri:userkey", "ri:username"} {
		if v := t.Attr(k, a); v != "" {
			return v
		}
	}
	return ""
}

func (r *renderer) pageDest(k *storage.Node, fragment string) string {
	title, space := r.tree.Attr(k, "ri:content-title"), r.tree.Attr(k, "ri:space-key")
	if r.view.PageURL != nil && k.Name == "ri:page" {
		if u := r.view.PageURL(space, title); u != "" {
			return u + fragment
		}
	}
	if day := r.tree.Attr(k, "ri:posting-day"); k.Name == "ri:blog-post" {
		return scheme + "blog/" + pathEscape(space) + "/" + pathEscape(strings.ReplaceAll(day, "/", "-")) + "/" + pathEscape(title) + fragment
	}
	if space == "" {
		return scheme + "page/" + pathEscape(title) + fragment
	}
	return scheme + "page/" + pathEscape(space) + "/" + pathEscape(title) + fragment
}

func (r *renderer) attachmentDest(k *storage.Node, what string) string {
	dest := scheme + what + "/" + pathEscape(r.tree.Attr(k, "ri:filename"))
	if owner := k.Child("ri:page"); owner != nil {
		dest += "?page=" + strings.TrimPrefix(r.pageDestPlain(owner), scheme+"page/")
	}
	return dest
}

func (r *renderer) pageDestPlain(k *storage.Node) string {
	title, space := r.tree.Attr(k, "ri:content-title"), r.tree.Attr(k, "ri:space-key")
	if space == "" {
		return scheme + "page/" + pathEscape(title)
	}
	return scheme + "page/" + pathEscape(space) + "/" + pathEscape(title)
}

// pathEscape keeps letters of every script readable and escapes what would end
// a path segment or a Markdown link.
func pathEscape(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c < 0x80 && !asciiWord(byte(c)) && !strings.ContainsRune("-._@:,+", c) || hiddenRune(c) {
			b.WriteString(url.PathEscape(string(c)))
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}
