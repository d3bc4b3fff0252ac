package guard_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// model is the truth, kept as plainly as it can be: permissions 1, word by word.
type model struct {
	nodes     map[uint32]guard.Node
	spaces    map[uint32]guard.Space
	people    map[string]guard.Person
	groups    map[string]guard.Membership
	anonymous bool
}

// principals is everything a user of integration 1 is.
func (m *model) principals(c identity.Caller) map[guard.Principal]bool {
	out := map[guard.Principal]bool{}
	if m.anonymous {
		out[class(guard.Anonymous)] = true
	}
	p, known := m.people[c.AccountID]
	if known && !p.Active {
		return out
	}
	for _, a := range c.Access {
		for _, g := range m.groups {
			if a == "group-"+g.Name {
				m.enter(out, g.ID)
			}
		}
		if a[0] == 'u' {
			out[user(a[len("user-"):])] = true
		}
	}
	if known {
		out[user(p.ID)], out[class(guard.Anonymous)], out[class(guard.Authenticated)] = true, true, true
		if !p.Guest {
			out[class(guard.AllLicensed)] = true
		}
		for _, g := range p.Groups {
			m.enter(out, g)
		}
	}
	return out
}

func (m *model) enter(out map[guard.Principal]bool, id string) {
	p := guard.Principal{Integration: 1, Kind: guard.Group, ID: id}
	if g, known := m.groups[id]; known && !out[p] {
		out[p] = true
		for _, up := range g.Parents {
			m.enter(out, up)
		}
	}
}

// visible is the formula: space view and every clause on the path.
func (m *model) visible(c identity.Caller, idx uint32) bool {
	mine := m.principals(c)
	n, known := m.nodes[idx]
	if !known || n.Space == 0 || !slices.ContainsFunc(m.spaces[n.Space].View, func(p guard.Principal) bool { return mine[p] }) {
		return false
	}
	for steps := 0; ; steps++ {
		if steps > len(m.nodes) || !known || n.Space == 0 {
			return false // a loop, or a parent that is missing
		}
		switch n.Clause.State {
		case guard.Open:
		case guard.Listed:
			if !slices.ContainsFunc(n.Clause.Of, func(p guard.Principal) bool { return p.Kind != guard.Class && mine[p] }) {
				return false
			}
		default:
			return false
		}
		if n.Parent == 0 {
			return true
		}
		n, known = m.nodes[n.Parent]
	}
}

type trial struct {
	*rand.Rand
	model
	forest *guard.Forest
}

func (t *trial) who(kinds int) guard.Principal {
	switch t.IntN(kinds) {
	case 0:
		return user(fmt.Sprintf("u%d", t.IntN(5)))
	case 1:
		return guard.Principal{Integration: 1, Kind: guard.Group, ID: fmt.Sprintf("g%d", t.IntN(4))}
	case 2:
		return class([]string{guard.Anonymous, guard.Authenticated, guard.AllLicensed}[t.IntN(3)])
	}
	return guard.Principal{Integration: 2, Kind: guard.Group, ID: fmt.Sprintf("g%d", t.IntN(4))}
}

func (t *trial) some(n, kinds int) []guard.Principal {
	var out []guard.Principal
	for range t.IntN(n + 1) {
		out = append(out, t.who(kinds))
	}
	return out
}

func (t *trial) clause() guard.Clause {
	switch r := t.IntN(20); {
	case r < 14:
		return open
	case r < 19:
		return only(t.some(6, 4)...)
	}
	return guard.Clause{State: []guard.State{guard.Sealed, guard.Opaque}[t.IntN(2)]}
}

func (t *trial) ids(prefix string, n int) []string {
	var out []string
	for range t.IntN(3) {
		out = append(out, fmt.Sprintf("%s%d", prefix, t.IntN(n)))
	}
	return out
}

const trialNodes = 14

// change does one random thing to the model and to the forest.
func (t *trial) change() {
	switch r := t.IntN(20); {
	case r < 13:
		idx := 1 + uint32(t.IntN(trialNodes))
		n := guard.Node{Space: uint32(t.IntN(31)+2) / 8 % 4, Clause: t.clause()}
		if old, ok := t.nodes[idx]; ok && t.IntN(2) == 0 {
			n.Space, n.Parent = old.Space, old.Parent // an edit of the clause alone
		} else if t.IntN(8) > 0 {
			n.Parent = uint32(t.IntN(int(idx)))
		} else {
			n.Parent = uint32(t.IntN(trialNodes + 1))
		}
		t.nodes[idx] = n
		t.forest.Put(idx, n)
	case r < 14:
		idx := 1 + uint32(t.IntN(trialNodes))
		delete(t.nodes, idx)
		t.forest.Remove(idx)
	case r < 16:
		idx := 1 + uint32(t.IntN(3))
		t.spaces[idx] = guard.Space{Integration: 1, View: t.some(6, 4), SweptAt: noon()}
		t.forest.SetSpace(idx, t.spaces[idx])
	case r < 18:
		p := guard.Person{Integration: 1, ID: fmt.Sprintf("u%d", t.IntN(5)), Active: t.IntN(6) > 0, Guest: t.IntN(4) == 0, Groups: t.ids("g", 4), CheckedAt: noon()}
		t.people[p.ID] = p
		t.forest.SetPerson(p)
	case r < 19:
		g := guard.Membership{Integration: 1, ID: fmt.Sprintf("g%d", t.IntN(4)), Parents: t.ids("g", 4)}
		g.Name = fmt.Sprintf("n%d", t.IntN(4))
		t.groups[g.ID] = g
		t.forest.SetGroup(g)
	default:
		t.setAnonymous(t.IntN(2) == 0)
	}
}

