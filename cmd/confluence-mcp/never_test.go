package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/seal"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// ruinous are requests that delete a space, purge, or change who may do what.
// The first group is about the path alone, the second about the query.
var ruinous = regexp.MustCompile(`(?i)^DELETE [^?]*/(rest/api|api/v2)/spaces?(/[^/?]+)?/?(\?|$)` +
	`|[?&]purge=` + `|[?&]_method=` +
	`|^(POST|PUT|DELETE) [^?]*/(restriction|permission|permissions|role-assignments|space-roles|space-permissions|admin-key|redact|pageTree)(/|\?|$)` +
	`|^DELETE [^?]*/version/` + `|removespace|content/archive`)

// allowedCheck is the one POST under a permission path that only asks.
var allowedCheck = regexp.MustCompile(`^POST [^?]*/content/\d+/permission/check`)

// hostile are strings a model, or a page that talks to it, could come up with.
var hostile = []string{
	"1001", "1000", "2000", "1002", "1100", "3000", "1009", "5001", "att6001", "ENG", "HR", "S2", "~ann", "u-ann", "A page", "runbook", "append", "page",
	"1001?purge=true", "1001&purge=true", "1001/../../space/ENG", "../space/ENG", "..%2f..%2fspace%2fENG", "%2e%2e/space/ENG", "space/ENG", "ENG?_method=DELETE",
	"1001#", "-1", "0", "", " ", "999999999999999999999999999999", "1001\r\nX-HTTP-Method-Override: DELETE", "1001\x00", "ENG/permission", "1001/restriction",
	`x" OR space = "HR`, "storage", "markdown", "trashed", "deleted", "<p>new</p>", "# new", "http://127.0.0.1:1/wiki/spaces/ENG/pages/1001", "DELETE", "purge", "existing_page",
}

// plausible are values that lead calls past the first checks, so that what is
// behind them is tried as well.
var plausible = map[string][]any{
	"page_id": {"1001", "1000", "1002", "1006", "1011", "1100", "2000", "3001"}, "target_id": {"1000", "1011", "2000"}, "parent_id": {"1000", "1010", "5001"},
	"comment_id": {"5001", "5002"}, "attachment_id": {"att6001", "att6002"}, "space_key": {"ENG", "HR", "S2"}, "user_id": {"u-ann"},
	"position": {"append", "before", "after"}, "ancestor_id": {"1000"}, "filename": {"a.txt", "b.csv"}, "name": {"runbook", "new-label"}, "key": {"NEW", "ENG"},
	"base_version": {3, 1}, "dry_run": {false}, "title": {"A page", "Another", "A third"}, "body": {"new words", "# New\n\nwords"}, "content": {"aGk=", "hi"}, "resolved": {true},
}

// extra are keys no tool has.
var extra = map[string]any{"purge": true, "status": "trashed", "_method": "DELETE", "permanent": true, "method": "DELETE", "path": "/wiki/rest/api/space/ENG", "force": true, "base_url": "http://evil.test"}

type schemaNode struct {
	Type       string                `json:"type"`
	Properties map[string]schemaNode `json:"properties"`
	Required   []string              `json:"required"`
	Items      json.RawMessage       `json:"items"`
	Enum       []any                 `json:"enum"`
}

// value draws something of a schema's type, or of another one.
func value(t *rapid.T, s schemaNode, name string) any {
	if len(s.Enum) > 0 && rapid.Bool().Draw(t, name+" from enum") {
		return rapid.SampledFrom(s.Enum).Draw(t, name)
	}
	if known := plausible[name[strings.LastIndexByte(name, '.')+1:]]; known != nil && rapid.IntRange(0, 4).Draw(t, name+" plausible") > 0 {
		return rapid.SampledFrom(known).Draw(t, name)
	}
	switch s.Type {
	case "integer", "number":
		return rapid.SampledFrom([]any{0, 1, 2, 3, 4, 7, -1, 1 << 40, "3"}).Draw(t, name)
	case "boolean":
		return rapid.Bool().Draw(t, name)
	case "array":
		out := []any{}
		for range rapid.IntRange(0, 2).Draw(t, name+" length") {
			out = append(out, element(t, s.Items, name+" item"))
		}
		return out
	case "object":
		return object(t, s, name)
	}
	return rapid.SampledFrom(hostile).Draw(t, name)
}

// element draws an item of a list; a schema that takes anything gets an edit.
func element(t *rapid.T, items json.RawMessage, name string) any {
	var s schemaNode
	if json.Unmarshal(items, &s) != nil || s.Type == "" {
		op := rapid.SampledFrom([]string{"replace_text", "append", "replace_section", "delete", "move", "purge"}).Draw(t, name+" op")
		text := rapid.SampledFrom(hostile).Draw(t, name+" text")
		return map[string]any{"op": op, "find": "pump", "replace": text, "markdown": text, "to": "page", "heading": "Steps"}
	}
	return value(t, s, name)
}

