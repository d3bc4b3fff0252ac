package rest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
)

// syncMethods are those only a sync calls.
func syncMethods() map[string]func(c *rest.Client, a arguments) error {
	p := confluence.Paging{Limit: 10}
	return map[string]func(c *rest.Client, a arguments) error{
		"Extras":          func(c *rest.Client, a arguments) error { _, err := c.Extras(ctx, a.key, a.kind, p); return err },
		"Bodies":          func(c *rest.Client, a arguments) error { _, err := c.Bodies(ctx, a.kind, []string{a.id}); return err },
		"Folder":          func(c *rest.Client, a arguments) error { _, err := c.Folder(ctx, a.id); return err },
		"Groups":          func(c *rest.Client, _ arguments) error { _, err := c.Groups(ctx, p); return err },
		"OpenToAnonymous": func(c *rest.Client, _ arguments) error { _, err := c.OpenToAnonymous(ctx); return err },
	}
}

func TestExtrasAreReadOfManyPagesAtOnce(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bot")
	before := len(e.Requests(0))
	l, err := c.Extras(ctx, "ENG", confluence.TypePage, confluence.Paging{Limit: 200})
	require.NoError(t, err)
	assert.Len(t, e.Requests(before), 1)
	got := map[string]confluence.Extras{}
	for _, x := range l.Items {
		got[x.ID] = x
	}
	runbook := got["1001"]
	assert.Equal(t, []string{"runbook", "ops"}, runbook.Labels)
	assert.False(t, runbook.Partial)
	assert.Equal(t, []confluence.Restriction{{Operation: "read"}}, runbook.Restrictions, "read, and not restricted")
	assert.Equal(t, []confluence.Restriction{{Operation: "read", Groups: []confluence.Group{{ID: "g-a", Name: "A"}}}}, got["1002"].Restrictions)
	assert.Equal(t, []string{"u-bob"}, got["1005"].Restrictions[0].UserIDs)
	assert.NotContains(t, got, "1007", "a draft")
	assert.NotContains(t, got, "1008", "archived")
	assert.NotContains(t, got, "1009", "in the trash")

	// The same files as v2 lists them one page at a time.
	one, err := c.Attachments(ctx, "1001", confluence.TypePage, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, runbook.Attachments, 2)
	for i := range one.Items {
		assert.Contains(t, runbook.Attachments[i].WebURL, e.URL)
		one.Items[i].WebURL, runbook.Attachments[i].WebURL = "", "" // two addresses of one file
	}
	assert.ElementsMatch(t, one.Items, runbook.Attachments)

	posts, err := c.Extras(ctx, "ENG", confluence.TypeBlogPost, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, posts.Items, 1)
	assert.Equal(t, []string{"release"}, posts.Items[0].Labels)
}

func TestExtrasThatAreCutOffAreNotTaken(t *testing.T) {
	for name, answer := range map[string]string{
		"no restrictions":   `{"id":"7","metadata":{"labels":{"results":[]}},"children":{"attachment":{"results":[]}}}`,
		"no lists":          `{"id":"7","restrictions":{"read":{"operation":"read"}}}`,
		"more users":        `{"id":"7","restrictions":{"read":{"restrictions":{"user":{"results":[{"accountId":"u"}],"_links":{"next":"/x"}},"group":{"results":[]}}}}}`,
		"more groups":       `{"id":"7","restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[],"_links":{"next":"/x"}}}}}}`,
		"restrictions null": `{"id":"7","restrictions":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				reply(w, 200, `{"results":[`+answer+`],"_links":{}}`)
			})
			l, err := f.client(t).Extras(ctx, "ENG", confluence.TypePage, confluence.Paging{})
			require.NoError(t, err)
			require.Len(t, l.Items, 1)
			assert.Nil(t, l.Items[0].Restrictions, "not told is not unrestricted")
		})
	}
}

func TestBodiesAndFoldersAndPeopleOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bot")
	pages, err := c.Bodies(ctx, confluence.TypePage, []string{"1001", "1009", "1008", "1000", "999"})
	require.NoError(t, err)
	assert.Equal(t, []string{"1000", "1001"}, ids(pages, pageID), "what is current")
	assert.Contains(t, pages[1].Body, "Restart the pump")
	assert.Equal(t, "ENG", pages[1].SpaceKey)
	_, err = c.Bodies(ctx, confluence.TypePage, make([]string, 251))
	code(t, err, confluence.Invalid, "input.invalid")

	folder, err := c.Folder(ctx, "1010")
	require.NoError(t, err)
	assert.Equal(t, confluence.TypeFolder, folder.Type)
	assert.Equal(t, "1000", folder.ParentID)
	assert.Equal(t, "Guides", folder.Title)

	groups, err := c.Groups(ctx, confluence.Paging{})
	require.NoError(t, err)
	assert.Contains(t, groups.Items, confluence.Group{ID: "g-hr", Name: "hr"})

	open, err := c.OpenToAnonymous(ctx)
	require.NoError(t, err)
	assert.True(t, open)
	for _, closed := range []string{`{"kind":"site","anonymous":false}`, `{"kind":"fault","match":"GET /wiki/api/v2/spaces","times":1,"action":{"status":200,"body":"<html>Log in</html>"}}`} {
		e.Apply(closed)
		open, err = c.OpenToAnonymous(ctx)
		require.NoError(t, err)
		assert.False(t, open)
	}
}
