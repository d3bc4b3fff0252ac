package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// What an agent asked last week tells what a change of its profile means: calls
// are judged again by both, and what the log does not keep is said.
func TestReplayOfTheAuditLog(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveCareful(t, site, "https://127.0.0.1:1/")
	p.askFor("New name")
	p.call(helpKey, "get_page", map[string]any{"page_id": "1001"})
	p.call(helpKey, "create_page", map[string]any{"space_key": "ENG", "title": "T", "body": "x"})
	p.call(annKey, "get_page", map[string]any{"page_id": "1001"}) // under another profile
	file := func(name, text string) string {
		f := filepath.Join(t.TempDir(), name+".yaml")
		require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
		return f
	}
	log, _, code := p.command("audit", "export")
	require.Zero(t, code)
	export := filepath.Join(t.TempDir(), "log.jsonl")
	require.NoError(t, os.WriteFile(export, []byte(log), 0o600))
	rules := func(list string) string { return carefulProfile + "rules:\n" + list }
	for name, c := range map[string]struct {
		after                            string
		same, widened, narrowed, unknown int
		code                             int
	}{
		"the same":           {carefulProfile, 3, 0, 0, 0, 0},
		"without approval":   {strings.Replace(carefulProfile, "require_approval: true", "require_approval: false", 1), 1, 2, 0, 0, exitWidened},
		"read only":          {strings.Replace(carefulProfile, "read_write, allow_delete: true, require_approval: true", "read_only", 1), 1, 0, 2, 0, 0},
		"a rule on a space":  {rules("  - {id: eng, match: {groups: [pages], actions: [read]}, when: 'resource.space_key == \"ENG\"', effect: deny}\n"), 2, 0, 0, 1, 0},
		"a rule on a change": {rules("  - {id: eng, match: {groups: [pages], actions: [create]}, when: 'change.target_space_key == \"ENG\"', effect: deny}\n"), 2, 0, 1, 0, 0},
		"a rule on a title":  {rules("  - {id: title, match: {groups: [pages], actions: [create]}, when: 'change.title == \"T\"', effect: deny}\n"), 2, 0, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			after := file("after", c.after)
			for _, from := range []string{export, "log"} {
				out, errOut, code := p.command("policy", "diff", "careful", after, "--replay", from, "--json")
				assert.Equal(t, c.code, code, errOut)
				var got replayed
				require.NoError(t, json.Unmarshal([]byte(out), &got), out+errOut)
				assert.Equal(t, []int{3, c.same, c.widened, c.narrowed, c.unknown}, []int{got.Calls, got.Same, got.Widened, got.Narrowed, got.Unknown}, from)
				assert.Len(t, got.Changes, c.widened+c.narrowed)
			}
		})
	}
	out, _, _ := p.command("policy", "diff", "careful", file("x", strings.Replace(carefulProfile, "require_approval: true", "require_approval: false", 1)), "--replay", export)
	assert.Contains(t, out, "confluence_create_page ENG")
	assert.Contains(t, out, "require_approval -> allow")
	assert.Contains(t, out, "3 recorded calls of careful: 1 the same, 2 widened, 0 narrowed, 0 not to be told")
}
