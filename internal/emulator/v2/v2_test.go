package v2_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

const api = "/wiki/api/v2"

// answer is a decoded answer.
type answer struct {
	status int
	header http.Header
	body   any
}

// ask sends a request as a user; the emulator of the test validates it.
func ask(t *testing.T, e *emulatortest.Emulator, user, method, path, body string) answer {
	t.Helper()
	res := e.Do(user, method, api+path, body)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	out := answer{status: res.StatusCode, header: res.Header}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &out.body), "%s", raw)
	}
	return out
}

func get(t *testing.T, e *emulatortest.Emulator, user, path string) answer {
	t.Helper()
	return ask(t, e, user, "GET", path, "")
}

// at follows a dotted path into an answer; nil when it leads nowhere.
func (a answer) at(path string) any {
	here := a.body
	for step := range strings.SplitSeq(path, ".") {
		switch v := here.(type) {
		case map[string]any:
			here = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			here = v[i]
		default:
			return nil
		}
	}
	return here
}

// each collects a field of every result.
func (a answer) each(field string) string {
	var out []string
	rows, _ := a.at("results").([]any)
	for _, row := range rows {
		out = append(out, fmt.Sprint(row.(map[string]any)[field]))
	}
	return strings.Join(out, " ")
}

func (a answer) title() string { return fmt.Sprint(a.at("errors.0.title")) }

// readCase is one read and what one field of its answer must be; a field
// "each id" collects the ids of the results.
type readCase struct {
	user, path string
	status     int
	field      string
	want       any
}

func pageReads() []readCase {
	return []readCase{
		// Quirk 1: no body unless asked, lists refuse view.
		{"u-ann", "/pages/1001", 200, "body", map[string]any{}},
		{"u-ann", "/pages/1011?body-format=storage", 200, "body.storage.value", "<p>Install, configure, breathe.</p>"},
		{"u-ann", "/pages/1011?body-format=view", 200, "body.view.representation", "view"},
		{"u-ann", "/pages?body-format=view", 400, "errors.0.code", "INVALID_REQUEST_PARAMETER"},
		// Quirk 17: a document is a string.
		{"u-ann", "/pages/1011?body-format=atlas_doc_format", 200, "body.atlas_doc_format.value",
			`{"content":[{"content":[{"text":"Install, configure, breathe.","type":"text"}],"type":"paragraph"}],"type":"doc","version":1}`},
		// Quirk 2: archived is listed, drafts cannot be.
		{"u-ann", "/spaces/100/pages", 200, "each id", "1000 1001 1002 1005 1006 1008 1011"},
		{"u-ann", "/spaces/100/pages?status=current", 200, "each id", "1000 1001 1002 1005 1006 1011"},
		{"u-ann", "/spaces/100/pages?status=trashed", 200, "each id", "1009"},
		{"u-ann", "/spaces/100/pages?status=draft", 400, "errors.0.status", 400.0},
		{"u-ann", "/spaces/100/pages?depth=root", 200, "each id", "1000"},
		{"u-bob", "/pages?space-id=100&space-id=300", 200, "each id", "1000 1001 1005 1006 1008 1011 3000 3001"},
		{"u-bob", "/pages?id=1001&id=1002", 200, "each id", "1001"},
		{"u-ann", "/pages?title=runBOOK", 200, "each id", "1001"},
		{"", "/pages", 200, "each id", "3000 3001"},
		{"u-ann", "/pages?sort=sideways", 400, "errors.0.code", "INVALID_REQUEST_PARAMETER"},
		{"u-ann", "/pages?limit=0", 400, "errors.0.status", 400.0},
		{"u-ann", "/pages?limit=251", 400, "errors.0.status", 400.0},
		{"u-ann", "/pages?cursor=junk", 400, "errors.0.status", 400.0},
		{"u-ann", "/pages?id=abc", 400, "errors.0.status", 400.0},
		{"u-ann", "/spaces/100/pages?sort=-title&status=current&limit=2", 200, "each title", "Shared with bob Setup guide"},
		// Quirk 5: a genuine miss names the id.
		{"u-bob", "/pages/1002", 404, "errors.0.title", "Cannot find a page with id [1002]"},
		{"u-ann", "/pages/77", 404, "errors.0.title", "Cannot find a page with id [77]"},
		{"u-ann", "/pages/77/labels", 404, "errors.0.title", "Could not find page with id [77]"},
		{"u-ann", "/blogposts/77", 404, "errors.0.title", "Content with id: [77] not found"},
		{"u-ann", "/pages/home", 400, "errors.0.code", "INVALID_REQUEST_PARAMETER"},
		// Quirk 8: folders.
		{"u-ann", "/pages/1000/children", 200, "each id", "1001 1002 1005 1006 1008"},
		{"u-ann", "/pages/1000/direct-children", 200, "each type", "page page page page page folder"},
		{"u-ann", "/pages/1010", 404, "errors.0.title", "Cannot find a page with id [1010]"},
		{"u-ann", "/folders/1010", 200, "type", "folder"},
		{"u-ann", "/folders/1010/direct-children", 200, "each id", "1011"},
		{"u-ann", "/pages/1011", 200, "parentType", "folder"},
		{"u-ann", "/pages/1011/ancestors", 200, "each type", "page folder"},
		{"u-ann", "/pages/1011/ancestors?limit=1", 200, "each id", "1010"},
		{"u-ann", "/pages/1000/descendants?depth=1", 200, "each id", "1001 1002 1005 1006 1008 1010"},
		{"u-cid", "/pages/1000/descendants", 200, "each depth", "1 1 2 1 1 1 1 2"},
		{"u-ann", "/pages/1000/descendants?depth=11", 400, "errors.0.status", 400.0},
		// Quirk 9: the trash answers by id, without place.
		{"u-bob", "/pages/1009", 200, "status", "trashed"},
		{"u-bob", "/pages/1009", 200, "parentId", nil},
		{"u-bob", "/pages/1008", 200, "parentId", "1000"},
		{"u-ann", "/pages/1007", 404, "errors.0.status", 404.0},
		{"u-ann", "/pages/1007?get-draft=true", 200, "status", "draft"},
		{"u-bob", "/pages/1007?get-draft=true", 404, "errors.0.status", 404.0},
	}
}

