package mirror_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
)

// Of a hidden tree the top is named and nothing else; who sees nothing is told of
// nothing, and who would have to be told too much too.
func TestWithinNamesTheTopsOfWhatIsHidden(t *testing.T) {
	b := fresh(t)
	b.people()
	b.sync(1, append(tree(), page("5", "2", onlyA), page("6", "", onlyA), page("7", "6", free))...)
	for name, c := range map[string]struct {
		who            identity.Caller
		space          string
		most           int
		spaces, hidden []string
		whole          bool
	}{
		"sees all":        {who("ann"), "", 9, []string{"ENG"}, nil, true},
		"sees some":       {who("bob"), "", 9, []string{"ENG"}, []string{"2", "6"}, true},
		"in a space":      {who("bob"), "eng", 9, []string{"ENG"}, []string{"2", "6"}, true},
		"in another":      {who("bob"), "HR", 9, nil, nil, true},
		"just enough":     {who("bob"), "", 2, []string{"ENG"}, []string{"2", "6"}, true},
		"one too many":    {who("bob"), "", 1, nil, nil, false},
		"views no space":  {who("zoe"), "", 9, nil, nil, true},
		"nobody at all":   {identity.Caller{}, "", 9, nil, nil, true},
		"views no tree":   {identity.Public("t", "p", identity.HTTP), "", 0, nil, nil, true},
		"nothing allowed": {who("bob"), "", 0, nil, nil, false},
	} {
		spaces, hidden, whole, err := b.Within(b.ctx, c.who, 1, c.space, c.most)
		require.NoError(t, err, name)
		assert.Equal(t, c.spaces, spaces, name)
		assert.Equal(t, c.hidden, hidden, name)
		assert.Equal(t, c.whole, whole, name)
	}
}

// What stands below something that was not found any more is hidden, and a top.
func TestWithinNamesWhatIsLeftOfATree(t *testing.T) {
	b := fresh(t)
	b.people()
	b.sync(1, page("1", "", free), page("2", "1", free), page("3", "2", free), page("4", "3", free))
	b.sync(2, page("1", "", free), page("3", "2", free), page("4", "3", free))
	require.False(t, b.sees("ann", "3"))
	_, hidden, whole, err := b.Within(b.ctx, who("ann"), 1, "", 9)
	require.NoError(t, err)
	assert.True(t, whole)
	assert.Equal(t, []string{"3"}, hidden)
}

func TestTitlesShowWhatTheCallerMaySee(t *testing.T) {
	b := fresh(t)
	b.people()
	b.sync(1, tree()...)
	index := map[string]uint32{}
	for _, id := range []string{"1", "2", "3", "4"} {
		p, err := b.Place(b.ctx, who("ann"), mirror.Ref{ID: id})
		require.NoError(t, err)
		index[id] = p.Index
	}
	says := func(title string) int { return strings.Count(title, "Title") + 5*strings.Count(title, "4") }
	for name, c := range map[string]struct {
		who   string
		f     mirror.Filter
		match func(string) int
		want  []string
	}{
		"everything":      {"ann", mirror.Filter{}, nil, []string{"1", "2", "3", "4"}},
		"not the hidden":  {"bob", mirror.Filter{}, nil, []string{"1", "4"}},
		"most said first": {"ann", mirror.Filter{}, says, []string{"4", "1", "2", "3"}},
		"below a page":    {"ann", mirror.Filter{Ancestor: &mirror.Ref{ID: "2"}}, says, []string{"3"}},
		"below a hidden":  {"bob", mirror.Filter{Ancestor: &mirror.Ref{ID: "2"}}, says, nil},
		"with a label":    {"ann", mirror.Filter{Label: "l3"}, says, []string{"3"}},
		"nothing said":    {"ann", mirror.Filter{}, func(string) int { return 0 }, nil},
		"nobody":          {"zoe", mirror.Filter{}, nil, nil},
	} {
		got, err := b.Titles(b.ctx, who(c.who), c.f, c.match)
		require.NoError(t, err, name)
		want := []uint32{}
		for _, id := range c.want {
			want = append(want, index[id])
		}
		assert.Equal(t, want, got, name)
	}
}
