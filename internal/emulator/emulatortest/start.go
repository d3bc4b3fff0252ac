package emulatortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"confluence-mcp/internal/emulator"
)

// Emulator is a running emulator that belongs to a test.
type Emulator struct {
	URL     string // base URL of the first site, with /wiki
	Gateway string // origin of the gateway and the OAuth endpoints
	Media   string // origin of the media host
	CloudID string // of the first site
	Sites   []emulator.Address

	t           testing.TB
	emulator    *emulator.Emulator
	users       map[string]user
	validates   bool
	unspecified atomic.Int64
}

type user struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Email string `json:"email"`
	Token string `json:"token"`
}

// Epoch is when the clock of every test emulator starts; it runs from there.
func Epoch() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

// Start serves site files, given as their text, until the test ends; without
// any it serves [SmallSite]. Every exchange is validated.
func Start(t testing.TB, sites ...string) *Emulator {
	t.Helper()
	if len(sites) == 0 {
		sites = []string{SmallSite}
	}
	e := &Emulator{t: t, users: map[string]user{}}
	begin := time.Now()
	cfg := emulator.Config{Now: func() time.Time { return Epoch().Add(time.Since(begin)) }, Observe: e.observer(t)}
	for i, text := range sites {
		cfg.Sites = append(cfg.Sites, emulator.Source{Name: fmt.Sprintf("site %d", i), Lines: strings.NewReader(text)})
		e.learnUsers(text)
	}
	var err error
	if e.emulator, err = emulator.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := e.emulator.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	e.Sites = e.emulator.Addresses()
	e.URL, e.CloudID = e.Sites[0].URL, e.Sites[0].CloudID
	e.Gateway, e.Media = e.emulator.Gateway(), e.emulator.Media()
	return e
}

// stop waits for open requests, so that none is judged after the test.
func (e *Emulator) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.emulator.Close(ctx); err != nil {
		e.t.Errorf("stopping the emulator: %v", err)
	}
}

// observer is the check of every exchange, or nil where there is nothing to
// check against.
func (e *Emulator) observer(t testing.TB) func(emulator.Exchange) {
	spec, err := documents()
	if errors.Is(err, errAbsent) {
		t.Logf("EXCHANGES ARE NOT VALIDATED: %v", err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	e.validates = true
	return func(ex emulator.Exchange) {
		err := spec.check(ex)
		if errors.Is(err, errUnspecified) {
			e.unspecified.Add(1)
		} else if err != nil {
			t.Errorf("%s %s: %v", ex.Method, ex.URL, err)
		}
	}
}

func (e *Emulator) learnUsers(lines string) {
	for line := range strings.Lines(lines) {
		var u user
		if strings.Contains(line, `"user"`) && json.Unmarshal([]byte(line), &u) == nil && u.Kind == "user" {
			e.users[u.ID] = u
		}
	}
}

// Token is the API token of a user of the site files.
func (e *Emulator) Token(id string) string { return e.user(id).Token }

// Email is the address that goes with a user's token.
func (e *Emulator) Email(id string) string { return e.user(id).Email }

func (e *Emulator) user(id string) user {
	e.t.Helper()
	u, ok := e.users[id]
	if !ok {
		e.t.Fatalf("no site file has the user %s", id)
	}
	return u
}

// Apply changes the first site by lines as POST /__emulator/apply takes them.
func (e *Emulator) Apply(lines ...string) {
	e.t.Helper()
	e.ApplyTo(0, lines...)
}

// ApplyTo changes site number i.
func (e *Emulator) ApplyTo(i int, lines ...string) {
	e.t.Helper()
	text := strings.Join(lines, "\n")
	e.learnUsers(text)
	if err := e.emulator.Apply(i, text); err != nil {
		e.t.Fatalf("applying to site %d: %v", i, err)
	}
}

// Requests is the journal after entry number since; 0 is all of it.
func (e *Emulator) Requests(since int) []emulator.Request { return e.emulator.Requests(since) }

// Validates tells whether exchanges are checked; they are not where the
// documents are absent.
func (e *Emulator) Validates() bool { return e.validates }

// Unspecified counts the exchanges so far with operations that are in no
// document.
func (e *Emulator) Unspecified() int { return int(e.unspecified.Load()) }

// Grant consents as a user and answers with a token pair for the scopes, as
// an OAuth client would get it. refresh is empty without offline_access.
func (e *Emulator) Grant(id string, scopes ...string) (access, refresh string) {
	e.t.Helper()
	pair, err := grant(e.Gateway, id, scopes)
	if err != nil {
		e.t.Fatalf("consenting as %s: %v", id, err)
	}
	return pair.Access, pair.Refresh
}

// Get asks path (from /wiki on) of the first site as a user; an empty id asks
// without credentials.
func (e *Emulator) Get(id, path string) *http.Response {
	e.t.Helper()
	return e.Do(id, http.MethodGet, path, "")
}

// Do sends a JSON body (empty is none) to the first site as a user. The body
// of the answer is closed when the test ends.
func (e *Emulator) Do(id, method, path, body string) *http.Response {
	e.t.Helper()
	req, err := http.NewRequest(method, strings.TrimSuffix(e.URL, "/wiki")+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	if id != "" {
		req.SetBasicAuth(e.Email(id), e.Token(id))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(req) // no redirects: they are part of the answer
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}
