package mirrored_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// What a caller may not see takes as long as what is not there: medians of 1,000
// calls each, taken in turns.
func TestHiddenCostsWhatAbsentCosts(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	find := func(above string) func() error {
		return func() error {
			l, err := bob.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "pump", AncestorID: above}})
			assert.Empty(t, l.Items)
			return err
		}
	}
	for name, ask := range map[string]struct{ hidden, absent func() error }{
		"page":         {func() error { _, err := bob.Page(w.ctx, "1002", storage); return err }, func() error { _, err := bob.Page(w.ctx, "1999", storage); return err }},
		"search below": {find("1002"), find("1999")},
		"search":       {func() error { return w.finds("zeppelin") }, func() error { return w.finds("zzzzqqqq") }},
	} {
		const calls = 1000
		var hidden, absent []time.Duration
		for range calls {
			for _, one := range []struct {
				into *[]time.Duration
				ask  func() error
			}{{&hidden, ask.hidden}, {&absent, ask.absent}} {
				at := time.Now()
				err := one.ask()
				*one.into = append(*one.into, time.Since(at))
				if name == "page" {
					require.Equal(t, confluence.NotFound, confluence.KindOf(err))
				}
			}
		}
		h, a := median(hidden), median(absent)
		t.Logf("%s: hidden %v, absent %v, ratio %.2f", name, h, a, float64(h)/float64(a))
		if name != "search" { // near words are looked for in both, in other places of the dictionary
			assert.Less(t, float64(max(h, a))/float64(min(h, a)), 1.5, name)
		}
	}
}

func (w *world) finds(text string) error {
	l, err := w.as(user("u-bob")).Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: text}})
	assert.Empty(w.t, l.Items)
	return err
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
