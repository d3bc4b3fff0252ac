package rest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
)

// failing answers with the statuses in turn, then like onePage.
func failing(header http.Header, statuses ...int) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if i := int(n.Add(1)) - 1; i < len(statuses) {
			for name, values := range header {
				w.Header()[name] = values
			}
			reply(w, statuses[i], `{"message":"later"}`)
			return
		}
		switch r.Method {
		case http.MethodGet:
			onePage(w, r)
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			reply(w, 200, pageSeven)
		}
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close() // that is the fault
	}
}

func readSeven(c *rest.Client) error {
	_, err := c.Page(ctx, "7", confluence.PageOptions{})
	return err
}

func createSeven(c *rest.Client) error {
	_, err := c.CreatePage(ctx, confluence.NewPage{SpaceID: "1", Title: "Seven"})
	return err
}

func TestWhatIsRetried(t *testing.T) {
	for name, tc := range map[string]struct {
		act      func(*rest.Client) error
		statuses []int
		calls    int // of the failing operation
		fails    bool
	}{
		"GET 429":            {readSeven, []int{429}, 2, false},
		"GET 502 503 504":    {readSeven, []int{502, 503, 504}, 4, false},
		"GET five times":     {readSeven, []int{503, 503, 503, 503, 503}, 5, true},
		"GET 500":            {readSeven, []int{500}, 1, true},
		"GET 501":            {readSeven, []int{501}, 1, true},
		"POST 429":           {createSeven, []int{429, 429}, 3, false},
		"POST 503":           {createSeven, []int{503}, 1, true},
		"POST 500":           {createSeven, []int{500}, 1, true},
		"DELETE 503":         {func(c *rest.Client) error { return c.DeleteComment(ctx, "5", "footer") }, []int{503}, 2, false},
		"DELETE 503, gone":   {func(c *rest.Client) error { return c.DeleteComment(ctx, "5", "footer") }, []int{503, 404}, 2, false},
		"DELETE 404":         {func(c *rest.Client) error { return c.DeleteComment(ctx, "5", "footer") }, []int{404}, 1, true},
		"DELETE 429, gone":   {func(c *rest.Client) error { return c.DeleteComment(ctx, "5", "footer") }, []int{429, 404}, 2, true},
		"move 504":           {func(c *rest.Client) error { return c.MovePage(ctx, "7", "append", "8") }, []int{504}, 2, false},
		"read by POST 502":   {func(c *rest.Client) error { _, err := c.UsersByID(ctx, []string{"u"}); return err }, []int{502}, 2, false},
		"labels by POST 502": {func(c *rest.Client) error { _, err := c.AddLabels(ctx, "7", []string{"x"}); return err }, []int{502}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, failing(nil, tc.statuses...))
			err := tc.act(f.client(t))
			assert.Equal(t, tc.fails, err != nil, "%v", err)
			first := f.requests()[0]
			calls := 0
			for _, r := range f.requests() {
				if r.Method == first.Method && r.URL.Path == first.URL.Path {
					calls++
				}
			}
			assert.Equal(t, tc.calls, calls)
		})
	}
}

