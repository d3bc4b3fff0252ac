package v2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// storage is the JSON of a body to write.
func storage(value string) string {
	return fmt.Sprintf(`{"representation":"storage","value":%q}`, value)
}

func TestPageLife(t *testing.T) {
	e := emulatortest.Start(t)
	made := ask(t, e, "u-ann", "POST", "/pages", `{"spaceId":"100","title":"New","body":`+storage("<p>one</p>")+`}`)
	require.Equal(t, 200, made.status, "quirk 3: not 201")
	id := made.at("id").(string)
	assert.Equal(t, "1000", made.at("parentId"), "below the home page")
	assert.Equal(t, "<p>one</p>", made.at("body.storage.value"))

	put := func(user, fields string) answer {
		return ask(t, e, user, "PUT", "/pages/"+id, `{"id":"`+id+`","status":"current","title":"New","body":`+storage("<p>two</p>")+fields+`}`)
	}
	require.Equal(t, 200, put("u-bob", `,"version":{"number":2,"message":"why"}`).status)
	stale := put("u-ann", `,"version":{"number":2}`)
	assert.Equal(t, 409, stale.status)
	assert.Equal(t, "Version must be incremented on update. Current version is: 2", stale.title())
	assert.Equal(t, "CONFLICT", stale.at("errors.0.code"))
	assert.Equal(t, 400, put("u-ann", `,"version":{"number":3},"spaceId":"300"`).status)
	require.Equal(t, 200, put("u-ann", `,"version":{"number":3},"parentId":"1010"`).status)

	versions := get(t, e, "u-ann", "/pages/"+id+"/versions?body-format=storage")
	assert.Equal(t, "3 2 1", versions.each("number"))
	assert.Equal(t, "<p>one</p>", versions.at("results.2.page.body.storage.value"))
	second := get(t, e, "u-ann", "/pages/"+id+"/versions/2")
	assert.Equal(t, "why", second.at("message"))
	assert.Equal(t, 3.0, second.at("nextVersion"))
	assert.Equal(t, "<p>one</p>", get(t, e, "u-ann", "/pages/"+id+"?version=1&body-format=storage").at("body.storage.value"))
	assert.Equal(t, 404, get(t, e, "u-ann", "/pages/"+id+"?version=9").status)
	assert.Equal(t, "folder", get(t, e, "u-ann", "/pages/"+id).at("parentType"), "a folder is a legal parent")

	require.Equal(t, 200, ask(t, e, "u-ann", "PUT", "/pages/"+id+"/title", `{"status":"current","title":"Newer"}`).status)
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/pages/"+id, "").status)
	assert.Equal(t, "trashed", get(t, e, "u-ann", "/pages/"+id).at("status"))
	require.Equal(t, 200, put("u-ann", `,"version":{"number":5}`).status, "current on trashed restores")
	restored := get(t, e, "u-ann", "/pages/"+id+"?body-format=storage")
	assert.Equal(t, "current", restored.at("status"))
	assert.Equal(t, "Newer", restored.at("title"), "a restore ignores the rest")
	assert.Equal(t, 400, ask(t, e, "u-ann", "DELETE", "/pages/"+id+"?purge=true", "").status)
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/pages/"+id, "").status)
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/pages/"+id+"?purge=true", "").status)
	assert.Equal(t, 404, get(t, e, "u-ann", "/pages/"+id).status)
}

