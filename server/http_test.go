package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

func listen(key string) ask {
	return modern(key, "subscriptions/listen", "", `"notifications":{"toolsListChanged":true}`)
}

// progressing is a call that asks for progress, so that its answer is a stream.
func progressing(key string) ask {
	a := call(key, "confluence_steps", `{}`)
	a.body = strings.Replace(a.body, `"_meta":{`, `"_meta":{"progressToken":"p1",`, 1)
	return a
}

// headerValue is a name as it travels in an Mcp-Name header.
func headerValue(name string) string {
	for _, r := range name {
		if r > 126 {
			return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
		}
	}
	if strings.TrimSpace(name) != name {
		return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
	}
	return name
}

func TestRawHTTP(t *testing.T) {
	r := serve(t, nil)
	id := r.handshake(annKey)
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	old := func(method, body string) ask {
		return ask{key: annKey, method: method, body: body, header: session(id)}
	}
	with := func(a ask, name, value string) ask {
		h := map[string]string{}
		for k, v := range a.header {
			h[k] = v
		}
		h[name] = value
		a.header = h
		return a
	}
	cases := map[string]struct {
		ask  ask
		want int
	}{
		"stateless list":                {modern(annKey, "tools/list", "", ""), 200},
		"stateless discover":            {modern(annKey, "server/discover", "", ""), 200},
		"stateless unknown method":      {modern(annKey, "no/such", "", ""), 404},
		"stateless initialize":          {modern(annKey, "initialize", "", ""), 404},
		"stateless ping":                {modern(annKey, "ping", "", ""), 404},
		"stateless logging":             {modern(annKey, "logging/setLevel", "", ""), 404},
		"stateless GET":                 {ask{key: annKey, method: http.MethodGet, header: map[string]string{"MCP-Protocol-Version": "2026-07-28"}}, 405},
		"stateless DELETE":              {ask{key: annKey, method: http.MethodDelete, header: map[string]string{"MCP-Protocol-Version": "2026-07-28"}}, 405},
		"stateless without caps":        {ask{key: annKey, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, header: map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}}, 400},
		"a version to come":             {ask{key: annKey, body: strings.ReplaceAll(modern(annKey, "tools/list", "", "").body, "2026-07-28", "2027-12-31"), header: map[string]string{"MCP-Protocol-Version": "2027-12-31", "Mcp-Method": "tools/list"}}, 400},
		"legacy list":                   {old(http.MethodPost, list), 200},
		"legacy unknown method":         {old(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"no/such"}`), 200},
		"legacy ping":                   {old(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"ping"}`), 200},
		"legacy notification":           {old(http.MethodPost, `{"jsonrpc":"2.0","method":"notifications/initialized"}`), 202},
		"legacy answer nobody asked":    {old(http.MethodPost, `{"jsonrpc":"2.0","id":9,"result":{}}`), 202},
		"legacy without a version":      {ask{key: annKey, body: list, header: map[string]string{"Mcp-Session-Id": id}}, 200},
		"legacy, unknown version":       {ask{key: annKey, body: list, header: map[string]string{"Mcp-Session-Id": id, "MCP-Protocol-Version": "1999-01-01"}}, 400},
		"legacy without a session":      {ask{key: annKey, body: list}, 400},
		"GET without a session":         {ask{key: annKey, method: http.MethodGet}, 400},
		"DELETE without a session":      {ask{key: annKey, method: http.MethodDelete}, 400},
		"no content type":               {with(old(http.MethodPost, list), "Content-Type", ""), 400},
		"text":                          {with(old(http.MethodPost, list), "Content-Type", "text/plain"), 400},
		"charset":                       {with(old(http.MethodPost, list), "Content-Type", "application/json; charset=utf-8"), 200},
		"no Accept":                     {with(old(http.MethodPost, list), "Accept", ""), 200},
		"PUT":                           {old(http.MethodPut, list), 405},
		"PATCH":                         {old(http.MethodPatch, list), 405},
		"HEAD":                          {old(http.MethodHead, ""), 405},
		"OPTIONS":                       {old(http.MethodOptions, ""), 405},
		"method override is no method":  {with(old(http.MethodPost, list), "X-HTTP-Method-Override", "DELETE"), 200},
		"another path":                  {ask{key: annKey, path: "/other", body: list}, 404},
		"below the path":                {ask{key: annKey, path: "/mcp/x", body: list}, 404},
		"slash after the path":          {ask{key: annKey, path: "/mcp/", body: list}, 404},
		"the root":                      {ask{key: annKey, path: "/", method: http.MethodGet}, 404},
		"health":                        {ask{path: "/healthz", method: http.MethodGet}, 200},
		"health by pod address":         {ask{path: "/healthz", method: http.MethodGet, host: "10.0.0.7:8642"}, 200},
		"ready":                         {ask{path: "/readyz", method: http.MethodGet}, 200},
		"metadata":                      {ask{path: "/.well-known/oauth-protected-resource/mcp", method: http.MethodGet}, 200},
		"metadata at the root":          {ask{path: "/.well-known/oauth-protected-resource", method: http.MethodGet}, 200},
		"metrics without a key":         {ask{path: "/metrics", method: http.MethodGet}, 401},
		"metrics with a common key":     {ask{path: "/metrics", method: http.MethodGet, key: annKey}, 403},
		"metrics with an admin's key":   {ask{path: "/metrics", method: http.MethodGet, key: opsKey}, 200},
		"debug endpoints are not there": {ask{path: "/debug/pprof/", method: http.MethodGet, key: opsKey}, 404},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := r.do(c.ask)
			assert.Equal(t, c.want, got.status, got.body)
			assertNoGo(t, got.body)
		})
	}
}

