package index_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/madeup"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// naive answers questions by looking at every page: words are what stands
// between spaces, and none has an ending.
type naive struct{ of map[uint32]mirror.Page }

type counted struct {
	freq   map[string]float64
	length float64
	run    []string
}

func count(p mirror.Page) counted {
	c := counted{freq: map[string]float64{}}
	add := func(text string, weight float64) {
		for _, w := range strings.Fields(text) {
			c.freq[w] += weight
			c.length++
		}
	}
	add(p.Title, 3)
	for _, line := range strings.Split(p.Text, "\n") {
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			add(heading, 2)
			continue
		}
		add(line, 1)
	}
	for _, l := range p.Labels {
		add(l, 2)
	}
	c.run = append(append(strings.Fields(p.Title), "|"), strings.Fields(strings.ReplaceAll(p.Text, "# ", ""))...)
	return c
}

// asked is a question as it was made up, and its text.
type asked struct {
	words, must, not, phrase []string
	start                    string
}

func (a asked) text() string {
	out := slices.Clone(a.words)
	for _, w := range a.must {
		out = append(out, "+"+w)
	}
	for _, w := range a.not {
		out = append(out, "-"+w)
	}
	if len(a.phrase) > 0 {
		out = append(out, `"`+strings.Join(a.phrase, " ")+`"`)
	}
	if a.start != "" {
		out = append(out, a.start+"*")
	}
	return strings.Join(out, " ")
}

func (c counted) has(w string) bool { return c.freq[w] > 0 }

func (c counted) starts(s string) bool {
	for w := range c.freq {
		if strings.HasPrefix(w, s) {
			return true
		}
	}
	return false
}

func (c counted) hasRun(run []string) bool {
	for i := range len(c.run) - len(run) + 1 {
		if slices.Equal(c.run[i:i+len(run)], run) {
			return true
		}
	}
	return false
}

func (a asked) matches(c counted) bool {
	if slices.ContainsFunc(a.not, c.has) {
		return false
	}
	if len(a.must)+len(a.phrase) > 0 {
		return !slices.ContainsFunc(a.must, func(w string) bool { return !c.has(w) }) && (len(a.phrase) == 0 || c.hasRun(a.phrase))
	}
	if len(a.words) == 0 && a.start == "" {
		return true
	}
	return slices.ContainsFunc(a.words, c.has) || a.start != "" && c.starts(a.start)
}

type scored struct {
	idx   uint32
	score float64
}

// answer lists what is to be found, best first.
func (n naive) answer(a asked, sees func(uint32) bool, keeps func(mirror.Page) bool) []scored {
	docs := map[uint32]counted{}
	mean := 0.0
	for idx, p := range n.of {
		docs[idx] = count(p)
		mean += docs[idx].length / float64(len(n.of))
	}
	idf := func(has func(counted) bool) float64 {
		found := 0.0
		for _, c := range docs {
			if has(c) {
				found++
			}
		}
		return math.Log(1 + (float64(len(docs))-found+0.5)/(found+0.5))
	}
	out := []scored{}
	for idx, c := range docs {
		if !sees(idx) || !keeps(n.of[idx]) || !a.matches(c) {
			continue
		}
		s := 0.0
		for _, w := range slices.Concat(slices.Compact(slices.Sorted(slices.Values(a.words))), slices.Compact(slices.Sorted(slices.Values(a.must))), slices.Compact(slices.Sorted(slices.Values(a.phrase)))) {
			f := c.freq[w]
			s += idf(func(c counted) bool { return c.has(w) }) * f / (f + 1.2*(0.25+0.75*c.length/mean))
		}
		if a.start != "" && c.starts(a.start) {
			s += idf(func(c counted) bool { return c.starts(a.start) }) / 2.2
		}
		out = append(out, scored{idx, s})
	}
	slices.SortFunc(out, func(a, b scored) int { return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.idx, b.idx)) })
	return out
}

// TestSearchEqualsTheNaiveOne: random pages, changes, rights, questions and
// filters; totals, order, pages and facets are those of looking at every page.
func TestSearchEqualsTheNaiveOne(t *testing.T) {
	words := make([]string, 24)
	for i := range words {
		words[i] = madeup.Word(i * i * 37)
	}
	rapid.Check(t, func(rt *rapid.T) {
		log, n := newPages(), naive{map[uint32]mirror.Page{}}
		dir := t.TempDir()
		x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon, SlowTime: time.Hour})
		require.NoError(rt, err)
		defer x.Close()
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			edit(rt, log, n, words)
			require.NoError(rt, x.Follow(t.Context()))
			r := drawRights(t, rt)
			for range 6 {
				compare(t, rt, x, n, r, drawAsked(rt, words))
			}
		}
		report, err := x.Check(t.Context())
		require.NoError(rt, err)
		assert.True(rt, report.Sound(), "%+v", report)
	})
}

const mostPages = 40

