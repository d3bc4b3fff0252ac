package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/emulator/v1"
)

func TestUsers(t *testing.T) {
	b := start(t)
	me := b.ok("u-ann", "GET", "user/current", "")
	assert.Equal(t, "u-ann", me.at("accountId"))
	assert.Equal(t, "Ann Arbor", me.at("displayName"))
	assert.Equal(t, "atlassian", me.at("accountType"))
	assert.Equal(t, "known", me.at("type"))
	assert.Equal(t, true, b.ok("u-gus", "GET", "user/current", "").at("isExternalCollaborator"))
	assert.Equal(t, "anonymous", b.ok("", "GET", "user/current", "").at("type"))

	assert.Equal(t, "Bob Bright", b.ok("u-ann", "GET", "user?accountId=u-bob", "").at("displayName"))
	b.refused(http.StatusNotFound, "u-ann", "GET", "user?accountId=u-nobody", "")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "user", "")

	bulk := b.ok("u-ann", "GET", "user/bulk?accountId=u-bob&accountId=u-cid&accountId=u-nobody", "")
	assert.Equal(t, ids("u-bob", "u-cid", "u-nobody"), bulk.column("accountId"))
	assert.Equal(t, "unknown", bulk.at("results", 2, "type"))
	many := b.ok("u-ann", "GET", "user/bulk?"+strings.Repeat("accountId=u-bob&", 130), "")
	assert.Len(t, many.column(), 100)
}

func TestGroups(t *testing.T) {
	b := start(t)
	assert.Equal(t, ids("A", "B", "staff"), b.ok("u-ann", "GET", "user/memberof?accountId=u-cid", "").column("name"))
	first := b.ok("u-ann", "GET", "group?limit=3", "")
	assert.Equal(t, ids("A", "B", "hr"), first.column("name"))
	rest := b.ok("u-ann", "GET", first.at("_links", "next").(string), "")
	assert.Equal(t, ids("staff"), rest.column("name"))
	assert.Nil(t, rest.at("_links", "next"))
	assert.Equal(t, "hr", b.ok("u-ann", "GET", "group/by-id?id=g-hr", "").at("name"))
	b.refused(http.StatusNotFound, "u-ann", "GET", "group/by-id?id=nope", "")
	assert.Equal(t, ids("staff"), b.ok("u-ann", "GET", "group/picker?query=TAF", "").column("name"))

	members := b.ok("u-ann", "GET", "group/g-a/membersByGroupId?shouldReturnTotalSize=true", "")
	assert.ElementsMatch(t, ids("u-ann", "u-bot", "u-cid", "u-dan"), members.column("accountId"), "eve is deactivated")
	assert.EqualValues(t, 4, members.at("totalSize"))
	assert.Empty(t, b.ok("u-ann", "GET", "group/no-such-group/membersByGroupId", "").column())
	b.refused(http.StatusBadRequest, "u-ann", "GET", "group/g-a/membersByGroupId?limit=201", "")
	b.refused(http.StatusForbidden, "", "GET", "group/g-a/membersByGroupId", "")
}

func TestNobodyUsesAClosedSiteAnonymously(t *testing.T) {
	b := start(t, `{"kind":"site","name":"Closed","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":false}`)
	a := b.refused(http.StatusForbidden, "", "GET", "user/current", "")
	assert.Contains(t, a.at("message"), "not permitted to use Confluence")
	b.refused(http.StatusForbidden, "", "GET", "search?cql=type%3Dpage", "")
}

func TestEveryRouteHasScopesAndAPattern(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range v1.Routes() {
		name := r.Method + " " + r.Pattern
		assert.False(t, seen[name], name)
		seen[name] = true
		if strings.HasPrefix(r.Pattern, "/wiki/download/") {
			continue // no scope opens it
		}
		assert.True(t, strings.HasPrefix(r.Pattern, "/wiki/rest/api/"), name)
		assert.NotEmpty(t, r.Scopes, name)
		for _, set := range r.Scopes {
			assert.NotEmpty(t, set, name)
		}
	}
	assert.True(t, seen["DELETE /wiki/rest/api/space/{key}"], "it exists so that tests can prove that nobody calls it")
}

func TestTemplates(t *testing.T) {
	b := start(t, `{"kind":"template","id":"801","space":"ENG","name":"Postmortem","storage":"<p>What happened?</p>"}`+"\n"+
		`{"kind":"template","id":"802","name":"Minutes","storage":"<p>Who was there?</p>"}`)
	assert.Equal(t, ids("Postmortem"), b.ok("u-ann", "GET", "template/page?spaceKey=ENG&expand=body", "").column("name"))
	assert.Equal(t, ids("Minutes"), b.ok("u-ann", "GET", "template/page", "").column("name"))
	assert.Equal(t, "<p>What happened?</p>", b.ok("u-ann", "GET", "template/801", "").at("body", "storage", "value"))
	b.refused(http.StatusForbidden, "u-dan", "GET", "template/801", "")
	b.refused(http.StatusForbidden, "u-dan", "GET", "template/page?spaceKey=ENG", "")
	assert.Empty(t, b.ok("u-ann", "GET", "template/blueprint", "").column())
}
