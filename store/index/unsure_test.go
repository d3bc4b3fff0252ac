package index_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// What only Confluence can judge is in no count of an answer, and is named once
// for each class; with Confluence's word it is like anything else.
func TestWhatOnlyConfluenceKnowsIsNotCounted(t *testing.T) {
	const folder, other = 50, 60
	var all []mirror.Page
	for idx := uint32(1); idx <= 9; idx++ {
		all = append(all, page(idx, fmt.Sprintf("Page %d", idx), "harbour pilot", "sea"))
	}
	all = append(all, page(10, "Quay", "wharf", "sea"))
	x := followed(t, newPages(all...))
	r := newRights(t, 2)
	r.forest.SetIntegration(guard.Integration{ID: 1, Name: "one", Mode: guard.Synced, Account: "boss", Opaque: guard.VerifyOpaque})
	for _, f := range []uint32{folder, other} {
		r.forest.Put(f, guard.Node{Space: 1, Clause: guard.Clause{State: guard.Opaque}})
	}
	for idx := uint32(3); idx <= 6; idx++ {
		r.forest.Put(idx, guard.Node{Space: 1, Parent: folder, Clause: guard.Clause{State: guard.Open}})
	}
	annOnly := guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.User, ID: "ann"}}}
	r.forest.Put(7, guard.Node{Space: 1, Parent: folder, Clause: annOnly})
	r.forest.Put(8, guard.Node{Space: 1, Parent: other, Clause: guard.Clause{State: guard.Open}})
	r.forest.Put(9, guard.Node{Space: 1, Parent: other, Clause: guard.Clause{}})
	r.forest.Put(10, guard.Node{Space: 1, Parent: other, Clause: guard.Clause{State: guard.Open}})

	q := index.Query{Text: "harbour", Facets: true, Limit: 20}
	for _, c := range []struct {
		who          string
		said         map[uint32]bool
		hits, unsure []uint32
	}{
		{"ann", nil, []uint32{1, 2}, []uint32{7, folder, other}},
		{"bob", nil, []uint32{1, 2}, []uint32{folder, other}},
		{"bob", map[uint32]bool{folder: true}, []uint32{1, 2, 3, 4, 5, 6}, []uint32{other}},
		{"ann", map[uint32]bool{folder: true, other: false}, []uint32{1, 2, 3, 4, 5, 6}, []uint32{7}},
		{"ann", map[uint32]bool{folder: false, 7: true, other: true}, []uint32{1, 2, 7, 8}, nil},
		{"bob", map[uint32]bool{folder: true, 7: true, other: true, 9: true}, []uint32{1, 2, 3, 4, 5, 6, 8}, nil},
	} {
		v := r.view(c.who).With(c.said)
		a, err := x.Search(t.Context(), v, q)
		require.NoError(t, err)
		assert.ElementsMatch(t, c.hits, found(t, x, v, q), "%+v", c)
		var classes []uint32
		for _, node := range a.Unsure {
			assert.NotEqual(t, uint32(folder), node)
			classes = append(classes, v.Class(node))
		}
		assert.ElementsMatch(t, c.unsure, classes, "%+v", c)
		assert.Equal(t, len(c.hits), a.Total, "%+v", c)
		assert.False(t, a.Fuzzy)
		for _, f := range append(a.Facets.Labels, a.Facets.Spaces...) {
			assert.Equal(t, len(c.hits), f.Nodes, "%+v", c)
		}
	}
	a, err := x.Search(t.Context(), r.view("bob"), index.Query{Text: "wharf"})
	require.NoError(t, err)
	assert.Equal(t, []uint32{10}, a.Unsure)
	assert.False(t, a.Fuzzy, "near words are not looked for before Confluence has spoken")
	a, err = x.Search(t.Context(), r.view("bob"), index.Query{Text: `"pilot harbour"`})
	require.NoError(t, err)
	assert.Empty(t, a.Unsure, "only what matches is asked about")
}