func TestRefusedWrites(t *testing.T) {
	e := emulatortest.Start(t)
	const taken = "A page with this title already exists: A page already exists with the same TITLE in this space"
	page := func(fields string) string { return `{"title":"T","body":` + storage("<p/>") + fields + `}` }
	put := func(fields string) string {
		return `{"id":"1006","status":"current","title":"T","body":` + storage("<p/>") + `,"version":{"number":2}` + fields + `}`
	}
	for _, tc := range []struct {
		name, user, method, path, body string
		status                         int
		title                          string
	}{
		{"no JSON", "u-ann", "POST", "/pages", `{`, 400, "Invalid request body"},
		{"no space", "u-ann", "POST", "/pages", page(""), 400, "spaceId is required"},
		{"hidden space", "u-ann", "POST", "/pages", page(`,"spaceId":"200"`), 404, "Could not find space with id [200]"},
		{"quirk 6: no right to write is a miss", "u-dan", "POST", "/pages", page(`,"spaceId":"300"`), 404, "not permitted"},
		{"no right to update is a miss", "u-bob", "PUT", "/pages/1006", put(""), 404, "not permitted"},
		{"no right to delete is a miss", "u-bob", "DELETE", "/pages/1006", "", 404, "not permitted"},
		{"quirk 9: an archived page reserves its title", "u-ann", "POST", "/pages", `{"spaceId":"100","title":"OLD notes","body":` + storage("x") + `}`, 400, taken},
		{"quirk 18: a folder does not", "u-ann", "POST", "/pages", `{"spaceId":"100","title":"Guides","body":` + storage("x") + `}`, 200, ""},
		{"broken body", "u-ann", "POST", "/pages", `{"spaceId":"100","title":"B","body":` + storage("<p>") + `}`, 400, "Error parsing xhtml: "},
		{"unknown representation", "u-ann", "POST", "/pages", `{"spaceId":"100","title":"B","body":{"representation":"markdown","value":"x"}}`, 400, "markdown"},
		{"unknown status", "u-ann", "POST", "/pages", page(`,"spaceId":"100","status":"trashed"`), 400, "trashed"},
		{"another id", "u-ann", "PUT", "/pages/1006", strings.Replace(put(""), "1006", "1001", 1), 400, "does not match"},
		{"no version", "u-ann", "PUT", "/pages/1006", `{"id":"1006","status":"current","title":"T","body":` + storage("x") + `}`, 400, "version.number"},
		{"no body", "u-ann", "PUT", "/pages/1006", `{"id":"1006","status":"current","title":"T","version":{"number":2}}`, 400, "body is required"},
		{"archived", "u-ann", "PUT", "/pages/1008", strings.Replace(put(""), "1006", "1008", 1), 400, "archived"},
		{"below itself", "u-ann", "PUT", "/pages/1000", strings.Replace(put(`,"parentId":"1001"`), "1006", "1000", 1), 400, "below itself"},
		{"comment without container", "u-ann", "POST", "/footer-comments", `{"body":` + storage("x") + `}`, 400, "Exactly one"},
		{"comment on two", "u-ann", "POST", "/footer-comments", `{"pageId":"1001","blogPostId":"1100","body":` + storage("x") + `}`, 400, "Exactly one"},
		{"comment on what is hidden", "u-bob", "POST", "/footer-comments", `{"pageId":"1002","body":` + storage("x") + `}`, 404, "Could not find page"},
		{"inline without selection", "u-ann", "POST", "/inline-comments", `{"pageId":"1001","body":` + storage("x") + `}`, 400, "textSelection"},
		{"inline on other text", "u-ann", "POST", "/inline-comments", `{"pageId":"1011","body":` + storage("x") + `,"inlineCommentProperties":{"textSelection":"Uninstall","textSelectionMatchCount":1,"textSelectionMatchIndex":0}}`, 400, "does not match"},
		{"draft that is none", "u-ann", "DELETE", "/pages/1001?draft=true", "", 404, "Could not find page"},
		{"space key taken", "u-ann", "POST", "/spaces", `{"key":"ENG","name":"x"}`, 400, "already exists"},
		{"guest makes a space", "u-gus", "POST", "/spaces", `{"key":"GUS","name":"x"}`, 404, "not permitted"},
		{"ids that are none", "u-ann", "POST", "/content/convert-ids-to-types", `{"contentIds":["x"]}`, 400, "correct type"},
		{"nobody to look up", "u-ann", "POST", "/users-bulk", `{"accountIds":[]}`, 400, "accountIds"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(t, e, tc.user, tc.method, tc.path, tc.body)
			require.Equal(t, tc.status, a.status, "%v", a.body)
			if tc.title != "" {
				assert.Contains(t, a.title(), tc.title)
			}
		})
	}
	large := ask(t, e, "u-ann", "POST", "/pages", `{"spaceId":"100","title":"L","body":`+storage(strings.Repeat("x", 5_242_881))+`}`)
	assert.Equal(t, 413, large.status)
	assert.Equal(t, 413.0, large.at("statusCode"))
}

