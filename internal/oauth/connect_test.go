package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
)

func TestConsentURLIsAsDocumented(t *testing.T) {
	r := newRig(t)
	c, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	assert.NotContains(t, c.URL, "+", "spaces are written as %20")
	u, err := url.Parse(c.URL)
	require.NoError(t, err)
	q := u.Query()
	assert.Equal(t, r.e.Gateway()+"/authorize", u.Scheme+"://"+u.Host+u.Path)
	for name, want := range map[string]string{"audience": "api.atlassian.com", "client_id": "emulator-client", "redirect_uri": redirect, "response_type": "code", "prompt": "consent",
		"scope": strings.Join(c.Scopes, " "), "code_challenge_method": "S256"} {
		assert.Equal(t, []string{want}, q[name], name)
	}
	assert.Len(t, q.Get("state"), 43, "256 bits")
	assert.Contains(t, c.Scopes, "offline_access")
	assert.Contains(t, c.Notice, "unverified")
	other, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	assert.NotEqual(t, c.URL, other.URL)
	assert.Zero(t, r.mark(), "nothing was asked")
}

func TestScopesAreTheLeast(t *testing.T) {
	all := []oauth.Need{oauth.RightsSync()}
	for _, group := range []string{"pages", "spaces", "search", "attachments", "users"} {
		for _, action := range []string{"read", "create", "update", "delete"} {
			all = append(all, oauth.Need{Group: group, Action: action})
		}
	}
	full := oauth.Scopes(all...)
	assert.Less(t, len(full), 50, "Atlassian's advice")
	for _, never := range []string{"delete:space:confluence", "write:configuration:confluence", "manage:confluence-configuration", "write:confluence-groups", "write:space.permission:confluence"} {
		assert.NotContains(t, full, never)
	}
	assert.Equal(t, []string{"offline_access", "read:confluence-user"}, oauth.Scopes())
	for _, s := range oauth.Scopes(all[0], all[1], oauth.Need{Group: "search", Action: "read"}, oauth.Need{Group: "users", Action: "read"}) {
		assert.False(t, strings.HasPrefix(s, "write:") || strings.HasPrefix(s, "delete:"), s)
	}
	assert.Empty(t, oauth.Lacks(full, all...))
	lacks := oauth.Lacks(oauth.Scopes(oauth.Need{Group: "pages", Action: "read"}), oauth.Need{Group: "pages", Action: "read"}, oauth.Need{Group: "pages", Action: "delete"}, oauth.RightsSync())
	require.Len(t, lacks, 2)
	assert.Equal(t, oauth.Need{Group: "pages", Action: "delete"}, lacks[0].Need)
	assert.Equal(t, []string{"delete:page:confluence", "delete:comment:confluence", "write:confluence-content"}, lacks[0].Scopes)
}

func TestConnectToTheOnlySite(t *testing.T) {
	r := newRig(t)
	o := r.connect(beginning(), "u-ann", "emulator_site", cloudB)
	g := o.Grant
	assert.Equal(t, oauth.Connected, g.State)
	assert.Equal(t, []any{"u-ann", "Ann Arbor", cloudB, "Site B"}, []any{g.Account, g.AccountName, g.CloudID, g.SiteName})
	assert.Contains(t, g.SiteURL, "http://127.0.0.1:")
	assert.Empty(t, o.Missing)
	s, err := r.grants.Service(t.Context(), 1)
	require.NoError(t, err)
	token, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.True(t, r.works(token, cloudB))
	assert.False(t, r.works(token, cloudA))
	assert.Equal(t, r.e.Gateway()+"/ex/confluence/"+cloudB, s.BaseURL())

	r.open() // a restart
	s, err = r.grants.Service(t.Context(), 1)
	require.NoError(t, err)
	again, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, token, again)
}

func TestPickOneOfThreeSites(t *testing.T) {
	r := newRig(t)
	r.apply(`{"kind":"oauth","duplicate_resources":true}`)
	o := r.connect(beginning(), "u-ann")
	assert.Equal(t, oauth.Choosing, o.Grant.State)
	require.Len(t, o.Sites, 3)
	_, err := r.grants.Service(t.Context(), 1)
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	r.open() // the choice may wait for a restart
	sites, err := r.grants.Sites(t.Context(), 1, oauth.Service, "")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{cloudA, cloudB, cloudC}, []string{sites[0].CloudID, sites[1].CloudID, sites[2].CloudID})
	g, err := r.grants.Choose(t.Context(), 1, oauth.Service, "", cloudC)
	require.NoError(t, err)
	assert.Equal(t, "Site C", g.SiteName)
	s, err := r.grants.Service(t.Context(), 1)
	require.NoError(t, err)
	token, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.True(t, r.works(token, cloudC))
	r.clock.advance(time.Hour)
	token, err = s.Token(t.Context())
	require.NoError(t, err)
	assert.True(t, r.works(token, cloudC), "after the choice it is refreshed like any other")
}

