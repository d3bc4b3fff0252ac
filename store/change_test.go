package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// Changes are there after a restart, for who made them, sealed, for 90 days.
func TestChangesAreKeptSealed(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	id := strings.Repeat("a", 32)
	made := audit.Change{ID: id, Principal: "a|s|user|ann", Site: "s1", Tool: "confluence_update_comment", On: "comment 7", Undo: []byte(`{"body":"canary-comment"}`), Time: clock()}
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(p.NoteChange(ctx, made)), "nothing private lies open")
	keys := newKeys(t)
	sealWith(t, p, keys)
	require.NoError(t, p.NoteChange(ctx, made))
	require.NoError(t, p.Close())
	for _, name := range []string{"precious.db", "precious.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			assert.NotContains(t, string(raw), "canary-comment")
		}
	}

	p = open(t, dir)
	sealWith(t, p, keys)
	got, ok, err := p.Change(ctx, made.Principal, "s1", id)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, made, got, "after a restart")
	for _, other := range [][3]string{{"a|s|user|bob", "s1", id}, {made.Principal, "s2", id}, {made.Principal, "s1", strings.Repeat("b", 32)}} {
		_, ok, err := p.Change(ctx, other[0], other[1], other[2])
		require.NoError(t, err)
		assert.False(t, ok, other)
	}
	require.NoError(t, p.MarkUndone(ctx, id, clock().Add(time.Hour)))
	require.NoError(t, p.MarkUndone(ctx, id, clock().Add(2*time.Hour)))
	got, _, err = p.Change(ctx, made.Principal, "s1", id)
	require.NoError(t, err)
	assert.Equal(t, clock().Add(time.Hour), got.Undone, "once")

	old := made
	old.ID, old.Time = strings.Repeat("c", 32), clock().Add(-91*24*time.Hour)
	require.NoError(t, p.NoteChange(ctx, old))
	last := made
	last.ID = strings.Repeat("d", 32)
	require.NoError(t, p.NoteChange(ctx, last))
	_, ok, err = p.Change(ctx, made.Principal, "s1", old.ID)
	require.NoError(t, err)
	assert.False(t, ok, "forgotten")
	_, err = p.Sealed(ctx, seal.Place{Table: "change", Row: old.ID, Column: "undo"})
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "with what it said")
}
