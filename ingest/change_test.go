package ingest_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Whatever changes in Confluence, the next pass, which is not a full one, makes
// the mirror agree with it.
func TestEveryKindOfChange(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	for _, u := range users {
		require.NoError(t, b.sync.Membership(t.Context(), u)) // as a server does when somebody asks
	}
	b.clean("at first")
	for _, c := range []struct {
		name   string
		lines  []string
		passes int // until everybody sees what the site shows
	}{
		{"a page is edited", []string{`{"kind":"content","id":"1001","version":4,"storage":"<p>New words.</p>"}`}, 1},
		{"a title changes", []string{`{"kind":"content","id":"1001","version":5,"title":"Run book"}`}, 1},
		{"an old version comes back", []string{`{"kind":"content","id":"1001","version":2,"storage":"<p>Old words.</p>"}`}, 1},
		{"a label, without a version", []string{`{"kind":"content","id":"1001","labels":["runbook","night"]}`}, 1},
		{"a file, without a version", []string{`{"kind":"content","id":"6009","type":"attachment","space":"ENG","parent":"1001","title":"new.txt","media_type":"text/plain","data":"eA=="}`}, 1},
		{"a file is gone", []string{`{"kind":"delete","id":"6002"}`}, 1},
		{"a new page below a restricted one", []string{`{"kind":"content","id":"1050","type":"page","space":"ENG","parent":"1002","title":"New below A","storage":"<p>x</p>"}`}, 1},
		{"a new blog post", []string{`{"kind":"content","id":"1101","type":"blogpost","space":"ENG","title":"News","storage":"<p>x</p>"}`}, 1},
		{"4: the child's list does not override", []string{`{"kind":"content","id":"1050","read":["group:B"]}`}, 1},
		{"10: the parent's clause is lifted", []string{`{"kind":"content","id":"1002","read":[]}`}, 1},
		{"a clause is set", []string{`{"kind":"content","id":"1001","read":["user:u-bob","user:u-bot"]}`}, 1},
		{"a clause names more", []string{`{"kind":"content","id":"1001","read":["user:u-bob","user:u-bot","group:A"]}`}, 1},
		{"11: a page moves below a restricted one", []string{`{"kind":"content","id":"1006","parent":"1001"}`}, 1},
		{"12: and back", []string{`{"kind":"content","id":"1006","parent":"1000"}`}, 1},
		{"a page moves among its siblings", []string{`{"kind":"content","id":"1006","parent":"1001"}`, `{"kind":"content","id":"1006","parent":"1000"}`}, 1},
		{"13: ann leaves A", []string{`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff"]}`}, 1},
		{"ann joins A and B", []string{`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff","A","B"]}`}, 1},
		{"14: staff loses the space", []string{`{"kind":"space","id":"100","grants":[{"to":"user:u-ann","op":"read"},{"to":"user:u-bot","op":"read"}]}`}, 1},
		{"staff gets it back", []string{`{"kind":"space","id":"100","grants":[{"to":"group:staff","op":"write"}]}`}, 1},
		{"35: all who have a licence", []string{`{"kind":"space","id":"200","grants":[{"to":"class:all-licensed-users","op":"read"}]}`}, 1},
		{"only roles", []string{`{"kind":"site","role_mode":"ROLES"}`}, 1},
		{"no roles", []string{`{"kind":"site","role_mode":"PRE_ROLES"}`}, 1},
		{"29: a group is renamed", []string{`{"kind":"group","id":"g-a","name":"A2"}`}, 1},
		{"17: the site is closed to the public", []string{`{"kind":"site","anonymous":false}`}, 1},
		{"a page goes to the trash", []string{`{"kind":"content","id":"1006","status":"trashed"}`}, 1},
		{"and comes back", []string{`{"kind":"content","id":"1006","status":"current"}`}, 1},
		{"a page is archived", []string{`{"kind":"content","id":"1006","status":"archived"}`}, 2},
		{"a page is purged", []string{`{"kind":"delete","id":"3001"}`}, 2},
		{"a page moves to another space", []string{`{"kind":"content","id":"1005","type":"page","space":"S2","parent":"3000","title":"Shared with bob","version":2,"storage":"<p>x</p>","read":["group:A2"]}`}, 2},
		{"a page moves into a folder", []string{`{"kind":"content","id":"1001","parent":"1010"}`}, 1},
		{"a page moves out of a folder", []string{`{"kind":"content","id":"1011","parent":"1000"}`}, 1},
		{"bob is deactivated", []string{`{"kind":"user","id":"u-bob","email":"bob@acme.test","token":"bob-token","active":false}`}, 1},
		{"and back", []string{`{"kind":"user","id":"u-bob","email":"bob@acme.test","token":"bob-token","active":true}`}, 1},
		{"A is deleted", []string{`{"kind":"delete","id":"g-a"}`}, 2},
		{"a space becomes personal", []string{`{"kind":"space","id":"300","type":"personal"}`}, 4},
		{"a space is archived", []string{`{"kind":"space","id":"200","status":"archived"}`}, 4},
	} {
		ok := t.Run(c.name, func(t *testing.T) {
			outer := b.t
			b.t = t
			defer func() { b.t = outer }()
			b.Apply(c.lines...)
			for range c.passes {
				b.pass(false)
				b.neverMore()
			}
			b.clean(c.name)
		})
		if !ok {
			break
		}
	}
}

