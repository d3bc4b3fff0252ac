package rest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

const (
	fakeUser  = "bot@acme.test"
	fakeToken = "ATATT-canary-3f7c1"
)

// fake is a scripted Confluence: it keeps what was asked and answers with what
// the test's handler says.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
	slept []time.Duration
}

func newFake(t *testing.T, handle http.HandlerFunc) *fake {
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Clone(context.Background()))
		f.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.asked...)
}

func (f *fake) waits() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Duration(nil), f.slept...)
}

// config connects to the fake and never really sleeps.
func (f *fake) config() rest.Config {
	return rest.Config{
		Name: "fake", BaseURL: f.URL, Auth: rest.Basic, Username: fakeUser, Token: seal.NewSecret(fakeToken),
		Sleep: func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.slept = append(f.slept, d)
			return ctx.Err()
		},
	}
}

func (f *fake) client(t *testing.T) *rest.Client { return newClient(t, f.config()) }

func newClient(t *testing.T, cfg rest.Config) *rest.Client {
	c, err := rest.New(cfg)
	require.NoError(t, err)
	return c
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, body) // the client under test may be gone
}

// onePage answers like a site with page 7 in space 1 (key ENG).
func onePage(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/wiki/api/v2/pages/7":
		reply(w, 200, pageSeven)
	case "/wiki/api/v2/spaces":
		reply(w, 200, `{"results":[{"id":"1","key":"ENG","homepageId":"2"}],"_links":{}}`)
	default:
		reply(w, 404, `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Cannot find it","detail":null}]}`)
	}
}

const pageSeven = `{"id":"7","status":"current","title":"Seven","spaceId":"1","parentId":"2","parentType":"page",
	"authorId":"u","createdAt":"2026-01-02T03:04:05.678Z","version":{"number":"3","createdAt":"2026-02-03T04:05:06.000Z","message":null,"authorId":"u"},
	"body":{"storage":{"representation":"storage","value":"<p>x</p>"}},"_links":{"webui":"/spaces/ENG/pages/7/Seven"}}`

// problem asserts that err is the one error type and gives it.
func problem(t require.TestingT, err error) *confluence.Error {
	require.Error(t, err)
	var e *confluence.Error
	require.True(t, errors.As(err, &e), "%T %v", err, err)
	return e
}

// code asserts kind and code, and that the error can teach.
func code(t require.TestingT, err error, kind confluence.Kind, stable string) *confluence.Error {
	e := problem(t, err)
	require.Equal(t, kind, e.Kind, "%v (%v)", e, e.Err)
	require.Equal(t, stable, e.StableCode(), "%v", e)
	require.NotEmpty(t, e.Message)
	require.NotEmpty(t, e.Next)
	require.NotContains(t, fmt.Sprintf("%v %+v %v", e, *e, e.Err), fakeToken)
	return e
}

func basicHeader() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(fakeUser+":"+fakeToken))
}
