package guard_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// model is the truth, kept as plainly as it can be: permissions 1, word by word.
type model struct {
	nodes   map[uint32]guard.Node
	spaces  map[uint32]guard.Space
	people  map[string]guard.Person
	groups  map[string]guard.Membership
	site    guard.Integration
	secrets map[uint32]guard.Clause // of opaque nodes: what Confluence knows
	now     time.Time
}

// young reports whether what was read at a time still counts.
func (m *model) young(read time.Time) bool { return m.now.Sub(read) < m.site.HardMaxAge }

// old reports whether what was read at a time is to be marked.
func (m *model) old(read time.Time) bool { return m.now.Sub(read) >= m.site.MaxAge }

// super reports whether a user of integration 1 is in the super group that is
// honoured.
func (m *model) super(c identity.Caller) bool {
	p, known := m.people[c.AccountID]
	if !known || !p.Active || !m.young(p.CheckedAt) || m.site.SuperGroup == "" {
		return false
	}
	in := map[guard.Principal]bool{}
	for _, g := range p.Groups {
		m.enter(in, g)
	}
	return in[guard.Principal{Integration: 1, Kind: guard.Group, ID: m.site.SuperGroup}]
}

// stale reports whether what decides about a space is to be marked for a caller.
func (m *model) stale(c identity.Caller, space uint32) bool {
	sp, known := m.spaces[space]
	p, is := m.people[c.AccountID]
	return known && (m.old(sp.SweptAt) || is && p.Active && m.young(p.CheckedAt) && m.old(p.CheckedAt))
}

