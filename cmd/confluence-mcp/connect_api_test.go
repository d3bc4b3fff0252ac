package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/store"
)

// connectOver connects over REST and gives where the browser ended.
func (p *product) connectOver(key, body, user string, sites ...string) (int, string) {
	p.t.Helper()
	status, out := p.api(key, http.MethodPost, "/api/integrations/acme/connect", body)
	require.Equal(p.t, http.StatusOK, status, out)
	return consentAs(p.t, out["authorize_url"].(string), user, sites...)
}

// markOf is the present end of the emulator's journal.
func markOf(sites *emulatortest.Emulator) int {
	all := sites.Requests(0)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].N
}

func TestConnectionOverREST(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	status, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme/sites", "")
	require.Equal(t, http.StatusOK, status, out)
	assert.Len(t, out["sites"], 3)
	for _, bad := range []string{`{"cloudId":"not-granted"}`, `{}`, `{"cloudId":""}`, `{"cloud":"x"}`, `[]`} {
		status, out = p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", bad)
		assert.Equal(t, http.StatusBadRequest, status, out)
	}
	status, out = p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", `{"cloudId":"`+cloudB+`"}`)
	require.Equal(t, http.StatusOK, status, out)
	p.finds("u-bob", "Beacon of B")

	status, out = p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
	require.Equal(t, http.StatusOK, status, out)
	one := out["connections"].([]any)[0].(map[string]any)
	assert.Equal(t, "connected", one["state"])
	assert.Equal(t, "u-bot", one["account"])
	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/acme/connect", `{}`)
	assert.Equal(t, http.StatusConflict, status, out)
	assert.Equal(t, "conflict.connected", codeOf(out))

	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/acme/reconnect", `{"site":"`+cloudC+`"}`)
	require.Equal(t, http.StatusOK, status, out)
	code, page := consentAs(t, out["authorize_url"].(string), "u-bot")
	require.Equal(t, http.StatusOK, code, page)
	p.finds("u-bob", "Beacon of C")

	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/acme/disconnect", `{}`)
	require.Equal(t, http.StatusOK, status, out)
	assert.Equal(t, oauth.RevokeURL, out["revokeUrl"])
	assert.Empty(t, p.found("u-bob"))
	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/acme/reconnect", `{}`)
	assert.Equal(t, http.StatusConflict, status, out)
	assert.NotContains(t, p.errOut.String(), "emu-")
	assert.Positive(t, markOf(sites))
}

func TestConnectingIsForAdministrators(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	mark := markOf(sites)
	for _, route := range [][2]string{{"POST", "connect"}, {"POST", "reconnect"}, {"POST", "disconnect"}, {"GET", "sites"}, {"PUT", "site"}, {"GET", "connection"}} {
		status, out := p.api(annKey, route[0], "/api/integrations/acme/"+route[1], "")
		assert.Equal(t, http.StatusForbidden, status, "%v %v", route, out)
		assert.Equal(t, "auth.forbidden", codeOf(out))
		for _, key := range []string{"", "wrong", "emulator-secret"} {
			r := p.send(route[0], "/api/integrations/acme/"+route[1], key, "", nil)
			assert.Equal(t, http.StatusUnauthorized, r.status)
			assert.NotEmpty(t, r.header.Get("WWW-Authenticate"))
		}
	}
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations/other/connect", `{}`)
	assert.Equal(t, http.StatusNotFound, status, out)
	assert.Equal(t, mark, markOf(sites), "nothing went upstream")
}

