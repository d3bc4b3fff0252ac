package mirrored_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// What a caller may not see takes as long as what is not there: medians of 1,000
// calls each, taken in turns, some at once because answers of nothing wait. Those
// that wait do so for a beat: on a machine that is so slow or so busy that what
// is asked at once needs about a beat, some wait for the next one. The medians
// are then taken anew, of fewer at once; what a hidden page costs stays.
func TestN09_HiddenCostsWhatAbsentCosts(t *testing.T) {
	more := []string{`{"kind":"content","id":"1002","storage":"<p>a zeppelin by autumn</p>","labels":["airship"],"version":2}`}
	for i := range 600 { // hidden by where they stand
		more = append(more, fmt.Sprintf(`{"kind":"content","id":"%d","type":"page","space":"ENG","title":"Plan %d","parent":"1002","storage":"<p>a balloon %d</p>"}`, 20_000+i, i, i))
	}
	w := newWorld(t, more...)
	bob := w.as(user("u-bob"))
	page := func(id string) func() error {
		return func() error { _, err := bob.Page(w.ctx, id, storage); return err }
	}
	find := func(terms confluence.Terms, by ...identity.Caller) func() error {
		site := w.as(append(by, user("u-bob"))[0])
		return func() error {
			l, err := site.Search(w.ctx, confluence.Search{Terms: &terms})
			assert.Empty(t, l.Items)
			return err
		}
	}
	l, err := w.as(user("u-bot")).Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "balloon"}})
	require.NoError(t, err)
	require.NotEmpty(t, l.Items, "it is there, for others")
	for name, ask := range map[string]struct{ hidden, absent func() error }{
		"page":                  {page("1002"), page("1999")},
		"below":                 {find(confluence.Terms{Text: "pump", AncestorID: "1002"}), find(confluence.Terms{Text: "pump", AncestorID: "1999"})},
		"word of one page":      {find(confluence.Terms{Text: "zeppelin"}), find(confluence.Terms{Text: "zzzzqqqq"})},
		"word of most pages":    {find(confluence.Terms{Text: "balloon"}), find(confluence.Terms{Text: "zzzzqqqq"})},
		"words of a hidden one": {find(confluence.Terms{Text: `"a balloon 7"`}), find(confluence.Terms{Text: `"a zzzz 7"`})},
		"label":                 {find(confluence.Terms{Text: "*", Label: "airship"}), find(confluence.Terms{Text: "*", Label: "zzzz"})},
		"space":                 {find(confluence.Terms{Text: "*", SpaceKey: "HR"}, nobody()), find(confluence.Terms{Text: "*", SpaceKey: "ZZ"}, nobody())},
	} {
		rounds := []int{10, 4, 2, 1, 1}
		if name == "page" { // which does not wait
			rounds = []int{1, 1, 1, 1, 1}
		}
		even := false
		for round := 0; !even && round < len(rounds); round++ {
			hidden, absent := timesOf(t, ask.hidden, ask.absent, name == "page", rounds[round])
			h, a := median(hidden), median(absent)
			t.Logf("%s, %d at once: hidden %v, absent %v, ratio %.2f", name, rounds[round], h, a, float64(h)/float64(a))
			even = float64(max(h, a))/float64(min(h, a)) < 1.5
		}
		assert.True(t, even, name)
	}
}

// timesOf makes 1,000 calls of each, some at once.
func timesOf(t *testing.T, hidden, absent func() error, notFound bool, at int) (h, a []time.Duration) {
	t.Helper()
	const calls = 1000
	var mu sync.Mutex
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for range calls / at {
				for _, one := range []struct {
					into *[]time.Duration
					ask  func() error
				}{{&h, hidden}, {&a, absent}} {
					began := time.Now()
					err := one.ask()
					took := time.Since(began)
					mu.Lock()
					*one.into = append(*one.into, took)
					mu.Unlock()
					assert.Equal(t, notFound, confluence.KindOf(err) == confluence.NotFound, "%v", err)
				}
			}
		})
	}
	all.Wait()
	return h, a
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
