package emulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/wire"
)

const (
	cloudA = "11111111-1111-4111-8111-111111111111"
	cloudB = "22222222-2222-4222-8222-222222222222"
)

func siteText(name, cloudID string, anonymous bool, more ...string) string {
	return fmt.Sprintf(`{"kind":"site","name":%q,"cloud_id":%q,"anonymous":%t}`, name, cloudID, anonymous) + `
{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff"],"token":"ann-token"}
{"kind":"user","id":"u-eve","username":"eve","name":"Eve","email":"eve@acme.test","active":false,"token":"eve-token"}
` + strings.Join(more, "\n")
}

// testRoutes echo who called; they stand for both generations.
func testRoutes() []wire.Route {
	echo := func(w http.ResponseWriter, r *http.Request, c wire.Call) {
		wire.JSON(w, http.StatusOK, map[string]string{"user": c.User, "base": c.Base, "id": r.PathValue("id"), "site": c.Site.Name()})
	}
	return []wire.Route{
		{Method: "GET", Pattern: "/wiki/api/v2/pages/{id}", Scopes: [][]string{{"read:page:confluence"}}, Handle: echo},
		{Method: "GET", Pattern: "/wiki/rest/api/search", Scopes: [][]string{{"search:confluence"}, {"read:a", "read:b"}}, Handle: echo},
		{Method: "GET", Pattern: "/wiki/rest/api/closed", Handle: echo},
		{Method: "GET", Pattern: "/wiki/rest/api/content/{id}", Scopes: [][]string{{"read:page:confluence"}}, Gone: true, Handle: echo},
	}
}

func serve(t *testing.T, sites ...string) *emulator.Emulator {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	cfg := emulator.Config{Now: func() time.Time { return now }}
	if len(sites) == 0 {
		sites = []string{siteText("Acme", cloudA, false)}
	}
	for i, text := range sites {
		cfg.Sites = append(cfg.Sites, emulator.Source{Name: fmt.Sprint("site ", i), Lines: strings.NewReader(text)})
	}
	e, err := emulator.Build(cfg, testRoutes())
	require.NoError(t, err)
	require.NoError(t, e.Listen("127.0.0.1:0"))
	t.Cleanup(func() { assert.NoError(t, e.Close(context.Background())) })
	return e
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) field(name string) any {
	var m map[string]any
	if json.Unmarshal([]byte(r.body), &m) != nil {
		return nil
	}
	return m[name]
}

func ask(t *testing.T, method, url string, auth func(*http.Request)) reply {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	if auth != nil {
		auth(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{res.StatusCode, res.Header, string(body)}
}

func basic(login, token string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(login, token) }
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestCredentialsOnTheSite(t *testing.T) {
	e := serve(t)
	require.NoError(t, e.Apply(0, `{"kind":"token","user":"u-ann","token":"ann-scoped","scopes":["read:page:confluence"]}`))
	const v2, v1 = "/api/v2/pages/7", "/rest/api/search"
	cases := []struct {
		name   string
		path   string
		auth   func(*http.Request)
		status int
		html   bool
	}{
		{"token by e-mail", v2, basic("ann@acme.test", "ann-token"), 200, false},
		{"v2 without credentials", v2, nil, 404, false},
		{"v1 without credentials", v1, nil, 403, false},
		{"v2 wrong token", v2, basic("ann@acme.test", "nope"), 404, false},
		{"v1 wrong token", v1, basic("ann@acme.test", "nope"), 403, false},
		{"another person's token", v2, basic("eve@acme.test", "ann-token"), 404, false},
		{"deactivated user", v2, basic("eve@acme.test", "eve-token"), 404, false},
		{"a user name is no login", v2, basic("ann", "ann-token"), 404, false},
		{"empty login", v2, basic("", "ann-token"), 404, false},
		{"bearer", v2, bearer("ann-token"), 401, true},
		{"scoped token", v2, basic("ann@acme.test", "ann-scoped"), 401, true},
		{"unknown path", "/api/v2/nothing", basic("ann@acme.test", "ann-token"), 404, true},
		{"wrong method is an unknown path", "/api/v2/pages", basic("ann@acme.test", "ann-token"), 404, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, "GET", e.Addresses()[0].URL+c.path, c.auth)
			assert.Equal(t, c.status, got.status, got.body)
			assert.Equal(t, c.html, strings.HasPrefix(got.header.Get("Content-Type"), "text/html"))
		})
	}
}

