package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// TestTheDocumentIsTheRoutes: the OpenAPI document is valid and describes what
// is served under /api, no more and no less.
func TestTheDocumentIsTheRoutes(t *testing.T) {
	raw, err := openapi()
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	var described []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	p := program{now: time.Now, errOut: io.Discard, getenv: func(string) string { return "" }}
	e, err := p.open(context.Background(), settingsForNobody(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.close()) })
	routes, _, err := p.routes(e)
	require.NoError(t, err)
	var served []string
	for pattern := range routes {
		if strings.Contains(pattern, " /api/") {
			served = append(served, pattern)
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	assert.Equal(t, described, served)
}

// TestAgentsOverREST: a key made here works until it is revoked here, and only
// an administrator makes one.
func TestAgentsOverREST(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	json := map[string]string{"Content-Type": "application/json"}
	assert.Equal(t, http.StatusForbidden, p.send(http.MethodPost, "/api/agents", annKey, `{"name":"x","profile":"full-access"}`, json).status)
	for body, status := range map[string]int{
		`{"name":"x"}`:                                   http.StatusBadRequest,
		`{"name":"x","profile":"nope"}`:                  http.StatusBadRequest,
		`{"name":"x","profile":"read-only","root":true}`: http.StatusBadRequest,
		`{"name":"x","profile":"read-only","expires":"2001-01-01T00:00:00Z"}`: http.StatusBadRequest,
	} {
		assert.Equal(t, status, p.send(http.MethodPost, "/api/agents", opsKey, body, json).status, body)
	}
	made := p.send(http.MethodPost, "/api/agents", opsKey, `{"name":"fresh","profile":"read-only"}`, json)
	require.Equal(t, http.StatusCreated, made.status, made.body)
	_, rest, found := strings.Cut(made.body, `"key":"`)
	require.True(t, found, made.body)
	key, _, _ := strings.Cut(rest, `"`)
	assert.Equal(t, http.StatusOK, p.rpc(key, "tools/list", "", "").status)
	list := p.send(http.MethodGet, "/api/agents", opsKey, "", nil)
	assert.Contains(t, list.body, `"name":"fresh"`)
	assert.NotContains(t, list.body, key)
	assert.Equal(t, http.StatusNoContent, p.send(http.MethodDelete, "/api/agents/fresh", opsKey, "", nil).status)
	assert.Equal(t, http.StatusUnauthorized, p.rpc(key, "tools/list", "", "").status)
	assert.Equal(t, http.StatusNotFound, p.send(http.MethodDelete, "/api/agents/nobody", opsKey, "", nil).status)
}
