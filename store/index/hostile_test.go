package index_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/madeup"
	"confluence-mcp/store/index"
)

// hostile makes text of a question's signs, of broken and of strange letters.
func hostile(r *rand.Rand) string {
	parts := []string{`"`, `""`, "*", "+", "-", "+*", `-"`, "(", ")", "AND", "OR NOT", "/.*a.*b.*/", "fuzzy~10", "title:", "[* TO *]", "^9",
		"\x00", "\xff\xfe", "\xed\xa0\x80", "\u202e", "\u0301", "е́", "東", "東京都", "ガ", "한국어", "ß", "ﬁ", "İ", "’s", "'", "a", "aa*", "common", "own7k",
		" ", "\n", "\t", strings.Repeat("x", 200), strings.Repeat("*", 50), "-\"common own\"", "👩‍👩‍👧", "<script>", "'; DROP TABLE page;--", "%00", "\\"}
	var b strings.Builder
	for range r.IntN(40) {
		b.WriteString(parts[r.IntN(len(parts))])
		if r.IntN(2) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func TestHostileTextIsWords(t *testing.T) {
	x, err := index.Open(t.Context(), index.Config{Dir: t.TempDir(), Log: newPages(some(80)...), Now: noon, SlowTime: 5 * time.Millisecond})
	require.NoError(t, err)
	defer x.Close()
	require.NoError(t, x.Follow(t.Context()))
	v := newRights(t, 80).view("ann")
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 1000 {
		text := hostile(r)
		if i%100 == 0 {
			text = strings.Repeat(text+" ", 10_000/(len(text)+1)+1)
		}
		a, err := x.Search(t.Context(), v, index.Query{Text: text, Facets: i%3 == 0, SpaceKey: []string{"", "ENG", text}[i%3]})
		require.NoError(t, err, "%q", text)
		require.LessOrEqual(t, len(a.Hits), 10)
		require.GreaterOrEqual(t, a.Total, len(a.Hits))
		a.Terms.Marks(text)
	}
}

// A question of many clauses is cut, not refused, and takes its time limit at
// most.
func TestQuestionsOfManyClausesAreCut(t *testing.T) {
	x := followed(t, newPages(some(500)...))
	v := newRights(t, 500).view("ann")
	var many strings.Builder
	for i := range 10_000 {
		many.WriteString("own" + madeup.Word(i) + "* ")
	}
	for name, text := range map[string]string{
		"10,000 beginnings": many.String(), "shortest beginning": "o*", "every sign": "+*", "a regular expression": "/.*o.*k.*/",
		"a long phrase": `"` + strings.Repeat("common word ", 5000) + `"`, "leading star": "*ommon",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second*raceFactor)
			defer cancel()
			_, err := x.Search(ctx, v, index.Query{Text: text})
			assert.NoError(t, err)
		})
	}
}

func TestCursorsAreOfOneQuestion(t *testing.T) {
	x := followed(t, newPages(some(30)...))
	v := newRights(t, 30).view("ann")
	a, err := x.Search(t.Context(), v, index.Query{Text: "common", Limit: 5})
	require.NoError(t, err)
	require.NotEmpty(t, a.Next)
	for name, q := range map[string]index.Query{
		"other words": {Text: "word", After: a.Next}, "other filter": {Text: "common", SpaceKey: "ENG", After: a.Next},
		"junk": {Text: "common", After: "junk"}, "cut": {Text: "common", After: a.Next[:5]}, "long": {Text: "common", After: strings.Repeat("A", 1<<16)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := x.Search(t.Context(), v, q)
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
		})
	}
}

func TestNobodySeesNothing(t *testing.T) {
	x := followed(t, newPages(some(5)...))
	_, err := x.Search(t.Context(), nil, index.Query{})
	assert.Equal(t, confluence.Denied, confluence.KindOf(err))
	a, err := x.Search(t.Context(), newRights(t, 5).forest.Snapshot(1).View(identity.Caller{}, noon()), index.Query{Text: "common", Facets: true})
	require.NoError(t, err)
	assert.Zero(t, a.Total)
	assert.Empty(t, slices.Concat(a.Facets.Spaces, a.Facets.Types, a.Facets.Labels))
}

func TestOneQuestionFindsEachLanguage(t *testing.T) {
	log := newPages(
		page(1, "Universities", "The universities of the country are listed here and there is more to say about them."),
		page(2, "Universitäten", "Die Universitäten des Landes sind hier aufgeführt und es gibt noch mehr über sie zu sagen; Häuser und Straßen."),
		page(3, "東京大学", "これは東京大学についてのページです。検索エンジンで見つかります。"),
		page(4, "Résumé", "how to write a résumé, it's O'Reilly's way"),
		page(5, "The Who", "a band"),
		page(6, "서울대학교", "서울에 있는 대학교"),
		page(7, "Deployments", "how deployments are deployed by the deployer"),
	)
	x := followed(t, log)
	v := newRights(t, 7).view("ann")
	for text, want := range map[string][]uint32{
		"university":          {1},
		"Universität":         {2},
		"UNIVERSITAETEN":      {2},
		"haus straße":         {2},
		"strasse":             {2},
		"東京":                  {3},
		"東京大学":                {3},
		`"検索エンジン"`:            {3},
		"東":                   {3},
		"resume":              {4},
		"RÉSUMÉ":              {4},
		"oreilly":             {4},
		"the who":             {5},
		`"the who"`:           {5},
		"대학교":                 {6},
		"deployment":          {7},
		"deplo*":              {7},
		"deployme*":           {7},
		"universty":           {1}, // one letter off
		`"of the country"`:    {1},
		`"country the"`:       {1}, // stop words do not count
		`"who the"`:           {5},
		"univresity":          {1},
		"universitie":         {1},
		`"list universities"`: {},
	} {
		t.Run(text, func(t *testing.T) {
			assert.Equal(t, want, found(t, x, v, index.Query{Text: text}))
		})
	}
}

func TestMarksFindTheWordsAgain(t *testing.T) {
	x := followed(t, newPages(page(1, "Deployments", "how deployments are rolled back"), page(2, "東京", "東京大学"), page(3, "The Who", "a band")))
	v := newRights(t, 3).view("ann")
	marked := func(q, text string) []string {
		a, err := x.Search(t.Context(), v, index.Query{Text: q})
		require.NoError(t, err)
		out := []string{}
		for _, m := range a.Terms.Marks(text) {
			out = append(out, text[m.Start:m.End])
		}
		return out
	}
	assert.Equal(t, []string{"Deployed", "rolls"}, marked("deployment rolling", "Deployed it rolls on"))
	assert.Equal(t, []string{"deployment"}, marked("deplo* -back", "a deployment back"))
	assert.Equal(t, []string{"京大", "大学"}, marked("京大学", "東京大学"))
	assert.Equal(t, []string{"deployments"}, marked("deploiment", "the deployments"), "a near word")
	assert.Equal(t, []string{"The", "who"}, marked("the who", "The band who sings"))
	assert.Empty(t, marked("*", "anything"))
}
