package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store"
)

// Marks are there after a restart, each with its later times, while they count.
func TestTaintsAreKeptWhileTheyCount(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	start, never := clock().UTC().Truncate(time.Microsecond), time.Time{}
	note := func(oldest time.Time, marks ...store.Taint) {
		t.Helper()
		require.NoError(t, p.NoteTaints(ctx, oldest, marks...))
	}
	note(start.Add(-time.Hour), store.Taint{Who: "old", Restricted: start.Add(-50 * time.Minute)}, store.Taint{Who: "ann", Restricted: start, External: start.Add(time.Minute)})
	note(start.Add(-time.Hour), store.Taint{Who: "ann", Restricted: start.Add(-time.Minute), External: start.Add(2 * time.Minute)}, store.Taint{Who: "bob", External: start})
	require.NoError(t, p.Close())

	p = open(t, dir)
	read := func(oldest time.Time) (out []store.Taint) {
		t.Helper()
		require.NoError(t, p.TaintsSince(ctx, oldest, func(m store.Taint) { out = append(out, m) }))
		return out
	}
	ann, bob := store.Taint{Who: "ann", Restricted: start, External: start.Add(2 * time.Minute)}, store.Taint{Who: "bob", Restricted: never, External: start}
	assert.Equal(t, []store.Taint{ann, bob, {Who: "old", Restricted: start.Add(-50 * time.Minute)}}, read(start.Add(-2*time.Hour)))
	assert.Equal(t, []store.Taint{ann}, read(start.Add(time.Second)))
	note(start)
	assert.Equal(t, []store.Taint{ann, bob}, read(start.Add(-2*time.Hour)), "what counts no more is forgotten")
	require.NoError(t, store.Exec(p, "UPDATE taint SET external = 'yesterday'"))
	assert.ErrorContains(t, p.TaintsSince(ctx, start, func(store.Taint) {}), "read who read restricted content")
}
