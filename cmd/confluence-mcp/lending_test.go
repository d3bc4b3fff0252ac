package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

const lendingFile = `data_dir: ./data
profiles_dir: ./profiles
integrations:
  - {name: acme, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}", enableAccessRightsSync: true, service_writes: true}
agents:
  - {name: desk, key: "${HELP_KEY}", profile: careful, act_for_users: true}
  - {name: free, key: "${ANN_KEY}", profile: full-access, act_for_users: true}
  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true}
  - {name: ops, key: "${OPS_KEY}", profile: read-only, admin: true}
`

func serveLending(t *testing.T) (*product, *emulatortest.Emulator) {
	t.Helper()
	site := emulatortest.Start(t)
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, site.Token("u-bot")), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["HELP_KEY"], p.env["BOSS_KEY"] = helpKey, bossKey
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(lendingFile), 0o600))
	p.start()
	return p, site
}

// callFor calls a tool for a person.
func (p *product) callFor(key, who, tool string, args map[string]any) toolAnswer {
	p.t.Helper()
	raw, err := json.Marshal(args)
	require.NoError(p.t, err)
	meta := strings.TrimSuffix(statelessMeta, "}") + `,"accessSettings":{"integrationId":"acme","externalUserId":"` + who + `"}}`
	h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_" + tool}
	return p.send(http.MethodPost, "/mcp", key, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+meta+`,"name":"confluence_`+tool+`","arguments":`+string(raw)+`}}`, h).tool(p.t)
}

// approves lets boss decide, and gives the state the request ends in.
func (p *product) approves(id string) string {
	p.t.Helper()
	_, out := p.api(bossKey, http.MethodGet, "/api/approvals/"+id, "")
	status, out := p.api(bossKey, http.MethodPost, "/api/approvals/"+id+"/approve", `{"view":"`+out["view"].(string)+`"}`)
	require.Less(p.t, status, 500, out)
	state := ""
	eventually(p.t, func() bool {
		_, out := p.api(bossKey, http.MethodGet, "/api/approvals/"+id, "")
		state, _ = out["state"].(string)
		return state != "pending" && state != "approved" && state != "executing"
	}, "%s is %s", id, lazily{&state})
	return state
}

// An approved change for somebody is made by the connecting account only if
// Confluence still lets them when it is made; who may not is not put before an
// approver at all.
func TestAnApprovedChangeForSomebodyIsCheckedAgain(t *testing.T) {
	p, site := serveLending(t)
	rename := func(title string) map[string]any {
		return map[string]any{"page_id": "1001", "base_version": 3, "title": title}
	}
	refused := p.callFor(helpKey, "u-bob", "update_page", map[string]any{"page_id": "1006", "base_version": 1, "title": "Mine"})
	assert.Equal(t, "policy.denied", refused.Kind, refused.Text)
	assert.Contains(t, refused.Text, "Bob Bright (u-bob)")
	_, out := p.api(bossKey, http.MethodGet, "/api/approvals", "")
	assert.Empty(t, out["approvals"])

	ask := func(title string) string {
		a := p.callFor(helpKey, "u-bob", "update_page", rename(title))
		require.Equal(t, "approval.required", a.Kind, a.Text)
		return a.Structured["error"].(map[string]any)["approval_id"].(string)
	}
	first := ask("While he may not")
	site.Apply(`{"kind":"content","id":"1001","update":["group:A"]}`)
	mark := markOf(site)
	assert.NotEqual(t, "executed", p.approves(first))
	for _, r := range site.Requests(mark) {
		assert.True(t, reads(r), "%s %s", r.Method, r.Path)
	}

	site.Apply(`{"kind":"content","id":"1001","update":[]}`)
	mark = markOf(site)
	assert.Equal(t, "executed", p.approves(ask("While he may")))
	var writes []string
	checks := 0
	for _, r := range site.Requests(mark) {
		assert.Equal(t, "u-bot", r.User)
		switch {
		case strings.HasSuffix(r.Path, "/permission/check"):
			checks++
		case !reads(r):
			writes = append(writes, r.Method+" "+r.Path)
		}
	}
	assert.Equal(t, []string{"PUT /wiki/api/v2/pages/1001"}, writes)
	assert.GreaterOrEqual(t, checks, 3, "when it was asked for, before it was begun, and right before")
	history := p.callFor(annKey, "u-bob", "get_page_history", map[string]any{"page_id": "1001"})
	assert.Contains(t, history.Text, "For Bob Bright (u-bob): [mcp-")
}

// A dry run says who would write and for whom; the record names the user, and the
// setting is switched like every other.
func TestWhoWritesForWhomIsTold(t *testing.T) {
	p, site := serveLending(t)
	label := map[string]any{"page_id": "1001", "name": "fresh", "dry_run": true}
	mark := markOf(site)
	dry := p.callFor(annKey, "u-bob", "add_label", label)
	require.False(t, dry.IsError, dry.Text)
	assert.Contains(t, dry.Text, "The connecting account makes it for Bob Bright (u-bob)")
	for _, r := range site.Requests(mark) {
		assert.True(t, reads(r), "%s %s", r.Method, r.Path)
	}
	delete(label, "dry_run")
	made := p.callFor(annKey, "u-bob", "add_label", label)
	require.False(t, made.IsError, made.Text)
	for _, nobody := range []string{"u-zzz", "u-eve", "u-gus"} {
		mark = markOf(site)
		assert.True(t, p.callFor(annKey, nobody, "add_label", map[string]any{"page_id": "3001", "name": "fresh"}).IsError, nobody)
		for _, r := range site.Requests(mark) {
			assert.True(t, reads(r), "%s: %s %s", nobody, r.Method, r.Path)
		}
	}

	_, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme", "")
	assert.Equal(t, true, out["settings"].(map[string]any)["service_writes"])
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"other","settings":{"type":"confluence","baseUrl":"`+site.URL+`","username":"bot@acme.test","token":"bot-token","service_writes":true}}`)
	require.Equal(t, http.StatusCreated, status, out)
	assert.Equal(t, true, out["settings"].(map[string]any)["service_writes"])
	for _, c := range []struct {
		body string
		on   bool
	}{{`{"settings":{"spaces":["ENG"]}}`, true}, {`{"settings":{"service_writes":false}}`, false}} {
		status, out = p.api(opsKey, http.MethodPatch, "/api/integrations/other", c.body)
		require.Equal(t, http.StatusOK, status, out)
		assert.Equal(t, c.on, out["settings"].(map[string]any)["service_writes"], "what is left out stays")
	}
	named := false
	for _, line := range p.audit() {
		named = named || line.Entry.Tool == "confluence_add_label" && line.Entry.Principal == "free|acme|user|u-bob" && line.Outcome.Result == "ok" && !line.Entry.DryRun
	}
	assert.True(t, named, "the record names the user")
}