// neverMore checks that nobody sees what the site does not show him.
func (b *box) neverMore() {
	b.t.Helper()
	for _, user := range users {
		truth := b.truth(user, false)
		for _, id := range b.seen(who(user)) {
			_, may := truth[id]
			assert.True(b.t, may, "%s is shown %s", user, id)
		}
	}
}

func TestAnIncrementalPassFetchesOnlyWhatChanged(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	r := b.pass(false)
	assert.Zero(t, r.Read)
	assert.Zero(t, r.Changed)
	b.Apply(`{"kind":"content","id":"1001","version":4,"storage":"<p>New words.</p>"}`)
	r = b.pass(false)
	assert.Equal(t, 1, r.Read)
	assert.Equal(t, 1, r.Changed)
	r = b.pass(true)
	assert.Equal(t, 12, r.Read, "every body again")
	assert.Zero(t, r.Changed)
}

// Every pass, also one that is not full, reads own clauses of every node and the
// grants of every space before it publishes anything.
func TestEveryPassReadsRightsAgain(t *testing.T) {
	var each []string
	for _, id := range []string{"1000", "1001", "1002", "1011", "1100", "2000", "3002"} {
		each = append(each, "/wiki/rest/api/content/"+id+"/restriction")
	}
	for name, c := range map[string]struct {
		legacy string
		clause []string
	}{
		"many at once":                   {`{"kind":"legacy_v1","status":0}`, []string{"/wiki/rest/api/content"}},
		"the operation has left the API": {`{"kind":"legacy_v1","status":410}`, each},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, nil)
			b.Apply(c.legacy)
			for i := range 3 {
				before := len(b.Requests(0))
				b.pass(i == 0)
				asked := b.asked(before)
				for _, path := range c.clause {
					assert.Contains(t, asked, path)
				}
				for _, space := range []string{"100", "200", "300"} {
					assert.Contains(t, asked, "/wiki/api/v2/spaces/"+space+"/permissions")
					assert.Contains(t, asked, "/wiki/api/v2/spaces/"+space+"/role-assignments")
				}
			}
			b.clean()
		})
	}
}

// asked is what was asked since, without queries. Only whether the site is open
// is asked as nobody.
func (b *box) asked(since int) map[string]bool {
	b.t.Helper()
	out := map[string]bool{}
	for _, r := range b.Requests(since) {
		path, _, _ := strings.Cut(r.Path, "?")
		out[path] = true
		if r.User != "u-bot" {
			assert.Equal(b.t, "/wiki/api/v2/spaces?description-format=plain&limit=1", r.Path)
		}
	}
	return out
}

