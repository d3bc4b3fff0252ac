package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
)

func TestPendingApprovalsCanBeWithdrawn(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	own, admins, local := p.askFor("One"), p.askFor("Two"), p.askFor("Three")
	status, out := p.api(helpKey, "POST", "/api/approvals/"+own+"/cancel", `{}`)
	assert.Equal(t, 200, status, out)
	assert.Equal(t, "cancelled", out["state"])
	status, out = p.api(annKey, "POST", "/api/approvals/"+admins+"/cancel", `{}`)
	assert.Equal(t, 404, status, out)
	status, out = p.api(opsKey, "POST", "/api/approvals/"+admins+"/cancel", `{}`)
	assert.Equal(t, 200, status, out)
	assert.Equal(t, "Cancelled by an administrator.", out["reason"])
	text, errOut, code := p.command("approvals", "cancel", local)
	assert.Zero(t, code, errOut)
	assert.Contains(t, text, "cancelled")
	_, errOut, code = p.command("approvals", "approve", local)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "cancelled")
	assert.Zero(t, writes(site))
}

// A change whose answer was lost and that is nowhere to be found out waits for
// a person, who looks and says so.
func TestADoubtIsResolvedByHand(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	id := p.askFor("New name")
	p.stop()
	p.loseAnswerOf(id)
	site.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages/1001*","action":{"status":503},"times":9000}`) // looking for it does not help
	p.errOut, p.url = &planted.Log{}, ""
	p.start()
	_, errOut, code := p.command("approvals", "resolve", id, "--note", "x")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errOut, "--landed")
	_, errOut, code = p.command("approvals", "resolve", id, "--landed")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "needs a note")
	for _, c := range []struct {
		key, body string
		status    int
	}{{helpKey, `{"landed":true,"note":"x"}`, 403}, {annKey, `{"landed":true,"note":"x"}`, 403}, {bossKey, `{"note":"x"}`, 400}, {bossKey, `{"landed":true}`, 400}} {
		status, out := p.api(c.key, "POST", "/api/approvals/"+id+"/resolve", c.body)
		assert.Equal(t, c.status, status, out)
	}
	out, errOut, code := p.command("approvals", "resolve", id, "--not-landed", "--note", "The page is still at version 3.", "--json")
	assert.Zero(t, code, errOut)
	assert.Contains(t, out, `"state":"failed"`)
	assert.Contains(t, out, `"resolved_by":"cli|local"`)
	a := p.call(helpKey, "get_approval", map[string]any{"approval_id": id}).tool(t)
	assert.Equal(t, "failed", a.Structured["state"])
	assert.Contains(t, a.Text, "still at version 3")
	log, _, code := p.command("audit", "export")
	assert.Zero(t, code)
	assert.Contains(t, log, `"from":"in_doubt","to":"failed","principal":"cli|local","reason":"missing"`)
}

// lost makes changes whose answer never comes.
type lost struct{}

func (lost) Prepare(context.Context, approval.Request) (func(context.Context) approval.Event, approval.Event) {
	return func(context.Context) approval.Event { return approval.Event{Word: approval.Lose, Reason: "No answer."} }, approval.Event{}
}

func (lost) Landed(context.Context, approval.Request) approval.Event {
	return approval.Event{Word: approval.Unclear}
}

type everyRight struct{}

func (everyRight) MayApprove(context.Context, approval.Person) (bool, error) { return true, nil }
func (everyRight) MayAsk(context.Context, identity.Caller) (bool, error)     { return true, nil }

// loseAnswerOf approves a request and loses what Confluence says, in the folder
// nobody owns just now.
func (p *product) loseAnswerOf(id string) {
	p.t.Helper()
	s := p.folder()
	desk, err := approval.New(p.t.Context(), approval.Config{Book: s, Rights: everyRight{}, Now: time.Now})
	require.NoError(p.t, err)
	desk.Bind(lost{})
	r, err := desk.Show(p.t.Context(), id)
	require.NoError(p.t, err)
	r, err = desk.Approve(p.t.Context(), approval.Verdict{ID: id, Digest: r.Digest, By: approval.Person{Principal: "boss||public|", Agent: "boss", Owner: "boss"}})
	require.NoError(p.t, err)
	require.Equal(p.t, approval.InDoubt, r.State)
	require.NoError(p.t, s.Close())
}

