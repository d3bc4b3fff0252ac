package index_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// watched is a log that calls before each reading of pages for a rebuilding.
type watched struct {
	*pages
	before func(after uint32) error
}

func (w *watched) All(ctx context.Context, after uint32, limit int) ([]mirror.Page, error) {
	if err := w.before(after); err != nil {
		return nil, err
	}
	return w.pages.All(ctx, after, limit)
}

// long are pages of which one reading fills a batch: a building writes many.
func long(n int) []mirror.Page {
	out := some(n)
	text := strings.Repeat("-", 40<<10)
	for i := range out {
		out[i].Text += " " + text
	}
	return out
}

func isBuilding(t *testing.T, err error) {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, confluence.Unavailable, e.Kind)
	assert.Equal(t, "index.building", e.StableCode())
	assert.True(t, e.Retryable())
}

// TestAPartIsNoAnswer: until an index was complete once it answers nothing, at
// whatever moment of its building it is asked or given up.
func TestAPartIsNoAnswer(t *testing.T) {
	v := newRights(t, 250).view("ann")
	log := &watched{pages: newPages(long(250)...)}
	dir := t.TempDir()
	x := open(t, log, dir)
	ask := func() error {
		_, err := x.Search(t.Context(), v, index.Query{Text: "common"})
		return err
	}
	isBuilding(t, ask())
	asked := 0
	log.before = func(after uint32) error {
		asked++
		isBuilding(t, ask())
		if after >= 200 {
			return errors.New("the mirror is gone")
		}
		return nil
	}
	require.Error(t, x.Follow(t.Context()))
	assert.Positive(t, x.Status().Documents, "a part is written")
	isBuilding(t, ask())

	log.before = func(uint32) error { isBuilding(t, ask()); return nil }
	require.NoError(t, x.Follow(t.Context()))
	assert.Len(t, found(t, x, v, index.Query{Text: "common", Limit: 1000}), 250)

	log.before = func(uint32) error { return ask() }
	require.NoError(t, x.Rebuild(t.Context()), "the complete one is searched meanwhile")
	assert.Greater(t, asked, 2)
}

// TestAnEmptyIndexIsComplete: an index of nothing has everything there is, and
// goes on having nothing until a building that it needs is at its end.
func TestAnEmptyIndexIsComplete(t *testing.T) {
	v := newRights(t, 250).view("ann")
	log := &watched{pages: newPages(), before: func(uint32) error { return nil }}
	x := followed(t, log)
	assert.Empty(t, found(t, x, v, index.Query{Text: "*"}))
	assert.False(t, x.Status().Rebuilding)

	log.put(long(250)...)
	require.NoError(t, log.Trim(t.Context(), 250)) // what came is not in the log any more
	log.before = func(uint32) error {
		assert.Empty(t, found(t, x, v, index.Query{Text: "*"}))
		return nil
	}
	require.NoError(t, x.Follow(t.Context()))
	assert.Len(t, found(t, x, v, index.Query{Text: "*", Limit: 1000}), 250)
}

func TestAnIndexOfAnotherVersionAnswersNothingUntilItIsBuilt(t *testing.T) {
	log := newPages(some(10)...)
	v := newRights(t, 10).view("ann")
	dir := t.TempDir()
	x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(t, err)
	require.NoError(t, x.Follow(t.Context()))
	require.NoError(t, index.Forge(t.Context(), x))
	require.NoError(t, x.Close())
	x = open(t, log, dir)
	_, err = x.Search(t.Context(), v, index.Query{Text: "common"})
	isBuilding(t, err)
	require.NoError(t, x.Follow(t.Context()))
	assert.Len(t, found(t, x, v, index.Query{Text: "common", Limit: 100}), 10)
}
