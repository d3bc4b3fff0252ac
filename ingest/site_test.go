package ingest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

var _ ingest.Source = (*rest.Client)(nil)

// box is an emulated site, a mirror and a sync between them.
type box struct {
	*mirror.Mirror
	site
	URL   string
	t     testing.TB
	sync  *ingest.Sync
	dir   string
	clock *clock
}

// site is an emulator: one that validates every exchange, or a large one.
type site interface {
	Apply(lines ...string)
	Get(user, path string) *http.Response
	Requests(since int) []emulator.Request
	Email(user string) string
	Token(user string) string
}

// large is an emulator that checks nothing and costs little.
type large struct {
	*emulator.Emulator
	t   testing.TB
	url string
}

// startLarge serves the lines of a site file.
func startLarge(t testing.TB, lines string) *large {
	t.Helper()
	begin := time.Now()
	e, err := emulator.New(emulator.Config{Sites: []emulator.Source{{Name: "site", Lines: strings.NewReader(lines)}},
		Now: func() time.Time { return emulatortest.Epoch().Add(time.Since(begin)) }})
	require.NoError(t, err)
	require.NoError(t, e.Listen("127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, e.Close(context.WithoutCancel(t.Context()))) })
	return &large{e, t, e.Addresses()[0].URL}
}

func (l *large) Apply(lines ...string) {
	l.t.Helper()
	require.NoError(l.t, l.Emulator.Apply(0, strings.Join(lines, "\n")))
}

func (l *large) Get(user, path string) *http.Response {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, strings.TrimSuffix(l.url, "/wiki")+path, nil)
	require.NoError(l.t, err)
	req.SetBasicAuth(l.Email(user), l.Token(user))
	res, err := http.DefaultClient.Do(req)
	require.NoError(l.t, err)
	return res
}

func (l *large) Email(user string) string { return strings.TrimPrefix(user, "u-") + "@acme.test" }
func (l *large) Token(user string) string { return strings.TrimPrefix(user, "u-") + "-token" }

// clock is real time plus what a test adds.
type clock struct {
	mu    sync.Mutex
	added time.Duration
	begin time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return emulatortest.Epoch().Add(time.Since(c.begin) + c.added)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

type option func(*ingest.Config, *rest.Config)

func newBox(t testing.TB, sites []string, options ...option) *box {
	t.Helper()
	e := emulatortest.Start(t, sites...)
	return boxOf(t, e, e.URL, options...)
}

func boxOf(t testing.TB, e site, url string, options ...option) *box {
	t.Helper()
	b := &box{t: t, site: e, URL: url, dir: t.TempDir(), clock: &clock{begin: time.Now()}}
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: b.dir, Now: b.clock.now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	b.Mirror = m
	b.sync = b.newSync(options...)
	return b
}

func (b *box) newSync(options ...option) *ingest.Sync {
	rc := rest.Config{Name: "acme", BaseURL: b.URL, Auth: rest.Basic, Username: b.Email("u-bot"), Token: seal.NewSecret(b.Token("u-bot")),
		RateBudget: time.Second, Now: b.clock.now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	cfg := ingest.Config{
		Integration: guard.Integration{ID: 1, Name: "acme", Mode: guard.Synced}, BlogPosts: true, BaseURL: b.URL,
		Mirror: connections.Filling{Writer: b.Writer()}, Now: b.clock.now, Logger: slog.New(slog.NewTextHandler(logs(), nil)),
	}
	for _, o := range options {
		o(&cfg, &rc)
	}
	if cfg.Source == nil {
		client, err := rest.New(rc)
		require.NoError(b.t, err)
		cfg.Source = client
	}
	s, err := ingest.New(cfg)
	require.NoError(b.t, err)
	return s
}

// logs go nowhere unless somebody wants to see them.
func logs() io.Writer {
	if os.Getenv("SYNC_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}

func (b *box) pass(full bool) ingest.Report {
	b.t.Helper()
	r, err := b.sync.Now(b.t.Context(), full, nil)
	require.NoError(b.t, err)
	require.True(b.t, r.Complete, "%+v", r)
	return r
}

func who(id string) identity.Caller {
	return identity.Caller{Kind: identity.User, Integration: "acme", AccountID: id, Transport: identity.CLI}
}

func public() identity.Caller { return identity.Public("a", "p", identity.HTTP) }

// seen lists what a caller may see, by id.
func (b *box) seen(c identity.Caller) []string {
	b.t.Helper()
	out := []string{}
	p := confluence.Paging{Limit: 100}
	for {
		l, err := b.Mirror.Pages(b.t.Context(), c, mirror.Filter{}, p)
		require.NoError(b.t, err)
		for _, page := range l.Items {
			out = append(out, page.ID)
		}
		if l.Next == "" {
			return out
		}
		p.Cursor = l.Next
	}
}

func (b *box) sees(id, page string) bool {
	_, err := b.Mirror.Page(b.t.Context(), who(id), mirror.Ref{ID: page})
	if confluence.KindOf(err) != confluence.NotFound {
		require.NoError(b.t, err)
	}
	return err == nil
}

func line(format string, args ...any) string { return fmt.Sprintf(format, args...) }
