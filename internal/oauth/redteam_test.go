package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
)

// changed gives an address with one parameter set, or taken away when empty.
func changed(u *url.URL, name string, values ...string) string {
	q := u.Query()
	q.Del(name)
	for _, v := range values {
		q.Add(name, v)
	}
	c := *u
	c.RawQuery = q.Encode()
	return c.String()
}

func TestM01_CallbackWithABadState(t *testing.T) {
	r := newRig(t)
	c, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	good := r.consent(c, "u-ann", "emulator_site", cloudB)
	state := good.Query().Get("state")
	other := r.with(func(*oauth.Config) {}) // another server that knows the same app
	foreign, err := other.Begin(beginning())
	require.NoError(t, err)
	theirs := r.consent(foreign, "u-ann").Query().Get("state")
	mark := r.mark()
	for name, to := range map[string]string{
		"none":     changed(good, "state"),
		"empty":    changed(good, "state", ""),
		"invented": changed(good, "state", strings.Repeat("A", 43)),
		"flipped":  changed(good, "state", "x"+state[1:]),
		"cut":      changed(good, "state", state[:42]),
		"foreign":  changed(good, "state", theirs),
		"twice":    changed(good, "state", state, state),
		"codes":    changed(good, "code", "a", "b"),
		"no code":  changed(good, "state", theirs) + "&code=",
	} {
		t.Run(name, func(t *testing.T) {
			_, err, _ := r.callback(r.grants, to, "")
			requireCode(t, err, confluence.Denied, "auth.state")
		})
	}
	assert.Equal(t, mark, r.mark(), "nothing went to Atlassian")
	r.noGrants()

	_, err, _ = r.callback(r.grants, good.String(), "")
	require.NoError(t, err)
	mark = r.mark()
	_, err, _ = r.callback(r.grants, good.String(), "")
	requireCode(t, err, confluence.Denied, "auth.state")
	assert.Equal(t, mark, r.mark(), "used up")

	c, err = r.grants.Begin(beginning())
	require.NoError(t, err)
	late := r.consent(c, "u-ann", "emulator_site", cloudB)
	r.clock.advance(10 * time.Minute)
	mark = r.mark()
	_, err, _ = r.callback(r.grants, late.String(), "")
	requireCode(t, err, confluence.Denied, "auth.state")
	assert.Equal(t, mark, r.mark(), "expired")
}

func TestM02_CodeOfAnotherBrowser(t *testing.T) {
	r := newRig(t)
	for name, theirs := range map[string]string{"none": "", "another": "cookie-of-the-attacker"} {
		t.Run(name, func(t *testing.T) {
			b := beginning()
			b.Browser = "cookie-of-the-admin"
			c, err := r.grants.Begin(b)
			require.NoError(t, err)
			to := r.consent(c, "u-bob", "emulator_site", cloudB).String()
			mark := r.mark()
			_, err, _ = r.callback(r.grants, to, theirs)
			requireCode(t, err, confluence.Denied, "auth.state")
			_, err, _ = r.callback(r.grants, to, "cookie-of-the-admin")
			requireCode(t, err, confluence.Denied, "auth.state")
			assert.Equal(t, mark, r.mark())
			r.noGrants()
		})
	}
	b := beginning()
	b.Browser = "cookie-of-the-admin"
	r.connect(b, "u-ann", "emulator_site", cloudB)
}

// fake is an Atlassian of the test's own, for what the emulator does not do.
type fake struct {
	*httptest.Server
	token    func(w http.ResponseWriter, in map[string]string)
	sites    string
	requests []string
}

func startFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{sites: `[{"id":"` + cloudB + `","name":"B","url":"http://127.0.0.1:1","scopes":["read:page:confluence"]}]`}
	f.token = func(w http.ResponseWriter, _ map[string]string) {
		_, _ = w.Write([]byte(`{"access_token":"emu-at-1","refresh_token":"emu-rt-1","expires_in":3600,"scope":"read:page:confluence","token_type":"Bearer"}`))
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		f.requests = append(f.requests, q.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case q.URL.Path == "/oauth/token":
			var in map[string]string
			_ = json.NewDecoder(q.Body).Decode(&in)
			f.token(w, in)
		case strings.HasSuffix(q.URL.Path, "accessible-resources"):
			_, _ = w.Write([]byte(f.sites))
		case strings.HasSuffix(q.URL.Path, "/user/current"):
			_, _ = w.Write([]byte(`{"accountId":"u-ann","displayName":"Ann\u202eArbor\n"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (r *rig) against(f *fake) *oauth.Grants {
	return r.with(func(c *oauth.Config) { c.App.AuthURL, c.App.APIURL = f.URL, f.URL })
}

// answered begins a connection and has Atlassian answer with a code and more.
func (r *rig) answered(g *oauth.Grants, more string) (oauth.Outcome, error, string) {
	r.t.Helper()
	c, err := g.Begin(beginning())
	require.NoError(r.t, err)
	u, err := url.Parse(c.URL)
	require.NoError(r.t, err)
	return r.callback(g, redirect+"?state="+u.Query().Get("state")+more, "")
}

func TestM03_CodeVerifier(t *testing.T) {
	r, f := newRig(t), startFake(t)
	var sent []map[string]string
	good := f.token
	f.token = func(w http.ResponseWriter, in map[string]string) {
		sent = append(sent, in)
		good(w, in)
	}
	g := r.against(f)
	for range 2 {
		_, err, _ := r.answered(g, "&code=c")
		require.NoError(t, err)
	}
	require.Len(t, sent, 2)
	assert.Len(t, sent[0]["code_verifier"], 43)
	assert.NotEqual(t, sent[0]["code_verifier"], sent[1]["code_verifier"], "one for each connection")
	assert.Equal(t, redirect, sent[0]["redirect_uri"], "exactly the registered one")
	// An endpoint that finds the verifier wrong refuses the code.
	f.token = func(w http.ResponseWriter, _ map[string]string) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"code_verifier"}`))
	}
	f.requests = nil
	_, err, _ := r.answered(g, "&code=c")
	requireCode(t, err, confluence.Expired, "auth.code")
	assert.Equal(t, []string{"/oauth/token"}, f.requests, "and is not asked for anything else")
}

