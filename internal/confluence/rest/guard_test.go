package rest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/policy"
	"confluence-mcp/policy/operation"
)

// recorder is what the guard protects: it counts what gets through.
type recorder struct{ passed []*http.Request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.passed = append(r.passed, req)
	return httptest.NewRecorder().Result(), nil
}

// probe is one request as an attacker or a mistake would build it.
type probe struct {
	method, url, body, contentType string
	header                         map[string]string
}

func (p probe) request(t require.TestingT) *http.Request {
	var body io.Reader
	if p.body != "" {
		body = strings.NewReader(p.body)
	}
	req, err := http.NewRequest(p.method, "https://acme.atlassian.net", body) //nolint:noctx // never sent
	require.NoError(t, err)
	u, err := url.Parse("https://acme.atlassian.net" + p.url)
	require.NoError(t, err)
	req.URL = u
	if p.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.contentType != "" {
		req.Header.Set("Content-Type", p.contentType)
	}
	for name, value := range p.header {
		req.Header[name] = []string{value}
	}
	return req
}

// refused sends p through a guard alone, without the client above it.
func refused(t require.TestingT, p probe) *confluence.Error {
	next := &recorder{}
	res, err := rest.Guard(next).RoundTrip(p.request(t)) //nolint:bodyclose // there is no answer
	require.Error(t, err, "%s %s passed", p.method, p.url)
	require.Nil(t, res)
	require.Empty(t, next.passed)
	var e *confluence.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, confluence.Denied, e.Kind)
	return e
}

func admitted(t require.TestingT, p probe) *http.Request {
	next := &recorder{}
	_, err := rest.Guard(next).RoundTrip(p.request(t)) //nolint:bodyclose // the recorder's answer has no body
	require.NoError(t, err, "%s %s", p.method, p.url)
	require.Len(t, next.passed, 1)
	return next.passed[0]
}

