package server_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/server"
)

func TestWithoutKeysOnLoopbackOnly(t *testing.T) {
	open := func(c *server.Config) {
		c.Authenticator = nil
		c.NoAuth = &server.Agent{Name: "local", Profile: "full", ActForUsers: true}
	}
	r := serve(t, open)
	assert.Equal(t, 200, r.do(call("", "confluence_echo", `{}`)).status)
	assert.Equal(t, 200, r.do(ask{path: "/metrics", method: http.MethodGet}).status)
	a := call("", "confluence_echo", `{}`)
	a.header["X-Access-User"] = "u-ann"
	require.Equal(t, 200, r.do(a).status)
	assert.Equal(t, "u-ann", r.catalog.lastCaller(t).AccountID)

	cfg := config(t, newFakeCatalog(), &planted.Log{})
	ln := func() net.Listener {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "0.0.0.0:0")
		require.NoError(t, err)
		return l
	}
	s, err := server.New(cfg)
	require.NoError(t, err)
	assert.ErrorContains(t, s.Serve(t.Context(), ln()), "needs agents")
	cfg.Metrics = nil
	open(&cfg)
	s, err = server.New(cfg)
	require.NoError(t, err)
	assert.ErrorContains(t, s.Serve(t.Context(), ln()), "loopback")
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(*server.Config)
		want   string
	}{
		"no catalog":     {func(c *server.Config) { c.Catalog = nil }, "Catalog"},
		"no logger":      {func(c *server.Config) { c.Logger = nil }, "Logger"},
		"no clock":       {func(c *server.Config) { c.Now = nil }, "Now"},
		"too long drain": {func(c *server.Config) { c.Drain = time.Minute }, "Drain"},
		"null origin":    {func(c *server.Config) { c.AllowedOrigins = []string{"null"} }, "null"},
		"odd resource":   {func(c *server.Config) { c.ResourceURL = "mcp" }, "ResourceURL"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, newFakeCatalog(), &planted.Log{})
			c.break_(&cfg)
			_, err := server.New(cfg)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Run("streams end, the running call finishes", func(t *testing.T) {
		r := serve(t, nil)
		get := r.open(t.Context(), ask{key: annKey, method: http.MethodGet, header: session(r.handshake(annKey))})
		hear := r.open(t.Context(), listen(annKey))
		done := make(chan answer, 1)
		go func() { done <- r.do(call(annKey, "confluence_slow", `{}`)) }()
		<-r.catalog.started
		stopped := make(chan error, 1)
		began := time.Now()
		go func() { stopped <- r.stop() }()
		for range events(get) { //nolint:revive // drained until the server ends it
		}
		for range events(hear) { //nolint:revive // the same
		}
		close(r.catalog.release)
		assert.Equal(t, 200, (<-done).status)
		assert.NoError(t, <-r.catalog.ended)
		assert.NoError(t, <-stopped)
		assert.Less(t, time.Since(began), 10*time.Second)
	})
	t.Run("a call that does not end is cancelled", func(t *testing.T) {
		r := serve(t, func(c *server.Config) { c.Drain = 300 * time.Millisecond })
		go func() { _, _ = http.DefaultTransport.RoundTrip(request(r, call(annKey, "confluence_slow", `{}`))) }() //nolint:bodyclose // it is cut off
		<-r.catalog.started
		began := time.Now()
		_ = r.stop()
		assert.ErrorIs(t, <-r.catalog.ended, context.Canceled)
		assert.Less(t, time.Since(began), 10*time.Second)
	})
}

func request(r *rig, a ask) *http.Request {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.t.Context()), http.MethodPost, r.url+"/mcp", strings.NewReader(a.body))
	require.NoError(r.t, err)
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.key)
	return req
}

func TestManySessionsOfOneAgent(t *testing.T) {
	r := serve(t, func(c *server.Config) { c.SessionIdle = time.Hour })
	first := r.handshake(annKey)
	other := r.handshake(bobKey)
	for range 1000 {
		require.Equal(t, 200, r.do(ask{key: annKey, body: initialize}).status)
	}
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	assert.Equal(t, 404, r.do(ask{key: annKey, body: list, header: session(first)}).status, "the oldest made room")
	assert.Equal(t, 200, r.do(ask{key: bobKey, body: list, header: session(other)}).status)
	assert.True(t, slices.Contains(strings.Split(r.do(ask{path: "/metrics", method: http.MethodGet, key: opsKey}).body, "\n"), "mcp_server_sessions 1001"))
}

func TestMissingClientCapability(t *testing.T) {
	need := func(c *server.Config) {
		c.ClientNeeds = map[string][]string{"confluence_echo": {"elicitation"}}
	}
	declared := func(s string) string {
		return strings.Replace(s, `clientCapabilities":{}`, `clientCapabilities":{"elicitation":{}}`, 1)
	}
	r := serve(t, need)
	a := call(annKey, "confluence_echo", `{}`)
	got := r.do(a)
	assert.Equal(t, 400, got.status)
	e, _ := got.result(t)["error"].(map[string]any)
	assert.Equal(t, -32021.0, e["code"])
	assert.Equal(t, map[string]any{"requiredCapabilities": map[string]any{"elicitation": map[string]any{}}}, e["data"])
	a.body = declared(a.body)
	assert.Equal(t, 200, r.do(a).status)

	p := stream(t, need)
	p.send(modernLine(1, "tools/call", `"name":"confluence_echo","arguments":{}`))
	e, _ = p.next()["error"].(map[string]any)
	assert.Equal(t, -32021.0, e["code"])
	p.send(declared(modernLine(2, "tools/call", `"name":"confluence_echo","arguments":{}`)))
	assert.Contains(t, p.next(), "result")
}

func TestThereIsAnEndToListening(t *testing.T) {
	r := serve(t, func(c *server.Config) { c.Recheck = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 1000 {
		res := r.open(ctx, listen(annKey))
		require.Equal(t, 200, res.StatusCode)
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	got := r.do(listen(annKey))
	assert.Equal(t, http.StatusTooManyRequests, got.status)
	assert.Equal(t, "limit.rate", got.kind(t))
	other := r.open(ctx, listen(bobKey))
	assert.Equal(t, 200, other.StatusCode, "of one agent, not of all")
	require.NoError(t, other.Body.Close())
}
