package emulatortest_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "confluence-mcp/internal/emulator/v1"
	v2 "confluence-mcp/internal/emulator/v2"
	"confluence-mcp/internal/emulator/wire"
)

// minimum is every operation that a client of the product's kind uses, by its
// id in the official documents.
const minimum = `getPages getPagesInSpace getPageById createPage updatePage deletePage getPageVersions getPageVersionDetails
getPageAncestors getPageDirectChildren getPageDescendants getPageLabels getPageOperations getBlogPosts getBlogPostsInSpace
getBlogPostById createBlogPost updateBlogPost deleteBlogPost getBlogPostLabels getPageFooterComments getPageInlineComments
getBlogPostFooterComments getFooterCommentChildren createFooterComment updateFooterComment deleteFooterComment
createInlineComment updateInlineComment getFolderById getFolderDirectChildren convertContentIdsToContentTypes getSpaces
getSpaceById getSpacePermissionsAssignments getSpaceRoleAssignments getAvailableSpaceRoles getSpaceRoleMode getAttachments
getAttachmentById getPageAttachments deleteAttachment createBulkUserLookup searchByCQL searchContentByCQL searchUser
addLabelsToContent removeLabelFromContentUsingQueryParameter createAttachment createOrUpdateAttachments updateAttachmentData
downloadAttatchment getRestrictions checkContentPermission movePage createSpace updateSpace getCurrentUser getUser
getGroupMembershipsForUser getGroupMembersByGroupId getTask`

// official is an operation of a document.
type official struct {
	ID     string `json:"operationId"`
	Scopes []struct {
		Scopes []string `json:"scopes"`
	} `json:"x-atlassian-oauth2-scopes"`
}

// operations reads a document: operations by method and path, the names of
// path parameters left out.
func operations(t *testing.T, file, prefix string) map[string]official {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "spec", file))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("LOUD: ../shared/spec is absent, THE OPERATIONS ARE NOT COMPARED with the official documents")
	}
	require.NoError(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	out := map[string]official{}
	for path, item := range doc.Paths {
		for method, body := range item {
			var op official
			if json.Unmarshal(body, &op) == nil && op.ID != "" {
				out[nameless(strings.ToUpper(method)+" "+prefix+path)] = op
			}
		}
	}
	return out
}

func nameless(pattern string) string {
	return regexp.MustCompile(`\{\w+(-\w+)*\}`).ReplaceAllString(pattern, "{}")
}

// TestOperationsAndTheirScopes compares the operations with the documents: the
// minimum is there, and a token opens each by the documents' scopes and no
// others.
func TestOperationsAndTheirScopes(t *testing.T) {
	documents := []map[string]official{operations(t, "confluence-cloud-v2.openapi.json", r2), operations(t, "confluence-cloud-v1.openapi.json", "")}
	served := map[string]bool{}
	for _, r := range slices.Concat(v1.Routes(), v2.Routes()) {
		name := nameless(r.Method + " " + r.Pattern)
		for _, doc := range documents {
			op, known := doc[name]
			if !known {
				continue
			}
			served[op.ID] = true
			assert.False(t, r.Gone, "%s is in the document", name)
			assert.ElementsMatch(t, op.sets(), sets(r), "scopes of %s (%s)", op.ID, name)
		}
	}
	wanted := strings.Fields(minimum)
	assert.Len(t, wanted, 62)
	for _, id := range wanted {
		assert.True(t, served[id], "operation %s is missing", id)
	}
}

func (op official) sets() []string {
	var out []string
	for _, s := range op.Scopes {
		out = append(out, joined(s.Scopes))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sets(r wire.Route) []string {
	var out []string
	for _, s := range r.Scopes {
		out = append(out, joined(s))
	}
	return out
}

func joined(scopes []string) string {
	scopes = slices.Sorted(slices.Values(scopes))
	return strings.Join(scopes, " ")
}
