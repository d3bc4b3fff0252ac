package markup

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"confluence-mcp/internal/markup/storage"
)

// escapeMode is where text is being written.
type escapeMode uint8

const (
	escText escapeMode = iota // a paragraph or heading
	escCell                   // a cell of a GFM table
	escHTML                   // inside an HTML table
)

// classes sorts the bytes of text by what writing them takes.
func classes() (c [256]uint8) {
	for i := range c {
		switch {
		case i >= 0x80:
			c[i] = cHigh
		case i == ' ' || i == '\n' || i == '\t' || i == '\r':
			c[i] = cSpace
		case i < 0x20 || i == 0x7f:
			c[i] = cHidden
		}
	}
	for _, x := range "\\`*_[]<>&~|#+-=" {
		c[x] = cSpecial
	}
	for x := '0'; x <= '9'; x++ {
		c[x] = cDigit
	}
	return c
}

const (
	cPlain uint8 = iota
	cDigit
	cSpace
	cSpecial
	cHigh
	cHidden
)

// textNode writes a text node or CDATA section.
func (r *renderer) textNode(n *storage.Node) {
	s := r.src[n.OpenEnd:n.CloseStart]
	base := n.OpenEnd
	cdata := n.Kind == storage.CDATA
	for i := 0; i < len(s); {
		switch r.class[s[i]] {
		case cPlain:
			i = r.plainRun(s, i, base)
		case cDigit:
			i = r.digits(s, i, base)
		case cSpace:
			j := i + 1
			for j < len(s) && r.class[s[j]] == cSpace {
				j++
			}
			r.whiteSpace(base+int32(i), base+int32(j))
			i = j
		case cSpecial:
			i = r.special(s, i, base, cdata)
		case cHigh:
			i = r.high(s, i, base)
		default:
			r.in.hidden++
			i++
		}
	}
}

// plainRun writes characters that need no thought, together with the single
// blanks between them: the bulk of any page.
func (r *renderer) plainRun(s string, i int, base int32) int {
	r.ready(s[i])
	j := i + 1
	for j < len(s) {
		c := r.class[s[j]]
		if c <= cDigit || c == cSpace && s[j] == ' ' && j+1 < len(s) && r.class[s[j+1]] <= cDigit {
			j++
			continue
		}
		break
	}
	r.same(s[i:j], base+int32(i))
	return j
}

// same writes storage bytes unchanged and joins them to the piece before when
// they continue it on both sides.
func (r *renderer) same(s string, src int32) {
	at := int32(len(r.out))
	r.out = append(r.out, s...)
	if n := len(r.pieces); n > 0 && (r.text == nil || int32(n) > r.text.pieces) {
		if p := &r.pieces[n-1]; p.kind == pSame && p.mdEnd == at && p.srcEnd == src {
			p.mdEnd += int32(len(s))
			p.srcEnd += int32(len(s))
			return
		}
	}
	r.pieces = append(r.pieces, piece{at, at + int32(len(s)), src, src + int32(len(s)), pSame})
}

// lineStart tells whether the next character would be the first of a line.
func (r *renderer) lineStart() bool {
	if r.mode != escText || r.text == nil {
		return r.mode == escText
	}
	if r.text.level > 0 {
		return false
	}
	n := len(r.pieces)
	if n == int(r.text.pieces) {
		return len(r.in.have) == 0
	}
	p := r.pieces[n-1]
	return p.kind == pBreak && int(p.mdEnd) == len(r.out)
}

// digits writes a number. At the start of a line "1." would begin a list.
func (r *renderer) digits(s string, i int, base int32) int {
	r.ready('0')
	first := r.lineStart()
	j := i + 1
	for j < len(s) && r.class[s[j]] == cDigit {
		j++
	}
	r.same(s[i:j], base+int32(i))
	if first && j < len(s) && (s[j] == '.' || s[j] == ')') && !r.inCode() {
		r.put(pChar, "\\"+s[j:j+1], base+int32(j), base+int32(j)+1)
		j++
	}
	return j
}

func (r *renderer) special(s string, i int, base int32, cdata bool) int {
	from := base + int32(i)
	if s[i] == '&' && !cdata {
		if text, n := storage.Reference(s[i:]); n > 0 {
			r.reference(text, from, from+int32(n))
			return i + n
		}
	}
	r.ready(s[i])
	var next byte
	if i+1 < len(s) {
		next = s[i+1]
	}
	if spelled := r.spell(s[i], next); spelled != "" {
		r.put(pChar, spelled, from, from+1)
	} else {
		r.same(s[i:i+1], from)
	}
	return i + 1
}

