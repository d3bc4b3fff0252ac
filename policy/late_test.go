package policy_test

import (
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
)

// What comes with the program decides the same whether its rules are compiled
// at once or by the first calls, however many come together.
func TestShippedRulesAreCompiledByTheFirstCall(t *testing.T) {
	known, err := policy.Load(policies.FS)
	require.NoError(t, err)
	late, err := policy.LoadOver(nil, policies.FS)
	require.NoError(t, err)
	assert.Equal(t, known.Revision(), late.Revision())
	caller := ann
	caller.Profile = "documentation-manager"
	upload := policy.Request{Tool: "confluence_upload_attachment", Group: policy.Attachments, Action: policy.Create, Live: true, Caller: caller}
	var calls sync.WaitGroup
	for _, title := range []string{"setup.exe", "plan.png", "run.sh", "a.txt"} {
		calls.Go(func() {
			q := upload
			q.Change.Title = title
			assert.Equal(t, known.Decide(q), late.Decide(q), title)
		})
	}
	calls.Wait()
	upload.Change.Title = "setup.exe"
	assert.Equal(t, "no-executables", late.Decide(upload).RuleID)
}

func TestARuleThatTurnsOutNotToCompileDenies(t *testing.T) {
	text := openGroups + "rules:\n  - {id: r1, when: 'nothing.like.it', effect: require_approval}\n"
	set, err := policy.LoadOver(nil, fstest.MapFS{"open.yaml": {Data: []byte(text)}})
	require.NoError(t, err, "nobody has asked the rule yet")
	assert.True(t, set.NeedsResource("open", "confluence_update_page", policy.Pages, policy.Update))
	for range 2 {
		d := set.Decide(update())
		assert.Equal(t, policy.Deny, d.Effect)
		assert.Equal(t, "rule_error", d.Reason)
	}
}

// Profiles of an admin are held to everything when they are loaded, and
// replace what came with the program.
func TestLayersOverTheShippedOneAreHeldToEverything(t *testing.T) {
	cases := []struct{ name, more, want string }{
		{"a rule that does not compile", "rules:\n  - {id: r1, when: 'nothing.like.it', effect: deny}\n", "undeclared reference"},
		{"a test that fails", "tests:\n  - {name: writes, given: {tool: update_page}, expect: {effect: deny}}\n", `test "writes"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := policy.LoadOver(nil, policies.FS, fstest.MapFS{"own.yaml": {Data: []byte(openGroups + c.more)}})
			assert.ErrorContains(t, err, c.want)
		})
	}
	closed := []byte("version: 1\nname: full-access\ngroups: {search: {level: read_only}}\n")
	set, err := policy.LoadOver(nil, policies.FS, fstest.MapFS{"full-access.yaml": {Data: closed}})
	require.NoError(t, err)
	caller := ann
	caller.Profile = "full-access"
	q := update()
	q.Caller = caller
	assert.Equal(t, policy.Deny, set.Decide(q).Effect)
	assert.Contains(t, set.Names(), "read-only")
}
