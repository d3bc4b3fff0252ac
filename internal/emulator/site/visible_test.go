package site_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/emulator/site"
)

func clock() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

// load makes a site of lines.
func load(t require.TestingT, lines ...string) *site.Site {
	s := site.New(site.Config{Now: clock})
	require.NoError(t, s.Load(strings.NewReader(strings.Join(lines, "\n"))))
	return s
}

func apply(t *testing.T, s *site.Site, lines ...string) {
	t.Helper()
	for _, line := range lines {
		require.NoError(t, s.Apply([]byte(line)), line)
	}
}

func sees(s *site.Site, user, id string) (ok bool) {
	s.Read(user, func(v *site.View) { _, ok = v.Content(id) })
	return ok
}

// people is who the acceptance cases talk of. fay is in A only through A1.
func people() []string {
	return []string{
		`{"kind":"user","id":"ann","username":"ann","groups":["staff","A"],"token":"ann-token","email":"ann@acme.test"}`,
		`{"kind":"user","id":"bob","groups":["staff","B"]}`,
		`{"kind":"user","id":"cid","groups":["staff","A","B"]}`,
		`{"kind":"user","id":"dan","groups":["A"]}`,
		`{"kind":"user","id":"eve","groups":["staff"],"active":false,"token":"eve-token"}`,
		`{"kind":"user","id":"fay","groups":["staff","A1"]}`,
		`{"kind":"user","id":"gus","account":"guest"}`,
		`{"kind":"user","id":"pat","admin":true,"groups":["staff"]}`,
		`{"kind":"group","id":"g-A1","name":"A1","parent":"A"}`,
		`{"kind":"group","id":"g-A","name":"A"}`,
		`{"kind":"space","id":"1","key":"S","grants":[{"to":"group:staff","op":"read"},{"to":"group:A","op":"write"}]}`,
		`{"kind":"space","id":"2","key":"S2","grants":[{"to":"anonymous","op":"read"}]}`,
		`{"kind":"space","id":"3","key":"S3","grants":[{"to":"class:all-licensed-users","op":"read"}]}`,
		`{"kind":"space","id":"4","key":"S4","grants":[{"to":"user:ann","op":"write"}]}`,
		`{"kind":"space","id":"5","key":"S5","grants":[]}`,
	}
}