// dialog is a client over standard streams that is asked things.
type dialog struct {
	t   *testing.T
	in  *io.PipeWriter
	out *bufio.Reader
}

func (d dialog) say(text string, args ...any) {
	d.t.Helper()
	_, err := fmt.Fprintf(d.in, text+"\n", args...)
	require.NoError(d.t, err)
}

func (d dialog) hear() map[string]any {
	d.t.Helper()
	l, err := d.out.ReadString('\n')
	require.NoError(d.t, err)
	var m map[string]any
	require.NoError(d.t, json.Unmarshal([]byte(l), &m), l)
	return m
}

// asked serves careful over stdio to a client that shows forms.
func asked(t *testing.T, site *emulatortest.Emulator, confirm bool) (*product, dialog, func()) {
	t.Helper()
	dir := productFolder(t, carefulProfile)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(productFile+fmt.Sprintf("approvals: {self_confirm: %v}\n", confirm)), 0o600))
	p := &product{t: t, dir: dir, env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	q := p.program("")
	q.in, q.out = inR, outW
	ended := make(chan int, 1)
	go func() {
		ended <- q.run(t.Context(), []string{"serve", "--config", filepath.Join(dir, "c.yaml"), "--profile", "careful"})
	}()
	d := dialog{t, inW, bufio.NewReader(outR)}
	d.say(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"desk","version":"1"}}}`)
	d.hear()
	return p, d, func() { require.NoError(t, inW.Close()); assert.Zero(t, <-ended, p.errOut.String()) }
}

const renameCall = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"confluence_update_page","arguments":{"page_id":"1001","base_version":3,"title":"New name"}}}`

// The requester's own word, through the client, is enough over stdio with
// self_confirm and only then; the change is made once and recorded.
func TestElicitationSatisfiesRequireApprovalOnlyWithSelfConfirm(t *testing.T) {
	for name, c := range map[string]struct {
		confirm bool
		answer  string
		writes  int
		kind    string
		step    string
	}{
		"off":      {false, "", 0, "approval.required", `"from":"","to":"pending"`},
		"accepted": {true, `{"action":"accept","content":{"confirm":true}}`, 1, "", `"from":"pending","to":"approved","principal":"local||service|","reason":"self_confirm"`},
		"declined": {true, `{"action":"decline"}`, 0, "approval.declined", `"from":"pending","to":"cancelled"`},
		"closed":   {true, `{"action":"cancel"}`, 0, "approval.required", `"from":"","to":"pending"`},
	} {
		t.Run(name, func(t *testing.T) {
			site := emulatortest.Start(t, siteWith(botToken))
			p, d, end := asked(t, site, c.confirm)
			d.say(renameCall, 1)
			m := d.hear()
			if c.answer != "" {
				require.Equal(t, "elicitation/create", m["method"], m)
				text, _ := m["params"].(map[string]any)["message"].(string)
				assert.Contains(t, text, "+title: New name")
				id, _ := json.Marshal(m["id"])
				assert.Zero(t, writes(site))
				d.say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, c.answer)
				m = d.hear()
			}
			result, _ := json.Marshal(m["result"])
			assert.Contains(t, string(result), map[bool]string{true: `"kind":"` + c.kind, false: "Done: "}[c.kind != ""])
			assert.Equal(t, c.writes, writes(site))
			end()
			log, errOut, code := p.command("audit", "export")
			assert.Zero(t, code, errOut)
			assert.Contains(t, log, c.step)
		})
	}
}

// Over HTTP nobody confirms their own change, whatever the client can show.
func TestElicitationIsNotOfferedOverHTTP(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["HELP_KEY"] = helpKey
	more := "  - {name: help, key: \"${HELP_KEY}\", profile: careful, identity: {integration: default, user: bot@acme.test}}\napprovals: {self_confirm: true}\n"
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+more), 0o600))
	p.start()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_update_page","arguments":{"page_id":"1001","base_version":3,"title":"New name"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}}}}`
	r := p.send(http.MethodPost, "/mcp", helpKey, body, map[string]string{"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_update_page"})
	assert.Contains(t, r.body, "approval.required")
	assert.False(t, strings.Contains(r.body, "input_required"), r.body)
	assert.Zero(t, writes(site))
}
