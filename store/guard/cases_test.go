package guard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// The nodes and spaces of the acceptance cases.
const (
	spS, spS2, spS3, spT = 1, 2, 3, 4 // S = {staff}, S2 = {anonymous}, S3 = {A}, T of the other integration = {A there}
	nP, nC, nG, nF       = 1, 2, 3, 4
)

// world is the setup of the acceptance cases: permissions 5.
type world struct {
	*guard.Forest
	people map[string]*guard.Person
}

func site(id int64, name string) guard.Integration {
	return guard.Integration{ID: id, Name: name, Mode: guard.Synced, Account: "bot"}
}

func newWorld() *world {
	w := &world{Forest: guard.NewForest(), people: map[string]*guard.Person{}}
	w.SetIntegration(site(1, "I1"))
	w.SetIntegration(site(2, "I2"))
	for _, g := range []string{"staff", "A", "B", "supers"} {
		w.SetGroup(guard.Membership{Integration: 1, ID: "g" + g, Name: g})
	}
	w.SetGroup(guard.Membership{Integration: 1, ID: "gA1", Name: "A1", Parents: []string{"gA"}})
	w.SetGroup(guard.Membership{Integration: 2, ID: "gA", Name: "A"})
	for id, groups := range map[string][]string{"ann": {"gstaff", "gA"}, "bob": {"gstaff", "gB"}, "cid": {"gstaff", "gA", "gB"},
		"dan": {"gA"}, "eve": {"gstaff"}, "fay": {"gstaff", "gA1"}, "sue": {"gstaff", "gsupers"}} {
		w.person(guard.Person{Integration: 1, ID: id, Active: id != "eve", Groups: groups, CheckedAt: noon()})
	}
	w.person(guard.Person{Integration: 2, ID: "b2", Active: true, Groups: []string{"gA"}, CheckedAt: noon()})
	w.space(spS, 1, group("staff"))
	w.space(spS2, 1, class(guard.Anonymous))
	w.space(spS3, 1, group("A"))
	w.space(spT, 2, guard.Principal{Integration: 2, Kind: guard.Group, ID: "gA"})
	return w
}

func (w *world) person(p guard.Person) {
	w.people[p.ID] = &p
	w.SetPerson(p)
}

func (w *world) space(idx uint32, integration int64, of ...guard.Principal) {
	w.SetSpace(idx, guard.Space{Integration: integration, View: of, SweptAt: noon()})
}

// tree puts P, C below it and G below that, in S.
func (w *world) tree(p, c, g guard.Clause) {
	w.Put(nP, guard.Node{Space: spS, Clause: p})
	w.Put(nC, guard.Node{Space: spS, Parent: nP, Clause: c})
	w.Put(nG, guard.Node{Space: spS, Parent: nC, Clause: g})
}

func (w *world) sees(c identity.Caller, idx uint32) bool {
	return w.Snapshot(1).View(c, noon()).Sees(idx)
}

func group(name string) guard.Principal {
	return guard.Principal{Integration: 1, Kind: guard.Group, ID: "g" + name}
}
func user(id string) guard.Principal {
	return guard.Principal{Integration: 1, Kind: guard.User, ID: id}
}
func class(id string) guard.Principal {
	return guard.Principal{Integration: 1, Kind: guard.Class, ID: id}
}
func only(of ...guard.Principal) guard.Clause { return guard.Clause{State: guard.Listed, Of: of} }

var open = guard.Clause{State: guard.Open}

func who(id string, access ...string) identity.Caller {
	return identity.Caller{Kind: identity.User, Integration: "I1", AccountID: id, Access: access}
}

func nobody(access ...string) identity.Caller {
	c := identity.Public("a", "p", identity.HTTP)
	c.Access = access
	return c
}

