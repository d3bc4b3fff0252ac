package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

const updates = "confluence_update_page"

// The change that made a version is found by whom, where, what and with what it
// was made, after a restart too.
func TestTheChangeThatMadeAVersion(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	keys := newKeys(t)
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	sealWith(t, p, keys)
	first := audit.Change{ID: strings.Repeat("a", 32), Principal: "a|s|user|ann", Site: "s1", Tool: updates, On: "page 11", Version: 4, Undo: []byte("{}"), Time: clock()}
	moved, later := first, first
	moved.ID, moved.Tool, moved.Version = strings.Repeat("b", 32), "confluence_move_page", 5
	later.ID, later.Version = strings.Repeat("c", 32), 6
	for _, c := range []audit.Change{first, moved, later} {
		require.NoError(t, p.NoteChange(ctx, c))
	}
	require.NoError(t, p.Close())

	p = open(t, dir)
	sealWith(t, p, keys)
	v := audit.Version{Principal: later.Principal, Site: "s1", Tool: updates, On: "page 11", Number: 6}
	got, ok, err := p.ChangeThatMade(ctx, v)
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, later, got, "after a restart")
	for name, change := range map[string]func(*audit.Version){
		"another principal": func(v *audit.Version) { v.Principal = "a|s|user|bob" },
		"another site":      func(v *audit.Version) { v.Site = "s2" },
		"another page":      func(v *audit.Version) { v.On = "page 12" },
		"another tool":      func(v *audit.Version) { v.Number = 5 },
		"a later version":   func(v *audit.Version) { v.Number = 7 },
	} {
		other := v
		change(&other)
		_, ok, err := p.ChangeThatMade(ctx, other)
		require.NoError(t, err)
		assert.False(t, ok, name)
	}
}

// Where versions of the history were deleted, a number was made twice.
func TestTheLastOfTheChangesThatMadeAVersion(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	keys := newKeys(t)
	sealWith(t, p, keys)
	for n, id := range []string{"b", "c", "a"} {
		c := audit.Change{ID: strings.Repeat(id, 32), Principal: "x", Site: "s", Tool: updates, On: "page 1", Version: 2, Undo: []byte("{}"), Time: clock().Add(time.Duration(n) * time.Minute)}
		require.NoError(t, p.NoteChange(ctx, c))
	}
	got, ok, err := p.ChangeThatMade(ctx, audit.Version{Principal: "x", Site: "s", Tool: updates, On: "page 1", Number: 2})
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, strings.Repeat("a", 32), got.ID)
}

// What was made before there were versions in the journal is found as well.
func TestChangesOfBeforeTheirVersionsWereKept(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	keys := newKeys(t)
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	sealWith(t, p, keys)
	first := audit.Change{ID: strings.Repeat("a", 32), Principal: "x", Site: "s", Tool: updates, On: "blogpost 1", Undo: []byte("{}"), Time: clock()}
	last := first
	last.ID, last.Time = strings.Repeat("b", 32), clock().Add(time.Minute)
	require.NoError(t, p.NoteChange(ctx, first))
	require.NoError(t, p.NoteChange(ctx, last))
	for _, statement := range []string{
		"DROP TABLE cursor_key", "DROP INDEX change_version", "ALTER TABLE change DROP COLUMN version", "PRAGMA user_version = 10",
		"CREATE TABLE deed (principal TEXT, site TEXT, page TEXT, before INTEGER, made INTEGER, base_sha256 TEXT, at TEXT)",
		"INSERT INTO deed VALUES ('x', 's', '1', 4, 5, '', (SELECT max(at) FROM change))",
	} {
		require.NoError(t, store.Exec(p, statement), statement)
	}
	require.NoError(t, p.Close())

	p = open(t, dir)
	sealWith(t, p, keys)
	last.Version = 5
	got, ok, err := p.ChangeThatMade(ctx, audit.Version{Principal: "x", Site: "s", Tool: updates, On: "blogpost 1", Number: 5})
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, last, got)
	got, ok, err = p.Change(ctx, "x", "s", first.ID)
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, first, got, "it can be undone by its id")
}

func TestVersionsOfOldChangesAreForgotten(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	keys := newKeys(t)
	sealWith(t, p, keys)
	old := audit.Change{ID: strings.Repeat("a", 32), Principal: "x", Site: "s", Tool: updates, On: "page 1", Version: 2, Undo: []byte("{}"), Time: clock().Add(-91 * 24 * time.Hour)}
	require.NoError(t, p.NoteChange(ctx, old))
	next := audit.Change{ID: strings.Repeat("b", 32), Principal: "x", Site: "s", Tool: updates, On: "page 2", Version: 2, Undo: []byte("{}"), Time: clock()}
	require.NoError(t, p.NoteChange(ctx, next))
	_, ok, err := p.ChangeThatMade(ctx, audit.Version{Principal: "x", Site: "s", Tool: updates, On: "page 1", Number: 2})
	require.NoError(t, err)
	assert.False(t, ok)
}

func newKeys(t *testing.T) seal.KeyProvider {
	t.Helper()
	keys, err := seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewKeyText()}.Open()
	require.NoError(t, err)
	return keys
}

func sealWith(t *testing.T, p *store.Precious, keys seal.KeyProvider) {
	t.Helper()
	ring, err := seal.OpenRing(t.Context(), keys, p)
	require.NoError(t, err)
	p.SealWith(sealing{ring})
}

// turning rotates the keys, as another process would, right after it has sealed
// once.
type turning struct {
	sealing
	turn func()
}

func (r *turning) Seal(ctx context.Context, at seal.Place, plain seal.Secret) ([]byte, error) {
	out, err := r.sealing.Seal(ctx, at, plain)
	if r.turn != nil {
		r.turn()
		r.turn = nil
	}
	return out, err
}

// What undoing and deciding need is kept, too, when the keys are rotated between
// sealing and keeping.
func TestKeysRotatedWhileSomethingIsKept(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	turnKeys := func() {
		provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
		require.NoError(t, err)
		_, err = ringOf(t, p, dir).Rotate(t.Context(), provider)
		require.NoError(t, err)
	}
	keys := &turning{sealing: sealing{ringOf(t, p, dir)}, turn: turnKeys}
	p.SealWith(keys)
	made := audit.Change{ID: strings.Repeat("a", 32), Principal: "a|s|user|ann", Site: "s1", Tool: "confluence_update_comment", On: "comment 7", Undo: []byte(`{"body":"before"}`), Time: clock()}
	require.NoError(t, p.NoteChange(t.Context(), made))
	got, ok, err := p.Change(t.Context(), made.Principal, "s1", made.ID)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, made, got)

	keys.turn = turnKeys
	asked := add(t, p, private("bot", "d1"))
	kept, err := p.Approval(t.Context(), asked.ID)
	require.NoError(t, err)
	assert.Equal(t, asked.Private, kept.Private)
}