// Under /api/ what no route takes is answered as routes answer: with the object
// of every failure.
func TestWhatNoRouteTakes(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		c.Routes = map[string]http.Handler{"POST /api/query": ok, "GET /api/agents": ok, "GET /api/agents/{name}": ok, "DELETE /api/agents/{name}": ok}
	})
	for name, c := range map[string]struct {
		method, path string
		status       int
		kind, allow  string
	}{
		"a route":             {http.MethodPost, "/api/query", 204, "", ""},
		"no such path":        {http.MethodGet, "/api/nothing", 404, "not_found", ""},
		"the root":            {http.MethodGet, "/api/", 404, "not_found", ""},
		"below a route":       {http.MethodPost, "/api/query/x", 404, "not_found", ""},
		"slash after a route": {http.MethodPost, "/api/query/", 404, "not_found", ""},
		"another method":      {http.MethodGet, "/api/query", 405, "input.method", "POST"},
		"no method of two":    {http.MethodPut, "/api/agents/ann", 405, "input.method", "GET, HEAD, DELETE"},
		"a method of nobody":  {"PROPFIND", "/api/agents", 405, "input.method", "GET, HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{annKey, ""} {
				got := r.do(ask{key: key, method: c.method, path: c.path, body: "{}"})
				assert.Equal(t, c.status, got.status, got.body)
				assert.Equal(t, c.allow, got.header.Get("Allow"))
				if c.kind == "" {
					continue
				}
				var failure struct {
					Error struct{ Kind, Message, Next string }
				}
				require.NoError(t, json.Unmarshal([]byte(got.body), &failure), got.body)
				assert.Equal(t, c.kind, failure.Error.Kind)
				assert.NotEmpty(t, failure.Error.Message)
				assert.NotEmpty(t, failure.Error.Next)
			}
		})
	}
}

func TestErrorsSpeakNoGo(t *testing.T) {
	r := serve(t, nil)
	for name, params := range map[string]string{
		"cursor":     `"cursor":"%%%"`,
		"cursor num": `"cursor":7`,
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(modern(annKey, "tools/list", "", params))
			assert.Equal(t, 400, got.status, got.body)
			assertNoGo(t, got.body)
			assert.NotContains(t, got.body, "base64")
		})
	}
	got := r.do(call(annKey, "confluence_echo", `"text"`))
	assertNoGo(t, got.body)
}

