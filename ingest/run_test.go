package ingest_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

func TestNewRefusesWhatIsMissing(t *testing.T) {
	_, err := ingest.New(ingest.Config{})
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
}

// Many triggers at once are one pass, and a full one that is wanted while
// another goes on comes right after it.
func TestTriggersJoin(t *testing.T) {
	b, p := proxied(t)
	hold, reached := make(chan struct{}), make(chan struct{}, 1000)
	p.script(func(_ int, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/user/current") {
			reached <- struct{}{}
			<-hold
		}
	}, nil)
	var wg sync.WaitGroup
	var fulls atomic.Int32
	trigger := func(full bool) {
		wg.Go(func() {
			r, err := b.sync.Now(t.Context(), full, nil)
			assert.NoError(t, err)
			assert.True(t, r.Complete)
			if r.Full {
				fulls.Add(1)
			}
		})
	}
	trigger(false)
	<-reached
	for range 50 {
		trigger(false)
	}
	for range 50 {
		trigger(true)
	}
	assert.Equal(t, ingest.StateRunning, b.sync.Status().State)
	close(hold)
	wg.Wait()
	assert.GreaterOrEqual(t, fulls.Load(), int32(50))
	assert.LessOrEqual(t, len(reached), 3)
	assert.Equal(t, ingest.StateIdle, b.sync.Status().State)
}

func TestAPassStopsWhenNobodyWaits(t *testing.T) {
	p := newProxy(t)
	var told strings.Builder
	b := newBox(t, nil, p.through, func(c *ingest.Config, _ *rest.Config) { c.Logger = slog.New(slog.NewTextHandler(&told, nil)) })
	ctx, cancel := context.WithCancel(t.Context())
	p.script(func(n int, _ *http.Request) {
		if n == 20 {
			cancel()
		}
	}, nil)
	_, err := b.sync.Now(ctx, true, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, told.String(), "stopped=true")
	assert.NotContains(t, told.String(), "error=")
	asked := p.count()
	assert.Less(t, asked, 30)
	status := b.sync.Status()
	assert.Equal(t, ingest.StateIdle, status.State, "stopping is no failure")
	assert.Zero(t, status.Complete)
	b.pass(true)
	b.registered()
	b.clean()
}

// told makes a pass and gives the last that was told of its progress, which only
// ever goes on.
func (b *box) told(ctx context.Context, full bool, watch func(ingest.Progress)) (last ingest.Progress, times int, err error) {
	b.t.Helper()
	_, err = b.sync.Now(ctx, full, func(p ingest.Progress) {
		assert.GreaterOrEqual(b.t, p.PercentDone, last.PercentDone)
		assert.GreaterOrEqual(b.t, p.PagesRead, last.PagesRead)
		last = p
		times++
		watch(p)
	})
	return last, times, err
}

func TestProgressIsTold(t *testing.T) {
	b := newBox(t, nil)
	last, times, err := b.told(t.Context(), true, func(ingest.Progress) {
		assert.Equal(t, ingest.StateRunning, b.sync.Status().State, "it may be asked meanwhile")
	})
	require.NoError(t, err)
	assert.Equal(t, []int{3, 3, 12, 12, 26, 100}, []int{last.Spaces, last.SpacesDone, last.Pages, last.PagesRead, last.RightsRead, last.PercentDone})
	assert.Greater(t, times, 10)
}

