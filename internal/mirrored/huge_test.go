package mirrored_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// A page that is too large to be mirrored is read from Confluence, by whom the
// mirror shows it, and found by its title.
func TestAHugePageIsReadLive(t *testing.T) {
	content, err := json.Marshal(map[string]any{"kind": "content", "id": "7001", "type": "page", "space": "ENG", "parent": "1000", "title": "Ledger of everything",
		"storage": "<p>" + strings.Repeat("entry ", 300_000) + "</p>", "author": "u-ann", "read": []string{"user:u-bob", "user:u-bot"}})
	require.NoError(t, err)
	w := newWorld(t, string(content))
	part := confluence.PageOptions{Format: confluence.Storage, Part: confluence.Part{Whole: 3 << 19, Size: 1000}}
	for _, own := range []bool{true, false} {
		w.own["u-bob"] = own
		bob := w.as(user("u-bob"))
		asked := w.asked(func() {
			p, err := bob.Page(w.ctx, "7001", part)
			require.NoError(t, err)
			assert.Len(t, p.Body, 1000)
			assert.Greater(t, p.BodySize, 3<<19)
			assert.Zero(t, p.ReadAt, "it was read now")
		})
		assert.NotEmpty(t, asked)
		assert.Empty(t, w.asked(func() {
			p, err := bob.Page(w.ctx, "7001", confluence.PageOptions{})
			require.NoError(t, err)
			assert.Equal(t, "Ledger of everything", p.Title)
			hits, err := bob.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "ledger"}})
			require.NoError(t, err)
			assert.Equal(t, []string{"7001"}, hitIDs(hits.Items))
		}))
	}
	cid := w.as(user("u-cid"))
	var hidden error
	asked := w.asked(func() { _, hidden = cid.Page(w.ctx, "7001", part) })
	assert.Equal(t, confluence.NotFound, confluence.KindOf(hidden))
	assert.Empty(t, asked)
}