func TestListsAreWhatTheCallerMayCall(t *testing.T) {
	r := serve(t, nil)
	names := func(key string, a ask) []string {
		a.key = key
		got := r.do(a)
		require.Equal(t, 200, got.status, got.body)
		result, _ := got.result(t)["result"].(map[string]any)
		var out []string
		for _, item := range result["tools"].([]any) {
			tool := item.(map[string]any)
			out = append(out, tool["name"].(string))
			notes := tool["annotations"].(map[string]any)
			for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
				assert.Contains(t, notes, hint)
			}
			assert.NotEmpty(t, tool["title"])
			assert.Contains(t, tool["inputSchema"], "properties")
			assert.Contains(t, tool, "outputSchema")
		}
		return out
	}
	reader := []string{"confluence_echo", "confluence_panic", "confluence_slow", "confluence_steps"}
	all := []string{"confluence_delete", "confluence_echo", "confluence_panic", "confluence_slow", "confluence_steps", "confluence_upload_attachment"}
	assert.Equal(t, reader, names(annKey, modern("", "tools/list", "", "")))
	assert.Equal(t, all, names(bobKey, modern("", "tools/list", "", "")))
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	assert.Equal(t, reader, names(annKey, ask{body: list, header: session(r.handshake(annKey))}))
	assert.Equal(t, all, names(bobKey, ask{body: list, header: session(r.handshake(bobKey))}))
}

func TestCallersArriveAsParameters(t *testing.T) {
	r := serve(t, nil)
	require.Equal(t, 200, r.do(call(annKey, "confluence_echo", `{"text":"12345678901234567890"}`)).status)
	want := identity.Caller{Agent: "ann", Owner: "ann", Kind: identity.User, Integration: "acme", AccountID: "u-ann", Profile: "read-only", Transport: identity.HTTP}
	assert.Equal(t, want, r.catalog.lastCaller(t))
	assert.Equal(t, `{"text":"12345678901234567890"}`, r.catalog.args[0], "arguments arrive byte for byte")

	id := r.handshake(bobKey)
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_echo"}}`
	require.Equal(t, 200, r.do(ask{key: bobKey, body: body, header: session(id)}).status)
	assert.Equal(t, "u-bob", r.catalog.lastCaller(t).AccountID)
	assert.Equal(t, `{}`, r.catalog.args[1], "no arguments are an empty object")

	require.Equal(t, 200, r.do(call(opsKey, "confluence_echo", `{}`)).status)
	assert.Equal(t, identity.Nobody, r.catalog.lastCaller(t).Kind, "an agent without an identity is nobody")
}

func TestStructuredAnswers(t *testing.T) {
	r := serve(t, nil)
	result, _ := r.do(call(annKey, "confluence_echo", `{}`)).result(t)["result"].(map[string]any)
	assert.Equal(t, map[string]any{"bytes": 2.0, "principal": "ann|acme|user|u-ann"}, result["structuredContent"])
	assert.Equal(t, "complete", result["resultType"])
	content, _ := json.Marshal(result["content"])
	assert.JSONEq(t, `[{"type":"text","text":"confluence_echo got 2 bytes"}]`, string(content))
}

func TestProgressArrivesWhole(t *testing.T) {
	r := serve(t, nil)
	for range 20 {
		res := r.open(t.Context(), progressing(annKey))
		assert.Equal(t, "no", res.Header.Get("X-Accel-Buffering"))
		var steps []float64
		for m := range events(res) {
			if m["method"] == "notifications/progress" {
				params, _ := m["params"].(map[string]any)
				steps = append(steps, params["progress"].(float64))
				assert.Equal(t, "p1", params["progressToken"])
			}
		}
		require.NoError(t, res.Body.Close())
		assert.Equal(t, []float64{1, 2, 3}, steps)
	}
	assert.NotContains(t, r.do(call(annKey, "confluence_steps", `{}`)).body, "progress", "nobody asked for it")
}

