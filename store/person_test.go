package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store"
)

// TestB10_AReassignedAddressBringsNoAccount: neither a new person with the old
// address, nor the old person with another's, gets an account.
func TestB10_AReassignedAddressBringsNoAccount(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	ann := store.Person{Authority: "https://id.example", Subject: "s-ann", Integration: "acme", AccountID: "u-ann", Email: "ann@acme.test"}
	for range 2 {
		require.NoError(t, p.KeepPerson(ctx, ann))
	}
	with := func(change func(*store.Person)) store.Person {
		who := ann
		change(&who)
		return who
	}
	for name, who := range map[string]store.Person{
		"the address went to a new person":  with(func(w *store.Person) { w.Subject = "s-new" }),
		"the address went to a new account": with(func(w *store.Person) { w.AccountID = "u-new" }),
		"the person took another's address": with(func(w *store.Person) { w.AccountID, w.Email = "u-bob", "bob@acme.test" }),
	} {
		assert.Equal(t, confluence.Conflict, confluence.KindOf(p.KeepPerson(ctx, who)), name)
	}
	for name, who := range map[string]store.Person{
		"another issuer":      with(func(w *store.Person) { w.Authority = "https://two.example" }),
		"another integration": with(func(w *store.Person) { w.Integration = "other" }),
		"a new address":       with(func(w *store.Person) { w.Email = "ann.arbor@acme.test" }),
	} {
		assert.NoError(t, p.KeepPerson(ctx, who), name)
	}
	people, err := p.People(ctx)
	require.NoError(t, err)
	require.Len(t, people, 3)
	assert.Equal(t, with(func(w *store.Person) { w.Since = clock() }), people[0])

	require.NoError(t, p.ForgetPerson(ctx, "ann@acme.test"))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(p.ForgetPerson(ctx, "ann@acme.test")))
	assert.NoError(t, p.KeepPerson(ctx, with(func(w *store.Person) { w.Subject = "s-new" })), "an admin has let go of it")
}

func TestAgentsAreHeard(t *testing.T) {
	now := clock()
	p, err := store.OpenPrecious(t.Context(), t.TempDir(), func() time.Time { return now })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	ctx := context.Background()
	require.NoError(t, p.TouchAgent(ctx, "key", "helpdesk"))
	now = now.Add(time.Hour)
	require.NoError(t, p.TouchAgent(ctx, "key", "helpdesk"))
	require.NoError(t, p.TouchAgent(ctx, "https://id.example", "helpdesk"))
	heard, err := p.AgentsHeard(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[[2]string]time.Time{{"key", "helpdesk"}: now, {"https://id.example", "helpdesk"}: now}, heard)
}

func TestAgentsKeepTheirRate(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	key, err := p.AddAgent(ctx, store.Agent{Name: "slow", Profile: "read-only", Owner: "slow", Rate: 0.5, Burst: 3})
	require.NoError(t, err)
	a, err := p.AgentByKey(ctx, key.Reveal())
	require.NoError(t, err)
	assert.InDelta(t, 0.5, a.Rate, 0)
	assert.Equal(t, 3, a.Burst)
	for _, bad := range []store.Agent{{Rate: -1}, {Burst: -1}, {Burst: 3}, {Rate: 1e6}} {
		bad.Name, bad.Profile = "bad", "read-only"
		_, err := p.AddAgent(ctx, bad)
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
	}
}
