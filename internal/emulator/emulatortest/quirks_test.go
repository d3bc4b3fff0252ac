package emulatortest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	v1 "confluence-mcp/internal/emulator/v1"
	v2 "confluence-mcp/internal/emulator/v2"
)

// answered is an answer, read.
type answered struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, e *emulatortest.Emulator, user, request string) answered {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	res := e.Do(user, method, path, body)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answered{res.StatusCode, res.Header, string(raw)}
}

// at walks into the JSON body by names and digs out a value; nil when absent.
func (a answered) at(t *testing.T, names ...string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(a.body), &v), a.body)
	for _, n := range names {
		switch x := v.(type) {
		case map[string]any:
			v = x[n]
		case []any:
			require.NotEmpty(t, x)
			v = x[0].(map[string]any)[n]
		default:
			return nil
		}
	}
	return v
}

// TestQuirks are what breaks naive clients, by the number in the project's
// list of them. Numbers that concern the client alone or that single packages
// test are left out.
func TestQuirks(t *testing.T) {
	cases := []struct {
		name  string
		check func(t *testing.T, e *emulatortest.Emulator)
	}{
		{"1 no body unless asked for, lists refuse view", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Empty(t, ask(t, e, "u-ann", "GET "+r2+"/pages/1001").at(t, "body"))
			assert.NotEmpty(t, ask(t, e, "u-ann", "GET "+r2+"/pages/1001?body-format=storage").at(t, "body", "storage", "value"))
			assert.Equal(t, 400, ask(t, e, "u-ann", "GET "+r2+"/pages?body-format=view").status)
		}},
		{"2 default status is current and archived", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Contains(t, ask(t, e, "u-ann", "GET "+r2+"/pages?limit=250").body, `"Old notes"`)
			assert.NotContains(t, ask(t, e, "u-ann", "GET "+r2+"/pages?limit=250&status=current").body, `"Old notes"`)
		}},
		{"4 next has /wiki on v2 and not on v1", func(t *testing.T, e *emulatortest.Emulator) {
			next, _ := ask(t, e, "u-ann", "GET "+r2+"/pages?limit=1").at(t, "_links", "next").(string)
			assert.True(t, strings.HasPrefix(next, "/wiki/api/v2/pages?"), next)
			got := ask(t, e, "u-ann", "GET "+r1+"/content/search?cql=type=page&limit=1")
			next, _ = got.at(t, "_links", "next").(string)
			assert.True(t, strings.HasPrefix(next, "/rest/api/content/search?"), next)
			assert.Equal(t, e.URL, got.at(t, "_links", "base"))
		}},
		{"6 a write without permission is a 404 on v2", func(t *testing.T, e *emulatortest.Emulator) {
			got := ask(t, e, "u-bob", "PUT "+r2+`/pages/1006 {"id":"1006","status":"current","title":"House rules","body":{"representation":"storage","value":"<p>x</p>"},"version":{"number":2}}`)
			assert.Equal(t, 404, got.status)
		}},
		{"8 children hide folders, folders are no pages", func(t *testing.T, e *emulatortest.Emulator) {
			assert.NotContains(t, ask(t, e, "u-ann", "GET "+r2+"/pages/1000/children").body, `"Guides"`)
			assert.Contains(t, ask(t, e, "u-ann", "GET "+r2+"/pages/1000/direct-children").body, `"Guides"`)
			assert.Equal(t, 404, ask(t, e, "u-ann", "GET "+r2+"/pages/1010").status)
			assert.Equal(t, "folder", ask(t, e, "u-ann", "GET "+r2+"/pages/1011").at(t, "parentType"))
		}},
		{"9 trash answers by id without a parent, archived keeps its title", func(t *testing.T, e *emulatortest.Emulator) {
			require.Equal(t, 204, ask(t, e, "u-ann", "DELETE "+r2+"/pages/1011").status)
			got := ask(t, e, "u-ann", "GET "+r2+"/pages/1011")
			assert.Equal(t, "trashed", got.at(t, "status"))
			assert.Nil(t, got.at(t, "parentId"))
			got = ask(t, e, "u-ann", "POST "+r2+`/pages {"spaceId":"100","status":"current","title":"OLD NOTES","body":{"representation":"storage","value":"<p>x</p>"}}`)
			assert.Equal(t, 400, got.status)
			assert.Contains(t, got.at(t, "errors", "title"), "A page with this title already exists")
		}},
		{"10 a denied permission check is 200, not listed is 404", func(t *testing.T, e *emulatortest.Emulator) {
			got := ask(t, e, "u-bot", "POST "+r1+`/content/1003/permission/check {"subject":{"type":"user","identifier":"u-bob"},"operation":"read"}`)
			assert.Equal(t, 200, got.status)
			assert.Equal(t, false, got.at(t, "hasPermission"))
			assert.Equal(t, 404, ask(t, e, "u-ann", "GET "+r1+"/content/1002/restriction/byOperation/read/user?accountId=u-ann").status)
		}},
		{"11 ids are strings, numbers and att", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Equal(t, "100", ask(t, e, "u-ann", "GET "+r2+"/spaces/100").at(t, "id"))
			assert.EqualValues(t, 100, ask(t, e, "u-ann", "GET "+r1+"/space/ENG").at(t, "id"))
			assert.Equal(t, "att6001", ask(t, e, "u-ann", "GET "+r2+"/pages/1001/attachments").at(t, "results", "id"))
		}},
		{"13 spaces by key only as a filter", func(t *testing.T, e *emulatortest.Emulator) {
			assert.NotEqual(t, 200, ask(t, e, "u-ann", "GET "+r2+"/spaces/ENG").status)
			assert.Equal(t, "100", ask(t, e, "u-ann", "GET "+r2+"/spaces?keys=eng").at(t, "results", "id"))
		}},
		{"14 the home page's address", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Equal(t, "/spaces/ENG/overview", ask(t, e, "u-ann", "GET "+r2+"/pages/1000").at(t, "_links", "webui"))
		}},
		{"18 a folder may have a page's title", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Equal(t, 200, ask(t, e, "u-ann", "POST "+r2+`/folders {"spaceId":"100","title":"Runbook","parentId":"1000"}`).status)
		}},
		{"21 labels, members and archives that are not there", func(t *testing.T, e *emulatortest.Emulator) {
			assert.Equal(t, 403, ask(t, e, "u-ann", "DELETE "+r1+"/content/1001/label?name=absent").status)
			assert.Equal(t, 200, ask(t, e, "u-bot", "GET "+r1+"/group/none/membersByGroupId").status)
			assert.Equal(t, 500, ask(t, e, "u-ann", "POST "+r1+`/content/archive {"pages":[{"id":77}]}`).status)
		}},
		{"28 errors can be HTML", func(t *testing.T, e *emulatortest.Emulator) {
			got := ask(t, e, "u-ann", "GET "+r2+"/nothing/here")
			assert.Equal(t, 404, got.status)
			assert.Contains(t, got.header.Get("Content-Type"), "text/html")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, emulatortest.Start(t)) })
	}
}

