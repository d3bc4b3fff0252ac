package mirror_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

func listed(id string, version int) mirror.Listed {
	return mirror.Listed{ID: id, Version: version, Title: "Title " + id, Labels: []string{"all", "l" + id}, Attachments: map[string]int{"att" + id: 1}}
}

func TestOutdatedComparesWhatAListingTells(t *testing.T) {
	b := fresh(t)
	b.sync(3, tree()...)
	p := b.begin()
	for name, c := range map[string]struct {
		change   func(l *mirror.Listed)
		outdated bool
	}{
		"nothing":                {func(*mirror.Listed) {}, false},
		"a newer version":        {func(l *mirror.Listed) { l.Version = 4 }, true},
		"an older version":       {func(l *mirror.Listed) { l.Version = 2 }, true},
		"a title":                {func(l *mirror.Listed) { l.Title = "Other" }, true},
		"a place among siblings": {func(l *mirror.Listed) { l.Position = new(int) }, true},
		"a label less":           {func(l *mirror.Listed) { l.Labels = l.Labels[:1] }, true},
		"another label":          {func(l *mirror.Listed) { l.Labels = []string{"all", "more"} }, true},
		"labels in other order":  {func(l *mirror.Listed) { l.Labels = []string{"l1", "all"} }, false},
		"no file":                {func(l *mirror.Listed) { l.Attachments = nil }, true},
		"one file more":          {func(l *mirror.Listed) { l.Attachments["att9"] = 1 }, true},
		"another file":           {func(l *mirror.Listed) { l.Attachments = map[string]int{"att9": 1} }, true},
		"a newer file":           {func(l *mirror.Listed) { l.Attachments["att1"] = 2 }, true},
		"labels are not told":    {func(l *mirror.Listed) { l.Labels, l.Attachments, l.Partial = nil, nil, true }, false},
		"only the version is":    {func(l *mirror.Listed) { l.Version, l.Partial = 4, true }, true},
	} {
		l := listed("1", 3)
		c.change(&l)
		changed, old, err := p.Outdated(b.ctx, []mirror.Listed{l, listed("2", 3)}, time.Time{})
		require.NoError(t, err)
		assert.Equal(t, c.outdated, len(changed) == 1, "%s: %v", name, changed)
		assert.Empty(t, old, name)
	}
	changed, old, err := p.Outdated(b.ctx, []mirror.Listed{listed("1", 3), listed("2", 3), listed("9", 1)}, noon().Add(time.Second))
	require.NoError(t, err)
	assert.Equal(t, []string{"9"}, changed, "it is missing")
	assert.Equal(t, []string{"1", "2"}, old, "read before")
}

func TestLaxerIsWhatShouldBeReadTwice(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	both := guard.Clause{State: guard.Listed, Of: []guard.Principal{group("ga"), group("gs")}}
	for name, c := range map[string]struct {
		nodes  []mirror.Node
		grants []guard.Principal
		want   bool
	}{
		"as it is":          {tree(), nil, false},
		"stricter":          {[]mirror.Node{page("1", "", onlyA)}, nil, false},
		"open again":        {[]mirror.Node{page("2", "1", free)}, nil, true},
		"names more":        {[]mirror.Node{page("2", "1", both)}, nil, true},
		"moved":             {[]mirror.Node{page("3", "1", free)}, nil, true},
		"moved to the root": {[]mirror.Node{page("4", "", free)}, nil, true},
		"below an unknown":  {[]mirror.Node{page("3", "77", free)}, nil, true},
		"a new one":         {[]mirror.Node{page("8", "1", free)}, nil, false},
		"granted to more":   {tree(), []guard.Principal{group("gs"), group("ga")}, true},
		"granted to less":   {tree(), []guard.Principal{}, false},
	} {
		p, err := b.Writer().Begin(b.ctx, 1, eng)
		require.NoError(t, err)
		if c.grants == nil {
			c.grants = []guard.Principal{group("gs")}
		}
		require.NoError(t, p.Grants(c.grants, false))
		require.NoError(t, p.Observe(c.nodes...))
		laxer, err := p.Laxer(b.ctx)
		require.NoError(t, err)
		assert.Equal(t, c.want, laxer, name)
		assert.False(t, p.SweptAt().IsZero())
	}
	b.sync(1, tree()[:3]...)
	p := b.begin()
	require.NoError(t, p.Observe(tree()...))
	laxer, err := p.Laxer(b.ctx)
	require.NoError(t, err)
	assert.True(t, laxer, "what was hidden comes back")
	missing, err := p.Missing(b.ctx)
	require.NoError(t, err)
	assert.Empty(t, missing)

	p, err = b.Writer().Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "HR"})
	require.NoError(t, err)
	require.NoError(t, p.Grants([]guard.Principal{group("gs")}, false))
	require.NoError(t, p.Observe(page("2", "", onlyA)))
	laxer, err = p.Laxer(b.ctx)
	require.NoError(t, err)
	assert.True(t, laxer, "it comes from another space")
	assert.True(t, p.SweptAt().IsZero())
}

