package retrieve_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

func TestAnAnswerHoldsWhatTheCallerMaySee(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff,
		doc{id: "1", title: "Restart", storage: "<p>Restart the billing server.</p>", clause: free},
		doc{id: "2", title: "Secret", storage: "<p>The billing password.</p>", clause: onlyA(1)},
		doc{id: "3", parent: "2", title: "Below", storage: "<p>billing below</p>", clause: free})
	b.sync(2, open, anybody, doc{id: "9", title: "Elsewhere", storage: "<p>billing elsewhere</p>", clause: free})

	all := retrieve.Question{Text: "billing"}
	assert.Equal(t, []string{"1", "2", "3", "9"}, sorted(b.ask(caller("ann"), all)))
	a := b.ask(caller("bob"), all)
	assert.Equal(t, []string{"1", "9"}, sorted(a))
	assert.Equal(t, 2, a.Total)
	assert.Equal(t, []string{"9"}, ids(b.ask(caller("nobody-knows"), all)))
	assert.Equal(t, []string{"9"}, ids(b.ask(identity.Public("t", "p", identity.HTTP), all)))
	assert.Empty(t, b.ask(identity.Caller{}, all).Results, "a caller nobody made")
	assert.Equal(t, []string{"1"}, ids(b.ask(caller("bob"), retrieve.Question{Text: "billing", Integration: "acme"})))
	assert.Equal(t, []string{"9"}, ids(b.ask(caller("bob"), retrieve.Question{Text: "billing", Integration: "2"})))
	assert.Empty(t, b.ask(caller("bob"), retrieve.Question{Text: "billing", Integration: "gone"}).Results)
	assert.Equal(t, []string{"3"}, ids(b.ask(caller("ann"), retrieve.Question{Text: "billing", AncestorID: "2"})))
	assert.Equal(t, b.ask(caller("bob"), retrieve.Question{Text: "billing", AncestorID: "777"}),
		b.ask(caller("bob"), retrieve.Question{Text: "billing", AncestorID: "2"}), "hidden is like absent")
}

func TestPassagesAreSections(t *testing.T) {
	b := fresh(t)
	long := strings.Repeat("Nothing of interest stands in this line.\n", 60)
	b.sync(1, eng, staff,
		doc{id: "1", title: "Runbook", clause: free, storage: "<p>About servers.</p><h1>Setup</h1><p>Plain.</p><h2>Hot restart</h2><p>" + long +
			"To restart a server, drain it first.</p><h1>History</h1><p>A server was bought.</p>"},
		doc{id: "2", title: "Servers", clause: free, storage: "<p>Only the title says it.</p>"},
		doc{id: "3", title: "手順", clause: free, storage: "<h1>再起動</h1><p>サーバーを再起動する手順です。</p><h1>別</h1><p>無関係</p>"})
	a := b.ask(caller("bob"), retrieve.Question{Text: "server"})
	require.Len(t, a.Results, 2)
	only, r := a.Results[0], a.Results[1]
	if only.PageID == "1" {
		only, r = r, only
	}
	assert.Equal(t, "Only the title says it.", only.Text)
	assert.Empty(t, only.HeadingPath)
	assert.Equal(t, only.URL, only.Anchor)
	assert.Equal(t, 1, r.Version)
	assert.Equal(t, noon().Add(-24*time.Hour), r.Updated)
	assert.Equal(t, noon(), r.ReadAt)

	r = b.ask(caller("bob"), retrieve.Question{Text: "restarting servers"}).Results[0]
	assert.Equal(t, 1, r.Rank)
	assert.Equal(t, []string{"Setup", "Hot restart"}, r.HeadingPath)
	assert.Equal(t, "https://acme.test/wiki/1#Hot-restart", r.Anchor)
	assert.Contains(t, r.Text, "drain it first")
	assert.LessOrEqual(t, len([]rune(r.Text)), 602)
	assert.True(t, strings.HasPrefix(r.Text, "…"))
	assert.Equal(t, 2, r.More, "two other sections speak of servers")
	assert.Equal(t, []string{"再起動"}, b.ask(caller("bob"), retrieve.Question{Text: "再起動"}).Results[0].HeadingPath)

	b.sites[0].Edition = confluence.DataCenter
	r = b.ask(caller("bob"), retrieve.Question{Text: "restarting servers"}).Results[0]
	assert.Equal(t, "https://acme.test/wiki/1#Runbook-Hotrestart", r.Anchor)
}

