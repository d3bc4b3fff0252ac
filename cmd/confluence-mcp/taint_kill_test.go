package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// Who read restricted content is still kept from writing after the process was
// killed with SIGKILL and started anew.
func TestI04_KilledAfterTheRestrictedRead(t *testing.T) {
	careful := "version: 1\nname: careful\n" + broad + "rules:\n  - {id: no-spill, match: {actions: [create, update]}, when: context.read_restricted, effect: deny, message: You read restricted pages.}\n"
	site := emulatortest.Start(t, siteWith(botToken))
	p := &product{t: t, dir: productFolder(t, careful), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(strings.Replace(productFile, "profile: full-access", "profile: careful", 1)), 0o600))

	c := p.again()
	page := map[string]any{"space_key": "S2", "title": "Before", "body": "Nothing yet."}
	got := p.call(annKey, "create_page", page).tool(t)
	require.False(t, got.IsError, got.Text)
	got = p.call(annKey, "get_page", map[string]any{"page_id": "1003", "fresh": true}).tool(t)
	require.False(t, got.IsError, got.Text)
	require.NoError(t, c.Process.Kill())
	_ = c.Wait() // reports the kill

	p.again()
	since := len(site.Requests(0))
	page["title"] = "After"
	got = p.call(annKey, "create_page", page).tool(t)
	assert.True(t, got.IsError, got.Text)
	assert.Contains(t, got.Text, "no-spill")
	for _, r := range site.Requests(since) {
		assert.NotEqual(t, "POST", r.Method, r.Path)
	}
}
