package mirrored_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
)

// probe is the truth about a site that changes: what each user was allowed to see
// after each change, as the emulator itself answers him, and what callers were
// shown meanwhile.
type probe struct {
	*stage
	pages []string

	mu     sync.Mutex
	states []state
	swept  time.Time // when the last pass that was completed began
	seen   []sighting
}

// state is what everybody may see from a change on. It began at some instant
// before from's end and ended at some instant after the next one's beginning.
type state struct {
	from  time.Time // right before the change was made
	until time.Time // right after the next one was made; zero: it is the last
	sees  map[string]map[string]bool
}

// sighting is one hit.
type sighting struct {
	user, page, how string
	since, until    time.Time // of the sweep it rests on, of the answer
}

var probed = []string{"u-ann", "u-bob", "u-cid", "u-dan", ""} // "" is nobody

// change makes one change of the site, and asks the emulator as everybody what
// that shows.
func (p *probe) change(lines ...string) {
	from := time.Now()
	p.e.Apply(lines...)
	after := time.Now()
	now := state{from: from, sees: map[string]map[string]bool{}}
	for _, user := range probed {
		now.sees[user] = map[string]bool{}
		for _, page := range p.pages {
			res := p.e.Get(user, "/wiki/api/v2/pages/"+page)
			_, _ = io.Copy(io.Discard, res.Body)
			now.sees[user][page] = res.StatusCode == http.StatusOK
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.states); n > 0 {
		p.states[n-1].until = after
	}
	p.states = append(p.states, now)
}

// allowed reports whether a user saw a page at some instant of a time.
func (p *probe) allowed(s sighting) bool {
	return slices.ContainsFunc(p.states, func(one state) bool {
		return one.sees[s.user][s.page] && !one.from.After(s.until) && (one.until.IsZero() || !one.until.Before(s.since))
	})
}

func (p *probe) sweep() {
	began := time.Now()
	r, err := p.set.Sync(p.ctx, "I1", false, nil)
	if !assert.NoError(p.t, err) {
		return
	}
	assert.NoError(p.t, p.x.Follow(p.ctx))
	if r.Complete {
		p.mu.Lock()
		p.swept = began
		p.mu.Unlock()
	}
}

// ask questions as one user in every way there is, and notes what he is shown.
func (p *probe) ask(user string, r *rand.Rand) {
	who := nobody()
	if user != "" {
		who = i1(user)
	}
	p.mu.Lock()
	since := p.swept
	p.mu.Unlock()
	shown := map[string][]string{}
	every, err := p.engine.Query(p.ctx, who, retrieve.Question{Text: "*", Limit: 100})
	assert.NoError(p.t, err)
	found, err := p.engine.Query(p.ctx, who, retrieve.Question{Text: "common", Limit: 100, Facets: true})
	assert.NoError(p.t, err)
	for how, a := range map[string]retrieve.Answer{"everything": every, "search": found} {
		for _, one := range a.Results {
			shown[how] = append(shown[how], one.PageID)
		}
	}
	p.read(who, p.pages[r.IntN(len(p.pages))], shown)
	until := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for how, pages := range shown {
		for _, page := range pages {
			p.seen = append(p.seen, sighting{user, page, how, since, until})
		}
	}
}

func (p *probe) read(who identity.Caller, page string, shown map[string][]string) {
	site, err := p.sites.For(p.ctx, who)
	if !assert.NoError(p.t, err) {
		return
	}
	if got, err := site.Page(p.ctx, page, storage); err == nil {
		shown["page"] = append(shown["page"], got.ID)
	}
	if files, err := site.Attachments(p.ctx, page, confluence.TypePage, confluence.Paging{}); err == nil && len(files.Items) > 0 {
		shown["files"] = append(shown["files"], page)
	}
	if l, err := site.Children(p.ctx, page, confluence.TypePage, confluence.Paging{Limit: 50}); err == nil {
		for _, n := range l.Items {
			shown["children"] = append(shown["children"], n.ID)
		}
	}
	if l, err := site.Search(p.ctx, confluence.Search{CQL: "type = page", Paging: confluence.Paging{Limit: 50}}); err == nil {
		for _, h := range l.Items {
			shown["raw CQL"] = append(shown["raw CQL"], h.ID)
		}
	}
}

// someChange is a random change of a restriction, a place, a group or a space.
func (p *probe) someChange(r *rand.Rand) string {
	clauses := []string{"", "group:A", "group:B", "user:u-bob", "group:A,user:u-bob", "user:u-stranger"}
	i := r.IntN(len(p.pages) - 2)
	switch r.IntN(6) {
	case 0:
		groups := []string{`"staff"`, `"staff","A"`, `"staff","B"`, `"A"`, `"staff","A","B"`}
		return member([]string{"ann", "bob", "cid", "dan"}[r.IntN(4)], groups[r.IntN(len(groups))])
	case 1:
		to := []string{"group:staff", "group:A", "user:u-ann"}[r.IntN(3)]
		return fmt.Sprintf(`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":%q,"op":"read"},{"to":"user:u-bot","op":"read"}]}`, to)
	case 2:
		return openTo(r.IntN(2) == 0)
	}
	parent := "" // an earlier page, so that no page is below itself
	if i > 0 && r.IntN(3) > 0 {
		parent = p.pages[r.IntN(i)]
	}
	return probePage(p.pages[i], "S", parent, clauses[r.IntN(len(clauses))])
}

func probePage(id, space, parent, read string) string {
	return fmt.Sprintf(`%s,"labels":["common"]}`, page(id, space, parent, read)[:len(page(id, space, parent, read))-1])
}

// TestNothingIsShownThatWasNotAllowed: five callers ask without pause while the
// site changes and is synced. Whatever they are shown was allowed by the
// emulator's own rule at some instant between the beginning of the last
// completed sweep and the end of their question.
func TestNothingIsShownThatWasNotAllowed(t *testing.T) {
	const changes = 24
	p := &probe{stage: newStage(t, people)}
	r := rand.New(rand.NewPCG(1, 7))
	var lines []string
	for i := range 12 {
		id := fmt.Sprint(1100 + i)
		p.pages = append(p.pages, id)
		lines = append(lines, probePage(id, map[bool]string{true: "S2", false: "S"}[i >= 10], "", ""), file(id, map[bool]string{true: "S2", false: "S"}[i >= 10]))
	}
	p.change(lines...)
	p.sweep()
	var done atomic.Bool
	var asked atomic.Int64
	var all sync.WaitGroup
	for n, user := range probed {
		own := rand.New(rand.NewPCG(uint64(n), 3))
		all.Go(func() {
			for !done.Load() {
				p.ask(user, own)
				asked.Add(1)
			}
		})
	}
	sweeps := 0
	all.Go(func() {
		for !done.Load() {
			p.sweep()
			sweeps++
		}
	})
	for range changes {
		p.change(p.someChange(r))
	}
	done.Store(true)
	all.Wait()

	leaks := 0
	for _, s := range p.seen {
		if !p.allowed(s) {
			leaks++
			assert.LessOrEqual(t, leaks, 5, "user %q was shown page %s by %s: since %v, until %v", s.user, s.page, s.how, s.since, s.until)
		}
	}
	t.Logf("%d changes, %d sweeps, %d questions, %d hits, %d leaks", changes, sweeps, asked.Load(), len(p.seen), leaks)
	require.Zero(t, leaks)
	require.Greater(t, len(p.seen), 500)
	require.Greater(t, sweeps, 2)
}