// Whoever connects their own account reads live and writes as themselves, and
// nobody else does.
func TestOwnAccounts(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")

	change := func(key string, version int) toolAnswer {
		return p.call(key, "update_page", map[string]any{"page_id": "1900", "base_version": version, "title": fmt.Sprintf("Beacon of A after %d", version)}).tool(t)
	}
	mark := markOf(sites)
	assert.True(t, change(annKey, 1).IsError, "the connecting account does not lend its rights")
	for _, q := range sites.Requests(mark) {
		assert.NotEqual(t, http.MethodPut, q.Method)
	}

	mark = markOf(sites)
	status, page = p.connectOver(annKey, `{"own":true}`, "u-bob")
	assert.Equal(t, http.StatusBadRequest, status, page)
	assert.Contains(t, page, "not the caller&#39;s own")
	assert.True(t, change(annKey, 1).IsError)

	status, page = p.connectOver(annKey, `{"own":true}`, "u-ann")
	require.Equal(t, http.StatusOK, status, page)
	mark = markOf(sites)
	a := change(annKey, 1)
	require.False(t, a.IsError, a.Text)
	puts := 0
	for _, q := range sites.Requests(mark) {
		if q.Method == http.MethodPut {
			puts++
			assert.Equal(t, "u-ann", q.User)
			assert.Equal(t, cloudA, q.Site)
		}
	}
	assert.Equal(t, 1, puts)

	mark = markOf(sites)
	assert.True(t, change(bobKey, 2).IsError)
	r := p.call(opsKey, "update_page", map[string]any{"page_id": "1900", "base_version": 2, "title": "x"})
	assert.True(t, r.tool(t).IsError, "the agent that acts for others names nobody")
	for _, q := range sites.Requests(mark) {
		assert.NotEqual(t, http.MethodPut, q.Method)
		assert.NotEqual(t, "u-ann", q.User, "ann's grant serves ann")
	}

	for body, key := range map[string]string{`{"own":true,"site":"` + cloudB + `"}`: annKey, `{"own":true,"profiles":["full-access"]}`: bobKey} {
		status, out := p.api(key, http.MethodPost, "/api/integrations/acme/connect", body)
		assert.Equal(t, http.StatusBadRequest, status, out)
	}
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations/acme/connect", `{"own":true}`)
	assert.Equal(t, http.StatusForbidden, status, out)
	for _, name := range []string{"other", "2", "nowhere", "99"} { // of what others connect nothing is told
		status, out = p.api(annKey, http.MethodPost, "/api/integrations/"+name+"/connect", `{"own":true}`)
		assert.Equal(t, http.StatusForbidden, status, out)
	}

	status, out = p.api(annKey, http.MethodPost, "/api/integrations/acme/disconnect", `{"own":true}`)
	require.Equal(t, http.StatusOK, status, out)
	assert.EqualValues(t, 1, out["erased"])
	assert.True(t, change(annKey, 2).IsError, "at once")
	assert.Len(t, p.found("u-bob"), 1, "the integration stays connected")
}

func TestM02_BrowserThatDidNotBegin(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	r := p.send(http.MethodPost, "/api/integrations/acme/connect", opsKey, `{}`, map[string]string{"Sec-Fetch-Site": "same-origin"})
	require.Equal(t, http.StatusOK, r.status, r.body)
	cookie := r.header.Get("Set-Cookie")
	for _, part := range []string{oauth.BrowserCookie + "=", "HttpOnly", "SameSite=Lax", "Path=/oauth/callback"} {
		assert.Contains(t, cookie, part)
	}
	_, after, _ := strings.Cut(r.body, `"authorize_url":"`)
	address, _, _ := strings.Cut(after, `"`)
	address = strings.ReplaceAll(address, `\u0026`, "&")
	_, err := url.Parse(address)
	require.NoError(t, err)
	status, page := consentAs(t, address, "u-bob", cloudA) // a browser without the cookie
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, page, "another browser")
	for _, q := range sites.Requests(0) {
		assert.NotEqual(t, "/oauth/token", q.Path)
	}
	status, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
	require.Equal(t, http.StatusOK, status)
	assert.Empty(t, out["connections"])
}

