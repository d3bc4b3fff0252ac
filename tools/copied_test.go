package tools_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// copied is a site that answers reads from a copy made five minutes ago.
type copied struct {
	*fake
	asked []confluence.Search
	found confluence.List[confluence.Hit]
}

func (c *copied) Live() tools.Site { return c.fake }

func (c *copied) Page(_ context.Context, id string, _ confluence.PageOptions) (confluence.Page, error) {
	p, err := find(c.pages, "Page", id)
	p.Title, p.ReadAt = "Copied "+p.Title, now.Add(-5*time.Minute)
	return p, err
}

func (c *copied) Search(_ context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	c.asked = append(c.asked, s)
	return c.found, nil
}

func (c *copied) Spaces(ctx context.Context, f confluence.SpaceFilter, p confluence.Paging) (confluence.List[confluence.Space], error) {
	l, err := c.fake.Spaces(ctx, f, p)
	l.ReadAt = now.Add(-3 * time.Hour)
	return l, err
}

func newCopied(t *testing.T) (*desk, *copied) {
	c := &copied{fake: newFake()}
	return newDesk(t, c), c
}

func TestACopySaysHowOldItIs(t *testing.T) {
	d, _ := newCopied(t)
	r, out := d.ok("get_page", args{"page_id": "11"})
	assert.Equal(t, "Copied Guide", out["title"])
	assert.Equal(t, float64(300), out["age_seconds"])
	assert.Contains(t, r.Text, ", read 5 minutes ago)")

	r, out = d.ok("get_page", args{"page_id": "11", "fresh": true})
	assert.Equal(t, "Guide", out["title"])
	assert.Equal(t, float64(0), out["age_seconds"])
	assert.NotContains(t, r.Text, "read 0")

	r, out = d.ok("list_spaces", args{})
	assert.Equal(t, float64(3*3600), out["age_seconds"])
	assert.Contains(t, r.Text, "(read 3 hours ago)")
}

// A change begins with what there is now, not with a copy.
func TestWritesReadNoCopy(t *testing.T) {
	d, c := newCopied(t)
	_, out := d.ok("update_page", args{"page_id": "11", "base_version": 3, "edits": []any{args{"op": "replace_text", "find": "hello", "replace": "goodbye"}}})
	assert.Equal(t, float64(4), out["version"])
	assert.Equal(t, "Guide", c.pages["11"].Title)
}

func TestASearchInACopyBringsItsPassages(t *testing.T) {
	d, c := newCopied(t)
	c.found = confluence.List[confluence.Hit]{Total: 12, Exact: true, ReadAt: now.Add(-time.Hour), Next: "more",
		Facets: []confluence.Facet{{Name: "space", Counts: []confluence.Count{{Value: "ENG", N: 9}, {Value: "HR", N: 3}}}, {Name: "type", Counts: []confluence.Count{{Value: "page", N: 12}}}},
		Items: []confluence.Hit{{ID: "11", Type: "page", Title: "Guide", SpaceKey: "ENG", Excerpt: "Turn the key.", Updated: now.Add(-72 * time.Hour), WebURL: "https://acme.test/wiki/11",
			ReadAt: now.Add(-time.Hour), Version: 3, HeadingPath: []string{"Start"}, Anchor: "https://acme.test/wiki/11#Start", More: 2}}}
	r, out := d.ok("search", args{"query": "key", "space_key": "ENG", "label": "howto", "type": "page", "ancestor_id": "10", "updated_since": "7d"})
	assert.Empty(t, c.calls, "no page is read for a passage that is there")
	require.Len(t, c.asked, 1)
	assert.Equal(t, &confluence.Terms{Text: "key", SpaceKey: "ENG", Type: "page", Label: "howto", AncestorID: "10", UpdatedSince: now.Add(-7 * 24 * time.Hour)}, c.asked[0].Terms)
	assert.Contains(t, c.asked[0].CQL, "siteSearch ~", "for where there is no copy")
	first := out["results"].([]any)[0].(map[string]any)
	assert.Equal(t, float64(3600), first["age_seconds"])
	assert.Equal(t, float64(3), first["version"])
	assert.Equal(t, []any{"Start"}, first["heading_path"])
	assert.Equal(t, "https://acme.test/wiki/11#Start", first["anchor"])
	assert.Equal(t, float64(12), out["total"])
	assert.Contains(t, r.Text, "12 pages match. By space: ENG 9, HR 3.")
	assert.Contains(t, r.Text, "version 3, changed 3 days ago, read 60 minutes ago)")
	assert.Contains(t, r.Text, "[2 more sections of this page match]")

	c.found.Near = true
	r, out = d.ok("search", args{"query": "kee"})
	assert.Equal(t, true, out["near_words"])
	assert.Contains(t, r.Text, "Nothing has these words; near words were taken.")
	for _, in := range []args{{"query": "key", "cql": "space = ENG"}, {"query": "key", "type": "comment"}} {
		d.ok("search", in)
		assert.Nil(t, c.asked[len(c.asked)-1].Terms, "only CQL can say it")
	}
}