func TestEverythingIsEveryVisiblePageOnce(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, append(pages(25, "x"), doc{id: "1", title: "Hidden", storage: "<p>x</p>", clause: onlyA(1)},
		doc{id: "2", kind: confluence.TypeFolder, title: "Folder", clause: free})...)
	q := retrieve.Question{Text: "*", Limit: 7}
	seen := map[string]bool{}
	for {
		a := b.ask(caller("bob"), q)
		for _, r := range a.Results {
			assert.Empty(t, r.Text)
			assert.False(t, seen[r.PageID], "page %s twice", r.PageID)
			seen[r.PageID] = true
		}
		if q.Cursor = a.Next; q.Cursor == "" {
			break
		}
	}
	assert.Len(t, seen, 25)
}

func TestCursorsBelongToOneCallerAndOneQuestion(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(30, "billing")...)
	q := retrieve.Question{Text: "billing", Limit: 10}
	first := b.ask(caller("bob"), q)
	require.NotEmpty(t, first.Next)
	assert.Equal(t, 30, first.Total)
	q.Cursor = first.Next

	again := b.ask(caller("bob@acme.test"), retrieve.Question{Text: "billing", Limit: 3, Cursor: first.Next})
	assert.Equal(t, []string{"1010", "1011", "1012"}, ids(again), "the same user by another name, another limit")
	other := caller("bob")
	other.Access = []string{"group-A"}
	for name, refused := range map[string]struct {
		c identity.Caller
		q retrieve.Question
	}{
		"another user":       {caller("ann"), q},
		"another attribute":  {other, q},
		"nobody":             {identity.Public("t", "p", identity.HTTP), q},
		"another question":   {caller("bob"), retrieve.Question{Text: "other", Cursor: first.Next}},
		"another filter":     {caller("bob"), retrieve.Question{Text: "billing", SpaceKey: "ENG", Cursor: first.Next}},
		"junk":               {caller("bob"), retrieve.Question{Text: "billing", Cursor: "%%%"}},
		"a changed position": {caller("bob"), retrieve.Question{Text: "billing", Cursor: first.Next[:len(first.Next)-2] + "AA"}},
	} {
		_, err := b.Query(b.ctx, refused.c, refused.q)
		var e *confluence.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, "input.cursor", e.StableCode(), name)
		assert.Equal(t, "The cursor does not belong to this call.", e.Message, name)
	}
}

// TestCursorsTellNothingOfHiddenPages: a position in the index is a score, and
// scores depend on how many hidden pages have a word. Neither can be read, two
// cursors of one place have nothing in common, and all are of one length.
func TestCursorsTellNothingOfHiddenPages(t *testing.T) {
	sealed := func(hidden int) (all []string, at []string) {
		b := fresh(t)
		docs := pages(30+hidden, "billing")
		for i := range hidden {
			docs[30+i].clause = onlyA(1)
		}
		b.sync(1, eng, staff, docs...)
		q := retrieve.Question{Text: "billing", Limit: 10}
		for range 3 {
			all = append(all, b.ask(caller("bob"), q).Next)
		}
		found, err := b.index.Search(b.ctx, b.m.View(caller("bob")), index.Query{Text: "billing", Limit: 10})
		require.NoError(t, err)
		return all, []string{found.Next}
	}
	few, fewAt := sealed(0)
	many, manyAt := sealed(50)
	require.NotEqual(t, fewAt, manyAt, "what is sealed does differ")
	seen := map[string]bool{}
	for _, cursor := range slices.Concat(few, many) {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		require.NoError(t, err)
		assert.Len(t, cursor, len(few[0]))
		assert.False(t, seen[cursor], "the same place is never sealed the same way")
		seen[cursor] = true
		for _, at := range slices.Concat(fewAt, manyAt) {
			plain, err := base64.RawURLEncoding.DecodeString(at)
			require.NoError(t, err)
			for _, part := range [][]byte{[]byte(at), plain, plain[:8], plain[8:12], plain[12:]} {
				assert.NotContains(t, string(raw), string(part))
			}
		}
	}
}

