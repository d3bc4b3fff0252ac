package ingest_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

var probeTime = flag.Duration("probe", 4*time.Second, "how long five callers query while the site changes")

// shownFrom is what the site shows to whom from a moment on.
type shownFrom struct {
	at time.Time // before the change
	to map[string]map[string]fact
}

// query is what one caller was shown, and when.
type query struct {
	user         string
	bound, ended time.Time      // the start of the last pass that was complete; the end of the query
	hits         map[string]int // versions, by page
}

// Five callers query without pause while passes go on and restrictions, groups,
// grants, places and bodies change. Every hit was allowed by the site's own rule at
// some instant between the start of the last completed pass and the end of the
// query, in that version or, as a part of its history, in a later one.
func TestTheLeakProbe(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	callers := []string{"u-ann", "u-bob", "u-cid", "u-dan", "u-hal"}
	var bound atomic.Pointer[time.Time]
	start := b.clock.now()
	r := b.pass(false)
	bound.Store(&r.Started)
	timeline := []shownFrom{{start, b.everything(callers)}}

	var stop atomic.Bool
	var wg sync.WaitGroup
	results := make([][]query, len(callers))
	for i, u := range callers {
		wg.Go(func() {
			for !stop.Load() {
				results[i] = append(results[i], b.ask(u, &bound))
			}
		})
	}
	var passes atomic.Int64
	wg.Go(func() {
		for !stop.Load() {
			r, err := b.sync.Now(t.Context(), passes.Load()%7 == 6, nil)
			if assert.NoError(t, err) && r.Complete {
				bound.Store(&r.Started)
			}
			passes.Add(1)
		}
	})
	random, version := rand.New(rand.NewPCG(5, 5)), 100
	for begun := time.Now(); time.Since(begun) < *probeTime || passes.Load() < 2 || len(timeline) < 8; {
		at := b.clock.now()
		b.Apply(randomChange(random, &version))
		timeline = append(timeline, shownFrom{at, b.everything(callers)})
	}
	stop.Store(true)
	wg.Wait()
	queries, hits := 0, 0
	for _, list := range results {
		for _, q := range list {
			queries++
			hits += len(q.hits)
			for id, version := range q.hits {
				require.True(t, allowed(timeline, q, id), "%s is shown version %d of %s; bound %v, end %v", q.user, version, id, q.bound, q.ended)
			}
		}
	}
	t.Logf("%d queries, %d hits, %d changes, %d passes, 0 leaks", queries, hits, len(timeline)-1, passes.Load())
	require.Positive(t, hits)
}

func (b *box) everything(callers []string) map[string]map[string]fact {
	out := map[string]map[string]fact{}
	for _, u := range callers {
		out[u] = b.truth(u, false)
	}
	return out
}

func (b *box) ask(user string, bound *atomic.Pointer[time.Time]) query {
	q := query{user: user, bound: *bound.Load(), hits: map[string]int{}}
	l, err := b.Mirror.Pages(b.t.Context(), who(user), mirror.Filter{}, confluence.Paging{Limit: 200})
	assert.NoError(b.t, err)
	for _, p := range l.Items {
		if p.Type != confluence.TypeFolder {
			q.hits[p.ID] = p.Version.Number
		}
	}
	if len(l.Items) > 0 {
		b.read(&q, l.Items[rand.IntN(len(l.Items))].ID)
	}
	q.ended = b.clock.now()
	return q
}

// read opens a page, whose words tell their version where the test wrote them. The
// newest version a query was shown counts.
func (b *box) read(q *query, id string) {
	p, err := b.Mirror.Page(b.t.Context(), who(q.user), mirror.Ref{ID: id})
	if confluence.KindOf(err) == confluence.NotFound || !assert.NoError(b.t, err) || p.Type == confluence.TypeFolder {
		return
	}
	var words int
	if n, _ := fmt.Sscanf(p.Body, "<p>Words of version %d.", &words); n == 1 {
		assert.Equal(b.t, p.Version.Number, words, "the words of %s are of the version that is named", id)
	}
	q.hits[id] = max(q.hits[id], p.Version.Number)
}

// allowed finds an instant of the query's time at which the site showed it.
func allowed(timeline []shownFrom, q query, id string) bool {
	for i, s := range timeline {
		if s.at.After(q.ended) || i+1 < len(timeline) && timeline[i+1].at.Before(q.bound) {
			continue
		}
		if now, may := s.to[q.user][id]; may && now.version >= q.hits[id] {
			return true
		}
	}
	return false
}