func object(t *rapid.T, s schemaNode, name string) map[string]any {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[key]
		if slices.Contains(s.Required, key) || rapid.IntRange(0, 3).Draw(t, name+"."+key+" given") == 0 || key == "body" {
			out[key] = value(t, p, name+"."+key)
		}
	}
	return out
}

func arguments(t *rapid.T, tool tools.Tool) json.RawMessage {
	var s schemaNode
	require.NoError(t, json.Unmarshal(tool.InputSchema, &s))
	args := object(t, s, tool.Name)
	if rapid.IntRange(0, 9).Draw(t, "extra key") == 0 {
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(extra))).Draw(t, "key")
		args[key] = extra[key]
	}
	raw, err := json.Marshal(args)
	require.NoError(t, err)
	return raw
}

// randomProfile draws one of the 248,832 cores and writes it as a file.
func randomProfile(t *rapid.T, dir string) {
	var b strings.Builder
	b.WriteString("version: 1\nname: drawn\ngroups:\n")
	for _, g := range []string{"pages", "spaces", "search", "attachments", "users"} {
		level := rapid.SampledFrom([]string{"read_write", "read_write", "read_only", "disabled"}).Draw(t, g)
		fmt.Fprintf(&b, "  %s: {level: %s, allow_delete: %v, require_approval: %v}\n", g, level,
			rapid.Bool().Draw(t, g+" delete"), rapid.IntRange(0, 4).Draw(t, g+" approval") == 0)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "drawn.yaml"), []byte(b.String()), 0o600))
}

// TestNothingRuinousEverReachesConfluence calls every tool under random
// profiles with random arguments as the most powerful account there is.
func TestNothingRuinousEverReachesConfluence(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	calls, every := 0, tools.Every()
	list := every
	for _, tool := range every {
		if tool.Action != policy.Read {
			list = append(list, tool, tool) // they are what it is about
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		since := len(site.Requests(0))
		randomProfile(t, dir)
		e := openOn(t, site.URL, dir)
		caller, err := e.localCaller("drawn", "")
		require.NoError(t, err)
		for range 8 {
			tool := list[rapid.IntRange(0, len(list)-1).Draw(t, "tool")]
			e.catalog.Call(context.Background(), caller, tool.Name, arguments(t, tool), nil)
			calls++
		}
		require.NoError(t, e.close())
		for _, r := range site.Requests(since) {
			line := r.Method + " " + r.Path
			assert.False(t, ruinous.MatchString(line) && !allowedCheck.MatchString(line), "reached Confluence: %s", line)
		}
	})
	writes := 0
	for _, r := range site.Requests(0) {
		if r.Method != "GET" && !strings.Contains(r.Path, "users-bulk") {
			writes++
		}
	}
	assert.Greater(t, writes, 10, "what may be written is written: the property holds of something")
	t.Logf("%d calls of %d tools, %d requests reached Confluence, %d of them writes", calls, len(every), len(site.Requests(0)), writes)
	assertSpacesStand(t, site)
}

func openOn(t require.TestingT, url, profiles string) *engine {
	p := program{errOut: nothing{}, now: time.Now, getenv: func(string) string { return "" }}
	dir, err := os.MkdirTemp("", "never-")
	require.NoError(t, err)
	e, err := p.open(context.Background(), config.Config{DataDir: dir, ProfilesDir: profiles,
		Integrations: []config.Integration{{Name: "default", BaseURL: url, Username: "bot@acme.test", Token: seal.NewSecret("bot-token")}}})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir)) // the open database stays usable until it is closed
	return e
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

func assertSpacesStand(t *testing.T, site *emulatortest.Emulator) {
	t.Helper()
	res := site.Do("u-bot", "GET", "/wiki/api/v2/spaces?keys=ENG,HR,S2&status=current", "")
	defer func() { assert.NoError(t, res.Body.Close()) }()
	var list struct {
		Results []struct{ Key string } `json:"results"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&list))
	assert.Len(t, list.Results, 3, "every space is still there and current")
}

// TestRuinousIsWhatItSays keeps the pattern above from matching nothing.
func TestRuinousIsWhatItSays(t *testing.T) {
	for _, line := range []string{
		"DELETE /wiki/rest/api/space/ENG", "DELETE /rest/api/space/ENG/", "DELETE /wiki/api/v2/spaces/100", "DELETE /wiki/api/v2/pages/1?purge=true",
		"PUT /wiki/rest/api/content/1/restriction", "POST /wiki/api/v2/spaces/1/role-assignments", "POST /wiki/rest/api/space/ENG/permission",
		"DELETE /wiki/rest/api/content/1/pageTree", "DELETE /wiki/rest/api/content/1/version/2", "POST /wiki/rest/api/content/archive", "POST /x?_method=DELETE",
	} {
		assert.Regexp(t, ruinous, line)
	}
	for _, line := range []string{"DELETE /wiki/api/v2/pages/1", "GET /wiki/api/v2/spaces/1/permissions", "PUT /wiki/rest/api/space/ENG", "DELETE /wiki/rest/api/content/1/label?name=x"} {
		assert.NotRegexp(t, ruinous, line)
	}
}
