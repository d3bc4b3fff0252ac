package mirror_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

func TestTighteningComesBeforeContentAndLooseningAfter(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	p := b.begin()
	require.NoError(t, p.Observe(page("1", "", onlyA), page("2", "1", free), page("3", "2", free), page("4", "", free), page("5", "", free)))
	assert.True(t, b.sees("bob", "1"), "nothing is published by reading")
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	assert.False(t, b.sees("bob", "1"))
	assert.True(t, b.sees("bob", "4"), "a move counts at once")
	assert.False(t, b.sees("ann", "5"), "there is no content yet")
	got, err := b.Page(b.ctx, who("ann"), mirror.Ref{ID: "1"})
	require.NoError(t, err)
	assert.Equal(t, 1, got.Version.Number)
	_, err = p.Put(b.ctx, []mirror.Content{content("1", 2), content("5", 1)}, "next")
	require.NoError(t, err)
	assert.True(t, b.sees("bob", "5"))
	mark, err := b.Writer().Mark(b.ctx, 1, "space:100")
	require.NoError(t, err)
	assert.Equal(t, "next", mark)
	require.NoError(t, p.Loosen(b.ctx))

	p = b.begin()
	require.NoError(t, p.Observe(page("1", "", free), page("2", "1", free), page("3", "2", free), page("4", "", free), page("5", "", free)))
	_, err = p.Tighten(b.ctx, true)
	require.NoError(t, err)
	assert.False(t, b.sees("bob", "1"), "not laxer yet")
	require.NoError(t, p.Loosen(b.ctx))
	assert.True(t, b.sees("bob", "1"))
	assert.True(t, b.sees("bob", "3"))
}

func TestOnlyACompletePassLoosens(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	p := b.begin()
	require.NoError(t, p.Observe(page("2", "1", free), page("4", "1", onlyA)))
	v, err := p.Tighten(b.ctx, false)
	require.NoError(t, err)
	assert.Zero(t, v)
	assert.Equal(t, confluence.Invalid, confluence.KindOf(p.Loosen(b.ctx)))
	require.NoError(t, p.End(b.ctx, "{}"))
	assert.False(t, b.sees("bob", "2"))
	assert.False(t, b.sees("bob", "4"))
	assert.True(t, b.sees("bob", "1"), "what was not observed stays")
}

// The parent was read before it was restricted, the child after it was opened:
// read twice, no reader sees what never was.
func TestTwoReadingsMustAgree(t *testing.T) {
	b := fresh(t)
	b.sync(1, page("1", "", free), page("2", "1", onlyA))
	p := b.begin()
	require.NoError(t, p.Observe(page("1", "", free), page("2", "1", free)))
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	require.NoError(t, p.Observe(page("1", "", onlyA), page("2", "1", free)))
	_, err = p.Tighten(b.ctx, true)
	require.NoError(t, err)
	require.NoError(t, p.Loosen(b.ctx))
	assert.False(t, b.sees("bob", "2"))
	assert.False(t, b.sees("bob", "1"))
	assert.True(t, b.sees("ann", "2"))
}

func TestThePassKeepsItsOrder(t *testing.T) {
	b := fresh(t)
	p := b.begin()
	_, err := p.Put(b.ctx, nil, "")
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "put before tighten")
	assert.Equal(t, confluence.Invalid, confluence.KindOf(p.Loosen(b.ctx)))
	assert.Equal(t, confluence.Invalid, confluence.KindOf(p.Observe(page("1", "1", free))))
	require.NoError(t, p.Observe(page("1", "", free)))
	_, err = p.Tighten(b.ctx, true)
	require.NoError(t, err)
	_, err = p.Put(b.ctx, []mirror.Content{content("1", 1), content("2", 1)}, "")
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "the rights of 2 were not observed")
	require.NoError(t, p.Loosen(b.ctx))
	assert.False(t, b.sees("ann", "1"), "a batch is stored whole or not at all")
	for name, err := range map[string]error{"observe": p.Observe(page("2", "", free)), "grants": p.Grants(nil, false), "loosen": p.Loosen(b.ctx), "confirm": p.Confirm(b.ctx, "1")} {
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err), name)
	}
	require.NoError(t, p.End(b.ctx, "{}"))
	assert.Equal(t, confluence.Invalid, confluence.KindOf(p.End(b.ctx, "{}")))
}

