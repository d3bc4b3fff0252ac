package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// badProfiles are what administrators get wrong, each with what it is refused
// with: the place and the reason.
func badProfiles() map[string]struct{ text, says string } {
	const head = "version: 1\nname: more\n" + broad
	rule := func(when string) string {
		return head + "rules:\n  - id: r1\n    when: " + when + "\n    effect: deny\n"
	}
	return map[string]struct{ text, says string }{
		"broken YAML":            {"version: 1\n\tname: more\n", "b.yaml:2:1: broken YAML"},
		"duplicate keys":         {"version: 1\nname: more\nname: more\n" + broad, "was already given on line 2"},
		"unknown fields":         {"version: 1\nname: more\nallow_everything: true\n" + broad, "b.yaml:3:1: unknown key"},
		"a rule of no sense":     {rule("resource.space_key =="), "rule r1: Syntax error"},
		"an unknown variable":    {rule(`resource.spacekey == "X"`), "rule r1: undeclared reference"},
		"a rule that is dear":    {rule("identity.groups.exists(g, resource.labels.exists(l, l == g))"), "the worst case costs"},
		"a rule that is no bool": {rule("resource.version + 1"), "rule r1: the expression has type int; a condition is a bool"},
		"a rule that allows":     {head + "rules:\n  - {id: r1, effect: allow}\n", "rules.0.effect: value must be one of"},
		"a test that fails":      {head + "tests:\n  - {name: t, given: {tool: get_page}, expect: {effect: deny}}\n", "want deny, got allow"},
	}
}

// A bad profile is refused with its own reason, which stands in the log; what
// was in force stays, and nothing is executed.
func TestBadProfilesChangeNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := &product{t: t, dir: productFolder(t, "version: 1\nname: careful\n"+broad+"rules:\n  - {id: frozen, match: {actions: [create, update, delete]}, when: 'resource.space_key == \"ENG\"', effect: deny}\n"),
		env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(strings.Replace(productFile, "profile: full-access", "profile: careful", 1)), 0o600))
	p.start()
	_, first := p.api(opsKey, "GET", "/api/profiles", "")
	revision := first["in_force"].(map[string]any)["revision"]
	seen := map[string]bool{}
	for name, c := range badProfiles() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(p.dir, "profiles", "b.yaml")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			status, out := p.api(opsKey, "POST", "/api/profiles/reload", `{}`)
			require.Equal(t, 200, status, out)
			in := out["in_force"].(map[string]any)
			problem, _ := in["problem"].(string)
			assert.Equal(t, revision, in["revision"], "the last good one stays")
			assert.Contains(t, problem, c.says)
			assert.False(t, seen[problem], "each has its own")
			seen[problem] = true
			assert.Contains(t, p.errOut.String(), "profiles are refused")
			assert.Contains(t, p.errOut.String(), c.says, "in the log")
			a := p.call(annKey, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "New name"}).tool(t)
			assert.Equal(t, "policy.rule_denied", a.Kind, a.Text)
			said, _, code := p.check(file)
			assert.Contains(t, []int{exitInvalid, exitTestsFailed}, code, said)
			require.NoError(t, os.Remove(file))
		})
	}
	assert.Zero(t, writes(site))
}

// check runs policy check, which needs no configuration.
func (p *product) check(args ...string) (out, errOut string, code int) {
	return p.offline(append([]string{"policy", "check"}, args...)...)
}

func (p *product) offline(args ...string) (out, errOut string, code int) {
	p.t.Helper()
	var o, e planted.Log
	q := p.program("")
	q.out, q.errOut = &o, &e
	code = q.run(p.t.Context(), args)
	return o.String(), e.String(), code
}

// The gate of a CI: a profile that lets more through ends with 5 and says what,
// whichever way it widens; one that narrows passes.
func TestTheDiffGateRefusesWhatWidens(t *testing.T) {
	p := &product{t: t, dir: productFolder(t), out: &planted.Log{}, errOut: &planted.Log{}}
	const base = `version: 1
name: more
groups:
  pages: {level: read_write, require_approval: true}
  spaces: {level: read_only}
limits: {writes_per_minute: 5}
rules:
  - {id: frozen, match: {actions: [update]}, when: 'resource.space_key == "HR"', effect: deny}
`
	write := func(name, text string) string {
		file := filepath.Join(p.dir, name+".yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	before := write("before", base)
	for name, c := range map[string]struct {
		old, next string
		code      int
	}{
		"a level":         {"spaces: {level: read_only}", "spaces: {level: read_write}", exitWidened},
		"deletions":       {"require_approval: true}", "require_approval: true, allow_delete: true}", exitWidened},
		"no approval":     {", require_approval: true", "", exitWidened},
		"a higher limit":  {"writes_per_minute: 5", "writes_per_minute: 6", exitWidened},
		"a narrower rule": {`== "HR"'`, `== "HR" && resource.restricted'`, exitWidened},
		"another effect":  {"effect: deny}", "effect: require_approval}", exitWidened},
		"the same":        {"name: more", "name: more", exitOK},
		"a lower limit":   {"writes_per_minute: 5", "writes_per_minute: 4", exitOK},
		"a wider rule":    {`== "HR"'`, `in ["HR", "ENG"]'`, exitOK},
		"no profile":      {"version: 1", "version: 9", exitInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, base, c.old)
			out, errOut, code := p.offline("policy", "diff", before, write("after", strings.Replace(base, c.old, c.next, 1)))
			assert.Equal(t, c.code, code, out+errOut)
			assert.NotEmpty(t, out+errOut)
		})
	}
}