func TestAgainIsPublishedBeforeContent(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	p := b.begin()
	require.NoError(t, p.Observe(tree()...))
	assert.Equal(t, confluence.Invalid, confluence.KindOf(p.Again(b.ctx, page("1", "", onlyA))), "nothing was tightened yet")
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	require.True(t, b.sees("bob", "1"))
	require.NoError(t, p.Again(b.ctx, page("1", "", onlyA)))
	assert.False(t, b.sees("bob", "1"))
	assert.True(t, b.sees("ann", "1"))
	require.NoError(t, p.Grants([]guard.Principal{group("ga")}, false))
	require.NoError(t, p.Again(b.ctx))
	assert.False(t, b.sees("bob", "4"), "nor the space")
	_, err = p.Put(b.ctx, []mirror.Content{content("1", 2)}, "")
	require.NoError(t, err)
	require.NoError(t, p.Loosen(b.ctx), "the space is complete all the same")
	assert.False(t, b.sees("ann", "1"), "nobody was granted the space both times")
}

func TestHeldRightsAreNotLoosened(t *testing.T) {
	b := fresh(t)
	b.sync(1, tree()...)
	open := []mirror.Node{page("1", "", free), page("2", "1", free), page("3", "2", free), page("4", "", onlyA)}
	p := b.begin()
	require.NoError(t, p.Observe(open...))
	_, err := p.Tighten(b.ctx, true)
	require.NoError(t, err)
	p.Hold("2")
	require.NoError(t, p.Loosen(b.ctx))
	assert.False(t, b.sees("bob", "2"))
	assert.True(t, b.sees("ann", "2"))
	assert.False(t, b.sees("bob", "4"), "stricter is stricter")
	b.sync(2, open...)
	assert.True(t, b.sees("bob", "2"))
}

func TestTheOverviewOfASync(t *testing.T) {
	b := fresh(t)
	w := b.Writer()
	_, err := w.Begin(b.ctx, 1, confluence.Space{ID: "200", Key: "HR"})
	require.NoError(t, err)
	b.sync(1, tree()...)
	b.sync(1, append(tree()[:2], mirror.Node{ID: "5", Type: confluence.TypePage, Cause: "403"})...)
	spaces, err := w.Spaces(b.ctx, 1)
	require.NoError(t, err)
	require.Len(t, spaces, 2)
	assert.Equal(t, "HR", spaces[0].Space.Key, "never read, so the oldest")
	assert.True(t, spaces[0].Sealed)
	assert.Equal(t, eng, spaces[1].Space)
	assert.Equal(t, noon(), spaces[1].At)
	assert.Equal(t, 5, spaces[1].Nodes)
	assert.Equal(t, 2, spaces[1].Gone)
	sealed, err := w.Sealed(b.ctx, 1)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"403": 1, "not found any more": 2}, sealed)
	people, err := w.People(b.ctx, 1)
	require.NoError(t, err)
	require.Len(t, people, 2)
	assert.Equal(t, "Ann", people[0].Name)
	assert.Equal(t, []string{"gs", "ga"}, people[0].Groups)
	people, err = w.People(b.ctx, 2)
	require.NoError(t, err)
	assert.Empty(t, people)
}