// spaceDeletes is every way of red-team row G01 that is a request.
func spaceDeletes() map[string]probe {
	override := func(name, value string) map[string]string { return map[string]string{name: value} }
	return map[string]probe{
		"v1":                       {method: "DELETE", url: "/wiki/rest/api/space/ENG"},
		"v1 without wiki":          {method: "DELETE", url: "/rest/api/space/ENG"},
		"v1 gateway":               {method: "DELETE", url: "/ex/confluence/11111111-1111-4111-8111-111111111111/wiki/rest/api/space/ENG"},
		"v1 gateway without wiki":  {method: "DELETE", url: "/ex/confluence/11111111-1111-4111-8111-111111111111/rest/api/space/ENG"},
		"v2, should it come":       {method: "DELETE", url: "/wiki/api/v2/spaces/100"},
		"v3, should it come":       {method: "DELETE", url: "/wiki/api/v3/spaces/100"},
		"data center":              {method: "DELETE", url: "/confluence/rest/api/space/ENG"},
		"data center latest":       {method: "DELETE", url: "/rest/api/latest/space/ENG"},
		"experimental":             {method: "DELETE", url: "/rest/experimental/space/ENG"},
		"personal space":           {method: "DELETE", url: "/wiki/rest/api/space/~ann"},
		"trailing slash":           {method: "DELETE", url: "/wiki/rest/api/space/ENG/"},
		"doubled slash":            {method: "DELETE", url: "/wiki//rest/api//space/ENG"},
		"dot":                      {method: "DELETE", url: "/wiki/rest/api/./space/ENG"},
		"dot dot":                  {method: "DELETE", url: "/wiki/rest/api/content/1/../../space/ENG"},
		"encoded dot dot":          {method: "DELETE", url: "/wiki/api/v2/pages/1/%2e%2e/%2e%2e/%2e%2e/rest/api/space/ENG"},
		"encoded letters":          {method: "DELETE", url: "/wiki/rest/api/%73pace/ENG"},
		"encoded slash":            {method: "DELETE", url: "/wiki/rest/api/space%2FENG"},
		"twice encoded":            {method: "DELETE", url: "/wiki/rest/api/%2573pace/ENG"},
		"backslash":                {method: "DELETE", url: `/wiki/rest/api\space\ENG`},
		"path parameter":           {method: "DELETE", url: "/wiki/rest/api/space;jsessionid=1/ENG;a=b"},
		"upper case":               {method: "DELETE", url: "/WIKI/REST/API/SPACE/ENG"},
		"mixed case":               {method: "DELETE", url: "/wiki/rest/api/Space/eng"},
		"method in lower case":     {method: "delete", url: "/wiki/rest/api/space/ENG"},
		"query":                    {method: "DELETE", url: "/wiki/rest/api/space/ENG?x=1"},
		"override header":          {method: "POST", url: "/wiki/rest/api/space/ENG", header: override("X-Http-Method-Override", "DELETE")},
		"override header, odd":     {method: "POST", url: "/wiki/rest/api/space/ENG", header: override("x-http-method", "DELETE")},
		"override on GET":          {method: "GET", url: "/wiki/rest/api/space/ENG", header: override("X-Method-Override", "DELETE")},
		"override on PUT":          {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"name":"x"}`, header: override("X-HTTP-Method-Override", "DELETE")},
		"_method in query":         {method: "POST", url: "/wiki/rest/api/space/ENG?_method=DELETE"},
		"_method on PUT":           {method: "PUT", url: "/wiki/rest/api/space/ENG?_method=DELETE", body: `{"name":"x"}`},
		"_method in form":          {method: "POST", url: "/wiki/rest/api/space/ENG", body: "_method=DELETE", contentType: "application/x-www-form-urlencoded"},
		"archive":                  {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"status":"archived"}`},
		"archive, twice said":      {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"name":"x","name":"y"}`},
		"archive, odd case":        {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"Status":"ARCHIVED"}`},
		"change type":              {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"type":"personal"}`},
		"change permissions":       {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"permissions":[]}`},
		"json-rpc":                 {method: "POST", url: "/rpc/json-rpc/confluenceservice-v2", body: `{"jsonrpc":"2.0","method":"removeSpace","params":["ENG"],"id":1}`},
		"json-rpc method in path":  {method: "POST", url: "/rpc/json-rpc/confluenceservice-v2/removeSpace", body: `["ENG"]`},
		"soap":                     {method: "POST", url: "/rpc/soap-axis/confluenceservice-v2", body: `<removeSpace><key>ENG</key></removeSpace>`, contentType: "text/xml"},
		"web action":               {method: "POST", url: "/wiki/spaces/doremovespace.action?key=ENG"},
		"web action by GET":        {method: "GET", url: "/wiki/spaces/removespace.action?key=ENG"},
		"web action in upper case": {method: "POST", url: "/wiki/spaces/DoRemoveSpace.Action?key=ENG"},
	}
}

func TestG01_SpaceDeleteIsBlockedByTheGuardAlone(t *testing.T) {
	for name, p := range spaceDeletes() {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "policy.space_delete_blocked", refused(t, p).StableCode())
		})
	}
}

