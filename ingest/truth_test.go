package ingest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/mirror"
)

// users are those of the sample site who are asked about.
var users = []string{"u-ann", "u-bob", "u-cid", "u-dan", "u-gus", "u-hal", "u-bot"}

// fact is a page as the emulated site itself tells it.
type fact struct {
	version            int
	title, body, space string
	parent, parentType string
	labels, files      string
}

// get asks the site as a user and decodes the answer; false when it refuses.
func (b *box) get(user, path string, into any) bool {
	b.t.Helper()
	res := b.Get(user, path)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	if res.StatusCode != http.StatusOK {
		return false
	}
	require.NoError(b.t, json.Unmarshal(raw, into), string(raw))
	return true
}

type listing[T any] struct {
	Results []T `json:"results"`
	Links   struct {
		Next string `json:"next"`
	} `json:"_links"`
}

func all[T any](b *box, user, path string) []T {
	b.t.Helper()
	var out []T
	for path != "" {
		var l listing[T]
		if !b.get(user, path, &l) {
			return out
		}
		out = append(out, l.Results...)
		path = l.Links.Next
	}
	return out
}

type wirePage struct {
	ID, Title, SpaceID, ParentID, ParentType string
	Version                                  struct{ Number int }
	Body                                     struct{ Storage struct{ Value string } }
}

// truth is every page that a user sees in the spaces that are mirrored.
func (b *box) truth(user string, bodies bool) map[string]fact {
	b.t.Helper()
	out := map[string]fact{}
	type space struct{ ID, Key, Type, Status string }
	for _, sp := range all[space](b, user, "/wiki/api/v2/spaces?status=current&limit=250") {
		if !slices.Contains([]string{"global", "knowledge_base", "collaboration"}, sp.Type) {
			continue
		}
		for _, kind := range []string{"pages", "blogposts"} {
			path := "/wiki/api/v2/spaces/" + sp.ID + "/" + kind + "?status=current&limit=250"
			if bodies {
				path += "&body-format=storage"
			}
			for _, p := range all[wirePage](b, user, path) {
				f := fact{version: p.Version.Number, title: p.Title, body: p.Body.Storage.Value, space: sp.Key, parent: p.ParentID, parentType: p.ParentType}
				if bodies {
					f.labels, f.files = b.hangsOn(user, kind, p.ID)
				}
				out[p.ID] = f
			}
		}
	}
	return out
}

func (b *box) hangsOn(user, kind, id string) (labels, files string) {
	var l, f []string
	for _, label := range all[struct{ Name string }](b, user, "/wiki/api/v2/"+kind+"/"+id+"/labels") {
		l = append(l, label.Name)
	}
	for _, file := range all[struct{ ID, Title string }](b, user, "/wiki/api/v2/"+kind+"/"+id+"/attachments?status=current") {
		f = append(f, file.ID+" "+file.Title)
	}
	return joined(l), joined(f)
}

func joined(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ",")
}

// underFolder tells whether something that is no page stands above a page:
// what is below it is hidden by default.
func underFolder(all map[string]fact, id string) bool {
	for range len(all) + 1 {
		f, there := all[id]
		if !there {
			return true // a folder, or what nobody sees
		}
		if f.parent == "" {
			return false
		}
		id = f.parent
	}
	return true
}

// clean checks that the mirror is the site: each page once, with its version,
// body, labels and files, and for everybody what the site shows him.
func (b *box) clean(msg ...any) {
	b.t.Helper()
	want := b.truth("u-bot", true)
	got := map[string]fact{}
	after := uint32(0)
	for {
		pages, err := b.Follower().All(b.t.Context(), after, 500)
		require.NoError(b.t, err)
		if len(pages) == 0 {
			break
		}
		for _, p := range pages {
			after = p.Index
			if p.Type == confluence.TypeFolder {
				continue
			}
			assert.NotContains(b.t, got, p.ID, msg...)
			full, _, err := b.Follower().Page(b.t.Context(), p.Index)
			require.NoError(b.t, err)
			got[p.ID] = fact{version: full.Version.Number, title: full.Title, body: full.Body, space: full.SpaceKey, parent: full.ParentID,
				labels: joined(full.Labels)}
		}
	}
	assert.Equal(b.t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), msg...)
	for id, w := range want {
		g := got[id]
		w.files, w.parentType = "", ""
		assert.Equal(b.t, w, g, msg...)
	}
	b.rights(msg...)
	require.NoError(b.t, b.Check(b.t.Context()))
}

// rights checks that everybody sees in the mirror what the site shows him, and
// the same files.
func (b *box) rights(msg ...any) {
	b.t.Helper()
	everything := b.truth("u-bot", true)
	for _, user := range users {
		var want []string
		for id := range b.truth(user, false) {
			if _, mirrored := everything[id]; mirrored && !underFolder(everything, id) {
				want = append(want, id)
			}
		}
		assert.ElementsMatch(b.t, want, b.seen(who(user)), append([]any{user + " "}, msg...)...)
		for _, id := range want {
			files, err := b.Mirror.Attachments(b.t.Context(), who(user), mirror.Ref{ID: id})
			require.NoError(b.t, err)
			var names []string
			for _, f := range files {
				names = append(names, f.ID+" "+f.Title)
			}
			assert.Equal(b.t, everything[id].files, joined(names), id)
		}
	}
}
