package mirrored_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/mirrored"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/tools"
)

// unbuilt is an index that was not built to its end.
type unbuilt struct{}

func (unbuilt) Search(context.Context, *guard.View, index.Query) (index.Answer, error) {
	return index.Answer{}, &confluence.Error{Kind: confluence.Unavailable, Code: "index.building", Op: "search", Message: "no"}
}

// Row 50 of the faults through the sites: without an index who has a credential
// is answered by Confluence, and by titles where that is down too; everybody else
// by titles, of which Confluence hears nothing.
func TestFaultRow50WithoutAnIndex(t *testing.T) {
	w := newWorld(t)
	w.own["u-ann"] = true
	engine, err := retrieve.New(retrieve.Config{Mirror: w.m, Index: unbuilt{}, Now: w.clock, Integrations: func() []retrieve.Integration { return []retrieve.Integration{w.site} }})
	require.NoError(t, err)
	w.Sites, err = mirrored.New(mirrored.Config{Live: w, Mirror: w.m, Retrieve: engine, Now: w.clock, Complete: func(context.Context, int64) bool { return true },
		Shared: func(string) (tools.Site, error) { return w.shared, nil }})
	require.NoError(t, err)
	find := func(who string, words string) (l confluence.List[confluence.Hit], asked []string) {
		t.Helper()
		asked = w.asked(func() {
			var err error
			l, err = w.as(user(who)).Search(w.ctx, confluence.Search{CQL: `siteSearch ~ "` + words + `"`, Terms: &confluence.Terms{Text: words}})
			require.NoError(t, err)
		})
		return l, asked
	}
	l, asked := find("u-bob", "runbook")
	assert.Equal(t, []string{"1001"}, hitIDs(l.Items))
	assert.True(t, l.Titles)
	assert.False(t, l.Exact)
	assert.Equal(t, -1, l.Total, "what only the text says is not counted")
	assert.Empty(t, asked)
	l, asked = find("u-bob", "plans") // of a page he may not see
	assert.Empty(t, l.Items)
	assert.Empty(t, asked)

	l, asked = find("u-ann", "pump")
	assert.Contains(t, hitIDs(l.Items), "1001", "Confluence reads texts")
	assert.False(t, l.Titles)
	assert.Contains(t, asked, "GET /wiki/rest/api/search")
	w.apply(`{"kind":"fault","match":"GET /wiki/rest/api/search*","action":{"status":400}}`)
	l, _ = find("u-ann", "runbook")
	assert.Equal(t, []string{"1001"}, hitIDs(l.Items))
	assert.True(t, l.Titles)

	everyPage, err := w.as(user("u-bob")).Search(w.ctx, confluence.Search{CQL: "type = page", Terms: &confluence.Terms{Text: "*"}})
	require.NoError(t, err)
	assert.True(t, everyPage.Exact)
	assert.Equal(t, len(everyPage.Items), everyPage.Total)
}
