package storage

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode replaces character and entity references. A reference nobody knows
// stays as it is.
func Decode(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		b.WriteString(s[:i])
		s = s[i:]
		text, n := Reference(s)
		if n == 0 {
			b.WriteByte('&')
			n = 1
		}
		b.WriteString(text)
		s = s[n:]
		if i = strings.IndexByte(s, '&'); i < 0 {
			b.WriteString(s)
			return b.String()
		}
	}
}

// longestName bounds the look-ahead: the longest HTML 4 name is "thetasym".
const longestName = 12

// Reference reads the reference at the start of s, which begins with '&', and
// tells what it stands for and how many bytes it takes; 0: none.
func Reference(s string) (text string, n int) {
	end := strings.IndexByte(s[:min(len(s), longestName)], ';')
	if end < 2 {
		return "", 0
	}
	name := s[1:end]
	if name[0] == '#' {
		r, ok := charNumber(name[1:])
		if !ok {
			return "", 0
		}
		return string(r), end + 1
	}
	switch name {
	case "amp":
		return "&", end + 1
	case "lt":
		return "<", end + 1
	case "gt":
		return ">", end + 1
	case "quot":
		return `"`, end + 1
	case "apos":
		return "'", end + 1
	}
	if text, ok := xml.HTMLEntity[name]; ok {
		return text, end + 1
	}
	return "", 0
}

func charNumber(s string) (rune, bool) {
	base := 10
	if strings.HasPrefix(s, "x") || strings.HasPrefix(s, "X") {
		s, base = s[1:], 16
	}
	v, err := strconv.ParseUint(s, base, 32)
	if err != nil || !legal(rune(v)) {
		return 0, false
	}
	return rune(v), true
}

// legal is the Char production of XML 1.0.
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// EscapeText spells s as text between tags. Characters that XML forbids are dropped.
func EscapeText(s string) string { return escape(s, false) }

// EscapeAttr spells s as an attribute value between double quotes.
func EscapeAttr(s string) string { return escape(s, true) }

func escape(s string, attr bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"' && attr:
			b.WriteString("&quot;")
		case attr && (r == '\n' || r == '\t' || r == '\r'):
			b.WriteByte(' ')
		case legal(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// EscapeCDATA spells s as the content of CDATA sections: the end mark is split
// over two of them.
func EscapeCDATA(s string) string {
	s = strings.Map(func(r rune) rune {
		if legal(r) {
			return r
		}
		return -1
	}, s)
	return strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>")
}