func TestMaxCharsBoundsAnAnswerAndTheCursorGoesOn(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(12, "billing "+strings.Repeat("word ", 60))...)
	q := retrieve.Question{Text: "billing", Limit: 5, MaxChars: 700}
	var got []string
	for range 20 {
		a := b.ask(caller("bob"), q)
		assert.LessOrEqual(t, len(a.Results), 3)
		got = append(got, ids(a)...)
		if q.Cursor = a.Next; q.Cursor == "" {
			break
		}
	}
	assert.Len(t, got, 12)
	assert.IsIncreasing(t, got)
}

func TestAHitIsCheckedAgain(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(12, "billing")...)
	docs := pages(12, "billing")
	for i := range 3 {
		docs[i].storage, docs[i].version = "<p>something else</p>", 2
	}
	docs[3].clause = onlyA(1)
	b.fill(1, eng, staff, docs...) // the index has not followed yet
	a := b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 5})
	assert.Equal(t, []string{"1004", "1005", "1006", "1007", "1008"}, ids(a), "what does not match any more leaves no gap")
	assert.Equal(t, 8, a.Total)
	require.NotEmpty(t, a.Next)
	assert.Equal(t, []string{"1009", "1010", "1011"}, ids(b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 5, Cursor: a.Next})))

	newest := func(_ context.Context, p mirror.Page) (mirror.Page, bool) {
		p.Title = "Newer " + p.ID
		return p, p.ID != "1005"
	}
	a = b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 2, Newest: newest})
	assert.Equal(t, []string{"1004", "1006"}, ids(a))
	assert.Equal(t, "Newer 1004", a.Results[0].Title)
}

// TestADamagedPageIsLeftOut: one body that nobody can read takes no answer away,
// neither where it was found nor where it is the page above.
func TestADamagedPageIsLeftOut(t *testing.T) {
	b := fresh(t)
	docs := pages(12, "billing")
	for i := range docs[1:] {
		docs[1+i].parent = docs[0].id
	}
	b.sync(1, eng, staff, docs...)
	b.spoil("1000", "1003")
	a := b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 5})
	assert.Equal(t, []string{"1001", "1002", "1004", "1005", "1006"}, ids(a))
	assert.True(t, a.Cut, "it is not all there is")
	assert.Equal(t, 10, a.Total)
	rest := b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 5, Cursor: a.Next})
	assert.Equal(t, []string{"1007", "1008", "1009", "1010", "1011"}, ids(rest))
	below := b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 20, AncestorID: "1000"})
	assert.Len(t, below.Results, 10)

	require.NoError(t, b.index.Rebuild(b.ctx), "an index is built of the rest")
	assert.Len(t, b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 20}).Results, 10)
	b.sync(1, eng, staff, docs...)
	healed := b.ask(caller("bob"), retrieve.Question{Text: "billing", Limit: 20})
	assert.Len(t, healed.Results, 12)
	assert.False(t, healed.Cut)
}

func TestTheLastPageHasNoCursor(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(10, "billing")...)
	for _, limit := range []int{1, 2, 5, 10} {
		q := retrieve.Question{Text: "billing", Limit: limit}
		n := 0
		for {
			a := b.ask(caller("bob"), q)
			require.NotEmpty(t, a.Results, "a cursor leads somewhere")
			n += len(a.Results)
			if q.Cursor = a.Next; q.Cursor == "" {
				break
			}
		}
		assert.Equal(t, 10, n)
	}
}