func otherReads() []readCase {
	return []readCase{
		// Quirk 11: ids are strings.
		{"u-ann", "/pages/1001", 200, "spaceId", "100"},
		{"u-ann", "/pages/1001/attachments", 200, "each id", "att6001 att6002"},
		{"u-ann", "/attachments/att6002", 200, "pageId", "1001"},
		{"u-ann", "/attachments/att6002", 200, "fileSize", 17.0},
		{"u-bob", "/attachments/att6003", 404, "errors.0.title", "Could not find attachment with id [att6003]"},
		{"u-bob", "/attachments", 200, "each id", "att6001 att6002"},
		{"u-ann", "/pages/1001/attachments?filename=pump.png", 200, "each id", "att6001"},
		// Quirk 13 and 14: spaces.
		{"u-ann", "/spaces?keys=eng", 200, "each id", "100"},
		{"u-ann", "/spaces/ENG", 400, "errors.0.code", "INVALID_REQUEST_PARAMETER"},
		{"u-ann", "/spaces/200", 404, "errors.0.title", "Could not find space with id [200]"},
		{"u-ann", "/pages/1000", 200, "_links.webui", "/spaces/ENG/overview"},
		{"u-ann", "/pages/1011", 200, "_links.webui", "/spaces/ENG/pages/1011/Setup+guide"},
		{"u-ann", "/spaces/100?description-format=plain", 200, "description.plain.representation", "plain"},
		{"u-ann", "/spaces/100", 200, "homepageId", "1000"},
		{"u-ann", "/spaces/100?include-icon=true&include-operations=true&include-permissions=true&include-labels=true", 200, "operations.meta.hasMore", false},
		// The rest.
		{"u-ann", "/pages/1001/labels", 200, "each name", "runbook ops"},
		{"u-ann", "/pages/1001?include-labels=true&include-operations=true&include-versions=true&include-properties=true&include-likes=true", 200, "labels.results.0.prefix", "global"},
		{"u-bob", "/pages/1006/operations", 200, "operations.3.targetType", "attachment"},
		{"u-bob", "/pages/1006/operations", 200, "operations.4", nil},
		{"u-ann", "/pages/1001/footer-comments", 200, "each id", "5001"},
		{"u-ann", "/footer-comments/5001/children", 200, "each id", "5002"},
		{"u-ann", "/footer-comments/5002", 200, "parentCommentId", "5001"},
		{"u-bob", "/footer-comments/5003", 404, "errors.0.title", "Could not find comment with id [5003]"},
		{"u-ann", "/inline-comments/5001", 404, "errors.0.status", 404.0},
		{"u-ann", "/blogposts", 200, "each id", "1100"},
		{"u-ann", "/spaces/100/blogposts?body-format=storage", 200, "results.0.body.storage.value", "<p>Version two is out.</p>"},
		{"u-ann", "/blogposts/1100", 200, "_links.webui", "/spaces/ENG/blog/2026/02/20/1100/Release+notes"},
		{"u-ann", "/blogposts/1100/labels", 200, "each name", "release"},
		{"u-ann", "/space-role-mode", 200, "mode", "ROLES_TRANSITION"},
		{"u-ann", "/space-roles", 200, "each name", "Viewer Collaborator Manager"},
		{"u-ann", "/spaces/300/role-assignments", 200, "results.0.principal.principalId", "anonymous-users"},
		{"u-ann", "/spaces/100/permissions?limit=1", 200, "results.0.principal.id", "g-staff"},
		{"", "/spaces/300/permissions", 404, "errors.0.status", 404.0},
	}
}

