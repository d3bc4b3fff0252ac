package store_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

func cursorKey(t *testing.T, p *store.Precious) []byte {
	t.Helper()
	key, err := p.CursorKey(t.Context())
	require.NoError(t, err)
	require.Len(t, key, 32)
	return key
}

// TestTheKeyOfCursorsIsKept: drawn once; it makes no key to seal with, and is
// sealed once there is one.
func TestTheKeyOfCursorsIsKept(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(t.Context(), dir, clock)
	require.NoError(t, err)
	first := cursorKey(t, p)
	keys, err := p.SealKeys(t.Context())
	require.NoError(t, err)
	assert.Empty(t, keys)
	require.NoError(t, p.Close())
	assert.NoFileExists(t, filepath.Join(dir, "seal.key"))

	p = open(t, dir)
	assert.Equal(t, first, cursorKey(t, p))
	ring := ringOf(t, p, dir)
	_, err = ring.Seal(seal.Place{Table: "t", Row: "1", Column: "c"}, seal.NewSecret("x"))
	require.NoError(t, err)
	p.SealWith(sealing{ring})
	assert.Equal(t, first, cursorKey(t, p))
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	_, err = ring.Rotate(t.Context(), provider)
	require.NoError(t, err)
	assert.Equal(t, first, cursorKey(t, p), "sealed, and sealed anew")
	assert.False(t, bytes.Contains(onDisk(t, dir), first))
	assert.NotEqual(t, first, cursorKey(t, open(t, t.TempDir())), "of another folder")
}