func TestDraftsAndPrivatePages(t *testing.T) {
	e := emulatortest.Start(t)
	draft := ask(t, e, "u-ann", "POST", "/pages", `{"spaceId":"100","status":"draft"}`)
	require.Equal(t, 200, draft.status)
	id := draft.at("id").(string)
	assert.Equal(t, 404, get(t, e, "u-bob", "/pages/"+id+"?get-draft=true").status)
	published := ask(t, e, "u-ann", "PUT", "/pages/"+id, `{"id":"`+id+`","status":"current","title":"Now","version":{"number":1},"body":`+storage("<p>x</p>")+`}`)
	require.Equal(t, 200, published.status)
	assert.Equal(t, 1.0, published.at("version.number"), "a draft is published as its version 1")
	assert.Equal(t, 200, get(t, e, "u-bob", "/pages/"+id).status)
	gone := ask(t, e, "u-ann", "POST", "/pages", `{"spaceId":"100","status":"draft"}`).at("id").(string)
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/pages/"+gone+"?draft=true", "").status)
	own := ask(t, e, "u-ann", "POST", "/pages?private=true", `{"spaceId":"100","title":"Mine","body":`+storage("x")+`}`)
	require.Equal(t, 200, own.status)
	assert.Equal(t, 404, get(t, e, "u-bob", "/pages/"+own.at("id").(string)).status)
	atRoot := ask(t, e, "u-ann", "POST", "/pages?root-level=true", `{"spaceId":"100","title":"Orphan","body":`+storage("x")+`}`)
	assert.Nil(t, atRoot.at("parentId"))
}

func TestComments(t *testing.T) {
	e := emulatortest.Start(t)
	made := ask(t, e, "u-bob", "POST", "/footer-comments", `{"pageId":"1006","body":`+storage("<p>hm</p>")+`}`)
	require.Equal(t, 201, made.status, "commenting needs no right to edit the page")
	id := made.at("id").(string)
	reply := ask(t, e, "u-ann", "POST", "/footer-comments", `{"parentCommentId":"`+id+`","body":`+storage("<p>yes</p>")+`}`)
	require.Equal(t, 201, reply.status)
	edit := `{"version":{"number":2},"body":` + storage("<p>hmm</p>") + `}`
	require.Equal(t, 200, ask(t, e, "u-bob", "PUT", "/footer-comments/"+id, edit).status)
	assert.Equal(t, 409, ask(t, e, "u-bob", "PUT", "/footer-comments/"+id, edit).status)
	assert.Equal(t, "2 1", get(t, e, "u-ann", "/footer-comments/"+id+"/versions").each("number"))
	assert.Equal(t, "<p>hm</p>", get(t, e, "u-ann", "/footer-comments/"+id+"?version=1&body-format=storage").at("body.storage.value"))
	require.Equal(t, 204, ask(t, e, "u-bob", "DELETE", "/footer-comments/"+id, "").status)
	assert.Equal(t, 404, get(t, e, "u-ann", "/footer-comments/"+reply.at("id").(string)).status, "for good, replies too")
}

