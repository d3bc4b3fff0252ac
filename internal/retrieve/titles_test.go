package retrieve_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
)

// down is an index that can be switched off, as one that is damaged or not built.
type down struct {
	retrieve.Index
	code string // of the error; empty: it answers
}

func (d *down) Search(ctx context.Context, v *guard.View, q index.Query) (index.Answer, error) {
	if d.code != "" {
		return index.Answer{}, &confluence.Error{Kind: confluence.Unavailable, Code: d.code, Op: "search", Message: "no"}
	}
	return d.Index.Search(ctx, v, q)
}

// switched is the box with an index that can be switched off.
func (b *box) switched() *down {
	b.t.Helper()
	d := &down{Index: b.index}
	var err error
	b.Engine, err = retrieve.New(retrieve.Config{Mirror: b.m, Index: d, Now: func() time.Time { return b.now },
		Integrations: func() []retrieve.Integration { return b.sites }})
	require.NoError(b.t, err)
	return d
}

// Row 50 of the faults, the half that answers: while the index is damaged or not
// built to its end, words are looked for in titles, for exactly the caller, and
// the answer says so.
func TestFaultRow50TitlesAnswerWhileThereIsNoIndex(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff,
		doc{id: "1", title: "Billing runbook", storage: "<p>first words</p>", clause: free, labels: []string{"ops"}},
		doc{id: "2", title: "Secret billing runbook", storage: "<p>words</p>", clause: onlyA(1)},
		doc{id: "3", title: "Runbook of the pumps", parent: "1", storage: "<p>billing is in the text only</p>", clause: free},
		doc{id: "4", title: "Billing runbook folder", kind: confluence.TypeFolder, clause: free},
		doc{id: "5", title: "ÄRGER with invoices", storage: "<p>x</p>", clause: free})
	b.sync(2, open, staff, doc{id: "9", title: "Billing of beta", storage: "<p>x</p>", clause: free})
	index := b.switched()
	for _, code := range []string{"index.damaged", "index.building", "index.unavailable"} {
		index.code = code
		for _, c := range []struct {
			about string
			who   identity.Caller
			ask   retrieve.Question
			want  []string
		}{
			{"most words first", caller("ann"), retrieve.Question{Text: "billing runbook"}, []string{"1", "2", "3"}},
			{"not what is hidden", caller("bob"), retrieve.Question{Text: "billing runbook"}, []string{"1", "3"}},
			{"without a word", caller("ann"), retrieve.Question{Text: "runbook -secret -pumps"}, []string{"1"}},
			{"case and accents of letters", caller("bob"), retrieve.Question{Text: "ärger"}, []string{"5"}},
			{"in a space, however it is written", caller("bob"), retrieve.Question{Text: "billing", SpaceKey: "eng"}, []string{"1"}},
			{"in a space nobody knows", caller("bob"), retrieve.Question{Text: "billing", SpaceKey: "XX"}, []string{}},
			{"with a label", caller("bob"), retrieve.Question{Text: "runbook", Label: "OPS"}, []string{"1"}},
			{"below a page", caller("bob"), retrieve.Question{Text: "runbook", AncestorID: "1"}, []string{"3"}},
			{"below a hidden page", caller("bob"), retrieve.Question{Text: "runbook", AncestorID: "2"}, []string{}},
			{"of a person nobody knows", caller("zoe"), retrieve.Question{Text: "billing"}, []string{}},
			{"no word at all", caller("ann"), retrieve.Question{Text: `+ "" ()`}, []string{}},
		} {
			a := b.ask(c.who, c.ask)
			assert.Equal(t, c.want, ids(a), c.about)
			assert.Equal(t, len(c.want), a.Total, c.about)
			if len(c.want) > 0 {
				assert.True(t, a.Titles && a.Cut, "%s: it says so", c.about)
				assert.NotEmpty(t, a.Results[0].Text, "the beginning of the page")
			}
		}
		all := b.ask(caller("bob"), retrieve.Question{Text: "*"})
		assert.Equal(t, []string{"1", "3", "5"}, ids(all))
		assert.False(t, all.Titles || all.Cut, "rows have everything there is: %+v", all)
		assert.Equal(t, 3, all.Total)
	}
	index.code = ""
	assert.False(t, b.ask(caller("ann"), retrieve.Question{Text: "billing"}).Titles, "the index answers again")
	index.code = "store.unavailable"
	_, err := b.Query(b.ctx, caller("ann"), retrieve.Question{Text: "billing"})
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err), "another failure is none of the index")
}

// What began in titles goes on there, when the index is back too; what began in
// the index does not go on in titles.
func TestAnAnswerByTitlesGoesOn(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(25, "billing")...)
	index := b.switched()
	index.code = "index.damaged"
	seen := map[string]bool{}
	q := retrieve.Question{Text: "page", Limit: 10}
	for n := range 3 {
		a := b.ask(caller("ann"), q)
		assert.Equal(t, 25, a.Total)
		assert.True(t, a.Titles)
		for _, id := range ids(a) {
			assert.False(t, seen[id], id)
			seen[id] = true
		}
		q.Cursor = a.Next
		assert.Equal(t, n == 2, a.Next == "")
		index.code = ""
	}
	assert.Len(t, seen, 25)
	q.Cursor = ""
	q.Cursor = b.ask(caller("ann"), q).Next
	index.code = "index.damaged"
	_, err := b.Query(b.ctx, caller("ann"), q)
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err))
	_, err = b.Query(b.ctx, caller("bob"), q)
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "nor for another caller")
	b.spoil("1003")
	a := b.ask(caller("ann"), retrieve.Question{Text: "page", Limit: 100, MaxChars: 50})
	assert.NotEmpty(t, a.Next)
	assert.Less(t, len(a.Results), 24)
}
