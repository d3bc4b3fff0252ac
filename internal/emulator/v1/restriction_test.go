package v1_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRestrictionsShowBothOperations(t *testing.T) {
	b := start(t)
	a := b.ok("u-ann", "GET", "content/1005/restriction?expand=restrictions.user,restrictions.group", "")
	assert.Equal(t, ids("read", "update"), a.column("operation"))
	assert.Equal(t, "u-bob", a.at("results", 0, "restrictions", "user", "results", 0, "accountId"))
	assert.Equal(t, "g-a", a.at("results", 0, "restrictions", "group", "results", 0, "id"))
	assert.EqualValues(t, 0, a.at("results", 1, "restrictions", "group", "size"))
	open := b.ok("u-ann", "GET", "content/1001/restriction", "")
	assert.EqualValues(t, 0, open.at("results", 0, "restrictions", "user", "size"))
	assert.NotEqual(t, a.at("restrictionsHash"), open.at("restrictionsHash"))

	byOp := b.ok("u-ann", "GET", "content/1005/restriction/byOperation", "")
	assert.Equal(t, "u-bob", byOp.at("read", "restrictions", "user", "results", 0, "accountId"))
	assert.Equal(t, "update", byOp.at("update", "operation"))
	one := b.ok("u-ann", "GET", "content/1005/restriction/byOperation/read", "")
	assert.Equal(t, "A", one.at("restrictions", "group", "results", 0, "name"))
	b.refused(http.StatusNotFound, "u-dan", "GET", "content/1001/restriction", "")
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1002/restriction", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", "content/999/restriction", "")
}

func TestSubjectsOfARestrictionArePaged(t *testing.T) {
	b := start(t, `{"kind":"content","id":"1300","type":"page","space":"ENG","parent":"1000","title":"Many","read":["user:u-ann","user:u-bob","user:u-cid","user:u-gone","group:lost"]}`)
	a := b.ok("u-ann", "GET", "content/1300/restriction/byOperation/read?expand=restrictions.user&limit=3", "")
	assert.Len(t, at(a.body, "restrictions", "user", "results"), 3)
	rest := b.ok("u-ann", "GET", at(a.body, "restrictions", "user", "_links", "next").(string), "")
	assert.Equal(t, "u-gone", rest.at("restrictions", "user", "results", 0, "accountId"))
	assert.Equal(t, "unknown", rest.at("restrictions", "user", "results", 0, "type"))
	all := b.ok("u-ann", "GET", "content/1300/restriction", "")
	assert.Equal(t, "lost", all.at("results", 0, "restrictions", "group", "results", 0, "name"), "an unknown group still restricts")
}

