package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
		"unknown tool": {strings.Replace(soundProfile, "{actions: [update]}", "{tools: [get_page, updat_page]}", 1), exitInvalid, `:6:31: rule frozen: there is no tool "confluence_updat_page"`},
		"warning":      {strings.Replace(soundProfile, "when: ", "when: 9 / change.body_bytes > 1 && ", 1)[:strings.Index(soundProfile, "tests:")+len("9 / change.body_bytes > 1 && ")], 0, `:7:13: rule frozen: dividing by zero denies; guard it`},
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
	assert.Regexp(t, `(?m)^search +allow +none +none +none$`, stdout)
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

func TestPolicyTestWithCoverage(t *testing.T) {
	for _, name := range []string{"read-only", "documentation-manager", "full-access"} {
		stdout, _, code := runPolicy(t, "test", "--coverage", "--json", name)
		assert.Zero(t, code, name)
		var r caseResult
		require.NoError(t, json.Unmarshal([]byte(stdout), &r))
		assert.Empty(t, r.UncoveredRules, "shipped profiles test every rule")
		assert.Positive(t, r.Tests)
	}
	untested := writeProfile(t, soundProfile[:strings.Index(soundProfile, "tests:")])
	stdout, _, code := runPolicy(t, "test", untested)
	assert.Zero(t, code)
	assert.Contains(t, stdout, "0 of 0 tests passed")
	stdout, _, code = runPolicy(t, "test", "--coverage", untested)
	assert.Equal(t, exitTestsFailed, code)
	assert.Contains(t, stdout, "no test matches rule frozen")
	assert.Contains(t, stdout, "no test asks for pages update")

	failing := writeProfile(t, strings.Replace(soundProfile, "effect: deny, rule", "effect: allow, rule", 1))
	_, stderr, code := runPolicy(t, "test", failing)
	assert.Equal(t, exitTestsFailed, code)
	assert.Contains(t, stderr, "want allow, got deny (rule_denied by rule frozen)")
}

func TestPolicyExplain(t *testing.T) {
	file := writeProfile(t, soundProfile)
	cases := []struct {
		name string
		args []string
		want string
		code int
	}{
		{"denied", []string{"--tool", "update_page", "--space", "HR", "--as", "u-ann"}, "result  deny (rule_denied) by rule frozen", 0},
		{"allowed", []string{"--given", "{tool: update_page, resource: {space_key: ENG}}"}, "result  allow (allowed)", 0},
		{"not loaded", []string{"--tool", "confluence_update_page"}, `still to know: resource.space_key == "HR"`, 0},
		{"steps", []string{"--tool", "update_page", "--space", "HR"}, `resource.space_key == "HR"  ->  true`, 0},
		{"no call", nil, "", 2},
		{"two calls", []string{"--tool", "x", "--given", "{tool: y}"}, "", 2},
		{"bad call", []string{"--given", "{tool: update_page, page: 7}"}, "", 2},
		{"tool that says nothing", []string{"--tool", "frobnicate"}, "", 2},
		{"no file", []string{"--given", "@/nonexistent"}, "", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			stdout, _, code := runPolicy(t, append([]string{"explain", file}, c.args...)...)
			assert.Equal(t, c.code, code)
			assert.Contains(t, stdout, c.want)
		})
	}
	stdout, _, code := runPolicy(t, "explain", file, "--json", "--tool", "update_page", "--space", "HR")
	require.Zero(t, code)
	var e explained
	require.NoError(t, json.Unmarshal([]byte(stdout), &e))
	assert.Equal(t, "deny", e.Effect)
	require.Len(t, e.Rules, 1)
}