func TestInlineComments(t *testing.T) {
	e := emulatortest.Start(t)
	made := ask(t, e, "u-ann", "POST", "/inline-comments", `{"pageId":"1011","body":`+storage("<p>how?</p>")+
		`,"inlineCommentProperties":{"textSelection":"configure","textSelectionMatchCount":1,"textSelectionMatchIndex":0}}`)
	require.Equal(t, 201, made.status)
	id := made.at("id").(string)
	marker := made.at("properties.inlineMarkerRef").(string)
	page := get(t, e, "u-ann", "/pages/1011?body-format=storage")
	assert.Equal(t, `<p>Install, <ac:inline-comment-marker ac:ref="`+marker+`">configure</ac:inline-comment-marker>, breathe.</p>`, page.at("body.storage.value"))
	assert.Equal(t, 1.0, page.at("version.number"))
	reply := ask(t, e, "u-bob", "POST", "/inline-comments", `{"parentCommentId":"`+id+`","body":`+storage("<p>so</p>")+`}`)
	require.Equal(t, 201, reply.status)
	assert.Equal(t, reply.at("id"), get(t, e, "u-ann", "/inline-comments/"+id+"/children").each("id"))
	for i, tc := range []struct {
		resolved string
		want     string
	}{{"true", "resolved"}, {"false", "reopened"}, {"true", "resolved"}} {
		a := ask(t, e, "u-ann", "PUT", "/inline-comments/"+id, fmt.Sprintf(`{"version":{"number":%d},"body":%s,"resolved":%s}`, i+2, storage("<p>how?</p>"), tc.resolved))
		require.Equal(t, 200, a.status)
		assert.Equal(t, tc.want, a.at("resolutionStatus"))
	}
	assert.Equal(t, id, get(t, e, "u-ann", "/pages/1011/inline-comments?resolution-status=resolved").each("id"))
	assert.Empty(t, get(t, e, "u-ann", "/pages/1011/inline-comments?resolution-status=open").each("id"))
	assert.Empty(t, get(t, e, "u-ann", "/pages/1011/footer-comments").each("id"))
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/inline-comments/"+id, "").status)
}

func TestFoldersBlogpostsAndAttachments(t *testing.T) {
	e := emulatortest.Start(t)
	folder := ask(t, e, "u-ann", "POST", "/folders", `{"spaceId":"100","title":"More","parentId":"1000"}`)
	require.Equal(t, 200, folder.status)
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/folders/"+folder.at("id").(string), "").status)
	assert.Equal(t, "trashed", get(t, e, "u-ann", "/folders/"+folder.at("id").(string)).at("status"))

	blog := ask(t, e, "u-ann", "POST", "/blogposts", `{"spaceId":"100","title":"Release notes","body":`+storage("<p>x</p>")+`}`)
	require.Equal(t, 200, blog.status, "blog posts may share a title")
	id := blog.at("id").(string)
	require.Equal(t, 200, ask(t, e, "u-ann", "PUT", "/blogposts/"+id, `{"id":"`+id+`","status":"current","title":"B","version":{"number":2},"body":`+storage("y")+`}`).status)
	assert.Equal(t, "2 1", get(t, e, "u-ann", "/blogposts/"+id+"/versions").each("number"))
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/blogposts/"+id, "").status)

	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/attachments/att6001", "").status)
	assert.Equal(t, "att6002", get(t, e, "u-ann", "/pages/1001/attachments").each("id"))
	assert.Equal(t, "att6001", get(t, e, "u-ann", "/pages/1001/attachments?status=trashed").each("id"))
	require.Equal(t, 204, ask(t, e, "u-ann", "DELETE", "/attachments/att6001?purge=true", "").status)
	assert.Equal(t, 404, get(t, e, "u-ann", "/attachments/att6001").status)
}

func TestConvertIDsAndUsers(t *testing.T) {
	e := emulatortest.Start(t)
	types := ask(t, e, "u-bob", "POST", "/content/convert-ids-to-types", `{"contentIds":["1001","1002",1010,"1100","5001","77"]}`)
	require.Equal(t, 200, types.status)
	assert.Equal(t, map[string]any{"1001": "page", "1002": nil, "1010": "folder", "1100": "blogpost", "5001": "footer-comment", "77": nil}, types.at("results"))
	users := ask(t, e, "u-bob", "POST", "/users-bulk", `{"accountIds":["u-ann","u-eve","u-gus","nobody"]}`)
	require.Equal(t, 200, users.status)
	assert.Equal(t, "u-ann u-eve u-gus", users.each("accountId"))
	assert.Equal(t, "active inactive active", users.each("accountStatus"))
	assert.Equal(t, true, users.at("results.2.isExternalCollaborator"))
}

