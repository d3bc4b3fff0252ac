package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// searchAndSpaces reads little and writes some.
const searchAndSpaces = `version: 1
name: search-and-spaces
description: Searches, and makes spaces.
groups:
  search: {level: read_only}
  spaces: {level: read_write}
`

// TestReadOnlyModeOfASecondProcessOnlyNarrows: it takes the writes of the
// profile away and keeps the profile.
func TestReadOnlyModeOfASecondProcessOnlyNarrows(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "policies"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policies", "search-and-spaces.yaml"), []byte(searchAndSpaces), 0o600))
	file := filepath.Join(dir, "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("data_dir: ./data\nprofiles_dir: ./policies\nintegrations:\n  - {name: acme, baseUrl: \""+site.URL+"\", username: bot@acme.test, token: \"${CONFLUENCE_API_TOKEN}\"}\n"), 0o600))
	owner := spawn(t, site, "serve", "--config", file, "--profile", "search-and-spaces")
	owner.waitForLog("serving MCP over stdio")
	call := func(p *peer, id int, tool, arguments string) string {
		p.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"confluence_%s","arguments":%s}}`, id, tool, arguments))
		a := p.hear()
		if a.Error != nil {
			return a.Error.Message
		}
		return string(a.Result)
	}
	narrow := spawnWith(t, site.URL, []string{"READ_ONLY_MODE=true"}, "serve", "--config", file, "--profile", "search-and-spaces")
	narrow.waitForLog("through the owner")
	narrow.open()
	narrow.say(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	listed := string(narrow.hear().Result)
	assert.Contains(t, listed, "confluence_list_spaces")
	for _, beyond := range []string{"confluence_get_page", "confluence_create_space", "confluence_update_space"} {
		assert.NotContains(t, listed, `"`+beyond+`"`)
	}
	owner.waitForLog("sync pass ended") // it reads all pages
	seen := len(site.Requests(0))
	for i, c := range [][2]string{{"get_page", `{"page_id":"1001"}`}, {"create_space", `{"key":"NEW","name":"New"}`}} {
		assert.Contains(t, call(narrow, 10+i, c[0], c[1]), "not found", c[0])
	}
	for _, r := range site.Requests(seen) {
		assert.False(t, r.Method != "GET" || strings.Contains(r.Path, "1001"), "%s %s went upstream", r.Method, r.Path)
	}
	owner.open()
	assert.Contains(t, call(owner, 3, "create_space", `{"key":"NEW","name":"New"}`), "NEW", "the owner's own client is not narrowed")
}
