package policy_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

const manyRules = `  - {id: hr-sealed, match: {groups: [pages, attachments]}, when: 'resource.space_key in ["HR", "LEGAL"]', effect: deny, message: Sealed.}
  - {id: big-change, match: {actions: [update]}, when: change.removed_ratio > 0.5, effect: require_approval}
  - {id: ratio, match: {actions: [create, update]}, when: '100 / change.body_bytes > 10', effect: require_approval}
  - {id: frozen, match: {tools: [move_page]}, when: 'change.target_space_key == "LEGAL"', effect: deny}
  - {id: labelled, when: 'resource.labels.exists(l, l.startsWith("no-"))', effect: deny}
  - {id: tainted, match: {actions: [create, update, delete]}, when: context.read_restricted && identity.kind == "user", effect: require_approval}
  - {id: third, when: 'resource.labels[2] == "x"', effect: deny}
`

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func anyRequest(r *rand.Rand) policy.Request {
	labels := make([]string, r.IntN(5))
	for i := range labels {
		labels[i] = pick(r, "x", "no-bots", "a")
	}
	return policy.Request{
		Tool:   pick(r, "confluence_update_page", "confluence_move_page", "confluence_get_page"),
		Group:  pick(r, policy.Pages, policy.Pages, policy.Attachments, policy.Spaces, policy.Search),
		Action: pick(r, policy.Read, policy.Create, policy.Update, policy.Delete),
		Caller: identity.Caller{Kind: pick(r, identity.User, identity.Service), AccountID: "u", Groups: []string{"staff"}},
		Resource: policy.Resource{
			Known: r.IntN(6) > 0, SpaceKey: pick(r, "HR", "ENG", ""), Labels: labels, Type: pick(r, "page", "space", "space_property"),
		},
		Change: policy.Change{
			BodyBytes: int64(r.IntN(20)), RemovedRatio: r.Float64(), TargetSpaceKey: pick(r, "", "LEGAL"),
		},
		Context: policy.Context{ReadRestricted: r.IntN(2) == 0},
		Now:     time.Unix(int64(r.IntN(1000)), 0),
	}
}

func TestExplainEqualsTheLiveDecision(t *testing.T) {
	p := withRules(t, manyRules)
	r := rand.New(rand.NewPCG(5, 5))
	started, different := time.Now(), 0
	reasons := map[string]int{}
	for range explainCases {
		request := anyRequest(r)
		live := p.Decide(request)
		explained, _ := p.Explain(request)
		reasons[live.Reason]++
		if !assert.ObjectsAreEqual(live, explained) {
			different++
		}
	}
	t.Logf("%d cases, %d different, %v, %v", explainCases, different, reasons, time.Since(started))
	assert.Zero(t, different)
	for _, reason := range []string{"allowed", "approval_required", "rule_denied", "rule_error", "resource_unknown"} {
		assert.Positive(t, reasons[reason], reason)
	}
}

func TestExplainStopsWhereTheLiveDecisionDoes(t *testing.T) {
	p := denyWhen(t, dearWhen)
	for size, problem := range map[int]string{30_000: "the rule costs too much to evaluate", 300_000: "a text of the call has 600000 bytes"} {
		r := update()
		r.Resource.Title = strings.Repeat("ab", size)
		live := p.Decide(r)
		explained, traces := p.Explain(r)
		assert.Equal(t, "rule_cost", live.Reason)
		assert.Equal(t, live, explained)
		assert.Empty(t, traces[0].Steps)
		assert.Contains(t, traces[0].Error, problem)
	}
}

// TestCountedRepetitionsInPatterns: the engine's own measure of patterns
// panics on them.
func TestCountedRepetitionsInPatterns(t *testing.T) {
	p := denyWhen(t, `resource.title.matches("^[A-Z]{3}-[0-9]{1,5}$")`)
	r := update()
	r.Resource.Title = "ABC-123"
	assert.Equal(t, policy.Deny, p.Decide(r).Effect)
	r.Resource.Title = "ABCD-123"
	assert.Equal(t, policy.Allow, p.Decide(r).Effect)
}

func TestExplainSaysWhy(t *testing.T) {
	p := withRules(t, manyRules)
	r := update()
	r.Resource.Labels = []string{"a", "no-bots", "c"}
	r.Change.BodyBytes = 3
	d, traces := p.Explain(r)
	assert.Equal(t, "labelled", d.RuleID)
	require.Len(t, traces, 7)
	assert.Equal(t, "no_match", traces[0].Verdict)
	assert.Equal(t, `resource.space_key in ["HR", "LEGAL"]`, traces[0].Steps[0].Expr)
	assert.Equal(t, "false", traces[0].Steps[0].Value)
	assert.Equal(t, `"ENG"`, traces[0].Reads[0].Value)
	assert.Equal(t, "approval_required", traces[2].Verdict)
	assert.Equal(t, "not_asked", traces[3].Verdict)
	assert.Equal(t, "rule_denied", traces[4].Verdict)
	assert.Equal(t, `resource.labels.exists(l, l.startsWith("no-"))`, traces[4].Steps[0].Expr)
	assert.Equal(t, "context.read_restricted", traces[5].Steps[0].Expr)

	r.Resource = policy.Resource{}
	d, traces = p.Explain(r)
	assert.Equal(t, "resource_unknown", d.Reason)
	assert.Equal(t, `resource.space_key in ["HR", "LEGAL"]`, traces[0].Residual)
}