// read is what Confluence answers for a node's own restrictions.
func read(update []string, users []string, groups ...string) []confluence.Restriction {
	r := confluence.Restriction{Operation: "read", UserIDs: users}
	for _, g := range groups {
		r.Groups = append(r.Groups, confluence.Group{ID: "g" + g, Name: g})
	}
	u := confluence.Restriction{Operation: "update"}
	for _, g := range update {
		u.Groups = append(u.Groups, confluence.Group{ID: "g" + g, Name: g})
	}
	return []confluence.Restriction{r, u}
}

type ask struct {
	caller identity.Caller
	idx    uint32
	want   bool
}

// TestAcceptanceCases are the numbered cases that the evaluator decides. Not
// here: 36 (which grants contain reading), 39 (what a tool answers) and 40
// (saving settings).
func TestAcceptanceCases(t *testing.T) {
	A, B := only(group("A")), only(group("B"))
	for _, c := range []struct {
		number string
		setup  func(w *world)
		asks   []ask
	}{
		{"1", func(w *world) { w.tree(open, open, open) }, []ask{{who("ann"), nP, true}}},
		{"2", func(w *world) { w.tree(open, open, open) }, []ask{{who("dan"), nP, false}}},
		{"3", func(w *world) { w.tree(A, open, open) }, []ask{{who("ann"), nP, true}, {who("bob"), nP, false}}},
		{"4", func(w *world) { w.tree(A, B, open) }, []ask{{who("bob"), nC, false}, {who("bob"), nG, false}, {who("ann"), nC, false}}},
		{"5", func(w *world) { w.tree(A, B, open) }, []ask{{who("cid"), nC, true}}},
		{"6", func(w *world) { w.tree(A, open, only(user("bob"))) }, []ask{{who("bob"), nG, false}}},
		{"7", func(w *world) { w.tree(A, only(user("ann")), open) }, []ask{{who("ann"), nC, true}}},
		{"8", func(w *world) { w.tree(only(group("A"), user("bob")), open, open) }, []ask{{who("bob"), nP, true}}},
		{"9", func(w *world) { w.tree(A, open, open) }, []ask{{who("dan"), nP, false}}},
		{"10", func(w *world) { w.tree(A, B, open); w.Snapshot(0); w.Put(nP, guard.Node{Space: spS, Clause: open}) }, []ask{{who("bob"), nC, true}, {who("ann"), nC, false}}},
		{"11", func(w *world) {
			w.tree(A, open, open)
			w.Put(nF, guard.Node{Space: spS, Clause: open})
			w.Snapshot(0)
			w.Put(nF, guard.Node{Space: spS, Parent: nP, Clause: open})
		}, []ask{{who("bob"), nF, false}}},
		{"12", func(w *world) {
			w.tree(A, open, open)
			w.Snapshot(0)
			w.Put(nC, guard.Node{Space: spS, Clause: open})
		}, []ask{{who("bob"), nC, true}, {who("bob"), nG, true}}},
		{"13", func(w *world) {
			w.tree(A, open, open)
			w.Snapshot(0)
			p := *w.people["ann"]
			p.Groups = []string{"gstaff"}
			w.SetPerson(p)
		}, []ask{{who("ann"), nP, false}}},
		{"14", func(w *world) { w.tree(open, open, open); w.Snapshot(0); w.space(spS, 1, user("ann")) }, []ask{{who("cid"), nP, false}}},
		{"15", func(w *world) { w.anonymous(); w.Put(nP, guard.Node{Space: spS2, Clause: open}) }, []ask{{nobody(), nP, true}}},
		{"16", func(w *world) { w.anonymous(); w.Put(nP, guard.Node{Space: spS2, Clause: A}) }, []ask{{nobody(), nP, false}, {who("ann"), nP, true}}},
		{"17", func(w *world) { w.Put(nP, guard.Node{Space: spS2, Clause: open}) }, []ask{{nobody(), nP, false}}},
		{"18", func(w *world) { w.tree(A, open, open) }, []ask{{who("bob"), nP, false}, {who("ann"), nP, true}, {who("bob"), nC, false}}},
		{"19", func(w *world) { w.tree(guard.ClauseOf(1, read([]string{"A"}, nil)), open, open) }, []ask{{who("bob"), nP, true}}},
		{"20", func(w *world) { w.tree(guard.ClauseOf(1, read(nil, nil)), open, open) }, []ask{{who("bob"), nP, true}}},
		{"21", func(w *world) { w.tree(guard.ClauseOf(1, read(nil, []string{"stranger"})), open, open) }, []ask{{who("ann"), nP, false}}},
		{"22 not read again", func(w *world) { w.tree(A, open, open); w.DropGroup(1, "gA") }, []ask{{who("ann"), nP, false}}},
		{"22 read again", func(w *world) {
			w.tree(A, open, open)
			w.DropGroup(1, "gA")
			w.Put(nP, guard.Node{Space: spS, Clause: guard.ClauseOf(1, read(nil, nil))})
		}, []ask{{who("ann"), nP, true}}},
		{"23", (*world).openTwice, []ask{{who("zzz"), nP, false}, {who("zzz"), nC, true}}},
		{"24", (*world).openTwice, []ask{{nobody(), nP, false}, {nobody(), nC, true}}},
		{"25", func(w *world) { w.tree(A, open, open); w.Put(nF, guard.Node{Space: spS3, Clause: open}) },
			[]ask{{who("eve", "group-A"), nP, false}, {who("eve", "group-A"), nF, false}, {nobody("user-eve", "group-A"), nF, false}}},
		{"26", func(w *world) { w.tree(A, open, open); w.Put(nF, guard.Node{Space: spS3, Clause: A}) }, []ask{{nobody("group-A"), nP, false}, {nobody("group-A"), nF, true}}},
		{"27", func(w *world) { w.tree(A, open, open) }, []ask{{nobody("group-A", "group-staff"), nP, true}, {nobody("1:group-A", "group-staff"), nP, true}, {nobody("2:group-A", "group-staff"), nP, false}}},
		{"28", func(w *world) { w.tree(A, open, open); w.Put(nF, guard.Node{Space: spT, Clause: open}) },
			[]ask{{who("bob"), nP, false}, {identity.Caller{Kind: identity.User, Integration: "I2", AccountID: "b2"}, nF, true}, {identity.Caller{Kind: identity.User, Integration: "I2", AccountID: "b2"}, nP, false}}},
		{"29", func(w *world) {
			w.tree(A, open, open)
			w.SetGroup(guard.Membership{Integration: 1, ID: "gA", Name: "A2"})
		},
			[]ask{{who("ann"), nP, true}, {nobody("group-A", "group-staff"), nP, false}, {nobody("group-A2", "group-staff"), nP, true}}},
		{"30", func(w *world) { w.tree(A, open, open); w.checked("ann", noon().Add(-6*24*time.Hour)) }, []ask{{who("ann"), nP, true}}},
		{"30 too old", func(w *world) { w.tree(A, open, open); w.checked("ann", noon().Add(-7*24*time.Hour)) }, []ask{{who("ann"), nP, false}}},
		{"31", func(w *world) { w.tree(guard.Clause{}, open, only(user("ann"))) }, []ask{{who("ann"), nP, false}, {who("ann"), nC, false}, {who("ann"), nG, false}, {who("sue"), nC, false}}},
		{"32", (*world).belowFolder, []ask{{who("ann"), nC, false}}},
		{"32 trust", func(w *world) { w.opaque(guard.TrustOpaque); w.belowFolder() }, []ask{{who("ann"), nC, true}}},
		{"32 verify", func(w *world) { w.opaque(guard.VerifyOpaque); w.belowFolder() }, []ask{{who("ann"), nC, false}}},
		{"33", func(w *world) { w.tree(A, open, open) }, []ask{{who("fay"), nP, true}}},
		{"34 off", func(w *world) { w.tree(only(user("ann")), open, open) }, []ask{{who("sue"), nP, false}}},
		{"34 on", func(w *world) { w.super(); w.tree(only(user("ann")), open, open) }, []ask{{who("sue"), nP, true}, {who("bob"), nP, false}, {nobody("group-supers"), nP, false}}},
		{"35", func(w *world) {
			w.tree(open, open, open)
			w.space(spS, 1, class(guard.AllLicensed))
			w.person(guard.Person{Integration: 1, ID: "gus", Active: true, Guest: true, CheckedAt: noon()})
			w.person(guard.Person{Integration: 1, ID: "app", Active: true, App: true, CheckedAt: noon()})
		}, []ask{{who("dan"), nP, true}, {who("gus"), nP, false}, {who("app"), nP, false}, {nobody("group-staff"), nP, false}}},
		{"37", func(w *world) { w.tree(only(first200()...), open, open) }, []ask{{who("ann"), nP, false}}},
	} {
		t.Run(c.number, func(t *testing.T) {
			w := newWorld()
			c.setup(w)
			for i, a := range c.asks {
				assert.Equal(t, a.want, w.sees(a.caller, a.idx), "question %d: %+v node %d", i, a.caller, a.idx)
			}
		})
	}
}

