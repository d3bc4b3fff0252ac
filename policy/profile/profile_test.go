package profile_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policy/profile"
)

func parser(t testing.TB) *profile.Parser {
	t.Helper()
	p, err := profile.NewParser()
	require.NoError(t, err)
	return p
}

const full = `version: 1
name: docs-manager
groups:
  pages:       {level: read_write, allow_delete: false, require_approval: true}
  spaces:      {level: read_only}
limits: {writes_per_minute: 30, deletes_per_day: 20, max_body_bytes: 500000}
rules:
  - id: legal-frozen
    match: {groups: [pages, attachments], actions: [create, update, delete], tools: [update_page]}
    when: resource.space_key in ["LEGAL"]
    effect: deny
    message: "The LEGAL space is frozen."
tests:
  - name: cannot touch LEGAL
    given: {tool: update_page, resource: {space_key: LEGAL, version: 3}, identity: {attributes: {a: b}}}
    expect: {effect: deny, rule: legal-frozen}
`

func TestParse(t *testing.T) {
	f, err := parser(t).Parse("p.yaml", []byte(full))
	require.NoError(t, err)
	assert.Equal(t, "docs-manager", f.Name)
	assert.Equal(t, profile.Grant{Level: profile.ReadWrite, RequireApproval: true}, f.Groups["pages"])
	assert.Equal(t, 30, *f.Limits.WritesPerMinute)
	assert.Equal(t, []string{"confluence_update_page"}, f.Rules[0].Match.Tools, "short names are completed")
	assert.Equal(t, 10, f.Rules[0].WhenAt.Line)
	assert.Equal(t, 11, f.Rules[0].WhenAt.Column)
	assert.Equal(t, 3, f.Tests[0].Given.Resource.Version)
	assert.Equal(t, map[string]string{"a": "b"}, f.Tests[0].Given.Identity.Attributes)
	assert.Equal(t, 14, f.Tests[0].At.Line)
}

// TestEveryProblemIsReportedAtOnce: an author fixes a file in one go.
func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	_, err := parser(t).Parse("p.yaml", []byte("version: 2\nname: X\nextra: 1\ngroups: {pages: {level: all}}\n"))
	var problems profile.Problems
	require.ErrorAs(t, err, &problems)
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	assert.Equal(t, []int{1, 2, 3, 4}, lines)
	assert.Equal(t, 4, strings.Count(err.Error(), "p.yaml:"))
}

func TestParseGiven(t *testing.T) {
	g, err := profile.ParseGiven("given", []byte("{tool: update_page, resource: {space_key: HR}}"))
	require.NoError(t, err)
	assert.Equal(t, "confluence_update_page", g.Tool)
	for _, bad := range []string{"", "x", "{tool: a", "{tool: update_page, page: 1}", "{resource: {}}", "tool: &a x", "{tool: get_page, resource: {version: x}}"} {
		_, err := profile.ParseGiven("given", []byte(bad))
		assert.ErrorAs(t, err, &profile.Problems{}, bad)
	}
}

// TestSchemaIsOneEditorsCanUse holds the published schema against the standard
// and against what the program reads.
func TestSchemaIsOneEditorsCanUse(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(profile.Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("urn:test", doc))
	meta, err := jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	require.NoError(t, err)
	require.NoError(t, meta.Validate(doc))

	var schema map[string]any
	require.NoError(t, json.Unmarshal(profile.Schema(), &schema))
	defs := schema["$defs"].(map[string]any)
	object := func(path ...string) map[string]any {
		at := schema
		if path[0] == "$defs" {
			at, path = defs, path[1:]
		}
		for _, p := range path {
			at = at[p].(map[string]any)
		}
		return at
	}
	for _, pair := range []struct {
		shape any
		in    map[string]any
	}{
		{profile.File{}, object("properties")},
		{profile.Limits{}, object("properties", "limits", "properties")},
		{profile.Grant{}, object("$defs", "grant", "properties")},
		{profile.Rule{}, object("$defs", "rule", "properties")},
		{profile.Match{}, object("$defs", "rule", "properties", "match", "properties")},
		{profile.Test{}, object("$defs", "test", "properties")},
		{profile.Given{}, object("$defs", "test", "properties", "given", "properties")},
		{profile.Expect{}, object("$defs", "test", "properties", "expect", "properties")},
		{profile.Identity{}, object("$defs", "identity", "properties")},
		{profile.Resource{}, object("$defs", "resource", "properties")},
		{profile.Change{}, object("$defs", "change", "properties")},
	} {
		var inSchema []string
		for name := range pair.in {
			inSchema = append(inSchema, name)
		}
		assert.ElementsMatch(t, jsonNames(pair.shape), inSchema, "%T", pair.shape)
	}
}

func jsonNames(v any) []string {
	var out []string
	for i := range reflect.TypeOf(v).NumField() {
		name, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
		if name != "-" {
			out = append(out, name)
		}
	}
	return out
}

func TestCell(t *testing.T) {
	cases := map[string][2]string{
		"confluence_search": {"search", "read"}, "get_page": {"pages", "read"}, "list_pages": {"pages", "read"},
		"get_page_history": {"pages", "read"}, "get_page_diff": {"pages", "read"}, "get_comments": {"pages", "read"},
		"create_page": {"pages", "create"}, "add_comment": {"pages", "create"}, "add_label": {"pages", "create"},
		"update_page": {"pages", "update"}, "move_page": {"pages", "update"}, "update_comment": {"pages", "update"},
		"delete_page": {"pages", "delete"}, "delete_comment": {"pages", "delete"}, "remove_label": {"pages", "delete"},
		"list_spaces": {"spaces", "read"}, "get_space": {"spaces", "read"}, "create_space": {"spaces", "create"}, "update_space": {"spaces", "update"},
		"get_attachments": {"attachments", "read"}, "download_attachment": {"attachments", "read"},
		"upload_attachment": {"attachments", "create"}, "delete_attachment": {"attachments", "delete"},
		"search_user": {"users", "read"}, "get_user": {"users", "read"},
	}
	for tool, want := range cases {
		group, action, ok := profile.Cell(tool)
		assert.True(t, ok, tool)
		assert.Equal(t, want, [2]string{group, action}, tool)
	}
	for _, tool := range []string{"", "confluence_", "get_approval", "frobnicate_page"} {
		_, _, ok := profile.Cell(tool)
		assert.False(t, ok, tool)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("{a: 1, a: 2}"))
	p := parser(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := p.Parse("p.yaml", text)
		if err != nil {
			assert.ErrorAs(t, err, &profile.Problems{})
			return
		}
		assert.Equal(t, 1, file.Version)
	})
}
