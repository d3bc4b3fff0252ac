package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// tokenState is the state that GET /api/integrations gives for acme.
func (p *product) tokenState() map[string]any {
	p.t.Helper()
	status, out := p.api(opsKey, http.MethodGet, "/api/integrations", "")
	require.Equal(p.t, http.StatusOK, status, out)
	for _, one := range out["integrations"].([]any) {
		if i := one.(map[string]any); i["name"] == "acme" {
			return i["token"].(map[string]any)
		}
	}
	require.FailNow(p.t, "there is no acme")
	return nil
}

func (p *product) comesTo(state string) map[string]any {
	p.t.Helper()
	var now map[string]any
	eventually(p.t, func() bool { now = p.tokenState(); return now["state"] == state }, "wanted %s: %s", state, p.errOut)
	return now
}

// notices are what a search says beside its results, over REST and MCP.
func (p *product) notices(key, settings, args string) []string {
	p.t.Helper()
	status, out := p.api(key, http.MethodPost, "/api/query", `{"query":"lighthouse"`+settings+`}`)
	require.Equal(p.t, http.StatusOK, status, out)
	rest, _ := out["notice"].(string)
	a := p.rpc(key, "tools/call", "confluence_search", `"arguments":`+args).tool(p.t)
	mcp, _ := a.Structured["notice"].(string)
	assert.Contains(p.t, a.Text, mcp)
	return []string{rest, mcp}
}

// TestAConnectionThatEndedIsNotEmpty: revoked at Atlassian, the integration says
// so everywhere, and what is found is told to be old.
func TestAConnectionThatEndedIsNotEmpty(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	assert.Equal(t, "missing", p.tokenState()["state"])
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")
	good := p.comesTo("valid")
	assert.NotEmpty(t, good["expires"])
	const bob = `,"accessSettings":{"integrationId":"acme","externalUserId":"u-bob"}`
	assert.Equal(t, []string{"", ""}, p.notices(bobKey, "", `{"query":"lighthouse"}`))

	p.settle()
	sites.Apply(`{"kind":"oauth","revoke":true,"expire_access_tokens":true}`)
	p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync", "")
	ended := p.comesTo("revoked")
	assert.Contains(t, ended["reason"], "no longer accepts")
	assert.Contains(t, ended["next"], "reconnect --integration acme")
	for _, notice := range p.notices(bobKey, "", `{"query":"lighthouse"}`) {
		assert.Contains(t, notice, "The connection of acme with Confluence has ended (revoked): what is found was read on ")
	}
	_, out := p.api(opsKey, http.MethodPost, "/api/query", `{"query":"nothing has this word"`+bob+`}`)
	assert.Contains(t, out["notice"], "(revoked)", "no result is no proof that there is nothing")
	assert.Len(t, p.found("u-bob"), 1, "what was read is still found")

	text, errOut, code := p.command("integrations", "list")
	require.Zero(t, code, errOut)
	assert.Contains(t, text, "token revoked (Atlassian no longer accepts it")
	text, _, _ = p.command("integrations", "show", "acme")
	assert.Contains(t, text, `"state": "revoked"`)
	text, _, code = p.command("doctor")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, text, "reconnect --integration acme")
	text, _, _ = p.command("query", "lighthouse", "--as", "acme:u-bob")
	assert.Contains(t, text, "has ended (revoked)")

	p.stop()
	text, _, _ = p.command("integrations", "list")
	assert.Contains(t, text, "token revoked", "a restart does not make it good")
	text, _, code = p.command("doctor")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, text, "must be made anew")
	assert.Contains(t, text, "reconnect --integration acme")
	_, _, _ = p.command("disconnect", "--integration", "acme")
	text, _, _ = p.command("integrations", "list")
	assert.Contains(t, text, "token missing")
}

// TestAConnectionEndsByTheClock, when nobody uses it.
func TestAConnectionEndsByTheClock(t *testing.T) {
	p, _ := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.stop()
	for days, want := range map[int]string{1: "valid", 70: "valid", 80: "expires_soon", 91: "expired"} {
		p.clock = func() time.Time { return time.Now().Add(time.Duration(days) * 24 * time.Hour) }
		assert.Equal(t, want, p.shown()["state"], "after %d days", days)
	}
}

// shown is the token's state as integrations show gives it.
func (p *product) shown() map[string]any {
	p.t.Helper()
	text, errOut, code := p.command("integrations", "show", "acme")
	require.Zero(p.t, code, errOut)
	var out struct{ Token map[string]any }
	require.NoError(p.t, json.Unmarshal([]byte(text), &out), text)
	return out.Token
}

// TestTokensOfAnIntegration: API tokens end by the date their maker was told,
// or when Confluence refuses them.
func TestTokensOfAnIntegration(t *testing.T) {
	const user = `{"kind":"user","id":"u-bot","username":"bot","name":"Sync Bot","email":"bot@acme.test","groups":["staff"],"admin":true,"token":"%s"}`
	in := func(days int) string {
		return time.Now().Add(time.Duration(days) * 24 * time.Hour).UTC().Format(time.DateOnly)
	}
	for name, c := range map[string]struct {
		expires string
		refused bool
		state   string
		notice  string
	}{
		"no date":            {"", false, "valid", ""},
		"no date, refused":   {"", true, "needs_reconnect", "(needs_reconnect)"},
		"far":                {in(100), false, "valid", ""},
		"far, refused":       {in(100), true, "revoked", "(revoked)"},
		"soon":               {in(10), false, "expires_soon", ""},
		"soon, refused":      {in(10), true, "revoked", "(revoked)"},
		"over":               {in(-1), false, "expired", "(expired)"},
		"over, and refused":  {in(-1), true, "expired", "(expired)"},
		"today is the last ": {in(0), false, "expired", "(expired)"},
	} {
		t.Run(name, func(t *testing.T) {
			site := emulatortest.Start(t, siteWith(botToken))
			p := &product{t: t, dir: t.TempDir(), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
			expires := ""
			if c.expires != "" {
				expires = `, token_expires: "` + c.expires + `"`
			}
			file := fmt.Sprintf(`data_dir: ./data
integrations:
  - {name: acme, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}"%s, enableAccessRightsSync: true}
agents:
  - {name: ops, key: "${OPS_KEY}", profile: read-only, admin: true, identity: {integration: acme, user: u-ann}}
`, expires)
			require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(file), 0o600))
			p.start()
			if c.refused {
				site.Apply(fmt.Sprintf(user, "another-token"))
				p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync", "")
			}
			p.comesTo(c.state)
			for _, notice := range p.notices(opsKey, "", `{"query":"lighthouse"}`) {
				assert.Contains(t, notice, c.notice)
				assert.Equal(t, c.notice == "", notice == "")
			}
			if c.state != "valid" {
				text, _, code := p.command("doctor")
				assert.Equal(t, exitFailed, code, text)
				p.stop()
				assert.Equal(t, c.state, p.shown()["state"], "a restart forgets nothing")
				text, _, code = p.command("doctor")
				assert.Equal(t, exitFailed, code, text)
				assert.Contains(t, text, "next: ")
			}
		})
	}
}