// A refusal of the repeated call says nothing of the attempt before whose answer
// was lost: the change may be there.
func TestRefusalAfterALostAnswerLeavesTheDoubt(t *testing.T) {
	limited := []int{503, 429, 429, 429, 429}
	for name, act := range map[string]func(*rest.Client) error{
		"delete": func(c *rest.Client) error { return c.DeleteComment(ctx, "5", "footer") },
		"label":  func(c *rest.Client) error { return c.RemoveLabel(ctx, "7", "x") },
		"labels": func(c *rest.Client) error { _, err := c.AddLabels(ctx, "7", []string{"x"}); return err },
		"move":   func(c *rest.Client) error { return c.MovePage(ctx, "7", "append", "8") },
		"space":  func(c *rest.Client) error { _, err := c.UpdateSpace(ctx, confluence.SpaceUpdate{Key: "K"}); return err },
	} {
		for _, statuses := range [][]int{{503, 403}, {502, 401}, {504, 400}, {503, 409}, limited, {503, 503, 503, 503, 503}} {
			f := newFake(t, failing(nil, statuses...))
			e := code(t, act(f.client(t)), confluence.Unavailable, "net.unavailable")
			assert.Contains(t, e.Message, "whether the change was made is not known", "%s %v", name, statuses)
			assert.Equal(t, "Read the content again before you repeat the change.", e.Next)
		}
	}
	for name, act := range map[string]func(*rest.Client) error{
		"read":         readSeven,
		"read by POST": func(c *rest.Client) error { _, err := c.UsersByID(ctx, []string{"u"}); return err },
	} {
		f := newFake(t, failing(nil, 503, 403))
		assert.Equal(t, confluence.Denied, confluence.KindOf(act(f.client(t))), name)
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	f := newFake(t, failing(nil, 503, 503, 503, 503, 503))
	code(t, readSeven(f.client(t)), confluence.Unavailable, "net.unavailable")
	require.Len(t, f.waits(), 4)
	for i, want := range []time.Duration{2, 4, 8, 16} {
		assert.InDelta(t, float64(want), f.waits()[i].Seconds(), 0.31*float64(want))
	}
}

func TestRetryAfterIsHonouredAndClamped(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"seconds":          {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"date":             {http.Header{"Retry-After": {"Mon, 02 Mar 2026 09:00:11 GMT"}}, 11 * time.Second},
		"far date":         {http.Header{"Retry-After": {"Mon, 02 Mar 2126 09:00:11 GMT"}}, 300 * time.Second},
		"huge":             {http.Header{"Retry-After": {"1e9"}}, 300 * time.Second},
		"reset":            {http.Header{"X-Ratelimit-Reset": {"2026-03-02T09:01Z"}}, time.Minute},
		"reset in seconds": {http.Header{"X-Ratelimit-Reset": {"2026-03-02T09:00:05Z"}}, 5 * time.Second},
		"quota":            {http.Header{"Ratelimit": {`"global-app-quota";r=0;t=42`}}, 42 * time.Second},
		"quota among two":  {http.Header{"Ratelimit": {`"tenant-app-quota";r=5;t=9, "global-app-quota";r=0;t=42`}}, 42 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, failing(tc.header, 429))
			cfg := f.config()
			cfg.Now = func() time.Time { return now }
			require.NoError(t, readSeven(newClient(t, cfg)))
			require.NotEmpty(t, f.waits())
			assert.Equal(t, tc.want, f.waits()[0])
		})
	}
	for _, garbage := range []string{"-5", "soon", "NaN", "-Inf", "Mon, 02 Mar 1926 09:00:11 GMT", ""} {
		f := newFake(t, failing(http.Header{"Retry-After": {garbage}}, 429))
		cfg := f.config()
		cfg.Now = func() time.Time { return now }
		require.NoError(t, readSeven(newClient(t, cfg)), garbage)
		assert.InDelta(t, 2, f.waits()[0].Seconds(), 0.61, "backoff for %q", garbage)
	}
}

func TestBurstPausesOneEndpointAndQuotaTheWholeClient(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		reason string
		others int // waits of a call to another endpoint
	}{
		"burst": {"confluence-burst-based", 0},
		"quota": {"confluence-quota-global-based", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, failing(http.Header{"Retry-After": {"60"}, "Ratelimit-Reason": {tc.reason}}, 429))
			cfg := f.config()
			cfg.Now = func() time.Time { return now }
			c := newClient(t, cfg)
			require.NoError(t, readSeven(c))
			before := len(f.waits())
			_, err := c.Space(ctx, "ENG")
			require.NoError(t, err)
			assert.Equal(t, tc.others, len(f.waits())-before)
		})
	}
}

func TestWaitBeyondTheBudgetFailsAtOnceAndSaysHowLong(t *testing.T) {
	f := newFake(t, failing(http.Header{"Retry-After": {"120"}}, 429))
	cfg := f.config()
	cfg.RateBudget = 10 * time.Second
	c := newClient(t, cfg)
	e := code(t, readSeven(c), confluence.Limited, "limit.rate")
	assert.InDelta(t, 120, e.RetryAfter.Seconds(), 1)
	assert.True(t, e.Retryable())
	assert.Len(t, f.requests(), 1)
	code(t, readSeven(c), confluence.Limited, "limit.rate")
	assert.Len(t, f.requests(), 1, "nothing is sent while the endpoint is paused")
	assert.Empty(t, f.waits())

	deadline, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	g := newFake(t, failing(http.Header{"Retry-After": {"120"}}, 429))
	_, err := g.client(t).Page(deadline, "7", confluence.PageOptions{})
	code(t, err, confluence.Limited, "limit.rate")
}

