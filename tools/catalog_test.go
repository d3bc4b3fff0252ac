package tools_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

const (
	fullBudget     = 14_000 // bytes of name, description and inputSchema, design 5
	readOnlyBudget = 8_000
)

func modelBytes(list []tools.Tool) int {
	n := 0
	for _, t := range list {
		b, _ := json.Marshal(struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			InputSchema json.RawMessage `json:"inputSchema"`
		}{t.Name, t.Description, t.InputSchema})
		n += len(b) + 1
	}
	return n
}

func TestToolListKeepsToItsBudget(t *testing.T) {
	d := newDesk(t, newFake())
	full, least := modelBytes(d.cat.Tools(caller(fullAccess))), modelBytes(d.cat.Tools(caller(readOnly)))
	t.Logf("tools/list for a model: %d bytes with full-access, %d with read-only", full, least)
	assert.LessOrEqual(t, full, fullBudget)
	assert.LessOrEqual(t, least, readOnlyBudget)
}

// Every tool of design 5, no more and no less.
func TestCatalogueIsTheContract(t *testing.T) {
	want := map[string]string{
		"search": "search read", "get_page": "pages read", "list_pages": "pages read", "get_page_history": "pages read", "get_page_diff": "pages read", "get_comments": "pages read",
		"create_page": "pages create", "add_comment": "pages create", "add_label": "pages create",
		"update_page": "pages update", "move_page": "pages update", "update_comment": "pages update",
		"delete_page": "pages delete", "delete_comment": "pages delete", "remove_label": "pages delete",
		"list_spaces": "spaces read", "get_space": "spaces read", "create_space": "spaces create", "update_space": "spaces update",
		"get_attachments": "attachments read", "download_attachment": "attachments read", "upload_attachment": "attachments create", "delete_attachment": "attachments delete",
		"search_user": "users read", "get_user": "users read", "get_approval": " read", "undo": "pages update",
	}
	got := map[string]string{}
	for _, tool := range newDesk(t, newFake()).cat.All() {
		got[strings.TrimPrefix(tool.Name, tools.Prefix)] = string(tool.Group) + " " + string(tool.Action)
	}
	assert.Equal(t, want, got)
}

