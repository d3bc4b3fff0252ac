package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// approvers are agents that decide, each with the key of one it stands for.
var approvers = map[string]string{
	"cmk_canary-lead_10af20be30cd": "u-bob",
	"cmk_canary-mail_41af52be63cd": "bob@acme.test",
	"cmk_canary-name_71af82be93cd": "bob",
	"cmk_canary-else_a1afb2bec3cd": "u-cid",
	"cmk_canary-gone_d1afe2bef3cd": "u-zoe",
}

// serveApprovers is a product with them beside the agents of a file.
func serveApprovers(t *testing.T, site *emulatortest.Emulator, file, integration string) *product {
	t.Helper()
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, site.Token("u-bot")), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["HELP_KEY"], p.env["BOSS_KEY"] = helpKey, bossKey
	for key, user := range approvers {
		name := key[len("cmk_canary-"):][:4]
		p.env["KEY_"+name] = key
		file += "  - {name: " + name + `, key: "${KEY_` + name + `}", profile: read-only, approver: true, identity: {integration: ` + integration + ", user: " + user + "}}\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(file), 0o600))
	p.start()
	return p
}

// verdictOf looks at a request and approves it with a key.
func (p *product) verdictOf(key, id string) (status int, code string) {
	p.t.Helper()
	_, shown := p.api(key, http.MethodGet, "/api/approvals/"+id, "")
	require.NotEmpty(p.t, shown["view"], shown)
	status, out := p.api(key, http.MethodPost, "/api/approvals/"+id+"/approve", `{"view":"`+shown["view"].(string)+`"}`)
	return status, codeOf(out)
}

// Nobody approves their own change under another name of their account: who
// asks and who decides are compared by account id, and whose id cannot be found
// decides nothing.
func TestH02_NamesOfOneAccountAreOnePerson(t *testing.T) {
	site := emulatortest.Start(t)
	p := serveApprovers(t, site, lendingFile, "acme")
	for _, requester := range []string{"u-bob", "bob@acme.test"} {
		a := p.callFor(helpKey, requester, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "For " + requester})
		require.Equal(t, "approval.required", a.Kind, a.Text)
		id := a.Structured["error"].(map[string]any)["approval_id"].(string)
		_, shown := p.api(bossKey, http.MethodGet, "/api/approvals/"+id, "")
		assert.Equal(t, "u-bob", shown["requester"].(map[string]any)["account"])
		mark := markOf(site)
		for key, user := range approvers {
			if user == "u-cid" {
				continue
			}
			status, code := p.verdictOf(key, id)
			assert.Equal(t, http.StatusForbidden, status, "%s by %s", requester, user)
			assert.Equal(t, "approval.self", code, "%s by %s", requester, user)
		}
		for _, r := range site.Requests(mark) {
			assert.True(t, reads(r), "%s %s", r.Method, r.Path)
		}
	}
	a := p.callFor(helpKey, "bob@acme.test", "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "For somebody else"})
	id := a.Structured["error"].(map[string]any)["approval_id"].(string)
	for key, user := range approvers {
		if user == "u-cid" {
			status, code := p.verdictOf(key, id)
			assert.Equal(t, http.StatusOK, status, code)
		}
	}
	assert.Equal(t, 1, writes(site))
}

// Where rights are not synced the copy knows nobody, and an approver's account
// is still found by its id.
func TestAnApproversAccountIsFoundWithoutSyncedRights(t *testing.T) {
	site := emulatortest.Start(t)
	p := serveApprovers(t, site, productFile+`  - {name: help, key: "${HELP_KEY}", profile: careful, identity: {integration: default, user: bot@acme.test}}`+"\n", "default")
	id := p.askFor("New name")
	for key, user := range approvers {
		if user == "u-zoe" || user == "bob" {
			status, code := p.verdictOf(key, id)
			assert.Equal(t, http.StatusForbidden, status, user)
			assert.Equal(t, "approval.self", code, user)
		}
	}
	assert.Zero(t, writes(site))
	for key, user := range approvers {
		if user == "u-cid" {
			status, code := p.verdictOf(key, id)
			assert.Equal(t, http.StatusOK, status, code)
		}
	}
	assert.Equal(t, 1, writes(site))
}
