package emulatortest_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	v1 "confluence-mcp/internal/emulator/v1"
	v2 "confluence-mcp/internal/emulator/v2"
)

// step is one request of the walk as "METHOD path [body]" and the status that
// it must get. The harness judges its shape.
type step struct {
	status  int
	request string
}

const (
	r2 = "/wiki/api/v2"
	r1 = "/wiki/rest/api"
)

func reads() []step {
	var steps []step
	for _, path := range []string{
		"/pages", "/pages?limit=2&sort=-modified-date&body-format=storage", "/pages?space-id=100&status=current&title=runbook",
		"/pages/1001", "/pages/1001?body-format=storage&include-labels=true&include-version=true", "/pages/1001?version=3",
		"/spaces/100/pages", "/spaces/100/pages?depth=root", "/pages/1001/versions", "/pages/1001/versions/3", "/pages/1001/labels",
		"/pages/1001/operations", "/pages/1001/properties", "/pages/1001/footer-comments?body-format=storage", "/pages/1001/inline-comments",
		"/pages/1001/attachments", "/pages/1000/children", "/pages/1000/direct-children?limit=3", "/pages/1000/descendants?depth=3",
		"/pages/1011/ancestors", "/folders/1010", "/folders/1010/ancestors", "/folders/1010/direct-children", "/folders/1010/descendants",
		"/blogposts", "/spaces/100/blogposts", "/blogposts/1100", "/blogposts/1100/versions", "/blogposts/1100/versions/1",
		"/blogposts/1100/labels", "/blogposts/1100/operations", "/blogposts/1100/properties", "/blogposts/1100/footer-comments",
		"/blogposts/1100/inline-comments", "/blogposts/1100/attachments",
		"/footer-comments/5001", "/footer-comments/5001/children", "/footer-comments/5001/versions",
		"/attachments", "/attachments/att6001", "/attachments/att6001/versions", "/attachments/att6001/labels", "/attachments/att6001/footer-comments",
		"/spaces", "/spaces?keys=ENG,HR&status=current&sort=key", "/spaces/100?description-format=plain",
		"/spaces/100/permissions", "/spaces/100/role-assignments", "/space-roles", "/space-roles?space-id=100", "/space-role-mode",
	} {
		steps = append(steps, step{200, "GET " + r2 + path})
	}
	for _, path := range []string{
		"/search?cql=type=page&limit=3", "/content/search?cql=space=ENG&expand=version,space,ancestors,metadata.labels",
		"/search/user?cql=user.fullname~Ann", "/user/current", "/user/anonymous", "/user?accountId=u-bob",
		"/user/bulk?accountId=u-ann&accountId=u-bob", "/user/memberof?accountId=u-ann", "/group", "/group/by-id?id=g-a",
		"/group/picker?query=st", "/group/g-a/membersByGroupId", "/content/1002/restriction?expand=restrictions.user,restrictions.group",
		"/content/1002/restriction/byOperation", "/content/1002/restriction/byOperation/read", "/longtask",
		"/template/page", "/template/blueprint",
		"/content", "/content/1001?expand=body.storage,version,space", "/content/1001/history", "/content/1001/label",
		"/content/1000/child?expand=page", "/content/1000/descendant?expand=page", "/content/1000/descendant/page",
		"/content/1001/version", "/content/1001/version/3", "/space/ENG/content", "/space/ENG/content/page?depth=root", "/content/1000/child/page", "/space", "/space/ENG?expand=permissions,homepage,description.plain",
	} {
		steps = append(steps, step{200, "GET " + r1 + path})
	}
	steps = append(steps, step{401, "GET /wiki/download/attachments/1001/pump.png"})
	return append(steps, step{302, "GET " + r1 + "/content/1001/child/attachment/att6001/download"})
}

func misses() []step {
	return []step{
		{404, "GET " + r2 + "/pages/99"}, {404, "GET " + r2 + "/pages/1010"}, {404, "GET " + r2 + "/folders/1001"},
		{404, "GET " + r2 + "/blogposts/1001"}, {404, "GET " + r2 + "/spaces/9"}, {404, "GET " + r2 + "/attachments/att99"},
		{404, "GET " + r2 + "/footer-comments/99"}, {400, "GET " + r2 + "/pages?status=draft"}, {400, "GET " + r2 + "/pages?limit=0"},
		{400, "GET " + r2 + "/pages?limit=x"}, {400, "GET " + r1 + "/search?cql=type+="}, {400, "GET " + r1 + "/search"},
		{404, "GET " + r1 + "/content/99/restriction"}, {404, "GET " + r1 + "/content/99"}, {404, "GET " + r1 + "/space/NONE"},
		{404, "GET " + r1 + "/content/1001/child/attachment/att99/download"},
	}
}

