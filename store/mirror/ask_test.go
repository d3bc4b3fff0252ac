package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// oracle is a Confluence that is asked who may read what.
type oracle struct {
	mu    sync.Mutex
	may   map[string]bool // account and page
	fails error
	asked []string
	while func() // before it judges
	after func()
}

func (o *oracle) verify(_ context.Context, c identity.Caller, page mirror.Ref, below string) (bool, error) {
	if o.while != nil {
		o.while()
	}
	if o.after != nil {
		defer o.after()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, c.AccountID+" "+page.ID+" below "+below)
	return o.may[c.AccountID+" "+page.ID], o.fails
}

func (o *oracle) questions() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.asked
	o.asked = nil
	slices.Sort(out)
	return out
}

// verified is a mirror that asks an oracle, at a time that goes on.
func verified(t *testing.T, o *oracle) (*box, func(time.Duration)) {
	t.Helper()
	now := noon()
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: t.TempDir(), Now: func() time.Time { return now }, Verify: o.verify})
	require.NoError(t, err)
	b := &box{Mirror: m, t: t, ctx: context.Background()}
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	b.people()
	b.policy(guard.VerifyOpaque)
	return b, func(d time.Duration) { now = now.Add(d) }
}

func (b *box) policy(p guard.OpaquePolicy) {
	require.NoError(b.t, b.Writer().SetIntegration(b.ctx, guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced, Opaque: p}))
}

func folder(id, parent string) mirror.Node {
	return mirror.Node{ID: id, Type: confluence.TypeFolder, ParentID: parent, Clause: guard.Clause{State: guard.Opaque}}
}

// other begins a pass over another space of the same readers.
func (b *box) other() *mirror.Pass {
	b.t.Helper()
	p, err := b.Writer().Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "HR"})
	require.NoError(b.t, err)
	require.NoError(b.t, p.Grants([]guard.Principal{group("gs")}, false))
	return p
}

func (b *box) listed(who identity.Caller) []string {
	b.t.Helper()
	l, err := b.Pages(b.ctx, who, mirror.Filter{Integration: 1}, confluence.Paging{Limit: 250})
	require.NoError(b.t, err)
	out := []string{}
	for _, p := range l.Items {
		out = append(out, p.ID)
	}
	return out
}

// One question for each class, whatever of it is looked at, and its answer counts
// for everything of the class, for one caller and five minutes.
func TestConfluenceJudgesClasses(t *testing.T) {
	o := &oracle{may: map[string]bool{"ann 2": true, "ann 4": true, "bob 2": false}}
	b, wait := verified(t, o)
	b.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free), page("3", "2", free), page("4", "3", onlyA), page("5", "4", free), folder("g", "1"))
	assert.ElementsMatch(t, []string{"1", "f", "2", "3", "4", "5"}, b.listed(who("ann")), "the folder is shown with what is in it; one without pages by its own answer")
	assert.Equal(t, []string{"ann 2 below f", "ann 4 below ", "ann g below "}, o.questions())
	assert.Equal(t, []string{"1"}, b.listed(who("bob")))
	assert.Equal(t, []string{"bob 2 below f", "bob g below "}, o.questions(), "what the mirror hides is not asked about")
	wait(5*time.Minute - 1)
	assert.True(t, b.sees("ann", "5"))
	assert.False(t, b.sees("bob", "3"))
	_, err := b.Attachment(b.ctx, who("ann"), mirror.Ref{Integration: 1, ID: "att5"})
	require.NoError(t, err)
	up, err := b.Ancestors(b.ctx, who("ann"), mirror.Ref{ID: "5"})
	require.NoError(t, err)
	assert.Len(t, up, 5)
	assert.Empty(t, o.questions())
	o.may = map[string]bool{"bob 3": true}
	wait(1)
	assert.True(t, b.sees("bob", "3"), "asked anew, about the page that is wanted")
	assert.False(t, b.sees("ann", "5"))
	assert.Equal(t, []string{"ann 5 below 4", "bob 3 below f"}, o.questions())
	for _, p := range []guard.OpaquePolicy{guard.SealOpaque, guard.TrustOpaque} {
		b.policy(p)
		assert.Equal(t, p == guard.TrustOpaque, b.sees("ann", "3"))
		assert.Empty(t, o.questions(), "the other policies ask nobody")
	}
}