func (w *world) anonymous() { i := site(1, "I1"); i.Anonymous = true; w.SetIntegration(i) }

func (w *world) opaque(p guard.OpaquePolicy) {
	i := site(1, "I1")
	i.Opaque = p
	w.SetIntegration(i)
}

func (w *world) super() { i := site(1, "I1"); i.SuperGroup = "gsupers"; w.SetIntegration(i) }

// openTwice is an open page in S and one in S2, on a site open to anonymous.
func (w *world) openTwice() {
	w.anonymous()
	w.Put(nP, guard.Node{Space: spS, Clause: open})
	w.Put(nC, guard.Node{Space: spS2, Clause: open})
}

func (w *world) belowFolder() {
	w.Put(nF, guard.Node{Space: spS, Clause: guard.Clause{State: guard.Opaque}})
	w.Put(nC, guard.Node{Space: spS, Parent: nF, Clause: open})
}

func (w *world) checked(id string, at time.Time) {
	p := *w.people[id]
	p.CheckedAt = at
	w.SetPerson(p)
}

func first200() []guard.Principal {
	var out []guard.Principal
	for i := range 200 {
		out = append(out, user(fmt.Sprintf("u%d", i)))
	}
	return out
}

// Case 38: a query keeps the snapshot it began with.
func TestAViewDoesNotChange(t *testing.T) {
	w := newWorld()
	w.tree(open, open, open)
	before := w.Snapshot(1).View(who("bob"), noon())
	w.tree(only(group("A")), open, open)
	w.Remove(nG)
	after := w.Snapshot(2).View(who("bob"), noon())
	for _, idx := range []uint32{nP, nC, nG} {
		assert.True(t, before.Sees(idx))
		assert.False(t, after.Sees(idx))
	}
}

