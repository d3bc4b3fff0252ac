package v1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLabels(t *testing.T) {
	b := start(t)
	a := b.ok("u-bob", "POST", "content/1011/label", `[{"prefix":"global","name":"NEW"},{"prefix":"global","name":"guide"}]`)
	assert.Equal(t, ids("guide", "new"), a.column("name"))
	b.ok("u-bob", "POST", "content/1011/label", `{"prefix":"global","name":"single"}`)
	assert.Equal(t, ids("guide", "new", "single"), b.ok("u-bob", "GET", "content/1011/label", "").column("name"))
	assert.Equal(t, http.StatusNoContent, b.do("u-bob", "DELETE", "content/1011/label?name=new", "", nil).status)
	assert.Equal(t, http.StatusNoContent, b.do("u-bob", "DELETE", "content/1011/label/single", "", nil).status)
	miss := b.refused(http.StatusForbidden, "u-bob", "DELETE", "content/1011/label?name=new", "")
	assert.Contains(t, miss.at("message"), "Requested label doesn't exist")
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1011/label", `[{"prefix":"global","name":"two words"}]`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1011/label", `[{"name":"noprefix"}]`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1011/label", `["x"]`)
	b.refused(http.StatusForbidden, "u-bob", "POST", "content/1008/label", `[{"prefix":"global","name":"x"}]`) // archived
	b.refused(http.StatusForbidden, "u-bob", "POST", "content/1006/label", `[{"prefix":"global","name":"x"}]`)
	b.refused(http.StatusNotFound, "u-bob", "POST", "content/1002/label", `[{"prefix":"global","name":"x"}]`)
	b.refused(http.StatusInternalServerError, "u-bob", "POST", "content/ENG/label", `[{"prefix":"global","name":"x"}]`)
}

func TestMove(t *testing.T) {
	b := start(t)
	assert.Equal(t, "1011", b.ok("u-bob", "PUT", "content/1011/move/append/1001", "").at("pageId"))
	assert.Equal(t, ids("1011"), b.ok("u-bob", "GET", "content/1001/child/page", "").column("id"))
	b.ok("u-bob", "PUT", "content/1011/move/before/1001", "")
	assert.Equal(t, "1011", b.ok("u-bob", "GET", "content/1000/child/page", "").column("id")[0])
	b.refused(http.StatusBadRequest, "u-bob", "PUT", "content/1000/move/append/1011", "") // a loop
	b.refused(http.StatusBadRequest, "u-bob", "PUT", "content/1011/move/under/1001", "")
	b.refused(http.StatusNotFound, "u-bob", "PUT", "content/1011/move/append/1002", "")
	b.refused(http.StatusForbidden, "u-bob", "PUT", "content/1011/move/append/2000", "")
	b.ok("u-bob", "PUT", "content/1011/move/append/3000", "")
	assert.Equal(t, "S2", b.ok("u-bob", "GET", "content/1011?expand=space", "").at("space", "key"))
}

func TestCopy(t *testing.T) {
	b := start(t)
	body := func(kind, value, more string) string {
		return fmt.Sprintf(`{"copyLabels":true,"copyAttachments":true,"destination":{"type":%q,"value":%q}%s}`, kind, value, more)
	}
	a := b.ok("u-bob", "POST", "content/1001/copy?expand=body.storage,metadata.labels", body("parent_page", "1011", `,"pageTitle":"Copy"`))
	id := a.at("id").(string)
	assert.NotEqual(t, "1001", id)
	assert.Equal(t, "Copy", a.at("title"))
	assert.Equal(t, "runbook", a.at("metadata", "labels", "results", 0, "name"))
	assert.Len(t, b.ok("u-bob", "GET", "content/"+id+"/child/attachment", "").column(), 2)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1001/copy", body("parent_page", "1011", "")) // title is taken
	b.ok("u-bob", "POST", "content/1001/copy", body("space", "S2", ""))
	over := b.ok("u-bob", "POST", "content/1001/copy?expand=body.storage,version", body("existing_page", "1011", ""))
	assert.Contains(t, over.at("body", "storage", "value"), "pump")
	assert.EqualValues(t, 2, over.at("version", "number"))
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1001/copy", body("nowhere", "1", ""))
	b.refused(http.StatusNotFound, "u-bob", "POST", "content/1002/copy", body("space", "S2", ""))
}

