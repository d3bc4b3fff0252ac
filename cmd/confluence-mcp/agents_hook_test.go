package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// mailbox is a webhook. It refuses with each status in turn, then takes what
// comes.
type mailbox struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	tries    int
	took     []taken
}

type taken struct {
	stamp, signature string
	body             []byte
}

func newMailbox(t *testing.T, statuses ...int) *mailbox {
	t.Helper()
	m := &mailbox{statuses: statuses}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tries++
		if len(m.statuses) > 0 {
			w.WriteHeader(m.statuses[0])
			m.statuses = m.statuses[1:]
			return
		}
		m.took = append(m.took, taken{r.Header.Get(approval.TimestampHeader), r.Header.Get(approval.SignatureHeader), b})
	}))
	t.Cleanup(m.Close)
	return m
}

// events are what was taken, each with its signature good under a secret.
func (m *mailbox) events(t *testing.T, secret string) (out []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.took {
		if approval.Sign(secret, one.stamp, one.body) != one.signature {
			out = append(out, "forged")
			continue
		}
		var n struct{ Event, Agent string }
		require.NoError(t, json.Unmarshal(one.body, &n))
		assert.NotContains(t, string(one.body), "New name")
		out = append(out, n.Agent+" "+n.Event)
	}
	return out
}

func (m *mailbox) get(t *testing.T, secret string, want ...string) {
	t.Helper()
	eventually(t, func() bool { return len(m.events(t, secret)) >= len(want) })
	assert.Equal(t, want, m.events(t, secret))
}

// serveDecided is the product with boss, who decides. Agents are made by hand.
func serveDecided(t *testing.T) (*product, *emulatortest.Emulator) {
	t.Helper()
	site := emulatortest.Start(t, siteWith(botToken))
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["BOSS_KEY"] = bossKey
	more := `  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true, notify: {url: "https://hooks.acme.test/canary-hook", secret: "${APP_SECRET}"}}` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+more), 0o600))
	p.start()
	return p, site
}

// asks has an agent ask for a change, and boss approve it; both quickly.
func (p *product) asks(key, page string) string {
	p.t.Helper()
	base := 1
	if page == "1001" {
		base = 3
	}
	began := time.Now()
	a := p.call(key, "update_page", map[string]any{"page_id": page, "base_version": base, "title": "New name " + page}).tool(p.t)
	require.Equal(p.t, "approval.required", a.Kind, a.Text)
	id, _ := a.Structured["error"].(map[string]any)["approval_id"].(string)
	_, shown := p.api(bossKey, "GET", "/api/approvals/"+id, "")
	view, _ := shown["view"].(string)
	status, out := p.api(bossKey, "POST", "/api/approvals/"+id+"/approve", `{"view":"`+view+`"}`)
	assert.Equal(p.t, 200, status, out)
	assert.Equal(p.t, "executed", out["state"], out)
	assert.Less(p.t, time.Since(began), 5*time.Second*raceFactor, "nobody waits for a receiver")
	return id
}

const fixed = `"profile":"careful","integration":"default","user":"bot@acme.test"`

// Agents made over REST are told of their approvals, signed with a secret that
// was shown once; whatever their receiver does, decisions go on.
func TestAgentsMadeByHandAreToldOfTheirApprovals(t *testing.T) {
	p, _ := serveDecided(t)
	box := newMailbox(t, 503)
	status, made := p.api(opsKey, "POST", "/api/agents", `{"name":"maria",`+fixed+`,"notify_url":"`+box.URL+`/canary-hook?x=1"}`)
	require.Equal(t, 201, status, made)
	key, secret := made["key"].(string), made["notify_secret"].(string)
	assert.True(t, strings.HasPrefix(secret, "cmh_") && len(secret) > 40, "256 bits")
	assert.Equal(t, strings.TrimPrefix(box.URL, "http://"), made["notify_host"])
	p.asks(key, "1001")
	box.get(t, secret, "maria approval.pending", "maria approval.executed")
	assert.Equal(t, 3, box.tries, "the refused one came again")

	other := newMailbox(t)
	status, changed := p.api(opsKey, "PATCH", "/api/agents/maria", `{"notify_url":"`+other.URL+`"}`)
	require.Equal(t, 200, status, changed)
	next := changed["notify_secret"].(string)
	assert.NotEqual(t, secret, next)
	p.asks(key, "1003")
	other.get(t, next, "maria approval.pending", "maria approval.executed")
	assert.Len(t, box.events(t, secret), 2, "the first receiver hears no more")

	for _, list := range []string{p.send("GET", "/api/agents", opsKey, "", nil).body, p.list("agents", "list"), p.list("agents", "list", "--json")} {
		assert.Contains(t, list, strings.TrimPrefix(other.URL, "http://"))
		assert.Contains(t, list, "hooks.acme.test", "of the file")
		for _, hidden := range []string{secret, next, "canary-hook", appSecret} {
			assert.NotContains(t, list, hidden)
		}
	}
	status, changed = p.api(opsKey, "PATCH", "/api/agents/maria", `{"notify_url":""}`)
	assert.Equal(t, 200, status, changed)
	assert.NotContains(t, changed, "notify_secret")
	p.asks(key, "1005")
	p.stop()
	assert.Len(t, other.events(t, next), 2)
	for _, name := range []string{"precious.db", "precious.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(p.dir, "data", name))
		if err == nil {
			assert.NotContains(t, string(raw), "canary-hook", "the address is sealed")
			assert.NotContains(t, string(raw), secret)
			assert.NotContains(t, string(raw), next)
		}
	}
	assert.NotContains(t, p.errOut.String(), secret)
	assert.NotContains(t, p.errOut.String(), "canary-hook")
}

