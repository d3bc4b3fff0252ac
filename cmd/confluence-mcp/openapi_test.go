package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
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

// TestAnAgentGivesNoRightItLacks: an administrator who decides nothing makes no
// approver, whose key he would hold.
func TestAnAgentGivesNoRightItLacks(t *testing.T) {
	const opsTwo = "cmk_canary-both_6a7b8c9d0e1f"
	site := emulatortest.Start(t, siteWith(botToken))
	p := &product{t: t, dir: productFolder(t), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["BOSS_KEY"], p.env["BOTH_KEY"] = bossKey, opsTwo
	more := `  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true}
  - {name: both, key: "${BOTH_KEY}", profile: read-only, admin: true, approver: true}
`
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+more), 0o600))
	p.start()
	before := len(site.Requests(0))
	for name, c := range map[string]struct {
		key, rights string
		status      int
	}{
		"an admin makes an approver":        {opsKey, `"approver":true`, http.StatusForbidden},
		"an admin makes one of both":        {opsKey, `"admin":true,"approver":true`, http.StatusForbidden},
		"an approver makes an approver":     {bossKey, `"approver":true`, http.StatusForbidden},
		"an approver makes an admin":        {bossKey, `"admin":true`, http.StatusForbidden},
		"nobody special makes either":       {annKey, `"admin":true,"approver":true`, http.StatusForbidden},
		"an admin makes an admin":           {opsKey, `"admin":true`, http.StatusCreated},
		"who is both makes an approver":     {opsTwo, `"approver":true`, http.StatusCreated},
		"an admin says no more than he may": {opsKey, `"approver":false`, http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			agent := strings.ReplaceAll(name, " ", "-")
			r := p.send(http.MethodPost, "/api/agents", c.key, `{"name":"`+agent+`","profile":"read-only",`+c.rights+`}`, nil)
			assert.Equal(t, c.status, r.status, r.body)
			list := p.send(http.MethodGet, "/api/agents", opsKey, "", nil).body
			if c.status == http.StatusCreated {
				assert.Contains(t, list, `"name":"`+agent+`"`)
				return
			}
			assert.Contains(t, r.body, "auth.forbidden")
			assert.NotContains(t, r.body, `"key"`)
			assert.NotContains(t, list, `"name":"`+agent+`"`, "nothing was kept")
		})
	}
	assert.Len(t, site.Requests(before), 0, "Confluence was not asked")
}