func TestArchiveIsALongTask(t *testing.T) {
	b := start(t)
	a := b.ok("u-bob", "POST", "content/archive", `{"pages":[{"id":1001},{"id":1011}]}`)
	assert.Equal(t, http.StatusAccepted, a.status)
	status := a.at("links", "status").(string)
	assert.Equal(t, "/rest/api/longtask/"+a.at("id").(string), status)
	assert.Equal(t, false, b.ok("u-bob", "GET", status, "").at("finished"))
	done := b.ok("u-bob", "GET", status, "")
	assert.Equal(t, true, done.at("finished"))
	assert.Equal(t, true, done.at("successful"))
	assert.EqualValues(t, 100, done.at("percentageComplete"))
	assert.Len(t, b.ok("u-bob", "GET", "longtask", "").column(), 1)
	b.refused(http.StatusNotFound, "u-ann", "GET", status, "")
	assert.Equal(t, "archived", b.ok("u-bob", "GET", "content/1001", "").at("status"))

	b.refused(http.StatusInternalServerError, "u-bob", "POST", "content/archive", `{"pages":[{"id":999}]}`)
	b.refused(http.StatusForbidden, "u-bob", "POST", "content/archive", `{"pages":[{"id":1006}]}`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/archive", `{"pages":[]}`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/archive", `{"pages":[{"id":1001}]}`)
}

func TestRestoreAVersion(t *testing.T) {
	b := start(t)
	b.ok("u-bob", "POST", "content/1001/copy", `{"destination":{"type":"existing_page","value":"1011"}}`)
	a := b.ok("u-bob", "POST", "content/1011/version?expand=content", `{"operationKey":"restore","params":{"versionNumber":1,"message":"back"}}`)
	assert.EqualValues(t, 3, a.at("number"))
	assert.Equal(t, "back", a.at("message"))
	assert.Contains(t, b.ok("u-bob", "GET", "content/1011?expand=body.storage", "").at("body", "storage", "value"), "breathe")
	b.refused(http.StatusNotFound, "u-bob", "POST", "content/1011/version", `{"operationKey":"restore","params":{"versionNumber":9,"message":""}}`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1011/version", `{"operationKey":"erase","params":{"versionNumber":1,"message":""}}`)
	assert.Equal(t, http.StatusNoContent, b.do("u-bob", "DELETE", "content/1011/version/1", "", nil).status)
}

func TestSpaces(t *testing.T) {
	b := start(t)
	a := b.ok("u-bob", "POST", "space", `{"key":"NEW","name":"New place","description":{"plain":{"value":"fresh","representation":"plain"}}}`)
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "NEW", a.at("key"))
	assert.Equal(t, "fresh", a.at("description", "plain", "value"))
	assert.NotNil(t, a.at("homepage", "id"))
	b.refused(http.StatusBadRequest, "u-bob", "POST", "space", `{"key":"NEW","name":"Again"}`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "space", `{"key":"no good","name":"x"}`)
	b.refused(http.StatusBadRequest, "u-bob", "POST", "space", `{"key":7}`)
	b.refused(http.StatusForbidden, "u-gus", "POST", "space", `{"key":"GUS","name":"x"}`)
	b.ok("u-bob", "POST", "space/_private", `{"key":"MINE","name":"Mine"}`)
	b.refused(http.StatusNotFound, "u-ann", "GET", "space/MINE", "")

	up := b.ok("u-bob", "PUT", "space/NEW", `{"name":"Newer","description":{"plain":{"value":"d","representation":"plain"}}}`)
	assert.Equal(t, "Newer", up.at("name"))
	assert.Equal(t, "current", up.at("status"))
	assert.Equal(t, "archived", b.ok("u-bob", "PUT", "space/NEW", `{"status":"archived"}`).at("status"))
	b.refused(http.StatusNotFound, "u-bob", "PUT", "space/NONE", `{"name":"x"}`)
	b.refused(http.StatusForbidden, "u-bob", "PUT", "space/HR", `{"name":"x"}`)
}