// A yes ends with the next reading of the space's rights: whoever restricts a
// folder and syncs has it closed at once. A no keeps its five minutes.
func TestAYesEndsWhenRightsAreReadAgain(t *testing.T) {
	o := &oracle{may: map[string]bool{"ann 2": true}}
	b, wait := verified(t, o)
	site := []mirror.Node{page("1", "", free), folder("f", "1"), page("2", "f", free)}
	b.sync(1, site...)
	require.True(t, b.sees("ann", "2"))
	require.False(t, b.sees("bob", "2"))
	o.questions()
	o.may = map[string]bool{"bob 2": true}
	wait(time.Minute)
	assert.True(t, b.sees("ann", "2"), "nothing was read since")
	before := b.View(who("ann"))
	b.sync(1, site...)
	assert.False(t, b.sees("ann", "2"))
	assert.False(t, b.sees("bob", "2"))
	assert.Equal(t, []string{"ann 2 below f"}, o.questions())
	assert.False(t, b.sees("ann", "2"))
	assert.Empty(t, o.questions(), "the new answer counts")
	two, err := b.Follower().All(b.ctx, 0, 10)
	require.NoError(t, err)
	assert.Equal(t, guard.Visible, before.Check(two[len(two)-1].Index), "a question keeps the moment it began with")
}

// A yes of before new words of a space were published, or on its way by then, does
// not show them: the folder may have been restricted before they were written.
func TestAYesShowsNoLaterWords(t *testing.T) {
	for name, meanwhile := range map[string]func(b *box, o *oracle, publish func()){
		"said before": func(b *box, _ *oracle, publish func()) {
			assert.True(b.t, b.sees("ann", "2"))
			publish()
		},
		"on its way": func(b *box, o *oracle, publish func()) {
			var once sync.Once
			o.while = func() { once.Do(func() { publish(); o.may = map[string]bool{"ann 2": true} }) }
			defer func() { o.may = nil }()
			_, err := b.Page(b.ctx, who("ann"), mirror.Ref{ID: "2"})
			assert.NoError(b.t, err, "asked again, and then it was a yes")
			assert.Len(b.t, o.questions(), 2)
			publish()
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &oracle{may: map[string]bool{"ann 2": true}}
			b, wait := verified(t, o)
			b.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free))
			p := b.begin()
			require.NoError(t, p.Observe(page("1", "", free), folder("f", "1"), page("2", "f", free)))
			_, err := p.Tighten(b.ctx, true)
			require.NoError(t, err)
			wait(time.Second)
			version := 1
			meanwhile(b, o, func() {
				version++
				o.may = nil // restricted, and then written
				_, err := p.Put(b.ctx, []mirror.Content{content("2", version)}, "m")
				assert.NoError(t, err)
			})
			assert.False(t, b.sees("ann", "2"), "the new words")
			require.NoError(t, p.Loosen(b.ctx))
			assert.False(t, b.sees("ann", "2"))
		})
	}
}

// A yes about a folder shows nothing that comes into the folder later.
func TestAYesShowsNothingThatMovesUnderIt(t *testing.T) {
	t.Run("in the space", func(t *testing.T) {
		o := &oracle{may: map[string]bool{"ann 3": true}}
		b, _ := verified(t, o)
		bobs := guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.User, ID: "bob"}}}
		b.sync(1, page("1", "", bobs), page("2", "1", free), folder("f", ""), page("3", "f", free))
		require.True(t, b.sees("ann", "3"))
		o.may = nil // the folder is restricted, and then the page is moved
		p := b.begin()
		require.NoError(t, p.Observe(page("1", "", bobs), page("2", "f", free), folder("f", ""), page("3", "f", free)))
		_, err := p.Tighten(b.ctx, true)
		require.NoError(t, err)
		assert.False(t, b.sees("ann", "2"), "before it is loosened")
		require.NoError(t, p.Loosen(b.ctx))
		assert.False(t, b.sees("ann", "2"))
	})
	t.Run("with the folder into a space that said less", func(t *testing.T) {
		o := &oracle{may: map[string]bool{"ann 3": true}}
		b, _ := verified(t, o)
		there := b.other()
		require.NoError(t, there.Observe(page("9", "", free)))
		_, err := there.Tighten(b.ctx, true)
		require.NoError(t, err)
		require.NoError(t, there.Loosen(b.ctx))
		require.NoError(t, there.End(b.ctx, "{}"))
		b.sync(1, folder("f", ""), page("3", "f", free))
		require.True(t, b.sees("ann", "3"))
		o.may = nil // restricted, and then written
		p := b.begin()
		require.NoError(t, p.Observe(folder("f", ""), page("3", "f", free)))
		_, err = p.Tighten(b.ctx, true)
		require.NoError(t, err)
		_, err = p.Put(b.ctx, []mirror.Content{content("3", 2)}, "m")
		require.NoError(t, err)
		require.NoError(t, p.End(b.ctx, "{}"))
		there = b.other()
		require.NoError(t, there.Observe(page("9", "", free), folder("f", "9"), page("3", "f", free)))
		_, err = there.Tighten(b.ctx, true)
		require.NoError(t, err)
		assert.False(t, b.sees("ann", "3"))
	})
	t.Run("in another space than the folder", func(t *testing.T) {
		o := &oracle{may: map[string]bool{"ann 3": true}}
		b, _ := verified(t, o)
		there := b.other()
		b.tighten(there, page("9", "", free))
		b.loosen(there)
		there = b.other()
		b.sync(1, folder("f", ""), page("3", "f", free)) // begun later: the folder stays here
		b.tighten(there, page("9", "", free), folder("f", "9"), page("8", "f", free))
		require.True(t, b.sees("ann", "3"))
		o.may = nil // restricted, and then written
		b.put(there, "8", 1)
		assert.False(t, b.sees("ann", "8"))
	})
}

