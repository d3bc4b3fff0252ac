package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheBaseURLShownIsTheOneUsed: an integration that is connected by OAuth
// shows the site of its grant, and a baseUrl cannot say otherwise.
func TestTheBaseURLShownIsTheOneUsed(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	shown := func(answer map[string]any) string {
		return answer["settings"].(map[string]any)["baseUrl"].(string)
	}
	const first = "https://first.atlassian.net/wiki"
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"byhand","settings":{"type":"confluence","baseUrl":"`+first+`"}}`)
	require.Equal(t, http.StatusCreated, status, out)
	assert.Equal(t, first, shown(out))
	change := func(baseURL string) (int, map[string]any) {
		return p.api(opsKey, http.MethodPatch, "/api/integrations/byhand", `{"settings":{"baseUrl":"`+baseURL+`"}}`)
	}
	const second = "https://second.atlassian.net/wiki"
	status, out = change(second)
	require.Equal(t, http.StatusOK, status, "it says where connect is to lead: %v", out)
	assert.Equal(t, second, shown(out))

	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/byhand/connect", `{"site":"`+cloudB+`"}`)
	require.Equal(t, http.StatusOK, status, out)
	code, page := consentAs(t, out["authorize_url"].(string), "u-bot")
	require.Equal(t, http.StatusOK, code, page)
	_, out = p.api(opsKey, http.MethodGet, "/api/integrations/byhand/connection", "")
	used := out["connections"].([]any)[0].(map[string]any)["site"].(map[string]any)["url"].(string) + "/wiki"
	assert.NotEqual(t, second, used)

	everywhere := func() {
		t.Helper()
		_, out := p.api(opsKey, http.MethodGet, "/api/integrations/byhand", "")
		assert.Equal(t, used, shown(out))
		_, out = p.api(opsKey, http.MethodGet, "/api/integrations", "")
		all := out["integrations"].([]any)
		assert.Equal(t, used, shown(all[len(all)-1].(map[string]any)))
		text, errOut, code := p.command("integrations", "list")
		require.Zero(t, code, errOut)
		assert.Contains(t, text, "byhand  "+used)
	}
	everywhere()
	p.settle()
	mark := markOf(sites)
	for _, other := range []string{first, "https://third.atlassian.net/wiki"} {
		status, out = change(other)
		assert.Equal(t, http.StatusUnprocessableEntity, status, out)
		assert.Equal(t, "input.site", codeOf(out))
		failure := out["error"].(map[string]any)
		assert.Contains(t, failure["message"], used)
		assert.Contains(t, failure["next"], "reconnect --integration byhand")
	}
	everywhere()
	for _, same := range []string{used, second} { // as it was read, or as it was written
		status, out = change(same)
		require.Equal(t, http.StatusOK, status, out)
		assert.Equal(t, used, shown(out))
	}
	assert.Empty(t, sites.Requests(mark), "nothing went upstream")

	status, out = p.api(opsKey, http.MethodPost, "/api/integrations/byhand/disconnect", `{}`)
	require.Equal(t, http.StatusOK, status, out)
	status, out = change(first)
	require.Equal(t, http.StatusOK, status, out)
	assert.Equal(t, first, shown(out))
}
