package markup

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"

	"confluence-mcp/internal/markup/storage"
)

// inliner turns the inline tree of one block into tokens.
type inliner struct {
	p    *mdParser
	out  []token
	look look
	tags []string // open raw HTML marks
}

func (p *mdParser) inline(n ast.Node) []token {
	i := &inliner{p: p}
	i.kids(n)
	for len(i.out) > 0 && (i.out[0].kind == tSpace || i.out[0].kind == tBreak) {
		i.out = i.out[1:]
	}
	for n := len(i.out); n > 0 && (i.out[n-1].kind == tSpace || i.out[n-1].kind == tBreak); n = len(i.out) {
		i.out = i.out[:n-1]
	}
	return i.out
}

func (i *inliner) kids(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		i.node(c)
	}
}

func (i *inliner) node(n ast.Node) {
	outer := i.look
	switch n := n.(type) {
	case *ast.Text:
		i.text(n)
		return
	case *ast.String:
		i.words(string(n.Value), -1, false)
		return
	case *ast.Emphasis:
		i.look = i.look.with(mEm)
		if n.Level == 2 {
			i.look = outer.with(mStrong)
		}
		i.kids(n)
	case *east.Strikethrough:
		i.look = i.look.with(mDel)
		i.kids(n)
	case *ast.CodeSpan:
		i.look = i.look.with(mCode)
		i.kids(n)
	case *ast.Link:
		i.look.link, i.look.title = cleanDest(n.Destination), string(n.Title)
		from := len(i.out)
		i.kids(n)
		i.mention(from)
	case *ast.AutoLink:
		i.autoLink(n)
	case *ast.Image:
		i.image(n)
	case *ast.RawHTML:
		i.rawHTML(n)
		return
	case *east.TaskCheckBox:
		return
	default:
		i.kids(n)
	}
	i.look.link, i.look.title = outer.link, outer.title
	i.look.bits = outer.bits
}

// cleanDest is a link destination as the writer meant it.
func cleanDest(d []byte) string { return storage.Decode(unescape(string(d))) }

func (i *inliner) text(n *ast.Text) {
	s := n.Segment
	i.words(i.p.md[s.Start:s.Stop], int32(s.Start), i.look.has(mCode) || n.IsRaw())
	switch {
	case n.HardLineBreak():
		i.add(token{kind: tBreak, text: "\n", md: int32(s.Stop), mdEnd: i.lineEnd(s.Stop)})
	case n.SoftLineBreak():
		i.add(token{kind: tSpace, text: "\n", md: int32(s.Stop), mdEnd: i.lineEnd(s.Stop)})
	}
}

// lineEnd is the byte after the next line feed.
func (i *inliner) lineEnd(at int) int32 {
	n := strings.IndexByte(i.p.md[at:], '\n')
	if n < 0 {
		return int32(len(i.p.md))
	}
	return int32(at + n + 1)
}

func (i *inliner) add(t token) {
	t.look = i.look
	if t.kind == tBreak || t.kind == tSpace {
		if n := len(i.out); n > 0 && t.kind == tSpace && (i.out[n-1].kind == tBreak || i.out[n-1].kind == tSpace) {
			return
		}
		t.look.title = ""
	}
	i.out = append(i.out, t)
}

// words splits a run of text that stands at the given place; -1: nowhere.
func (i *inliner) words(s string, at int32, raw bool) {
	for k := 0; k < len(s); {
		text, n := s[k:k+1], 1
		kind := tWord
		switch c := s[k]; {
		case isBlank(c):
			for k+n < len(s) && isBlank(s[k+n]) {
				n++
			}
			text, kind = " ", tSpace
		case c == '\\' && !raw && k+1 < len(s) && isPunct(s[k+1]):
			text, n = s[k+1:k+2], 2
		case c == '&' && !raw:
			if t, w := storage.Reference(s[k:]); w > 0 {
				text, n = t, w
			}
		default:
			n = wordLen(s[k:])
			text = s[k : k+n]
		}
		from, to := at+int32(k), at+int32(k+n)
		if at < 0 {
			from, to = -1, -1
		}
		i.add(token{kind: kind, text: text, md: from, mdEnd: to})
		k += n
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isPunct(c byte) bool { return c > ' ' && c < 0x7f && !asciiWord(c) }

// wordLen is the length of the word at the start of s: letters and digits
// together, any other character and each CJK character alone.
func wordLen(s string) int {
	if isBlank(s[0]) {
		n := 1
		for n < len(s) && isBlank(s[n]) {
			n++
		}
		return n
	}
	n := 0
	for n < len(s) {
		c, w := utf8.DecodeRuneInString(s[n:])
		if c < 0x80 && asciiWord(byte(c)) || c >= 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c)) && !ideograph(c) {
			n += w
			continue
		}
		if n == 0 {
			return w
		}
		break
	}
	return n
}

func ideograph(c rune) bool {
	return c >= 0x2E80 && c <= 0x9FFF || c >= 0xF900 && c <= 0xFAFF || c >= 0x20000 && c <= 0x3FFFF
}

func (i *inliner) autoLink(n *ast.AutoLink) {
	label := string(n.Label(i.p.src))
	i.look.link = string(n.URL(i.p.src))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(i.look.link, "mailto:") {
		i.look.link = "mailto:" + i.look.link
	}
	at := int32(n.Pos())
	if at >= 0 && int(at) < len(i.p.md) && i.p.md[at] == '<' {
		i.add(token{kind: tWord, text: label, md: at, mdEnd: at + int32(len(label)) + 2})
		return
	}
	if at < 0 || int(at) > len(i.p.md) {
		at = 0
	}
	if k := strings.Index(i.p.md[at:], label); k >= 0 {
		at += int32(k)
	}
	i.add(token{kind: tWord, text: label, md: at, mdEnd: at + int32(len(label))})
}

func (i *inliner) image(n *ast.Image) {
	alt := &inliner{p: i.p}
	alt.kids(n)
	at := int32(n.Pos())
	end := at
	if k := len(alt.out); k > 0 {
		end = max(end, alt.out[k-1].mdEnd)
	}
	i.add(token{kind: tImage, text: tokenText(alt.out), link: cleanDest(n.Destination), md: at, mdEnd: end + 1})
}

// rawHTML reads the few tags that stand for marks; others are shown as text.
func (i *inliner) rawHTML(n *ast.RawHTML) {
	if n.Segments.Len() == 0 {
		return
	}
	first := n.Segments.At(0)
	raw := ""
	for k := range n.Segments.Len() {
		s := n.Segments.At(k)
		raw += string(s.Value(i.p.src))
	}
	name := strings.ToLower(strings.TrimRight(strings.TrimSpace(strings.Trim(raw, "<>/")), "/ "))
	switch {
	case strings.HasPrefix(raw, "<!--"):
		return
	case name == "br":
		i.add(token{kind: tBreak, text: "\n", md: int32(first.Start), mdEnd: int32(first.Stop)})
		return
	}
	if k, ok := markOf(name); ok {
		i.look = i.toggle(k, strings.HasPrefix(raw, "</"))
		return
	}
	i.words(raw, int32(first.Start), true)
}

func (i *inliner) toggle(k markKind, closing bool) look {
	l := i.look
	if closing {
		l.bits &^= 1 << k
		return l
	}
	return l.with(k)
}