// TestRestrictionsOnEveryRead asks for what is hidden in every way there is.
func TestRestrictionsOnEveryRead(t *testing.T) {
	e := emulatortest.Start(t)
	for _, path := range []string{"/pages/1002", "/pages/1003", "/pages/1002/labels", "/pages/1002/versions", "/pages/1002/footer-comments",
		"/pages/1002/attachments", "/pages/1002/direct-children", "/pages/1002/ancestors", "/pages/1003/ancestors", "/pages/1002/operations",
		"/footer-comments/5003", "/attachments/att6003", "/pages/2001", "/spaces/400"} {
		assert.Equal(t, 404, ask(t, e, "u-bob", "GET "+r2+path).status, path)
		assert.Equal(t, 404, ask(t, e, "u-dan", "GET "+r2+path).status, "dan is not in staff: %s", path)
	}
	for _, path := range []string{r2 + "/pages?limit=250", r2 + "/spaces/100/pages", r2 + "/pages/1000/descendants?depth=10", r2 + "/attachments",
		r1 + "/content/search?limit=200&cql=" + url.QueryEscape(`text ~ "zeppelin"`), r1 + "/search?cql=" + url.QueryEscape("id in (1002,1003,5003,6003)")} {
		body := ask(t, e, "u-bob", "GET "+path).body
		for _, hidden := range []string{"Plans", "a zeppelin", "budget.txt"} {
			assert.NotContains(t, body, hidden, path)
		}
		assert.Contains(t, ask(t, e, "u-cid", "GET "+path).body, "results")
	}
}