func (t *trial) setAnonymous(on bool) {
	t.anonymous = on
	i := site(1, "I1")
	i.Anonymous = on
	t.forest.SetIntegration(i)
}

func (t *trial) caller() identity.Caller {
	var access []string
	for range t.IntN(3) {
		access = append(access, []string{fmt.Sprintf("group-n%d", t.IntN(4)), fmt.Sprintf("user-u%d", 5+t.IntN(2))}[t.IntN(2)])
	}
	if t.IntN(4) == 0 {
		return nobody(access...)
	}
	return who(fmt.Sprintf("u%d", t.IntN(6)), access...)
}

// rebuilt is a forest told the same, once and in another order.
func (t *trial) rebuilt() *guard.Snapshot {
	f := guard.NewForest()
	i := site(1, "I1")
	i.Anonymous = t.anonymous
	order := t.Perm(trialNodes)
	for _, k := range order {
		if n, ok := t.nodes[uint32(k)+1]; ok {
			f.Put(uint32(k)+1, n)
		}
	}
	for idx, s := range t.spaces {
		f.SetSpace(idx, s)
	}
	for _, p := range t.people {
		f.SetPerson(p)
	}
	for _, g := range t.groups {
		f.SetGroup(g)
	}
	f.SetIntegration(i)
	f.SetIntegration(site(2, "I2"))
	return f.Snapshot(0)
}

func newTrial(seed uint64) *trial {
	t := &trial{Rand: rand.New(rand.NewPCG(seed, 7)), forest: guard.NewForest()}
	t.nodes, t.spaces, t.people, t.groups = map[uint32]guard.Node{}, map[uint32]guard.Space{}, map[string]guard.Person{}, map[string]guard.Membership{}
	t.setAnonymous(false)
	t.forest.SetIntegration(site(2, "I2"))
	return t
}

type tally struct{ worlds, snapshots, questions, visible, leaked, hidden, differs int }

func (n *tally) compare(t *trial, s *guard.Snapshot, cache *guard.Cache) {
	n.snapshots++
	rebuilt := t.rebuilt()
	for range 4 {
		c := t.caller()
		views := []*guard.View{s.View(c, noon()), cache.View(s, c, noon())}
		again := rebuilt.View(c, noon())
		for idx := range uint32(trialNodes + 2) {
			want := t.visible(c, idx)
			if want {
				n.visible++
			}
			if again.Sees(idx) != want {
				n.differs++
			}
			for _, v := range views {
				n.questions++
				switch got := v.Sees(idx); {
				case got && !want:
					n.leaked++
				case want && !got:
					n.hidden++
				}
			}
		}
	}
}

// TestFormula compares the forest, changed step by step, with the formula and
// with a forest built anew, over random trees, clauses, moves, groups and
// callers.
func TestFormula(t *testing.T) {
	var n tally
	for seed := range uint64(10_000) {
		w := newTrial(seed)
		var cache guard.Cache
		n.worlds++
		for range 100 {
			w.change()
		}
		for step := range 3 {
			for range 1 + w.IntN(12) {
				w.change()
			}
			s := w.forest.Snapshot(uint64(step))
			if w.IntN(4) == 0 {
				w.forest.Put(1, guard.Node{}) // a batch that failed
				w.forest.Put(3, guard.Node{Space: 1, Clause: open})
				w.forest = guard.ForestOf(s)
			}
			n.compare(w, s, &cache)
		}
		require.Zero(t, n.leaked+n.hidden+n.differs, "seed %d", seed)
	}
	t.Logf("%d worlds, %d snapshots, %d questions (%d visible): %d leaked, %d wrongly hidden, %d unlike a rebuild",
		n.worlds, n.snapshots, n.questions, n.visible, n.leaked, n.hidden, n.differs)
	assert.Greater(t, n.visible, n.questions/2/20, "the worlds must not be empty")
}

// Snapshots are read while the writer goes on (for the race detector).
func TestReadersBesideTheWriter(t *testing.T) {
	w := newTrial(1)
	var cache guard.Cache
	snapshots := make(chan *guard.Snapshot)
	done := make(chan int)
	for r := range 2 {
		go func() {
			seen := 0
			for s := range snapshots {
				v := cache.View(s, who(fmt.Sprintf("u%d", r)), noon())
				for idx := range uint32(trialNodes) {
					if v.Sees(idx) {
						seen++
					}
				}
			}
			done <- seen
		}()
	}
	for i := range 2000 {
		w.change()
		snapshots <- w.forest.Snapshot(uint64(i))
	}
	close(snapshots)
	assert.Positive(t, <-done+<-done)
}
