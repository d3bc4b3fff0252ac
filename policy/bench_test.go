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

// costs are the times of one decision by number of rules. Rounds of 0, 5 and 20
// rules take turns, so that a busy machine is as busy for each of them.
type costs map[int][]time.Duration

const batch = 50 // decisions timed at once: the clock is no finer

func (c costs) round(profiles map[int]*policy.Profile, r policy.Request) {
	for _, n := range []int{0, 5, 20} {
		p, began := profiles[n], time.Now()
		for range batch {
			p.Decide(r)
		}
		c[n] = append(c[n], time.Since(began)/batch)
	}
}

func (c costs) of(n int) (median, p99 time.Duration) {
	slices.Sort(c[n])
	return c[n][len(c[n])/2], c[n][len(c[n])*99/100]
}

func (c costs) table() string {
	none, _ := c.of(0)
	out := "\nrules  median      p99         times the median of none\n"
	for _, n := range []int{0, 5, 20} {
		median, p99 := c.of(n)
		out += fmt.Sprintf("%5d  %-10v  %-10v  %.1f\n", n, median, p99, float64(median)/float64(none))
	}
	return out
}

func costed(t testing.TB) (map[int]*policy.Profile, policy.Request) {
	profiles, r := map[int]*policy.Profile{}, benchRequest()
	for _, n := range []int{0, 5, 20} {
		profiles[n] = dueRules(t, n)
		require.Equal(t, policy.Allow, profiles[n].Decide(r).Effect, "all rules are evaluated")
	}
	return profiles, r
}

// BenchmarkDecisionCost prints medians, p99 and the ratio to no rules.
func BenchmarkDecisionCost(b *testing.B) {
	profiles, r := costed(b)
	c := costs{}
	for b.Loop() {
		c.round(profiles, r)
	}
	none, _ := c.of(0)
	for _, n := range []int{0, 5, 20} {
		median, p99 := c.of(n)
		b.ReportMetric(float64(median), fmt.Sprintf("ns-median-%d-rules", n))
		b.ReportMetric(float64(p99), fmt.Sprintf("ns-p99-%d-rules", n))
		b.ReportMetric(float64(median)/float64(none), fmt.Sprintf("x-none-%d-rules", n))
	}
	b.Log(c.table())
}

// TestDecisionCost prints the same table and holds what the rules may cost:
// wide bounds on the times, because the machine may be busy, and none on
// memory. The race detector makes everything slow and gives nothing back to what
// lends the memory, so under it there is the table alone.
func TestDecisionCost(t *testing.T) {
	profiles, r := costed(t)
	c := costs{}
	for range 400 {
		c.round(profiles, r)
	}
	t.Log(c.table())
	if underRace {
		return
	}
	for n, most := range map[int]time.Duration{5: 50 * time.Microsecond, 20: 250 * time.Microsecond} {
		median, _ := c.of(n)
		require.Less(t, median, most, "%d rules", n)
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { profiles[n].Decide(r) }), 1.0, "the memory is lent")
	}
}
