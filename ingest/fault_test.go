package ingest_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/store/mirror"
)

var (
	seeds    = flag.Int("seeds", 12, "how many random histories the mutation tests go through")
	thorough = flag.Bool("thorough", false, "let every single request fail, not every ninth")
)

// history is what the site has shown to whom: user, then page, then the newest
// version. Who sees a page sees its earlier versions too, in its history.
type history struct {
	b    *box
	mu   sync.Mutex
	seen map[string]map[string]int
}

func (b *box) newHistory() *history {
	h := &history{b: b, seen: map[string]map[string]int{}}
	for _, u := range users {
		h.seen[u] = map[string]int{}
	}
	h.record()
	return h
}

// record adds the present.
func (h *history) record() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		for id, f := range h.b.truth(u, false) {
			h.seen[u][id] = max(h.seen[u][id], f.version)
		}
	}
}

// check tells what the mirror shows to whom and the site never did.
func (h *history) check() []string {
	var leaks []string
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		l, err := h.b.Mirror.Pages(h.b.t.Context(), who(u), mirror.Filter{}, confluence.Paging{Limit: 200})
		require.NoError(h.b.t, err)
		for _, p := range l.Items {
			if p.Type != confluence.TypeFolder && p.Version.Number > h.seen[u][p.ID] {
				leaks = append(leaks, line("%s is shown %s in version %d", u, p.ID, p.Version.Number))
			}
		}
	}
	return leaks
}

// change is one random change of the site.
func randomChange(r *rand.Rand, version *int) string {
	id := []string{"1000", "1001", "1002", "1003", "1004", "1005", "1006", "1011", "3000", "3001", "3002"}[r.IntN(11)]
	*version++
	lists := []string{``, `"group:A"`, `"group:B"`, `"user:u-bob","user:u-bot"`, `"group:staff"`, ``}
	switch r.IntN(9) {
	case 0, 1, 2:
		return line(`{"kind":"content","id":"%s","read":[%s]}`, id, lists[r.IntN(len(lists))])
	case 3: // restricted and given other words at once
		return line(`{"kind":"content","id":"%s","read":[%s],"version":%d,"storage":"<p>Words of version %d.</p>"}`, id, lists[r.IntN(len(lists))], *version, *version)
	case 4:
		child, parent := []string{"1001", "1005", "1006"}[r.IntN(3)], []string{"1000", "1002", "1003"}[r.IntN(3)]
		return line(`{"kind":"content","id":"%s","parent":"%s"}`, child, parent)
	case 5:
		return line(`{"kind":"content","id":"%d","type":"page","space":"ENG","parent":"%s","title":"New %d","storage":"<p>Words</p>","version":%d,"read":[%s]}`,
			2_000_000+*version, []string{"1000", "1002", "1005"}[r.IntN(3)], *version, *version, lists[r.IntN(len(lists))])
	case 6:
		groups := []string{`"staff"`, `"staff","A"`, `"staff","B"`, `"A"`, `"staff","A","B"`}
		name := []string{"ann", "bob", "cid", "dan"}[r.IntN(4)]
		return line(`{"kind":"user","id":"u-%s","email":"%s@acme.test","token":"%s-token","groups":[%s]}`, name, name, name, groups[r.IntN(len(groups))])
	case 7:
		grants := []string{`{"to":"group:staff","op":"write"}`, `{"to":"group:A","op":"read"},{"to":"user:u-bot","op":"read"}`, `{"to":"anonymous","op":"read"}`}
		return line(`{"kind":"space","id":"300","grants":[%s]}`, grants[r.IntN(len(grants))])
	}
	return line(`{"kind":"content","id":"%s","version":%d,"storage":"<p>Words of version %d.</p>"}`, id, *version, *version)
}

