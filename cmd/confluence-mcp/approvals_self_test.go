package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
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
		p.env["KEY_"+strings.ToUpper(name)] = key
		file += "  - {name: " + name + `, key: "${KEY_` + strings.ToUpper(name) + `}", profile: read-only, approver: true, identity: {integration: ` + integration + ", user: " + user + "}}\n"
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

// saidTo looks at a request, approves it with a key and gives what is wrong with
// that.
func (p *product) saidTo(key, id string) string {
	p.t.Helper()
	_, shown := p.api(key, http.MethodGet, "/api/approvals/"+id, "")
	_, out := p.api(key, http.MethodPost, "/api/approvals/"+id+"/approve", `{"view":"`+shown["view"].(string)+`"}`)
	said, _ := out["error"].(map[string]any)["message"].(string)
	return said
}

// keyOf is the key of the approver that stands for an account.
func keyOf(account string) string {
	for key, user := range approvers {
		if user == account {
			return key
		}
	}
	return ""
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
			says := "Who asked for a change cannot approve it."
			if user == "u-zoe" || user == "bob" { // which is nobody's name on Cloud
				says = "Whose account " + user + " is can't be found out, and who asked for a change cannot approve it."
			}
			assert.Equal(t, says, p.saidTo(key, id), "%s by %s", requester, user)
		}
		for _, r := range site.Requests(mark) {
			assert.True(t, reads(r), "%s %s", r.Method, r.Path)
		}
	}
	a := p.callFor(helpKey, "bob@acme.test", "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "For somebody else"})
	id := a.Structured["error"].(map[string]any)["approval_id"].(string)
	status, code := p.verdictOf(keyOf("u-cid"), id)
	assert.Equal(t, http.StatusOK, status, code)
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
	status, code := p.verdictOf(keyOf("u-cid"), id)
	assert.Equal(t, http.StatusOK, status, code)
	assert.Equal(t, 1, writes(site))
}

// While Confluence does not say whose account it is, that is what an approver
// reads: it passes, and nothing is decided.
func TestH02_AnOutageIsNotAnApproverOfTheirOwnChange(t *testing.T) {
	site := emulatortest.Start(t)
	p := serveApprovers(t, site, productFile+`  - {name: help, key: "${HELP_KEY}", profile: careful, identity: {integration: default, user: bot@acme.test}}`+"\n", "default")
	id := p.askFor("New name")
	_, shown := p.api(keyOf("u-cid"), http.MethodGet, "/api/approvals/"+id, "")
	site.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/user*","action":{"status":500}}`)
	r := p.send(http.MethodPost, "/api/approvals/"+id+"/approve", keyOf("u-cid"), `{"view":"`+shown["view"].(string)+`"}`, nil)
	assert.Equal(t, http.StatusServiceUnavailable, r.status, r.body)
	assert.NotEmpty(t, r.header.Get("Retry-After"))
	assert.Contains(t, r.body, "Whose account u-cid is can't be found out now")
	_, shown = p.api(keyOf("u-cid"), http.MethodGet, "/api/approvals/"+id, "")
	assert.Equal(t, "pending", shown["state"])
	site.Apply(`{"kind":"fault","clear":true}`)
	status, code := p.verdictOf(keyOf("u-cid"), id)
	assert.Equal(t, http.StatusOK, status, code)
}

// peopleAsked are the look-ups of accounts since a mark.
func peopleAsked(site *emulatortest.Emulator, mark int) []string {
	var out []string
	for _, r := range site.Requests(mark) {
		if strings.HasPrefix(r.Path, "/wiki/rest/api/user") {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

// What nobody's account is needed for does without Confluence: to reject, to
// cancel, and to refuse what can be told here.
func TestDecisionsThatNeedNoAccountAskNobody(t *testing.T) {
	site := emulatortest.Start(t)
	p := serveApprovers(t, site, productFile+`  - {name: help, key: "${HELP_KEY}", profile: careful, identity: {integration: default, user: bot@acme.test}}
  - {name: twin, key: "${BOSS_KEY}", profile: careful, approver: true, identity: {integration: default, user: u-bot}}
`, "default")
	rejected, cancelled, kept := p.askFor("One"), p.askFor("Two"), p.askFor("Three")
	site.Apply(`{"kind":"fault","match":"* *","action":{"status":500}}`)
	mark := markOf(site)
	for _, c := range []struct {
		key, path, body string
		status          int
		says            string
	}{
		{keyOf("u-cid"), rejected + "/reject", `{"reason":"No."}`, http.StatusOK, "rejected"},
		{opsKey, cancelled + "/cancel", `{}`, http.StatusOK, "cancelled"},
		{keyOf("u-cid"), kept + "/approve", `{"view":"x"}`, http.StatusConflict, "approval.view"},
		{bossKey, kept + "/approve", `{"view":"x"}`, http.StatusForbidden, "approval.self"},
		{keyOf("u-cid"), kept + "/resolve", `{"landed":true,"note":"It is there."}`, http.StatusConflict, "approval.state"},
	} {
		status, out := p.api(c.key, http.MethodPost, "/api/approvals/"+c.path, c.body)
		assert.Equal(t, c.status, status, "%s: %v", c.path, out)
		state, _ := out["state"].(string)
		assert.Equal(t, c.says, state+codeOf(out))
	}
	assert.Empty(t, peopleAsked(site, mark))
}

const standingFile = `data_dir: ./data
profiles_dir: ./profiles
integrations:
  - {name: acme, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}"}
agents:
  - {name: ops, key: "${OPS_KEY}", profile: read-only, admin: true}
  - {name: help, key: "${HELP_KEY}", profile: careful%s}
`

// H07: an approved change is made only if the agent may still ask as whom it
// asked: its profile alone is not who it is.
func TestH07_AgentWithAnotherIdentityIsNotServed(t *testing.T) {
	const users, bot, mail, ann = ", act_for_users: true", ", identity: {integration: acme, user: u-bot}", ", identity: {integration: acme, user: bot@acme.test}", ", identity: {integration: acme, user: u-ann}"
	for name, c := range map[string]struct {
		then, now string
		made      bool
	}{
		"names no users any more":   {users, ann, false},
		"is nobody":                 {bot, "", false},
		"is somebody else":          {mail, ann, false},
		"is whom it named":          {users, bot, true},
		"names users now":           {bot, users, true},
		"is the same by other name": {bot, mail, true},
	} {
		t.Run(name, func(t *testing.T) {
			site := emulatortest.Start(t)
			p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, site.Token("u-bot")), out: &planted.Log{}, errOut: &planted.Log{}}
			p.env["HELP_KEY"] = helpKey
			file := filepath.Join(p.dir, "c.yaml")
			require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, standingFile, c.then), 0o600))
			p.start()
			in := map[string]any{"page_id": "1001", "base_version": 3, "title": "New name"}
			var a toolAnswer
			if c.then == users {
				a = p.callFor(helpKey, "u-bot", "update_page", in)
			} else {
				a = p.call(helpKey, "update_page", in).tool(t)
			}
			require.Equal(t, "approval.required", a.Kind, a.Text)
			p.stop()
			require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, standingFile, c.now), 0o600))
			out, errOut, code := p.command("approvals", "approve", a.Structured["error"].(map[string]any)["approval_id"].(string))
			if c.made {
				assert.Zero(t, code, errOut)
				assert.Equal(t, 1, writes(site))
				return
			}
			assert.Equal(t, exitFailed, code)
			assert.Contains(t, out, "not a caller of this server any more")
			assert.Zero(t, writes(site))
		})
	}
}