func TestBadCredentialsLookLikeAMissOnV2(t *testing.T) {
	e := serve(t)
	got := ask(t, "GET", e.Addresses()[0].URL+"/api/v2/pages/7", nil)
	assert.JSONEq(t, `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}`, got.body)
	got = ask(t, "GET", e.Addresses()[0].URL+"/rest/api/search", nil)
	assert.Contains(t, got.field("message"), "Current user not permitted to use Confluence")
}

func TestAnonymousSiteTakesRequestsWithoutCredentials(t *testing.T) {
	e := serve(t, siteText("Open", cloudA, true))
	got := ask(t, "GET", e.Addresses()[0].URL+"/api/v2/pages/7", nil)
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "", got.field("user"))
	assert.Equal(t, "7", got.field("id"))
}

func TestGatewayPrefixCredentialsAndScopes(t *testing.T) {
	e := serve(t)
	require.NoError(t, e.Apply(0, `{"kind":"token","user":"u-ann","token":"pages","scopes":["read:page:confluence"]}
{"kind":"token","user":"u-ann","token":"half","scopes":["read:a"]}
{"kind":"token","user":"u-ann","token":"both","scopes":["read:a","read:b"]}`))
	gateway := e.Gateway() + "/ex/confluence/" + cloudA
	cases := []struct {
		name   string
		url    string
		auth   func(*http.Request)
		status int
		says   string
	}{
		{"unscoped token", gateway + "/wiki/api/v2/pages/7", basic("ann@acme.test", "ann-token"), 200, ""},
		{"unscoped token needs no scope", gateway + "/wiki/rest/api/closed", basic("ann@acme.test", "ann-token"), 200, ""},
		{"scope held", gateway + "/wiki/api/v2/pages/7", basic("ann@acme.test", "pages"), 200, ""},
		{"scope missing", gateway + "/wiki/rest/api/search", basic("ann@acme.test", "pages"), 401, "Unauthorized; scope does not match"},
		{"half of an alternative", gateway + "/wiki/rest/api/search", basic("ann@acme.test", "half"), 401, "Unauthorized; scope does not match"},
		{"the other alternative", gateway + "/wiki/rest/api/search", basic("ann@acme.test", "both"), 200, ""},
		{"no scope opens it", gateway + "/wiki/rest/api/closed", basic("ann@acme.test", "both"), 401, "Unauthorized; scope does not match"},
		{"gate before routing", gateway + "/wiki/api/v2/nothing", basic("ann@acme.test", "both"), 401, "Unauthorized; scope does not match"},
		{"someone else's scoped token", gateway + "/wiki/api/v2/pages/7", basic("eve@acme.test", "pages"), 401, "Unauthorized"},
		{"no credentials", gateway + "/wiki/api/v2/pages/7", nil, 401, "Unauthorized"},
		{"bad bearer", gateway + "/wiki/api/v2/pages/7", bearer("x"), 401, "Unauthorized"},
		{"unknown site", e.Gateway() + "/ex/confluence/" + cloudB + "/wiki/api/v2/pages/7", basic("ann@acme.test", "ann-token"), 404, "Not Found"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, "GET", c.url, c.auth)
			assert.Equal(t, c.status, got.status, got.body)
			if c.says != "" {
				assert.Equal(t, c.says, got.field("message"))
				assert.EqualValues(t, c.status, got.field("code"))
			}
		})
	}
}

func TestBaseIsTheSiteEvenThroughTheGateway(t *testing.T) {
	e := serve(t, siteText("A", cloudA, false), siteText("B", cloudB, false))
	got := ask(t, "GET", e.Gateway()+"/ex/confluence/"+cloudB+"/wiki/api/v2/pages/7", basic("ann@acme.test", "ann-token"))
	assert.Equal(t, e.Addresses()[1].URL, got.field("base"))
	assert.Equal(t, "B", got.field("site"))
}

func TestTenantInfoNeedsNoCredentials(t *testing.T) {
	e := serve(t, siteText("A", cloudA, false), siteText("B", cloudB, false))
	for i, id := range []string{cloudA, cloudB} {
		origin := strings.TrimSuffix(e.Addresses()[i].URL, "/wiki")
		assert.Equal(t, id, ask(t, "GET", origin+"/_edge/tenant_info", nil).field("cloudId"))
	}
}