func TestMembershipStatusIsAnAnswer(t *testing.T) {
	b := start(t)
	const read = "content/1005/restriction/byOperation/read"
	b.ok("u-ann", "GET", read+"/user?accountId=u-bob", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", read+"/user?accountId=u-cid", "") // by group only
	b.ok("u-ann", "GET", read+"/byGroupId/g-a", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", read+"/byGroupId/g-b", "")

	b.ok("u-ann", "PUT", read+"/user?accountId=u-cid", "")
	b.ok("u-ann", "GET", read+"/user?accountId=u-cid", "")
	b.ok("u-ann", "PUT", read+"/byGroupId/g-b", "")
	b.ok("u-ann", "DELETE", read+"/byGroupId/g-b", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", read+"/byGroupId/g-b", "")
	b.ok("u-ann", "DELETE", read+"/user?accountId=u-bob", "")
	b.refused(http.StatusNotFound, "u-bob", "GET", "content/1005", "")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "content/1005/restriction/byOperation/wipe", "")
}

func TestRestrictionsTakeEffectAtOnceAndOnEverythingBelow(t *testing.T) {
	b := start(t)
	b.ok("u-bob", "GET", "content/1011", "")
	b.ok("u-ann", "PUT", "content/1000/restriction", `[{"operation":"read","restrictions":{"group":[{"type":"group","id":"g-a"}]}}]`)
	for _, path := range []string{"content/1000", "content/1011", "content/1001/child/attachment/att6002/download", "content/5001"} {
		b.refused(http.StatusNotFound, "u-bob", "GET", path, "")
	}
	assert.Empty(t, b.ok("u-bob", "GET", found("space = ENG and type != blogpost"), "").column())
	b.ok("u-ann", "GET", "content/1000", "")
	b.ok("u-ann", "POST", "content/1000/restriction", `{"results":[{"operation":"read","restrictions":{"user":{"results":[{"type":"known","accountId":"u-bob"}]}}}]}`)
	b.ok("u-bob", "GET", "content/1011", "")
	b.ok("u-ann", "DELETE", "content/1000/restriction", "")
	b.ok("u-hal", "GET", "content/1011", "")
}

func TestBadRestrictionsChangeNothing(t *testing.T) {
	b := start(t)
	before := b.ok("u-ann", "GET", "content/1000/restriction", "").at("restrictionsHash")
	for _, body := range []string{`{`, `"x"`, `[{"operation":"wipe","restrictions":{}}]`, `[{"operation":"read","restrictions":{"group":[{"name":"nope"}]}}]`,
		`[{"operation":"read","restrictions":{"user":[{"accountId":"u-bob"}]}}]`} { // the last locks its author out
		b.refused(http.StatusBadRequest, "u-ann", "PUT", "content/1000/restriction", body)
	}
	b.refused(http.StatusForbidden, "u-bob", "DELETE", "content/1006/restriction", "")
	assert.Equal(t, before, b.ok("u-ann", "GET", "content/1000/restriction", "").at("restrictionsHash"))
}

func TestPermissionCheck(t *testing.T) {
	b := start(t)
	ask := func(kind, who, op string) string {
		return `{"subject":{"type":"` + kind + `","identifier":"` + who + `"},"operation":"` + op + `"}`
	}
	for _, c := range []struct {
		page, kind, who, op string
		want                bool
	}{
		{"1003", "user", "u-cid", "read", true},
		{"1003", "user", "u-ann", "read", false}, // not in B
		{"1003", "user", "u-bob", "read", false}, // not in A, above
		{"1004", "user", "u-bob", "read", false},
		{"1001", "user", "u-dan", "read", false}, // no space right
		{"1001", "user", "u-eve", "read", false}, // deactivated
		{"1006", "user", "u-bob", "update", false},
		{"1006", "user", "u-ann", "update", true},
		{"1006", "user", "u-ann", "delete", true},
		{"1001", "group", "g-staff", "read", true},
		{"1001", "group", "g-a", "read", false},
		{"2001", "group", "g-hr", "read", false},
		{"1001", "user", "anonymous", "read", false},
		{"3000", "user", "anonymous", "read", true},
	} {
		a := b.ok("u-ops", "POST", "content/"+c.page+"/permission/check", ask(c.kind, c.who, c.op))
		assert.Equal(t, c.want, a.at("hasPermission"), "%+v", c)
	}
	assert.Equal(t, true, b.ok("u-bob", "POST", "content/1001/permission/check", ask("user", "u-bob", "read")).at("hasPermission"))
	b.refused(http.StatusForbidden, "u-bob", "POST", "content/1001/permission/check", ask("user", "u-ann", "read"))
	b.refused(http.StatusForbidden, "u-bob", "POST", "content/1001/permission/check", ask("group", "g-a", "read"))
	b.refused(http.StatusNotFound, "u-bob", "POST", "content/1002/permission/check", ask("user", "u-bob", "read"))
	b.refused(http.StatusNotFound, "u-ops", "POST", "content/1001/permission/check", ask("user", "u-x", "read"))
	b.refused(http.StatusBadRequest, "u-bob", "POST", "content/1001/permission/check", ask("user", "u-bob", "own"))
	b.refused(http.StatusBadRequest, "u-ops", "POST", "content/1001/permission/check", ask("robot", "u-bob", "read"))
}
