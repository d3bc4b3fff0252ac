package guard

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Node is what a forest is told about a node. Indexes are the caller's; 0 is
// no node and no space.
type Node struct {
	Parent uint32 // 0 at a root
	Space  uint32 // 0 seals the node
	Clause Clause
}

// cell is a node in a snapshot.
type cell struct{ space, guard, parent uint32 }

// fence is a guard: a node that has a clause, and the next guard above it.
type fence struct{ node, clause, up uint32 }

// link threads the children of a node; only the writer needs it.
type link struct{ first, next, prev uint32 }

// Forest is the changing side: one writer owns it. It must be told everything
// that is visible to anybody; what it was not told is hidden.
type Forest struct {
	table  *table
	cells  chunks[cell]
	fences chunks[fence]
	links  []link
	used   uint32   // fences in use or free, the first one is 1
	free   []uint32 // fences to use again
	broken map[uint32]Node
	rights stamp // of what may change a verdict of a guard or a space
	spaces []Space
	views  []uint32 // the number of each space's grants
	lent   bool     // a snapshot holds spaces and views
	people directory
}

// stamp names a state: no two forests have an equal one, unless one was not
// changed since.
type stamp struct{ forest, n uint64 }

func newStamp() stamp { return stamp{forest: rand.Uint64()} }

// NewForest makes an empty forest.
func NewForest() *Forest {
	return &Forest{table: newTable(), broken: map[uint32]Node{}, rights: newStamp(), spaces: make([]Space, 1), views: make([]uint32, 1), people: newDirectory()}
}

// ForestOf makes a forest that goes on from a snapshot: what was told to
// another forest since then is forgotten. It costs a walk over all nodes.
func ForestOf(s *Snapshot) *Forest {
	f := &Forest{table: s.table, cells: s.cells.resume(), fences: s.fences.resume(), used: s.used, free: slices.Clone(s.free),
		broken: maps.Clone(s.broken), spaces: s.spaces, views: s.views, lent: true, people: s.people.resume()}
	f.links = make([]link, len(f.cells.list)*chunkSize)
	for i := range uint32(len(f.links)) {
		if p := f.cells.at(i).parent; p != 0 {
			f.join(i, p)
		}
	}
	f.rights = newStamp() // another forest may have gone on from the same snapshot
	return f
}

// Put says what a node is, for the first time or anew; what is below it
// follows. A parent that was never put is sealed until it is, and so is a node
// that would stand below itself.
func (f *Forest) Put(idx uint32, n Node) {
	if idx == 0 {
		return
	}
	f.grow(max(idx, n.Parent))
	if int(n.Space) >= len(f.spaces) {
		f.room(n.Space)
	}
	delete(f.broken, idx)
	if n.Space == 0 {
		n.Clause = Clause{}
	}
	if n.Parent != 0 && f.below(n.Parent, idx) {
		f.broken[idx] = n
		n.Parent, n.Clause = 0, Clause{}
	}
	f.place(idx, n)
}

// Remove forgets a node. What is below it is hidden until it stands elsewhere.
func (f *Forest) Remove(idx uint32) {
	if idx != 0 && int(idx) < len(f.links) {
		delete(f.broken, idx)
		f.place(idx, Node{})
	}
}

func (f *Forest) grow(idx uint32) {
	if int(idx) >= len(f.links) {
		f.links = append(f.links, make([]link, int(idx)+1-len(f.links))...)
	}
}

// below reports whether a node is idx or stands somewhere under it.
func (f *Forest) below(node, idx uint32) bool {
	for ; node != 0; node = f.cells.at(node).parent {
		if node == idx {
			return true
		}
	}
	return false
}

func (f *Forest) place(idx uint32, n Node) {
	if p := n.Parent; p != 0 {
		if up := f.cells.at(p); up.space == 0 && up.guard == 0 {
			f.restrict(p, sealedClause) // never put yet
		}
	}
	old := f.cells.at(idx)
	if old.space != n.Space {
		f.cells.edit(idx).space = n.Space
		if f.own(idx) {
			f.rights.n++ // what its integration says about opaque nodes may differ
		}
	}
	if old.parent != n.Parent {
		f.leave(idx, old.parent)
		f.join(idx, n.Parent)
		f.cells.edit(idx).parent = n.Parent
		f.repoint(idx, f.cells.at(n.Parent).guard)
	}
	f.restrict(idx, f.table.clause(n.Clause))
}

func (f *Forest) join(idx, parent uint32) {
	if parent == 0 {
		return
	}
	first := f.links[parent].first
	f.links[idx].next, f.links[idx].prev = first, 0
	if first != 0 {
		f.links[first].prev = idx
	}
	f.links[parent].first = idx
}

func (f *Forest) leave(idx, parent uint32) {
	if parent == 0 {
		return
	}
	l := f.links[idx]
	if l.prev == 0 {
		f.links[parent].first = l.next
	} else {
		f.links[l.prev].next = l.next
	}
	if l.next != 0 {
		f.links[l.next].prev = l.prev
	}
	f.links[idx].next, f.links[idx].prev = 0, 0
}

// own reports whether a node has a clause.
func (f *Forest) own(idx uint32) bool {
	g := f.cells.at(idx).guard
	return g != 0 && f.fences.at(g).node == idx
}

// restrict gives a node its clause.
func (f *Forest) restrict(idx, clause uint32) {
	g := f.cells.at(idx).guard
	switch own := f.own(idx); {
	case own && clause == noClause:
		up := f.fences.at(g).up
		*f.fences.edit(g) = fence{}
		f.free = append(f.free, g)
		f.cells.edit(idx).guard = up
		f.repointBelow(idx, up)
	case own && f.fences.at(g).clause != clause:
		f.fences.edit(g).clause = clause
	case !own && clause != noClause:
		id := f.fence()
		*f.fences.edit(id) = fence{node: idx, clause: clause, up: g}
		f.cells.edit(idx).guard = id
		f.repointBelow(idx, id)
	default:
		return
	}
	f.rights.n++
}

func (f *Forest) fence() uint32 {
	if n := len(f.free); n > 0 {
		id := f.free[n-1]
		f.free = f.free[:n-1]
		return id
	}
	f.used++
	return f.used
}

func (f *Forest) repointBelow(idx, guard uint32) {
	for c := f.links[idx].first; c != 0; c = f.links[c].next {
		f.repoint(c, guard)
	}
}

// repoint says that the next guard above a node is another one. The walk ends
// at nodes that are guards themselves.
func (f *Forest) repoint(idx, guard uint32) {
	below := []uint32{idx}
	for len(below) > 0 {
		i := below[len(below)-1]
		below = below[:len(below)-1]
		g := f.cells.at(i).guard
		if g != 0 && f.fences.at(g).node == i {
			if f.fences.at(g).up != guard {
				f.fences.edit(g).up = guard
				f.rights.n++
			}
			continue
		}
		if g == guard {
			continue
		}
		f.cells.edit(i).guard = guard
		for c := f.links[i].first; c != 0; c = f.links[c].next {
			below = append(below, c)
		}
	}
}

// mend tries again to place what stood below itself: the other half of a move
// may have come since.
func (f *Forest) mend() {
	for again := len(f.broken) > 0; again; {
		again = false
		for _, idx := range slices.Sorted(maps.Keys(f.broken)) {
			if n := f.broken[idx]; !f.below(n.Parent, idx) {
				delete(f.broken, idx)
				f.place(idx, n)
				again = true
			}
		}
	}
}