func TestDeletingASpaceIsThereToBeProvedUncalled(t *testing.T) {
	b := start(t)
	b.refused(http.StatusForbidden, "u-bob", "DELETE", "space/HR", "")
	a := b.ok("u-bob", "DELETE", "space/ENG", "")
	assert.Equal(t, http.StatusAccepted, a.status)
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1001", "")
	b.refused(http.StatusNotFound, "u-bob", "GET", "space/ENG", "")
}

func TestReadsThatLeftTheDocument(t *testing.T) {
	b := start(t)
	page := b.ok("u-ann", "GET", "content/1011?expand=body.storage,ancestors,children.page,operations,childTypes,container", "")
	assert.Equal(t, "Setup guide", page.at("title"))
	assert.Equal(t, "1010", page.at("ancestors", 1, "id"))
	assert.NotEmpty(t, page.header.Get("Deprecation"))
	assert.Equal(t, "/spaces/ENG/overview", b.ok("u-ann", "GET", "content/1000", "").at("_links", "webui"))
	b.refused(http.StatusNotFound, "u-ann", "GET", "content/1009", "")
	assert.Equal(t, "trashed", b.ok("u-ann", "GET", "content/1009?status=trashed", "").at("status"))
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1002", "")
	b.refused(http.StatusInternalServerError, "u-ann", "GET", "content/ENG", "")

	assert.Equal(t, ids("1001"), b.ok("u-ann", "GET", "content?spaceKey=ENG&title=runbook", "").column("id"))
	b.refused(http.StatusNotImplemented, "u-ann", "GET", "content?type=folder", "")
	all := b.ok("u-ann", "GET", "content?limit=2", "")
	assert.Contains(t, all.at("_links", "next"), "/rest/api/content?limit=2&start=2")

	assert.Equal(t, ids("1011"), b.ok("u-ann", "GET", "content/1010/child/page", "").column("id"))
	assert.Equal(t, ids("1010"), b.ok("u-ann", "GET", "content/1000/child/folder", "").column("id"))
	assert.Equal(t, ids("5001"), b.ok("u-ann", "GET", "content/1001/child/comment?expand=body.storage", "").column("id"))
	assert.Equal(t, ids("5002"), b.ok("u-ann", "GET", "content/5001/child/comment", "").column("id"))
	assert.Equal(t, ids("att6001"), b.ok("u-ann", "GET", box+"?filename=pump.png", "").column("id"))
	assert.NotNil(t, b.ok("u-ann", "GET", "content/1001/child?expand=attachment,comment", "").at("attachment", "results", 1))
	b.refused(http.StatusBadRequest, "u-ann", "GET", "content/1000/child/whale", "")
	assert.Equal(t, "u-ann", b.ok("u-ann", "GET", "content/1001/history?expand=lastUpdated,previousVersion,contributors,ownedBy", "").at("createdBy", "accountId"))
	b.refused(http.StatusBadRequest, "u-ann", "GET", "content?limit=-1", "")
}