func TestVerifyIsNotVisible(t *testing.T) {
	w := newWorld()
	w.opaque(guard.VerifyOpaque)
	w.belowFolder()
	w.Put(nG, guard.Node{Space: spS, Parent: nC, Clause: only(group("B"))})
	s := w.Snapshot(1)
	assert.Equal(t, guard.Verify, s.View(who("ann"), noon()).Check(nC))
	assert.Equal(t, guard.Hidden, s.View(who("ann"), noon()).Check(nG), "what is hidden needs no question")
	assert.Equal(t, guard.Verify, s.View(who("bob"), noon()).Check(nG))
	assert.Equal(t, guard.Hidden, s.View(who("dan"), noon()).Check(nC))
}

func TestWhatIsUnknownIsClosed(t *testing.T) {
	w := newWorld()
	w.tree(open, open, open)
	assert.False(t, w.sees(identity.Caller{}, nP), "nobody made this caller")
	assert.False(t, w.sees(who("ann"), 999), "a node nobody put")
	assert.False(t, w.sees(who("ann"), 0))
	w.Put(7, guard.Node{Space: spS, Parent: 8, Clause: open})
	assert.False(t, w.sees(who("ann"), 7), "the parent is missing")
	w.Put(8, guard.Node{Space: spS, Clause: open})
	assert.True(t, w.sees(who("ann"), 7), "the parent came")
	w.Put(9, guard.Node{Space: 77, Clause: open})
	assert.False(t, w.sees(who("ann"), 9), "an unknown space")
	w.SetSpace(spS, guard.Space{Integration: 1, View: []guard.Principal{group("staff")}, SweptAt: noon(), Sealed: true})
	assert.False(t, w.sees(who("ann"), nP), "grants that could not be read")
	w.SetSpace(spS, guard.Space{Integration: 1, View: []guard.Principal{group("staff")}, SweptAt: noon().Add(-8 * 24 * time.Hour)})
	assert.False(t, w.sees(who("ann"), nP), "rights older than the hard age")
	w.SetSpace(spS, guard.Space{Integration: 1, SweptAt: noon()})
	assert.False(t, w.sees(who("ann"), nP), "granted to nobody")
	w.space(spS, 1, group("staff"))
	assert.True(t, w.sees(who("ann"), nP))
	w.tree(only(), open, open)
	assert.False(t, w.sees(who("ann"), nP), "an empty list is not an absent one")
	w.tree(guard.ClauseOf(1, nil), open, open)
	assert.False(t, w.sees(who("ann"), nP), "an answer that does not speak of reading")
	w.tree(only(class(guard.Anonymous)), open, open)
	assert.False(t, w.sees(who("ann"), nP), "a restriction cannot name a class")
	w.tree(open, open, open)
	w.DropIntegration(1)
	assert.False(t, w.sees(who("ann"), nP))
}