func TestPermissionModels(t *testing.T) {
	const site = `{"kind":"site","role_mode":"%s"}
{"kind":"group","id":"g-1","name":"staff"}
{"kind":"user","id":"u-ann","username":"ann","email":"ann@acme.test","groups":["staff"],"token":"ann-token"}
{"kind":"space","id":"1","key":"S","grants":[{"to":"group:staff","op":"read"},{"to":"user:u-ann","op":"write"}]}`
	for _, tc := range []struct {
		mode        string
		kinds       []string
		assignments int
	}{
		{"PRE_ROLES", []string{"group", "user"}, 404},
		{"ROLES_TRANSITION", []string{"group", "role", "user"}, 200},
		{"ROLES", []string{"role"}, 200},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			e := emulatortest.Start(t, fmt.Sprintf(site, tc.mode))
			assert.Equal(t, tc.mode, get(t, e, "u-ann", "/space-role-mode").at("mode"))
			kinds := map[string]bool{}
			for _, row := range get(t, e, "u-ann", "/spaces/1/permissions?limit=250").at("results").([]any) {
				kinds[row.(map[string]any)["principal"].(map[string]any)["type"].(string)] = true
			}
			for _, kind := range []string{"group", "role", "user"} {
				assert.Equal(t, slices.Contains(tc.kinds, kind), kinds[kind], kind)
			}
			rows := get(t, e, "u-ann", "/spaces/1/role-assignments")
			require.Equal(t, tc.assignments, rows.status)
			if rows.status == 200 {
				assert.Equal(t, "GROUP", rows.at("results.0.principal.principalType"))
				assert.Equal(t, "g-1", rows.at("results.0.principal.principalId"))
				assert.Equal(t, get(t, e, "u-ann", "/space-roles").at("results.0.id"), rows.at("results.0.roleId"))
				made := ask(t, e, "u-ann", "POST", "/spaces", `{"key":"N","name":"New"}`)
				assert.Equal(t, 201, made.status)
			} else {
				assert.Equal(t, 404, ask(t, e, "u-ann", "POST", "/spaces", `{"key":"N","name":"New"}`).status)
			}
		})
	}
}

func TestWrittenAndRenderedBodies(t *testing.T) {
	e := emulatortest.Start(t)
	for i, tc := range []struct{ written, format, want string }{
		{`{"storage":{"representation":"storage","value":"<p>a</p>"}}`, "storage", "<p>a</p>"},
		{`{"representation":"wiki","value":"one\n\ntwo & <three>"}`, "storage", "<p>one</p><p>two &amp; &lt;three&gt;</p>"},
		{`{"representation":"atlas_doc_format","value":"{\"type\":\"doc\",\"version\":1,\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"text\",\"text\":\" you\"}]}]}"}`,
			"storage", "<p>hi you</p>"},
		{`{"atlas_doc_format":{"value":"{\"type\":\"doc\",\"version\":1,\"content\":[]}"}}`, "storage", ""},
		{storage(`<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">T</ac:parameter><ac:rich-text-body><p>in</p></ac:rich-text-body></ac:structured-macro>`),
			"export_view", `<div class="confluence-information-macro confluence-information-macro-information conf-macro output-block" data-macro-name="info"><p class="title">T</p><div class="confluence-information-macro-body"><p>in</p></div></div>`},
		{storage(`<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>a &amp; b</ac:task-body></ac:task><ac:task><ac:task-id>2</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>c</ac:task-body></ac:task></ac:task-list>`),
			"export_view", `<ul class="inline-task-list"><li class="checked" data-inline-task-id="1"><span>a &amp; b</span></li><li data-inline-task-id="2"><span>c</span></li></ul>`},
		{storage(`<ac:structured-macro ac:name="toc" /><h1>One&nbsp;two</h1><p>x<br/><strong>y</strong></p>`), "view",
			"<div class=\"toc-macro\"><ul><li><a href=\"#One-two\">One\u00a0two</a></li></ul></div><h1>One\u00a0two</h1><p>x<br><strong>y</strong></p>"},
		{storage(`<ac:structured-macro ac:name="drawio"><ac:parameter ac:name="x">1</ac:parameter><ac:plain-text-body><![CDATA[p]]></ac:plain-text-body></ac:structured-macro><p><ac:structured-macro ac:name="status"><ac:parameter ac:name="title">DONE</ac:parameter><ac:parameter ac:name="colour">Green</ac:parameter></ac:structured-macro></p>`), "view",
			`<pre>p</pre><p><span class="status-macro aui-lozenge aui-lozenge-success">DONE</span></p>`},
		{storage(`<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro>`), "view",
			`<div class="code panel"><div class="codeContent panelContent"><pre class="syntaxhighlighter-pre" data-syntaxhighlighter-params="brush: ; gutter: false">a &lt; b</pre></div></div>`},
	} {
		made := ask(t, e, "u-ann", "POST", "/pages", fmt.Sprintf(`{"spaceId":"100","title":"B%d","body":%s}`, i, tc.written))
		require.Equal(t, 200, made.status, "%v", made.body)
		a := get(t, e, "u-ann", "/pages/"+made.at("id").(string)+"?body-format="+tc.format)
		assert.Equal(t, tc.want, a.at("body."+tc.format+".value"))
	}
	bad := ask(t, e, "u-ann", "POST", "/pages", `{"spaceId":"100","title":"X","body":{"representation":"atlas_doc_format","value":"no"}}`)
	assert.Equal(t, 400, bad.status)
}