// writes runs on a fresh site; site-made ids are filled in by the test.
func writes() []step {
	return []step{
		{200, "POST " + r2 + `/pages {"spaceId":"100","status":"current","title":"New","parentId":"1010","body":{"representation":"storage","value":"<p>Text to select</p>"}}`},
		{400, "POST " + r2 + `/pages {"spaceId":"100","status":"current","title":"New","body":{"representation":"storage","value":"<p>again</p>"}}`},
		{200, "PUT " + r2 + `/pages/{} {"id":"{}","status":"current","title":"New","body":{"representation":"storage","value":"<p>Text to select, twice</p>"},"version":{"number":2,"message":"m"}}`},
		{409, "PUT " + r2 + `/pages/{} {"id":"{}","status":"current","title":"New","body":{"representation":"storage","value":"<p>late</p>"},"version":{"number":2}}`},
		{200, "PUT " + r2 + `/pages/{}/title {"status":"current","title":"Newer"}`},
		{200, "POST " + r1 + `/content/{}/label [{"prefix":"global","name":"fresh"},{"prefix":"global","name":"other"}]`},
		{204, "DELETE " + r1 + `/content/{}/label?name=fresh`},
		{204, "DELETE " + r1 + `/content/{}/label/other`},
		{403, "DELETE " + r1 + `/content/{}/label?name=absent`},
		{200, "PUT " + r1 + `/content/{}/move/append/1000`},
		{200, "POST " + r1 + `/content/{}/version {"operationKey":"restore","params":{"versionNumber":1,"message":"back","restoreTitle":true}}`},
		{204, "DELETE " + r1 + `/content/{}/version/1`},
		{200, "POST " + r1 + `/content/{}/copy {"copyAttachments":true,"copyLabels":true,"destination":{"type":"parent_page","value":"1000"},"pageTitle":"Copied"}`},
		{200, "POST " + r1 + `/content/{}/permission/check {"subject":{"type":"user","identifier":"u-ann"},"operation":"read"}`},
		{200, "POST " + r2 + `/content/convert-ids-to-types {"contentIds":["1001","1010","99"]}`},
		{200, "POST " + r2 + `/users-bulk {"accountIds":["u-ann","u-zed"]}`},
		{201, "POST " + r2 + `/footer-comments {"pageId":"1001","body":{"representation":"storage","value":"<p>Noted</p>"}}`},
		{200, "PUT " + r2 + `/footer-comments/{} {"version":{"number":2},"body":{"representation":"storage","value":"<p>Noted twice</p>"}}`},
		{204, "DELETE " + r2 + `/footer-comments/{}`},
		{201, "POST " + r2 + `/inline-comments {"pageId":"1011","body":{"representation":"storage","value":"<p>Why?</p>"},"inlineCommentProperties":{"textSelection":"configure","textSelectionMatchCount":1,"textSelectionMatchIndex":0}}`},
		{200, "GET " + r2 + `/inline-comments/{}`},
		{200, "GET " + r2 + `/inline-comments/{}/children`},
		{200, "GET " + r2 + `/inline-comments/{}/versions`},
		{200, "PUT " + r2 + `/inline-comments/{} {"version":{"number":2},"body":{"representation":"storage","value":"<p>Why not?</p>"},"resolved":true}`},
		{204, "DELETE " + r2 + `/inline-comments/{}`},
		{200, "POST " + r2 + `/blogposts {"spaceId":"100","status":"current","title":"News","body":{"representation":"storage","value":"<p>n</p>"}}`},
		{200, "PUT " + r2 + `/blogposts/{} {"id":"{}","status":"current","title":"News","body":{"representation":"storage","value":"<p>nn</p>"},"version":{"number":2}}`},
		{204, "DELETE " + r2 + `/blogposts/{}`},
		{200, "POST " + r1 + `/content/1011/property {"key":"app","value":{"seen":1}}`},
		{409, "POST " + r1 + `/content/1011/property/app {"value":2}`},
		{200, "PUT " + r1 + `/content/1011/property/app {"key":"app","value":[2],"version":{"number":2}}`},
		{409, "PUT " + r1 + `/content/1011/property/app {"key":"app","value":[2],"version":{"number":2}}`},
		{200, "GET " + r1 + `/content/1011/property/app`},
		{200, "GET " + r1 + `/content/1011/property`},
		{204, "DELETE " + r1 + `/content/1011/property/app`},
		{404, "GET " + r1 + `/content/1011/property/app`},
		{200, "PUT " + r1 + `/content/1011/property/app {"key":"app","value":"new","version":{"number":1}}`},
		{200, "POST " + r1 + `/content {"type":"page","title":"Old way","space":{"key":"ENG"},"body":{"storage":{"value":"<p>o</p>","representation":"storage"}}}`},
		{200, "PUT " + r1 + `/content/{} {"type":"page","title":"Old way","version":{"number":2},"body":{"storage":{"value":"<p>oo</p>","representation":"storage"}}}`},
		{204, "DELETE " + r1 + `/content/{}`},
		{200, "POST " + r2 + `/folders {"spaceId":"100","title":"Box","parentId":"1000"}`},
		{204, "DELETE " + r2 + `/folders/{}`},
		{200, "POST " + r2 + `/pages/1011/properties {"key":"second","value":{"deep":[true]}}`},
		{200, "GET " + r2 + `/pages/1011/properties/{}`},
		{400, "PUT " + r2 + `/pages/1011/properties/{} {"key":"other","value":1,"version":{"number":2}}`},
		{200, "PUT " + r2 + `/pages/1011/properties/{} {"key":"second","value":1,"version":{"number":2,"message":"m"}}`},
		{409, "PUT " + r2 + `/pages/1011/properties/{} {"key":"second","value":1,"version":{"number":2}}`},
		{200, "GET " + r2 + `/pages/1011/properties?key=second&sort=-key`},
		{204, "DELETE " + r2 + `/pages/1011/properties/{}`},
		{404, "GET " + r2 + `/pages/1011/properties/{}`},
		{200, "POST " + r2 + `/blogposts/1100/properties {"key":"second","value":{"deep":[true]}}`},
		{200, "GET " + r2 + `/blogposts/1100/properties/{}`},
		{400, "PUT " + r2 + `/blogposts/1100/properties/{} {"key":"other","value":1,"version":{"number":2}}`},
		{200, "PUT " + r2 + `/blogposts/1100/properties/{} {"key":"second","value":1,"version":{"number":2,"message":"m"}}`},
		{409, "PUT " + r2 + `/blogposts/1100/properties/{} {"key":"second","value":1,"version":{"number":2}}`},
		{200, "GET " + r2 + `/blogposts/1100/properties?key=second&sort=-key`},
		{204, "DELETE " + r2 + `/blogposts/1100/properties/{}`},
		{404, "GET " + r2 + `/blogposts/1100/properties/{}`},
		{204, "DELETE " + r2 + `/pages/1011`},
		{200, "GET " + r2 + `/pages/1011`},
		{202, "POST " + r1 + `/content/archive {"pages":[{"id":1006}]}`},
		{200, "GET " + r1 + `/longtask/{}`},
		{204, "DELETE " + r2 + `/attachments/att6002`},
		{200, "POST " + r1 + `/space {"key":"NEW","name":"New space","description":{"plain":{"value":"d","representation":"plain"}}}`},
		{200, "POST " + r1 + `/space/_private {"key":"MINE","name":"Mine"}`},
		{200, "PUT " + r1 + `/space/NEW {"name":"Newer space"}`},
		{202, "DELETE " + r1 + `/space/NEW`},
	}
}

