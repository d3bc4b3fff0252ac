package server_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/redact"
	"confluence-mcp/policy"
	"confluence-mcp/server"
	"confluence-mcp/tools"
)

const canary = "CANARY-4f2b9c1e-secret"

// fakeCatalog has a tool for everything a transport can get wrong. Callers of
// the profile full see all of them, others only the readers.
type fakeCatalog struct {
	mu      sync.Mutex
	callers []identity.Caller
	args    []string
	started chan struct{} // one value for each call of the slow tool
	release chan struct{} // closed: slow calls end
	ended   chan error    // how slow calls ended
}

func newFakeCatalog() *fakeCatalog {
	return &fakeCatalog{started: make(chan struct{}, 1000), release: make(chan struct{}), ended: make(chan error, 1000)}
}

func fakeTool(name string, action policy.Action) tools.Tool {
	return tools.Tool{
		Name: name, Title: "Title of " + name, Description: "Does " + name,
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"additionalProperties":false}`),
		OutputSchema: json.RawMessage(`{"type":"object"}`),
		Group:        policy.Pages, Action: action,
		ReadOnly: action == policy.Read, Destructive: action == policy.Delete, Idempotent: true, OpenWorld: true,
	}
}

func (f *fakeCatalog) All() []tools.Tool {
	return []tools.Tool{
		fakeTool("confluence_delete", policy.Delete),
		fakeTool("confluence_echo", policy.Read),
		fakeTool("confluence_panic", policy.Read),
		fakeTool("confluence_slow", policy.Read),
		fakeTool("confluence_steps", policy.Read),
		fakeTool("confluence_upload_attachment", policy.Create),
	}
}

func (f *fakeCatalog) Tools(c identity.Caller) []tools.Tool {
	var out []tools.Tool
	for _, t := range f.All() {
		if c.Known() && (t.Action == policy.Read || c.Profile == "full") {
			out = append(out, t)
		}
	}
	return out
}

func (f *fakeCatalog) Call(ctx context.Context, c identity.Caller, name string, args json.RawMessage, progress tools.Progress) (tools.Result, bool) {
	f.mu.Lock()
	f.callers, f.args = append(f.callers, c), append(f.args, string(args))
	f.mu.Unlock()
	switch name {
	case "confluence_panic":
		panic("something holds " + canary)
	case "confluence_slow":
		f.started <- struct{}{}
		select {
		case <-f.release:
			f.ended <- nil
		case <-ctx.Done():
			f.ended <- ctx.Err()
		}
	case "confluence_steps":
		for i := range 3 {
			if progress != nil {
				progress(float64(i+1), 3, "step")
			}
		}
	}
	structured, _ := json.Marshal(map[string]any{"bytes": len(args), "principal": c.Principal()})
	return tools.Result{Text: fmt.Sprintf("%s got %d bytes", name, len(args)), Structured: structured}, true
}

func (f *fakeCatalog) lastCaller(t *testing.T) identity.Caller {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(t, f.callers)
	return f.callers[len(f.callers)-1]
}

func (f *fakeCatalog) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.callers)
}

// keyring is an authenticator whose keys can be revoked.
type keyring struct {
	mu   sync.Mutex
	keys map[string]server.Agent
}

func (k *keyring) Authenticate(_ context.Context, bearer string) (server.Agent, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.keys[bearer]
	if !ok {
		return server.Agent{}, server.ErrUnknownKey
	}
	return a, nil
}

func (k *keyring) revoke(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key)
}

const (
	annKey  = "cmk_ann_0123456789abcdef"
	bobKey  = "cmk_bob_0123456789abcdef"
	manyKey = "cmk_many_0123456789abcdef"
	opsKey  = "cmk_ops_0123456789abcdef"
)

func newKeyring() *keyring {
	user := func(id string) identity.Caller {
		return identity.Caller{Kind: identity.User, Integration: "acme", AccountID: id}
	}
	return &keyring{keys: map[string]server.Agent{
		annKey:  {Name: "ann", Authority: "key", Owner: "ann", Profile: "read-only", Identity: user("u-ann")},
		bobKey:  {Name: "bob", Authority: "key", Owner: "bob", Profile: "full", Identity: user("u-bob")},
		manyKey: {Name: "many", Authority: "key", Owner: "desk", Profile: "read-only", ActForUsers: true},
		opsKey:  {Name: "ops", Authority: "key", Owner: "ops", Profile: "read-only", Admin: true},
	}}
}

// rig is a server on a real loopback listener.
type rig struct {
	t       *testing.T
	catalog *fakeCatalog
	keys    *keyring
	server  *server.Server
	url     string // of the host
	logs    *planted.Log
	stop    func() error
}

func config(t *testing.T, catalog *fakeCatalog, logs io.Writer) server.Config {
	t.Helper()
	return server.Config{
		Catalog: catalog, Version: "test", Now: time.Now,
		Logger: slog.New(redact.Handler(slog.NewJSONHandler(io.MultiWriter(logs, planted.Writer("log of the server")), &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Rate:   10_000, Burst: 10_000, Recheck: 50 * time.Millisecond, Drain: 2 * time.Second,
	}
}

// serve starts a rig. Change adjusts the configuration before it does.
func serve(t *testing.T, change func(*server.Config)) *rig {
	t.Helper()
	return serveOn(t, httptest.NewUnstartedServer(nil).Listener, change)
}

// serveOn starts a rig on a listener, which is asked over loopback.
func serveOn(t *testing.T, ln net.Listener, change func(*server.Config)) *rig {
	t.Helper()
	r := &rig{t: t, catalog: newFakeCatalog(), keys: newKeyring(), logs: &planted.Log{}}
	cfg := config(t, r.catalog, r.logs)
	cfg.Authenticator = r.keys
	if change != nil {
		change(&cfg)
	}
	s, err := server.New(cfg)
	require.NoError(t, err)
	r.server = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	r.url = "http://127.0.0.1:" + port
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// ask is one HTTP request; the zero values mean a POST of body to /mcp.
type ask struct {
	method, path, body, key string
	header                  map[string]string
	host                    string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(a ask) answer {
	r.t.Helper()
	res := r.open(r.t.Context(), a)
	defer func() { require.NoError(r.t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

// status is that of a request whose answer may have no end.
func (r *rig) status(a ask) int {
	r.t.Helper()
	res := r.open(r.t.Context(), a)
	require.NoError(r.t, res.Body.Close())
	return res.StatusCode
}

func (r *rig) open(ctx context.Context, a ask) *http.Response {
	r.t.Helper()
	if a.method == "" {
		a.method = http.MethodPost
	}
	if a.path == "" {
		a.path = "/mcp"
	}
	req, err := http.NewRequestWithContext(ctx, a.method, r.url+a.path, strings.NewReader(a.body))
	require.NoError(r.t, err)
	if a.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if a.key != "" {
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	if a.host != "" {
		req.Host = a.host
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(r.t, err)
	return res
}

// result decodes the JSON-RPC answer, whether bare or the last event of a
// stream.
func (a answer) result(t *testing.T) map[string]any {
	t.Helper()
	text := a.body
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		for line := range strings.Lines(a.body) {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				text = data
			}
		}
	}
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &m), "body: %s", a.body)
	return m
}

func (a answer) kind(t *testing.T) string {
	t.Helper()
	e, _ := a.result(t)["error"].(map[string]any)
	data, _ := e["data"].(map[string]any)
	kind, _ := data["kind"].(string)
	return kind
}

const meta2026 = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// modern is a stateless call of a method with extra members of params.
func modern(key, method, name, params string) ask {
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + meta2026
	h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
	if name != "" {
		body += `,"name":"` + name + `"`
		h["Mcp-Name"] = name
	}
	if params != "" {
		body += "," + params
	}
	return ask{key: key, body: body + "}}", header: h}
}

func call(key, tool, arguments string) ask {
	return modern(key, "tools/call", tool, `"arguments":`+arguments)
}

// handshake opens an initialize-based session and gives its id.
func (r *rig) handshake(key string) string {
	r.t.Helper()
	a := r.do(ask{key: key, body: initialize})
	require.Equal(r.t, http.StatusOK, a.status, a.body)
	id := a.header.Get("Mcp-Session-Id")
	require.NotEmpty(r.t, id)
	ok := r.do(ask{key: key, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`, header: session(id)})
	require.Equal(r.t, http.StatusAccepted, ok.status, ok.body)
	return id
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

func session(id string) map[string]string {
	return map[string]string{"Mcp-Session-Id": id, "MCP-Protocol-Version": "2025-11-25"}
}

func keyOf(secret string) string {
	d := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(d[:])
}

// events reads a stream of server-sent events message by message.
func events(res *http.Response) <-chan map[string]any {
	out := make(chan map[string]any, 100)
	go func() {
		defer close(out)
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var m map[string]any
				if json.Unmarshal([]byte(data), &m) == nil {
					out <- m
				}
			}
		}
	}()
	return out
}