// What rights would be shown by changes nothing where they are not synced: not in a
// full pass, and not when it was read long ago.
func TestRightsThatAreNotSynced(t *testing.T) {
	for name, opaque := range map[string]guard.OpaquePolicy{"seal": guard.SealOpaque, "trust": guard.TrustOpaque, "verify": guard.VerifyOpaque} {
		for _, mode := range []guard.Mode{guard.OwnerOnly, guard.Public} {
			t.Run(line("%s, %d", name, mode), func(t *testing.T) {
				b := newBox(t, nil, func(c *ingest.Config, _ *rest.Config) {
					c.Integration.Mode, c.Integration.Opaque, c.HonourSuperGroup = mode, opaque, true
				})
				b.pass(false)
				b.pass(true)
				b.clock.add(1000 * time.Hour) // longer than aclHardMaxAge
				assert.Len(t, b.seen(who("u-bot")), 13)
				for _, c := range []identity.Caller{who("u-ann"), public()} {
					assert.Len(t, b.seen(c), map[guard.Mode]int{guard.Public: 13}[mode], "the connecting account alone, or everybody")
				}
				for _, r := range b.Requests(0) {
					assert.NotContains(t, r.Path, "restriction?")
					assert.NotContains(t, r.Path, "permission")
					assert.NotContains(t, r.Path, "/group")
				}
			})
		}
	}
}

func TestMembershipsOfACallerAreFresh(t *testing.T) {
	b := newBox(t, nil)
	b.pass(true)
	require.True(t, b.sees("u-ann", "1002"))
	b.Apply(`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff"]}`)
	before := len(b.Requests(0))
	require.NoError(t, b.sync.Membership(t.Context(), "u-ann"))
	assert.Len(t, b.Requests(0), before, "read less than 15 minutes ago")
	b.clock.add(16 * time.Minute)
	require.NoError(t, b.sync.Membership(t.Context(), "u-ann"))
	assert.False(t, b.sees("u-ann", "1002"))
	require.NoError(t, b.sync.Membership(t.Context(), "zzz"), "nobody Confluence knows")
	before = len(b.Requests(0))
	require.NoError(t, b.sync.Membership(t.Context(), "zzz"))
	assert.Len(t, b.Requests(0), before, "who is asked about once")
	require.NoError(t, b.sync.Membership(t.Context(), "not an account; at all"))
	require.NoError(t, b.sync.Membership(t.Context(), "u-eve"))
	p, err := b.Writer().Person(t.Context(), 1, "u-eve")
	require.NoError(t, err)
	assert.False(t, p.Active)
	b.Apply(`{"kind":"fault","match":"GET /wiki/rest/api/user/memberof*","action":{"status":500}}`)
	b.clock.add(16 * time.Minute)
	require.Error(t, b.sync.Membership(t.Context(), "u-ann"))
	assert.True(t, b.sees("u-ann", "1001"), "the last good memberships stay")
	_, err = b.Mirror.Page(t.Context(), who("u-eve"), mirror.Ref{ID: "1001"})
	require.Error(t, err)
}

// Groups that were read before somebody lost one, and come after the reading that
// tells it, do not give it back.
func TestALateAnswerGivesNoGroupBack(t *testing.T) {
	b, p := proxied(t)
	b.pass(true)
	require.NoError(t, b.sync.Membership(t.Context(), "u-ann"))
	require.True(t, b.sees("u-ann", "1002"))
	b.clock.add(16 * time.Minute)
	read, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	p.script(nil, func(_ int, r *http.Request, body []byte) []byte {
		if strings.HasSuffix(r.URL.Path, "/user/memberof") && held.CompareAndSwap(false, true) {
			close(read)
			<-release
		}
		return body
	})
	late := make(chan error, 1)
	go func() { late <- b.sync.Membership(t.Context(), "u-ann") }()
	<-read
	b.Apply(`{"kind":"user","id":"u-ann","email":"ann@acme.test","token":"ann-token","groups":["staff"]}`)
	b.pass(false)
	require.False(t, b.sees("u-ann", "1002"))
	close(release)
	require.NoError(t, <-late)
	assert.False(t, b.sees("u-ann", "1002"))
	assert.True(t, b.sees("u-ann", "1001"))
}