func TestUnreadAndSealedAdmitNobody(t *testing.T) {
	b := fresh(t)
	sealed := mirror.Node{ID: "2", Type: "page", ParentID: "1", Cause: "403"}
	b.sync(1, page("1", "", free), sealed, page("3", "2", free), page("5", "missing", free))
	assert.True(t, b.sees("ann", "1"))
	for _, id := range []string{"2", "3", "5"} {
		assert.False(t, b.sees("ann", id), id)
	}
	b.sync(1, page("1", "", free), page("2", "1", free), page("3", "2", free), page("5", "missing", free), page("missing", "1", free))
	for _, id := range []string{"2", "3", "5"} {
		assert.True(t, b.sees("ann", id), id)
	}
	p := b.begin()
	require.NoError(t, p.Grants(nil, true))
	require.NoError(t, p.Observe(page("1", "", free)))
	_, err := p.Tighten(b.ctx, false)
	require.NoError(t, err)
	assert.False(t, b.sees("ann", "1"), "the grants could not be read")
}

func TestVanishedIsHiddenThenRemoved(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	three := tree()[:3]
	v := b.sync(1, three...)
	assert.Equal(t, mirror.Vanished{Hidden: 1, Left: 3}, v)
	assert.False(t, b.sees("ann", "4"))
	v = b.sync(1, tree()...)
	assert.Zero(t, v.Hidden+v.Purged)
	assert.True(t, b.sees("ann", "4"), "it came back")

	b.sync(1, three...)
	v = b.sync(1, three...)
	assert.Equal(t, mirror.Vanished{Purged: 1, Left: 3}, v)
	changes, err := b.Follower().Changes(b.ctx, 0, 100)
	require.NoError(t, err)
	assert.True(t, changes[len(changes)-1].Deleted)
	v = b.sync(1, three...)
	assert.Equal(t, mirror.Vanished{Left: 3}, v)
	b.sync(1, tree()...)
	assert.True(t, b.sees("ann", "4"), "as a new one")
}

// Row 9 of the faults: a listing that is suddenly empty removes nothing.
func TestMassDeletionIsHeld(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	v := b.sync(1)
	assert.Equal(t, mirror.Vanished{Hidden: 4, Held: true}, v)
	assert.False(t, b.sees("ann", "1"))
	b.sync(1, tree()...)
	assert.True(t, b.sees("bob", "1"))
	assert.False(t, b.sees("bob", "3"))
	assert.True(t, b.sees("ann", "3"))
}

func TestConfirmedDeletionIsAtOnce(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	p := b.begin()
	require.NoError(t, p.Confirm(b.ctx, "2", "nowhere"))
	assert.False(t, b.sees("ann", "2"))
	assert.False(t, b.sees("ann", "3"), "its parent is not there any more")
	b = open(t, b.dir)
	assert.False(t, b.sees("ann", "3"))
	assert.True(t, b.sees("ann", "4"))
}

func TestMoveToAnotherSpaceTakesItsRights(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	p, err := b.Writer().Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "HR"})
	require.NoError(t, err)
	require.NoError(t, p.Grants([]guard.Principal{group("ga")}, false))
	require.NoError(t, p.Observe(page("4", "", free)))
	_, err = p.Tighten(b.ctx, true)
	require.NoError(t, err)
	assert.False(t, b.sees("bob", "4"))
	assert.False(t, b.sees("ann", "4"), "the space was never read completely")
	require.NoError(t, p.Loosen(b.ctx))
	assert.True(t, b.sees("ann", "4"))
	assert.False(t, b.sees("bob", "4"))
	b.sync(1, tree()[:3]...)
	assert.True(t, b.sees("ann", "4"), "the old space does not miss it")
}

func TestUnread(t *testing.T) {
	b := fresh(t)
	b.sync(3, tree()...)
	p := b.begin()
	got, err := p.Unread(b.ctx, map[string]int{"1": 3, "2": 4, "3": 2, "9": 1})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"2", "3", "9"}, got)
}

