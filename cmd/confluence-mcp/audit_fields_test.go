package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

const costlyProfile = `
version: 1
name: costly
groups:
  pages: {level: read_write}
rules:
  - id: old-labels
    match: {groups: [pages], actions: [read]}
    when: resource.labels.exists(l, l.startsWith("legal-"))
    effect: deny
`

// Every call's record says which client made it, what judging cost, and what
// was asked of Confluence, so that its own logs can be found.
func TestTheRecordNamesClientCostAndUpstream(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	dir := productFolder(t, costlyProfile)
	p := &product{t: t, dir: dir, env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	calls := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"desk","version":"7"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1001"}}}
`
	require.Zero(t, p.program(calls).run(t.Context(), []string{"serve", "--config", dir + "/c.yaml", "--profile", "costly"}), p.errOut.String())
	text, errOut, code := p.command("audit", "list", "--json")
	require.Zero(t, code, errOut)
	var out struct {
		Entries []struct {
			Client           string
			Cost             int
			EvalUS           *int     `json:"eval_us"`
			UpstreamRequests int      `json:"upstream_requests"`
			UpstreamStatus   int      `json:"upstream_status"`
			UpstreamIDs      []string `json:"upstream_ids"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	require.Len(t, out.Entries, 1)
	e := out.Entries[0]
	assert.Equal(t, "desk 7", e.Client)
	assert.Positive(t, e.Cost)
	assert.Positive(t, e.UpstreamRequests)
	assert.Equal(t, 200, e.UpstreamStatus)
	assert.False(t, strings.Contains(text, "Runbook"), "no titles in the record")
}

// A call's record has the trace its request belongs to: that of its _meta, else
// of its header, and nothing for what is none. The chain holds, with older
// lines that have no trace, and the trace finds its calls again.
func TestTheRecordNamesTheTrace(t *testing.T) {
	const one, two = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
	parent := func(id string) string { return "00-" + id + "-00f067aa0ba902b7-01" }
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	call := func(header, meta string) {
		t.Helper()
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1001"},` + strings.TrimSuffix(statelessMeta, "}") + meta + `}}}`
		h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page"}
		if header != "" {
			h["traceparent"] = header
		}
		require.Equal(t, 200, p.send("POST", "/mcp", annKey, body, h).status)
	}
	call("", "")
	call(parent(one), "")
	call(parent(one), `,"traceparent":"`+parent(two)+`"`)
	call(parent(one), `,"traceparent":"00-junk"`)
	call("00-"+strings.Repeat("x", 5000), `,"traceparent":7`)
	require.Equal(t, 200, p.send("POST", "/api/query", annKey, `{"query":"pump"}`, map[string]string{"traceparent": parent(two)}).status)
	require.Equal(t, 201, p.send("POST", "/api/agents", opsKey, `{"name":"fresh","profile":"read-only"}`, map[string]string{"traceparent": parent(two)}).status)

	traces := func(path string) (out []string) {
		t.Helper()
		status, list := p.api(opsKey, "GET", path, "")
		require.Equal(t, 200, status, list)
		for _, e := range list["entries"].([]any) {
			id, _ := e.(map[string]any)["trace_id"].(string)
			out = append(out, id)
		}
		return out
	}
	assert.Equal(t, []string{"", one, two, one, "", two, two}, traces("/api/audit"))
	assert.Equal(t, []string{one, one}, traces("/api/audit?trace="+one))
	assert.Equal(t, []string{two, two, two}, traces("/api/audit?trace="+parent(two)))
	status, out := p.api(opsKey, "GET", "/api/audit?trace=x", "")
	assert.Equal(t, 400, status)
	assert.Equal(t, "input.query", codeOf(out))
	text := p.list("audit", "list", "--trace", one, "--json")
	assert.Equal(t, 2, strings.Count(text, `"trace_id":"`+one+`"`))
	assert.NotContains(t, text, two)
	_, errOut, code := p.command("audit", "list", "--trace", "nonsense")
	assert.Equal(t, exitUsage, code, errOut)
	assert.Equal(t, 3, strings.Count(p.list("audit", "export"), `"trace_id":"`+two+`"`))
	p.list("audit", "verify")
}