// What a rendered body takes from another page is there for who may see that
// page; the anonymous format is rendered for nobody.
func TestRenderedBodiesAreMadeForTheAsker(t *testing.T) {
	e := emulatortest.Start(t)
	taking := func(title string) string {
		return `<ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"` + title + `\"/></ac:link></ac:parameter></ac:structured-macro>`
	}
	e.Apply(`{"kind":"content","id":"1006","version":2,"storage":"<p>rules</p>` + taking("Plans") + taking("Setup guide") + `"}`)
	shown := func(user, id, format string) any {
		return get(t, e, user, "/pages/"+id+"?body-format="+format).at("body." + format + ".value")
	}
	const lost = `<div class="error"><span class="error">Unable to render {include}</span> The included page could not be found.</div>`
	for _, format := range []string{"view", "export_view", "styled_view"} {
		assert.Equal(t, "<p>rules</p><p>Plans of group A: a zeppelin by autumn.</p><p>Install, configure, breathe.</p>", shown("u-ann", "1006", format))
		assert.Equal(t, "<p>rules</p>"+lost+"<p>Install, configure, breathe.</p>", shown("u-bob", "1006", format))
	}
	assert.Equal(t, "<p>rules</p>"+lost+lost, shown("u-ann", "1006", "anonymous_export_view"))
	assert.NotContains(t, shown("u-ann", "1006", "atlas_doc_format"), "zeppelin", "a document names what it includes")
	old := get(t, e, "u-ann", "/pages/1006?version=1&body-format=export_view").at("body.export_view.value")
	assert.Equal(t, "<p>Everybody reads, group A edits.</p>", old)
}

func TestAttachmentReads(t *testing.T) {
	e := emulatortest.Start(t)
	e.Apply(`{"kind":"content","id":"6002","data":"bmV3","labels":["list"]}`)
	assert.Equal(t, 17.0, get(t, e, "u-ann", "/attachments/att6002?version=1").at("fileSize"))
	assert.Equal(t, 3.0, get(t, e, "u-ann", "/attachments/att6002?include-labels=true").at("fileSize"))
	assert.Equal(t, 404, get(t, e, "u-ann", "/attachments/att6002?version=7").status)
	assert.Equal(t, "2 1", get(t, e, "u-ann", "/attachments/att6002/versions").each("number"))
	assert.Equal(t, "list", get(t, e, "u-ann", "/attachments/att6002/labels").each("name"))
	made := ask(t, e, "u-bob", "POST", "/footer-comments", `{"attachmentId":"att6002","body":`+storage("<p>good</p>")+`}`)
	require.Equal(t, 201, made.status)
	assert.Equal(t, "att6002", made.at("attachmentId"))
	assert.Equal(t, made.at("id"), get(t, e, "u-ann", "/attachments/att6002/footer-comments").each("id"))
}
