package index_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
)

func TestFollowTrimsWhatItHasRead(t *testing.T) {
	log := newPages(some(10)...)
	x := followed(t, log)
	for range 150 {
		log.put(some(10)...)
	}
	assert.Equal(t, int64(1500), x.Status().Behind)
	require.NoError(t, x.Follow(t.Context()))
	st := x.Status()
	assert.Equal(t, int64(1510), st.Seq)
	assert.Zero(t, st.Behind)
	assert.Equal(t, 10, st.Documents)
	assert.False(t, st.Rebuilding)
	assert.Empty(t, log.changes, "the log is not needed any more")
	sound(t, x)
	require.NoError(t, x.Follow(t.Context()), "a trimmed log is no reason to begin anew")
}

// TestALogReadInSmallStepsIsTrimmed: a sync wakes the index after every batch, so
// that it never reads many changes at once.
func TestALogReadInSmallStepsIsTrimmed(t *testing.T) {
	log := newPages(some(10)...)
	x := followed(t, log)
	most := 0
	for range 300 {
		log.put(some(10)...)
		require.NoError(t, x.Follow(t.Context()))
		most = max(most, len(log.changes))
	}
	assert.Less(t, most, 1000)
	sound(t, x)
}

func TestAnAncestorNarrows(t *testing.T) {
	log := newPages(some(6)...)
	r := newRights(t, 6)
	for child, parent := range map[uint32]uint32{2: 1, 3: 2, 5: 4} {
		r.forest.Put(child, guard.Node{Space: 1, Parent: parent, Clause: guard.Clause{State: guard.Open}})
	}
	x := followed(t, log)
	assert.Equal(t, []uint32{2, 3}, sortedSet(found(t, x, r.view("ann"), index.Query{Text: "common", Ancestor: 1})))
	assert.Equal(t, []uint32{5}, found(t, x, r.view("ann"), index.Query{Ancestor: 4}))
	r.only(2, "bob")
	assert.Empty(t, found(t, x, r.view("ann"), index.Query{Ancestor: 1}), "rights changed and no document did")
}

func TestOneFolderAtATime(t *testing.T) {
	dir := t.TempDir()
	x := open(t, newPages(some(3)...), dir)
	require.NoError(t, x.Follow(t.Context()))
	for range 4 {
		require.NoError(t, x.Rebuild(t.Context()))
	}
	folders := map[string]bool{}
	for _, f := range files(t, dir) {
		folders[filepath.Dir(f)] = true
	}
	assert.Len(t, folders, 2, "the index's folder and the one that counts")
}