// A pass that reads little, and one that goes on where another stopped, are told
// to their end too.
func TestProgressOfAPassThatReadsLittle(t *testing.T) {
	b := newBox(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	half, _, err := b.told(ctx, true, func(p ingest.Progress) {
		if p.PercentDone > 0 {
			stop()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, half.PercentDone, 100)
	rest, _, err := b.told(t.Context(), true, func(ingest.Progress) {})
	require.NoError(t, err)
	assert.Equal(t, []int{3, 100}, []int{rest.SpacesDone, rest.PercentDone}, "resumed")
	assert.LessOrEqual(t, rest.PagesRead, 12)
	none, times, err := b.told(t.Context(), false, func(ingest.Progress) {})
	require.NoError(t, err)
	assert.Equal(t, []int{3, 0, 100}, []int{none.SpacesDone, none.PagesRead, none.PercentDone}, "nothing changed")
	assert.Greater(t, times, 5)
	b.Apply(`{"kind":"content","id":"1001","version":9,"storage":"<p>New.</p>"}`)
	one, _, err := b.told(t.Context(), false, func(ingest.Progress) {})
	require.NoError(t, err)
	assert.Equal(t, []int{1, 100}, []int{one.PagesRead, one.PercentDone})
}

func TestStatusTellsHowItIs(t *testing.T) {
	for name, c := range map[string]struct{ fault, state, code string }{
		"credentials": {`{"kind":"fault","match":"* /wiki/*","action":{"status":401,"body":{"message":"no"}}}`, ingest.StateReconnect, "auth.credentials"},
		"forbidden":   {`{"kind":"fault","match":"* /wiki/*","action":{"status":401,"body":{"code":401,"message":"Unauthorized; scope does not match"}}}`, ingest.StateForbidden, "auth.scope"},
		"limited":     {`{"kind":"fault","match":"* /wiki/*","action":{"status":429,"headers":{"Retry-After":"90"}}}`, ingest.StateLimited, "limit.rate"},
		"down":        {`{"kind":"fault","match":"* /wiki/*","action":{"status":503}}`, ingest.StateDown, "net.unavailable"},
		"login page":  {`{"kind":"fault","match":"* /wiki/*","action":{"status":200,"body":"<html>Log in</html>"}}`, ingest.StateDown, "net.not_confluence"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, nil)
			b.pass(true)
			b.registered()
			before := b.seen(who("u-ann"))
			b.clock.add(time.Hour)
			b.Apply(c.fault)
			_, err := b.sync.Now(t.Context(), false, nil)
			require.Error(t, err)
			s := b.sync.Status()
			assert.Equal(t, c.state, s.State)
			assert.Equal(t, c.code, s.Code)
			assert.NotEmpty(t, s.Error)
			assert.GreaterOrEqual(t, s.Age, time.Hour)
			assert.ElementsMatch(t, before, b.seen(who("u-ann")), "what was read is still shown")
			b.clock.add(7 * 24 * time.Hour)
			assert.Empty(t, b.seen(who("u-ann")), "until it is too old")
			b.Apply(`{"kind":"fault","clear":true}`)
			b.clock.add(-7*24*time.Hour + 2*time.Minute)
			b.pass(false)
			s = b.sync.Status()
			assert.Equal(t, ingest.StateIdle, s.State)
			assert.Empty(t, s.Error)
			assert.Equal(t, 3, s.Spaces)
			assert.Equal(t, 13, s.Nodes)
			b.clean()
		})
	}
}

// What the rate limits forbid in one pass goes on in the next, from where it
// stopped.
func TestASweepGoesOnInTheNextPass(t *testing.T) {
	b, p := proxied(t)
	b.Apply(`{"kind":"legacy_v1","status":410}`) // one request for each node's restriction
	b.pass(true)
	b.registered()
	b.Apply(`{"kind":"content","id":"1001","version":4,"storage":"<p>New words.</p>"}`)
	asked := map[string]int{}
	var mu sync.Mutex
	p.script(func(_ int, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
	}, nil)
	passes := 0
	b.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/content/*/restriction","nth":5,"action":{"status":429,"headers":{"Retry-After":"600"}}}`)
	for {
		r, err := b.sync.Now(t.Context(), false, nil)
		passes++
		if err == nil {
			require.True(t, r.Complete, "%+v", r.Problems)
			assert.True(t, b.sync.Status().Complete.Before(r.Started.Add(-59*time.Minute)), "as old as what the pass before had read")
			break
		}
		require.Less(t, passes, 20)
		require.Equal(t, ingest.StateLimited, b.sync.Status().State)
		require.NotEmpty(t, r.Waiting)
		b.clock.add(time.Hour)
		b.Apply(`{"kind":"fault","clear":true}`, `{"kind":"fault","match":"GET /wiki/rest/api/content/*/restriction","nth":5,"action":{"status":429,"headers":{"Retry-After":"600"}}}`)
	}
	assert.Greater(t, passes, 1)
	t.Logf("%d passes", passes)
	b.Apply(`{"kind":"fault","clear":true}`)
	b.pass(false)
	b.clean()
}

// What was read of a space before it was away says nothing of it afterwards.
func TestASweepDoesNotGoOnAfterItsSpaceWasAway(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	b.registered()
	before := b.seen(who("u-ann"))
	b.Apply(`{"kind":"content","id":"3001","version":9,"storage":"<p>New words.</p>"}`,
		`{"kind":"fault","match":"GET /wiki/api/v2/pages?*id=3001*","action":{"status":429,"headers":{"Retry-After":"600"}}}`)
	r, err := b.sync.Now(t.Context(), false, nil)
	require.Error(t, err)
	require.Contains(t, r.Waiting, "S2")
	b.clock.add(time.Hour)
	b.Apply(`{"kind":"fault","clear":true}`, `{"kind":"space","id":"300","status":"archived"}`)
	for range 3 {
		b.pass(false)
	}
	require.Less(t, len(b.seen(who("u-ann"))), len(before))
	b.Apply(`{"kind":"space","id":"300","status":"current"}`)
	b.pass(false)
	b.registered()
	assert.ElementsMatch(t, before, b.seen(who("u-ann")))
	b.clean()
}

// still is a source whose answers never change, without a network.
type still struct {
	ingest.Source
	passes atomic.Int32
}

func (s *still) CurrentUser(context.Context) (confluence.User, error) {
	s.passes.Add(1)
	return confluence.User{ID: "u-bot", Active: true}, nil
}

func (s *still) Spaces(context.Context, confluence.SpaceFilter, confluence.Paging) (confluence.List[confluence.Space], error) {
	return confluence.List[confluence.Space]{}, nil
}

// The first pass comes at once, the others by the interval and a little more or
// less; a suspended machine is caught up with by one pass.
func TestTheSchedule(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m, err := mirror.Open(t.Context(), mirror.Config{Dir: dir, Now: time.Now})
		require.NoError(t, err)
		source := &still{}
		s, err := ingest.New(ingest.Config{Integration: guard.Integration{ID: 1, Name: "acme"}, Source: source, Mirror: connections.Filling{Writer: m.Writer()},
			Now: time.Now, Interval: 10 * time.Minute, FullInterval: time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		assert.Equal(t, int32(1), source.passes.Load())
		assert.True(t, s.Status().Last.Full)
		next := s.Status().Next.Sub(time.Now())
		assert.InDelta(t, 10*time.Minute, next, float64(61*time.Second), "a tenth more or less")
		<-time.After(next + time.Second)
		synctest.Wait()
		assert.Equal(t, int32(2), source.passes.Load())
		assert.False(t, s.Status().Last.Full)
		<-time.After(time.Hour + 12*time.Minute) // the first pass after an hour comes eleven minutes later at most
		synctest.Wait()
		assert.InDelta(t, 9, source.passes.Load(), 1)
		assert.Less(t, time.Since(s.Status().Full), 25*time.Minute)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, m.Close())
	})
}
