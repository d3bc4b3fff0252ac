package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
)

const openGroups = `version: 1
name: open
groups:
  pages: {level: read_write, allow_delete: true}
  spaces: {level: read_write, allow_delete: true}
  search: {level: read_only}
  attachments: {level: read_write, allow_delete: true}
  users: {level: read_only}
`

var ann = identity.Caller{
	Agent: "desk", Kind: identity.User, AccountID: "u-ann", Email: "ann@acme.test",
	Groups: []string{"staff"}, Profile: "open", Transport: identity.HTTP,
}

func withRules(t testing.TB, rules string) *policy.Profile {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(openGroups+"rules:\n"+rules))
	require.NoError(t, err)
	return p
}

func denyWhen(t testing.TB, when string) *policy.Profile {
	t.Helper()
	return withRules(t, fmt.Sprintf("  - id: r1\n    when: %q\n    effect: deny\n    message: No.\n", when))
}

func update() policy.Request {
	return policy.Request{
		Tool: "confluence_update_page", Group: policy.Pages, Action: policy.Update, Live: true, Caller: ann,
		Resource: policy.Resource{Known: true, Type: "page", ID: "7", SpaceKey: "ENG", Labels: []string{"a"}},
	}
}

// dearWhen passes the static gate and is too dear on a text of 60,000 bytes.
const dearWhen = `resource.title.matches("(a|b|ab)*c(a|b|ab)*d(a|b|ab)*e(a|b|ab)*f(a|b|ab)*g(a|b|ab)*h(a|b|ab)*i(a|b|ab)*k(a|b|ab)*l")`

func TestFailClosed(t *testing.T) {
	cases := []struct {
		name   string
		when   string
		change func(*policy.Request)
		reason string
	}{
		{"G04 division by zero", "100 / change.body_bytes > 3", nil, "rule_error"},
		{"G04 modulus by zero", "100 % resource.version == 3", nil, "rule_error"},
		{"G04 index out of range", `resource.labels[5] == "x"`, nil, "rule_error"},
		{"G04 missing attribute", `identity.attributes["clearance"] == "x"`, nil, "rule_error"},
		{"G04 number that is none", "int(resource.title) > 3", nil, "rule_error"},
		{"G04 over the run-time cost", dearWhen, func(r *policy.Request) { r.Resource.Title = strings.Repeat("ab", 30_000) }, "rule_cost"},
		{"G04 text of megabytes", `resource.title == "x"`, func(r *policy.Request) { r.Resource.Title = strings.Repeat("ab", 2_000_000) }, "rule_cost"},
		{"G04 text of megabytes nobody reads", "change.body_bytes > 0", func(r *policy.Request) { r.Change.MediaType = strings.Repeat("ab", 2_000_000) }, "rule_cost"},
		{"G04 list over its bound", `"x" in resource.labels`, func(r *policy.Request) { r.Resource.Labels = make([]string, 201) }, "rule_cost"},
		{"G04 attributes over their bound", `"x" in identity.attributes`, func(r *policy.Request) {
			r.Caller.Attributes = map[string]string{}
			for i := range 101 {
				r.Caller.Attributes[fmt.Sprint(i)] = ""
			}
		}, "rule_cost"},
		{"resource not loaded", `resource.space_key == "HR"`, func(r *policy.Request) { r.Resource = policy.Resource{} }, "resource_unknown"},
		{"resource not loaded, other half true", `resource.space_key == "HR" && change.body_bytes == 0`, func(r *policy.Request) { r.Resource = policy.Resource{} }, "resource_unknown"},
		{"no caller", "false", func(r *policy.Request) { r.Caller = identity.Caller{Profile: "open"} }, "unknown_caller"},
		{"unknown group", "false", func(r *policy.Request) { r.Group = "admin" }, "blocked_operation"},
		{"unknown action", "false", func(r *policy.Request) { r.Action = "archive" }, "blocked_operation"},
		{"no action", "false", func(r *policy.Request) { r.Action = "" }, "blocked_operation"},
		{"purge by name", "false", func(r *policy.Request) { r.Tool = "confluence_purge_page" }, "blocked_operation"},
		{"permissions by name", "false", func(r *policy.Request) { r.Tool = "confluence_update_space_permissions" }, "blocked_operation"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := update()
			if c.change != nil {
				c.change(&r)
			}
			d := denyWhen(t, c.when).Decide(r)
			assert.Equal(t, policy.Deny, d.Effect)
			assert.Equal(t, c.reason, d.Reason)
			if strings.HasPrefix(c.reason, "rule_") || c.reason == "resource_unknown" {
				assert.Equal(t, "r1", d.RuleID)
				assert.Equal(t, []string{"r1"}, d.Errored)
			}
		})
	}
}

func TestG04RequireApprovalRuleThatErrorsDenies(t *testing.T) {
	p := withRules(t, "  - {id: r1, when: 1 / change.body_bytes > 0, effect: require_approval}\n")
	d := p.Decide(update())
	assert.Equal(t, policy.Deny, d.Effect)
	assert.Equal(t, "rule_error", d.Reason)
}

