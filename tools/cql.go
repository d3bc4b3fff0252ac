package tools

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"confluence-mcp/internal/confluence"
)

// query is a CQL query taken apart: the condition, and the order that must
// stay outside any parenthesis put around it.
type query struct {
	where, order string
	typed        bool // it says itself which types of content it is about
}

// parseCQL reads the part of CQL that this server sends on. Whatever it does
// not understand is refused, so that a condition put around a query (the
// spaces a caller is kept to) holds for all of it.
//
//	query  = [expr] ["ORDER" "BY" sort {"," sort}]
//	expr   = term {("AND"|"OR") term}
//	term   = "NOT" term | "(" expr ")" | field op value
//	value  = word | string | function | "(" value {"," value} ")"
func parseCQL(src string) (query, error) {
	if src == "" {
		return query{}, nil
	}
	toks, err := scanCQL(src)
	if err != nil {
		return query{}, err
	}
	p := &cqlParser{toks: toks}
	end := len(src)
	if !p.isWord("order") {
		if err := p.expr(0); err != nil {
			return query{}, err
		}
	}
	order := ""
	if p.isWord("order") {
		end = p.peek().at
		order = src[end:]
		if err := p.orderBy(); err != nil {
			return query{}, err
		}
	}
	if p.peek().kind != cqlEnd {
		return query{}, badCQL(p.peek(), "AND, OR or the end")
	}
	return query{where: strings.TrimSpace(src[:end]), order: strings.TrimSpace(order), typed: p.typed}, nil
}

// Kinds of tokens.
const (
	cqlEnd = iota
	cqlWord
	cqlString
	cqlOp // comparison
	cqlMark
)

type cqlToken struct {
	kind int
	text string
	at   int
}

func badCQL(t cqlToken, want string) error {
	found := "its end"
	if t.kind != cqlEnd {
		found = quoteShort(t.text)
	}
	return cqlError(fmt.Sprintf("cql has %s at character %d where %s should stand.", found, t.at+1, want))
}

func cqlError(message string) error {
	return invalid("cql", message, `Write it like type = page AND label = "runbook" ORDER BY lastmodified DESC, with values in double quotes.`)
}

func scanCQL(src string) ([]cqlToken, error) {
	var out []cqlToken
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ':
			i++
		case c == '"' || c == '\'':
			n := stringEnd(src[i:], c)
			if n < 0 {
				return nil, cqlError("cql has a quote that is never closed.")
			}
			out = append(out, cqlToken{cqlString, src[i : i+n], i})
			i += n
		case strings.IndexByte("(),", c) >= 0:
			out = append(out, cqlToken{cqlMark, src[i : i+1], i})
			i++
		case strings.IndexByte("=!~<>", c) >= 0:
			n := spanOf(src[i:], func(b byte) bool { return strings.IndexByte("=!~<>", b) >= 0 })
			out = append(out, cqlToken{cqlOp, src[i : i+n], i})
			i += n
		case isCQLWord(c):
			n := spanOf(src[i:], isCQLWord)
			out = append(out, cqlToken{cqlWord, src[i : i+n], i})
			i += n
		default:
			return nil, cqlError(fmt.Sprintf("cql has a character outside quotes that is not allowed there, at character %d.", i+1))
		}
	}
	return append(out, cqlToken{kind: cqlEnd, at: len(src)}), nil
}

func stringEnd(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == quote:
			return i + 1
		case s[i] < ' ':
			return -1
		}
	}
	return -1
}

