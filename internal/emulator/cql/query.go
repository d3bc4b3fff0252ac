package cql

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Document is what a query is asked about. Field names are the language's own
// in lower case: type, subtype, space, space.title, space.type, id, title,
// text, label, ancestor, parent, creator, contributor, container, mention,
// macro, watcher, favourite, created, lastmodified; of a user: type, user,
// user.fullname.
type Document interface {
	// Has reports whether a field holds a value; value is lower-cased, the
	// comparison ignores case.
	Has(field, value string) bool
	// Plain gives the lower-cased text of title, space.title, text (title and
	// body together) and user.fullname, and the value of any field that sorts.
	Plain(field string) string
	// Time gives created and lastmodified.
	Time(field string) time.Time
}

// Env is what a query depends on besides its text.
type Env struct {
	User  string         // the asking user's id, for currentUser(); empty is anonymous
	Now   time.Time      // for now() and the start and end functions
	Zone  *time.Location // in which date literals are read; nil is UTC
	Users bool           // the query is one of /search/user
}

// Query is a parsed query. Immutable, safe for concurrent use.
type Query struct {
	root  node
	order []order
	terms []string
	types []string
}

type order struct {
	field field
	desc  bool
}

// Match reports whether the query finds d.
func (q *Query) Match(d Document) bool { return q.root == nil || q.root.match(d) }

// Terms are the words the query looks for in text, lower-cased, for
// highlighting.
func (q *Query) Terms() []string { return slices.Clone(q.terms) }

// Types are the values the query compares the type field with.
func (q *Query) Types() []string { return slices.Clone(q.types) }

// Compare orders two found documents by ORDER BY. 0 leaves the order open.
func (q *Query) Compare(a, b Document) int {
	for _, o := range q.order {
		c := compareBy(o.field, a, b)
		if o.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// Ordered reports whether the query says in which order it wants its answer.
func (q *Query) Ordered() bool { return len(q.order) > 0 }

// Ranked reports whether the query has a siteSearch, which puts its answer in
// an order of its own; text ~ does not.
func (q *Query) Ranked() bool { return q.root != nil && q.root.ranks() }

// Rank is how well d fits a siteSearch, higher is better: the UI's ranking in
// its coarsest form, how many of the searched words stand in the title.
func (q *Query) Rank(d Document) int {
	if !q.Ranked() {
		return 0
	}
	title, n := d.Plain("title"), 0
	for _, t := range q.terms {
		if strings.Contains(title, t) {
			n++
		}
	}
	return n
}

func compareBy(f field, a, b Document) int {
	if f.nature == moment {
		return a.Time(f.name).Compare(b.Time(f.name))
	}
	x, y := a.Plain(f.name), b.Plain(f.name)
	if f.name == "id" {
		// Ids are numbers: the shorter is the smaller.
		if c := cmp.Compare(len(x), len(y)); c != 0 {
			return c
		}
	}
	return strings.Compare(x, y)
}