// Two questions of one turn: what was asked first says nothing against the later
// no, however long it took.
func TestALateYesDoesNotReplaceANewerNo(t *testing.T) {
	o := &oracle{may: map[string]bool{"ann 2": true}}
	b, wait := verified(t, o)
	b.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free))
	slow, asked := make(chan struct{}), make(chan struct{})
	var others atomic.Bool
	o.after = func() {
		if !others.Swap(true) {
			close(asked)
			<-slow
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.Page(b.ctx, who("ann"), mirror.Ref{ID: "2"}) // what it answers was so when it was asked
	}()
	<-asked
	o.mu.Lock()
	o.may = nil // restricted
	o.mu.Unlock()
	wait(time.Second)
	assert.False(t, b.sees("ann", "2"))
	close(slow)
	<-done
	assert.False(t, b.sees("ann", "2"))
	o.may = map[string]bool{"ann 2": true}
	wait(5 * time.Minute)
	assert.True(t, b.sees("ann", "2"), "a later yes counts")
}

// A question that is not answered hides, and is put again half a minute later.
func TestWithoutAnswerItIsHidden(t *testing.T) {
	o := &oracle{may: map[string]bool{"ann 2": true}, fails: errors.New("down")}
	b, wait := verified(t, o)
	b.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free))
	assert.Equal(t, []string{"1"}, b.listed(who("ann")), "a yes with an error is no yes")
	assert.Len(t, o.questions(), 1)
	o.fails = nil
	assert.Equal(t, []string{"1"}, b.listed(who("ann")))
	assert.Empty(t, o.questions())
	wait(30 * time.Second)
	assert.ElementsMatch(t, []string{"1", "f", "2"}, b.listed(who("ann")))
	var nobody *mirror.Mirror
	nobody, err := mirror.Open(b.ctx, mirror.Config{Dir: t.TempDir(), Now: noon})
	require.NoError(t, err)
	defer func() { require.NoError(t, nobody.Close()) }()
	alone := &box{Mirror: nobody, t: t, ctx: b.ctx}
	alone.people()
	alone.policy(guard.VerifyOpaque)
	alone.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free))
	assert.Equal(t, []string{"1"}, alone.listed(who("ann")), "where nobody can be asked nothing is shown")
}

// However many folders there are, one answer asks about at most 256 of them, and
// holds the database for none of it.
func TestQuestionsAreBoundedAndHoldNothing(t *testing.T) {
	o := &oracle{}
	b, _ := verified(t, o)
	nodes := []mirror.Node{page("1", "", free)}
	for i := range 300 {
		f := fmt.Sprintf("f%d", i)
		nodes = append(nodes, folder(f, "1"), page("p"+f, f, free))
	}
	b.sync(1, nodes...)
	o.while = func() { // writers and other readers go on meanwhile
		assert.True(t, b.sees("bob", "1"))
		assert.NoError(t, b.Writer().SetMark(b.ctx, 1, "x", "y"))
	}
	assert.Equal(t, []string{"1"}, b.listed(who("ann")))
	assert.Len(t, o.questions(), 4*64)
	assert.Equal(t, []string{"1"}, b.listed(who("ann")))
	assert.Len(t, o.questions(), 300-4*64)
	gone, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.Pages(gone, who("bob"), mirror.Filter{Integration: 1}, confluence.Paging{})
	require.Error(t, err)
	assert.Empty(t, o.questions())
}

// Resolve keeps the moment of its view.
func TestAnswersAreForTheViewThatAsked(t *testing.T) {
	o := &oracle{may: map[string]bool{"ann 2": true}}
	b, _ := verified(t, o)
	b.sync(1, page("1", "", free), folder("f", "1"), page("2", "f", free))
	two, err := b.Follower().All(b.ctx, 0, 10)
	require.NoError(t, err)
	idx := two[len(two)-1].Index
	before := b.View(who("ann"))
	require.Equal(t, guard.Verify, before.Check(idx))
	b.sync(2, page("1", "", free), folder("f", "1"), page("2", "f", onlyA))
	after, err := b.Resolve(b.ctx, who("ann"), before, []uint32{idx, 99})
	require.NoError(t, err)
	assert.Equal(t, before.Snapshot(), after.Snapshot())
	assert.Equal(t, guard.Visible, after.Check(idx))
	assert.Equal(t, guard.Verify, before.Check(idx), "a view does not change")
}
