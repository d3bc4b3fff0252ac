package retrieve_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
)

func TestACallerIsResolved(t *testing.T) {
	b := fresh(t)
	b.people(2, "bob", "ga")
	user := func(integration, account string) identity.Caller {
		return identity.Caller{Agent: "t", Kind: identity.User, Integration: integration, AccountID: account, Access: []string{"group-A"}}
	}
	for _, c := range []struct {
		name                 string
		in                   identity.Caller
		kind                 identity.Kind
		integration, account string
	}{
		{"by id", user("acme", "bob"), identity.User, "acme", "bob"},
		{"by username", user("acme", "BOB-login"), identity.User, "acme", "bob"},
		{"by e-mail", user("acme", "Bob@Acme.test"), identity.User, "acme", "bob"},
		{"integration by id", user("2", "bob"), identity.User, "beta", "bob"},
		{"unknown user", user("acme", "zzz"), identity.Nobody, "acme", ""},
		{"unknown integration", user("gamma", "bob"), identity.Nobody, "", ""},
		{"no integration where there are two", user("", "bob"), identity.Nobody, "", ""},
		{"user of the other integration", user("acme", "b2"), identity.Nobody, "acme", ""},
		{"nobody", identity.Public("t", "p", identity.HTTP), identity.Nobody, "", ""},
		{"service", identity.Caller{Kind: identity.Service, Integration: "1"}, identity.Service, "acme", ""},
	} {
		got, err := b.Resolve(b.ctx, c.in)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.kind, got.Kind, c.name)
		assert.Equal(t, c.integration, got.Integration, c.name)
		assert.Equal(t, c.account, got.AccountID, c.name)
		assert.Equal(t, c.in.Access, got.Access, "%s: attributes stay", c.name)
		again, err := b.Resolve(b.ctx, got)
		require.NoError(t, err)
		assert.Equal(t, got, again, "%s: resolved is resolved", c.name)
	}
	got, err := b.Resolve(b.ctx, identity.Caller{})
	require.NoError(t, err)
	assert.False(t, got.Known())
	_, err = b.Resolve(b.ctx, identity.Caller{Kind: identity.Service})
	assert.Equal(t, confluence.Denied, confluence.KindOf(err), "the account of which of the two?")
	named := identity.Public("t", "p", identity.HTTP)
	named.Access = []string{"beta:group-A", "2:group-A", "gamma:group-A", "user-1:2", "group-acme:x", ":group-A"}
	got, err = b.Resolve(b.ctx, named)
	require.NoError(t, err)
	assert.Equal(t, []string{"2:group-A", "2:group-A", "gamma:group-A", "user-1:2", "group-acme:x", ":group-A"}, got.Access)
	assert.Equal(t, "beta:group-A", named.Access[0], "what was sent stays as it was")

	b.sites = b.sites[:1]
	got, err = b.Resolve(b.ctx, user("", "bob"))
	require.NoError(t, err)
	assert.Equal(t, "bob", got.AccountID, "the only integration needs no name")
}

func TestMembershipsAreAtMostAQuarterOfAnHourOld(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, doc{id: "1", title: "T", storage: "<p>billing</p>", clause: onlyA(1)})
	q := retrieve.Question{Text: "billing"}
	assert.Len(t, b.ask(caller("ann"), q).Results, 1)
	assert.Empty(t, b.refreshed, "read a moment ago")

	b.now = noon().Add(16 * time.Minute)
	b.refresh = func(string) error { b.people(1, "ann", "gs"); return nil } // no longer in A
	assert.Empty(t, b.ask(caller("ann@acme.test"), q).Results)
	assert.Equal(t, []string{"ann"}, b.refreshed)
	assert.Empty(t, b.ask(caller("ann"), q).Results)
	assert.Len(t, b.refreshed, 1, "fresh again")

	b.refreshed, b.refresh = nil, func(string) error { return errors.New("503") }
	b.people(1, "ann", "gs", "ga")
	b.now = b.now.Add(16 * time.Minute)
	for range 5 {
		assert.Len(t, b.ask(caller("ann"), q).Results, 1, "the last good memberships stay")
	}
	assert.Len(t, b.refreshed, 1, "not asked again at every call")
	b.now = b.now.Add(2 * time.Minute)
	b.ask(caller("ann"), q)
	assert.Len(t, b.refreshed, 2)
	b.now = b.now.Add(8 * 24 * time.Hour)
	assert.Empty(t, b.ask(caller("ann"), q).Results, "they end")
}

func TestAUserWhoIsNewIsLookedForOnce(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, doc{id: "1", title: "T", storage: "<p>billing</p>", clause: free})
	q := retrieve.Question{Text: "billing"}
	for range 3 {
		assert.Empty(t, b.ask(caller("zoe"), q).Results)
	}
	assert.Equal(t, []string{"zoe"}, b.refreshed)
	b.now = b.now.Add(16 * time.Minute)
	b.refresh = func(string) error { b.people(1, "zoe", "gs"); return nil }
	assert.Len(t, b.ask(caller("zoe"), q).Results, 1)
}

func TestCallersShareOneQuestionForMemberships(t *testing.T) {
	b := fresh(t)
	b.sync(1, eng, staff, doc{id: "1", title: "T", storage: "<p>billing</p>", clause: onlyA(1)})
	b.now = noon().Add(time.Hour)
	var mu sync.Mutex
	n, gate := 0, make(chan struct{})
	b.refresh = func(string) error {
		mu.Lock()
		n++
		mu.Unlock()
		<-gate
		b.people(1, "ann", "gs")
		return nil
	}
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			started <- struct{}{}
			c, err := b.Resolve(b.ctx, caller("ann"))
			assert.NoError(t, err)
			assert.False(t, b.m.View(c).Sees(1), "nobody goes on with the old ones")
		})
	}
	for range 8 {
		<-started
	}
	close(gate)
	wg.Wait()
	assert.LessOrEqual(t, n, 2)
	assert.Equal(t, guard.Hidden, b.m.View(caller("ann")).Check(1))
}