func spanOf(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

func isCQLWord(c byte) bool {
	return c < 0x80 && (isWord(rune(c)) || strings.IndexByte("_.-", c) >= 0)
}

type cqlParser struct {
	toks  []cqlToken
	pos   int
	typed bool
}

func (p *cqlParser) peek() cqlToken { return p.toks[p.pos] }

func (p *cqlParser) next() cqlToken {
	t := p.toks[p.pos]
	if t.kind != cqlEnd {
		p.pos++
	}
	return t
}

func (p *cqlParser) isWord(w string) bool {
	return p.peek().kind == cqlWord && strings.EqualFold(p.peek().text, w)
}

func (p *cqlParser) isMark(m string) bool {
	return p.peek().kind == cqlMark && p.peek().text == m
}

// maxCQLDepth bounds nesting.
const maxCQLDepth = 20

func (p *cqlParser) expr(depth int) error {
	if depth > maxCQLDepth {
		return cqlError("cql nests too deep.")
	}
	for {
		if err := p.term(depth); err != nil {
			return err
		}
		if !p.isWord("and") && !p.isWord("or") {
			return nil
		}
		p.next()
	}
}

func (p *cqlParser) term(depth int) error {
	switch {
	case p.isWord("not"):
		p.next()
		if depth > maxCQLDepth {
			return cqlError("cql nests too deep.")
		}
		return p.term(depth + 1)
	case p.isMark("("):
		p.next()
		if err := p.expr(depth + 1); err != nil {
			return err
		}
		if !p.isMark(")") {
			return badCQL(p.peek(), "a closing parenthesis")
		}
		p.next()
		return nil
	}
	return p.comparison()
}

func (p *cqlParser) comparison() error {
	f := p.next()
	if f.kind != cqlWord || reservedCQL(f.text) {
		return badCQL(f, "a field name")
	}
	p.typed = p.typed || strings.EqualFold(f.text, "type")
	many := false
	switch {
	case p.isWord("in"):
		p.next()
		many = true
	case p.isWord("not"):
		p.next()
		if !p.isWord("in") {
			return badCQL(p.peek(), "IN")
		}
		p.next()
		many = true
	default:
		op := p.next()
		if op.kind != cqlOp || !slices.Contains([]string{"=", "!=", "~", "!~", ">", ">=", "<", "<="}, op.text) {
			return badCQL(op, "a comparison (= != ~ !~ > >= < <= IN)")
		}
	}
	if many && p.isMark("(") {
		return p.list()
	}
	return p.value()
}

func (p *cqlParser) list() error {
	p.next()
	for {
		if err := p.value(); err != nil {
			return err
		}
		if p.isMark(")") {
			p.next()
			return nil
		}
		if !p.isMark(",") {
			return badCQL(p.peek(), "a comma or a closing parenthesis")
		}
		p.next()
	}
}

func (p *cqlParser) value() error {
	v := p.next()
	if v.kind == cqlString {
		return nil
	}
	if v.kind != cqlWord || reservedCQL(v.text) {
		return badCQL(v, "a value")
	}
	if !p.isMark("(") {
		return nil
	}
	if !cqlFunction(v.text) {
		return badCQL(v, "a function this server knows (now, currentUser, startOfDay, …)")
	}
	p.next()
	if p.peek().kind == cqlString {
		p.next()
	}
	if !p.isMark(")") {
		return badCQL(p.peek(), "a closing parenthesis")
	}
	p.next()
	return nil
}

func (p *cqlParser) orderBy() error {
	p.next()
	if !p.isWord("by") {
		return badCQL(p.peek(), "BY")
	}
	for {
		p.next()
		if f := p.next(); f.kind != cqlWord || reservedCQL(f.text) {
			return badCQL(f, "a field to order by")
		}
		if p.isWord("asc") || p.isWord("desc") {
			p.next()
		}
		if !p.isMark(",") {
			return nil
		}
	}
}

func reservedCQL(w string) bool {
	return slices.Contains([]string{"and", "or", "not", "in", "order", "by"}, strings.ToLower(w))
}

func cqlFunction(name string) bool {
	return slices.Contains([]string{"currentuser", "now", "startofday", "startofweek", "startofmonth", "startofyear",
		"endofday", "endofweek", "endofmonth", "endofyear", "favouritespaces", "recentlyviewedcontent", "recentlyviewedspaces"}, strings.ToLower(name))
}

// within keeps a query to some spaces: the condition in parentheses, the
// spaces beside it, the order at the end.
func (q query) within(spaces []string) string {
	where := q.where
	if len(spaces) > 0 {
		quoted := make([]string, len(spaces))
		for i, s := range spaces {
			quoted[i] = confluence.QuoteCQL(s)
		}
		only := "(space in (" + strings.Join(quoted, ", ") + "))"
		if where == "" {
			where = only
		} else {
			where = "(" + where + ") AND " + only
		}
	}
	return strings.TrimSpace(where + " " + q.order)
}

// hasWords reports whether there is anything to search for in a text.
func hasWords(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}
