package site_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"confluence-mcp/internal/emulator/site"
)

// TestIndexesAgreeAfterAnyEdits makes random edits and then holds what the
// site answers from its indexes against what a plain look at every content
// says.
func TestIndexesAgreeAfterAnyEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := load(t, `{"kind":"user","id":"ann"}`,
			`{"kind":"space","id":"1","key":"S","grants":[{"to":"user:ann","op":"write"}]}`,
			`{"kind":"space","id":"2","key":"T","grants":[{"to":"user:ann","op":"write"}]}`,
			`{"kind":"content","id":"1","space":"S","title":"a"}`, `{"kind":"content","id":"2","space":"T","title":"a"}`)
		all := []string{"1", "2"}
		id := func() string { return rapid.SampledFrom(all).Draw(t, "id") }
		title := func() string { return rapid.SampledFrom([]string{"a", "B", "c", "C", "d"}).Draw(t, "title") }
		for range rapid.IntRange(1, 25).Draw(t, "edits") {
			op := rapid.SampledFrom([]string{"create", "update", "trash", "restore", "purge", "archive", "move", "comment", "apply"}).Draw(t, "op")
			_ = s.Write("ann", func(e *site.Edit) error { // refusals are part of the game
				made, err := edit(e, op, id, title)
				if err == nil && made != nil && !slices.Contains(all, made.ID) {
					all = append(all, made.ID)
				}
				return err
			})
			if op == "apply" {
				_ = s.Apply(fmt.Appendf(nil, `{"kind":"content","id":%q,"title":%q}`, id(), title()))
			}
			s.Read("ann", func(v *site.View) { checkIndexes(t, v, all) })
		}
	})
}

func edit(e *site.Edit, op string, id, title func() string) (*site.Content, error) {
	current := "current"
	switch op {
	case "create":
		return e.CreatePage(site.Draft{Type: "page", Space: "S", Parent: id(), Title: title()}, false)
	case "update":
		text := title()
		return e.Update(id(), site.Change{Title: &text})
	case "trash":
		return nil, e.Trash(id())
	case "restore":
		return e.Update(id(), site.Change{Status: &current})
	case "purge":
		return nil, e.Purge(id())
	case "archive":
		return nil, e.Archive(id())
	case "move":
		return e.Move(id(), []string{"append", "before", "after"}[len(title())%3], id())
	case "comment":
		return e.CreateComment(site.Draft{Parent: id(), Storage: "x"})
	}
	return nil, nil
}

func checkIndexes(t *rapid.T, v *site.View, all []string) {
	titles := map[string]string{}
	pages := []*site.Content{}
	for _, id := range all {
		c, ok := v.Content(id)
		if !ok {
			continue
		}
		if c.Type == "page" {
			pages = append(pages, c)
		}
		if c.Parent != "" && c.Status != "trashed" {
			up, ok := v.Content(c.Parent)
			assert.True(t, ok, "%s has a parent", c.ID)
			assert.Equal(t, up.Space, c.Space, "%s is in its parent's space", c.ID)
			kids := append(ids(v.Children(up.ID)), ids(v.Comments(up.ID))...)
			assert.Contains(t, kids, c.ID)
		}
		if c.Type == "page" && c.Status != "trashed" {
			key := c.Space + " " + strings.ToLower(c.Title)
			assert.Empty(t, titles[key], "title of %s", c.ID)
			titles[key] = c.ID
			found, ok := v.PageByTitle(c.Space, c.Title)
			assert.True(t, ok)
			assert.Same(t, c, found)
		}
	}
	slices.SortFunc(pages, func(a, b *site.Content) int {
		return strings.Compare(strings.ToLower(a.Title)+fmt.Sprintf("%012s", a.ID), strings.ToLower(b.Title)+fmt.Sprintf("%012s", b.ID))
	})
	var walked []*site.Content
	for c := range v.Walk(site.Query{Type: "page", Sort: "title"}) {
		walked = append(walked, c)
	}
	assert.Equal(t, ids(pages), ids(walked))
}
