package site

import (
	"cmp"
	"iter"
	"slices"
	"sync"
)

// Query says which contents to walk and in which order. Empty Space (a key) is
// every space.
type Query struct {
	Type  string // page, blogpost, folder, comment, attachment
	Space string
	Sort  string // id, created, modified or title; empty is id
	Desc  bool
	After *Mark // walk on behind this one
	// IDs are the only contents wanted; empty is all.
	IDs []string
	// Keep drops contents before the costly visibility check; nil keeps all.
	Keep func(*Content) bool
}

// Mark is the place of a content in a walk: small, and safe to hand to a
// client as an opaque cursor. It stays valid when contents come and go.
type Mark struct {
	Time int64  `json:"t,omitempty"`
	Text string `json:"s,omitempty"`
	Num  int64  `json:"n,omitempty"`
	ID   string `json:"i"`
}

// Mark is the place of c in this query's order.
func (q Query) Mark(c *Content) Mark {
	m := Mark{Num: c.num, ID: c.ID}
	switch q.Sort {
	case "created":
		m.Time = c.Created.UnixNano()
	case "modified":
		m.Time = c.Updated.UnixNano()
	case "title":
		m.Text = c.folded
	}
	return m
}

func (m Mark) compare(o Mark) int {
	return cmp.Or(cmp.Compare(m.Time, o.Time), cmp.Compare(m.Text, o.Text), cmp.Compare(m.Num, o.Num), cmp.Compare(m.ID, o.ID))
}

// Walk yields the contents of a query that the user may see, in any status.
// Its list is sorted once and kept, so that a short walk over a large site costs
// only what it yields. Do not change the site while walking.
func (v *View) Walk(q Query) iter.Seq[*Content] {
	list := v.site.few(q)
	if len(q.IDs) == 0 {
		list = v.site.orders.of(v.site, q)
	}
	return func(yield func(*Content) bool) {
		for i := q.start(list); i >= 0 && i < len(list); i = q.step(i) {
			if (q.Keep == nil || q.Keep(list[i])) && v.sees(list[i]) && !yield(list[i]) {
				return
			}
		}
	}
}

// few are the contents a query names, in its order.
func (s *Site) few(q Query) []*Content {
	key, list := order{q.Type, q.Space, q.Sort}, []*Content{}
	for _, id := range q.IDs {
		if c := s.contents[id]; key.holds(c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, byOrder(q.Sort))
	return slices.Compact(list)
}

func (q Query) step(i int) int {
	if q.Desc {
		return i - 1
	}
	return i + 1
}

func (q Query) start(list []*Content) int {
	switch {
	case q.After == nil && q.Desc:
		return len(list) - 1
	case q.After == nil:
		return 0
	}
	i, found := slices.BinarySearchFunc(list, *q.After, func(c *Content, m Mark) int { return q.Mark(c).compare(m) })
	switch {
	case q.Desc:
		return i - 1
	case found:
		return i + 1
	}
	return i
}

// Once is the list that list makes for this user, made once for a name and a
// state of the site: lists by offset would walk from their beginning for each
// page. Call it while reading only, and do not change what it gives.
func (v *View) Once(name string, list func() []*Content) []*Content {
	return v.site.listings.of(listing{v.user, name}, list)
}

// listings keeps what users were last listed. A list may be asked for by
// several at once, hence the lock of its own.
type listings struct {
	mu   sync.Mutex
	made map[listing][]*Content
}

type listing struct{ user, name string }

const keptListings = 16

func (l *listings) of(key listing, list func() []*Content) []*Content {
	l.mu.Lock()
	defer l.mu.Unlock()
	if made, ok := l.made[key]; ok {
		return made
	}
	if l.made == nil || len(l.made) >= keptListings {
		l.made = map[listing][]*Content{}
	}
	l.made[key] = list()
	return l.made[key]
}

// forget is called after every change of the site.
func (l *listings) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = nil
}

// orders keeps sorted lists, each made when it is first asked for. Readers of
// the site may make one at the same time, hence the lock of its own; changes
// come under the site's write lock only.
type orders struct {
	mu    sync.Mutex
	lists map[order][]*Content
}

// order is what of a query decides about its list.
type order struct{ kind, space, sort string }

func (o order) holds(c *Content) bool {
	return c != nil && c.Type == o.kind && (o.space == "" || o.space == c.Space)
}

// forget drops every list.
func (o *orders) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lists = nil
}

// swap puts a content into the lists in the place of its old state; either may
// be nil.
func (o *orders) swap(old, c *Content) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, list := range o.lists {
		if key.holds(old) {
			if i, found := slices.BinarySearchFunc(list, old, byOrder(key.sort)); found {
				list = slices.Delete(list, i, i+1)
			}
		}
		if key.holds(c) {
			i, _ := slices.BinarySearchFunc(list, c, byOrder(key.sort))
			list = slices.Insert(list, i, c)
		}
		o.lists[key] = list
	}
}

func (o *orders) of(s *Site, q Query) []*Content {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := order{q.Type, q.Space, q.Sort}
	if list, ok := o.lists[key]; ok {
		return list
	}
	list := []*Content{}
	for _, c := range s.contents {
		if key.holds(c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, byOrder(q.Sort))
	if o.lists == nil {
		o.lists = map[order][]*Content{}
	}
	o.lists[key] = list
	return list
}

// byOrder compares contents as the marks of a query with this order compare.
func byOrder(sort string) func(a, b *Content) int {
	last := func(a, b *Content) int { return cmp.Or(cmp.Compare(a.num, b.num), cmp.Compare(a.ID, b.ID)) }
	switch sort {
	case "created":
		return func(a, b *Content) int { return cmp.Or(a.Created.Compare(b.Created), last(a, b)) }
	case "modified":
		return func(a, b *Content) int { return cmp.Or(a.Updated.Compare(b.Updated), last(a, b)) }
	case "title":
		return func(a, b *Content) int { return cmp.Or(cmp.Compare(a.folded, b.folded), last(a, b)) }
	}
	return last
}