func (p *product) list(args ...string) string {
	p.t.Helper()
	out, errOut, code := p.command(args...)
	require.Equal(p.t, exitOK, code, errOut)
	return out
}

// The command line makes them too, in the running server and after a restart.
func TestAgentsOfTheCommandLineAreToldOfTheirApprovals(t *testing.T) {
	p, _ := serveDecided(t)
	box, later := newMailbox(t), newMailbox(t)
	lines := strings.Fields(p.list("agents", "add", "maria", "--profile", "careful", "--user", "default:bot@acme.test", "--notify-url", box.URL))
	require.Len(t, lines, 2, "a key and a secret")
	key, secret := lines[0], lines[1]
	p.asks(key, "1001")
	box.get(t, secret, "maria approval.pending", "maria approval.executed")
	p.stop()
	next := strings.TrimSpace(p.list("agents", "notify", "maria", later.URL))
	p.errOut, p.url = &planted.Log{}, ""
	p.start()
	p.asks(key, "1003")
	later.get(t, next, "maria approval.pending", "maria approval.executed")
	p.list("agents", "notify", "maria", "--none")
	assert.NotContains(t, p.list("agents", "list"), strings.TrimPrefix(later.URL, "http://"))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"agents", "notify", "maria", "http://acme.example/canary"}, "https"},
		{[]string{"agents", "notify", "nobody", later.URL}, "no such agent"},
		{[]string{"agents", "notify", "boss", later.URL}, "configuration file"},
		{[]string{"agents", "notify", "maria"}, "--none"},
		{[]string{"agents", "add", "mallory", "--profile", "careful", "--notify-url", "https://u:canary@acme.example/"}, "user name"},
	} {
		_, errOut, code := p.command(c.args...)
		assert.NotEqual(t, exitOK, code, c.args)
		assert.Contains(t, errOut, c.says)
		assert.NotContains(t, errOut, "canary")
	}
	assert.NotContains(t, p.list("agents", "list"), "mallory")
}

// What is refused changes nothing and sends nothing.
func TestHooksThatAreRefused(t *testing.T) {
	p, site := serveDecided(t)
	before := len(site.Requests(0))
	status, _ := p.api(opsKey, "POST", "/api/agents", `{"name":"maria",`+fixed+`}`)
	require.Equal(t, 201, status)
	for address, says := range map[string]string{
		"http://acme.example/x":              "https",
		"https://u:canary@acme.example/":     "user name",
		"https://acme.example/#canary":       "fragment",
		"file:///etc/passwd":                 "not valid",
		"gopher://acme.example/":             "https",
		"https://169.254.169.254/canary":     "does not reach",
		"https://[::ffff:169.254.169.254]/":  "does not reach",
		"http://127.0.0.1.acme.example/":     "https",
		"https://acme.example/\\u000acanary": "not valid",
	} {
		for _, c := range [][3]string{{"POST", "/api/agents", `{"name":"mallory",` + fixed + `,"notify_url":"` + address + `"}`}, {"PATCH", "/api/agents/maria", `{"notify_url":"` + address + `"}`}} {
			status, out := p.api(opsKey, c[0], c[1], c[2])
			assert.Equal(t, 400, status, address)
			assert.Equal(t, "input.notify_url", codeOf(out), address)
			assert.Contains(t, fmt.Sprint(out), says, address)
			assert.NotContains(t, fmt.Sprint(out), "canary")
		}
	}
	for _, c := range []struct {
		key, path, body string
		status          int
	}{
		{annKey, "/api/agents/maria", `{"notify_url":"https://acme.example/"}`, 403},
		{bossKey, "/api/agents/maria", `{"notify_url":"https://acme.example/"}`, 403},
		{opsKey, "/api/agents/nobody", `{"notify_url":"https://acme.example/"}`, 404},
		{opsKey, "/api/agents/boss", `{"notify_url":"https://acme.example/"}`, 409},
		{opsKey, "/api/agents/maria", `{}`, 400},
		{opsKey, "/api/agents/maria", `{"notify_url":"https://acme.example/","admin":true}`, 400},
		{opsKey, "/api/agents/maria", `{"notify_url":5}`, 400},
	} {
		status, out := p.api(c.key, "PATCH", c.path, c.body)
		assert.Equal(t, c.status, status, "%s %s: %v", c.path, c.body, out)
	}
	list := p.send("GET", "/api/agents", opsKey, "", nil).body
	assert.NotContains(t, list, "mallory")
	assert.NotContains(t, list, "acme.example")
	assert.Empty(t, site.Requests(before))
}

// A receiver that hangs, or is gone, delays no decision and no other receiver.
func TestAReceiverThatHangsDelaysNoDecision(t *testing.T) {
	p, _ := serveDecided(t)
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hangs.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	box := newMailbox(t)
	secrets, keys := map[string]string{}, map[string]string{}
	for name, address := range map[string]string{"hangs": hangs.URL, "gone": gone.URL, "good": box.URL} {
		status, made := p.api(opsKey, "POST", "/api/agents", `{"name":"`+name+`",`+fixed+`,"notify_url":"`+address+`"}`)
		require.Equal(t, 201, status, made)
		keys[name], secrets[name] = made["key"].(string), made["notify_secret"].(string)
	}
	p.asks(keys["hangs"], "1001")
	p.asks(keys["gone"], "1003")
	p.asks(keys["good"], "1005")
	box.get(t, secrets["good"], "good approval.pending", "good approval.executed")
}
