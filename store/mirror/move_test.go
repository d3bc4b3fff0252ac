package mirror_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// moving is a mirror of the spaces ENG, which ann and bob read and page 4 stands
// in, and HR, which only ann reads, at a time that goes on with every look at it.
func moving(t *testing.T) *box {
	t.Helper()
	now := noon()
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: t.TempDir(), Now: func() time.Time { now = now.Add(time.Second); return now }})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	b := &box{Mirror: m, t: t, ctx: t.Context()}
	b.people()
	b.sync(1, tree()...)
	p := b.hr()
	b.tighten(p, page("9", "", free))
	b.loosen(p)
	return b
}

func (b *box) hr() *mirror.Pass {
	b.t.Helper()
	p, err := b.Writer().Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "HR"})
	require.NoError(b.t, err)
	require.NoError(b.t, p.Grants([]guard.Principal{group("ga")}, false))
	return p
}

func (b *box) tighten(p *mirror.Pass, nodes ...mirror.Node) {
	b.t.Helper()
	require.NoError(b.t, p.Observe(nodes...))
	_, err := p.Tighten(b.ctx, true)
	require.NoError(b.t, err)
}

func (b *box) put(p *mirror.Pass, id string, version int) {
	b.t.Helper()
	_, err := p.Put(b.ctx, []mirror.Content{content(id, version)}, "m")
	require.NoError(b.t, err)
}

func (b *box) loosen(p *mirror.Pass) {
	b.t.Helper()
	require.NoError(b.t, p.Loosen(b.ctx))
	require.NoError(b.t, p.End(b.ctx, "{}"))
}

func (b *box) version(id, pageID string) int {
	b.t.Helper()
	p, err := b.Page(b.ctx, who(id), mirror.Ref{ID: pageID})
	require.NoError(b.t, err)
	return p.Version.Number
}

// begin2 begins passes over ENG and HR, in either order.
func (b *box) begin2(first string) (eng, hr *mirror.Pass) {
	if first == "ENG" {
		return b.begin(), b.hr()
	}
	hr = b.hr()
	return b.begin(), hr
}

var goneNow = mirror.Node{ID: "4", Type: confluence.TypePage, ParentID: "1", Cause: "gone", Gone: true}

// Passes over two spaces at one time both observed a page that was moved from
// ENG to HR: neither undoes what the other published, and no words go under the
// rights of the other space.
func TestTwoPassesAndAMove(t *testing.T) {
	for _, first := range []string{"ENG", "HR"} {
		t.Run("the old space finds it gone, "+first+" first", func(t *testing.T) {
			b := moving(t)
			eng, hr := b.begin2(first)
			require.NoError(t, eng.Observe(tree()...))
			b.tighten(hr, page("9", "", free), page("4", "9", free))
			b.tighten(eng, goneNow)
			b.loosen(hr)
			b.loosen(eng)
			assert.True(t, b.sees("ann", "4"))
			assert.False(t, b.sees("bob", "4"))
		})
		t.Run("the old space found it gone before, "+first+" first", func(t *testing.T) {
			b := moving(t)
			eng, hr := b.begin2(first)
			require.NoError(t, eng.Observe(tree()...))
			b.tighten(eng, goneNow)
			b.tighten(hr, page("9", "", free), page("4", "9", free))
			b.loosen(eng)
			b.loosen(hr)
			assert.True(t, b.sees("ann", "4"))
			assert.False(t, b.sees("bob", "4"))
		})
		t.Run("the old space is late, "+first+" first", func(t *testing.T) {
			b := moving(t)
			eng, hr := b.begin2(first)
			require.NoError(t, eng.Observe(tree()...))
			b.tighten(hr, page("9", "", free), page("4", "9", free))
			b.put(hr, "4", 2)
			b.loosen(hr)
			b.tighten(eng)
			assert.False(t, b.sees("bob", "4"), "the new words")
			b.loosen(eng)
			assert.False(t, b.sees("bob", "4"), "the new words")
			assert.Equal(t, 2, b.version("ann", "4"))
		})
		t.Run("words come when it stands elsewhere again, "+first+" first", func(t *testing.T) {
			b := moving(t)
			eng, hr := b.begin2(first)
			require.NoError(t, eng.Observe(tree()...))
			b.tighten(hr, page("9", "", free), page("4", "9", free))
			b.tighten(eng)
			b.put(hr, "4", 2)
			b.loosen(hr)
			b.loosen(eng)
			if b.sees("bob", "4") {
				assert.Equal(t, 1, b.version("bob", "4"), "words of ENG")
			}
			assert.True(t, b.sees("ann", "4"))
			b.sync(1, tree()[:3]...)
			next := b.hr()
			b.tighten(next, page("9", "", free), page("4", "9", free))
			b.put(next, "4", 2)
			b.loosen(next)
			assert.Equal(t, 2, b.version("ann", "4"), "the next passes tell")
			assert.False(t, b.sees("bob", "4"))
		})
	}
}

// A pass that was interrupted goes on when a later one has found the page in
// another space, and its words the same.
func TestAnOldPassTakesNothingBack(t *testing.T) {
	b := moving(t)
	eng := b.begin()
	require.NoError(t, eng.Observe(tree()...))
	hr := b.hr()
	b.tighten(hr, page("9", "", free), page("4", "9", free))
	b.loosen(hr)
	require.NoError(t, eng.Observe(tree()...))
	b.tighten(eng)
	b.loosen(eng)
	assert.True(t, b.sees("ann", "4"))
	assert.False(t, b.sees("bob", "4"))
}

// It came back: what was read of it where it stands now is not shown where an
// older reading saw it.
func TestAPageThatCameBackStays(t *testing.T) {
	b := moving(t)
	hr := b.hr()
	require.NoError(t, hr.Observe(page("9", "", free), page("4", "9", free)))
	only := mirror.Node{ID: "4", Type: confluence.TypePage, ParentID: "1", Clause: guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.User, ID: "bob"}}}}
	b.sync(2, append(tree()[:3], only)...)
	b.tighten(hr)
	b.put(hr, "4", 3)
	b.loosen(hr)
	assert.False(t, b.sees("ann", "4"))
	assert.Equal(t, 2, b.version("bob", "4"))
}