// Scopes are asked for agents made by command or over REST as for those of the
// file, and doctor names what a connection from before lacks; a revoked one needs
// nothing.
func TestAgentsMadeByHandNeedScopes(t *testing.T) {
	p, _ := linked(t)
	file := filepath.Join(p.dir, "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(keyText(t, file), "profile: full-access", "profile: read-only")), 0o600))
	p.serveLinked()
	asked := func(deed string) string {
		status, out := p.api(opsKey, http.MethodPost, "/api/integrations/acme/"+deed, "{}")
		require.Equal(t, http.StatusOK, status, out)
		u, err := url.Parse(out["authorize_url"].(string))
		require.NoError(t, err)
		return u.Query().Get("scope")
	}
	lacks := func() string {
		_, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
		return fmt.Sprint(out["connections"].([]any)[0].(map[string]any)["lacks"])
	}
	assert.NotContains(t, asked("connect"), "write:page:confluence")
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	assert.Equal(t, "<nil>", lacks())
	status, out := p.api(opsKey, http.MethodPost, "/api/agents", `{"name":"writer","profile":"full-access"}`)
	require.Equal(t, http.StatusCreated, status, out)
	assert.Contains(t, lacks(), "pages create (write:page:confluence")
	assert.Contains(t, asked("reconnect"), "write:page:confluence")
	p.stop()
	text, _, _ := p.command("doctor")
	assert.Contains(t, text, "permissions are missing for pages create (write:page:confluence")
	_, errOut, code := p.command("agents", "revoke", "writer")
	require.Zero(t, code, errOut)
	text, _, _ = p.command("doctor")
	assert.NotContains(t, text, "permissions are missing")
}

func keyText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestSecretsAreRotatedUnderARunningServer(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")
	key := filepath.Join(p.dir, "data", keyFile)
	before := keyText(t, key)
	out, errOut, code := p.command("secrets", "rotate")
	require.Equal(t, exitOK, code, errOut)
	assert.Equal(t, "sealed 1 secrets with new keys, under master key "+strings.Fields(keyText(t, key))[1]+" of file\n", out)
	assert.NotEqual(t, before, keyText(t, key))
	sites.Apply(`{"kind":"oauth","expire_access_tokens":true}`)
	status, answer := p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync?full=true", "")
	require.Contains(t, []int{200, 202}, status, answer)
	p.finds("u-bob", "Beacon of A")
	p.stop()
	out, errOut, code = p.command("secrets", "rotate", "--json")
	require.Equal(t, exitOK, code, errOut)
	assert.JSONEq(t, `{"resealed":1,"provider":"file","master":"`+strings.Fields(keyText(t, key))[1]+`"}`, out)
}

func TestDisconnectWithoutAServer(t *testing.T) {
	for _, keep := range []bool{false, true} {
		p, sites := linked(t)
		p.serveLinked()
		status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
		require.Equal(t, http.StatusOK, status, page)
		p.finds("u-bob", "Beacon of A")
		p.stop()
		mark := markOf(sites)
		args := []string{"disconnect", "--json"}
		if keep {
			args = append(args, "--keep-mirror")
		}
		out, errOut, code := p.command(args...)
		require.Equal(t, exitOK, code, errOut)
		assert.Contains(t, out, `"erased":1`)
		assert.Equal(t, mark, markOf(sites), "Confluence is not touched")
		p.errOut = &planted.Log{}
		p.serveLinked()
		assert.Empty(t, p.found("u-bob"), "nobody sees what is kept")
		p.stop()
	}
}

func TestRemovedIntegrationLeavesNoGrant(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	add := `{"name":"byhand","settings":{"type":"confluence","baseUrl":"` + sites.Sites[1].URL + `"}}`
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", add)
	require.Equal(t, http.StatusCreated, status, out)
	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/byhand/connect", `{}`)
	require.Equal(t, http.StatusOK, status, out)
	code, page := consentAs(t, out["authorize_url"].(string), "u-bot")
	require.Equal(t, http.StatusOK, code, page)
	status, out = p.api(opsKey, http.MethodGet, "/api/integrations/byhand/connection", "")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, out["connections"], 1, "the configured site was taken among the three")

	r := p.send(http.MethodDelete, "/api/integrations/byhand", opsKey, "", nil)
	require.Equal(t, http.StatusNoContent, r.status, r.body)
	status, out = p.api(opsKey, http.MethodPost, "/api/integrations", add)
	require.Equal(t, http.StatusCreated, status, out)
	status, out = p.api(opsKey, http.MethodGet, "/api/integrations/byhand/connection", "")
	require.Equal(t, http.StatusOK, status)
	assert.Empty(t, out["connections"], "the same name begins anew")
}

// A person's own account is of one site. When the integration leads to another
// one, whose pages may have the same ids, nothing is read or written by it.
func TestOwnAccountsEndWithTheirSite(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-ann", "Beacon of A", "Private of A")
	status, page = p.connectOver(annKey, `{"own":true}`, "u-ann")
	require.Equal(t, http.StatusOK, status, page)

	status, out := p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", `{"cloudId":"`+cloudB+`"}`)
	require.Equal(t, http.StatusOK, status, out)
	p.finds("u-ann", "Beacon of B", "Private of B")
	mark := markOf(sites)
	assert.True(t, p.call(annKey, "update_page", map[string]any{"page_id": "1900", "base_version": 1, "title": "Meant for B"}).tool(t).IsError)
	p.call(annKey, "get_page", map[string]any{"page_id": "1900", "fresh": true})
	for _, q := range sites.Requests(mark) {
		assert.Equal(t, cloudB, q.Site, "%s %s", q.Method, q.Path)
		assert.NotEqual(t, "u-ann", q.User, "%s %s", q.Method, q.Path)
	}
	status, out = p.api(annKey, http.MethodGet, "/api/integrations/acme/connection?own=true", "")
	require.Equal(t, http.StatusOK, status, out)
	assert.Empty(t, out["connections"], "its tokens are erased")
	status, page = p.connectOver(annKey, `{"own":true}`, "u-ann")
	require.Equal(t, http.StatusOK, status, page)
	assert.False(t, p.call(annKey, "update_page", map[string]any{"page_id": "1900", "base_version": 1, "title": "Meant for B"}).tool(t).IsError)
}

