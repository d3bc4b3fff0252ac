package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// everyCommand is each command that does something, by its words.
func everyCommand(root *cobra.Command) map[string]*cobra.Command {
	out := map[string]*cobra.Command{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && !c.HasSubCommands() || c.Flags().Lookup("json") != nil {
			out[strings.TrimPrefix(c.CommandPath(), root.Name()+" ")] = c
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return out
}

// terminal runs the program over one data folder in front of one site.
type terminal struct {
	t    *testing.T
	site *emulatortest.Emulator
	dir  string
}

func (m terminal) run(in string, args ...string) (out, errOut string, code int) {
	var o, e planted.Log
	p := program{in: strings.NewReader(in), out: &o, errOut: &e, now: time.Now, getenv: func(name string) string {
		return map[string]string{"CONFLUENCE_URL": m.site.URL, "CONFLUENCE_USERNAME": "bot@acme.test", "CONFLUENCE_API_TOKEN": "bot-token", "HOME": m.dir, "XDG_DATA_HOME": m.dir}[name]
	}}
	code = p.run(m.t.Context(), args)
	return o.String(), e.String(), code
}

// TestEveryCommandThatPrintsTakesJSON: design 4.
func TestEveryCommandThatPrintsTakesJSON(t *testing.T) {
	none := map[string]string{
		"serve": "speaks a protocol", "demo": "speaks a protocol",
		"markup to-markdown": "prints the document", "markup edit": "prints the document", "markup apply": "prints the document",
	}
	for words, c := range everyCommand(program{}.root()) {
		if why, ok := none[words]; ok {
			assert.Nil(t, c.Flags().Lookup("json"), "%s %s", words, why)
			continue
		}
		assert.NotNil(t, c.Flags().Lookup("json"), words)
	}

	m := terminal{t, emulatortest.Start(t), t.TempDir()}
	for _, words := range []string{
		"config check", "config show", "config schema", "policy schema", "mirror rebuild-index",
		"secrets new-key", "integrations show default", "integrations add other --oauth --base-url " + m.site.URL, "integrations remove other",
		"agents add desk --profile read-only", "agents revoke desk",
	} {
		out, errOut, code := m.run("", append(strings.Fields(words), "--json")...)
		require.Zero(t, code, "%s: %s", words, errOut)
		assert.True(t, json.Valid([]byte(out)), "%s: %s", words, out)
	}
}

// TestEveryMissingFlagIsAUsageError: exit code 2, before anything is done.
func TestEveryMissingFlagIsAUsageError(t *testing.T) {
	m := terminal{t, emulatortest.Start(t), t.TempDir()}
	found := 0
	for words, c := range everyCommand(program{}.root()) {
		if c.ValidateRequiredFlags() == nil {
			continue
		}
		found++
		args := strings.Fields(words)
		if strings.Contains(c.Use, " NAME") {
			args = append(args, "x")
		}
		_, errOut, code := m.run("", args...)
		assert.Equal(t, exitUsage, code, "%s: %s", words, errOut)
		assert.Contains(t, errOut, "required flag", words)
		assert.Contains(t, errOut, "--help", words)
	}
	assert.GreaterOrEqual(t, found, 4)
	assert.Empty(t, m.site.Requests(0))
}