func TestStormIsMetWithFewRequests(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { reply(w, 429, `slow down`) })
	code(t, readSeven(f.client(t)), confluence.Limited, "limit.rate")
	assert.Len(t, f.requests(), 5)
}

func TestNearLimitSpreadsCalls(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-NearLimit", "true")
		w.Header().Set("X-RateLimit-Remaining", "10")
		w.Header().Set("X-RateLimit-Reset", "2026-03-02T09:00:20Z")
		onePage(w, r)
	})
	cfg := f.config()
	cfg.Now = func() time.Time { return now }
	c := newClient(t, cfg)
	require.NoError(t, readSeven(c))
	assert.Empty(t, f.waits())
	require.NoError(t, readSeven(c))
	require.NoError(t, readSeven(c))
	require.NotEmpty(t, f.waits())
	assert.Equal(t, 2*time.Second, f.waits()[0], "20 s for 10 calls")
}

func TestAtMostFiveCallsAtOnce(t *testing.T) {
	var inside, most atomic.Int64
	release := make(chan struct{})
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		n := inside.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 5 {
			close(release)
		}
		<-release
		inside.Add(-1)
		reply(w, 200, `{"results":[]}`)
	})
	c := f.client(t)
	done := make(chan error)
	for range 20 {
		go func() {
			_, err := c.Pages(ctx, confluence.PageFilter{}, confluence.Paging{})
			done <- err
		}()
	}
	for range 20 {
		require.NoError(t, <-done)
	}
	assert.Equal(t, int64(5), most.Load())
}

func TestBrokenConnectionIsRetriedForReadsOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		act   func(*rest.Client) error
		calls int64
		fails bool
	}{"GET": {readSeven, 2, false}, "POST": {createSeven, 1, true}} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wiki/api/v2/spaces" {
					onePage(w, r)
				} else if n.Add(1) == 1 {
					hangUp(w)
				} else {
					reply(w, 200, pageSeven)
				}
			})
			err := tc.act(f.client(t))
			assert.Equal(t, tc.calls, n.Load())
			if !tc.fails {
				require.NoError(t, err)
				return
			}
			e := code(t, err, confluence.Unavailable, "net.unavailable")
			assert.Contains(t, e.Message, "whether the change was made is not known")
		})
	}
}

func TestTruncatedAnswerIsRetriedAndNeverHalfTaken(t *testing.T) {
	full := `{"results":[{"id":"1","title":"one"},{"id":"2","title":"two"}],"_links":{}}`
	for cut := range len(full) {
		var n atomic.Int64
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if n.Add(1) == 1 {
				w.Header().Set("Content-Length", "76")
				_, _ = io.WriteString(w, full[:cut]) // then the connection ends
				return
			}
			reply(w, 200, full)
		})
		l, err := f.client(t).Pages(ctx, confluence.PageFilter{}, confluence.Paging{})
		require.NoError(t, err, "cut at %d", cut)
		assert.Len(t, l.Items, 2)
		f.Close()
	}
}

// lossy applies a PUT and loses the answer.
func lossy(after string) http.HandlerFunc {
	var puts atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			puts.Add(1)
			hangUp(w)
		case r.URL.Path == "/wiki/api/v2/pages/7":
			reply(w, 200, after)
		default:
			onePage(w, r)
		}
	}
}

func TestLostAnswerOfASaveIsSettledByReading(t *testing.T) {
	page := func(version, title, body string) string {
		return `{"id":"7","status":"current","title":"` + title + `","spaceId":"1","version":{"number":` + version + `},"body":{"storage":{"value":"` + body + `"}}}`
	}
	update := confluence.PageUpdate{ID: "7", Title: "Seven", Body: "<p>new</p>", Version: 4}
	for name, tc := range map[string]struct {
		after string
		kind  confluence.Kind
	}{
		"it landed":               {page("4", "Seven", "<p>new</p>"), -1},
		"it did not":              {page("3", "Seven", "<p>old</p>"), confluence.Unavailable},
		"somebody else's landed":  {page("4", "Seven", "<p>theirs</p>"), confluence.Conflict},
		"another title is there":  {page("4", "Other", "<p>new</p>"), confluence.Conflict},
		"it landed, then another": {page("5", "Seven", "<p>new</p>"), confluence.Conflict},
		"the reading fails":       {`{`, confluence.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, lossy(tc.after))
			saved, err := f.client(t).UpdatePage(ctx, update)
			puts := 0
			for _, r := range f.requests() {
				if r.Method == http.MethodPut {
					puts++
				}
			}
			assert.Equal(t, 1, puts, "a versioned save is never repeated")
			if tc.kind < 0 {
				require.NoError(t, err)
				assert.Equal(t, 4, saved.Version.Number)
				return
			}
			assert.Equal(t, tc.kind, problem(t, err).Kind)
		})
	}
}