type schema struct {
	Type       string            `json:"type"`
	Closed     *json.RawMessage  `json:"additionalProperties"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Required   []string          `json:"required"`
}

func TestEveryToolIsWhole(t *testing.T) {
	for _, tool := range newDesk(t, newFake()).cat.All() {
		t.Run(tool.Name, func(t *testing.T) {
			assert.Regexp(t, regexp.MustCompile(`^confluence_[a-z]+(_[a-z]+){0,2}$`), tool.Name)
			assert.LessOrEqual(t, len(tool.Name), 40)
			assert.NotEmpty(t, tool.Title)
			assert.NotEmpty(t, tool.Description)
			assert.LessOrEqual(t, len(tool.Description), 400)
			assert.Equal(t, tool.Action == policy.Read, tool.ReadOnly, "readOnlyHint")
			assert.Equal(t, tool.Action == policy.Update || tool.Action == policy.Delete, tool.Destructive, "destructiveHint")
			assert.True(t, !tool.ReadOnly || tool.Idempotent, "idempotentHint of a read")
			assert.Equal(t, tool.Group != "", tool.OpenWorld, "openWorldHint")
			for _, raw := range []json.RawMessage{tool.InputSchema, tool.OutputSchema} {
				var s schema
				require.NoError(t, json.Unmarshal(raw, &s))
				assert.Equal(t, "object", s.Type)
				closed(t, s)
				assert.NotContains(t, string(raw), `"null"`)
				assert.NotContains(t, string(raw), "\n")
			}
			var in schema
			require.NoError(t, json.Unmarshal(tool.InputSchema, &in))
			if !tool.ReadOnly {
				assert.Contains(t, in.Properties, "dry_run")
			} else {
				assert.Contains(t, in.Properties, "max_chars")
			}
		})
	}
}

func closed(t *testing.T, s schema) {
	t.Helper()
	if s.Properties != nil || s.Type == "object" && s.Items == nil && s.Closed != nil {
		require.NotNil(t, s.Closed, "open object")
		assert.Equal(t, "false", string(*s.Closed))
	}
	for _, p := range s.Properties {
		closed(t, p)
	}
	if s.Items != nil {
		closed(t, *s.Items)
	}
}

// E01: no argument of any tool is a path, an address of a server, or a header.
func TestE01_D01_NoArgumentNamesAPathOrAServer(t *testing.T) {
	for _, tool := range newDesk(t, newFake()).cat.All() {
		var in schema
		require.NoError(t, json.Unmarshal(tool.InputSchema, &in))
		for name := range in.Properties {
			for _, word := range []string{"path", "file_path", "base_url", "host", "server", "header", "token", "cloud", "proxy", "purge"} {
				assert.NotContains(t, name, word, tool.Name)
			}
		}
	}
}

func TestProfileDecidesWhatIsListed(t *testing.T) {
	d := newDesk(t, newFake())
	for _, tool := range d.cat.Tools(caller(readOnly)) {
		assert.True(t, tool.ReadOnly, tool.Name)
	}
	names := func(profile string) []string {
		out := []string{}
		for _, tool := range d.cat.Tools(caller(profile)) {
			out = append(out, strings.TrimPrefix(tool.Name, tools.Prefix))
		}
		return out
	}
	assert.Len(t, names(fullAccess), 27)
	assert.Contains(t, names(manager), "update_page")
	assert.NotContains(t, names(manager), "delete_page")
	assert.NotContains(t, names(manager), "create_space")
	assert.Empty(t, names("no such profile"))
	assert.Empty(t, d.cat.Tools(identity.Caller{}))
	assert.IsIncreasing(t, names(fullAccess))
	assert.Equal(t, names(fullAccess), names(fullAccess))
}

// I05: the listing is the same whoever asks and whatever Confluence holds.
func TestI05_SnapshotsOfEveryTool(t *testing.T) {
	dir := filepath.Join("..", "testdata", "tools")
	seen := map[string]bool{}
	for _, tool := range newDesk(t, newFake()).cat.All() {
		got, err := json.MarshalIndent(map[string]any{
			"name": tool.Name, "title": tool.Title, "description": tool.Description,
			"inputSchema": tool.InputSchema, "outputSchema": tool.OutputSchema, "group": tool.Group, "action": tool.Action,
			"annotations": map[string]bool{"readOnlyHint": tool.ReadOnly, "destructiveHint": tool.Destructive, "idempotentHint": tool.Idempotent, "openWorldHint": tool.OpenWorld},
		}, "", "  ")
		require.NoError(t, err)
		name := tool.Name + ".json"
		seen[name] = true
		golden(t, filepath.Join(dir, name), append(got, '\n'))
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		assert.True(t, seen[f.Name()], "%s is the snapshot of no tool", f.Name())
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	assert.Equal(t, string(want), string(got), "run the test with -update if this is meant")
}

// The table in docs/tools.md is the catalogue's, between two marks.
func TestTableOfTools(t *testing.T) {
	const begin, end = "<!-- tools:begin -->", "<!-- tools:end -->"
	path := filepath.Join("..", "docs", "tools.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s has no %s", path, begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no %s", path, end)
	table := tools.Table()
	assert.Equal(t, 2+len(tools.Every()), strings.Count(table, "\n"))
	golden(t, path, []byte(before+begin+"\n"+table+end+after))
}

func TestNewRefusesAnIncompleteConfig(t *testing.T) {
	_, err := tools.New(tools.Config{})
	assert.ErrorContains(t, err, "Config.Sites")
	_, err = tools.New(tools.Config{Sites: sites{}, Policy: shipped(t), Log: &record{}})
	assert.ErrorContains(t, err, "Config.Now")
}
