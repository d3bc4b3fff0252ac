package mirrored_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
)

// probe is the truth about a site that changes: what each user was allowed to see
// after each change, as the emulator itself answers him, and what callers were
// shown meanwhile.
type probe struct {
	*stage
	pages   []string
	folders []string // each with a page in it at first
	version int      // the last one that was written

	mu     sync.Mutex
	states []state
	swept  time.Time // when the last pass that was completed began
	seen   []sighting
}

// state is what everybody may see from a change on. It began at some instant
// before from's end and ended at some instant after the next one's beginning.
type state struct {
	from  time.Time                 // right before the change was made
	until time.Time                 // right after the next one was made; zero: it is the last
	sees  map[string]map[string]int // the version, by user and page
}

// sighting is one hit.
type sighting struct {
	user, how    string
	since, until time.Time // of the sweep it rests on, of the answer
	shown
}

// shown is a page, and the version whose words were shown; 0: none of them.
type shown struct {
	page    string
	version int
}

var probed = []string{"u-ann", "u-bob", "u-cid", "u-dan", ""} // "" is nobody

// change makes one change of the site, and asks the emulator as everybody what
// that shows.
func (p *probe) change(lines ...string) {
	from := time.Now()
	p.e.Apply(lines...)
	after := time.Now()
	now := state{from: from, sees: map[string]map[string]int{}}
	for _, user := range probed {
		now.sees[user] = map[string]int{}
		for _, page := range p.pages {
			if version := p.shows(user, page); version > 0 {
				now.sees[user][page] = version
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.states); n > 0 {
		p.states[n-1].until = after
	}
	p.states = append(p.states, now)
}

// shows tells which version of a page the site shows to a user, 0: none.
func (p *probe) shows(user, page string) int {
	res := p.e.Get(user, "/wiki/api/v2/pages/"+page)
	defer func() { assert.NoError(p.t, res.Body.Close()) }()
	var got struct{ Version struct{ Number int } }
	assert.NoError(p.t, json.NewDecoder(res.Body).Decode(&got))
	if res.StatusCode != http.StatusOK {
		return 0
	}
	return got.Version.Number
}

// allowed reports whether a user saw a page at some instant of a time, in the
// version whose words he was shown or in a later one: who sees a page sees its
// earlier versions too, in its history.
func (p *probe) allowed(s sighting) bool {
	return slices.ContainsFunc(p.states, func(one state) bool {
		return one.sees[s.user][s.page] >= max(1, s.version) && !one.from.After(s.until) && (one.until.IsZero() || !one.until.Before(s.since))
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
	seen := map[string][]shown{}
	every, err := p.engine.Query(p.ctx, who, retrieve.Question{Text: "*", Limit: 100})
	assert.NoError(p.t, err)
	found, err := p.engine.Query(p.ctx, who, retrieve.Question{Text: "common", Limit: 100, Facets: true})
	assert.NoError(p.t, err)
	for _, one := range every.Results {
		seen["everything"] = append(seen["everything"], shown{one.PageID, one.Version})
	}
	for _, one := range found.Results {
		seen["search"] = append(seen["search"], p.words(one.PageID, one.Text))
		assert.Equal(p.t, one.Version, p.words(one.PageID, one.Text).version, "the words are of the version that is named")
	}
	p.read(who, p.pages[r.IntN(len(p.pages))], seen)
	until := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for how, pages := range seen {
		for _, page := range pages {
			p.seen = append(p.seen, sighting{user, how, since, until, page})
		}
	}
}

var edition = regexp.MustCompile(`edition(\d+)`)

// words is what was shown of a page whose text tells its version.
func (p *probe) words(page, text string) shown {
	found := edition.FindAllStringSubmatch(text, -1)
	if !assert.Len(p.t, found, 1, "page %s: %q", page, text) {
		return shown{page: page}
	}
	version, err := strconv.Atoi(found[0][1])
	assert.NoError(p.t, err)
	return shown{page, version}
}

func (p *probe) read(who identity.Caller, page string, seen map[string][]shown) {
	site, err := p.sites.For(p.ctx, who)
	if !assert.NoError(p.t, err) {
		return
	}
	if got, err := site.Page(p.ctx, page, storage); err == nil {
		seen["page"] = append(seen["page"], p.words(got.ID, got.Body))
	}
	if files, err := site.Attachments(p.ctx, page, confluence.TypePage, confluence.Paging{}); err == nil && len(files.Items) > 0 {
		seen["files"] = append(seen["files"], shown{page: page})
	}
	if l, err := site.Children(p.ctx, page, confluence.TypePage, confluence.Paging{Limit: 50}); err == nil {
		for _, n := range l.Items {
			seen["children"] = append(seen["children"], shown{page: n.ID})
		}
	}
	if l, err := site.Search(p.ctx, confluence.Search{CQL: `type = page AND text ~ "common"`, Paging: confluence.Paging{Limit: 50}}); err == nil {
		for _, h := range l.Items {
			seen["raw CQL"] = append(seen["raw CQL"], shown{page: h.ID}) // Confluence's own words may be newer than the caller's groups
		}
	}
}

// someChange is a random change of a restriction, a place, a group, a space or of
// words, or of words and of what restricts them at once: of the page, of a folder,
// or of what it is moved below.
func (p *probe) someChange(r *rand.Rand) []string {
	i := r.IntN(len(p.pages) - 2)
	id := p.pages[i]
	switch r.IntN(9) {
	case 0:
		groups := []string{`"staff"`, `"staff","A"`, `"staff","B"`, `"A"`, `"staff","A","B"`}
		return []string{member([]string{"ann", "bob", "cid", "dan"}[r.IntN(4)], groups[r.IntN(len(groups))])}
	case 1:
		to := []string{"group:staff", "group:A", "user:u-ann"}[r.IntN(3)]
		return []string{fmt.Sprintf(`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":%q,"op":"read"},{"to":"user:u-bot","op":"read"}]}`, to)}
	case 2:
		return []string{openTo(r.IntN(2) == 0)}
	case 3:
		return []string{p.written(id)}
	case 4, 5: // what restricts it may be a folder above
		return []string{restricted(slices.Concat(p.folders, []string{id})[r.IntN(len(p.folders)+1)], r), p.written(id)}
	case 6:
		if to := slices.Concat(p.pages[:i], p.folders); len(to) > 0 {
			below := to[r.IntN(len(to))]
			return []string{restricted(below, r), placed(id, below), p.written(id)}
		}
	}
	return []string{p.moved(i, r), restricted(id, r)}
}

// written gives a page words that name their version.
func (p *probe) written(id string) string {
	p.version++
	return fmt.Sprintf(`{"kind":"content","id":%q,"version":%d,"updated":%q,"storage":"<p>common words of edition%d</p>"}`, id, p.version, p.now().Format(time.RFC3339Nano), p.version)
}

func restricted(id string, r *rand.Rand) string {
	lists := []string{``, `"group:A","user:u-bot"`, `"group:B","user:u-bot"`, `"user:u-bob","user:u-bot"`, `"group:A","user:u-bob","user:u-bot"`, `"user:u-stranger","user:u-bot"`}
	return fmt.Sprintf(`{"kind":"content","id":%q,"read":[%s]}`, id, lists[r.IntN(len(lists))])
}

// moved puts a page below a folder, an earlier page, so that none is below
// itself, or to the top.
func (p *probe) moved(i int, r *rand.Rand) string {
	parents := slices.Concat([]string{""}, p.pages[:i], p.folders)
	return placed(p.pages[i], parents[r.IntN(len(parents))])
}

func placed(id, parent string) string {
	return fmt.Sprintf(`{"kind":"content","id":%q,"parent":%q}`, id, parent)
}

// newProbe is a site of 12 pages, and of folders of which Confluence is asked who
// sees what is in them.
func newProbe(t *testing.T, folders ...string) *probe {
	p := &probe{stage: newStage(t, people), folders: folders}
	require.NoError(t, p.set.Put(p.ctx, connections.Spec{ID: 1, Name: "I1", BaseURL: p.e.Sites[0].URL, Username: p.e.Email("u-bot"), Token: seal.NewSecret(p.e.Token("u-bot")),
		Rights: true, Opaque: guard.VerifyOpaque}))
	var lines []string
	for _, id := range folders {
		lines = append(lines, fmt.Sprintf(`{"kind":"content","id":%q,"type":"folder","space":"S","title":"Folder %s"}`, id, id))
	}
	for i := range 12 {
		id, space, parent := fmt.Sprint(1100+i), "S", ""
		if i >= 10 {
			space = "S2"
		} else if i < len(folders) {
			parent = folders[i]
		}
		p.pages = append(p.pages, id)
		lines = append(lines, page(id, space, parent, ""), p.written(id), file(id, space))
	}
	p.change(lines...)
	p.sweep()
	return p
}

// run asks as everybody without pause while the site is changed and swept.
func (p *probe) run(atLeast int) (changes, sweeps int) {
	r := rand.New(rand.NewPCG(1, 7))
	var done atomic.Bool
	var swept atomic.Int64
	var all sync.WaitGroup
	for n, user := range probed {
		own := rand.New(rand.NewPCG(uint64(n), 3))
		all.Go(func() {
			for !done.Load() {
				p.ask(user, own)
			}
		})
	}
	all.Go(func() {
		for !done.Load() {
			p.sweep()
			swept.Add(1)
		}
	})
	for ; changes < atLeast || swept.Load() < 4; changes++ {
		p.change(p.someChange(r)...)
	}
	done.Store(true)
	all.Wait()
	return changes, int(swept.Load())
}

// verified counts how often Confluence was asked who may read a page.
func (p *probe) verified() int {
	return len(slices.DeleteFunc(p.e.Requests(0), func(r emulator.Request) bool { return !strings.Contains(r.Path, "/permission/check") }))
}

// TestNothingIsShownThatWasNotAllowed: five callers ask without pause while the
// site changes and is synced. Whatever they are shown was allowed by the
// emulator's own rule at some instant between the beginning of the last
// completed sweep and the end of their question, words of a page in the version
// they are of.
func TestNothingIsShownThatWasNotAllowed(t *testing.T) {
	for name, folders := range map[string][]string{"pages": nil, "pages in folders": {"1200", "1201", "1202"}} {
		t.Run(name, func(t *testing.T) {
			p := newProbe(t, folders...)
			before := p.verified()
			changes, sweeps := p.run(12)
			leaks := 0
			for _, s := range p.seen {
				if !p.allowed(s) {
					leaks++
					assert.Greater(t, leaks, 5, "user %q was shown page %s in version %d by %s: since %v, until %v", s.user, s.page, s.version, s.how, s.since, s.until)
				}
			}
			asked := p.verified() - before
			t.Logf("%d changes, %d sweeps, %d hits, Confluence asked %d times, %d leaks", changes, sweeps, len(p.seen), asked, leaks)
			require.Zero(t, leaks)
			require.Greater(t, len(p.seen), 500)
			require.Equal(t, len(folders) > 0, asked > 0)
			inFolders := func(s sighting) bool { return slices.Contains(p.pages[:len(folders)], s.page) }
			require.Equal(t, len(folders) > 0, slices.ContainsFunc(p.seen, inFolders))
		})
	}
}