func TestVisibility(t *testing.T) {
	const p = `{"kind":"content","id":"1","space":"S","title":"P"%s}`
	const c = `{"kind":"content","id":"2","space":"S","parent":"1","title":"C"%s}`
	const g = `{"kind":"content","id":"3","space":"S","parent":"2","title":"G"%s}`
	open := `{"kind":"site","anonymous":true}`
	read := func(line, who string) string { return fmt.Sprintf(line, `,"read":[`+who+`]`) }
	plain := func(line string) string { return fmt.Sprintf(line, "") }
	for _, tc := range []struct {
		name   string
		lines  []string
		id     string
		yes    string // users who see it, "-" is anonymous
		no     string
		change string
	}{
		{name: "space view is enough without restrictions", lines: []string{plain(p)}, id: "1", yes: "ann bob cid fay pat dan", no: "eve gus - zzz"},
		{name: "a clause narrows", lines: []string{read(p, `"group:A"`)}, id: "1", yes: "ann cid fay dan", no: "bob pat eve -"},
		{name: "the child's list does not override the parent's", lines: []string{read(p, `"group:A"`), read(c, `"group:B"`)}, id: "2", yes: "cid", no: "ann bob"},
		{name: "a clause two levels up holds", lines: []string{read(p, `"group:A"`), plain(c), read(g, `"user:bob"`)}, id: "3", no: "bob ann cid"},
		{name: "group above and user below name the same person", lines: []string{read(p, `"group:A"`), read(c, `"user:ann"`)}, id: "2", yes: "ann", no: "cid bob"},
		{name: "inside a clause one match is enough", lines: []string{read(p, `"group:A","user:bob"`)}, id: "1", yes: "ann bob", no: "pat"},
		{name: "moved below a restriction", lines: []string{read(p, `"group:A"`), `{"kind":"content","id":"2","space":"S","title":"C"}`},
			change: plain(c), id: "2", yes: "ann", no: "bob"},
		{name: "a lifted clause", lines: []string{read(p, `"group:A"`), plain(c)}, change: plain(p), id: "2", yes: "ann bob"},
		{name: "left the group", lines: []string{read(p, `"group:A"`)}, change: `{"kind":"user","id":"ann","username":"ann","groups":["staff"]}`, id: "1", yes: "cid", no: "ann"},
		{name: "space view lost", lines: []string{plain(p)}, change: `{"kind":"space","id":"1","key":"S","grants":[]}`, id: "1", no: "ann bob cid pat"},
		{name: "anonymous space on an open site", lines: []string{open, `{"kind":"content","id":"9","space":"S2","title":"X"}`}, id: "9", yes: "- ann dan gus", no: "eve"},
		{name: "anonymous opens the space but not the clause", lines: []string{open, `{"kind":"content","id":"9","space":"S2","title":"X","read":["group:A"]}`},
			id: "9", yes: "ann dan", no: "- bob"},
		{name: "anonymous needs the site too", lines: []string{`{"kind":"content","id":"9","space":"S2","title":"X"}`}, id: "9", yes: "ann", no: "-"},
		{name: "an attachment shares its page's answer", lines: []string{read(p, `"group:A"`), plain(c), `{"kind":"content","id":"7","type":"attachment","parent":"2","title":"f"}`},
			id: "att7", yes: "ann", no: "bob"},
		{name: "a reply shares its page's answer", lines: []string{read(p, `"group:A"`), `{"kind":"content","id":"6","type":"comment","parent":"1"}`,
			`{"kind":"content","id":"7","type":"comment","parent":"6"}`}, id: "7", yes: "ann", no: "bob"},
		{name: "an update restriction hides nothing", lines: []string{fmt.Sprintf(p, `,"update":["group:A"]`)}, id: "1", yes: "bob"},
		{name: "an empty list restricts nothing", lines: []string{fmt.Sprintf(p, `,"read":[]`)}, id: "1", yes: "bob"},
		{name: "unknown subjects restrict", lines: []string{read(p, `"user:nobody"`)}, id: "1", no: "ann pat"},
		{name: "a renamed group is the same group", lines: []string{read(p, `"group:A"`)}, change: `{"kind":"group","id":"g-A","name":"A2"}`, id: "1", yes: "ann", no: "bob"},
		{name: "a deleted group admits nobody", lines: []string{read(p, `"group:A"`)}, change: `{"kind":"delete","id":"g-A"}`, id: "1", no: "ann"},
		{name: "folders restrict what is in them", lines: []string{plain(p), `{"kind":"content","id":"8","type":"folder","space":"S","parent":"1","title":"F","read":["user:ann"]}`,
			`{"kind":"content","id":"9","space":"S","parent":"8","title":"in F"}`}, id: "9", yes: "ann", no: "bob"},
		{name: "licensed users are no guests", lines: []string{`{"kind":"content","id":"9","space":"S3","title":"X"}`}, id: "9", yes: "ann dan", no: "gus eve -"},
		{name: "a space without grants", lines: []string{`{"kind":"content","id":"9","space":"S5","title":"X"}`}, id: "9", no: "ann pat -"},
		{name: "a draft is its author's", lines: []string{plain(p), `{"kind":"content","id":"9","space":"S","parent":"1","title":"D","status":"draft","author":"ann"}`}, id: "9", yes: "ann", no: "bob cid pat"},
		{name: "below a draft is hidden with it", lines: []string{`{"kind":"content","id":"8","space":"S","title":"D","status":"draft","author":"ann"}`,
			`{"kind":"content","id":"9","space":"S","parent":"8","title":"X"}`}, id: "9", yes: "ann", no: "bob"},
		{name: "trash keeps its restriction", lines: []string{read(p, `"group:A"`), fmt.Sprintf(c, `,"status":"trashed"`)}, id: "2", yes: "ann", no: "bob"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := load(t, append(people(), tc.lines...)...)
			if tc.change != "" {
				apply(t, s, tc.change)
			}
			for _, who := range strings.Fields(tc.yes) {
				assert.True(t, sees(s, strings.Trim(who, "-"), tc.id), "%s should see %s", who, tc.id)
			}
			for _, who := range strings.Fields(tc.no) {
				assert.False(t, sees(s, strings.Trim(who, "-"), tc.id), "%s should not see %s", who, tc.id)
			}
		})
	}
}

func TestRightsToEdit(t *testing.T) {
	s := load(t, append(people(),
		`{"kind":"content","id":"1","space":"S","title":"P","author":"bob"}`,
		`{"kind":"content","id":"2","space":"S","parent":"1","title":"C","update":["user:cid"]}`,
		`{"kind":"content","id":"3","space":"S","parent":"2","title":"G"}`,
		`{"kind":"content","id":"4","space":"S","parent":"1","title":"R","read":["user:bob"],"update":["user:ann"]}`,
	)...)
	for _, tc := range []struct {
		user, id string
		may      bool
		why      string
	}{
		{"ann", "1", true, "write grant"},
		{"bob", "1", false, "read grant only, author or not"},
		{"ann", "2", false, "not named for update"},
		{"cid", "2", true, "named for update"},
		{"ann", "3", true, "update restrictions are not inherited"},
		{"ann", "4", false, "named for update but does not see it"},
	} {
		s.Read(tc.user, func(v *site.View) {
			c, ok := v.Content(tc.id)
			assert.Equal(t, tc.may, ok && v.MayEdit(c), "%s on %s: %s", tc.user, tc.id, tc.why)
		})
	}
}

func TestAuthenticate(t *testing.T) {
	s := load(t, people()...)
	for _, tc := range []struct {
		login, token, want string
	}{
		{"ann@acme.test", "ann-token", "ann"}, {"ann", "ann-token", "ann"}, {"", "ann-token", "ann"},
		{"bob", "ann-token", ""}, {"", "eve-token", ""}, {"", "", ""}, {"ann", "wrong", ""}, {"bob", "", ""},
	} {
		u, ok := s.Authenticate(tc.login, tc.token)
		assert.Equal(t, tc.want != "", ok, "%v", tc)
		if ok {
			assert.Equal(t, tc.want, u.ID)
		}
	}
}