// What an integration is bounded to bounds people's own accounts too, whether it
// is of the file or made over REST.
func TestOwnCredentialsStayInTheSpacesOfTheIntegration(t *testing.T) {
	p, sites := linked(t)
	file := filepath.Join(p.dir, "c.yaml")
	bounded := strings.Replace(keyText(t, file), "enableAccessRightsSync: true}", "enableAccessRightsSync: true, spaces: [ENG]}", 1)
	bounded += "  - {name: bot, key: \"${BOT_KEY}\", profile: full-access, identity: {integration: made, user: u-bot}}\n"
	require.NoError(t, os.WriteFile(file, []byte(bounded), 0o600))
	p.env["BOT_KEY"] = "cmk_old_0123456789abcdef"
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-ann", "Beacon of A", "Private of A")
	status, page = p.connectOver(annKey, `{"own":true}`, "u-ann")
	require.Equal(t, http.StatusOK, status, page)
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"made","settings":{"type":"confluence","baseUrl":"`+sites.URL+`","username":"`+sites.Email("u-bot")+`","token":"`+sites.Token("u-bot")+`","spaces":["ENG"]}}`)
	require.Contains(t, []int{200, 201}, status, out)

	for who, key := range map[string]string{"own account": annKey, "made over REST": p.env["BOT_KEY"]} {
		mark := markOf(sites)
		for tool, args := range map[string]map[string]any{
			"get_page":    {"page_id": "3001", "fresh": true},
			"get_space":   {"space_key": "S2"},
			"create_page": {"space_key": "S2", "title": "Outside", "body": "x"},
			"update_page": {"page_id": "3001", "base_version": 1, "title": "Outside"},
		} {
			assert.True(t, p.call(key, tool, args).tool(t).IsError, "%s, %s", who, tool)
		}
		for _, q := range sites.Requests(mark) {
			assert.Contains(t, []string{http.MethodGet, http.MethodHead}, q.Method, "%s: %s", who, q.Path)
		}
		assert.False(t, p.call(key, "get_page", map[string]any{"page_id": "1001", "fresh": true}).tool(t).IsError, who)
	}
	for _, line := range p.audit() {
		assert.Contains(t, []string{"acme", "made", ""}, line.Entry.Site, "the log names integrations")
	}
}

// tokenOverGrants makes the integration byhand, to which the service account and
// ann consent and which then gets a token.
func (p *product) tokenOverGrants(sites *emulatortest.Emulator) {
	t := p.t
	t.Helper()
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"byhand","settings":{"type":"confluence","baseUrl":"`+sites.Sites[0].URL+`"}}`)
	require.Equal(t, http.StatusCreated, status, out)
	for body, user := range map[string]string{`{}`: "u-bot", `{"own":true,"accessSettings":{"integrationId":"byhand","externalUserId":"u-ann"}}`: "u-ann"} {
		status, out = p.api(opsKey, http.MethodPost, "/api/integrations/byhand/connect", body)
		require.Equal(t, http.StatusOK, status, out)
		code, page := consentAs(t, out["authorize_url"].(string), user)
		require.Equal(t, http.StatusOK, code, page)
	}
	status, out = p.api(opsKey, http.MethodPatch, "/api/integrations/byhand", `{"settings":{"username":"`+sites.Email("u-bot")+`","token":"`+sites.Token("u-bot")+`"}}`)
	require.Equal(t, http.StatusOK, status, out)
}

// An integration that is given a token keeps none of what it was connected with
// before; people's own accounts are theirs.
func TestATokenTakesThePlaceOfAGrant(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	p.tokenOverGrants(sites)
	p.stop()
	s, err := store.OpenPrecious(t.Context(), filepath.Join(p.dir, "data"), time.Now)
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	left, err := s.Grants(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.Equal(t, "u-ann", left[0].Account)
}
