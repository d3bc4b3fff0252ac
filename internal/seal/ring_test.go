package seal_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

func TestSealedOpensInItsOwnPlaceOnly(t *testing.T) {
	r := ring(t, fileIn(t, t.TempDir()), newMemory())
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[a-z0-9|\x00 ]{0,6}`)
		at := seal.Place{Table: part.Draw(t, "table"), Row: part.Draw(t, "row"), Column: part.Draw(t, "column")}
		other := seal.Place{Table: part.Draw(t, "table"), Row: part.Draw(t, "row"), Column: part.Draw(t, "column")}
		plain := rapid.String().Draw(t, "plain")
		record, err := r.Seal(at, seal.NewSecret(plain))
		require.NoError(t, err)
		got, err := r.Open(t.Context(), at, record)
		require.NoError(t, err)
		require.Equal(t, plain, got.Reveal())
		if other != at {
			_, err = r.Open(t.Context(), other, record)
			require.Equal(t, confluence.Expired, confluence.KindOf(err))
		}
	})
}

func TestSealingTwiceLooksDifferent(t *testing.T) {
	r := ring(t, fileIn(t, t.TempDir()), newMemory())
	at := seal.Place{Table: "grant", Row: "1", Column: "tokens"}
	assert.NotEqual(t, sealed(t, r, at, canary), sealed(t, r, at, canary))
}

func TestK04_MovedRecordIsRefused(t *testing.T) {
	r := ring(t, fileIn(t, t.TempDir()), newMemory())
	one := sealed(t, r, seal.Place{Table: "grant", Row: "1", Column: "tokens"}, canary)
	for name, at := range map[string]seal.Place{
		"row": {Table: "grant", Row: "2", Column: "tokens"}, "table": {Table: "integration", Row: "1", Column: "tokens"},
		"column": {Table: "grant", Row: "1", Column: "token"}, "shifted": {Table: "grant1", Row: "", Column: "tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Open(t.Context(), at, one)
			requireCode(t, err, confluence.Expired, "seal.record")
			assert.True(t, got.Empty())
		})
	}
}

func TestK05_ChangedRecordIsRefused(t *testing.T) {
	r := ring(t, fileIn(t, t.TempDir()), newMemory())
	at := seal.Place{Table: "grant", Row: "1", Column: "tokens"}
	good := sealed(t, r, at, canary)
	for i := range good {
		for _, bit := range []byte{1, 0x80} {
			bad := slices.Clone(good)
			bad[i] ^= bit
			got, err := r.Open(t.Context(), at, bad)
			requireCode(t, err, confluence.Expired, "seal.record")
			assert.True(t, got.Empty())
		}
	}
	for n := range good {
		_, err := r.Open(t.Context(), at, good[:n])
		requireCode(t, err, confluence.Expired, "seal.record")
	}
	_, err := r.Open(t.Context(), at, append(slices.Clone(good), 0))
	requireCode(t, err, confluence.Expired, "seal.record")
}

func TestRecordOfAnotherFolderIsRefused(t *testing.T) {
	at := seal.Place{Table: "grant", Row: "1", Column: "tokens"}
	theirs := sealed(t, ring(t, fileIn(t, t.TempDir()), newMemory()), at, canary)
	_, err := ring(t, fileIn(t, t.TempDir()), newMemory()).Open(t.Context(), at, theirs)
	requireCode(t, err, confluence.Expired, "seal.record")
}

func TestRingOpensAgain(t *testing.T) {
	dir, m := t.TempDir(), newMemory()
	at := seal.Place{Table: "grant", Row: "1", Column: "tokens"}
	record := sealed(t, ring(t, fileIn(t, dir), m), at, canary)
	got, err := ring(t, fileIn(t, dir), m).Open(t.Context(), at, record)
	require.NoError(t, err)
	assert.Equal(t, canary, got.Reveal())
	require.Len(t, m.keys, 1)
}

// filled is a folder with three records.
func filled(t *testing.T) (dir string, m *memory, places []seal.Place) {
	t.Helper()
	dir, m = t.TempDir(), newMemory()
	r := ring(t, fileIn(t, dir), m)
	for _, row := range []string{"1", "2", "3"} {
		at := seal.Place{Table: "grant", Row: row, Column: "tokens"}
		m.records[at] = sealed(t, r, at, canary+row)
		places = append(places, at)
	}
	return dir, m, places
}

func readable(t *testing.T, r *seal.Ring, m *memory, places []seal.Place) {
	t.Helper()
	for _, at := range places {
		got, err := r.Open(t.Context(), at, m.records[at])
		require.NoError(t, err)
		require.Equal(t, canary+at.Row, got.Reveal())
	}
}

func TestRotateResealsEverything(t *testing.T) {
	dir, m, places := filled(t)
	before, other := m.copyOf(), ring(t, fileIn(t, dir), m)
	file := readKeyFile(t, dir)
	r := ring(t, fileIn(t, dir), m)
	n, err := r.Rotate(t.Context(), fileIn(t, dir))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	require.Len(t, m.keys, 1)
	assert.NotEqual(t, before.keys[0].ID, m.keys[0].ID)
	assert.NotEqual(t, before.keys[0].Master, m.keys[0].Master)
	assert.NotEqual(t, file, readKeyFile(t, dir), "the old master key is gone")
	readable(t, r, m, places)
	readable(t, ring(t, fileIn(t, dir), m), m, places)
	readable(t, other, m, places) // a process that was running fetches the new keys
	_, err = seal.OpenRing(t.Context(), fileIn(t, dir), before)
	requireCode(t, err, confluence.Invalid, "seal.key")
}

func TestRotateThatDiesLosesNothing(t *testing.T) {
	dir, m, places := filled(t)
	m.dies = true
	_, err := ring(t, fileIn(t, dir), m).Rotate(t.Context(), fileIn(t, dir))
	require.ErrorIs(t, err, errDied)
	readable(t, ring(t, fileIn(t, dir), m), m, places)
	m.dies = false
	_, err = ring(t, fileIn(t, dir), m).Rotate(t.Context(), fileIn(t, dir))
	require.NoError(t, err)
	readable(t, ring(t, fileIn(t, dir), m), m, places)
	assert.Len(t, masters(t, dir), 1, "keys of the try that died are cleaned up")
}

func TestRotateWithABrokenRecordChangesNothing(t *testing.T) {
	dir, m, places := filled(t)
	m.records[places[1]] = m.records[places[0]]
	before := m.copyOf()
	_, err := ring(t, fileIn(t, dir), m).Rotate(t.Context(), fileIn(t, dir))
	requireCode(t, err, confluence.Expired, "seal.record")
	assert.Equal(t, before.keys, m.keys)
	assert.Equal(t, before.records, m.records)
	readable(t, ring(t, fileIn(t, dir), m), m, places[:1])
}

func TestRotateToAnotherProvider(t *testing.T) {
	dir, m, places := filled(t)
	env := provider(t, seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewKeyText()})
	_, err := seal.OpenRing(t.Context(), env, m)
	requireCode(t, err, confluence.Invalid, "seal.key")
	assert.Contains(t, err.Error(), "file")
	_, err = ring(t, fileIn(t, dir), m).Rotate(t.Context(), env)
	require.NoError(t, err)
	readable(t, ring(t, env, m), m, places)
	_, err = seal.OpenRing(t.Context(), fileIn(t, dir), m)
	requireCode(t, err, confluence.Invalid, "seal.key")
}
