package tools_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

// listings are calls of every tool that reads many things: where its rows are,
// and id and name of one among others.
var listings = map[string]struct {
	in                  args
	rows, id, one, name string
}{
	"search":      {args{"query": "key"}, "results", "page_id", "11", "Guide"},
	"list_pages":  {args{"space_key": "ENG"}, "pages", "page_id", "11", "Guide"},
	"list_spaces": {args{}, "spaces", "id", "2", "People"},
	"search_user": {args{"query": "a"}, "users", "id", "u-ceo", "Carla"},
}

// A rule that looks at what is read hides rows of every listing, and only those
// it is about.
func TestEveryListingIsJudgedByRow(t *testing.T) {
	site := newFake()
	site.people = map[string]string{"u-ceo": "Carla"}
	for _, id := range []string{"10", "11"} {
		site.hits = append(site.hits, confluence.Hit{Type: "page", ID: id, Title: site.pages[id].Title, SpaceKey: "ENG"})
	}
	open := newDesk(t, site)
	for _, name := range tools.Listings() {
		t.Run(name, func(t *testing.T) {
			c, ok := listings[name]
			require.True(t, ok, "a listing without a case here")
			r, all := open.ok(name, c.in)
			require.Contains(t, r.Text, c.name)
			ids := idsOf(all[c.rows], c.id)
			require.Contains(t, ids, c.one)
			require.Greater(t, len(ids), 1)
			d := newDesk(t, site, withProfile(t, hiding(`resource.id == "`+c.one+`"`))).as("hiding")
			r, kept := d.ok(name, c.in)
			assert.ElementsMatch(t, without(ids, c.one), idsOf(kept[c.rows], c.id))
			assert.NotContains(t, r.Text, c.name)
		})
	}
}

// A rule on who asks does not lapse because it looks at what is read as well.
func TestRulesOnPeopleHoldForTheirSearch(t *testing.T) {
	site := newFake()
	site.people = map[string]string{"u-ceo": "Carla"}
	d := newDesk(t, site, withProfile(t, hiding(`identity.kind == "public" || resource.id == "u-ceo"`))).as("hiding")
	_, out := d.ok("search_user", args{"query": "a"})
	assert.Equal(t, []string{"u-ann"}, idsOf(out["users"], "id"))
	d.who = identity.Public("local", "hiding", identity.Stdio)
	_, out = d.ok("search_user", args{"query": "a"})
	assert.Empty(t, out["users"])
}

func hiding(when string) string {
	return "version: 1\nname: hiding\ngroups:\n  pages: {level: read_only}\n  spaces: {level: read_only}\n  search: {level: read_only}\n  users: {level: read_only}\n" +
		"rules:\n  - {id: hidden, effect: deny, when: '" + when + "'}\n"
}

func idsOf(rows any, field string) []string {
	ids := []string{}
	for _, row := range rows.([]any) {
		ids = append(ids, row.(map[string]any)[field].(string))
	}
	return ids
}

func without(ids []string, one string) []string {
	out := []string{}
	for _, id := range ids {
		if id != one {
			out = append(out, id)
		}
	}
	return out
}