func TestWritesThatLeftTheDocument(t *testing.T) {
	b := start(t)
	a := b.ok("u-bob", "POST", "content", `{"type":"page","title":"Made","space":{"key":"ENG"},"ancestors":[{"id":"1011"}],"body":{"storage":{"value":"<p>one</p>","representation":"storage"}}}`)
	id := a.at("id").(string)
	assert.Equal(t, ids(id), b.ok("u-bob", "GET", "content/1011/child/page", "").column("id"))
	up := b.ok("u-bob", "PUT", "content/"+id, `{"type":"page","title":"Made","version":{"number":2,"message":"m"},"body":{"storage":{"value":"<p>two</p>"}}}`)
	assert.EqualValues(t, 2, up.at("version", "number"))
	stale := b.refused(http.StatusConflict, "u-ann", "PUT", "content/"+id, `{"type":"page","title":"Made","version":{"number":2},"body":{"storage":{"value":"<p>x</p>"}}}`)
	assert.Contains(t, stale.at("message"), "ConflictException: Version must be incremented on update. Current version is: 2")
	old := b.ok("u-bob", "GET", "content/"+id+"?version=1&expand=body.storage", "")
	assert.Equal(t, "<p>one</p>", old.at("body", "storage", "value"))
	assert.Equal(t, "historical", old.at("status"))
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/"+id+"?version=7", "")

	note := b.ok("u-bob", "POST", "content", `{"type":"comment","container":{"id":"`+id+`","type":"page"},"body":{"storage":{"value":"<p>hm</p>"}}}`)
	reply := b.ok("u-bob", "POST", "content", `{"type":"comment","container":{"id":"`+id+`","type":"page"},"ancestors":[{"id":"`+note.at("id").(string)+`"}],"body":{"storage":{"value":"<p>mh</p>"}}}`)
	all := b.ok("u-bob", "GET", "content/"+id+"/child/comment?depth=all&location=footer&expand=ancestors", "")
	assert.Equal(t, []any{note.at("id"), reply.at("id")}, all.column("id"))
	assert.Equal(t, note.at("id"), all.at("results", 1, "ancestors", 0, "id"))
	assert.Empty(t, b.ok("u-bob", "GET", "content/"+id+"/child/comment?location=inline", "").column())

	large := b.refused(http.StatusRequestEntityTooLarge, "u-bob", "POST", "content",
		`{"type":"page","space":{"key":"ENG"},"title":"Large","body":{"storage":{"value":"`+strings.Repeat("x", 5<<20+1)+`"}}}`)
	assert.Regexp(t, `^com\.atlassian\.confluence\.api\.service\.exceptions\.RequestEntityTooLargeException: Request too large`, large.at("message"))
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content", `{"type":"whale","space":{"key":"ENG"},"title":"x"}`)
	b.refused(http.StatusBadRequest, "u-bob", "PUT", "content/"+id, `{"type":"page","title":"x"}`)
	b.refused(http.StatusForbidden, "u-bob", "POST", "content", `{"type":"page","space":{"key":"HR"},"title":"x"}`)
	assert.Equal(t, http.StatusNoContent, b.do("u-bob", "DELETE", "content/"+id, "", nil).status)
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/"+id, "")
	assert.Equal(t, http.StatusNoContent, b.do("u-bob", "DELETE", "content/"+id+"?status=trashed", "", nil).status)
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/"+id+"?status=any", "")
}

func TestRenderedBody(t *testing.T) {
	b := start(t)
	view := b.ok("u-ann", "GET", "content/1001?expand=body.view", "").at("body", "view", "value").(string)
	assert.Contains(t, view, "<h1>Restart the pump</h1>")
	assert.Contains(t, view, ">systemctl restart pump</pre>")
	assert.Contains(t, view, "<span>Check the seal</span>")
	assert.NotContains(t, view, "ac:")

	created := b.ok("u-ann", "POST", "content", `{"type":"page","space":{"key":"ENG"},"title":"Takes","body":{"storage":{"representation":"storage","value":"<p>of</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"Plans\"/></ac:link></ac:parameter></ac:structured-macro>"}}}`)
	path := "content/" + created.at("id").(string) + "?expand=body.export_view,body.anonymous_export_view"
	assert.Contains(t, b.ok("u-ann", "GET", path, "").at("body", "export_view", "value"), "zeppelin")
	assert.NotContains(t, b.ok("u-ann", "GET", path, "").at("body", "anonymous_export_view", "value"), "zeppelin")
	assert.Contains(t, b.ok("u-bob", "GET", path, "").at("body", "export_view", "value"), "The included page could not be found")
}

func TestLegacySpaces(t *testing.T) {
	b := start(t)
	assert.Equal(t, ids("ENG", "S2"), b.ok("u-cid", "GET", "space?type=", "").column("key"))
	assert.Equal(t, ids("S2"), b.ok("", "GET", "space", "").column("key"))
	public := b.ok("u-ann", "GET", "space/S2?expand=permissions,description,homepage,history,operations", "")
	assert.Equal(t, true, public.at("permissions", 0, "anonymousAccess"))
	assert.Equal(t, "read", public.at("permissions", 0, "operation", "operation"))
	assert.Equal(t, "g-staff", public.at("permissions", 1, "subjects", "group", "results", 0, "id"))
	assert.Equal(t, "3000", public.at("homepage", "id"))
	hr := b.ok("u-hal", "GET", "space/hr?expand=permissions", "")
	assert.Contains(t, hr.raw, `"accountId":"u-bob"`)
	b.refused(http.StatusNotFound, "u-ann", "GET", "space/HR", "")
}
