package emulator_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
)

const callback = "http://127.0.0.1:8642/oauth/callback"

// authorize asks the consent page, changing the good request by pairs of
// parameter and value; an empty value takes the parameter away.
func authorize(t *testing.T, e *emulator.Emulator, change ...string) reply {
	t.Helper()
	q := url.Values{"audience": {"api.atlassian.com"}, "client_id": {"emulator-client"}, "scope": {"read:page:confluence offline_access"},
		"redirect_uri": {callback}, "state": {"s-1"}, "response_type": {"code"}, "prompt": {"consent"}, "emulator_user": {"u-ann"}}
	for i := 0; i+1 < len(change); i += 2 {
		if change[i+1] == "" {
			q.Del(change[i])
		} else {
			q[change[i]] = strings.Split(change[i+1], "|")
		}
	}
	return ask(t, "GET", e.Gateway()+"/authorize?"+q.Encode(), nil)
}

func location(t *testing.T, r reply) *url.URL {
	t.Helper()
	require.Equal(t, 302, r.status, r.body)
	u, err := url.Parse(r.header.Get("Location"))
	require.NoError(t, err)
	return u
}

func consent(t *testing.T, e *emulator.Emulator, user, scope string) string {
	t.Helper()
	return location(t, authorize(t, e, "emulator_user", user, "scope", scope)).Query().Get("code")
}

func exchangeBody(code string) string {
	return fmt.Sprintf(`{"grant_type":"authorization_code","client_id":"emulator-client","client_secret":"emulator-secret","code":%q,"redirect_uri":%q}`, code, callback)
}

func refreshBody(token string) string {
	return fmt.Sprintf(`{"grant_type":"refresh_token","client_id":"emulator-client","client_secret":"emulator-secret","refresh_token":%q}`, token)
}

func token(t *testing.T, e *emulator.Emulator, body string) reply {
	t.Helper()
	return ask(t, "POST", e.Gateway()+"/oauth/token", func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	})
}

func pairOf(t *testing.T, r reply) (access, refresh string) {
	t.Helper()
	require.Equal(t, 200, r.status, r.body)
	access, _ = r.field("access_token").(string)
	refresh, _ = r.field("refresh_token").(string)
	return access, refresh
}

func connected(t *testing.T, e *emulator.Emulator) (access, refresh string) {
	t.Helper()
	return pairOf(t, token(t, e, exchangeBody(consent(t, e, "u-ann", "read:page:confluence offline_access"))))
}

func works(t *testing.T, e *emulator.Emulator, access string) bool {
	t.Helper()
	return ask(t, "GET", e.Gateway()+"/ex/confluence/"+cloudA+"/wiki/api/v2/pages/7", bearer(access)).status == 200
}

func advance(t *testing.T, e *emulator.Emulator, by string) {
	t.Helper()
	require.NoError(t, e.Apply(0, fmt.Sprintf(`{"kind":"clock","advance":%q}`, by)))
}

func TestConsentEchoesStateAndGivesACode(t *testing.T) {
	u := location(t, authorize(t, serve(t), "state", "a&b=c d"))
	assert.Equal(t, callback, u.Scheme+"://"+u.Host+u.Path)
	assert.Equal(t, "a&b=c d", u.Query().Get("state"))
	assert.NotEmpty(t, u.Query().Get("code"))
}

func TestConsentThatIsRefused(t *testing.T) {
	e := serve(t)
	cases := []struct {
		name   string
		change []string
		status int
		says   string // in the redirect's query or the page
	}{
		{"cancelled", []string{"emulator_deny", "1"}, 302, "error=access_denied"},
		{"unknown client", []string{"client_id", "other"}, 302, "/error?error=invalid_request"},
		{"redirect to another host", []string{"redirect_uri", "http://evil.test/cb"}, 302, "/error?error=unauthorized_client"},
		{"redirect with a fragment", []string{"redirect_uri", callback + "#x"}, 302, "/error?error=unauthorized_client"},
		{"no response type", []string{"response_type", ""}, 302, "/error?error=invalid_request"},
		{"no scope", []string{"scope", ""}, 302, "/error?error=invalid_request"},
		{"no audience", []string{"audience", ""}, 302, "/error?error=invalid_request"},
		{"unknown person", []string{"emulator_user", "u-zed"}, 400, "no active user"},
		{"deactivated person", []string{"emulator_user", "u-eve"}, 400, "no active user"},
		{"nobody yet", []string{"emulator_user", ""}, 200, "<form"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := authorize(t, e, c.change...)
			assert.Equal(t, c.status, got.status)
			assert.Contains(t, got.header.Get("Location")+got.body, c.says)
			assert.NotContains(t, got.header.Get("Location"), "code=")
		})
	}
}

func TestRegisteredRedirectMustMatchExactly(t *testing.T) {
	e := serve(t)
	require.NoError(t, e.Apply(0, fmt.Sprintf(`{"kind":"oauth","redirect_uri":%q}`, callback)))
	assert.Contains(t, authorize(t, e).header.Get("Location"), "code=")
	for _, other := range []string{callback + "/", strings.Replace(callback, "8642", "8643", 1), callback + "?x=1"} {
		u := location(t, authorize(t, e, "redirect_uri", other))
		assert.Equal(t, "unauthorized_client", u.Query().Get("error"), other)
		assert.Contains(t, u.Query().Get("error_description"), "Callback URL mismatch")
	}
}