// TestTokensFollowTheirOwners changes who has which token in a running site.
func TestTokensFollowTheirOwners(t *testing.T) {
	s := load(t, people()...)
	apply := func(line string) { require.NoError(t, s.Apply([]byte(line))) }
	owner := func(login, token string) string {
		u, ok := s.Authenticate(login, token)
		if !ok {
			return ""
		}
		return u.ID
	}
	apply(`{"kind":"user","id":"ann","token":"new-token"}`)
	assert.Empty(t, owner("", "ann-token"), "the old token is dead")
	assert.Equal(t, "ann", owner("ann", "new-token"))
	apply(`{"kind":"user","id":"bob","token":"new-token"}`)
	assert.Equal(t, "ann", owner("ann", "new-token"), "two may have the same token: the login decides")
	assert.Equal(t, "bob", owner("bob", "new-token"))
	apply(`{"kind":"group","id":"g-x","name":"X"}`)
	apply(`{"kind":"group","id":"g-x","name":"Y"}`)
	assert.Equal(t, "bob", owner("bob", "new-token"), "a group has another name")
	apply(`{"kind":"delete","id":"bob"}`)
	assert.Empty(t, owner("bob", "new-token"))
	assert.Equal(t, "ann", owner("ann", "new-token"))
}

// node is a content of a random tree and what the formula needs of it.
type node struct {
	parent int // -1 is none
	space  int
	read   []string
}

func TestVisibilityIsTheFormula(t *testing.T) {
	users := []string{"u0", "u1", "u2"}
	groups := []string{"g0", "g1"}
	rapid.Check(t, func(t *rapid.T) {
		member := map[string][]string{}
		lines := []string{}
		for _, u := range users {
			member[u] = rapid.SliceOfNDistinct(rapid.SampledFrom(groups), 0, 2, rapid.ID).Draw(t, "groups of "+u)
			lines = append(lines, fmt.Sprintf(`{"kind":"user","id":%q,"groups":[%s]}`, u, quoted(member[u])))
		}
		subject := rapid.SampledFrom([]string{"user:u0", "user:u1", "user:gone", "group:g0", "group:g1"})
		grants := [][]string{}
		for i := range 2 {
			to := rapid.SliceOfNDistinct(subject, 0, 2, rapid.ID).Draw(t, "grants")
			grants = append(grants, to)
			rows := []string{}
			for _, who := range to {
				rows = append(rows, fmt.Sprintf(`{"to":%q,"op":"read"}`, who))
			}
			lines = append(lines, fmt.Sprintf(`{"kind":"space","id":"%d","key":"K%d","grants":[%s]}`, i, i, strings.Join(rows, ",")))
		}
		nodes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) node {
			return node{rapid.IntRange(-1, 8).Draw(t, "parent"), rapid.IntRange(0, 1).Draw(t, "space"),
				rapid.SliceOfNDistinct(subject, 0, 2, rapid.ID).Draw(t, "read")}
		}), 1, 9).Draw(t, "nodes")
		for i := range nodes {
			lines = append(lines, nodes[i].line(i, nodes))
		}
		s := load(t, lines...)
		for _, u := range append(users, "", "gone") {
			for i := range nodes {
				assert.Equal(t, formula(u, i, nodes, grants, member), sees(s, u, fmt.Sprint(100+i)), "user %q node %d", u, i)
			}
		}
	})
}

// line gives node i a parent before it and that parent's space.
func (n *node) line(i int, nodes []node) string {
	parent := "null"
	if n.parent >= i {
		n.parent = -1
	}
	nodes[i].parent = n.parent
	if n.parent >= 0 {
		n.space = nodes[n.parent].space
		parent = fmt.Sprintf("%q", fmt.Sprint(100+n.parent))
	}
	return fmt.Sprintf(`{"kind":"content","id":"%d","space":"K%d","title":"t%d","parent":%s,"read":[%s]}`, 100+i, n.space, i, parent, quoted(n.read))
}

func quoted(list []string) string {
	out := []string{}
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q", s))
	}
	return strings.Join(out, ",")
}

// formula is the rule as one reads it, without any of the site's shortcuts.
func formula(user string, i int, nodes []node, grants [][]string, member map[string][]string) bool {
	principals := map[string]bool{}
	if groups, ok := member[user]; ok {
		principals["user:"+user] = true
		for _, g := range groups {
			principals["group:"+g] = true
		}
	}
	anyOf := func(list []string) bool {
		for _, who := range list {
			if principals[who] {
				return true
			}
		}
		return false
	}
	if !anyOf(grants[nodes[i].space]) {
		return false
	}
	for ; i >= 0; i = nodes[i].parent {
		if len(nodes[i].read) > 0 && !anyOf(nodes[i].read) {
			return false
		}
	}
	return true
}