func TestReads(t *testing.T) {
	e := emulatortest.Start(t)
	for _, tc := range append(pageReads(), otherReads()...) {
		t.Run(tc.user+" "+tc.path, func(t *testing.T) {
			a := get(t, e, tc.user, tc.path)
			require.Equal(t, tc.status, a.status, "%v", a.body)
			if field, ok := strings.CutPrefix(tc.field, "each "); ok {
				assert.Equal(t, tc.want, a.each(field))
				return
			}
			assert.Equal(t, tc.want, a.at(tc.field))
		})
	}
	assert.Zero(t, e.Unspecified(), "every operation is in the document")
}

func TestListsArePagedByOpaqueCursors(t *testing.T) {
	e := emulatortest.Start(t)
	for _, path := range []string{
		"/pages?limit=2", "/pages?limit=3&sort=-modified-date", "/spaces/100/pages?limit=1&sort=title", "/pages/1000/direct-children?limit=2",
		"/pages/1000/descendants?limit=3&depth=10", "/spaces?limit=2", "/attachments?limit=1", "/pages/1001/labels?limit=1", "/spaces/100/permissions?limit=4",
	} {
		t.Run(path, func(t *testing.T) {
			whole := get(t, e, "u-cid", strings.Replace(path, path[strings.Index(path, "limit="):strings.Index(path, "limit=")+7], "limit=250", 1))
			require.NotContains(t, whole.body.(map[string]any)["_links"], "next")
			var rows []any
			for next := api + path; next != ""; {
				require.True(t, strings.HasPrefix(next, api), "next carries /wiki")
				a := get(t, e, "u-cid", strings.TrimPrefix(next, api))
				require.Equal(t, 200, a.status)
				assert.Equal(t, e.URL, a.at("_links.base"))
				rows = append(rows, a.at("results").([]any)...)
				next, _ = a.at("_links.next").(string)
				header := "<" + e.URL + `>; rel="base"`
				if next != "" {
					header = "<" + next + `>; rel="next", ` + header
				}
				assert.Equal(t, header, a.header.Get("Link"))
			}
			assert.Equal(t, whole.at("results"), rows)
		})
	}
}

func TestACursorBelongsToItsList(t *testing.T) {
	e := emulatortest.Start(t)
	next, ok := get(t, e, "u-ann", "/pages?limit=2&sort=title").at("_links.next").(string)
	require.True(t, ok)
	other := strings.Replace(strings.TrimPrefix(next, api), "sort=title", "sort=id", 1)
	assert.Equal(t, 400, get(t, e, "u-ann", other).status)
}

func TestAWalkSurvivesChanges(t *testing.T) {
	e := emulatortest.Start(t)
	first := get(t, e, "u-ann", "/spaces/100/pages?limit=2&status=current")
	assert.Equal(t, "1000 1001", first.each("id"))
	e.Apply(`{"kind":"delete","id":"1001"}`)
	second := get(t, e, "u-ann", strings.TrimPrefix(first.at("_links.next").(string), api))
	assert.Equal(t, "1002 1005", second.each("id"), "the cursor's own page is gone and nothing is skipped")
}
