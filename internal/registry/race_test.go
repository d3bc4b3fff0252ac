package registry_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/registry"
	"confluence-mcp/internal/seal"
)

// slow is a set whose look at rights lasts until it is told to end.
type slow struct {
	*running
	begun chan struct{} // one for each look
	end   chan error
}

func newSlow() slow {
	return slow{running: &running{specs: map[int64]connections.Spec{}}, begun: make(chan struct{}, 9), end: make(chan error)}
}

func (s slow) Put(ctx context.Context, spec connections.Spec) error {
	if spec.Grant != nil {
		s.specs[spec.ID] = spec
		return nil
	}
	return s.running.Put(ctx, spec)
}

func (s slow) TestRights(ctx context.Context, _ connections.Spec) error {
	s.begun <- struct{}{}
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// racing is a registry beside a slow set, with two integrations that have tokens
// and one that is connected by whatever grant is said.
type racing struct {
	*registry.Registry
	rig   rig
	slow  slow
	grant *connections.Grant
	ctx   context.Context
	id    int64 // of the one without a token
}

// access is the tokens of a grant.
type access struct{}

func (access) Token(context.Context) (seal.Secret, error) { return seal.NewSecret("x"), nil }

func (access) Renew(context.Context, seal.Secret) (seal.Secret, error) {
	return seal.NewSecret("y"), nil
}

func consent(id int64, site string) *connections.Grant {
	origin := "https://" + site + ".atlassian.net"
	return &connections.Grant{ID: id, CloudID: site, SiteURL: origin, BaseURL: origin + "/wiki", Tokens: access{}}
}

func race(t *testing.T) *racing {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // what waits for the lock fails instead of hanging
	t.Cleanup(cancel)
	r := &racing{rig: open(t, t.TempDir()), slow: newSlow(), ctx: ctx}
	cfg := r.rig.config(r.slow)
	cfg.Grant = func(context.Context, int64) (*connections.Grant, error) { return r.grant, nil }
	var err error
	r.Registry, err = registry.Open(ctx, cfg)
	require.NoError(t, err)
	for _, name := range []string{"acme", "other"} {
		_, err = r.Add(ctx, name, acme())
		require.NoError(t, err)
	}
	linked := acme()
	linked.Token, linked.Username = nil, nil
	made, err := r.Add(ctx, "linked", linked)
	require.NoError(t, err)
	r.id = made.ID
	return r
}

// beginning starts something that looks at rights, and gives how it ends.
func (r *racing) beginning(t *testing.T, work func() error) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case <-r.slow.begun:
	case err := <-done:
		require.FailNow(t, "rights were not looked at", "%v", err)
	case <-r.ctx.Done():
		require.FailNow(t, "rights were not looked at in time")
	}
	return done
}

func (r *racing) switchOn(name string) func() error {
	return func() error {
		_, err := r.Change(r.ctx, name, registry.Settings{EnableAccessRightsSync: ptr(true)})
		return err
	}
}

// stored is what is kept of all integrations.
func (r *racing) stored(t *testing.T) map[string]string {
	t.Helper()
	all, err := r.rig.precious.Integrations(r.ctx)
	require.NoError(t, err)
	out := map[string]string{}
	for _, k := range all {
		out[k.Name] = string(k.Settings) + string(k.Token)
	}
	return out
}

// While Confluence is asked for one integration, all others are looked at, made,
// changed and removed, and it is looked at itself.
func TestNobodyWaitsWhileRightsAreTested(t *testing.T) {
	r := race(t)
	done := r.beginning(t, r.switchOn("acme"))
	assert.Len(t, r.List(), 3)
	still, err := r.Find("acme")
	require.NoError(t, err)
	assert.False(t, still.Values.EnableAccessRightsSync)
	_, err = r.Change(r.ctx, "other", registry.Settings{Space: ptr("ENG")})
	require.NoError(t, err)
	_, err = r.Add(r.ctx, "third", acme())
	require.NoError(t, err)
	require.NoError(t, r.Remove(r.ctx, "third"))
	require.NoError(t, r.Granted(r.ctx, r.id, true))
	assert.Empty(t, done, "it still asks")
	r.slow.end <- nil
	require.NoError(t, <-done)
	now, err := r.Find("acme")
	require.NoError(t, err)
	assert.True(t, now.Values.EnableAccessRightsSync)
	assert.True(t, r.slow.specs[now.ID].Rights)
	assert.Contains(t, r.stored(t)["acme"], `"enableAccessRightsSync":true`)
}

