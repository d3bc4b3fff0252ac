package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
)

func BenchmarkLoadShipped(b *testing.B) {
	for b.Loop() {
		_, err := policy.Load(policies.FS)
		require.NoError(b, err)
	}
}

func BenchmarkLoad100Rules(b *testing.B) {
	var rules strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rules, "  - {id: r%d, when: 'resource.space_key in [\"HR%d\"] && change.removed_ratio > 0.5', effect: deny}\n", i, i)
	}
	files := fstest.MapFS{"open.yaml": {Data: []byte(openGroups + "rules:\n" + rules.String())}}
	for b.Loop() {
		_, err := policy.Load(files)
		require.NoError(b, err)
	}
}

// The conditions measured before the project began: E1 tool and space, E3
// size, age, ancestor, pattern and weekday.
const (
	ruleE1 = `request.tool == "confluence_update_page" && resource.space_key in ["HR", "LEGAL"]`
	ruleE3 = `change.body_bytes > 500000 || (now - resource.updated_at > duration("720h") && resource.ancestor_ids.exists(a, a == "99") && resource.title.matches("^Archive") && now.getDayOfWeek() == 0)`
)

// dueRules is a profile with n matching rules, E1 and E3 in turn, none of
// which denies: all are evaluated.
func dueRules(t testing.TB, n int) *policy.Profile {
	t.Helper()
	text := openGroups
	if n > 0 {
		text += "rules:\n"
	}
	for i := range n {
		text += fmt.Sprintf("  - {id: r%d, effect: deny, when: '%s'}\n", i, []string{ruleE1, ruleE3}[i%2])
	}
	p, err := policy.Parse("p.yaml", []byte(text))
	require.NoError(t, err)
	return p
}

func benchRequest() policy.Request {
	r := update()
	r.Now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	r.Resource.UpdatedAt = r.Now.Add(-2000 * time.Hour)
	r.Resource.AncestorIDs = []string{"1", "2", "3", "4", "5"}
	return r
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{0, 5, 20} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			p, r := dueRules(b, n), benchRequest()
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(r)
			}
		})
	}
}

// TestDecisionCost prints the table of medians and p99 and holds wide bounds:
// the machine may be busy.
func TestDecisionCost(t *testing.T) {
	const batches, batch = 200, 10
	r := benchRequest()
	medians := map[int]time.Duration{}
	for _, n := range []int{0, 5, 20} {
		p := dueRules(t, n)
		require.Equal(t, policy.Allow, p.Decide(r).Effect)
		var each []time.Duration
		for range batches {
			started := time.Now()
			for range batch {
				p.Decide(r)
			}
			each = append(each, time.Since(started)/batch)
		}
		slices.Sort(each)
		medians[n] = each[batches/2]
		t.Logf("%2d rules: median %v, p99 %v, %.0f times the median of none", n, medians[n], each[batches*99/100],
			float64(medians[n])/float64(medians[0]))
	}
	require.Less(t, medians[5], time.Millisecond)
	require.Less(t, medians[20], 4*time.Millisecond)
}