// reference writes the character a reference stands for.
func (r *renderer) reference(text string, from, to int32) {
	c, _ := utf8.DecodeRuneInString(text)
	switch {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		r.whiteSpace(from, to)
		return
	case hiddenRune(c) || c < 0x20:
		r.in.hidden++
		return
	case c >= 0x80:
		r.ready(runeClass(c))
	default:
		r.ready(text[0])
		if spelled := r.spell(text[0], 'a'); spelled != "" {
			text = spelled
		}
	}
	r.put(pChar, text, from, to)
}

// spell is how a special ASCII character is written here; "" : as it is.
func (r *renderer) spell(c, next byte) string {
	if r.mode == escHTML {
		return htmlChar(c)
	}
	if r.inCode() {
		if c == '|' && r.mode == escCell {
			return "\\|"
		}
		return ""
	}
	if r.mustEscape(c, next) {
		return "\\" + string(c)
	}
	return ""
}

func htmlChar(c byte) string {
	switch c {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	}
	return ""
}

func (r *renderer) mustEscape(c, next byte) bool {
	switch c {
	case '\\', '`', '*', '[', '~':
		return true
	case ']':
		return r.in.inLink > 0
	case '|':
		return r.mode == escCell || r.lineStart()
	case '_':
		return !r.lastIsWord() || !asciiWord(next) && next < 0x80
	case '<':
		return opensTag(next)
	case '&':
		return opensReference(next)
	case '#':
		return r.lineStart() || r.text != nil && r.text.level > 0
	case '>', '+', '-', '=':
		return r.lineStart()
	}
	return false
}

// opensTag tells whether < and what follows it could begin HTML. Zero is the
// end of the text.
func opensTag(next byte) bool {
	return asciiWord(next) || next == '/' || next == '!' || next == '?' || next == 0
}

// opensReference tells the same of & and a character reference.
func opensReference(next byte) bool { return asciiWord(next) || next == '#' || next == 0 }

func (r *renderer) lastIsWord() bool {
	if len(r.out) == 0 {
		return false
	}
	last, _ := utf8.DecodeLastRune(r.out)
	return unicode.IsLetter(last) || unicode.IsDigit(last)
}

// high writes characters beyond ASCII. Those nobody can see are left out and
// counted: they are how instructions are hidden from a human reader.
func (r *renderer) high(s string, i int, base int32) int {
	c, n := utf8.DecodeRuneInString(s[i:])
	if c == utf8.RuneError && n == 1 {
		r.ready('?')
		r.put(pChar, "\uFFFD", base+int32(i), base+int32(i)+1)
		return i + 1
	}
	if hiddenRune(c) && !(joiner(c) && len(r.out) > 0 && r.out[len(r.out)-1] >= 0x80) {
		r.in.hidden++
		return i + n
	}
	r.ready(runeClass(c))
	r.same(s[i:i+n], base+int32(i))
	return i + n
}

func runeClass(c rune) byte {
	if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) {
		return 'a'
	}
	if c == 0xA0 {
		return ' '
	}
	return '!'
}

// joiner tells the two that shape emoji and Persian words.
func joiner(c rune) bool { return c == 0x200C || c == 0x200D }

// hiddenRune tells characters that leave no trace on the screen: soft hyphen,
// zero width and direction marks, tags, and the C1 controls.
func hiddenRune(c rune) bool {
	switch {
	case c == 0xAD, c == 0xFEFF, c == 0x61C, c == 0x180E, c == 0x034F:
		return true
	case c >= 0x200B && c <= 0x200F, c >= 0x202A && c <= 0x202E, c >= 0x2060 && c <= 0x206F:
		return true
	case c >= 0xE0000 && c <= 0xE0FFF, c >= 0x80 && c < 0xA0, c >= 0xFFF9 && c <= 0xFFFB:
		return true
	}
	return c == 0x2028 || c == 0x2029
}

// mdText escapes a plain string for use inside a link or title.
func mdText(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '\\', '`', '*', '_', '[', ']', '<', '~', '&':
			b.WriteByte('\\')
			b.WriteRune(c)
		case '\n', '\r', '\t':
			b.WriteByte(' ')
		default:
			if c >= 0x20 && !hiddenRune(c) {
				b.WriteRune(c)
			}
		}
	}
	return strings.TrimSpace(b.String())
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", " ", "\r", " ")

// htmlText escapes a plain string for use in an HTML table.
func htmlText(s string) string { return htmlEscaper.Replace(s) }
