package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// adjust changes an element in place where the old and the new text both show
// one of its kind: the other text of a picture, the title and colour of a
// status. Everything else about the element stays.
func (e *leafEdit) adjust(removed, added []token) bool {
	if len(removed) == 0 || len(added) == 0 {
		return false
	}
	cuts := e.bytes(removed[0])
	if len(cuts) != 1 {
		return false
	}
	n := exactly(e.p.tree.Root, cuts[0])
	switch {
	case n == nil:
		return false
	case len(removed) == 1 && len(added) == 1 && removed[0].kind == tImage && added[0].kind == tImage:
		return removed[0].link == added[0].link && removed[0].look == added[0].look && e.adjustImage(n, added[0].text)
	case isStatus(removed) && isStatus(added):
		return e.adjustStatus(n, removed, added)
	}
	return false
}

// exactly finds the element that fills a range.
func exactly(n *storage.Node, s span) *storage.Node {
	for k := n.First; k != nil; k = k.Next {
		switch {
		case k.Kind != storage.Element || k.End <= s.from || k.Start > s.from:
		case k.Start == s.from && k.End == s.to:
			return k
		default:
			return exactly(k, s)
		}
	}
	return nil
}

func (e *leafEdit) adjustImage(n *storage.Node, alt string) bool {
	name := "ac:alt"
	if n.Name == "img" {
		name = "alt"
	}
	e.del = append(e.del, attrSplice(e.p.tree, n, name, alt))
	return true
}

// attrSplice sets an attribute.
func attrSplice(t *storage.Tree, n *storage.Node, name, value string) splice {
	if _, from, to := t.AttrSpan(n, name); from > 0 {
		return splice{from: int32(from), to: int32(to), text: storage.EscapeAttr(value)}
	}
	at := n.Start + 1 + int32(len(n.Name))
	return splice{from: at, to: at, text: " " + name + `="` + storage.EscapeAttr(value) + `"`}
}

// isStatus tells whether tokens are one status.
func isStatus(ts []token) bool {
	for _, t := range ts {
		if t.look.link != ts[0].look.link || !strings.HasPrefix(t.look.link, scheme+"status/") {
			return false
		}
	}
	return true
}

func (e *leafEdit) adjustStatus(n *storage.Node, removed, added []token) bool {
	if n.Name != "ac:structured-macro" {
		return false
	}
	if title := tokenText(added); title != tokenText(removed) {
		e.del = append(e.del, paramSplices(e.p.tree, n, "title", title)...)
	}
	if colour := added[0].look.link; colour != removed[0].look.link {
		e.del = append(e.del, paramSplices(e.p.tree, n, "colour", pathUnescape(strings.TrimPrefix(colour, scheme+"status/")))...)
	}
	return true
}

// paramSplices change, make or, with an empty value, remove a macro parameter.
func paramSplices(t *storage.Tree, n *storage.Node, name, value string) []splice {
	p := t.Param(n, name)
	full := `<ac:parameter ac:name="` + name + `">` + storage.EscapeText(value) + "</ac:parameter>"
	switch {
	case p == nil && value == "":
		return nil
	case p == nil && n.OpenEnd == n.End: // <ac:structured-macro … />
		from := n.OpenEnd - 2
		for t.Source[from-1] == ' ' {
			from--
		}
		return []splice{{from: from, to: n.End, text: ">" + full + "</" + n.Name + ">"}}
	case p == nil:
		return []splice{{from: n.OpenEnd, to: n.OpenEnd, text: full}}
	case value == "":
		return []splice{{from: p.Start, to: p.End}}
	case p.OpenEnd < p.End:
		return []splice{{from: p.OpenEnd, to: p.CloseStart, text: storage.EscapeText(value)}}
	}
	return []splice{{from: p.Start, to: p.End, text: full}}
}