func TestModes(t *testing.T) {
	w := newWorld()
	w.tree(open, only(group("A")), open)
	w.Put(nF, guard.Node{Space: spS, Clause: guard.Clause{}})
	service := identity.Caller{Kind: identity.Service, Integration: "I1"}
	bot := who("bot")
	for _, c := range []struct {
		name   string
		mode   guard.Mode
		caller identity.Caller
		sees   []uint32
	}{
		{"owner: the connecting account", guard.OwnerOnly, service, []uint32{nP, nC, nG}},
		{"owner: its user", guard.OwnerOnly, bot, []uint32{nP, nC, nG}},
		{"owner: somebody else", guard.OwnerOnly, who("cid"), nil},
		{"owner: the account of another integration", guard.OwnerOnly, identity.Caller{Kind: identity.Service, Integration: "I2"}, nil},
		{"owner: several integrations, none named", guard.OwnerOnly, identity.Caller{Kind: identity.Service}, nil},
		{"public: anybody", guard.Public, nobody(), []uint32{nP}},
		{"public: a restriction that is known still holds", guard.Public, who("dan"), []uint32{nP, nC, nG}},
		{"public: no caller", guard.Public, identity.Caller{}, nil},
		{"synced: the connecting account is a user like others", guard.Synced, service, nil},
	} {
		i := site(1, "I1")
		i.Mode = c.mode
		w.SetIntegration(i)
		v := w.Snapshot(1).View(c.caller, noon())
		var got []uint32
		for _, idx := range []uint32{nP, nC, nG, nF} {
			if v.Sees(idx) {
				got = append(got, idx)
			}
		}
		assert.Equal(t, c.sees, got, c.name)
	}
}

// Moves of a sweep may arrive in an order in which a node stands below itself.
func TestLoopsAreSealedAndHeal(t *testing.T) {
	w := newWorld()
	w.tree(open, open, open)
	w.Put(nP, guard.Node{Space: spS, Parent: nG, Clause: open})
	v := w.Snapshot(1).View(who("ann"), noon())
	for _, idx := range []uint32{nP, nC, nG} {
		assert.False(t, v.Sees(idx))
	}
	w = &world{Forest: guard.ForestOf(v.Snapshot())}
	w.Put(nG, guard.Node{Space: spS, Clause: open})
	s := w.Snapshot(2)
	v = s.View(who("ann"), noon())
	for _, idx := range []uint32{nP, nC, nG} {
		assert.True(t, v.Sees(idx))
	}
	assert.True(t, s.Under(nC, nG))
	assert.False(t, s.Under(nG, nC))
	assert.Equal(t, uint32(nG), s.Parent(nP))
	w.Put(nP, guard.Node{Space: spS, Parent: nP, Clause: open})
	assert.False(t, w.sees(who("ann"), nP))
}