// TestG05ErrorHiddenByOr holds what CEL does, so that it is documented: an
// error beside a true is a true. A deny rule still denies.
func TestG05ErrorHiddenByOr(t *testing.T) {
	for _, when := range []string{"1 / change.body_bytes > 0 || true", "true || 1 / change.body_bytes > 0"} {
		d := denyWhen(t, when).Decide(update())
		assert.Equal(t, policy.Deny, d.Effect)
		assert.Equal(t, "rule_denied", d.Reason)
	}
	d := denyWhen(t, "1 / change.body_bytes > 0 || false").Decide(update())
	assert.Equal(t, "rule_error", d.Reason)
}

func TestUnknownResourceMattersOnlyWhereTheAnswerDependsOnIt(t *testing.T) {
	p := denyWhen(t, `request.action == "delete" && resource.space_key == "HR"`)
	r := update()
	r.Resource = policy.Resource{}
	assert.Equal(t, policy.Allow, p.Decide(r).Effect)
	r.Action, r.Tool = policy.Delete, "confluence_delete_page"
	assert.Equal(t, "resource_unknown", p.Decide(r).Reason)
	assert.True(t, p.NeedsResource(r.Tool, r.Group, r.Action))

	guarded := denyWhen(t, `resource.known && resource.space_key == "HR"`)
	assert.Equal(t, policy.Allow, guarded.Decide(r).Effect)
	assert.False(t, denyWhen(t, "!resource.known").NeedsResource(r.Tool, r.Group, r.Action))
}

func TestG03NoEffectAllows(t *testing.T) {
	for _, effect := range []string{"allow", "ALLOW", "permit", "''", "null", "true"} {
		_, err := policy.Parse("p.yaml", []byte(openGroups+"rules:\n  - {id: r1, when: 'true', effect: "+effect+"}\n"))
		assert.ErrorContains(t, err, "p.yaml:10:", effect)
	}
}

func TestG02NoKeyPermitsSpaceDelete(t *testing.T) {
	for name, text := range map[string]string{
		"group key":  strings.Replace(openGroups, "spaces: {level: read_write", "spaces: {level: read_write, allow_space_delete: true", 1),
		"root key":   openGroups + "allow_space_delete: true\n",
		"action":     openGroups + "rules:\n  - {id: r1, match: {actions: [delete_space]}, effect: deny}\n",
		"level":      strings.Replace(openGroups, "spaces: {level: read_write", "spaces: {level: delete_space", 1),
		"limits key": openGroups + "limits: {space_deletes: 1}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse("p.yaml", []byte(text))
			var problems profile.Problems
			require.ErrorAs(t, err, &problems)
			assert.Positive(t, problems[0].Line)
		})
	}
	p := withRules(t, "  - {id: r1, when: 'false', effect: deny}\n")
	d := p.Decide(policy.Request{Tool: "confluence_x", Group: policy.Spaces, Action: policy.Delete, Caller: ann})
	assert.Equal(t, "space_delete_blocked", d.Reason, "allow_delete on spaces never covers a whole space")
	d = p.Decide(policy.Request{
		Tool: "confluence_x", Group: policy.Spaces, Action: policy.Delete, Caller: ann,
		Resource: policy.Resource{Known: true, Type: "space_property"},
	})
	assert.Equal(t, policy.Allow, d.Effect)
}

// TestG08MoveIntoABlockedSpace judges both ends of a move.
func TestG08MoveIntoABlockedSpace(t *testing.T) {
	p := denyWhen(t, `resource.space_key == "LEGAL" || change.target_space_key == "LEGAL"`)
	r := update()
	r.Tool, r.Change.TargetSpaceKey = "confluence_move_page", "LEGAL"
	assert.Equal(t, policy.Deny, p.Decide(r).Effect)

	source, target := update(), update()
	target.Resource.SpaceKey = "LEGAL"
	set, err := policy.Load(fstest.MapFS{"open.yaml": {Data: []byte(openGroups +
		"rules:\n  - {id: r1, when: 'resource.space_key == \"LEGAL\"', effect: deny}\n")}})
	require.NoError(t, err)
	assert.Equal(t, policy.Deny, set.Strictest(source, target).Effect)
	assert.Equal(t, policy.Deny, set.Strictest(target, source).Effect)
	assert.Equal(t, policy.Allow, set.Strictest(source, source).Effect)
	assert.Equal(t, policy.Deny, set.Strictest().Effect)
}

func TestStrictestRuleWinsInAnyOrder(t *testing.T) {
	for _, order := range [][2]string{{"deny", "require_approval"}, {"require_approval", "deny"}} {
		p := withRules(t, fmt.Sprintf("  - {id: r1, effect: %s}\n  - {id: r2, effect: %s}\n", order[0], order[1]))
		d := p.Decide(update())
		assert.Equal(t, policy.Deny, d.Effect)
		read := update()
		read.Action, read.Tool = policy.Read, "confluence_get_page"
		assert.Equal(t, policy.Deny, p.Decide(read).Effect, "a deny rule without actions covers reads")
	}
	p := withRules(t, "  - {id: r1, effect: require_approval, message: Ask.}\n")
	d := p.Decide(update())
	assert.Equal(t, policy.RequireApproval, d.Effect)
	assert.Equal(t, "Ask.", d.Message)
	read := update()
	read.Action = policy.Read
	assert.Equal(t, policy.Allow, p.Decide(read).Effect, "reads never need approval")
}

