package cql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end kind = iota
	word
	quoted
	operator
	open
	closing
	comma
)

// token is one lexical unit; text of a quoted one is unescaped.
type token struct {
	kind kind
	text string
	from int // byte offset where it starts
	to   int // byte offset just after it
}

// keyword reports whether the token is the bare word w (upper case).
func (t token) keyword(w string) bool {
	return t.kind == word && strings.EqualFold(t.text, w)
}

func lex(text string) ([]token, error) {
	var tokens []token
	for pos := 0; pos < len(text); {
		r, size := utf8.DecodeRuneInString(text[pos:])
		if unicode.IsSpace(r) {
			pos += size
			continue
		}
		t, err := next(text, pos, r)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		pos = t.to
	}
	return append(tokens, token{kind: end, from: len(text), to: len(text)}), nil
}

func next(text string, pos int, r rune) (token, error) {
	switch r {
	case '(':
		return token{open, "(", pos, pos + 1}, nil
	case ')':
		return token{closing, ")", pos, pos + 1}, nil
	case ',':
		return token{comma, ",", pos, pos + 1}, nil
	case '"', '\'':
		return lexQuoted(text, pos)
	}
	if op := operatorAt(text[pos:]); op != "" {
		return token{operator, op, pos, pos + len(op)}, nil
	}
	to := pos
	for to < len(text) {
		c, size := utf8.DecodeRuneInString(text[to:])
		if !bare(c) {
			break
		}
		to += size
	}
	if to == pos {
		return token{}, syntax("unexpected character %q at %d", r, pos)
	}
	return token{word, text[pos:to], pos, to}, nil
}

func operatorAt(rest string) string {
	for _, op := range []string{"!=", "!~", ">=", "<=", "=", "~", ">", "<"} {
		if strings.HasPrefix(rest, op) {
			return op
		}
	}
	return ""
}

// bare reports whether r may stand in an unquoted word: names, keys, ids,
// dates and account ids.
func bare(r rune) bool {
	if r == utf8.RuneError {
		return false
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("._-:/@*?+%", r)
}

func lexQuoted(text string, pos int) (token, error) {
	mark := text[pos]
	var b strings.Builder
	for i := pos + 1; i < len(text); i++ {
		switch c := text[i]; c {
		case mark:
			return token{quoted, b.String(), pos, i + 1}, nil
		case '\\':
			i++
			if i == len(text) {
				return token{}, syntax("string that starts at %d ends in a backslash", pos)
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, syntax("string that starts at %d is not closed", pos)
}
