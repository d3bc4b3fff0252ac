package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

const carefulProfile = `
version: 1
name: careful
groups:
  pages: {level: read_write, allow_delete: true, require_approval: true}
  search: {level: read_only}
`

const (
	helpKey = "cmk_canary-help_0a1b2c3d4e5f"
	bossKey = "cmk_canary-boss_5f4e3d2c1b0a"
	twinKey = "cmk_canary-twin_77aa66bb55cc"
)

// serveCareful is the product with agent help, whose writes wait, boss, who
// decides, and twin, who may decide and acts as the account help acts as.
func serveCareful(t *testing.T, site *emulatortest.Emulator, hook string) *product {
	t.Helper()
	p := newCareful(t, site, hook)
	p.start()
	return p
}

// newCareful is that product before its start.
func newCareful(t *testing.T, site *emulatortest.Emulator, hook string) *product {
	t.Helper()
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["HELP_KEY"], p.env["BOSS_KEY"], p.env["TWIN_KEY"] = helpKey, bossKey, twinKey
	more := `  - {name: help, key: "${HELP_KEY}", profile: careful, identity: {integration: default, user: bot@acme.test}, notify: {url: "` + hook + `", secret: "${APP_SECRET}"}}
  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true}
  - {name: twin, key: "${TWIN_KEY}", profile: careful, approver: true, identity: {integration: default, user: u-bot}}
`
	f := filepath.Join(p.dir, "c.yaml")
	require.NoError(t, os.WriteFile(f, []byte(productFile+more), 0o600))
	return p
}

// askFor makes the call, which has to wait, and gives the id of its approval.
func (p *product) askFor(title string) string {
	p.t.Helper()
	a := p.call(helpKey, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": title}).tool(p.t)
	require.Equal(p.t, "approval.required", a.Kind, a.Text)
	id, _ := a.Structured["error"].(map[string]any)["approval_id"].(string)
	require.Len(p.t, id, 32)
	return id
}

// api asks the REST surface and decodes what it says.
func (p *product) api(key, method, path, body string) (int, map[string]any) {
	p.t.Helper()
	r := p.send(method, path, key, body, nil)
	out := map[string]any{}
	require.NoError(p.t, json.Unmarshal([]byte(r.body), &out), r.body)
	assert.Equal(p.t, "no-store", r.header.Get("Cache-Control"))
	return r.status, out
}

func codeOf(out map[string]any) string {
	e, _ := out["error"].(map[string]any)
	c, _ := e["kind"].(string)
	return c
}

// command runs another command line over the same folder.
func (p *product) command(args ...string) (out, errOut string, code int) {
	p.t.Helper()
	var o, e planted.Log // which looks for planted secrets
	q := p.program("")
	q.out, q.errOut = &o, &e
	code = q.run(context.Background(), append(args, "--config", filepath.Join(p.dir, "c.yaml")))
	return o.String(), e.String(), code
}

func writes(site *emulatortest.Emulator) int {
	n := 0
	for _, r := range site.Requests(0) {
		if r.Method == http.MethodPut {
			n++
		}
	}
	return n
}

func TestApprovalsOverREST(t *testing.T) {
	var told atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		assert.Equal(t, approval.Sign(appSecret, r.Header.Get(approval.TimestampHeader), b), r.Header.Get(approval.SignatureHeader))
		assert.NotContains(t, string(b), "New name")
		told.Add(1)
	}))
	defer hook.Close()
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, hook.URL)
	id := p.askFor("New name")
	path := "/api/approvals/" + id

	status, out := p.api(bossKey, "GET", "/api/approvals", "")
	assert.Equal(t, 200, status)
	assert.Len(t, out["approvals"], 1)
	_, out = p.api(annKey, "GET", "/api/approvals", "")
	assert.Empty(t, out["approvals"], "others' requests are not listed")
	status, _ = p.api(annKey, "GET", path, "")
	assert.Equal(t, 404, status)
	status, _ = p.api("", "GET", path, "")
	assert.Equal(t, 401, status)
	status, out = p.api(helpKey, "GET", path, "")
	assert.Equal(t, 200, status)
	assert.Nil(t, out["view"], "who may not decide gets no proof of having looked")

	_, out = p.api(bossKey, "GET", path, "")
	assert.Contains(t, out["diff"], "+title: New name")
	view, _ := out["view"].(string)
	for _, c := range []struct {
		name, key, path, body string
		status                int
		code                  string
	}{
		{"no right", annKey, path + "/approve", `{"view":"` + view + `"}`, 403, "approval.right"},
		{"the requester", helpKey, path + "/approve", `{"view":"` + view + `"}`, 403, "approval.right"},
		{"H02 another agent of the same account", twinKey, path + "/approve", `{"view":"` + view + `"}`, 403, "approval.self"},
		{"nothing looked at", bossKey, path + "/approve", `{}`, 409, "approval.view"},
		{"H08 a guessed id", bossKey, "/api/approvals/00000000000000000000000000000000/approve", `{"view":"` + view + `"}`, 404, "not_found"},
		{"unknown field", bossKey, path + "/approve", `{"view":"` + view + `","force":true}`, 400, "input.malformed"},
		{"no reason", bossKey, path + "/reject", `{}`, 400, "input.reason"},
		{"not the requester's cancel", bossKey, path + "/cancel", `{}`, 403, "policy.denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, out := p.api(c.key, "POST", c.path, c.body)
			assert.Equal(t, c.status, status, out)
			assert.Equal(t, c.code, codeOf(out))
		})
	}
	assert.Zero(t, writes(site))
	for range 3 { // H10: the same click again has no second effect
		status, out = p.api(bossKey, "POST", path+"/approve", `{"view":"`+view+`"}`)
		assert.Equal(t, 200, status, out)
		assert.Equal(t, "executed", out["state"])
	}
	assert.Equal(t, 1, writes(site))
	a := p.call(helpKey, "get_approval", map[string]any{"approval_id": id}).tool(t)
	assert.Equal(t, "executed", a.Structured["state"])
	eventually(t, func() bool { return told.Load() == 2 })
}

