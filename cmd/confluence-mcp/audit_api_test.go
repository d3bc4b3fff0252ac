package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

func TestAuditOverREST(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	p.askFor("New name")
	p.call(helpKey, "get_page", map[string]any{"page_id": "1001"})
	for _, path := range []string{"/api/audit", "/api/audit/verify", "/api/audit/export", "/api/profiles", "/api/profiles/careful"} {
		assert.Equal(t, 401, p.send("GET", path, "", "", nil).status, path)
		for _, key := range []string{helpKey, bossKey, annKey} {
			r := p.send("GET", path, key, "", nil)
			assert.Equal(t, 403, r.status, path)
			assert.Contains(t, r.body, "auth.forbidden", path)
		}
	}
	status, out := p.api(opsKey, "GET", "/api/audit?agent=help&writes=true", "")
	assert.Equal(t, 200, status)
	entries, _ := out["entries"].([]any)
	require.Len(t, entries, 1)
	one, _ := entries[0].(map[string]any)
	assert.Equal(t, "confluence_update_page", one["tool"])
	assert.Equal(t, "require_approval", one["effect"])
	assert.NotContains(t, entries[0], "New name")
	for _, bad := range []string{"?agnet=help", "?limit=0", "?limit=x", "?effect=maybe", "?since=yesterday", "?agent=a&agent=b", "/verify?anchor=7", "/export?after=-1"} {
		status, out := p.api(opsKey, "GET", "/api/audit"+bad, "")
		assert.Equal(t, 400, status, bad)
		assert.Equal(t, "input.query", codeOf(out), bad)
	}
	_, out = p.api(opsKey, "GET", "/api/audit/verify", "")
	assert.Equal(t, true, out["ok"])
	anchor, _ := out["anchor"].(string)
	_, out = p.api(opsKey, "GET", "/api/audit/verify?anchor="+anchor, "")
	assert.Equal(t, true, out["ok"])
	n, _, _ := strings.Cut(anchor, ":")
	_, out = p.api(opsKey, "GET", "/api/audit/verify?anchor="+n+":"+strings.Repeat("0", 64), "")
	assert.Equal(t, false, out["ok"])

	r := p.send("GET", "/api/audit/export", opsKey, "", nil)
	assert.Equal(t, "application/x-ndjson", r.header.Get("Content-Type"))
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, []byte(r.body), 0o600))
	_, errOut, code := p.command("audit", "export")
	require.Zero(t, code, errOut)
	var o bytes.Buffer
	q := p.program("")
	q.out = &o
	require.Zero(t, q.run(t.Context(), []string{"audit", "verify", file}))
	last := strings.Split(strings.TrimSpace(r.body), "\n")
	assert.Contains(t, o.String(), "ok, ")
	require.NotEmpty(t, last)
	tail := p.send("GET", "/api/audit/export?after=2", opsKey, "", nil)
	assert.True(t, strings.HasPrefix(tail.body, `{"seq":3,`), tail.body)
}

func TestProfilesOverREST(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	_, out := p.api(opsKey, "GET", "/api/profiles", "")
	list, _ := json.Marshal(out["profiles"])
	assert.Contains(t, string(list), `"name":"careful"`)
	first, _ := out["in_force"].(map[string]any)["revision"].(string)
	require.Len(t, first, 12)
	_, out = p.api(opsKey, "GET", "/api/profiles/careful", "")
	cells, _ := json.Marshal(out["cells"])
	assert.Contains(t, string(cells), `{"action":"delete","effect":"require_approval","group":"pages","reason":"approval_required","rules":[]}`)
	status, _ := p.api(opsKey, "GET", "/api/profiles/none", "")
	assert.Equal(t, 404, status)

	file := filepath.Join(p.dir, "profiles", "a.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "allow_delete: true", "allow_delete: false", 1)), 0o600))
	status, out = p.api(opsKey, "POST", "/api/profiles/reload", "{}")
	assert.Equal(t, 200, status, out)
	second, _ := out["in_force"].(map[string]any)["revision"].(string)
	assert.NotEqual(t, first, second)
	status, out = p.api(opsKey, "POST", "/api/profiles/rollback", `{"revision":"`+first+`"}`)
	assert.Equal(t, 200, status, out)
	now, _ := out["in_force"].(map[string]any)
	assert.Equal(t, first, now["revision"])
	assert.Equal(t, true, now["pinned"])
	for _, bad := range []string{`{"revision":"000000000000"}`, `{}`} {
		status, _ = p.api(opsKey, "POST", "/api/profiles/rollback", bad)
		assert.Equal(t, 404, status, bad)
	}
	status, _ = p.api(annKey, "POST", "/api/profiles/rollback", `{"revision":"`+first+`"}`)
	assert.Equal(t, 403, status)
}