func TestJunkAttributesMeanNothing(t *testing.T) {
	w := newWorld()
	w.Put(nF, guard.Node{Space: spS3, Clause: open})
	w.Put(nP, guard.Node{Space: spS2, Clause: open})
	for _, a := range []string{"", "group-", "user-", ":", "1:", "1:group-", "A", "gA", "group-gA", "class-" + guard.Anonymous, "group-" + guard.Authenticated,
		"01:group-A", "+1:group-A", "3:group-A", "I1:group-A", "group-a", " group-A", "group-A ", "*", "group-*", "1:1:group-A", "group-A,group-A", "user-ann"} {
		assert.False(t, w.sees(nobody(a), nF), "%q", a)
		assert.False(t, w.sees(nobody(a), nP), "%q", a)
	}
	assert.True(t, w.sees(nobody("x", "1:group-A"), nF))
	assert.True(t, w.sees(nobody("group-A1"), nF), "a group inside another passes for it")
}

func TestCacheAnswersLikeTheSnapshot(t *testing.T) {
	w := newWorld()
	w.tree(only(group("A")), open, open)
	var cache guard.Cache
	callers := []identity.Caller{who("ann"), who("bob"), who("eve"), nobody(), {}, {Kind: identity.Service, Integration: "I1"}}
	steps := []func(){
		func() {},
		func() { w.Put(9, guard.Node{Space: spS, Parent: nC, Clause: open}) },
		func() { w.Put(nC, guard.Node{Space: spS, Clause: open}) },
		func() { p := *w.people["ann"]; p.Groups = nil; w.SetPerson(p) },
		func() { w.SetPerson(*w.people["ann"]); w.Put(nP, guard.Node{Space: spS, Clause: only(group("B"))}) },
		func() { i := site(1, "I1"); i.Mode = guard.OwnerOnly; w.SetIntegration(i) },
		func() { w.SetIntegration(site(1, "I1")); w.Put(12, guard.Node{Space: 50, Clause: open}) },
		func() {
			w.Put(nP, guard.Node{Space: spS, Clause: open})
			w.Put(nG, guard.Node{Space: spS, Clause: only(user("bob"))})
		},
	}
	for n, step := range steps {
		step()
		s := w.Snapshot(uint64(n))
		for _, now := range []time.Time{noon(), noon().Add(8 * 24 * time.Hour), noon()} {
			for range 2 {
				for _, c := range callers {
					fresh, cached := s.View(c, now), cache.View(s, c, now)
					for _, idx := range []uint32{nP, nC, nG, nF, 9, 12} {
						assert.Equal(t, fresh.Check(idx), cached.Check(idx), "step %d, %s, node %d", n, c.AccountID, idx)
					}
					for sp := range uint32(6) {
						assert.Equal(t, fresh.SeesSpace(sp), cached.SeesSpace(sp))
					}
				}
			}
		}
	}
	assert.True(t, cache.View(w.Snapshot(99), who("bob"), noon()).Sees(nP))
}