// badApproval is an attempt to decide that must not count. It ends with the
// code of an error or, where ended is set, of the request itself.
type badApproval struct {
	do     func(p *product, site *emulatortest.Emulator, id, view string) (int, map[string]any)
	status int
	code   string
	ended  string
}

func badApprovals(ahead *atomic.Int64) map[string]badApproval {
	by := func(key string) func(*product, *emulatortest.Emulator, string, string) (int, map[string]any) {
		return func(p *product, _ *emulatortest.Emulator, id, view string) (int, map[string]any) {
			return p.decides(key, id, view)
		}
	}
	return map[string]badApproval{
		"without the right": {by(annKey), 403, "approval.right", ""},
		"by who asked":      {by(helpKey), 403, "approval.right", ""},
		"one's own":         {by(twinKey), 403, "approval.self", ""},
		"not looked at": {func(p *product, _ *emulatortest.Emulator, id, _ string) (int, map[string]any) {
			return p.decides(bossKey, id, "")
		}, 409, "approval.view", ""},
		"by a look at another": {func(p *product, _ *emulatortest.Emulator, id, _ string) (int, map[string]any) {
			_, shown := p.api(bossKey, "GET", "/api/approvals/"+p.askFor("Another name"), "")
			return p.decides(bossKey, id, shown["view"].(string))
		}, 409, "approval.view", ""},
		"expired": {func(p *product, _ *emulatortest.Emulator, id, view string) (int, map[string]any) {
			ahead.Store(int64(25 * time.Hour))
			return p.decides(bossKey, id, view)
		}, 409, "approval.state", "expired"},
		"replayed after its end": {func(p *product, _ *emulatortest.Emulator, id, view string) (int, map[string]any) {
			status, out := p.api(bossKey, "POST", "/api/approvals/"+id+"/reject", `{"reason":"Not now"}`)
			require.Equal(p.t, 200, status, out)
			return p.decides(bossKey, id, view)
		}, 409, "approval.state", "rejected"},
		"of a changed page": {func(p *product, site *emulatortest.Emulator, id, view string) (int, map[string]any) {
			site.Apply(`{"kind":"content","id":"1001","type":"page","space":"ENG","parent":"1000","title":"Runbook","storage":"<p>Somebody else.</p>","version":4}`)
			return p.decides(bossKey, id, view)
		}, 200, "approval.stale", "stale"},
	}
}

// Approvals that must not count are refused over REST, each with its own code
// and in the logs; nothing is executed.
func TestBadApprovalsExecuteNothing(t *testing.T) {
	for name := range badApprovals(nil) {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64
			c := badApprovals(&ahead)[name]
			site := emulatortest.Start(t, siteWith(botToken))
			p := newCareful(t, site, "https://hooks.acme.test/")
			p.clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			p.start()
			id := p.askFor("New name")
			_, shown := p.api(bossKey, "GET", "/api/approvals/"+id, "")
			view, _ := shown["view"].(string)
			status, out := c.do(p, site, id, view)
			assert.Equal(t, c.status, status, out)
			if status == 200 {
				assert.Equal(t, c.code, out["code"])
			} else {
				assert.Equal(t, c.code, codeOf(out))
				assert.Contains(t, p.errOut.String(), `"refusal":"`+c.code+`"`, "in the log")
			}
			if c.ended != "" {
				_, shown := p.api(bossKey, "GET", "/api/approvals/"+id, "")
				assert.Equal(t, c.ended, shown["state"])
				assert.Contains(t, p.list("audit", "export"), `"to":"`+c.ended+`"`, "in the record")
			}
			assert.Zero(t, writes(site))
		})
	}
}

func (p *product) decides(key, id, view string) (int, map[string]any) {
	p.t.Helper()
	return p.api(key, "POST", "/api/approvals/"+id+"/approve", `{"view":"`+view+`"}`)
}