func TestApprovalsOnTheCommandLine(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	id := p.askFor("New name")
	other := p.askFor("Another name")
	out, _, code := p.command("approvals", "list")
	require.Zero(t, code)
	assert.Contains(t, out, id)
	out, _, code = p.command("approvals", "show", id)
	require.Zero(t, code)
	assert.Contains(t, out, "+title: New name")
	_, errOut, code := p.command("approvals", "approve", id, "--digest", "sha256:0")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "not what the request is about")
	_, errOut, code = p.command("approvals", "reject", other)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "needs a reason")
	_, _, code = p.command("approvals", "reject", other, "--reason", "Not this one.")
	assert.Zero(t, code)
	assert.Zero(t, writes(site))
	out, errOut, code = p.command("approvals", "approve", id, "--json")
	assert.Zero(t, code, errOut)
	assert.Contains(t, out, `"state":"executed"`)
	assert.Equal(t, 1, writes(site))
	a := p.call(helpKey, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "Another name"}).tool(t)
	assert.Equal(t, "approval.rejected", a.Kind)
	assert.Contains(t, a.Text, "Not this one.")
	out, _, _ = p.command("approvals", "list", "--json")
	assert.JSONEq(t, `{"approvals":[]}`, out)
	out, _, _ = p.command("approvals", "list", "--all", "--json")
	assert.Contains(t, out, other)
}

// Without an owner the command makes the change itself.
func TestApprovalWithoutARunningServer(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	id := p.askFor("New name")
	p.stop()
	out, errOut, code := p.command("approvals", "approve", id)
	assert.Zero(t, code, errOut)
	assert.Contains(t, out, "executed")
	assert.Equal(t, 1, writes(site))
	_, errOut, code = p.command("approvals", "approve", strings.Repeat("0", 32))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "no approval with this id")
}

// H07: an approver whose right is taken away before the change is made.
func TestH07_RevokedRequesterIsNotServed(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	id := p.askFor("New name")
	p.stop()
	file := filepath.Join(p.dir, "c.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "name: help", "name: someone-else", 1)), 0o600))
	out, _, code := p.command("approvals", "approve", id)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "not a caller of this server any more")
	assert.Zero(t, writes(site))
}

// What was asked over stdio is confirmed at the command line only where the
// configuration says so.
func TestH02_StdioRequestsNeedSelfConfirm(t *testing.T) {
	for _, confirm := range []bool{false, true} {
		site := emulatortest.Start(t, siteWith(botToken))
		dir := productFolder(t, carefulProfile)
		file := filepath.Join(dir, "c.yaml")
		text := productFile
		if confirm {
			text += "approvals: {self_confirm: true}\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		p := &product{t: t, dir: dir, env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
		calls := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"confluence_update_page","arguments":{"page_id":"1001","base_version":3,"title":"New name"}}}
`
		require.Zero(t, p.program(calls).run(context.Background(), []string{"serve", "--config", file, "--profile", "careful"}), p.errOut.String())
		require.Contains(t, p.out.String(), "approval.required")
		out, _, _ := p.command("approvals", "list", "--json")
		var list struct{ Approvals []struct{ ID string } }
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		require.Len(t, list.Approvals, 1)
		_, errOut, code := p.command("approvals", "approve", list.Approvals[0].ID)
		if confirm {
			assert.Zero(t, code, errOut)
			assert.Equal(t, 1, writes(site))
			continue
		}
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, errOut, "self_confirm")
		assert.Zero(t, writes(site))
	}
}
