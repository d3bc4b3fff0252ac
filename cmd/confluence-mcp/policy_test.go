package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
)

// runPolicy runs one policy command as the program would.
func runPolicy(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := newPolicyCommand(policyDeps{
		Out: &out, Err: &errOut,
		Profiles: func() (*policy.Set, error) { return policy.Load(policies.FS) },
		Tools: []policyTool{
			{"confluence_get_page", policy.Pages, policy.Read},
			{"confluence_update_page", policy.Pages, policy.Update},
			{"confluence_delete_page", policy.Pages, policy.Delete},
			{"confluence_search", policy.Search, policy.Read},
		},
	})
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.Execute()
	var exit interface{ ExitCode() int }
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		code = 1
	}
	return out.String(), errOut.String(), code
}

func writeProfile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "p.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

const soundProfile = `version: 1
name: sound
groups: {pages: {level: read_write}}
rules:
  - id: frozen
    match: {actions: [update]}
    when: resource.space_key == "HR"
    effect: deny
tests:
  - name: frozen
    given: {tool: update_page, resource: {space_key: HR}}
    expect: {effect: deny, rule: frozen}
`

func TestPolicyCheckExitCodes(t *testing.T) {
	cases := map[string]struct {
		text   string
		code   int
		stderr string
	}{
		"sound":        {soundProfile, 0, ""},
		"invalid":      {"version: 1\nname: x2\ngroups: {}\nextra: 1\n", exitInvalid, ":4:1: unknown key \"extra\""},
		"tests failed": {soundProfile + "  - name: wrong\n    given: {tool: get_page}\n    expect: {effect: deny}\n", exitTestsFailed, `:13:5: test "wrong": want deny, got allow`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			file := writeProfile(t, c.text)
			_, stderr, code := runPolicy(t, "check", file)
			assert.Equal(t, c.code, code)
			assert.Contains(t, stderr, c.stderr)

			stdout, _, code := runPolicy(t, "check", "--json", file)
			assert.Equal(t, c.code, code)
			var results []checkResult
			require.NoError(t, json.Unmarshal([]byte(stdout), &results))
			require.Len(t, results, 1)
			assert.Equal(t, c.code == 0, results[0].OK)
		})
	}
	_, stderr, code := runPolicy(t, "check", filepath.Join(t.TempDir(), "absent.yaml"))
	assert.Equal(t, exitInvalid, code)
	assert.Contains(t, stderr, "absent.yaml")
}

func TestPolicyMatrix(t *testing.T) {
	stdout, _, code := runPolicy(t, "matrix", "documentation-manager")
	require.Zero(t, code)
	assert.Contains(t, stdout, "profile documentation-manager, revision ")
	assert.Regexp(t, `(?m)^pages +allow +allow +allow +deny$`, stdout)
	assert.Regexp(t, `(?m)^attachments +allow +allow \* +allow \* +deny$`, stdout)
	assert.Regexp(t, `(?m)^ +get_page +update_page +delete_page$`, stdout)

	stdout, _, code = runPolicy(t, "matrix", "--json", "full-access")
	require.Zero(t, code)
	var answer struct{ Cells []matrixCell }
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	assert.Len(t, answer.Cells, 20)

	_, _, code = runPolicy(t, "matrix", "nobody")
	assert.Equal(t, 2, code)
}