// The page is public without a secret or restricted with one, in turns; whoever
// reads while it changes never gets the secret by the rights of another moment.
func TestReadersGetRowsAndRightsOfOneMoment(t *testing.T) {
	b := fresh(t)
	b.sync(0, page("1", "", free))
	var stop atomic.Bool
	type count struct{ reads, hidden, leaked int }
	results := make(chan count)
	for range 3 {
		go func() {
			var n count
			for !stop.Load() {
				p, err := b.Page(b.ctx, who("bob"), mirror.Ref{ID: "1"})
				n.reads++
				switch {
				case err != nil && confluence.KindOf(err) == confluence.NotFound:
					n.hidden++
				case err != nil || p.Version.Number%2 == 1:
					n.leaked++
				}
			}
			results <- n
		}()
	}
	for i := range 300 {
		clause := free
		if i%2 == 1 {
			clause = onlyA
		}
		b.sync(i, page("1", "", clause))
	}
	stop.Store(true)
	var all count
	for range 3 {
		n := <-results
		all = count{all.reads + n.reads, all.hidden + n.hidden, all.leaked + n.leaked}
	}
	t.Logf("%d reads, %d hidden, %d leaked", all.reads, all.hidden, all.leaked)
	assert.Zero(t, all.leaked)
	assert.Positive(t, all.hidden)
	assert.Greater(t, all.reads, all.hidden)
}

// What was observed after the tightening is loosened too, and a node that only
// the hiding of an earlier pass made stricter comes back.
func TestLooseningCoversWhatIsStoredStricter(t *testing.T) {
	b := fresh(t)
	b.sync(1, page("1", "", onlyA), page("2", "", free), page("3", "", free))
	b.sync(1, page("1", "", onlyA), page("2", "", free))
	require.False(t, b.sees("bob", "3"), "hidden")
	p := b.begin()
	require.NoError(t, p.Observe(page("1", "", onlyA), page("2", "1", free), page("3", "", free)))
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	require.False(t, b.sees("bob", "3"), "not laxer yet")
	require.NoError(t, p.Observe(page("2", "", free)))
	require.NoError(t, p.Loosen(b.ctx))
	assert.True(t, b.sees("bob", "3"))
	assert.True(t, b.sees("bob", "2"), "its last place is under nothing")
	assert.False(t, b.sees("bob", "1"))
}

// A page that comes twice in a batch counts once, as it came last, also when
// that is how it is stored; one whose stored body is the same is not counted.
func TestABatchIsComparedWithWhatIsStored(t *testing.T) {
	now := noon()
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	b := &box{Mirror: m, t: t, ctx: t.Context()}
	b.people()
	b.sync(1, tree()...)
	p := b.begin()
	require.NoError(t, p.Observe(tree()...))
	_, err = p.Tighten(b.ctx, true)
	require.NoError(t, err)
	now = noon().Add(time.Minute)
	n, err := p.Put(b.ctx, []mirror.Content{content("1", 2), content("2", 1), content("1", 1), content("3", 3), content("3", 2)}, "")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	for id, version := range map[string]int{"1": 1, "2": 1, "3": 2} {
		got, err := b.Page(b.ctx, who("ann"), mirror.Ref{ID: id})
		require.NoError(t, err)
		assert.Equal(t, version, got.Version.Number, id)
	}
	_, old, err := p.Outdated(b.ctx, []mirror.Listed{listed("1", 1), listed("2", 1), listed("3", 2), listed("4", 1)}, now)
	require.NoError(t, err)
	assert.Equal(t, []string{"4"}, old, "the others were read again now")
}

// TestOnlyTheLastPassIsKept: a space is passed over for years.
func TestOnlyTheLastPassIsKept(t *testing.T) {
	b := fresh(t)
	for version := range 4 {
		b.sync(version+1, tree()...)
	}
	other, err := b.Writer().Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "OTHER"})
	require.NoError(t, err)
	require.NoError(t, other.End(b.ctx, "{}"))
	b.sync(5, tree()...)
	n, err := mirror.Count(b.Mirror, "pass")
	require.NoError(t, err)
	assert.Equal(t, 2, n, "one of each space")
}