func TestSaveWithAnUnreadableAnswerIsSettledByReading(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>session expired</html>")
			return
		}
		onePage(w, r)
	})
	c := f.client(t)
	saved, err := c.UpdatePage(ctx, confluence.PageUpdate{ID: "7", Title: "Seven", Body: "<p>x</p>", Version: 3})
	require.NoError(t, err)
	assert.Equal(t, 3, saved.Version.Number)
	_, err = c.UpdatePage(ctx, confluence.PageUpdate{ID: "7", Title: "Seven", Body: "<p>y</p>", Version: 4})
	assert.Contains(t, code(t, err, confluence.Unavailable, "net.not_confluence").Message, "was not made")
}

func TestUploadIsRepeatedAfter429OnlyWhenItCanBeReadAgain(t *testing.T) {
	var bodies []string
	var n atomic.Int64
	handle := func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body) // what came
		bodies = append(bodies, string(raw))
		if n.Add(1)%2 == 1 {
			reply(w, 429, `{}`)
			return
		}
		reply(w, 200, `{"results":[{"id":"att1","title":"a.txt"}]}`)
	}
	f := newFake(t, handle)
	_, err := f.client(t).Upload(ctx, confluence.Upload{PageID: "7", FileName: "a.txt", Size: 5, Content: strings.NewReader("hello")})
	require.NoError(t, err)
	require.Len(t, bodies, 2)
	assert.Equal(t, bodies[0], bodies[1])
	assert.Contains(t, bodies[1], "hello")

	g := newFake(t, handle)
	_, err = g.client(t).Upload(ctx, confluence.Upload{PageID: "7", FileName: "a.txt", Size: 5, Content: io.MultiReader(strings.NewReader("hello"))})
	code(t, err, confluence.Limited, "limit.rate")
	assert.Len(t, g.requests(), 1)
}

func TestListingThatRepeatsItselfEnds(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, `{"results":[{"id":"1"}],"_links":{"next":"/wiki/api/v2/pages?cursor=same"}}`)
	})
	c := f.client(t)
	var last error
	for _, err := range rest.All(ctx, func(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Page], error) {
		return c.Pages(ctx, confluence.PageFilter{}, p)
	}) {
		last = err
	}
	code(t, last, confluence.Unavailable, "net.unavailable")
	assert.LessOrEqual(t, len(f.requests()), 3)
}

func TestShortOrEmptyPageIsNotTheEnd(t *testing.T) {
	pages := []string{
		`{"results":[{"content":{"id":"1"}}],"totalSize":900,"_links":{"next":"/rest/api/search?next=true&cursor=a"}}`,
		`{"results":[],"totalSize":900,"_links":{"next":"/rest/api/search?next=true&cursor=b"}}`,
		`{"results":[{"content":{"id":"2"}}],"totalSize":900,"_links":{}}`,
	}
	var n atomic.Int64
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, pages[n.Add(1)-1]) })
	c := f.client(t)
	var got []string
	for hit, err := range rest.All(ctx, func(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Hit], error) {
		return c.Search(ctx, confluence.Search{CQL: "type = page", Excerpts: true, Archived: true, Paging: p})
	}) {
		require.NoError(t, err)
		got = append(got, hit.ID)
	}
	assert.Equal(t, []string{"1", "2"}, got)
	for i, r := range f.requests() {
		q := r.URL.Query()
		assert.Equal(t, "highlight", q.Get("excerpt"), "the next link drops it: request %d", i)
		assert.Equal(t, "true", q.Get("includeArchivedSpaces"))
		assert.Equal(t, "type = page", q.Get("cql"))
		assert.Equal(t, "100", q.Get("limit"))
	}
}