// standingOf is a folder with an agent of that identity, and with boss.
func standingOf(t *testing.T, site *emulatortest.Emulator, identity string) *product {
	t.Helper()
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, site.Token("u-bot")), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["HELP_KEY"], p.env["BOSS_KEY"] = helpKey, bossKey
	text := fmt.Sprintf(standingFile, identity) + `  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true}` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(text), 0o600))
	return p
}

// H07: an approved change of an agent whose name has become nobody's ends, and
// who approved it reads that.
func TestH07_AgentWhoseNameIsNobodysAnyMoreIsNotServed(t *testing.T) {
	site := emulatortest.Start(t)
	p := standingOf(t, site, ", identity: {integration: acme, user: bot@acme.test}")
	p.start()
	id := p.askFor("New name")
	p.stop()
	file := filepath.Join(p.dir, "c.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "username: bot@", "username: ann@", 1)), 0o600))
	p.env["BOT_TOKEN"], p.errOut, p.url = site.Token("u-ann"), &planted.Log{}, ""
	p.start()
	_, shown := p.api(bossKey, http.MethodGet, "/api/approvals/"+id, "")
	status, out := p.api(bossKey, http.MethodPost, "/api/approvals/"+id+"/approve", `{"view":"`+shown["view"].(string)+`"}`)
	assert.Equal(t, http.StatusOK, status, out)
	assert.Equal(t, "cancelled", out["state"])
	assert.Equal(t, "auth.credentials", out["code"])
	assert.Zero(t, writes(site))
}

// H07: an agent that asked by a name whose account is known is told without asking
// Confluence; about others an outage is no answer.
func TestH07_AnOutageEndsNoApprovedChange(t *testing.T) {
	site := emulatortest.Start(t)
	p := standingOf(t, site, ", identity: {integration: acme, user: bot@acme.test}")
	q := p.program("")
	cfg, err := config.Load(config.Source{File: filepath.Join(p.dir, "c.yaml"), Getenv: q.getenv, ReadFile: os.ReadFile})
	require.NoError(t, err)
	e, err := q.open(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.close()) }()
	require.Equal(t, "u-bot", e.sites.Account(t.Context(), "acme", "bot@acme.test"))
	site.Apply(`{"kind":"fault","match":"GET *","action":{"status":500}}`)
	mark := markOf(site)
	c := identity.Caller{Kind: identity.User, Agent: "help", Profile: "careful", Integration: "acme", AccountID: "u-bot"}
	may, err := clearance{e, time.Now}.MayAsk(t.Context(), c)
	require.NoError(t, err)
	assert.True(t, may)
	assert.Empty(t, site.Requests(mark))
	c.AccountID = "u-ann"
	_, err = clearance{e, time.Now}.MayAsk(t.Context(), c)
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err), "%v", err)
}

// Requests of others take no place in the list of an agent's own.
func TestALimitedListIsOfTheAgentsOwn(t *testing.T) {
	p := serveCareful(t, emulatortest.Start(t, siteWith(botToken)), "https://127.0.0.1:1/")
	own := p.askFor("New name")
	for _, title := range []string{"Another name", "A third name"} {
		a := p.call(twinKey, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": title}).tool(t)
		require.Equal(t, "approval.required", a.Kind, a.Text)
	}
	_, out := p.api(helpKey, http.MethodGet, "/api/approvals?limit=1", "")
	require.Len(t, out["approvals"], 1)
	assert.Equal(t, own, out["approvals"].([]any)[0].(map[string]any)["id"])
	_, out = p.api(bossKey, http.MethodGet, "/api/approvals?limit=10", "")
	assert.Len(t, out["approvals"], 3)
}
