package markup

import "strings"

// A mention is its account. The name beside the @ is for readers: it comes
// from [View.UserName], people change it, and whoever writes Markdown may spell
// it or leave it out. So neither handles nor what is written depend on it.

const (
	mentionScheme = scheme + "user/"
	mentionTag    = `<a href="` + mentionScheme
)

// mention makes one token of the label of a link to a person that was read
// since from.
func (i *inliner) mention(from int) {
	if !strings.HasPrefix(i.look.link, mentionScheme) || from == len(i.out) || !strings.HasPrefix(i.out[from].text, "@") {
		return
	}
	t := token{kind: tWord, text: "@", look: i.look, md: i.out[from].md, mdEnd: i.out[len(i.out)-1].mdEnd}
	t.look.title = ""
	i.out = append(i.out[:from], t)
}

// nameless is the same for a block of HTML.
func nameless(in []token) []token {
	var out []token
	for i := 0; i < len(in); i++ {
		out = append(out, in[i])
		if in[i].kind != tTag || !strings.HasPrefix(in[i].text, mentionTag) || i+1 == len(in) || in[i+1].text != "@" {
			continue
		}
		at := in[i+1]
		for i++; i+1 < len(in) && in[i+1].kind != tTag; i++ {
			at.mdEnd = in[i+1].mdEnd
		}
		out = append(out, at)
	}
	return out
}

// namelessAtom is an atom without the name of a person.
func namelessAtom(md string) string {
	if i := strings.LastIndex(md, "]("+mentionScheme); i > 0 && strings.HasPrefix(md, "[@") {
		return "[@" + md[i:]
	}
	if strings.HasPrefix(md, mentionTag) {
		if i := strings.IndexByte(md, '>'); strings.HasPrefix(md[i+1:], "@") {
			return md[:i+1] + "@</a>"
		}
	}
	return md
}

// named is what handles are made of: the visible text without the names of
// people.
func (p *page) named(b *block) string {
	if b.kind == kFence {
		return b.tag
	}
	var s strings.Builder
	for _, x := range p.pieces[b.pieces:b.piecesEnd] {
		if x.kind == pAtom {
			s.WriteString(atomLabel(namelessAtom(p.text[x.md:x.mdEnd])))
			continue
		}
		s.WriteString(p.shown(b, x))
	}
	return s.String()
}