func TestClosingTheRequestCancelsTheCall(t *testing.T) {
	r := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-r.catalog.started
		cancel()
	}()
	a := call(annKey, "confluence_slow", `{}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/mcp", strings.NewReader(a.body))
	require.NoError(t, err)
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+annKey)
	_, err = http.DefaultTransport.RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, <-r.catalog.ended, context.Canceled)
}

func TestNobodyCancelsForOthers(t *testing.T) {
	r := serve(t, nil)
	done := make(chan answer, 1)
	go func() { done <- r.do(call(annKey, "confluence_slow", `{}`)) }()
	<-r.catalog.started
	got := r.do(ask{key: bobKey, body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{` + meta2026 + `,"requestId":1}}`,
		header: map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "notifications/cancelled"}})
	assert.Equal(t, http.StatusAccepted, got.status)
	close(r.catalog.release)
	assert.Equal(t, 200, (<-done).status)
	assert.NoError(t, <-r.catalog.ended)
}

func TestListenersHearChanges(t *testing.T) {
	r := serve(t, nil)
	res := r.open(t.Context(), listen(annKey))
	defer func() { _ = res.Body.Close() }()
	heard := events(res)
	assert.Equal(t, "notifications/subscriptions/acknowledged", (<-heard)["method"])
	r.server.ToolsChanged()
	m := <-heard
	assert.Equal(t, "notifications/tools/list_changed", m["method"])
	assert.Contains(t, m["params"].(map[string]any)["_meta"], "io.modelcontextprotocol/subscriptionId")
}

func TestMetadataDocument(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		c.ResourceURL = "https://mcp.example.com/mcp"
		c.AuthorizationServers = []string{"https://login.example.com"}
	})
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.do(ask{path: "/.well-known/oauth-protected-resource/mcp", method: http.MethodGet}).body), &doc))
	assert.Equal(t, "https://mcp.example.com/mcp", doc["resource"])
	assert.Equal(t, []any{"https://login.example.com"}, doc["authorization_servers"])
	assert.NotContains(t, doc, "scopes_supported", "none is asked for that nobody configured")
	assert.Contains(t, r.do(ask{body: initialize}).header.Get("WWW-Authenticate"), `resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`)
}

func TestReadiness(t *testing.T) {
	ready := false
	r := serve(t, func(c *server.Config) {
		c.Ready = func() (bool, any) { return ready, map[string]string{"store": "opening"} }
	})
	probe := ask{path: "/readyz", method: http.MethodGet}
	got := r.do(probe)
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.JSONEq(t, `{"ready":false,"detail":{"store":"opening"}}`, got.body)
	ready = true
	assert.Equal(t, 200, r.do(probe).status)
}

func TestMetricsCountWhatHappened(t *testing.T) {
	r := serve(t, nil)
	r.do(call(annKey, "confluence_echo", `{}`))
	r.do(call(annKey, "confluence_panic", `{}`))
	r.do(call(annKey, "confluence_invented_by_the_client", `{}`))
	r.do(modern(annKey, "no/such", "", ""))
	r.do(ask{body: initialize})
	got := r.do(ask{path: "/metrics", method: http.MethodGet, key: opsKey}).body
	for _, want := range []string{
		`mcp_server_operation_duration_seconds_count{error_type="",method="tools/call",tool="confluence_echo"} 1`,
		`mcp_server_operation_duration_seconds_count{error_type="tool_error",method="tools/call",tool="confluence_panic"} 1`,
		`mcp_server_operation_duration_seconds_count{error_type="-32602",method="tools/call",tool="other"} 1`,
		`mcp_server_operation_duration_seconds_count{error_type="-32601",method="other",tool=""} 1`,
		`mcp_server_refused_total{reason="auth"} 1`,
		`mcp_server_sessions 0`,
	} {
		assert.Contains(t, got, want)
	}
	assert.NotContains(t, got, "invented")
}