// TestM03_CodeOfAnotherConsent: a code comes with the challenge of its own consent,
// so it is worth nothing where another verifier is sent.
func TestM03_CodeOfAnotherConsent(t *testing.T) {
	r := newRig(t)
	ours, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	theirs, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	for name, to := range map[string]string{
		"of another consent": changed(r.consent(ours, "u-ann"), "code", r.consent(theirs, "u-bob").Query().Get("code")),
		"of another challenge": changed(r.consent(theirs, "u-ann"), "code",
			r.consent(oauth.Consent{URL: changed(mustParse(t, theirs.URL), "code_challenge", strings.Repeat("A", 43))}, "u-bob").Query().Get("code")),
	} {
		mark := r.mark()
		_, err, _ := r.callback(r.grants, to, "")
		requireCode(t, err, confluence.Expired, "auth.code")
		assert.Equal(t, 1, r.asked(mark, "/"), "%s: the code was offered, and nothing else was asked", name)
		r.noGrants()
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestM04_ErrorThatIsMarkup(t *testing.T) {
	r, f := newRig(t), startFake(t)
	g := r.against(f)
	for _, text := range []string{`<script>alert(1)</script>`, `"><img src=x>`, "access_denied\n<b>", strings.Repeat("a", 500), "..%2f", "server_error"} {
		_, err, page := r.answered(g, "&error="+url.QueryEscape(text)+"&error_description="+url.QueryEscape("<script>"+text))
		requireCode(t, err, confluence.Denied, "auth.consent")
		if text != "server_error" {
			assert.NotContains(t, page+err.Error()+r.logs.String(), text)
		}
		assert.NotContains(t, page, "<script")
	}
	assert.Empty(t, f.requests, "nothing went to Atlassian")
	r.noGrants()
}

func TestM05_RedirectAddressesThatAreRefused(t *testing.T) {
	r := newRig(t)
	for _, bad := range []string{"", "oauth/callback", "http://intranet.corp/oauth/callback", "http://127.0.0.1:8642/oauth/callback/", "http://127.0.0.1:8642/other", "http://127.0.0.1:8642/oauth/callback?x=1",
		"http://127.0.0.1:8642/oauth/callback#f", "http://127.0.0.1:8642/oauth/callback#", "http://u@127.0.0.1:8642/oauth/callback", "http://127.0.0.1.evil.test/oauth/callback", "ftp://127.0.0.1/oauth/callback",
		"https://mcp.acme.test/oauth/%63allback", "http://127.0.0.1:8642/oauth/callback?"} {
		a := r.app()
		a.RedirectURL = bad
		requireCode(t, a.Check(), confluence.Invalid, "input.config")
	}
	for _, good := range []string{redirect, "https://mcp.acme.test/oauth/callback", "http://localhost:1/oauth/callback", "http://[::1]:8642/oauth/callback"} {
		a := r.app()
		a.RedirectURL = good
		require.NoError(t, a.Check(), good)
	}
	// An answer that comes to another host than the registered one.
	c, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	to := r.consent(c, "u-ann", "emulator_site", cloudB)
	mark := r.mark()
	for _, host := range []string{"localhost:8642", "127.0.0.1:8643", "evil.test"} {
		moved := *to
		moved.Host = host
		_, err, _ := r.callback(r.grants, moved.String(), "")
		requireCode(t, err, confluence.Denied, "auth.state")
	}
	assert.Equal(t, mark, r.mark())
}

func TestEndpointsAreAtlassiansOrLoopback(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		auth, api string
		ok        bool
	}{
		{"https://auth.atlassian.com", "https://api.atlassian.com", true},
		{"https://auth.atlassian.com/", "https://api.atlassian.com/", true},
		{"http://127.0.0.1:1", "http://localhost:2", true},
		{"https://auth.atlassian.com", "http://127.0.0.1:2", false},
		{"http://127.0.0.1:2", "https://api.atlassian.com", false},
		{"http://auth.atlassian.com", "https://api.atlassian.com", false},
		{"https://auth.atlassian.com.evil.test", "https://api.atlassian.com", false},
		{"https://evil.test", "https://evil.test", false},
		{"https://auth.atlassian.com@evil.test", "https://api.atlassian.com", false},
		{"https://auth.atlassian.com/x", "https://api.atlassian.com", false},
		{"https://auth.atlassian.com", "https://api.atlassian.com:8443", false},
		{"http://169.254.169.254", "http://169.254.169.254", false},
		{"", "", false},
	} {
		a := r.app()
		a.AuthURL, a.APIURL = c.auth, c.api
		if c.ok {
			assert.NoError(t, a.Check(), c)
		} else {
			requireCode(t, a.Check(), confluence.Invalid, "input.config")
		}
	}
}

func TestM06_FewerScopesThanAskedFor(t *testing.T) {
	r, f := newRig(t), startFake(t)
	o, err, page := r.answered(r.against(f), "&code=c")
	require.NoError(t, err)
	assert.Contains(t, o.Missing, "read:space:confluence")
	assert.NotContains(t, o.Missing, "read:page:confluence")
	assert.NotContains(t, o.Missing, "offline_access", "there was a refresh token")
	assert.Contains(t, page, "read:space:confluence", "shown to the admin")
	assert.Equal(t, []string{"read:page:confluence"}, o.Grant.Scopes)
	lacks := oauth.Lacks(o.Grant.Scopes, beginning().Needs...)
	require.Len(t, lacks, 2)
	assert.Equal(t, "AnnArbor", strings.ReplaceAll(o.Grant.AccountName, "?", ""), "names are cleaned")
	assert.Empty(t, o.Extra)
}

func TestM06_MoreScopesThanAskedFor(t *testing.T) {
	r, f := newRig(t), startFake(t)
	all := strings.Join(append(oauth.Scopes(beginning().Needs...), "delete:space:confluence", "<b>manage"), " ")
	f.token = func(w http.ResponseWriter, _ map[string]string) {
		_, _ = w.Write([]byte(`{"access_token":"emu-at-1","refresh_token":"emu-rt-1","expires_in":3600,"scope":"` + all + `"}`))
	}
	o, err, page := r.answered(r.against(f), "&code=c")
	require.NoError(t, err)
	assert.Empty(t, o.Missing)
	assert.Equal(t, []string{"delete:space:confluence", "<b>manage"}, o.Extra)
	assert.Contains(t, page, "delete:space:confluence", "shown to the admin")
	assert.NotContains(t, page, "<b>")
}

func TestM07_ChoiceAmongSitesThatWereNotGranted(t *testing.T) {
	r := newRig(t)
	r.connect(beginning(), "u-ann", "emulator_site", cloudA, "emulator_site", cloudB)
	mark := r.mark()
	for _, bad := range []string{cloudC, "", "x", cloudA + "/..", "../" + cloudA} {
		_, err := r.grants.Choose(t.Context(), 1, oauth.Service, "", bad)
		requireCode(t, err, confluence.Invalid, "auth.no_site")
	}
	_, err := r.grants.Choose(t.Context(), 2, oauth.Service, "", cloudA)
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	_, err = r.grants.Choose(t.Context(), 1, oauth.Person, "u-ann", cloudA)
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	_, err = r.grants.Service(t.Context(), 1)
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	assert.Equal(t, r.asked(mark, "/oauth/token/accessible-resources"), r.asked(mark, "/"), "what is granted was looked up, and no site was asked")
	_, err = r.grants.Choose(t.Context(), 1, oauth.Service, "", cloudA)
	require.NoError(t, err)
}

func TestM10_AnswerOfAnotherIssuer(t *testing.T) {
	r, f := newRig(t), startFake(t)
	g := r.against(f)
	_, err, _ := r.answered(g, "&code=c&iss="+url.QueryEscape("https://evil.test"))
	requireCode(t, err, confluence.Denied, "auth.state")
	assert.Empty(t, f.requests)
	_, err, _ = r.answered(g, "&code=c&iss="+url.QueryEscape(f.URL+"/"))
	require.NoError(t, err)
}

func TestD11_HostileSitesAreLeftOut(t *testing.T) {
	r, f := newRig(t), startFake(t)
	g := r.against(f)
	site := func(id, address string) string {
		return `{"id":"` + id + `","name":"S","url":"` + address + `","scopes":["read:page:confluence"]}`
	}
	hostile := []string{site("a", "https://evil.test"), site("b", "https://acme.atlassian.net.evil.test"), site("c", "https://atlassian.net@evil.test"), site("d", "http://169.254.169.254"),
		site("e", "file:///etc/passwd"), site("f", "javascript:alert(1)"), site("g", "https://acme.atlassian.net:8443"), site("h", "http://acme.atlassian.net"), site("../../me", "http://127.0.0.1:1"),
		site("i", "https://acme.atlassian.net/evil"), site("j", "https://a.b.atlassian.net"), site("k", "")}
	f.sites = "[" + strings.Join(hostile, ",") + "]"
	_, err, _ := r.answered(g, "&code=c")
	requireCode(t, err, confluence.Invalid, "auth.no_site")
	r.noGrants()
	assert.Equal(t, []string{"/oauth/token", "/oauth/token/accessible-resources"}, f.requests, "none of them was asked anything")

	f.sites = "[" + strings.Join(append(hostile, site(cloudB, "https://acme.atlassian.net")), ",") + "]"
	o, err, _ := r.answered(g, "&code=c")
	require.NoError(t, err)
	assert.Equal(t, cloudB, o.Grant.CloudID)
	assert.Equal(t, "https://acme.atlassian.net", o.Grant.SiteURL)
	assert.Equal(t, len(hostile), o.Strange, "the admin is told")
	s, err := g.Service(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, f.URL+"/ex/confluence/"+cloudB, s.BaseURL(), "requests go to the configured host, whatever the list says")
}

func TestK09_TokenEndpointThatEchoes(t *testing.T) {
	r, f := newRig(t), startFake(t)
	echo := func(status int, code string) func(http.ResponseWriter, map[string]string) {
		return func(w http.ResponseWriter, in map[string]string) {
			w.WriteHeader(status)
			raw, _ := json.Marshal(in)
			_, _ = w.Write([]byte(`{"error":"` + code + `","error_description":` + string(raw) + `}`))
		}
	}
	good := f.token
	g := r.with(func(c *oauth.Config) {
		c.App.AuthURL, c.App.APIURL, c.App.ClientSecret = f.URL, f.URL, seal.NewSecret("canary-client-secret")
	})
	said := ""
	for _, status := range []int{200, 302, 400, 401, 403, 404, 429, 500} {
		f.token = echo(status, "canary-code")
		_, err, page := r.answered(g, "&code=canary-code")
		require.Error(t, err)
		said += err.Error() + page
	}
	f.token = good
	_, err, _ := r.answered(g, "&code=c")
	require.NoError(t, err)
	s, err := g.Service(t.Context(), 1)
	require.NoError(t, err)
	r.clock.advance(time.Hour)
	for _, status := range []int{200, 302, 401, 429, 500, 403} {
		f.token = echo(status, "invalid_grant")
		_, err := s.Token(t.Context())
		require.Error(t, err)
		said += err.Error()
	}
	r.leaksNothing(said)
	assert.NotContains(t, said+r.logs.String(), "canary")
}

func TestNoRedirectIsFollowedWithATokenInHand(t *testing.T) {
	r, f := newRig(t), startFake(t)
	reached := false
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(trap.Close)
	for _, status := range []int{301, 302, 307, 308} {
		f.token = func(w http.ResponseWriter, _ map[string]string) {
			w.Header().Set("Location", trap.URL)
			w.WriteHeader(status)
		}
		_, err, _ := r.answered(r.against(f), "&code=c")
		requireCode(t, err, confluence.Unavailable, "net.unavailable")
	}
	assert.False(t, reached)
}

func TestHostileTokenAnswers(t *testing.T) {
	r, f := newRig(t), startFake(t)
	for name, body := range map[string]string{
		"no token": `{"refresh_token":"r"}`, "line break": `{"access_token":"a\r\nX: y","refresh_token":"r"}`, "break in the other": `{"access_token":"a","refresh_token":"r\n"}`,
		"another type": `{"access_token":"a","refresh_token":"r","token_type":"mac"}`, "list": `[]`, "endless": `{"access_token":"` + strings.Repeat("a", 20<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f.token = func(w http.ResponseWriter, _ map[string]string) { _, _ = w.Write([]byte(body)) }
			_, err, _ := r.answered(r.against(f), "&code=c")
			requireCode(t, err, confluence.Unavailable, "net.unavailable")
		})
	}
	f.token = func(w http.ResponseWriter, _ map[string]string) {
		_, _ = w.Write([]byte(`{"access_token":"a","expires_in":3600}`))
	}
	_, err, _ := r.answered(r.against(f), "&code=c")
	requireCode(t, err, confluence.Invalid, "auth.no_refresh")
	r.noGrants()
}

func TestPendingConnectionsAreBounded(t *testing.T) {
	r := newRig(t)
	for range 100 {
		_, err := r.grants.Begin(beginning())
		require.NoError(t, err)
	}
	_, err := r.grants.Begin(beginning())
	requireCode(t, err, confluence.Limited, "limit.rate")
	r.clock.advance(10 * time.Minute)
	_, err = r.grants.Begin(beginning())
	require.NoError(t, err)
}

// Whoever may connect an account of their own cannot keep administrators from
// connecting an integration, nor others from connecting theirs.
func TestPeopleLeaveRoomForAdministrators(t *testing.T) {
	r := newRig(t)
	own := beginning()
	own.Role = oauth.Person
	for range 200 { // one person over and over takes one place
		own.Account = "u-ann"
		_, err := r.grants.Begin(own)
		require.NoError(t, err)
	}
	for n := range 49 {
		own.Account = "u-" + strconv.Itoa(n)
		_, err := r.grants.Begin(own)
		require.NoError(t, err)
	}
	own.Account = "u-late"
	_, err := r.grants.Begin(own)
	requireCode(t, err, confluence.Limited, "limit.rate")
	_, err = r.grants.Begin(beginning())
	require.NoError(t, err)
}