func TestGuardBlocksWhatDestroysOrChangesAccess(t *testing.T) {
	cases := map[string]probe{
		"purge page":                {method: "DELETE", url: "/wiki/api/v2/pages/1?purge=true"},
		"purge page, odd case":      {method: "DELETE", url: "/wiki/api/v2/pages/1?Purge=true"},
		"purge page, encoded":       {method: "DELETE", url: "/wiki/api/v2/pages/1?%70urge=true"},
		"purge page, false too":     {method: "DELETE", url: "/wiki/api/v2/pages/1?purge=false"},
		"purge page, semicolon":     {method: "DELETE", url: "/wiki/api/v2/pages/1?a=b;purge=true"},
		"purge blog post":           {method: "DELETE", url: "/wiki/api/v2/blogposts/1?purge=true"},
		"purge attachment":          {method: "DELETE", url: "/wiki/api/v2/attachments/att1?purge=true"},
		"delete draft":              {method: "DELETE", url: "/wiki/api/v2/pages/1?draft=true"},
		"purge by v1":               {method: "DELETE", url: "/wiki/rest/api/content/1?status=trashed"},
		"trash by v1":               {method: "DELETE", url: "/wiki/rest/api/content/1"},
		"page tree":                 {method: "DELETE", url: "/wiki/rest/api/content/1/pageTree"},
		"version":                   {method: "DELETE", url: "/wiki/rest/api/content/1/version/2"},
		"archive pages":             {method: "POST", url: "/wiki/rest/api/content/archive", body: `{"pages":[{"id":1}]}`},
		"trash by PUT":              {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"id":"1","status":"trashed","title":"x"}`},
		"draft by PUT":              {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"id":"1","status":"draft","title":"x"}`},
		"status said twice":         {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"status":"current","status":"trashed"}`},
		"status said in two cases":  {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"status":"current","STATUS":"trashed"}`},
		"new owner":                 {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"ownerId":"x"}`},
		"text after the JSON":       {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"title":"x"}{"status":"trashed"}`},
		"copy over a page":          {method: "POST", url: "/wiki/rest/api/content/1/copy", body: `{"copyPermissions":true,"destination":{"type":"existing_page","value":"2"}}`},
		"copy over, said twice":     {method: "POST", url: "/wiki/rest/api/content/1/copy", body: `{"copyPermissions":true,"destination":{"type":"parent_page","type":"existing_page","value":"2"}}`},
		"copy dropping restriction": {method: "POST", url: "/wiki/rest/api/content/1/copy", body: `{"copyPermissions":false,"destination":{"type":"parent_page","value":"2"}}`},
		"copy a hierarchy":          {method: "POST", url: "/wiki/rest/api/content/1/pagehierarchy/copy", body: `{}`},
		"restriction PUT":           {method: "PUT", url: "/wiki/rest/api/content/1/restriction", body: `[]`},
		"restriction POST":          {method: "POST", url: "/wiki/rest/api/content/1/restriction", body: `[]`},
		"restriction DELETE":        {method: "DELETE", url: "/wiki/rest/api/content/1/restriction"},
		"space permission":          {method: "POST", url: "/wiki/rest/api/space/ENG/permission", body: `{}`},
		"space permission DELETE":   {method: "DELETE", url: "/wiki/rest/api/space/ENG/permission/1"},
		"role assignments":          {method: "POST", url: "/wiki/api/v2/spaces/1/role-assignments", body: `{}`},
		"permission transition":     {method: "POST", url: "/wiki/api/v2/space-permissions/transition/access-removals", body: `{}`},
		"role":                      {method: "DELETE", url: "/wiki/api/v2/space-roles/x"},
		"admin key":                 {method: "POST", url: "/wiki/api/v2/admin-key", body: `{}`},
		"admin key header":          {method: "GET", url: "/wiki/api/v2/pages/1", header: map[string]string{"Atl-Confluence-With-Admin-Key": "true"}},
		"redact":                    {method: "POST", url: "/wiki/api/v2/pages/1/redact", body: `{}`},
		"cookie":                    {method: "GET", url: "/wiki/api/v2/pages/1", header: map[string]string{"Cookie": "a=b"}},
		"forwarded header":          {method: "GET", url: "/wiki/api/v2/pages/1", header: map[string]string{"X-Forwarded-Host": "a"}},
		"read a draft":              {method: "GET", url: "/wiki/api/v2/pages?status=draft"},
		"body of a GET":             {method: "GET", url: "/wiki/api/v2/pages/1", body: `{}`},
		"body of a DELETE":          {method: "DELETE", url: "/wiki/api/v2/pages/1", body: `{}`},
		"no body for a PUT":         {method: "PUT", url: "/wiki/api/v2/pages/1"},
		"JSON upload":               {method: "POST", url: "/wiki/rest/api/content/1/child/attachment", body: `{}`},
		"JSON as a form":            {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"title":"x"}`, contentType: "application/x-www-form-urlencoded"},
		"space with permissions":    {method: "POST", url: "/wiki/rest/api/space", body: `{"key":"A","permissions":[]}`},
		"group":                     {method: "DELETE", url: "/wiki/rest/api/group/by-id?id=x"},
		"web console":               {method: "GET", url: "/wiki/admin/console.action"},
		"HEAD":                      {method: "HEAD", url: "/wiki/api/v2/pages/1"},
		"PATCH":                     {method: "PATCH", url: "/wiki/api/v2/pages/1", body: `{}`},
		"20 digits":                 {method: "GET", url: "/wiki/api/v2/pages/12345678901234567890"},
		"userinfo":                  {method: "GET", url: "@evil.example/wiki/api/v2/pages/1"},
		"fragment":                  {method: "GET", url: "/wiki/api/v2/pages/1#x"},
	}
	for name, p := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "policy.blocked_operation", refused(t, p).StableCode())
		})
	}
}

func TestGuardAdmitsWhatTheClientNeeds(t *testing.T) {
	for name, p := range map[string]probe{
		"page":              {method: "GET", url: "/wiki/api/v2/pages/1?body-format=storage"},
		"page by gateway":   {method: "GET", url: "/ex/confluence/11111111-1111-4111-8111-111111111111/wiki/api/v2/pages/1"},
		"trash a page":      {method: "DELETE", url: "/wiki/api/v2/pages/1"},
		"save a page":       {method: "PUT", url: "/wiki/api/v2/pages/1", body: `{"id":"1","status":"current","title":"x","body":{"value":"<p>status removed</p>"}}`},
		"rename a space":    {method: "PUT", url: "/wiki/rest/api/space/ENG", body: `{"name":"x"}`},
		"copy below a page": {method: "POST", url: "/wiki/rest/api/content/1/copy", body: `{"copyPermissions":true,"destination":{"type":"parent_page","value":"2"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			sent := admitted(t, p)
			if p.body != "" {
				raw, err := io.ReadAll(sent.Body)
				require.NoError(t, err)
				assert.Equal(t, p.body, string(raw), "the body that was judged is the body that is sent")
				assert.Equal(t, int64(len(p.body)), sent.ContentLength)
			}
		})
	}
}

