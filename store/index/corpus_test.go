package index_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/madeup"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// madeUpPage is a made-up page as the mirror has it.
func madeUpPage(w *madeup.Words, idx uint32) mirror.Page {
	made := w.Page(idx)
	p := page(idx, made.Title, made.Text(), made.Label)
	p.SpaceKey = strings.ToUpper(madeup.Word(int(idx % 97)))
	return p
}

// share gives a view that sees about that share of the pages, in classes: every
// 50th page stands below one of the nodes that have a clause.
func share(t testing.TB, pages int, percent float64) *guard.View {
	t.Helper()
	f := guard.NewForest()
	f.SetIntegration(guard.Integration{ID: 1, Name: "one", Mode: guard.Synced, Account: "boss"})
	f.SetSpace(1, guard.Space{Integration: 1, View: []guard.Principal{{Integration: 1, Kind: guard.User, ID: "ann"}}, SweptAt: noon()})
	f.SetPerson(guard.Person{Integration: 1, ID: "ann", Active: true, CheckedAt: noon()})
	const classes = 2000
	r := rand.New(rand.NewPCG(7, 7))
	for c := range classes {
		c := uint32(pages + 1 + c)
		who := "bob"
		if r.Float64()*100 < percent {
			who = "ann"
		}
		f.Put(c, guard.Node{Space: 1, Clause: guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.User, ID: who}}}})
	}
	for idx := 1; idx <= pages; idx++ {
		f.Put(uint32(idx), guard.Node{Space: 1, Parent: uint32(pages + 1 + r.IntN(classes)), Clause: guard.Clause{State: guard.Open}})
	}
	return f.Snapshot(1).View(identity.Caller{Kind: identity.User, Integration: "one", AccountID: "ann", Subject: "ann", Agent: "a"}, noon())
}