// Rows 24, 26 and 27: the site changes between any two requests of a pass. At
// no moment is anybody shown what the site never showed him in that version,
// and a closing pass finds everything.
func TestFaultRow24TheSiteChangesDuringAPass(t *testing.T) {
	b, p := proxied(t)
	b.pass(true)
	for _, u := range users {
		require.NoError(t, b.sync.Membership(t.Context(), u))
	}
	calls := p.count()
	changes, version := 0, 100
	for seed := range *seeds {
		r := rand.New(rand.NewPCG(24, uint64(seed)))
		h := b.newHistory()
		var trail []string // for whoever reads a failure
		p.script(func(n int, q *http.Request) {
			h.mu.Lock()
			trail = append(trail, line("%d %s", n, q.URL.RequestURI()))
			if r.IntN(calls) > 8 {
				h.mu.Unlock()
				return
			}
			changes++
			trail = append(trail, line("%d: ", n)+randomChange(r, &version))
			b.Apply(trail[len(trail)-1][strings.Index(trail[len(trail)-1], "{"):])
			h.mu.Unlock()
			h.record()
			if leaks := h.check(); len(leaks) > 0 {
				t.Errorf("seed %d, request %d: %v\n%s", seed, n, leaks, strings.Join(trail, "\n"))
			}
		}, nil)
		_, err := b.sync.Now(t.Context(), seed%5 == 0, nil)
		require.NoError(t, err)
		require.Empty(t, h.check(), "seed %d", seed)
		p.script(nil, nil)
		b.pass(false)
		require.Empty(t, h.check(), "seed %d, after the closing pass", seed)
		if seed%10 == 9 {
			b.pass(false)
			b.clean("seed %d", seed)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d histories, %d changes during passes", *seeds, changes)
}

// Row 25: the same page in two answers of a listing, and answers in the wrong
// order, make no second row.
func TestFaultRow25ThingsComeTwice(t *testing.T) {
	b, p := proxied(t)
	p.script(nil, func(_ int, r *http.Request, body []byte) []byte {
		if !strings.HasSuffix(r.URL.Path, "/pages") && !strings.HasSuffix(r.URL.Path, "/rest/api/content") {
			return body
		}
		var l map[string]any
		require.NoError(t, json.Unmarshal(body, &l))
		rows := l["results"].([]any)
		l["results"] = append(rows, rows...)
		out, err := json.Marshal(l)
		require.NoError(t, err)
		return out
	})
	b.pass(true)
	b.pass(false)
	b.registered()
	b.clean()
}

// registered makes everybody of the sample site a caller once.
func (b *box) registered() {
	b.t.Helper()
	for _, u := range users {
		require.NoError(b.t, b.sync.Membership(b.t.Context(), u))
	}
}

// Row 6: the n-th request of a pass fails, for every n and each kind. Nothing
// leaks, and the next pass makes it good.
func TestFaultRow06EveryRequestFailsOnce(t *testing.T) {
	for name, action := range map[string]string{
		"error":    `{"status":500,"body":{"message":"no"}}`,
		"reset":    `{"reset":true}`,
		"cut off":  `{"truncate_at":40}`,
		"web page": `{"status":200,"body":"<html><body>Log in</body></html>"}`,
		"missing":  `{"status":404,"body":{"errors":[{"status":404,"code":"NOT_FOUND","title":"Could not find it with id [1]"}]}}`,
		"denied":   `{"status":403,"body":{"message":"no"}}`,
		"limited":  `{"status":429,"headers":{"Retry-After":"1"}}`,
		"refused":  `{"status":401,"body":{"message":"no"}}`,
		"too late": `{"delay_ms":2000}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, nil, func(_ *ingest.Config, rc *rest.Config) {
				if name == "too late" {
					rc.HeaderTimeout = 500 * time.Millisecond
				}
			})
			b.registered()
			before := len(b.Requests(0))
			b.pass(true)
			calls, failed, version := len(b.Requests(0))-before, 0, 100
			first, step := 1+len(name)%9, 9
			if name == "too late" {
				step = 23 // each waits for every repetition
			}
			if *thorough {
				first, step = 1, 1
			}
			for n := first; n <= calls; n += step {
				version++
				h := b.newHistory()
				b.Apply(line(`{"kind":"content","id":"1001","version":%d,"storage":"<p>Words of version %d.</p>","read":[%s]}`, version, version, []string{`"group:A"`, `"user:u-bob","user:u-bot"`, ``}[n%3]))
				h.record()
				b.Apply(line(`{"kind":"fault","match":"* /wiki/*","nth":%d,"times":8,"action":%s}`, n, action))
				r, err := b.sync.Now(t.Context(), n%2 == 0, nil)
				b.Apply(`{"kind":"fault","clear":true}`)
				if err != nil || !r.Complete || len(r.Problems) > 0 {
					failed++
				}
				require.Empty(t, h.check(), "request %d", n)
				b.pass(false)
				b.neverMore()
				if n%4 == 3 {
					b.pass(false)
					b.clean(line("request %d", n))
				}
				if t.Failed() {
					return
				}
			}
			b.pass(false)
			b.pass(false)
			b.clean()
			t.Logf("%d requests, %d passes that said so", calls, failed)
			assert.Positive(t, failed)
		})
	}
}

// Row 7: an answer is cut off anywhere: nothing of it is half stored.
func TestFaultRow07AnswersAreCutOff(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	const listing = "/wiki/api/v2/spaces/300/pages"
	whole := 0
	for _, p := range all[json.RawMessage](b, "u-bot", listing+"?status=current&limit=250") {
		whole += len(p)
	}
	require.Greater(t, whole, 500)
	step := 43
	if *thorough {
		step = 1
	}
	before := b.seen(who("u-ann"))
	cuts := 0
	for at := 0; at < whole; at += step {
		b.Apply(line(`{"kind":"content","id":"3001","version":%d,"storage":"<p>Words of cut %d.</p>"}`, 10+at, at),
			line(`{"kind":"fault","match":"GET %s*","times":10,"action":{"truncate_at":%d}}`, listing, at))
		r, err := b.sync.Now(t.Context(), true, nil)
		require.NoError(t, err)
		b.Apply(`{"kind":"fault","clear":true}`)
		assert.False(t, r.Complete, "cut at %d", at)
		assert.Zero(t, r.Hidden+r.Purged, "cut at %d", at)
		require.Equal(t, before, b.seen(who("u-ann")), "cut at %d: nothing of it is half there", at)
		cuts++
	}
	b.neverMore()
	b.pass(false)
	b.clean("nothing was hidden or lost by it")
	t.Logf("a listing of %d bytes, cut at %d of them", whole, cuts)
}

// Row 9: a listing that is suddenly empty, once and for good.
func TestFaultRow09AFullSpaceComesEmpty(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	before := b.seen(who("u-ann"))
	empty := `{"kind":"fault","match":"GET /wiki/api/v2/spaces/100/pages*","times":%d,"action":{"status":200,"body":{"results":[],"_links":{}}}}`
	b.Apply(line(empty, 1))
	r := b.pass(false)
	assert.Empty(t, r.Held)
	assert.ElementsMatch(t, before, b.seen(who("u-ann")), "read a second time, it was there")

	b.Apply(line(empty, 2))
	r, err := b.sync.Now(t.Context(), false, nil)
	require.NoError(t, err)
	b.Apply(`{"kind":"fault","clear":true}`)
	assert.Equal(t, 0, r.Purged)
	b.pass(false)
	b.clean("nothing was deleted")

	// Asked about each page by itself, the site says the same: much is gone at
	// once. It is hidden, an alarm is given, and only the next pass may remove it.
	var told strings.Builder
	b.sync = b.newSync(func(c *ingest.Config, _ *rest.Config) { c.Logger = slog.New(slog.NewTextHandler(&told, nil)) })
	b.Apply(strings.Replace(line(empty, 0), `"times":0,`, "", 1), `{"kind":"fault","match":"GET /wiki/api/v2/pages/*","action":{"status":404,"body":{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not found"}]}}}`)
	r, err = b.sync.Now(t.Context(), false, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"ENG"}, r.Held)
	assert.Positive(t, r.Hidden)
	assert.Zero(t, r.Purged)
	assert.Contains(t, told.String(), "level=WARN")
	assert.Contains(t, told.String(), "so much vanished")
	assert.NotContains(t, b.seen(who("u-ann")), "1001")
	b.Apply(`{"kind":"fault","clear":true}`)
	b.pass(false)
	b.clean("it was held, so it is there again")
}

// Row 10: a space that answers 404 once is hidden, kept, and comes back.
func TestFaultRow10ASpaceIsNotFound(t *testing.T) {
	for name, fault := range map[string]string{
		"its pages":  `{"kind":"fault","match":"GET /wiki/api/v2/spaces/100/pages*","times":1,"action":{"status":404,"body":{"errors":[{"status":404,"code":"NOT_FOUND","title":"Could not find space with id [100]"}]}}}`,
		"its rights": `{"kind":"fault","match":"GET /wiki/api/v2/spaces/100/permissions*","times":1,"action":{"status":404,"body":{"errors":[{"status":404,"code":"NOT_FOUND","title":"Could not find space with id [100]"}]}}}`,
		"all spaces": `{"kind":"fault","match":"GET /wiki/api/v2/spaces","times":4,"action":{"status":200,"body":{"results":[],"_links":{}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, nil)
			b.registered()
			b.pass(true)
			b.Apply(fault)
			r, err := b.sync.Now(t.Context(), false, nil)
			require.NoError(t, err)
			assert.Zero(t, r.Purged)
			assert.NotEmpty(t, r.Problems)
			b.neverMore()
			b.pass(false)
			b.clean("nothing was lost")
		})
	}
}

// Row 28: the restrictions of one ancestor cannot be read: it is hidden with
// everything below it, counted by cause, and read again in the next pass.
func TestN03_FaultRow28OneAncestorCannotBeRead(t *testing.T) {
	for _, answer := range []string{`"status":403,"body":{"message":"no"}`, `"status":404,"body":{"message":"no"}`, `"status":500,"body":{"message":"no"}`, `"reset":true`} {
		b := newBox(t, nil)
		b.registered()
		b.Apply(`{"kind":"legacy_v1","status":404}`)
		b.pass(true)
		require.True(t, b.sees("u-cid", "1003"))
		b.Apply(line(`{"kind":"fault","match":"GET /wiki/rest/api/content/1002/restriction*","action":{%s}}`, answer))
		r := b.pass(false)
		for _, id := range []string{"1002", "1003", "1004"} {
			assert.False(t, b.sees("u-cid", id), id)
		}
		assert.True(t, b.sees("u-cid", "1001"))
		assert.NotEmpty(t, r.Problems)
		sealed := b.sync.Status().Sealed
		assert.Equal(t, 1, sum(sealed), "%v", sealed)
		b.Apply(`{"kind":"fault","clear":true}`)
		b.pass(false)
		b.clean()
		assert.Empty(t, b.sync.Status().Sealed)
	}
}

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}
