package main

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/seal"
)

// TestF01_F02_F03_NoQueryLeavesItsSpaces asks a server that is limited to one
// space everything that could lead out of it, against a Confluence that
// understands the language of the queries.
func TestF01_F02_F03_NoQueryLeavesItsSpaces(t *testing.T) {
	site := emulatortest.Start(t)
	p := program{errOut: nothing{}, now: time.Now, getenv: func(string) string { return "" }}
	dir, err := os.MkdirTemp("", "query-")
	require.NoError(t, err)
	defer func() { assert.NoError(t, os.RemoveAll(dir)) }()
	e, err := p.open(context.Background(), config.Config{DataDir: dir,
		Integrations: []config.Integration{{Name: "default", BaseURL: site.URL, Username: "bot@acme.test", Token: seal.NewSecret("bot-token"), Spaces: []string{"ENG"}}}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.close()) }()
	caller, err := e.localCaller("read-only", "")
	require.NoError(t, err)
	attacks := []string{
		`x" OR space = "HR`, `space = A) OR (space = HR`, `space = HR`, `type = page OR space = HR`, `type = page) OR (type = page`, `type = page) OR (type = page ORDER BY title`, `space in (HR, S2)`, `NOT space = ENG`, `space != ENG`,
		`type = page ORDER BY space`, `type = page OR space = HR ORDER BY title desc`, `title ~ "a" OR space = "HR"`, "type = page\nOR space = HR", `type = page -- ) OR (space = HR`, `type = page /* ) */ OR space = HR`,
		`title = "\") OR space = \"HR"`, `title = "\\") OR (space = "HR"`, `title ~ ＂x＂ OR space = HR`, `creator = currentUser() OR space = HR`, `space in favouriteSpaces()`, `id in (2000, 3000)`, `id = 2000`, `ancestor = 2000`, `parent = 2000`, `text ~ "people"`, `siteSearch ~ "people"`,
		`((type = page)`, `type = page))`, `"`, `'`, `)`, `(`, `) OR (`, `OR`, `ORDER BY`, `type = page AND`, `type in (page, comment, attachment) OR label = x`, "\u0000", `type = page;space = HR`, `type = page} OR {space = HR`,
	}
	found, refused := 0, 0
	for _, attack := range attacks {
		for _, args := range []map[string]any{{"query": attack}, {"query": "*", "cql": attack}, {"query": "people", "cql": attack}, {"query": "people", "label": attack}, {"query": "welcome", "space_key": attack}, {"query": "people", "ancestor_id": attack}} {
			raw, err := json.Marshal(args)
			require.NoError(t, err)
			r, known := e.catalog.Call(context.Background(), caller, "confluence_search", raw, nil)
			require.True(t, known)
			if r.IsError {
				refused++
				continue
			}
			var out struct {
				Results []struct {
					Space string `json:"space"`
					ID    string `json:"page_id"`
				} `json:"results"`
			}
			require.NoError(t, json.Unmarshal(r.Structured, &out))
			for _, hit := range out.Results {
				found++
				assert.NotContains(t, []string{"2000", "2001", "3000", "3001", "3002", "4000"}, hit.ID, "%v", args)
			}
		}
	}
	t.Logf("%d results, %d queries refused", found, refused)
	assert.Positive(t, found, "some queries are served")
	assert.Positive(t, refused)
	for _, r := range site.Requests(0) {
		if _, query, ok := strings.Cut(r.Path, "cql="); ok {
			cql, err := url.QueryUnescape(strings.SplitN(query, "&", 2)[0])
			require.NoError(t, err)
			assert.Contains(t, strings.ToLower(cql), "space", "%s", cql)
			assert.Contains(t, cql, "ENG", "%s", cql)
		}
	}
}