// An answer that is not all there is says so, with no number that would be wrong.
func TestASearchSaysThatThereMayBeMore(t *testing.T) {
	d, c := newCopied(t)
	guide := confluence.Hit{ID: "11", Type: "page", Title: "Guide", SpaceKey: "ENG", Version: 3, ReadAt: now}
	for name, one := range map[string]struct {
		found              confluence.List[confluence.Hit]
		incomplete, titles bool
		says               string
	}{
		"cut":                  {confluence.List[confluence.Hit]{Total: -1, Items: []confluence.Hit{guide}}, true, false, "there may be more. Use fewer"},
		"cut, nothing found":   {confluence.List[confluence.Hit]{Total: -1}, true, false, "there may be more. Use fewer"},
		"cut, goes on":         {confluence.List[confluence.Hit]{Total: -1, Next: "x", Items: []confluence.Hit{guide}}, false, false, "There is more. Go on with"},
		"titles":               {confluence.List[confluence.Hit]{Total: -1, Titles: true, Items: []confluence.Hit{guide}}, true, true, "only titles were searched. There may be more"},
		"titles, none":         {confluence.List[confluence.Hit]{Total: -1, Titles: true}, true, true, "only titles were searched. There may be more"},
		"all, without a count": {confluence.List[confluence.Hit]{Total: -1, Exact: true, Items: []confluence.Hit{guide}}, false, false, ""},
	} {
		c.found = one.found
		r, out := d.ok("search", args{"query": "key"})
		assert.Equal(t, float64(-1), out["total"], name)
		assert.Equal(t, one.incomplete, out["incomplete"] == true, name)
		assert.Equal(t, one.titles, out["titles_only"] == true, name)
		assert.Contains(t, r.Text, one.says, name)
		assert.NotContains(t, r.Text, "pages match", name)
		assert.Equal(t, one.says != "", strings.Contains(strings.ToLower(r.Text), "there may be more") || strings.Contains(r.Text, "There is more"), name)
	}
}

// What is counted before rows are hidden is not told.
func TestNoTotalWhereRowsAreHidden(t *testing.T) {
	c := &copied{fake: newFake(), found: confluence.List[confluence.Hit]{Total: 2, Exact: true, Items: []confluence.Hit{
		{ID: "11", Type: "page", Title: "Guide", SpaceKey: "ENG", Version: 3, ReadAt: now}, {ID: "12", Type: "page", Title: "Rules", SpaceKey: "HR", Version: 3, ReadAt: now}}}}
	d := newDesk(t, c, func(cfg *tools.Config) { cfg.Spaces = boundTo("ENG") })
	_, out := d.ok("search", args{"query": "key"})
	assert.Len(t, out["results"], 1)
	assert.Equal(t, float64(-1), out["total"])
}