func restrictionSteps() []step {
	const c = "/content/1005/restriction"
	return []step{
		{200, "PUT " + r1 + c + ` [{"operation":"read","restrictions":{"user":[{"type":"known","accountId":"u-bot"}],"group":[{"type":"group","name":"A"}]}}]`},
		{200, "POST " + r1 + c + ` [{"operation":"update","restrictions":{"user":[{"type":"known","accountId":"u-bot"}]}}]`},
		{200, "GET " + r1 + c + "/byOperation/read/user?accountId=u-bot"},
		{404, "GET " + r1 + c + "/byOperation/read/user?accountId=u-ann"},
		{200, "GET " + r1 + c + "/byOperation/read/byGroupId/g-a"},
		{404, "GET " + r1 + c + "/byOperation/read/byGroupId/g-b"},
		{200, "PUT " + r1 + c + "/byOperation/read/user?accountId=u-ann"},
		{200, "DELETE " + r1 + c + "/byOperation/read/user?accountId=u-ann"},
		{200, "PUT " + r1 + c + "/byOperation/read/byGroupId/g-b"},
		{200, "DELETE " + r1 + c + "/byOperation/read/byGroupId/g-b"},
		{200, "DELETE " + r1 + c},
	}
}

func TestWalkOfAllOperations(t *testing.T) {
	e := emulatortest.Start(t)
	walked := &walker{t: t, e: e, mux: http.NewServeMux(), seen: map[string]bool{}}
	var patterns []string
	for _, r := range append(v1.Routes(), v2.Routes()...) {
		patterns = append(patterns, r.Method+" "+r.Pattern)
		walked.mux.HandleFunc(r.Method+" "+r.Pattern, func(http.ResponseWriter, *http.Request) {})
	}
	for _, list := range [][]step{reads(), misses(), writes(), restrictionSteps()} {
		for _, s := range list {
			walked.take(s)
		}
	}
	walked.uploads()
	walked.spaceByV2()
	walked.templates()
	for _, p := range patterns {
		assert.True(t, walked.seen[p], "the walk leaves out %s", p)
	}
	t.Logf("%d operations walked, %d exchanges were with operations in no document", len(patterns), e.Unspecified())
}