func TestN09_FacetsCountWhatTheCallerSees(t *testing.T) {
	b := fresh(t)
	docs := pages(3, "billing")
	docs[0].labels, docs[1].labels, docs[2].clause, docs[2].labels = []string{"ops", "x"}, []string{"ops"}, onlyA(1), []string{"secret"}
	b.sync(1, eng, staff, docs...)
	a := b.ask(caller("bob"), retrieve.Question{Text: "billing", Facets: true})
	assert.Equal(t, []confluence.Facet{{Name: "space", Counts: []confluence.Count{{Value: "ENG", N: 2}}}, {Name: "type", Counts: []confluence.Count{{Value: "page", N: 2}}},
		{Name: "label", Counts: []confluence.Count{{Value: "ops", N: 2}, {Value: "x", N: 1}}}}, a.Facets)
}

// A page that moves to another space is found there after the pass that saw it,
// whatever else of it stays the same.
func TestAPageThatMovedIsFoundInItsSpace(t *testing.T) {
	b := fresh(t)
	docs := pages(2, "billing")
	b.sync(1, eng, staff, docs...)
	b.sync(1, open, anybody)
	b.now = b.now.Add(time.Minute)
	b.sync(1, open, anybody, docs[1])
	for key, want := range map[string]string{"ENG": docs[0].id, "OPEN": docs[1].id} {
		a := b.ask(caller("bob"), retrieve.Question{Text: "billing", SpaceKey: key, Facets: true})
		assert.Equal(t, []string{want}, ids(a), key)
		assert.Equal(t, confluence.Facet{Name: "space", Counts: []confluence.Count{{Value: key, N: 1}}}, a.Facets[0])
	}
	r, err := b.index.Check(b.ctx)
	require.NoError(t, err)
	assert.True(t, r.Sound(), "%+v", r)
}

func TestNearWordsAreSaid(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(1, "kubernetes")...)
	a := b.ask(caller("bob"), retrieve.Question{Text: "kubernetis"})
	assert.True(t, a.Near)
	require.Len(t, a.Results, 1)
	assert.Equal(t, "kubernetes", a.Results[0].Text)
}

func TestHostileQuestions(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(3, "billing")...)
	for _, text := range []string{"", " ", `"`, `"""" AND OR NOT ((`, "*", "**", "a* b~2 +c -d title:x ^", strings.Repeat("word ", 2000), strings.Repeat("界", 5000), "\x00\x01\x1b[31m", "\xff\xfe", "𝕏🧑‍🚀", "é"} {
		a, err := b.Query(b.ctx, caller("bob"), retrieve.Question{Text: text, Limit: 1 << 30})
		require.NoError(t, err, "%q", text)
		assert.LessOrEqual(t, len(a.Results), 100)
		last := b.index.asked[len(b.index.asked)-1]
		assert.LessOrEqual(t, len(last.Text), 10_000)
	}
}

func TestNearWordsGoOnOverPages(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, pages(7, "kubernetes")...)
	q := retrieve.Question{Text: "kubernetis", Limit: 3}
	seen := map[string]bool{}
	for {
		a := b.ask(caller("bob"), q)
		require.NotEmpty(t, a.Results)
		for _, r := range a.Results {
			seen[r.PageID] = true
		}
		if q.Cursor = a.Next; q.Cursor == "" {
			break
		}
	}
	assert.Len(t, seen, 7)
}

// What only Confluence can judge is asked about before an answer is given; one
// that is left with some of it says that there may be more.
func TestAnAnswerThatConfluenceHasToJudge(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, doc{id: "1", title: "Restart", storage: "<p>Restart the billing server.</p>", clause: free})
	for unsure, want := range map[int]struct {
		asked int
		cut   bool
	}{0: {1, false}, 1: {2, false}, 4: {5, false}, 5: {5, true}, 9: {5, true}} {
		b.index.asked, b.index.unsure = nil, unsure
		a := b.ask(caller("ann"), retrieve.Question{Text: "billing"})
		assert.Len(t, a.Results, 1)
		assert.Equal(t, 1, a.Total)
		assert.Equal(t, want.cut, a.Cut, "%d", unsure)
		assert.Len(t, b.index.asked, want.asked, "%d", unsure)
	}
}