// principals is everything a user of integration 1 is.
func (m *model) principals(c identity.Caller) map[guard.Principal]bool {
	out := map[guard.Principal]bool{}
	if m.site.Anonymous {
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
	if known && m.young(p.CheckedAt) {
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

// passes is one clause for somebody; a super user passes all that are known.
func (m *model) passes(mine map[guard.Principal]bool, super bool, idx uint32, c guard.Clause) bool {
	switch {
	case c.State == guard.Open:
		return true
	case c.State == guard.Opaque && m.site.Opaque == guard.VerifyOpaque && !super:
		return m.passes(mine, false, idx, m.secrets[idx])
	case c.State == guard.Opaque:
		return super || m.site.Opaque == guard.TrustOpaque
	case c.State == guard.Listed:
		return super || slices.ContainsFunc(c.Of, func(p guard.Principal) bool { return p.Kind != guard.Class && mine[p] })
	}
	return false
}

// visible is the formula: space view, by rights that are not too old, and every
// clause on the path. The super group stands outside of both, but not of what is
// unknown or too old.
func (m *model) visible(c identity.Caller, idx uint32) bool {
	mine, super := m.principals(c), m.super(c)
	n, known := m.nodes[idx]
	sp := m.spaces[n.Space]
	if !known || n.Space == 0 || sp.Integration == 0 || !m.young(sp.SweptAt) || !super && !slices.ContainsFunc(sp.View, func(p guard.Principal) bool { return mine[p] }) {
		return false
	}
	for steps := 0; ; steps++ {
		if steps > len(m.nodes) || !known || n.Space == 0 {
			return false // a loop, or a parent that is missing
		}
		at := m.spaces[n.Space].Integration != 0 // a space nobody knows has no settings
		if !at && n.Clause.State == guard.Opaque || !m.passes(mine, super && at, idx, n.Clause) {
			return false
		}
		if idx = n.Parent; idx == 0 {
			return true
		}
		n, known = m.nodes[idx]
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
	case r < 18:
		return only(t.some(6, 4)...)
	case r < 19:
		return guard.Clause{}
	}
	return guard.Clause{State: guard.Opaque}
}

// secret is what a node's restriction is where it cannot be read.
func (t *trial) secret() guard.Clause {
	if t.IntN(2) == 0 {
		return open
	}
	return only(t.some(8, 4)...)
}

// hours is a time before noon, older than everything may be at times.
func (t *trial) hours() time.Time { return noon().Add(-time.Duration(t.IntN(20)) * time.Hour) }

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
		t.nodes[idx], t.secrets[idx] = n, t.secret()
		t.forest.Put(idx, n)
	case r < 14:
		idx := 1 + uint32(t.IntN(trialNodes))
		delete(t.nodes, idx)
		t.forest.Remove(idx)
	case r < 16:
		idx := 1 + uint32(t.IntN(3))
		t.spaces[idx] = guard.Space{Integration: 1, View: t.some(6, 4), SweptAt: t.hours()}
		t.forest.SetSpace(idx, t.spaces[idx])
	case r < 18:
		p := guard.Person{Integration: 1, ID: fmt.Sprintf("u%d", t.IntN(5)), Active: t.IntN(6) > 0, Guest: t.IntN(4) == 0, Groups: t.ids("g", 4), CheckedAt: t.hours()}
		t.people[p.ID] = p
		t.forest.SetPerson(p)
	case r < 19:
		g := guard.Membership{Integration: 1, ID: fmt.Sprintf("g%d", t.IntN(4)), Parents: t.ids("g", 4)}
		g.Name = fmt.Sprintf("n%d", t.IntN(4))
		t.groups[g.ID] = g
		t.forest.SetGroup(g)
	default:
		t.settle()
	}
}

// settle changes what an admin says about the integration.
func (t *trial) settle() {
	t.site = site(1, "I1")
	t.site.Anonymous, t.site.Opaque = t.IntN(2) == 0, guard.OpaquePolicy(t.IntN(3))
	t.site.SuperGroup = []string{"", "", "g0", "g1", "g9"}[t.IntN(5)]
	t.site.MaxAge = time.Duration(1+t.IntN(20)) * time.Hour
	t.site.HardMaxAge = t.site.MaxAge + time.Duration(t.IntN(40))*time.Hour
	t.forest.SetIntegration(t.site)
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
	f.SetIntegration(t.site)
	f.SetIntegration(site(2, "I2"))
	return f.Snapshot(0)
}

func newTrial(seed uint64) *trial {
	t := &trial{Rand: rand.New(rand.NewPCG(seed, 7)), forest: guard.NewForest()}
	t.nodes, t.spaces, t.people, t.groups = map[uint32]guard.Node{}, map[uint32]guard.Space{}, map[string]guard.Person{}, map[string]guard.Membership{}
	t.secrets, t.now = map[uint32]guard.Clause{}, noon()
	t.settle()
	t.forest.SetIntegration(site(2, "I2"))
	return t
}

type tally struct {
	worlds, snapshots, questions, visible, leaked, hidden, differs, marks int
	opaque, asked, yes, needless                                          int // nodes only Confluence can judge, classes it was asked about, those it admits to, those it need not have been asked about
}

// answered is a view with Confluence asked about everything it cannot judge, once
// for each class and about any one node of it.
func (n *tally) answered(t *trial, c identity.Caller, v *guard.View) *guard.View {
	said := map[uint32]bool{}
	for _, k := range t.Perm(trialNodes) {
		idx := uint32(k) + 1
		if v.Check(idx) != guard.Verify {
			continue
		}
		n.opaque++
		class := v.Class(idx)
		if _, known := said[class]; !known {
			n.asked++
			if said[class] = t.visible(c, idx); said[class] {
				n.yes++
			}
		}
		if t.site.Opaque != guard.VerifyOpaque || t.super(c) {
			n.needless++
		}
	}
	return v.With(said)
}

func (n *tally) compare(t *trial, s *guard.Snapshot, cache *guard.Cache) {
	n.snapshots++
	rebuilt := t.rebuilt()
	for range 4 {
		c := t.caller()
		t.now = noon().Add(time.Duration(t.IntN(12)) * time.Hour)
		views := []*guard.View{n.answered(t, c, s.View(c, t.now)), n.answered(t, c, cache.View(s, c, t.now))}
		again := n.answered(t, c, rebuilt.View(c, t.now))
		for space := range uint32(4) {
			for _, v := range append(views, again) {
				if v.Stale(space, t.now) != t.stale(c, space) {
					n.marks++
				}
			}
		}
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
		require.Zero(t, n.leaked+n.hidden+n.differs+n.marks+n.needless, "seed %d: %+v", seed, n)
	}
	t.Logf("%d worlds, %d snapshots, %d questions (%d visible): %d leaked, %d wrongly hidden, %d unlike a rebuild, %d wrongly marked as stale or not; %d nodes in %d classes judged by Confluence, %d with yes, %d needlessly",
		n.worlds, n.snapshots, n.questions, n.visible, n.leaked, n.hidden, n.differs, n.marks, n.opaque, n.asked, n.yes, n.needless)
	assert.Greater(t, n.visible, n.questions/2/20, "the worlds must not be empty")
	assert.Greater(t, min(n.yes, n.asked-n.yes), 1000, "Confluence must have said both")
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