type walker struct {
	t    *testing.T
	e    *emulatortest.Emulator
	mux  *http.ServeMux
	seen map[string]bool
	made string // id in the last answer to a POST that made something
}

func (w *walker) take(s step) []byte {
	w.t.Helper()
	text := s.request
	if w.made != "" {
		text = strings.ReplaceAll(text, "{}", w.made)
	}
	method, rest, _ := strings.Cut(text, " ")
	path, body, _ := strings.Cut(rest, " ")
	res := w.e.Do("u-bot", method, path, body)
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	assert.Equal(w.t, s.status, res.StatusCode, "%s\n%.300s", text, answer)
	w.mark(method, path)
	if id := field(answer, "id"); method == "POST" && id != "" && makes(path) {
		w.made = id
	}
	return answer
}

// makes tells whether the id in a POST's answer is worth keeping.
func makes(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.Contains(" pages blogposts content folders footer-comments inline-comments archive properties ", " "+last+" ")
}

func (w *walker) mark(method, path string) {
	req, err := http.NewRequest(method, path, nil)
	require.NoError(w.t, err)
	_, pattern := w.mux.Handler(req)
	w.seen[pattern] = true
}

// field is the value after the first such name in a JSON answer.
func field(answer []byte, name string) string {
	_, rest, ok := bytes.Cut(answer, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

func (w *walker) uploads() {
	const path = r1 + "/content/1001/child/attachment"
	w.upload("POST", path, 200)
	w.upload("POST", path, 400) // the name is taken
	w.upload("PUT", path, 200)
	w.upload("POST", path+"/att6001/data", 200)
	w.take(step{200, "PUT " + path + `/att6001 {"id":"att6001","type":"attachment","version":{"number":3},"title":"renamed.png"}`})
}

func (w *walker) upload(method, path string, status int) {
	w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="notes.txt"`},
		"Content-Type": {"text/plain; charset=UTF-8"}})
	require.NoError(w.t, err)
	_, err = fmt.Fprint(part, "some notes")
	require.NoError(w.t, err)
	require.NoError(w.t, form.WriteField("minorEdit", "true"))
	require.NoError(w.t, form.Close())
	req, err := http.NewRequest(method, strings.TrimSuffix(w.e.URL, "/wiki")+path, &body)
	require.NoError(w.t, err)
	req.SetBasicAuth(w.e.Email("u-bot"), w.e.Token("u-bot"))
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("X-Atlassian-Token", "nocheck")
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	assert.Equal(w.t, status, res.StatusCode, "%s %s\n%.300s", method, path, answer)
	w.mark(method, path)
}

// spaceByV2 makes a space where that works: on a site that has only roles.
func (w *walker) spaceByV2() {
	const body = `{"key":"ROLE","name":"By roles"}`
	w.e.Apply(`{"kind":"site","role_mode":"ROLES"}`)
	w.take(step{201, "POST " + r2 + "/spaces " + body})
}

func (w *walker) templates() {
	w.e.Apply(`{"kind":"template","id":"t-1","name":"Minutes","storage":"<p>Who was there?</p>"}`)
	w.take(step{200, "GET " + r1 + "/template/t-1"})
	w.take(step{200, "GET " + r1 + "/template/page"})
}

func TestDownloadIsARedirectToTheMediaHost(t *testing.T) {
	e := emulatortest.Start(t)
	res := e.Get("u-ann", r1+"/content/1001/child/attachment/att6002/download")
	require.Equal(t, http.StatusFound, res.StatusCode)
	target := res.Header.Get("Location")
	require.True(t, strings.HasPrefix(target, e.Media+"/"), target)
	got, err := http.Get(target)
	require.NoError(t, err)
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	assert.Equal(t, "1. seal\n2. valve\n", string(body))
	req, err := http.NewRequest("GET", target, nil)
	require.NoError(t, err)
	req.SetBasicAuth("ann@acme.test", "ann-token")
	leaked, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = leaked.Body.Close() }()
	assert.Equal(t, http.StatusBadRequest, leaked.StatusCode, "credentials on the media host")
	for _, r := range e.Requests(0) {
		assert.NotContains(t, r.Path, "ann-token")
		if r.Via == "media" {
			assert.Contains(t, r.Path, "token=redacted")
		}
	}
}