// TestWhatOlderClientsRelyOn is what public client libraries were seen to break
// on.
func TestWhatOlderClientsRelyOn(t *testing.T) {
	e := emulatortest.Start(t)
	assert.EqualValues(t, 3, ask(t, e, "u-ann", "GET "+r1+"/content/1001/history").at(t, "lastUpdated", "number"),
		"an update begins with the number found here")
	for _, link := range []string{"webui", "tinyui"} {
		assert.Equal(t, ask(t, e, "u-ann", "GET "+r1+"/content/1011").at(t, "_links", link),
			ask(t, e, "u-ann", "GET "+r2+"/pages/1011").at(t, "_links", link), "both generations have one %s", link)
	}
	for path, has := range map[string]bool{"/content/1000/descendant/page": true, "/content/1000/descendant?expand=page": true, "/content/1000/child/page": false,
		"/space/ENG/content": true, "/space/ENG/content/page?depth=root": false} {
		got := ask(t, e, "u-ann", "GET "+r1+path)
		assert.Equal(t, 200, got.status, path)
		assert.Equal(t, has, strings.Contains(got.body, `"Setup guide"`), path)
	}
	assert.EqualValues(t, 3, ask(t, e, "u-ann", "GET "+r1+"/content/1001/version").at(t, "results", "number"), "newest first")
	assert.Equal(t, 404, ask(t, e, "u-ann", "GET "+r1+"/content/1001/version/9").status)
	assert.Equal(t, 400, ask(t, e, "u-ann", "GET "+r1+"/space/ENG/content/folder").status)
	got := ask(t, e, "u-ann", "POST "+r2+`/pages {"spaceId":100,"title":"a number"}`)
	assert.Equal(t, "Invalid request body: wrong type for spaceId", got.at(t, "errors", "title"))
}

// TestBothPermissionModels reads who may see a space that is open to anonymous
// as each kind of site tells it: by a list of permissions, by roles, by both.
func TestBothPermissionModels(t *testing.T) {
	for _, c := range []struct {
		mode        string
		principals  []string // of the permission list
		assignments int      // status
	}{
		{"PRE_ROLES", []string{"access-class", "group"}, 404},
		{"ROLES_TRANSITION", []string{"group", "role"}, 200},
		{"ROLES", []string{"role"}, 200},
	} {
		t.Run(c.mode, func(t *testing.T) {
			e := emulatortest.Start(t)
			e.Apply(`{"kind":"site","role_mode":"` + c.mode + `"}`)
			assert.Equal(t, c.mode, ask(t, e, "u-bob", "GET "+r2+"/space-role-mode").at(t, "mode"))
			listed := ask(t, e, "u-bob", "GET "+r2+"/spaces/300/permissions?limit=250")
			require.Equal(t, 200, listed.status)
			for _, kind := range []string{"access-class", "group", "role", "user"} {
				assert.Equal(t, slices.Contains(c.principals, kind), strings.Contains(listed.body, `"type":"`+kind+`"`), "%s in %s", kind, listed.body)
			}
			assigned := ask(t, e, "u-bob", "GET "+r2+"/spaces/300/role-assignments")
			assert.Equal(t, c.assignments, assigned.status)
			assert.Equal(t, c.assignments, ask(t, e, "u-bob", "GET "+r2+"/space-roles?space-id=300").status)
			if c.assignments == 200 {
				assert.Contains(t, assigned.body, `"principalId":"anonymous-users"`)
				assert.Contains(t, assigned.body, `"principalType":"ACCESS_CLASS"`)
			}
			old := ask(t, e, "u-bob", "GET "+r1+"/space/S2?expand=permissions")
			assert.Contains(t, old.body, `"anonymousAccess":true`)
		})
	}
}

// TestNoScopeOpensNothing sends a token without any scope to every operation.
func TestNoScopeOpensNothing(t *testing.T) {
	e := emulatortest.Start(t)
	access, _ := e.Grant("u-bot", "offline_access")
	for _, r := range append(v1.Routes(), v2.Routes()...) {
		path := strings.NewReplacer("{id}", "1001", "{", "", "}", "").Replace(r.Pattern)
		req, err := http.NewRequest(r.Method, e.Gateway+"/ex/confluence/"+e.CloudID+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+access)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 401, res.StatusCode, "%s %s", r.Method, path)
		assert.Contains(t, string(raw), "scope does not match")
	}
}
