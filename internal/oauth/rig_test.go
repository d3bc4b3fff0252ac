package oauth_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

const (
	redirect = "http://127.0.0.1:8642/oauth/callback"
	cloudA   = "11111111-1111-4111-8111-111111111111"
	cloudB   = "22222222-2222-4222-8222-222222222222"
	cloudC   = "33333333-3333-4333-8333-333333333333"
)

// clock is one clock for the product and the emulator.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is the product's OAuth over a real database, and three emulated sites.
type rig struct {
	t      *testing.T
	e      *emulator.Emulator
	clock  *clock
	dir    string
	store  *store.Precious
	ring   *seal.Ring
	grants *oauth.Grants
	logs   *planted.Log
}

func siteText(name, id string) string {
	return fmt.Sprintf(`{"kind":"site","name":%q,"cloud_id":%q}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann Arbor","email":"ann@acme.test","groups":["staff"],"token":"ann-token"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob Bright","email":"bob@acme.test","groups":["staff"],"token":"bob-token"}
{"kind":"space","id":"1","key":"ENG","grants":[{"to":"group:staff","op":"read"}]}
{"kind":"content","id":"7","type":"page","space":"ENG","title":"Home","storage":"<p>x</p>","author":"u-ann"}
`, name, id)
}

func startSites(t *testing.T, now func() time.Time) *emulator.Emulator {
	t.Helper()
	var sources []emulator.Source
	for name, id := range map[string]string{"A": cloudA, "B": cloudB, "C": cloudC} {
		sources = append(sources, emulator.Source{Name: name, Lines: strings.NewReader(siteText("Site "+name, id))})
	}
	e, err := emulator.New(emulator.Config{Sites: sources, Now: now})
	require.NoError(t, err)
	require.NoError(t, e.Listen("127.0.0.1:0"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		assert.NoError(t, e.Close(ctx))
	})
	return e
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r := &rig{t: t, clock: c, e: startSites(t, c.now), dir: t.TempDir(), logs: &planted.Log{}}
	r.open()
	t.Cleanup(func() { r.leaksNothing(r.logs.String()) })
	return r
}

// open begins anew over the same folder, as after a restart.
func (r *rig) open() {
	r.t.Helper()
	var err error
	r.store, err = store.OpenPrecious(r.t.Context(), r.dir, r.clock.now)
	require.NoError(r.t, err)
	opened := r.store
	r.t.Cleanup(func() { assert.NoError(r.t, opened.Close()) })
	provider, err := seal.Choice{File: filepath.Join(r.dir, "seal.key")}.Open()
	require.NoError(r.t, err)
	r.ring, err = seal.OpenRing(r.t.Context(), provider, r.store)
	require.NoError(r.t, err)
	r.grants = r.with(func(*oauth.Config) {})
}

func (r *rig) app() oauth.App {
	return oauth.App{ClientID: "emulator-client", ClientSecret: seal.NewSecret("emulator-secret"), RedirectURL: redirect, AuthURL: r.e.Gateway(), APIURL: r.e.Gateway()}
}

// with makes Grants over the same folder with a changed configuration.
func (r *rig) with(change func(*oauth.Config)) *oauth.Grants {
	r.t.Helper()
	cfg := oauth.Config{App: r.app(), Ring: r.ring, Vault: r.store, Now: r.clock.now, Logger: slog.New(slog.NewTextHandler(io.MultiWriter(r.logs, planted.Writer("log of oauth")), nil)),
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	change(&cfg)
	g, err := oauth.New(cfg)
	require.NoError(r.t, err)
	return g
}

func (r *rig) leaksNothing(text string) {
	r.t.Helper()
	for _, secret := range []string{"emu-at-", "emu-rt-", "emu-code-", "emulator-secret", "state=", "code=", "code_verifier"} {
		assert.NotContains(r.t, text, secret)
	}
}

// asked is how many requests went to a path of Atlassian's since a mark.
func (r *rig) asked(since int, path string) int {
	n := 0
	for _, q := range r.e.Requests(since) {
		if strings.HasPrefix(q.Path, path) {
			n++
		}
	}
	return n
}

// mark is the present end of the emulator's journal.
func (r *rig) mark() int {
	all := r.e.Requests(0)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].N
}

// beginning is a service grant for integration 1 with all that reads need.
func beginning() oauth.Begin {
	return oauth.Begin{Integration: 1, Role: oauth.Service, Starter: "test", Needs: []oauth.Need{{Group: "pages", Action: "read"}, {Group: "users", Action: "read"}}}
}

// consent plays the person: it opens the consent page as user and gives where
// Atlassian sends the browser. more are pairs of what is done on the page.
func (r *rig) consent(c oauth.Consent, user string, more ...string) *url.URL {
	r.t.Helper()
	address := c.URL + "&emulator_user=" + user
	for i := 0; i+1 < len(more); i += 2 {
		address += "&" + more[i] + "=" + url.QueryEscape(more[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(address)
	require.NoError(r.t, err)
	require.NoError(r.t, res.Body.Close())
	require.Equal(r.t, http.StatusFound, res.StatusCode)
	u, err := res.Location()
	require.NoError(r.t, err)
	return u
}

// callback sends a browser to the callback address.
func (r *rig) callback(g *oauth.Grants, to string, cookie string) (o oauth.Outcome, err error, page string) {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodGet, to, nil)
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: oauth.BrowserCookie, Value: cookie})
	}
	w := httptest.NewRecorder()
	g.CallbackHandler(func(got oauth.Outcome, e error) { o, err = got, e }).ServeHTTP(w, req)
	r.leaksNothing(w.Body.String())
	if err != nil {
		r.leaksNothing(err.Error())
	}
	assert.Contains(r.t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	return o, err, w.Body.String()
}

// connect goes all the way and gives the grant.
func (r *rig) connect(b oauth.Begin, user string, more ...string) oauth.Outcome {
	r.t.Helper()
	c, err := r.grants.Begin(b)
	require.NoError(r.t, err)
	o, err, _ := r.callback(r.grants, r.consent(c, user, more...).String(), b.Browser)
	require.NoError(r.t, err)
	return o
}

// connected is a service grant of ann for site B.
func (r *rig) connected() (*oauth.Source, oauth.Grant) {
	r.t.Helper()
	o := r.connect(beginning(), "u-ann", "emulator_site", cloudB)
	require.Equal(r.t, oauth.Connected, o.Grant.State)
	s, err := r.grants.Service(r.t.Context(), 1)
	require.NoError(r.t, err)
	return s, o.Grant
}

// works reports whether a token opens page 7 of a site.
func (r *rig) works(token seal.Secret, cloudID string) bool {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.e.Gateway()+"/ex/confluence/"+cloudID+"/wiki/api/v2/pages/7", nil)
	require.NoError(r.t, err)
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	res, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	require.NoError(r.t, res.Body.Close())
	return res.StatusCode == http.StatusOK
}

func (r *rig) apply(line string) {
	r.t.Helper()
	require.NoError(r.t, r.e.Apply(0, line))
}

// requireCode asserts kind and code of a refusal, and that it says what to do.
func requireCode(t *testing.T, err error, kind confluence.Kind, code string) {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.StableCode(), err)
	require.Equal(t, kind, e.Kind, err)
	require.NotEmpty(t, e.Next)
}

// noGrants asserts that nothing is stored.
func (r *rig) noGrants() {
	r.t.Helper()
	all, err := r.grants.List(r.t.Context(), 0)
	require.NoError(r.t, err)
	assert.Empty(r.t, all)
}