// Two people who are in the same groups share verdicts, but not the time until
// which their memberships count.
func TestCacheKeepsEachCallersOwnTerm(t *testing.T) {
	w := newWorld()
	w.tree(open, open, open)
	for id, age := range map[string]time.Duration{"old": 6 * 24 * time.Hour, "new": 0} {
		w.person(guard.Person{Integration: 1, ID: id, Active: true, Groups: []string{"gstaff"}, CheckedAt: noon().Add(-age)})
	}
	s := w.Snapshot(1)
	var cache guard.Cache
	for _, c := range []struct {
		after    time.Duration
		old, new bool
	}{{0, true, true}, {23 * time.Hour, true, true}, {25 * time.Hour, false, true}, {8 * 24 * time.Hour, false, false}} {
		now := noon().Add(c.after)
		assert.Equal(t, c.new, cache.View(s, who("new"), now).Sees(nP), "new after %s", c.after)
		assert.Equal(t, c.old, cache.View(s, who("old"), now).Sees(nP), "old after %s", c.after)
	}
}

// R14: what is old is told, whoever asks, and what is too old admits nobody.
func TestAges(t *testing.T) {
	w := newWorld()
	w.tree(open, open, open)
	i := site(1, "I1")
	i.MaxAge, i.HardMaxAge = 2*time.Hour, 10*time.Hour
	w.SetIntegration(i)
	w.checked("bob", noon().Add(-time.Hour)) // his memberships are older than the rights
	w.SetSpace(spS2, guard.Space{Integration: 1, View: []guard.Principal{class(guard.Authenticated)}, SweptAt: noon().Add(4 * time.Hour)})
	w.Put(nF, guard.Node{Space: spS2, Clause: open})
	s := w.Snapshot(1)
	var cache guard.Cache
	type told struct{ sees, stale, sees2, stale2 bool }
	for _, c := range []struct {
		caller string
		after  time.Duration
		want   told
	}{
		{"ann", 0, told{true, false, true, false}},
		{"ann", 2*time.Hour - 1, told{true, false, true, false}},
		{"ann", 2 * time.Hour, told{true, true, true, true}},
		{"ann", 10 * time.Hour, told{false, true, false, true}},
		{"bob", 0, told{true, false, true, false}},
		{"bob", time.Hour, told{true, true, true, true}},
		{"bob", 9*time.Hour - 1, told{true, true, true, true}},
		{"bob", 9 * time.Hour, told{false, true, false, true}},
	} {
		now := noon().Add(c.after)
		for range 2 {
			for _, v := range []*guard.View{s.View(who(c.caller), now), cache.View(s, who(c.caller), now)} {
				got := told{v.Sees(nP), v.Stale(spS, now), v.Sees(nF), v.Stale(spS2, now)}
				if !got.sees { // whether what he may not see is stale is nobody's business
					got.stale, got.stale2 = true, true
				}
				assert.Equal(t, c.want, got, "%s after %s", c.caller, c.after)
			}
		}
	}
	v := s.View(nobody(), noon().Add(3*time.Hour))
	assert.True(t, v.Stale(spS, noon().Add(3*time.Hour)))
	assert.False(t, v.Stale(spS2, noon().Add(3*time.Hour)), "a caller without memberships has none that are old")
	assert.False(t, v.Stale(99, noon()))
}

// A restriction lets through whom it would show the page it stood on.
func TestPassesIsWhatTheRestrictionWouldShow(t *testing.T) {
	for name, super := range map[string]bool{"as it is": false, "super group": true} {
		for _, own := range []guard.Clause{open, {}, {State: guard.Opaque}, only(), only(group("A")), only(user("bob")), only(group("B"), user("stranger")), only(class(guard.Authenticated))} {
			w := newWorld()
			if super {
				w.super()
			}
			w.tree(own, open, open)
			s := w.Snapshot(1)
			for _, c := range []identity.Caller{who("ann"), who("bob"), who("cid"), who("zzz"), nobody(), nobody("group-staff", "group-A"), who("eve", "group-A", "group-staff")} {
				if v := s.View(c, noon()); v.SeesSpace(spS) {
					assert.Equal(t, v.Sees(nP), s.Passes(c, 1, own, noon()), "%s: %+v, %+v", name, own, c)
				}
			}
			assert.False(t, s.Passes(identity.Caller{}, 1, own, noon()), "nobody at all")
			assert.False(t, s.Passes(who("ann"), 7, own, noon()), "no such integration")
		}
	}
}