// What was tested is not kept when it is not what is there any more.
func TestARacedChangeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		of        string
		meanwhile func(t *testing.T, r *racing)
	}{
		"changed": {"acme", func(t *testing.T, r *racing) {
			_, err := r.Change(r.ctx, "acme", registry.Settings{Space: ptr("ENG")})
			require.NoError(t, err)
		}},
		"given another token": {"acme", func(t *testing.T, r *racing) {
			_, err := r.Change(r.ctx, "acme", registry.Settings{Token: ptr("another")})
			require.NoError(t, err)
		}},
		"removed": {"acme", func(t *testing.T, r *racing) { require.NoError(t, r.Remove(r.ctx, "acme")) }},
		"removed and made anew": {"acme", func(t *testing.T, r *racing) {
			require.NoError(t, r.Remove(r.ctx, "acme"))
			_, err := r.Add(r.ctx, "acme", acme())
			require.NoError(t, err)
		}},
		"led to another site": {"linked", func(_ *testing.T, r *racing) {
			r.grant = consent(7, "b")
		}},
		"connected by another consent": {"linked", func(_ *testing.T, r *racing) {
			r.grant = consent(8, "a")
		}},
		"disconnected": {"linked", func(_ *testing.T, r *racing) { r.grant = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			r := race(t)
			if c.of == "linked" {
				r.grant = consent(7, "a")
			}
			done := r.beginning(t, r.switchOn(c.of))
			c.meanwhile(t, r)
			listed, kept := r.List(), r.stored(t)
			r.slow.end <- nil
			refusedAsRaced(t, <-done)
			assert.Equal(t, listed, r.List())
			assert.Equal(t, kept, r.stored(t))
			for id, spec := range r.slow.specs {
				assert.False(t, spec.Rights, id)
			}
		})
	}
}

func refusedAsRaced(t *testing.T, err error) {
	t.Helper()
	var known *confluence.Error
	require.ErrorAs(t, err, &known)
	assert.Equal(t, confluence.Conflict, known.Kind)
	assert.Equal(t, "conflict.integration", known.Code)
	assert.Contains(t, known.Next, "try again")
}

// Of two that take one name at once, one gets it.
func TestANameIsTakenOnceByRacers(t *testing.T) {
	r := race(t)
	s := acme()
	s.EnableAccessRightsSync = ptr(true)
	done := r.beginning(t, func() error {
		_, err := r.Add(r.ctx, "new", s)
		return err
	})
	quick := acme()
	quick.Space = ptr("FAST")
	_, err := r.Add(r.ctx, "new", quick)
	require.NoError(t, err)
	kept := r.stored(t)
	r.slow.end <- nil
	var known *confluence.Error
	require.ErrorAs(t, <-done, &known)
	assert.Equal(t, "conflict.name", known.Code)
	assert.Equal(t, kept, r.stored(t))
	assert.Len(t, r.List(), 4)
}

// A consent that was tested by settings that have changed since does not come
// into force where rights are synced: nobody knows whether it can read them.
func TestAConsentIsOfTheSettingsItWasTestedBy(t *testing.T) {
	r := race(t)
	g := consent(7, "a")
	_, err := r.Change(r.ctx, "linked", registry.Settings{EnableAccessRightsSync: ptr(true)})
	require.NoError(t, err)
	done := r.beginning(t, func() error { return r.Test(r.ctx, r.id, g) })
	_, err = r.Change(r.ctx, "linked", registry.Settings{OpaqueAncestors: ptr("verify")})
	require.NoError(t, err)
	r.slow.end <- nil
	refusedAsRaced(t, <-done)

	done = r.beginning(t, func() error { return r.Test(r.ctx, r.id, g) })
	r.slow.end <- nil
	require.NoError(t, <-done)
	_, err = r.Change(r.ctx, "linked", registry.Settings{Space: ptr("ENG")}) // the consent is not stored yet
	require.NoError(t, err)
	r.grant = g
	refusedAsRaced(t, r.Granted(r.ctx, r.id, true))
	assert.NotContains(t, r.slow.specs, r.id)

	done = r.beginning(t, func() error { return r.Test(r.ctx, r.id, g) })
	r.slow.end <- nil
	require.NoError(t, <-done)
	require.NoError(t, r.Granted(r.ctx, r.id, true))
	assert.True(t, r.slow.specs[r.id].Rights)
}

// Where a grant leads is what is shown, so a baseUrl cannot say otherwise; one
// that was read and is sent back changes nothing.
func TestABaseURLLeadsNoGrantElsewhere(t *testing.T) {
	r := race(t)
	r.grant = consent(7, "b")
	before, err := r.Find("linked")
	require.NoError(t, err)
	kept := r.stored(t)
	var known *confluence.Error
	_, err = r.Change(r.ctx, "linked", registry.Settings{BaseURL: ptr("https://c.atlassian.net/wiki")})
	require.ErrorAs(t, err, &known)
	assert.Equal(t, "input.site", known.Code)
	assert.Contains(t, known.Next, "reconnect")
	assert.Equal(t, kept, r.stored(t))
	for _, same := range []string{"https://b.atlassian.net/wiki/", before.Values.BaseURL} {
		after, err := r.Change(r.ctx, "linked", registry.Settings{BaseURL: &same, Space: ptr("ENG")})
		require.NoError(t, err, same)
		assert.Equal(t, before.Values.BaseURL, after.Values.BaseURL)
	}
	r.grant = nil
	after, err := r.Change(r.ctx, "linked", registry.Settings{BaseURL: ptr("https://c.atlassian.net/wiki")})
	require.NoError(t, err, "it says where connect is to lead")
	assert.Equal(t, "https://c.atlassian.net/wiki", after.Values.BaseURL)
}
