package markup

import (
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// nesting is the order in which marks are opened, outermost first.
var nesting = [...]markKind{mStrong, mEm, mDel, mUnder, mSub, mSup, mCode}

// inline writes a line of tokens.
func (w *writer) inline(ts []token) string { return w.inlineIn(ts, look{}) }

// inlineIn writes tokens into a place that already has the marks of around.
func (w *writer) inlineIn(ts []token, around look) string {
	var b strings.Builder
	for i := 0; i < len(ts); {
		l := ts[i].look
		j := i + 1
		if l.link == "" || l.link == around.link {
			for j < len(ts) && (ts[j].look.link == "" || ts[j].look.link == around.link) {
				j++
			}
			w.marks(&b, ts[i:j], around)
		} else {
			for j < len(ts) && ts[j].look.link == l.link {
				j++
			}
			w.link(&b, ts[i:j], around)
		}
		i = j
	}
	return b.String()
}

// marks writes tokens of one link, or of none, with their emphasis.
func (w *writer) marks(b *strings.Builder, ts []token, around look) {
	var open []markKind
	closeTo := func(n int) {
		for len(open) > n {
			b.WriteString("</" + markTags[open[len(open)-1]] + ">")
			open = open[:len(open)-1]
		}
	}
	for i, t := range ts {
		bits := t.look.bits
		if t.kind == tSpace && (i == 0 || i == len(ts)-1 || ts[i-1].look.bits != ts[i+1].look.bits) {
			bits = 0
			if i > 0 && i < len(ts)-1 {
				bits = ts[i-1].look.bits & ts[i+1].look.bits & t.look.bits
			}
		}
		bits &^= around.bits
		keep := 0
		for keep < len(open) && bits&(1<<open[keep]) != 0 {
			keep++
		}
		closeTo(keep)
		for _, k := range nesting {
			if bits&(1<<k) != 0 && !containsMark(open, k) {
				b.WriteString("<" + markTags[k] + ">")
				open = append(open, k)
			}
		}
		w.token(b, t)
	}
	closeTo(0)
}

func containsMark(ms []markKind, k markKind) bool {
	for _, m := range ms {
		if m == k {
			return true
		}
	}
	return false
}

func (w *writer) token(b *strings.Builder, t token) {
	switch t.kind {
	case tWord:
		b.WriteString(storage.EscapeText(t.text))
	case tSpace:
		b.WriteByte(' ')
	case tBreak:
		b.WriteString("<br />")
	case tImage:
		w.image(b, t)
	}
}

// image writes a picture: an attachment by file name, or an address.
func (w *writer) image(b *strings.Builder, t token) {
	if w.kept != nil {
		if bytes, ok := w.kept.link("!"+t.link, t.text); ok {
			b.WriteString(bytes)
			return
		}
	}
	name, inner := "", ""
	switch dest := strings.TrimPrefix(t.link, scheme+"image/"); {
	case strings.HasPrefix(t.link, scheme+"attachment/"):
		inner, name = w.attachment(strings.TrimPrefix(t.link, scheme+"attachment/"))
	case strings.HasPrefix(dest, "http://"), strings.HasPrefix(dest, "https://"):
		inner, name = `<ri:url ri:value="`+storage.EscapeAttr(dest)+`" />`, lastSegment(dest)
	case forbiddenAddress(dest) || strings.Contains(dest, ":"):
		w.fail(refuseAddress(dest))
		return
	default:
		inner, name = w.attachment(lastSegment(dest))
	}
	b.WriteString("<ac:image")
	if t.text != "" && t.text != name {
		b.WriteString(` ac:alt="` + storage.EscapeAttr(t.text) + `"`)
	}
	b.WriteString(">" + inner + "</ac:image>")
}

func lastSegment(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// attachment writes the reference of "FILE" or "FILE?page=SPACE/Title".
func (w *writer) attachment(ref string) (storageRef, name string) {
	file, owner, elsewhere := strings.Cut(ref, "?page=")
	name = pathUnescape(file)
	open := `<ri:attachment ri:filename="` + storage.EscapeAttr(name) + `"`
	if !elsewhere {
		return open + " />", name
	}
	return open + ">" + w.pageRef(owner) + "</ri:attachment>", name
}
