package mirrored_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

func (w *world) service() tools.Site {
	return w.as(identity.Caller{Agent: "local", Kind: identity.Service, Integration: "acme"})
}

// synced repeats a change in what the test knows of the site, and syncs.
func (w *world) synced(lines ...string) {
	w.advance(5 * time.Minute)
	w.learn(lines...)
	w.sync()
}

func TestAnOwnWriteIsSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	bot := w.service()
	title := func(id string) string {
		p, err := bot.Page(w.ctx, id, storage)
		require.NoError(t, err)
		return p.Title
	}
	assert.Equal(t, "Runbook", title("1001"))
	_, err := bot.UpdatePage(w.ctx, confluence.PageUpdate{ID: "1001", Type: "page", Status: "current", Title: "Handbook", Body: "<p>pump, newly written</p>", Version: 4})
	require.NoError(t, err)
	assert.Equal(t, "Handbook", title("1001"))
	hits, err := bot.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "pump"}})
	require.NoError(t, err)
	require.Len(t, hits.Items, 1)
	assert.Equal(t, "Handbook", hits.Items[0].Title)
	assert.Equal(t, "pump, newly written", hits.Items[0].Excerpt)
	assert.Equal(t, 4, hits.Items[0].Version)
	kids, err := bot.Children(w.ctx, "1000", "page", confluence.Paging{})
	require.NoError(t, err)
	assert.Contains(t, titles(kids.Items), "Handbook")
	assert.Equal(t, []string{"1001"}, w.wrote)

	w.synced(`{"kind":"content","id":"1001","title":"Handbook","storage":"<p>pump, newly written</p>","version":4}`)
	assert.Empty(t, w.asked(func() {
		assert.Equal(t, "Handbook", title("1001"))
		_, err := bot.Children(w.ctx, "1000", "page", confluence.Paging{})
		require.NoError(t, err)
	}), "the mirror has caught up")
}

func titles(nodes []confluence.Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Title)
	}
	return out
}

func TestANewAndADeletedPageAreSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	bot := w.service()
	p, err := bot.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", ParentID: "1000", Body: "<p>fresh</p>"})
	require.NoError(t, err)
	got, err := bot.Page(w.ctx, p.ID, storage)
	require.NoError(t, err)
	assert.Equal(t, "Fresh", got.Title)
	inSpace := func() []string {
		l, err := bot.Pages(w.ctx, confluence.PageFilter{SpaceID: "100", Status: "current"}, confluence.Paging{Limit: 100})
		require.NoError(t, err)
		return pageIDs(l.Items)
	}
	assert.Contains(t, inSpace(), p.ID)
	require.NoError(t, bot.DeletePage(w.ctx, "1006", "page"))
	assert.NotContains(t, inSpace(), "1006")
	gone, err := bot.Page(w.ctx, "1006", storage)
	assert.True(t, err != nil || gone.Status == confluence.StatusTrashed, "%+v", gone)
	hits, err := bot.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "House rules"}})
	require.NoError(t, err)
	assert.NotContains(t, hitIDs(hits.Items), "1006")
	other, err := bot.Pages(w.ctx, confluence.PageFilter{SpaceID: "300"}, confluence.Paging{})
	require.NoError(t, err)
	assert.False(t, other.ReadAt.IsZero(), "another space is still the mirror's")
}

func TestAMoveIsSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	bot := w.service()
	require.NoError(t, bot.MovePage(w.ctx, "1006", confluence.MoveAppend, "1002"))
	up, err := bot.Ancestors(w.ctx, "1006")
	require.NoError(t, err)
	assert.Equal(t, []string{"1000", "1002"}, nodeIDs(up))
	kids, err := bot.Children(w.ctx, "1002", "page", confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, []string{"1003", "1006"}, nodeIDs(kids.Items))
	bob := w.as(user("u-bob"))
	_, err = bob.Page(w.ctx, "1006", storage)
	isNotFound(t, err, "a read through the shared account sees where it is now")
}

func TestLabelsFilesAndSpacesAreSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	bot := w.service()
	_, err := bot.AddLabels(w.ctx, "1001", []string{"urgent"})
	require.NoError(t, err)
	labels, err := bot.Labels(w.ctx, "1001", "page")
	require.NoError(t, err)
	assert.Len(t, labels, 3)
	a, err := bot.Upload(w.ctx, confluence.Upload{PageID: "1006", FileName: "new.txt", MediaType: "text/plain", Size: 3, Content: strings.NewReader("new")})
	require.NoError(t, err)
	files, err := bot.Attachments(w.ctx, "1006", "page", confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, files.Items, 1)
	assert.Equal(t, a.ID, files.Items[0].ID)
	require.NoError(t, bot.DeleteAttachment(w.ctx, "att6002"))
	files, err = bot.Attachments(w.ctx, "1001", "page", confluence.Paging{})
	require.NoError(t, err)
	assert.Len(t, files.Items, 1)

	_, err = bot.CreateSpace(w.ctx, confluence.NewSpace{Key: "NEW", Name: "New"})
	require.NoError(t, err)
	spaces, err := bot.Spaces(w.ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 100})
	require.NoError(t, err)
	assert.Contains(t, idsOf(spaces.Items, func(s confluence.Space) string { return s.Key }), "NEW")
	name := "Works"
	_, err = bot.UpdateSpace(w.ctx, confluence.SpaceUpdate{Key: "ENG", Name: &name})
	require.NoError(t, err)
	sp, err := bot.Space(w.ctx, "ENG")
	require.NoError(t, err)
	assert.Equal(t, "Works", sp.Name)
}