func edit(rt *rapid.T, log *pages, n naive, words []string) {
	some := func(least, most int) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), least, most).Draw(rt, "words"), " ")
	}
	for range rapid.IntRange(1, 15).Draw(rt, "edits") {
		idx := rapid.Uint32Range(1, mostPages).Draw(rt, "node")
		if rapid.IntRange(0, 4).Draw(rt, "delete") == 0 {
			log.remove(idx)
			delete(n.of, idx)
			continue
		}
		p := page(idx, some(1, 4), some(0, 20)+"\n# "+some(1, 3)+"\n"+some(0, 20), rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 3, rapid.ID).Draw(rt, "labels")...)
		p.SpaceKey = rapid.SampledFrom([]string{"ENG", "OPS"}).Draw(rt, "space")
		p.Type = rapid.SampledFrom([]string{"page", "page", "blogpost", "folder"}).Draw(rt, "type")
		p.AuthorID = rapid.SampledFrom([]string{"ann", "bob"}).Draw(rt, "author")
		p.Version.CreatedAt = noon().AddDate(0, 0, -rapid.IntRange(0, 5).Draw(rt, "age"))
		log.put(p)
		n.of[idx] = p
	}
}

func drawRights(t *testing.T, rt *rapid.T) *guard.View {
	r := newRights(t, mostPages)
	for _, idx := range rapid.SliceOfDistinct(rapid.Uint32Range(1, mostPages), rapid.ID).Draw(rt, "restricted") {
		r.only(idx, rapid.SampledFrom([]string{"ann", "bob"}).Draw(rt, "reader"))
	}
	return r.view("ann")
}

func drawAsked(rt *rapid.T, words []string) asked {
	some := func(name string, most int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, most, rapid.ID).Draw(rt, name)
	}
	a := asked{words: some("any", 3)}
	switch rapid.IntRange(0, 5).Draw(rt, "kind") {
	case 0:
		a.must = some("must", 2)
	case 1:
		a.not = some("not", 2)
	case 2:
		if a.phrase = some("phrase", 2); len(a.phrase) == 1 {
			a.phrase = nil
		}
	case 3:
		a.start = rapid.SampledFrom(words).Draw(rt, "start")[:rapid.IntRange(2, 4).Draw(rt, "letters")]
	}
	return a
}

func compare(t *testing.T, rt *rapid.T, x *index.Index, n naive, v *guard.View, a asked) {
	q := index.Query{Text: a.text(), Limit: 1000, Facets: true}
	keeps := drawFilter(rt, &q)
	want := n.answer(a, v.Sees, keeps)
	got, err := x.Search(t.Context(), v, q)
	require.NoError(rt, err)
	if got.Fuzzy {
		require.Empty(rt, want, "near words only when nothing matches")
		return
	}
	about := fmt.Sprintf("question %q, filters %+v", a.text(), q)
	require.Equal(rt, len(want), got.Total, about)
	require.Len(rt, got.Hits, len(want), about)
	score := map[uint32]float64{}
	facets := map[string]int{}
	for _, w := range want {
		score[w.idx] = w.score
		facets[n.of[w.idx].SpaceKey]++
	}
	for i, h := range got.Hits {
		require.Contains(rt, score, h.Index, about)
		require.InDelta(rt, want[i].score, score[h.Index], 1e-4, "%s: hit %d", about, i)
	}
	counted := map[string]int{}
	for _, c := range got.Facets.Spaces {
		counted[c.Value] = c.Nodes
	}
	require.True(rt, maps.Equal(facets, counted), "%s: %v, %v", about, facets, counted)
	require.Equal(rt, got.Hits, paged(t, rt, x, v, q), about)
}

// paged puts an answer together from pages of three.
func paged(t *testing.T, rt *rapid.T, x *index.Index, v *guard.View, q index.Query) []index.Hit {
	q.Limit = 3
	var out []index.Hit
	for {
		a, err := x.Search(t.Context(), v, q)
		require.NoError(rt, err)
		out = append(out, a.Hits...)
		if a.Next == "" {
			return out
		}
		q.After = a.Next
	}
}

func drawFilter(rt *rapid.T, q *index.Query) func(mirror.Page) bool {
	switch rapid.IntRange(0, 6).Draw(rt, "filter") {
	case 0:
		q.SpaceKey = "ENG"
	case 1:
		q.Type = rapid.SampledFrom([]string{"blogpost", "folder"}).Draw(rt, "of type")
	case 2:
		q.AuthorID = "bob"
	case 3:
		q.UpdatedSince = noon().AddDate(0, 0, -2)
	case 4:
		q.Label = madeup.Word(37)
	}
	f := *q
	return func(p mirror.Page) bool {
		return (f.SpaceKey == "" || p.SpaceKey == f.SpaceKey) && (p.Type == f.Type || f.Type == "" && p.Type != "folder") &&
			(f.AuthorID == "" || p.AuthorID == f.AuthorID) && !p.Version.CreatedAt.Before(f.UpdatedSince) &&
			(f.Label == "" || slices.Contains(p.Labels, f.Label))
	}
}
