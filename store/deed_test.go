package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/store"
)

func TestLastDeedIsPerPrincipalSiteAndPage(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	first := audit.Deed{Principal: "a|s|user|ann", Site: "s1", PageID: "11", Before: 3, Made: 4, BaseSHA256: "aa", Time: clock()}
	later := audit.Deed{Principal: "a|s|user|ann", Site: "s1", PageID: "11", Before: 4, Made: 5, BaseSHA256: "bb", Time: clock()}
	require.NoError(t, p.NoteDeed(ctx, first))
	require.NoError(t, p.NoteDeed(ctx, later))
	require.NoError(t, p.Close())

	p = open(t, dir)
	got, ok, err := p.LastDeed(ctx, later.Principal, "s1", "11")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, later, got, "after a restart")
	for _, other := range [][3]string{{"a|s|user|bob", "s1", "11"}, {later.Principal, "s2", "11"}, {later.Principal, "s1", "12"}} {
		_, ok, err := p.LastDeed(ctx, other[0], other[1], other[2])
		require.NoError(t, err)
		assert.False(t, ok, other)
	}
}

func TestOldDeedsAreForgotten(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	old := audit.Deed{Principal: "x", Site: "s", PageID: "1", Time: clock().Add(-91 * 24 * time.Hour)}
	require.NoError(t, p.NoteDeed(ctx, old))
	require.NoError(t, p.NoteDeed(ctx, audit.Deed{Principal: "x", Site: "s", PageID: "2", Time: clock()}))
	_, ok, err := p.LastDeed(ctx, "x", "s", "1")
	require.NoError(t, err)
	assert.False(t, ok)
}