func TestGuardClosesTheBodyItRefuses(t *testing.T) {
	body := &closing{Reader: bytes.NewReader([]byte(`{"status":"archived"}`))}
	req := probe{method: "PUT", url: "/wiki/rest/api/space/ENG", contentType: "application/json"}.request(t)
	req.Body = body
	_, err := rest.Guard(&recorder{}).RoundTrip(req) //nolint:bodyclose // there is no answer
	require.Error(t, err)
	assert.True(t, body.closed)
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// TestGuardOnMutatedPaths takes every destructive request and bends its path,
// case and query: none may pass.
func TestGuardOnMutatedPaths(t *testing.T) {
	var seeds []probe
	for _, p := range spaceDeletes() {
		seeds = append(seeds, p)
	}
	bends := []func(string) string{
		func(s string) string { return strings.Replace(s, "/", "//", 1) },
		func(s string) string { return s + "/" },
		func(s string) string { return strings.Replace(s, "/", "/./", 2) },
		func(s string) string { return "/wiki/api/v2/pages/1/../../../.." + s },
		func(s string) string { return strings.Replace(s, "a", "%61", 1) },
		func(s string) string { return strings.Replace(s, "%", "%25", 1) },
		func(s string) string { return strings.Replace(s, "/", "%2f", 2) },
		func(s string) string { return strings.Replace(s, "space", "space;x=1", 1) },
		func(s string) string { return strings.Replace(s, "space", "SPACE", 1) },
		func(s string) string { return strings.TrimPrefix(s, "/wiki") },
		func(s string) string { return "/ex/confluence/abc" + s },
		func(s string) string { return "/wiki" + s },
		func(s string) string { return s + "%00" },
		func(s string) string { return s + "%20" },
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.SampledFrom(seeds).Draw(rt, "seed")
		target, query, _ := strings.Cut(p.url, "?")
		for range rapid.IntRange(0, 4).Draw(rt, "bends") {
			target = rapid.SampledFrom(bends).Draw(rt, "bend")(target)
		}
		if query != "" {
			target += "?" + query
		}
		p.url = target
		if _, err := url.Parse("https://acme.atlassian.net" + target); err != nil {
			return // no client can send it
		}
		refused(rt, p)
	})
}