func TestWantedSite(t *testing.T) {
	r := newRig(t)
	addresses := r.e.Addresses()
	for name, c := range map[string]struct {
		site   string
		only   bool
		states oauth.State
		code   string
	}{
		"address":                {addresses[1].URL, true, oauth.Connected, ""},
		"address without wiki":   {strings.TrimSuffix(addresses[1].URL, "/wiki"), true, oauth.Connected, ""},
		"cloud id":               {addresses[1].CloudID, true, oauth.Connected, ""},
		"another, only that":     {"https://other.atlassian.net", true, "", "auth.no_site"},
		"another, as a hint":     {"https://other.atlassian.net", false, oauth.Choosing, ""},
		"looks like an own one":  {addresses[1].URL + ".evil.test", true, "", "auth.no_site"},
		"beginning of a cloudid": {addresses[1].CloudID[:8], true, "", "auth.no_site"},
	} {
		t.Run(name, func(t *testing.T) {
			b := beginning()
			b.Site, b.Only = c.site, c.only
			consent, err := r.grants.Begin(b)
			require.NoError(t, err)
			o, err, _ := r.callback(r.grants, r.consent(consent, "u-ann").String(), "")
			if c.code != "" {
				requireCode(t, err, confluence.Invalid, c.code)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.states, o.Grant.State)
			if c.states == oauth.Connected {
				assert.Equal(t, addresses[1].CloudID, o.Grant.CloudID)
			}
		})
	}
}

func TestConnectThatFailsStoresNothing(t *testing.T) {
	r := newRig(t)
	wrong := func(change func(*oauth.App)) *oauth.Grants {
		return r.with(func(c *oauth.Config) { change(&c.App) })
	}
	for name, c := range map[string]struct {
		grants *oauth.Grants
		page   []string
		line   string
		kind   confluence.Kind
		code   string
		tokens int // calls of the token endpoint
	}{
		"declined":      {page: []string{"emulator_deny", "1"}, kind: confluence.Denied, code: "auth.consent"},
		"no site":       {page: []string{"emulator_site", "none"}, kind: confluence.Invalid, code: "auth.no_site", tokens: 1},
		"wrong secret":  {grants: wrong(func(a *oauth.App) { a.ClientSecret = seal.NewSecret("canary-secret") }), kind: confluence.Expired, code: "auth.client", tokens: 1},
		"token limited": {line: `{"kind":"fault","match":"POST /oauth/token","action":{"status":429,"headers":{"Retry-After":"7"}},"times":1}`, kind: confluence.Limited, code: "limit.rate", tokens: 1},
		"token down":    {line: `{"kind":"fault","match":"POST /oauth/token","action":{"status":503},"times":1}`, kind: confluence.Unavailable, code: "net.unavailable", tokens: 1},
		"sites down":    {line: `{"kind":"fault","match":"GET /oauth/token/accessible-resources","action":{"status":500},"times":1}`, kind: confluence.Unavailable, code: "net.unavailable", tokens: 1},
		"sites as HTML": {line: `{"kind":"fault","match":"GET /oauth/token/accessible-resources","action":{"status":200,"body":"<html>"},"times":1}`, kind: confluence.Unavailable, code: "net.unavailable", tokens: 1},
		"no who":        {line: `{"kind":"fault","match":"GET */user/current","action":{"status":403},"times":1}`, kind: confluence.Expired, code: "auth.refused", tokens: 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := r.grants
			if c.grants != nil {
				g = c.grants
			}
			consent, err := g.Begin(beginning())
			require.NoError(t, err)
			to := r.consent(consent, "u-ann", c.page...)
			if c.line != "" {
				r.apply(c.line)
			}
			mark := r.mark()
			_, err, page := r.callback(g, to.String(), "")
			requireCode(t, err, c.kind, c.code)
			assert.NotContains(t, err.Error()+page+r.logs.String(), "canary")
			assert.Equal(t, c.tokens, r.asked(mark, "/oauth/token")-r.asked(mark, "/oauth/token/"), "token calls")
			r.noGrants()
			_, err = consent.Wait(t.Context(), r.clock.now)
			requireCode(t, err, c.kind, c.code)
			_, err, _ = r.callback(g, to.String(), "")
			requireCode(t, err, confluence.Denied, "auth.state")
			r.apply(`{"kind":"fault","clear":true}`)
		})
	}
}

