package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/store"
)

// product is the whole server, run from a configuration file and an
// environment as an administrator would, in front of a Confluence.
type product struct {
	t      *testing.T
	url    string // of the host
	dir    string // of configuration and data
	env    map[string]string
	out    *planted.Log
	errOut *planted.Log
	stop   func() int
	clock  func() time.Time // nil: the real one
}

// Secrets of the product in tests. Each is unique, so that finding one anywhere
// is a leak.
const (
	annKey    = "cmk_canary-ann_7f3a9d2c41e6"
	bobKey    = "cmk_canary-bob_15c0be7788aa"
	opsKey    = "cmk_canary-ops_90d1e2f3a4b5"
	appSecret = "canary-client-secret-c83d6e0f"
)

// productFile connects everybody as the account that BOT_TOKEN belongs to.
const productFile = `data_dir: ./data
profiles_dir: ./profiles
oauth: {client_id: app, client_secret: "${APP_SECRET}", redirect_url: http://127.0.0.1:1/oauth/callback}
integrations:
  - {name: default, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}"}
agents:
  - {name: ann, key: "${ANN_KEY}", profile: full-access, identity: {integration: default, user: bot@acme.test}}
  - {name: bob, key: "${BOB_KEY}", profile: read-only, identity: {integration: default, user: bot@acme.test}}
  - {name: ops, key: "${OPS_KEY}", profile: read-only, admin: true, identity: {integration: default, user: bot@acme.test}}
`

// productFolder writes the configuration and gives the folder it is in.
func productFolder(t *testing.T, profiles ...string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "profiles"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(productFile), 0o600))
	for i, text := range profiles {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "profiles", string(rune('a'+i))+".yaml"), []byte(text), 0o600))
	}
	return dir
}

func productEnv(site, token string) map[string]string {
	return map[string]string{"SITE": site, "BOT_TOKEN": token, "ANN_KEY": annKey, "BOB_KEY": bobKey, "OPS_KEY": opsKey, "APP_SECRET": appSecret}
}

// serveProduct runs the server until the test ends.
func serveProduct(t *testing.T, site, token string, profiles ...string) *product {
	t.Helper()
	p := &product{t: t, dir: productFolder(t, profiles...), env: productEnv(site, token), out: &planted.Log{}, errOut: &planted.Log{}}
	p.start()
	return p
}

// start serves until the test ends.
func (p *product) start() {
	p.t.Helper()
	p.startEmpty()
	p.settle()
}

// startEmpty serves until the test ends, with nothing to sync yet.
func (p *product) startEmpty() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- p.program("").run(ctx, []string{"serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", "127.0.0.1:0"})
	}()
	p.stop = sync.OnceValue(func() int { cancel(); return <-done })
	p.t.Cleanup(func() { p.stop() })
	eventually(p.t, func() bool { p.url = urlIn(p.errOut.String()); return p.url != "" || len(done) > 0 }, "%s", p.errOut)
	require.NotEmpty(p.t, p.url, p.errOut.String())
}

// settle waits for the end of the first pass: what reaches Confluence from then
// on was asked by a caller.
func (p *product) settle() {
	p.t.Helper()
	eventually(p.t, func() bool { return strings.Contains(p.errOut.String(), "sync pass ended") }, "%s", p.errOut)
}

// program is another run of the product over the same folder and environment.
func (p *product) program(in string) program {
	now := p.clock
	if now == nil {
		now = time.Now
	}
	return program{in: strings.NewReader(in), out: p.out, errOut: p.errOut, getenv: func(k string) string { return p.env[k] }, now: now}
}

func urlIn(logs string) string {
	for line := range strings.Lines(logs) {
		var entry struct{ URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.URL != "" {
			return strings.TrimSuffix(entry.URL, "/mcp")
		}
	}
	return ""
}

// reply is an HTTP answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (p *product) send(method, path, key, body string, header map[string]string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(p.t, err)
	defer func() { assert.NoError(p.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	return reply{status: res.StatusCode, header: res.Header, body: string(raw)}
}

const statelessMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// rpc is a stateless request; params are further members of its parameters.
func (p *product) rpc(key, method, name, params string) reply {
	p.t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + statelessMeta
	h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
	if name != "" {
		quoted, err := json.Marshal(name)
		require.NoError(p.t, err)
		body += `,"name":` + string(quoted)
		h["Mcp-Name"] = name
	}
	if params != "" {
		body += "," + params
	}
	return p.send(http.MethodPost, "/mcp", key, body+"}}", h)
}

func (p *product) call(key, tool string, args map[string]any) reply {
	p.t.Helper()
	raw, err := json.Marshal(args)
	require.NoError(p.t, err)
	return p.rpc(key, "tools/call", "confluence_"+tool, `"arguments":`+string(raw))
}

// toolAnswer is the result of a call.
type toolAnswer struct {
	Text       string
	IsError    bool
	Structured map[string]any
	Kind       string // of the error
}

func (r reply) tool(t *testing.T) toolAnswer {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	text := r.body
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
		for line := range strings.Lines(r.body) {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				text = data
			}
		}
	}
	var m struct {
		Result struct {
			Content           []struct{ Text string }
			IsError           bool
			StructuredContent map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &m), text)
	a := toolAnswer{IsError: m.Result.IsError, Structured: m.Result.StructuredContent}
	for _, c := range m.Result.Content {
		a.Text += c.Text
	}
	if e, ok := a.Structured["error"].(map[string]any); ok {
		a.Kind, _ = e["kind"].(string)
	}
	return a
}

// audit is the log of the product, which has to be stopped for it.
func (p *product) audit() []store.Recorded {
	p.t.Helper()
	p.stop()
	s, err := store.OpenPrecious(context.Background(), filepath.Join(p.dir, "data"), time.Now)
	require.NoError(p.t, err)
	defer func() { assert.NoError(p.t, s.Close()) }()
	log, err := s.Audit(context.Background(), store.AuditFilter{Limit: 10_000})
	require.NoError(p.t, err)
	return log
}
