package taint_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/policy"
	"confluence-mcp/policy/taint"
)

// shelf is a keeper in memory.
type shelf struct {
	marks  map[string]taint.Mark
	writes int
	fails  bool
}

func (s *shelf) Keep(_ context.Context, list []taint.Mark, oldest time.Time) error {
	if s.fails {
		return errors.New("the disk is full")
	}
	s.writes++
	for _, m := range list {
		old := s.marks[m.Who]
		if old.Restricted.After(m.Restricted) {
			m.Restricted = old.Restricted
		}
		if old.External.After(m.External) {
			m.External = old.External
		}
		s.marks[m.Who] = m
	}
	for who, m := range s.marks {
		if m.Restricted.Before(oldest) && m.External.Before(oldest) {
			delete(s.marks, who)
		}
	}
	return nil
}

func (s *shelf) Since(_ context.Context, oldest time.Time) (out []taint.Mark, err error) {
	for _, m := range s.marks {
		if !m.Restricted.Before(oldest) || !m.External.Before(oldest) {
			out = append(out, m)
		}
	}
	return out, err
}

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func open(t require.TestingT, s *shelf, window time.Duration, now time.Time) *taint.Book {
	b, err := taint.Open(context.Background(), s, window, now)
	require.NoError(t, err)
	return b
}

var (
	clean      = policy.Context{}
	restricted = policy.Context{ReadRestricted: true}
	external   = policy.Context{ReadRestricted: true, ReadExternal: true}
)

// A mark is on the payer and its agent, for the window, also after a restart.
func TestAMarkCountsForTheWindowAndOutlivesARestart(t *testing.T) {
	s := &shelf{marks: map[string]taint.Mark{}}
	b := open(t, s, 30*time.Minute, start)
	require.NoError(t, b.Restricted(t.Context(), "help|site|user|ann", start))
	require.NoError(t, b.External(t.Context(), "desk|site|user|eve", start.Add(time.Minute)))
	for name, b := range map[string]*taint.Book{"before": b, "after": open(t, s, 30*time.Minute, start.Add(20*time.Minute))} {
		at := start.Add(29 * time.Minute)
		assert.Equal(t, restricted, b.Of("help|site|user|ann", at), name)
		assert.Equal(t, restricted, b.Of("help|site|user|bob", at), "%s: its agent carries it over", name)
		assert.Equal(t, external, b.Of("desk|site|user|eve", at), name)
		assert.Equal(t, clean, b.Of("helpers|site|user|ann", at), name)
		assert.Equal(t, clean, b.Of("help|site|user|ann", start.Add(30*time.Minute+31*time.Second)), name)
	}
	assert.Equal(t, clean, open(t, s, 30*time.Minute, start.Add(2*time.Hour)).Of("help|site|user|ann", start.Add(2*time.Hour)))
	assert.Equal(t, clean, open(t, s, time.Minute, start.Add(2*time.Minute)).Of("help|site|user|ann", start.Add(2*time.Minute)), "a shorter window counts now")
}

// Who reads all the time is written down once a sixtieth of the window.
func TestReadingOnIsNotWrittenDownEachTime(t *testing.T) {
	s := &shelf{marks: map[string]taint.Mark{}}
	b := open(t, s, time.Minute, start)
	for i := range 1000 {
		require.NoError(t, b.Restricted(t.Context(), "a|b|user|c", start.Add(time.Duration(i)*time.Millisecond)))
	}
	assert.LessOrEqual(t, s.writes, 2)
	assert.Positive(t, s.writes)
}

// A mark that is not kept is an error each time, and counts in this process.
func TestAMarkThatIsNotKeptIsAnErrorAndCounts(t *testing.T) {
	s := &shelf{marks: map[string]taint.Mark{}, fails: true}
	b := open(t, s, 0, start)
	for range 2 {
		assert.ErrorContains(t, b.Restricted(t.Context(), "a|b|user|c", start), "the disk is full")
	}
	assert.Equal(t, restricted, b.Of("a|b|user|c", start.Add(taint.DefaultWindow)))
	s.fails = false
	require.NoError(t, b.Restricted(t.Context(), "a|b|user|c", start))
	assert.Equal(t, restricted, open(t, s, 0, start).Of("a|b|user|c", start))
}

// Whatever is read and whenever the process ends: who was marked before is
// marked after, for no more than a sixtieth of the window longer.
func TestNoRestartTakesAMarkAway(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, now := &shelf{marks: map[string]taint.Mark{}}, start
		window := time.Duration(rapid.IntRange(1, 3600).Draw(rt, "seconds")) * time.Second
		b := open(rt, s, window, now)
		payers := []string{"a|s|user|1", "a|s|user|2", "b|s|user|1"}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(window)).Draw(rt, "pause")))
			who := rapid.SampledFrom(payers).Draw(rt, "who")
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				require.NoError(rt, b.Restricted(context.Background(), who, now))
			case 1:
				require.NoError(rt, b.External(context.Background(), who, now))
			case 2:
				again := open(rt, s, window, now)
				for _, p := range payers {
					before, after := b.Of(p, now), again.Of(p, now)
					assert.True(rt, !before.ReadRestricted || after.ReadRestricted, "restricted")
					assert.True(rt, !before.ReadExternal || after.ReadExternal, "external")
					later := now.Add(window/60 + time.Microsecond)
					assert.True(rt, b.Of(p, now).ReadRestricted || !again.Of(p, later).ReadRestricted, "too long")
				}
			}
		}
	})
}