// TestGuardOnRandomRequests proves that no admitted request, however it was
// made, deletes anything but single pages, posts, comments, files and labels.
func TestGuardOnRandomRequests(t *testing.T) {
	words := []string{"wiki", "rest", "api", "v2", "space", "spaces", "ENG", "1", "att1", "pages", "content", "copy", "restriction", "label",
		"permission", "role-assignments", "footer-comments", "attachments", "..", "%2e%2e", "archive", "pageTree", "version", "ex", "confluence", "user"}
	queries := []string{"", "purge=true", "draft=true", "status=trashed", "name=x", "_method=DELETE", "limit=1", "X-HTTP-Method-Override=DELETE"}
	harmless := regexp.MustCompile(`^(/ex/confluence/[^/]+)?/wiki/(api/v2/(pages|blogposts|footer-comments|inline-comments)/\d+|api/v2/attachments/att\d+|rest/api/content/\d+/label)$`)
	rapid.Check(t, func(rt *rapid.T) {
		p := probe{
			method: rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE", "delete", "PATCH"}).Draw(rt, "method"),
			url:    "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 7).Draw(rt, "path"), "/"),
		}
		if q := rapid.SampledFrom(queries).Draw(rt, "query"); q != "" {
			p.url += "?" + q
		}
		next := &recorder{}
		_, err := rest.Guard(next).RoundTrip(p.request(rt)) //nolint:bodyclose // the recorder's answer has no body
		if err != nil {
			require.Empty(rt, next.passed)
			return
		}
		if p.method == "DELETE" {
			assert.Regexp(rt, harmless, next.passed[0].URL.Path)
			assert.NotContains(rt, next.passed[0].URL.RawQuery, "purge")
			assert.NotContains(rt, next.passed[0].URL.RawQuery, "draft")
		}
	})
}

// TestGuardAgainstTheSpecifications sends every operation of the official
// documents: exactly the wanted ones pass.
func TestGuardAgainstTheSpecifications(t *testing.T) {
	dir := filepath.Join(repositoryRoot(t), "..", "shared", "spec")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED LOUDLY: ../shared/spec is absent, the guard is not compared with the official documents")
	}
	total := 0
	for generation, prefix := range map[string]string{"v2": "/wiki/api/v2", "v1": ""} {
		wanted := wantedOperations(generation)
		for _, op := range specOperations(t, filepath.Join(dir, "confluence-cloud-"+generation+".openapi.json"), prefix) {
			total++
			if wanted[op.id] {
				admitted(t, op.probe)
				delete(wanted, op.id)
				continue
			}
			refused(t, op.probe)
		}
		assert.Empty(t, wanted, "operations that are in no document")
	}
	assert.Greater(t, total, 300)
}

// TestEveryRouteIsInThePolicysTable: what the guard lets through, the policy's
// table of operations knows, as something a profile can grant.
func TestEveryRouteIsInThePolicysTable(t *testing.T) {
	table := operation.NewTable()
	for _, r := range rest.Operations() {
		if r.Template == "/_edge/tenant_info" || r.Template == "/rest/api/server-information" {
			continue // what is at an address, asked before anybody calls
		}
		for _, path := range spelledOut(r.Template) {
			c := table.Classify(operation.Call{Method: r.Method, Path: path})
			assert.True(t, c.Grantable(), "%s %s has no row in policy/operation", r.Method, path)
			if r.Method == http.MethodGet {
				assert.Equal(t, policy.Read, c.Action, path)
			}
		}
	}
}

// spelledOut are the paths of a template that has words in the place of nouns.
func spelledOut(template string) []string {
	paths := []string{template}
	for name, words := range map[string]string{"{tree}": "pages folders whiteboards databases embeds", "{comments}": "footer-comments inline-comments"} {
		if strings.Contains(template, name) {
			paths = nil
			for word := range strings.FieldsSeq(words) {
				paths = append(paths, strings.Replace(template, name, word, 1))
			}
		}
	}
	return paths
}

