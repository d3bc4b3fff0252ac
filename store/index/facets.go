package index

import (
	"cmp"
	"slices"
)

// Facets counts what was found, of all pages of the answer: the most frequent
// values first, equal ones by name.
type Facets struct {
	Spaces []Count
	Types  []Count
	Labels []Count
}

// Count is how many nodes have a value. Integration is set for spaces only.
type Count struct {
	Integration int64
	Value       string
	Nodes       int
}

// mostCounts is how many values of a facet are given.
const mostCounts = 50

type counting struct {
	spaces map[spaceName]int
	kinds  map[string]int
	labels map[string]int
}

func newCounting() *counting {
	return &counting{spaces: map[spaceName]int{}, kinds: map[string]int{}, labels: map[string]int{}}
}

// tally counts one segment by place.
type tally struct {
	seg                   *live
	spaces, kinds, labels []int
}

func newTally(seg *live) *tally {
	return &tally{seg, make([]int, len(seg.spaces)), make([]int, len(seg.kinds)), make([]int, len(seg.labels))}
}

func (t *tally) count(doc uint32) {
	t.spaces[t.seg.space[doc]]++
	t.kinds[t.seg.kind[doc]]++
	for _, l := range t.seg.label[t.seg.labelAt[doc]:t.seg.labelAt[doc+1]] {
		t.labels[l]++
	}
}

func (c *counting) add(t *tally) {
	for i, n := range t.spaces {
		c.spaces[t.seg.spaces[i]] += n
	}
	for i, n := range t.kinds {
		c.kinds[t.seg.kinds[i]] += n
	}
	for i, n := range t.labels {
		c.labels[t.seg.labels[i]] += n
	}
}

func (c *counting) facets() Facets {
	var f Facets
	for s, n := range c.spaces {
		f.Spaces = append(f.Spaces, Count{s.integration, s.key, n})
	}
	for k, n := range c.kinds {
		f.Types = append(f.Types, Count{Value: k, Nodes: n})
	}
	for l, n := range c.labels {
		f.Labels = append(f.Labels, Count{Value: l, Nodes: n})
	}
	f.Spaces, f.Types, f.Labels = most(f.Spaces), most(f.Types), most(f.Labels)
	return f
}

// most leaves out what does not occur: its name is not the caller's to know.
func most(of []Count) []Count {
	of = slices.DeleteFunc(of, func(c Count) bool { return c.Nodes == 0 })
	slices.SortFunc(of, func(a, b Count) int {
		return cmp.Or(b.Nodes-a.Nodes, cmp.Compare(a.Value, b.Value), cmp.Compare(a.Integration, b.Integration))
	})
	return of[:min(len(of), mostCounts)]
}
