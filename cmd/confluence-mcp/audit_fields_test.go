package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
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
	p := &product{t: t, dir: dir, env: productEnv(site.URL, botToken), out: &safeBuffer{}, errOut: &safeBuffer{}}
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