// wantedOperations names what may pass, by operation id. A new operation of
// the client is added here by hand, on purpose.
func wantedOperations(generation string) map[string]bool {
	list := map[string]string{"v2": `
		getPages getPagesInSpace getPageById createPage updatePage deletePage getPageVersions getPageAncestors getPageDirectChildren
		getPageDescendants getPageLabels getBlogPosts getBlogPostsInSpace getBlogPostById createBlogPost updateBlogPost deleteBlogPost
		getBlogPostLabels getBlogPostVersions getPageFooterComments getPageInlineComments getBlogPostFooterComments getBlogPostInlineComments
		getFooterCommentChildren getInlineCommentChildren getFooterCommentVersions getInlineCommentVersions getFooterCommentById getInlineCommentById createFooterComment updateFooterComment
		deleteFooterComment createInlineComment updateInlineComment deleteInlineComment getFolderById getFolderDirectChildren
		getFolderDescendants getFolderAncestors getWhiteboardDirectChildren getWhiteboardDescendants getWhiteboardAncestors
		getDatabaseDirectChildren getDatabaseDescendants getDatabaseAncestors getSmartLinkDirectChildren getSmartLinkDescendants getSmartLinkAncestors
		convertContentIdsToContentTypes getSpaces getSpaceById getSpacePermissionsAssignments getSpaceRoleAssignments getAvailableSpaceRoles
		getSpaceRoleMode getAttachments getAttachmentById getAttachmentVersions getPageAttachments getBlogpostAttachments deleteAttachment createBulkUserLookup`, "v1": `
		searchByCQL searchUser addLabelsToContent removeLabelFromContentUsingQueryParameter createAttachment updateAttachmentData
		downloadAttatchment getRestrictions checkContentPermission movePage copyPage createSpace updateSpace getCurrentUser getUser
		getGroupMembershipsForUser getGroups getGroupMembersByGroupId getContentTemplate`}
	m := map[string]bool{}
	for _, id := range strings.Fields(list[generation]) {
		m[id] = true
	}
	return m
}

type specOperation struct {
	id    string
	probe probe
}

func specOperations(t *testing.T, file, prefix string) []specOperation {
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	var all []specOperation
	for path, item := range doc.Paths {
		for method, body := range item {
			if method == "parameters" {
				continue
			}
			var op struct {
				ID string `json:"operationId"`
			}
			require.NoError(t, json.Unmarshal(body, &op))
			p := probe{method: strings.ToUpper(method), url: prefix + fillIn(path)}
			p.body, p.contentType = sampleBody(op.ID, p.method)
			all = append(all, specOperation{op.ID, p})
		}
	}
	return all
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// fillIn makes a plausible path of a template.
func fillIn(path string) string {
	path = strings.ReplaceAll(path, "{attachmentId}", "att1")
	path = strings.ReplaceAll(path, "/attachments/{id}", "/attachments/att1")
	path = strings.ReplaceAll(path, "{spaceKey}", "ENG")
	path = strings.ReplaceAll(path, "{position}", "append")
	path = strings.ReplaceAll(path, "{groupId}", "11111111-1111-4111-8111-111111111111")
	return placeholder.ReplaceAllString(path, "1")
}

func sampleBody(id, method string) (string, string) {
	switch {
	case method == "GET" || method == "DELETE" || id == "movePage":
		return "", ""
	case id == "addLabelsToContent":
		return `[{"prefix":"global","name":"x"}]`, ""
	case id == "copyPage":
		return `{"copyPermissions":true,"destination":{"type":"parent_page","value":"1"}}`, ""
	case strings.HasSuffix(id, "Attachment") || strings.HasSuffix(id, "AttachmentData") || strings.HasSuffix(id, "Attachments"):
		return "--x--", "multipart/form-data; boundary=x"
	}
	return `{}`, ""
}

func repositoryRoot(t *testing.T) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		require.NotEqual(t, dir, up, "no go.mod above the test")
		dir = up
	}
}