// TestPolicyExplainShowsEveryPart: each part that a live call is judged by is
// shown; what is not known to be part of this very call is left out of the end.
func TestPolicyExplainShowsEveryPart(t *testing.T) {
	blind := writeProfile(t, `version: 1
name: blind
groups: {pages: {level: read_write, allow_delete: true}}
rules:
  - {id: not-hr, match: {actions: [read]}, when: 'resource.space_key == "HR"', effect: deny}
  - {id: not-into-legal, match: {actions: [update]}, when: 'resource.space_key == "LEGAL"', effect: deny}
  - {id: frozen, match: {actions: [create]}, when: '"frozen" in resource.labels', effect: deny}
  - {id: asked-first, match: {actions: [update]}, when: change.body_bytes > 9, effect: require_approval}
  - {id: some-size, match: {actions: [delete]}, when: change.removed_bytes == 0, effect: deny}
`)
	change := "the write, before its change is known|the change"
	read := "the write, before its change is known|reading the page, which the answer shows|the change"
	move := read + "|the change, judged at the page it goes to|the change, judged at the page it ends below"
	create := "the write, before its change is known|reading what the new page is made from|the change|the change, judged at the page it goes to"
	for name, c := range map[string]struct {
		args         []string
		parts, whens string // whens: which of them are left out of the end
		want         string
	}{
		"a read":           {[]string{"--tool", "get_page", "--space", "HR"}, "the call", "", "deny by not-hr"},
		"shows its page":   {[]string{"--tool", "update_page", "--space", "HR"}, read, "", "deny by not-hr"},
		"shows none":       {[]string{"--tool", "add_label", "--space", "HR"}, read, "1", "allow by "},
		"in a dry run":     {[]string{"--tool", "add_label", "--space", "HR", "--dry-run"}, read, "", "deny by not-hr"},
		"approval":         {[]string{"--given", "{tool: update_page, resource: {space_key: ENG}, change: {body_bytes: 10}}"}, read, "", "require_approval by asked-first"},
		"not known where":  {[]string{"--tool", "move_page", "--space", "ENG"}, move, "1 3 4", "allow by "},
		"known by the key": {[]string{"--given", "{tool: move_page, resource: {space_key: ENG}, change: {target_space_key: LEGAL}}"}, move, "1 4", "deny by not-into-legal"},
		"known by a page":  {[]string{"--tool", "move_page", "--space", "ENG", "--target", "{space_key: LEGAL}"}, move, "1 4", "deny by not-into-legal"},
		"a new page":       {[]string{"--tool", "create_page", "--space", "ENG"}, create, "1 3", "allow by "},
		"below a page":     {[]string{"--tool", "create_page", "--space", "ENG", "--target", "{space_key: ENG, labels: [frozen]}"}, create, "1", "deny by frozen"},
		"of a template":    {[]string{"--tool", "create_page", "--space", "ENG", "--source", "{type: template, space_key: HR}"}, create, "3", "deny by not-hr"},
		"from arguments":   {[]string{"--given", "{tool: delete_page, resource: {space_key: ENG}, change: {removed_bytes: 5}}"}, read, "1", "deny by some-size"},
		"another group":    {[]string{"--tool", "update_space", "--space", "ENG"}, change, "", "deny by "},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runPolicy(t, append([]string{"explain", blind, "--json"}, c.args...)...)
			require.Zero(t, code, stderr)
			var e explained
			require.NoError(t, json.Unmarshal([]byte(stdout), &e))
			var parts, whens []string
			for i, p := range e.Parts {
				parts = append(parts, p.Name)
				if p.When != "" {
					whens = append(whens, strconv.Itoa(i))
				}
			}
			assert.Equal(t, c.parts, strings.Join(parts, "|"))
			assert.Equal(t, c.whens, strings.Join(whens, " "))
			assert.Equal(t, c.want, e.Effect+" by "+e.Decision.RuleID)

			stdout, _, _ = runPolicy(t, append([]string{"explain", blind}, c.args...)...)
			assert.Equal(t, len(whens), strings.Count(stdout, "(not in the result)"))
			for _, p := range parts[1:] {
				assert.Contains(t, stdout, "part    "+p)
			}
		})
	}
	for _, bad := range []string{"{space: HR}", "7", "{space_key: HR", "null"} {
		_, _, code := runPolicy(t, "explain", blind, "--tool", "move_page", "--target", bad)
		assert.Equal(t, 2, code, bad)
	}
}

func TestPolicyDiff(t *testing.T) {
	before := writeProfile(t, soundProfile)
	looser := writeProfile(t, strings.Replace(soundProfile[:strings.Index(soundProfile, "tests:")], `== "HR"`, `== "LEGAL"`, 1))
	stdout, _, code := runPolicy(t, "diff", before, before)
	assert.Zero(t, code)
	assert.Contains(t, stdout, "widened: 0 of")

	stdout, _, code = runPolicy(t, "diff", before, looser)
	assert.Equal(t, exitWidened, code)
	assert.Contains(t, stdout, `for example pages update given {"resource.space_key":"HR"}: deny (rule_denied, rule frozen) -> allow (allowed)`)
	assert.Contains(t, stdout, "exact: ")

	stdout, _, code = runPolicy(t, "diff", "--json", "full-access", "read-only")
	assert.Zero(t, code, "narrowing is fine")
	assert.Contains(t, stdout, `"group": "pages"`)
	_, _, code = runPolicy(t, "diff", "read-only", "full-access", "--samples", "100")
	assert.Equal(t, exitWidened, code)
	_, _, code = runPolicy(t, "diff", "read-only", writeProfile(t, "x: 1\n"))
	assert.Equal(t, exitInvalid, code)
}

func TestPolicySchema(t *testing.T) {
	stdout, _, code := runPolicy(t, "schema")
	require.Zero(t, code)
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &schema))
	assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", schema["$schema"])
}