func TestTokenEndpointRefusals(t *testing.T) {
	e := serve(t)
	code := consent(t, e, "u-ann", "read:page:confluence")
	cases := []struct {
		name   string
		body   string
		status int
		code   string
	}{
		{"wrong secret", strings.Replace(exchangeBody(code), "emulator-secret", "guess", 1), 401, "access_denied"},
		{"wrong secret on refresh", strings.Replace(refreshBody("x"), "emulator-secret", "guess", 1), 401, "access_denied"},
		{"wrong client", strings.Replace(exchangeBody(code), "emulator-client", "x", 1), 401, "access_denied"},
		{"unknown refresh token", refreshBody("x"), 403, "unauthorized_client"},
		{"unknown code", exchangeBody("x"), 403, "invalid_grant"},
		{"another redirect", strings.Replace(exchangeBody(code), "8642", "1", 1), 403, "invalid_grant"},
		{"another grant type", strings.Replace(exchangeBody(code), "authorization_code", "password", 1), 400, "unsupported_grant_type"},
		{"no JSON", "nope", 400, "invalid_request"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := token(t, e, c.body)
			assert.Equal(t, c.status, got.status)
			assert.Equal(t, c.code, got.field("error"))
			assert.NotEmpty(t, got.field("error_description"))
		})
	}
	t.Run("the code still works after refusals, but once", func(t *testing.T) {
		assert.Equal(t, 200, token(t, e, exchangeBody(code)).status)
		assert.Equal(t, 403, token(t, e, exchangeBody(code)).status)
	})
	t.Run("an old code does not", func(t *testing.T) {
		old := consent(t, e, "u-ann", "read:page:confluence")
		advance(t, e, "6m")
		assert.Equal(t, 403, token(t, e, exchangeBody(old)).status)
	})
}

// Atlassian does not document code verifiers; a server that knows them does
// what is published for them.
func TestCodeVerifier(t *testing.T) {
	e := serve(t)
	sum := sha256.Sum256([]byte("verifier-of-this-test"))
	code := func() string {
		return location(t, authorize(t, e, "code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256")).Query().Get("code")
	}
	with := func(code, verifier string) string {
		return strings.Replace(exchangeBody(code), "{", `{"code_verifier":"`+verifier+`",`, 1)
	}
	assert.Equal(t, 200, token(t, e, with(code(), "verifier-of-this-test")).status)
	assert.Equal(t, 403, token(t, e, with(code(), "another")).status)
	assert.Equal(t, 403, token(t, e, exchangeBody(code())).status)
}

func TestTokenAnswer(t *testing.T) {
	e := serve(t)
	got := token(t, e, exchangeBody(consent(t, e, "u-ann", "read:page:confluence offline_access")))
	assert.EqualValues(t, 3600, got.field("expires_in"))
	assert.Equal(t, "Bearer", got.field("token_type"))
	assert.Equal(t, "read:page:confluence offline_access", got.field("scope"))
	without := token(t, e, exchangeBody(consent(t, e, "u-ann", "read:page:confluence")))
	assert.Nil(t, without.field("refresh_token"), "no offline_access, no refresh token")
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"emulator-client"}, "client_secret": {"emulator-secret"},
		"refresh_token": {got.field("refresh_token").(string)}}
	res, err := http.PostForm(e.Gateway()+"/oauth/token", form)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	assert.Equal(t, 200, res.StatusCode, "form encoding works too")
}

func TestAccessTokenLivesAnHour(t *testing.T) {
	e := serve(t)
	access, _ := connected(t, e)
	assert.True(t, works(t, e, access))
	advance(t, e, "59m")
	assert.True(t, works(t, e, access))
	advance(t, e, "2m")
	assert.False(t, works(t, e, access))
}

func TestRotationAndLeeway(t *testing.T) {
	e := serve(t)
	oldAccess, oldRefresh := connected(t, e)
	newAccess, newRefresh := pairOf(t, token(t, e, refreshBody(oldRefresh)))
	assert.NotEqual(t, oldRefresh, newRefresh)
	assert.True(t, works(t, e, oldAccess), "the old pair works inside the leeway")
	advance(t, e, "9m")
	again, againRefresh := pairOf(t, token(t, e, refreshBody(oldRefresh)))
	assert.True(t, works(t, e, again), "a lost answer is asked for again")
	advance(t, e, "2m")
	assert.False(t, works(t, e, oldAccess), "the repeat did not lengthen the leeway")
	assert.True(t, works(t, e, newAccess))
	_, last := pairOf(t, token(t, e, refreshBody(againRefresh)))

	reuse := token(t, e, refreshBody(oldRefresh))
	assert.Equal(t, 403, reuse.status)
	assert.Equal(t, "unauthorized_client", reuse.field("error"))
	assert.Equal(t, "refresh_token is invalid", reuse.field("error_description"))
	for _, r := range []string{newRefresh, againRefresh, last} {
		assert.Equal(t, 403, token(t, e, refreshBody(r)).status, "reuse outside the leeway kills the family")
	}
	assert.False(t, works(t, e, newAccess))
	fresh, _ := connected(t, e)
	assert.True(t, works(t, e, fresh), "consenting again starts a new family")
}

