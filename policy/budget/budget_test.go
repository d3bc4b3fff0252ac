package budget_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/budget"
	"confluence-mcp/policy/profile"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func limits(writes, deletes int) profile.Limits {
	return profile.Limits{WritesPerMinute: &writes, DeletesPerDay: &deletes}
}

func open(t testing.TB, j budget.Journal) *budget.Book {
	t.Helper()
	b, err := budget.Open(context.Background(), j, start)
	require.NoError(t, err)
	return b
}

func spend(t testing.TB, b *budget.Book, who string, a policy.Action, l profile.Limits, at time.Time) budget.Answer {
	t.Helper()
	answer, err := b.Spend(context.Background(), who, a, l, at)
	require.NoError(t, err)
	return answer
}

func TestWritesPerMinute(t *testing.T) {
	b, l := open(t, nil), limits(3, 100)
	for i := range 3 {
		require.True(t, spend(t, b, "ann", policy.Update, l, start.Add(time.Duration(i)*time.Second)).OK)
	}
	refused := spend(t, b, "ann", policy.Create, l, start.Add(10*time.Second))
	assert.Equal(t, budget.Answer{Code: "limit.writes", RetryAfter: 50 * time.Second}, refused)
	assert.True(t, spend(t, b, "bob", policy.Create, l, start.Add(10*time.Second)).OK, "others are unaffected")
	assert.True(t, spend(t, b, "ann", policy.Create, l, start.Add(60*time.Second)).OK, "the first has left the window")
	assert.False(t, spend(t, b, "ann", policy.Create, l, start.Add(60*time.Second)).OK)
}

// TestG09BulkDeletes: 200 deletes in a minute stop at the budget.
func TestG09BulkDeletes(t *testing.T) {
	b, l := open(t, nil), limits(1000, 20)
	ok := 0
	for i := range 200 {
		answer := spend(t, b, "ann", policy.Delete, l, start.Add(time.Duration(i)*300*time.Millisecond))
		if answer.OK {
			ok++
			continue
		}
		assert.Equal(t, "limit.destructive", answer.Code)
		assert.Positive(t, answer.RetryAfter)
	}
	assert.Equal(t, 20, ok)
	assert.True(t, spend(t, b, "ann", policy.Update, l, start.Add(2*time.Minute)).OK, "writes go on")
	assert.True(t, spend(t, b, "ann", policy.Delete, l, start.Add(25*time.Hour)).OK)
}

func TestLimitOfNoneAndNoLimit(t *testing.T) {
	b := open(t, nil)
	assert.Equal(t, budget.Answer{Code: "limit.writes"}, spend(t, b, "ann", policy.Update, limits(0, 0), start))
	assert.Equal(t, budget.Answer{Code: "limit.destructive"}, spend(t, b, "ann", policy.Delete, limits(9, 0), start))
	for range 500 {
		require.True(t, spend(t, b, "ann", policy.Delete, profile.Limits{}, start).OK)
	}
	_, err := b.Spend(context.Background(), "ann", policy.Read, profile.Limits{}, start)
	assert.ErrorIs(t, err, budget.ErrRead)
}

func TestAClockThatGoesBackOpensNothing(t *testing.T) {
	b, l := open(t, nil), limits(1, 1)
	require.True(t, spend(t, b, "ann", policy.Update, l, start.Add(time.Hour)).OK)
	assert.False(t, spend(t, b, "ann", policy.Update, l, start).OK)
}

// memory is a journal that can fail.
type memory struct {
	uses []budget.Use
	fail error
}

func (m *memory) Record(_ context.Context, u budget.Use) error {
	if m.fail == nil {
		m.uses = append(m.uses, u)
	}
	return m.fail
}

func (m *memory) Since(_ context.Context, from time.Time) ([]budget.Use, error) {
	var out []budget.Use
	for _, u := range m.uses {
		if u.At.After(from) {
			out = append(out, u)
		}
	}
	return out, m.fail
}

func TestABudgetSurvivesARestart(t *testing.T) {
	j := &memory{}
	require.True(t, spend(t, open(t, j), "ann", policy.Delete, limits(5, 1), start).OK)
	assert.False(t, spend(t, open(t, j), "ann", policy.Delete, limits(5, 1), start.Add(time.Hour)).OK)

	b := open(t, j)
	j.fail = errors.New("disk full")
	_, err := b.Spend(context.Background(), "bob", policy.Update, limits(5, 5), start)
	assert.ErrorIs(t, err, j.fail, "what cannot be recorded does not run")
	_, err = budget.Open(context.Background(), j, start)
	assert.ErrorIs(t, err, j.fail)
}

func TestParallelSpendersShareOneBudget(t *testing.T) {
	b, l := open(t, nil), limits(100, 100)
	var ok atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if answer, err := b.Spend(context.Background(), "ann", policy.Update, l, start); err == nil && answer.OK {
					ok.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 100, ok.Load())
}

// TestNoWindowEverHoldsMoreThanTheLimit looks at every window of a random run.
func TestNoWindowEverHoldsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b, err := budget.Open(context.Background(), nil, start)
		require.NoError(rt, err)
		most := rapid.IntRange(1, 5).Draw(rt, "limit")
		at := start
		passed := map[string][]time.Time{}
		for range 200 {
			at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "wait")) * time.Second)
			who := fmt.Sprint(rapid.IntRange(0, 2).Draw(rt, "who"))
			answer, err := b.Spend(context.Background(), who, policy.Update, limits(most, 0), at)
			require.NoError(rt, err)
			if answer.OK {
				passed[who] = append(passed[who], at)
			}
		}
		for who, times := range passed {
			for i := range times {
				if j := i + most; j < len(times) && times[j].Sub(times[i]) < time.Minute {
					rt.Fatalf("%s: %d writes within a minute", who, most+1)
				}
			}
		}
	})
}

// TestAnAgentsPayersHaveABudgetTogether: naming another user for each delete
// ends at the agent's own bound, over a restart too.
func TestAnAgentsPayersHaveABudgetTogether(t *testing.T) {
	j := &memory{}
	b, l := open(t, j), limits(1000, 2)
	ok := 0
	for i := range 200 {
		answer := spend(t, b, fmt.Sprintf("bot|wiki|user|u%d", i), policy.Delete, l, start.Add(time.Duration(i)*time.Second))
		if answer.OK {
			ok++
			continue
		}
		assert.Equal(t, "limit.destructive", answer.Code)
	}
	assert.Equal(t, 2*identity.CrowdShare, ok)
	assert.True(t, spend(t, b, "other|wiki|user|u1", policy.Delete, l, start.Add(time.Hour)).OK, "other agents are unaffected")
	assert.False(t, spend(t, open(t, j), "bot|wiki|user|new", policy.Delete, l, start.Add(time.Hour)).OK)
}
