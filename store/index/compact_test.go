package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/madeup"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// TestAGrowingIndexStaysSmall: when it has caught up, most of an index lies in
// one segment, all of it where it was built at once, and hardly any file of
// before a merge is left.
func TestAGrowingIndexStaysSmall(t *testing.T) {
	made := madeup.New(6)
	log := newPages()
	x := followed(t, log)
	neat := func(share int64) {
		t.Helper()
		largest, rest, garbage, err := index.Lying(x)
		require.NoError(t, err)
		assert.Less(t, rest, max(1, largest*share/100), "beside %d", largest)
		assert.Less(t, garbage, x.Status().Bytes/8+512<<10)
	}
	const steps, step = 6, 2000
	for from := 1; from <= steps*step; from += step {
		more := make([]mirror.Page, step)
		for n := range more {
			more[n] = madeUpPage(made, uint32(from+n))
		}
		log.put(more...)
		require.NoError(t, x.Follow(t.Context()))
		neat(50)
	}
	require.NoError(t, x.Rebuild(t.Context()))
	neat(0)
	sound(t, x)
}

// TestTheQuickLookMissesNoPhrase: of few words, some of which share a place of
// the table of marks.
func TestTheQuickLookMissesNoPhrase(t *testing.T) {
	var alike []string
	for i := range 40 {
		alike = append(alike, madeup.Word(i))
	}
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.SampledFrom(alike)
		words := rapid.SliceOfN(word, 0, 60).Draw(r, "words")
		run := rapid.SliceOfN(word, 1, 3).Draw(r, "run")
		if len(words) > 3 && rapid.Bool().Draw(r, "there") {
			from := rapid.IntRange(0, len(words)-3).Draw(r, "from")
			run = words[from : from+rapid.IntRange(1, 3).Draw(r, "long")]
		}
		want := strings.Contains(" "+strings.Join(words, " ")+" ", " "+strings.Join(run, " ")+" ")
		maybe, holds := index.HoldsRun(words, run)
		require.Equal(r, want, holds)
		require.True(r, maybe || !holds)
	})
	for _, n := range []int{100, 1000} {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprintf("w%dk", i)
		}
		maybe, _ := index.HoldsRun(words, []string{words[n-2], words[n-1]})
		assert.True(t, maybe, "at the end")
		slices.Reverse(words)
		maybe, holds := index.HoldsRun(words, []string{"w1k", "w7k"})
		assert.False(t, maybe || holds)
	}
}