func TestConsentOfAnotherAccount(t *testing.T) {
	r := newRig(t)
	r.connected()
	mark := r.mark()
	own := oauth.Begin{Integration: 1, Role: oauth.Person, Account: "u-bob", Site: cloudB, Only: true, Needs: beginning().Needs}
	c, err := r.grants.Begin(own)
	require.NoError(t, err)
	_, err, page := r.callback(r.grants, r.consent(c, "u-ann").String(), "")
	requireCode(t, err, confluence.Denied, "auth.account")
	assert.Contains(t, page, "Ann Arbor")
	all, err := r.grants.List(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, all, 1, "only the service grant is there")
	_, err = r.grants.Person(t.Context(), 1, "u-bob")
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	assert.Positive(t, r.asked(mark, "/ex/confluence/"+cloudB+"/wiki/rest/api/user/current"))

	o := r.connect(own, "u-bob")
	assert.Equal(t, "u-bob", o.Grant.Account)
	_, err = r.grants.Person(t.Context(), 1, "u-bob")
	require.NoError(t, err)
	for _, foreign := range []struct {
		integration int64
		account     string
	}{{1, "u-ann"}, {2, "u-bob"}, {1, ""}, {1, "U-BOB"}} {
		_, err = r.grants.Person(t.Context(), foreign.integration, foreign.account)
		requireCode(t, err, confluence.Expired, "auth.not_connected")
	}
	_, err = r.grants.Begin(oauth.Begin{Integration: 1, Role: oauth.Person})
	requireCode(t, err, confluence.Invalid, "input.invalid")
}

func TestReconnectToAnotherSite(t *testing.T) {
	r := newRig(t)
	old, _ := r.connected()
	token, err := old.Token(t.Context())
	require.NoError(t, err)
	b := beginning()
	b.Account, b.Site, b.Only = "u-ann", cloudC, true
	o := r.connect(b, "u-ann")
	assert.Equal(t, cloudC, o.Grant.CloudID)
	_, err = old.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	_, err = old.Renew(t.Context(), token)
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	s, err := r.grants.Service(t.Context(), 1)
	require.NoError(t, err)
	token, err = s.Token(t.Context())
	require.NoError(t, err)
	assert.True(t, r.works(token, cloudC))

	all, err := r.grants.List(t.Context(), 1)
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestM09_ReconnectAsAnotherAccountIsAskedFor(t *testing.T) {
	r := newRig(t)
	s, before := r.connected()
	b := beginning()
	b.Account = before.Account
	c, err := r.grants.Begin(b)
	require.NoError(t, err)
	_, err, _ = r.callback(r.grants, r.consent(c, "u-bob", "emulator_site", cloudB).String(), "")
	requireCode(t, err, confluence.Denied, "auth.account")
	_, err = s.Token(t.Context())
	require.NoError(t, err, "the connection there was stays")
	b.Account = ""
	o := r.connect(b, "u-bob", "emulator_site", cloudB)
	assert.Equal(t, "u-bob", o.Grant.Account)
}

func TestDisconnectErasesEverything(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	r.connect(oauth.Begin{Integration: 1, Role: oauth.Person, Account: "u-bob", Site: cloudB, Only: true}, "u-bob")
	own, err := r.grants.Person(t.Context(), 1, "u-bob")
	require.NoError(t, err)
	_, err = own.Token(t.Context())
	require.NoError(t, err)
	c, err := r.grants.Begin(beginning())
	require.NoError(t, err)
	late := r.consent(c, "u-ann")

	n, err := r.grants.Disconnect(t.Context(), 1, oauth.Person, "u-bob")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = own.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	_, err = s.Token(t.Context())
	require.NoError(t, err)

	n, err = r.grants.Disconnect(t.Context(), 1, oauth.Service, "")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	mark := r.mark()
	_, err = s.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.not_connected")
	_, err, _ = r.callback(r.grants, late.String(), "")
	requireCode(t, err, confluence.Denied, "auth.state")
	assert.Equal(t, mark, r.mark(), "nothing went to Atlassian")
	_, _, err = r.store.Grant(t.Context(), g.ID)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	r.noGrants()
}

func TestWarningBeforeTheEnd(t *testing.T) {
	r := newRig(t)
	_, g := r.connected()
	start := r.clock.now()
	assert.Equal(t, start.Add(90*24*time.Hour), g.Ends())
	assert.Empty(t, g.Warning(start.Add(74*24*time.Hour)))
	assert.Contains(t, g.Warning(start.Add(76*24*time.Hour)), g.Ends().Format(time.DateOnly))
	g.Refreshed = start.Add(340 * 24 * time.Hour)
	assert.Equal(t, start.Add(365*24*time.Hour), g.Ends(), "a year after consent it is over, however often it is used")
	assert.NotEmpty(t, g.Warning(start.Add(351*24*time.Hour)))
}