func TestMaxBodyBytes(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte(openGroups+"limits: {max_body_bytes: 100}\n"))
	require.NoError(t, err)
	r := update()
	r.Change.BodyBytes = 100
	assert.Equal(t, policy.Allow, p.Decide(r).Effect)
	r.Change.BodyBytes = 101
	assert.Equal(t, "limit", p.Decide(r).Reason)
}

func TestUnknownProfileDenies(t *testing.T) {
	set, err := policy.Load(policies.FS)
	require.NoError(t, err)
	for _, name := range []string{"", "Read-Only", "read-only ", "no-such"} {
		r := update()
		r.Caller.Profile = name
		d := set.Decide(r)
		assert.Equal(t, policy.Deny, d.Effect)
		assert.Equal(t, "unknown_profile", d.Reason)
	}
}

// TestVisibleFollowsUnconditionalDenials: what can never be allowed is not shown.
func TestVisibleFollowsUnconditionalDenials(t *testing.T) {
	p := withRules(t, "  - {id: r1, match: {actions: [update]}, effect: deny}\n  - {id: r2, match: {actions: [create], tools: [create_page]}, effect: deny}\n")
	assert.False(t, p.Visible(policy.Pages, policy.Update))
	assert.True(t, p.Visible(policy.Pages, policy.Create), "another tool of the cell may be allowed")
	assert.False(t, p.Visible(policy.Search, policy.Create), "search has no writes")
	assert.False(t, p.Visible("x", policy.Read))
}

// TestRulesOnlyNarrow: whatever the rules are, the result is never looser than
// without them.
func TestRulesOnlyNarrow(t *testing.T) {
	conditions := []string{
		`resource.space_key == "ENG"`, `resource.space_key in ["HR", "LEGAL"]`, `change.removed_ratio > 0.5`,
		`resource.labels.exists(l, l.startsWith("a"))`, `1 / change.body_bytes > 0`, `identity.groups.exists(g, g == "staff")`,
		`request.tool == "confluence_update_page"`, `context.read_restricted`, `!resource.known`, `true`, `false`,
		`resource.version > 3 || resource.restricted`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		for i := range rapid.IntRange(1, 6).Draw(rt, "rules") {
			fmt.Fprintf(&b, "  - {id: r%d, when: %q, effect: %s}\n", i+1, rapid.SampledFrom(conditions).Draw(rt, "when"),
				rapid.SampledFrom([]string{"deny", "require_approval"}).Draw(rt, "effect"))
		}
		grant := func(name string) string {
			return fmt.Sprintf("  %s: {level: %s, allow_delete: %t, require_approval: %t}\n", name,
				rapid.SampledFrom([]string{"disabled", "read_only", "read_write"}).Draw(rt, "level"),
				rapid.Bool().Draw(rt, "delete"), rapid.Bool().Draw(rt, "approval"))
		}
		base := "version: 1\nname: open\ngroups:\n" + grant("pages") + grant("attachments")
		without, err := policy.Parse("p.yaml", []byte(base))
		require.NoError(rt, err)
		with, err := policy.Parse("p.yaml", []byte(base+"rules:\n"+b.String()))
		require.NoError(rt, err)
		for range 50 {
			r := randomRequest(rt)
			loose, strict := without.Decide(r), with.Decide(r)
			if strict.Effect > loose.Effect {
				rt.Fatalf("rules widened %v to %v for %+v", loose, strict, r)
			}
			if r.Action == policy.Read && strict.Effect == policy.RequireApproval {
				rt.Fatalf("a read needs approval: %+v", r)
			}
		}
	})
}

func randomRequest(rt *rapid.T) policy.Request {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(rt, label) }
	return policy.Request{
		Tool:   pick("tool", "confluence_update_page", "confluence_get_page", "confluence_upload_attachment"),
		Group:  policy.Group(pick("group", "pages", "attachments", "search")),
		Action: policy.Action(pick("action", "read", "create", "update", "delete")),
		Caller: ann,
		Resource: policy.Resource{
			Known: rapid.Bool().Draw(rt, "known"), SpaceKey: pick("space", "ENG", "HR", "X"),
			Labels:  rapid.SliceOfN(rapid.SampledFrom([]string{"a1", "b"}), 0, 3).Draw(rt, "labels"),
			Version: rapid.IntRange(0, 5).Draw(rt, "version"), Restricted: rapid.Bool().Draw(rt, "restricted"),
		},
		Change: policy.Change{
			BodyBytes: rapid.Int64Range(0, 2).Draw(rt, "bytes"), RemovedRatio: rapid.Float64Range(0, 1).Draw(rt, "ratio"),
		},
		Context: policy.Context{ReadRestricted: rapid.Bool().Draw(rt, "tainted")},
	}
}