func TestLegacyOperationsWarnAndCanBeSwitchedOff(t *testing.T) {
	e := serve(t)
	url, ann := e.Addresses()[0].URL+"/rest/api/content/7", basic("ann@acme.test", "ann-token")
	got := ask(t, "GET", url, ann)
	assert.Equal(t, 200, got.status)
	assert.NotEmpty(t, got.header.Get("Deprecation"))
	assert.Contains(t, got.header.Get("Warning"), "299 - ")
	for _, status := range []int{404, 410} {
		require.NoError(t, e.Apply(0, fmt.Sprintf(`{"kind":"legacy_v1","status":%d}`, status)))
		assert.Equal(t, status, ask(t, "GET", url, ann).status)
	}
	require.NoError(t, e.Apply(0, `{"kind":"legacy_v1","status":0}`))
	assert.Equal(t, 200, ask(t, "GET", url, ann).status)
}

func TestSitesAndConfigsThatAreRefused(t *testing.T) {
	now := time.Now
	text := func(s string) []emulator.Source {
		return []emulator.Source{{Name: "x.jsonl", Lines: strings.NewReader(s)}}
	}
	cases := []struct {
		name string
		cfg  emulator.Config
		says string
	}{
		{"no clock", emulator.Config{Sites: text("")}, "Now"},
		{"no site", emulator.Config{Now: now}, "Sites"},
		{"broken line", emulator.Config{Now: now, Sites: text(`{"kind":"site"` + "\n")}, "x.jsonl"},
		{"unknown field", emulator.Config{Now: now, Sites: text(`{"kind":"site","nam":"x"}` + "\n")}, "nam"},
		{"same cloud id twice", emulator.Config{Now: now, Sites: append(text(siteText("A", cloudA, false)), text(siteText("B", cloudA, false))...)}, cloudA},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := emulator.Build(c.cfg, testRoutes())
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	e, err := emulator.Build(emulator.Config{Now: time.Now, Sites: []emulator.Source{{Name: "a", Lines: strings.NewReader(siteText("A", cloudA, false))}}}, nil)
	require.NoError(t, err)
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:80", "example.test:80", "127.0.0.1"} {
		assert.Error(t, e.Listen(addr), addr)
	}
	require.NoError(t, e.Listen(":0"))
	assert.True(t, strings.HasPrefix(e.Gateway(), "http://127.0.0.1:"), "no host is this host")
	require.NoError(t, e.Close(context.Background()))
}

func TestHandlerServesWithoutListener(t *testing.T) {
	e, err := emulator.Build(emulator.Config{Now: time.Now, Sites: []emulator.Source{{Name: "a", Lines: strings.NewReader(siteText("A", cloudA, true))}}}, testRoutes())
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	req, err := http.NewRequest("GET", "/wiki/api/v2/pages/7", nil)
	require.NoError(t, err)
	req.Host = "wiki.test"
	e.Handler().ServeHTTP(rec, req)
	assert.Equal(t, 200, rec.Code)
	assert.Contains(t, rec.Body.String(), `"base":"http://wiki.test/wiki"`)
}

// TestASlowBodyKeepsNobodyWaiting begins writes whose bodies never end and
// reads on.
func TestASlowBodyKeepsNobodyWaiting(t *testing.T) {
	e, err := emulator.New(emulator.Config{Now: time.Now, Sites: []emulator.Source{{Lines: strings.NewReader(hiddenSite)}}})
	require.NoError(t, err)
	handler := e.Handler()
	for _, path := range []string{"/wiki/api/v2/pages", "/wiki/rest/api/content"} {
		body, writer := io.Pipe()
		begun := make(chan struct{})
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			req := httptest.NewRequest("POST", path, body)
			req.SetBasicAuth("in@x.test", "in-token")
			handler.ServeHTTP(httptest.NewRecorder(), req)
		}()
		go func() {
			_, _ = writer.Write([]byte(`{"spaceId":`)) // taken when the handler reads
			close(begun)
		}()
		<-begun
		answered := make(chan int, 1)
		go func() {
			rec := httptest.NewRecorder()
			req := httptest.NewRequest("GET", "/wiki/api/v2/pages/10", nil)
			req.SetBasicAuth("in@x.test", "in-token")
			handler.ServeHTTP(rec, req)
			answered <- rec.Code
		}()
		select {
		case status := <-answered:
			assert.Equal(t, 200, status)
		case <-time.After(10 * time.Second):
			t.Errorf("a stalled POST %s holds up the site", path)
		}
		require.NoError(t, writer.Close())
		<-finished
	}
}
