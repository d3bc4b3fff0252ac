package cql

import (
	"slices"
	"time"
)

// node is one part of a parsed query.
type node interface {
	match(Document) bool
	cost() int   // rough price of match, to ask cheap parts first
	ranks() bool // whether a siteSearch stands in it
}

type all []node

func (n all) match(d Document) bool {
	for _, part := range n {
		if !part.match(d) {
			return false
		}
	}
	return true
}

func (n all) cost() int   { return dearest(n) }
func (n all) ranks() bool { return slices.ContainsFunc(n, node.ranks) }

type anyOf []node

func (n anyOf) match(d Document) bool {
	for _, part := range n {
		if part.match(d) {
			return true
		}
	}
	return false
}

func (n anyOf) cost() int   { return dearest(n) }
func (n anyOf) ranks() bool { return slices.ContainsFunc(n, node.ranks) }

func dearest(parts []node) int {
	c := 0
	for _, p := range parts {
		c = max(c, p.cost())
	}
	return c
}

type not struct{ part node }

func (n not) match(d Document) bool { return !n.part.match(d) }
func (n not) cost() int             { return n.part.cost() }
func (n not) ranks() bool           { return n.part.ranks() }

// holds is field = value and field IN (values).
type holds struct {
	field  string
	values []string
}

func (n holds) match(d Document) bool {
	for _, v := range n.values {
		if d.Has(n.field, v) {
			return true
		}
	}
	return false
}

func (n holds) cost() int {
	switch n.field {
	case "type", "space", "id":
		return 1
	case "mention", "macro":
		return 8
	}
	return 3
}

func (n holds) ranks() bool { return false }

// says is field ~ terms.
type says struct {
	field string
	site  bool // written as siteSearch
	terms []term
}

func (n says) match(d Document) bool {
	text := d.Plain(n.field)
	for _, t := range n.terms {
		if !t.in(text) {
			return false
		}
	}
	return true
}

func (n says) cost() int {
	if n.field == "text" {
		return 10
	}
	return 4
}

func (n says) ranks() bool { return n.site }

// when compares a time with a literal, which covers from until to (exclusive):
// a day when only a date was written, a minute with a time.
type when struct {
	field    string
	op       string
	from, to time.Time
}

// match reads a literal as its first moment for the ordering operators and as
// the whole day or minute for equality (recalled, not measured).
func (n when) match(d Document) bool {
	t := d.Time(n.field)
	switch n.op {
	case ">":
		return t.After(n.from)
	case ">=":
		return !t.Before(n.from)
	case "<":
		return t.Before(n.from)
	case "<=":
		return !t.After(n.from)
	}
	return !t.Before(n.from) && t.Before(n.to)
}

func (n when) cost() int   { return 2 }
func (n when) ranks() bool { return false }
