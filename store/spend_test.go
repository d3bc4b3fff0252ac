package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store"
)

// What was spent is there after a restart, in order, and for a day.
func TestSpentIsKeptForADay(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	start := clock()
	require.NoError(t, p.NoteSpent(ctx, "old", true, start.Add(-25*time.Hour)))
	require.NoError(t, p.NoteSpent(ctx, "ann", true, start))
	require.NoError(t, p.NoteSpent(ctx, "bob", false, start))
	require.NoError(t, p.NoteSpent(ctx, "ann", false, start.Add(-time.Hour)))
	require.NoError(t, p.Close())

	p = open(t, dir)
	read := func(from time.Time) (out []string) {
		require.NoError(t, p.SpentSince(ctx, from, func(principal string, deletion bool, when time.Time) {
			out = append(out, fmt.Sprintf("%s %v %v", principal, deletion, when.Sub(start)))
		}))
		return out
	}
	assert.Equal(t, []string{"ann false -1h0m0s", "ann true 0s", "bob false 0s"}, read(start.Add(-48*time.Hour)))
	assert.Equal(t, []string{"ann true 0s", "bob false 0s"}, read(start))
}