func TestRefreshTokensAge(t *testing.T) {
	e := serve(t)
	_, refresh := connected(t, e)
	for range 4 {
		advance(t, e, "2136h") // 89 days
		_, refresh = pairOf(t, token(t, e, refreshBody(refresh)))
	}
	advance(t, e, "240h")
	assert.Equal(t, 403, token(t, e, refreshBody(refresh)).status, "a year after consent it is over")
	_, idle := connected(t, e)
	advance(t, e, "2184h")
	assert.Equal(t, 403, token(t, e, refreshBody(idle)).status, "90 days unused")
}

func TestOAuthSwitches(t *testing.T) {
	e := serve(t)
	access, refresh := connected(t, e)
	require.NoError(t, e.Apply(0, `{"kind":"oauth","expire_access_tokens":true}`))
	assert.False(t, works(t, e, access))
	access, refresh = pairOf(t, token(t, e, refreshBody(refresh)))
	assert.True(t, works(t, e, access))
	require.NoError(t, e.Apply(0, `{"kind":"oauth","omit_refresh_token":true}`))
	next := token(t, e, refreshBody(refresh))
	assert.Equal(t, 200, next.status)
	assert.Nil(t, next.field("refresh_token"))
	assert.Equal(t, 200, token(t, e, refreshBody(refresh)).status, "the sent one stays")
	require.NoError(t, e.Apply(0, `{"kind":"oauth","revoke_user":"u-ann"}`))
	assert.Equal(t, 403, token(t, e, refreshBody(refresh)).status)
	assert.False(t, works(t, e, access))
}

func resources(t *testing.T, e *emulator.Emulator, access string) []string {
	t.Helper()
	got := ask(t, "GET", e.Gateway()+"/oauth/token/accessible-resources", bearer(access))
	require.Equal(t, 200, got.status, got.body)
	var rows []struct{ ID, Name, URL string }
	require.NoError(t, json.Unmarshal([]byte(got.body), &rows))
	ids := []string{}
	for _, r := range rows {
		ids = append(ids, r.ID)
		assert.NotEmpty(t, r.URL)
	}
	return ids
}

func TestSitesOfAGrant(t *testing.T) {
	e := serve(t, siteText("A", cloudA, false), siteText("B", cloudB, false))
	access := func(change ...string) string {
		u := location(t, authorize(t, e, change...))
		a, _ := pairOf(t, token(t, e, exchangeBody(u.Query().Get("code"))))
		return a
	}
	both := access()
	assert.Equal(t, []string{cloudA, cloudB}, resources(t, e, both))
	assert.Equal(t, []string{cloudB}, resources(t, e, access("emulator_site", cloudB)))
	assert.Equal(t, []string{cloudB}, resources(t, e, both), "a newer consent of the same person overrides the older")
	assert.False(t, works(t, e, both), "and site A with it")
	assert.Equal(t, []string{}, resources(t, e, access("emulator_site", "none")))
	assert.Equal(t, []string{cloudA}, resources(t, e, access("emulator_site", "|"+cloudA)), "the page sends an empty one along")
	all := access()
	require.NoError(t, e.Apply(0, `{"kind":"oauth","duplicate_resources":true}`))
	assert.Equal(t, []string{cloudA, cloudA, cloudB, cloudB}, resources(t, e, all))
	require.NoError(t, e.Apply(1, `{"kind":"user","id":"u-ann","active":false}`))
	assert.Equal(t, []string{cloudA, cloudA}, resources(t, e, all), "a site that the person has lost")
	assert.Equal(t, 401, ask(t, "GET", e.Gateway()+"/oauth/token/accessible-resources", bearer("x")).status)
}

func TestMeNeedsItsScope(t *testing.T) {
	e := serve(t)
	for scope, status := range map[string]int{"read:me": 200, "read:page:confluence": 401} {
		access, _ := pairOf(t, token(t, e, exchangeBody(consent(t, e, "u-ann", scope))))
		got := ask(t, "GET", e.Gateway()+"/me", bearer(access))
		assert.Equal(t, status, got.status)
		if status == 200 {
			assert.Equal(t, "u-ann", got.field("account_id"))
			assert.Equal(t, "ann@acme.test", got.field("email"))
		}
	}
}

func TestJournalNeverHoldsCodesOrTokens(t *testing.T) {
	e := serve(t)
	access, refresh := connected(t, e)
	works(t, e, access)
	raw, err := json.Marshal(e.Requests(0))
	require.NoError(t, err)
	for _, secret := range []string{access, refresh, "emulator-secret", "ann-token"} {
		assert.NotContains(t, string(raw), secret)
	}
}
