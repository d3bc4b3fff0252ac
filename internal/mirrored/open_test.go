package mirrored_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// A page that was restricted since the last pass, itself or above, and then
// written: who reads through the connecting account is shown nothing of what was
// written behind the restriction, in no way there is.
func TestNothingLiveIsShownThatWasWrittenBehindANewRestriction(t *testing.T) {
	const written = `{"kind":"content","id":"1006","type":"page","space":"ENG","title":"Zinnober","parent":"1000","version":9,"updated":"2030-01-01T00:00:00Z","storage":"<p>zinnober</p>","read":[%s]}`
	home := `{"kind":"content","id":"1000","read":[%s]}`
	comment := `{"kind":"content","id":"5600","type":"comment","space":"ENG","parent":"1006","storage":"<p>zinnober</p>","author":"u-ann"}`
	for name, c := range map[string]struct {
		page, above string
		shown       bool
	}{
		"no restriction":         {"", "", true},
		"one that names him":     {`"user:u-bob","user:u-bot"`, "", true},
		"one of a group of his":  {`"group:B","user:u-bot"`, `"group:staff","user:u-bot"`, true},
		"one of others":          {`"user:u-ann","user:u-bot"`, "", false},
		"one of others above it": {"", `"user:u-ann","user:u-bot"`, false},
		"one of no one known":    {`"user:u-stranger","user:u-bot"`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(fmt.Sprintf(written, c.page), fmt.Sprintf(home, c.above), comment)
			bob := func() tools.Site { return w.as(user("u-bob")).(interface{ Live() tools.Site }).Live() }
			for how, read := range map[string]func() (bool, error){
				"page": func() (bool, error) { p, err := bob().Page(w.ctx, "1006", storage); return p.ID != "", err },
				"version": func() (bool, error) {
					p, err := bob().Page(w.ctx, "1006", confluence.PageOptions{Version: 9, Format: confluence.Storage})
					return p.ID != "", err
				},
				"history": func() (bool, error) {
					l, err := bob().Versions(w.ctx, "1006", "page", confluence.Paging{})
					return len(l.Items) > 0, err
				},
				"comments": func() (bool, error) {
					l, err := bob().Comments(w.ctx, "1006", "page", confluence.CommentFooter, confluence.Paging{})
					return len(l.Items) > 0, err
				},
				"comment": func() (bool, error) { one, err := bob().Comment(w.ctx, "5600"); return one.ID != "", err },
				"batch": func() (bool, error) {
					found, err := bob().PagesByID(w.ctx, []string{"1006"}, confluence.TypePage)
					return len(found) > 0, err
				},
				"list": func() (bool, error) {
					l, err := bob().Pages(w.ctx, confluence.PageFilter{SpaceID: "100", Format: confluence.Storage}, confluence.Paging{})
					for _, p := range l.Items {
						if p.ID == "1006" {
							return true, err
						}
					}
					return false, err
				},
				"children": func() (bool, error) {
					l, err := bob().Children(w.ctx, "1000", confluence.TypePage, confluence.Paging{})
					return slices.Contains(nodeIDs(l.Items), "1006"), err
				},
				"descendants": func() (bool, error) {
					l, err := bob().Descendants(w.ctx, "1000", 2, confluence.Paging{})
					return slices.Contains(nodeIDs(l.Items), "1006"), err
				},
				"query": func() (bool, error) {
					l, err := bob().Search(w.ctx, confluence.Search{CQL: `text ~ "zinnober"`})
					return len(l.Items) > 0, err
				},
			} {
				got, err := read()
				assert.Equal(t, c.shown, got, "%s: %v", how, err)
				if err != nil {
					assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "%s: %v", how, err)
				}
			}
			p, err := w.as(user("u-bob")).Page(w.ctx, "1006", storage)
			require.NoError(t, err, "the mirror's own copy is what he was allowed to see")
			assert.NotContains(t, p.Body, "zinnober")
		})
	}
}

// A page that was moved since the last pass, below one that was restricted before:
// nobody is told where it stands now who may not see it there.
func TestNoNewPlaceIsShownBehindANewRestriction(t *testing.T) {
	for name, c := range map[string]struct {
		below string
		shown bool
	}{
		"no restriction":      {"", true},
		"one that names him":  {`"user:u-bob","user:u-bot"`, true},
		"one of others":       {`"user:u-ann","user:u-bot"`, false},
		"one of no one known": {`"user:u-stranger","user:u-bot"`, false},
		"one of a group":      {`"group:A","user:u-bot"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(fmt.Sprintf(`{"kind":"content","id":"1006","read":[%s]}`, c.below), `{"kind":"content","id":"1001","parent":"1006"}`)
			bob := w.as(user("u-bob")).(interface{ Live() tools.Site }).Live()
			kids, err := bob.Children(w.ctx, "1006", confluence.TypePage, confluence.Paging{})
			require.NoError(t, err)
			assert.Equal(t, c.shown, slices.Contains(nodeIDs(kids.Items), "1001"))
			below, err := bob.Descendants(w.ctx, "1000", 3, confluence.Paging{})
			require.NoError(t, err)
			assert.Equal(t, c.shown, slices.Contains(nodeIDs(below.Items), "1001"))
			up, err := bob.Ancestors(w.ctx, "1001")
			if !c.shown {
				isNotFound(t, err, name)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"1000", "1006"}, nodeIDs(up))
		})
	}
}

// What cannot be read of a restriction hides what it may protect.
func TestAnUnreadableRestrictionHidesWhatIsLive(t *testing.T) {
	w := newWorld(t)
	w.apply(`{"kind":"content","id":"1006","version":9,"storage":"<p>new</p>"}`,
		`{"kind":"fault","match":"GET /wiki/rest/api/content/1000/restriction*","action":{"status":500,"headers":{"Retry-After":"0"}}}`)
	_, err := w.as(user("u-bob")).(interface{ Live() tools.Site }).Live().Page(w.ctx, "1006", storage)
	require.Error(t, err)
}
