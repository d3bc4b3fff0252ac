package registry_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/registry"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
	"confluence-mcp/store/guard"
)

// running remembers what was connected.
type running struct {
	specs  map[int64]connections.Spec
	rights error
	tested int
}

func (r *running) Put(_ context.Context, s connections.Spec) error {
	if s.Token.Empty() {
		return &confluence.Error{Kind: confluence.Expired, Code: "auth.not_connected"}
	}
	r.specs[s.ID] = s
	return nil
}

func (r *running) Remove(_ context.Context, id int64, _ bool) error {
	delete(r.specs, id)
	return nil
}

func (r *running) TestRights(context.Context, connections.Spec) error {
	r.tested++
	return r.rights
}

// vault is a ring as the registry knows it.
type vault struct{ *seal.Ring }

func (v vault) Seal(_ context.Context, at seal.Place, plain seal.Secret) ([]byte, error) {
	return v.Ring.Seal(at, plain)
}

type rig struct {
	*registry.Registry
	precious *store.Precious
	running  *running
	vault    vault
}

func open(t *testing.T, dir string, file ...registry.Declared) rig {
	t.Helper()
	p, err := store.OpenPrecious(context.Background(), dir, time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	keys, err := seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewKeyText()}.Open()
	require.NoError(t, err)
	ring, err := seal.OpenRing(context.Background(), keys, p)
	require.NoError(t, err)
	out := rig{precious: p, running: &running{specs: map[int64]connections.Spec{}}, vault: vault{ring}}
	out.Registry, err = registry.Open(context.Background(), out.config(out.running, file...))
	require.NoError(t, err)
	return out
}

func (r rig) config(set registry.Set, file ...registry.Declared) registry.Config {
	return registry.Config{File: file, Store: r.precious, Vault: r.vault, Set: set, Logger: slog.New(slog.DiscardHandler)}
}

func ptr[T any](v T) *T { return &v }

func acme() registry.Settings {
	return registry.Settings{Type: ptr("confluence"), BaseURL: ptr("https://acme.atlassian.net/wiki/"), Username: ptr("bot@acme.test"), Token: ptr("planted-token")}
}

func declared() registry.Declared {
	return registry.Declared{Name: "file", Values: registry.Values{Type: "confluence", BaseURL: "https://file.atlassian.net/wiki", Username: "f@acme.test", UnsyncedVisibility: "connected-admin-only"}, Token: seal.NewSecret("x")}
}

func TestMadeByHandStaysAndStaysSealed(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	r := open(t, dir, declared())
	made, err := r.Add(ctx, "acme", acme())
	require.NoError(t, err)
	assert.Equal(t, "https://acme.atlassian.net/wiki", made.Values.BaseURL)
	assert.Equal(t, "planted-token", r.running.specs[made.ID].Token.Reveal())
	kept, err := r.precious.Integrations(ctx)
	require.NoError(t, err)
	assert.NotContains(t, string(kept[0].Settings)+string(kept[0].Token), "planted-token")

	later := &running{specs: map[int64]connections.Spec{}}
	again, err := registry.Open(ctx, r.config(later, declared()))
	require.NoError(t, err)
	assert.Equal(t, r.List(), again.List())
	assert.Equal(t, "planted-token", later.specs[made.ID].Token.Reveal())
}

func TestWhatIsLeftOutStays(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir())
	s := acme()
	s.EnableAccessRightsSync, s.Spaces = ptr(true), &[]string{"ENG", "OPS"}
	made, err := r.Add(ctx, "acme", s)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change registry.Settings
		want   func(*registry.Values)
	}{
		"nothing":  {registry.Settings{}, func(*registry.Values) {}},
		"spaces":   {registry.Settings{Space: ptr("ENG")}, func(v *registry.Values) { v.Spaces = []string{"ENG"} }},
		"username": {registry.Settings{Username: ptr("other@acme.test")}, func(v *registry.Values) { v.Username = "other@acme.test" }},
		"token":    {registry.Settings{Token: ptr("new")}, func(*registry.Values) {}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := r.Find("acme")
			require.NoError(t, err)
			want := before.Values
			c.want(&want)
			after, err := r.Change(ctx, "acme", c.change)
			require.NoError(t, err)
			assert.Equal(t, want, after.Values)
			assert.True(t, after.Values.EnableAccessRightsSync, "rights are never switched off by leaving something out")
			assert.True(t, r.running.specs[made.ID].Rights)
		})
	}
	assert.Equal(t, "new", r.running.specs[made.ID].Token.Reveal())
	_, err = r.Change(ctx, "acme", registry.Settings{EnableAccessRightsSync: ptr(false)})
	require.NoError(t, err)
	assert.False(t, r.running.specs[made.ID].Rights, "but by saying so")
}

// An integration that was stored with a space key which is refused today can be
// changed in everything else, and keeps it.
func TestAKeptSpaceKeyRefusesNoOtherChange(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir())
	made, err := r.Add(ctx, "acme", acme())
	require.NoError(t, err)
	values := made.Values
	values.Spaces = []string{"~old_key"}
	raw, err := json.Marshal(values)
	require.NoError(t, err)
	require.NoError(t, r.precious.ChangeIntegration(ctx, made.ID, raw, nil))
	again, err := registry.Open(ctx, r.config(r.running))
	require.NoError(t, err)
	after, err := again.Change(ctx, "acme", registry.Settings{Token: ptr("new")})
	require.NoError(t, err)
	assert.Equal(t, []string{"~old_key"}, after.Values.Spaces)
	_, err = again.Change(ctx, "acme", registry.Settings{Space: ptr("~old_key")})
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
}

func TestRefusedSettingsLeaveNothing(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		name   string
		change func(*registry.Settings)
		code   string
	}{
		"a name with a slash":     {"a/b", func(*registry.Settings) {}, "input.settings"},
		"no address":              {"x", func(s *registry.Settings) { s.BaseURL = nil }, "input.settings"},
		"an address with a user":  {"x", func(s *registry.Settings) { s.BaseURL = ptr("https://me:pw@acme.test") }, "input.settings"},
		"another product":         {"x", func(s *registry.Settings) { s.Type = ptr("jira") }, "input.settings"},
		"an unknown visibility":   {"x", func(s *registry.Settings) { s.UnsyncedVisibility = ptr("all") }, "input.settings"},
		"an unknown policy":       {"x", func(s *registry.Settings) { s.OpaqueAncestors = ptr("open") }, "input.settings"},
		"an empty policy":         {"x", func(s *registry.Settings) { s.OpaqueAncestors = ptr("") }, "input.settings"},
		"an age without unit":     {"x", func(s *registry.Settings) { s.ACLMaxAge = ptr("24") }, "input.settings"},
		"a negative age":          {"x", func(s *registry.Settings) { s.ACLHardMaxAge = ptr("-24h") }, "input.settings"},
		"hidden before marked":    {"x", func(s *registry.Settings) { s.ACLMaxAge, s.ACLHardMaxAge = ptr("48h"), ptr("24h") }, "input.settings"},
		"space and spaces":        {"x", func(s *registry.Settings) { s.Space, s.Spaces = ptr("A"), &[]string{"B"} }, "input.settings"},
		"a space that is no key":  {"x", func(s *registry.Settings) { s.Space = ptr("../x") }, "input.settings"},
		"a personal space":        {"x", func(s *registry.Settings) { s.Spaces = &[]string{"ENG", "~ann"} }, "input.settings"},
		"an empty token":          {"x", func(s *registry.Settings) { s.Token = ptr("") }, "input.settings"},
		"a name that is taken":    {"file", func(*registry.Settings) {}, "conflict.name"},
		"rights that aren't read": {"x", func(s *registry.Settings) { s.EnableAccessRightsSync = ptr(true) }, "auth.rights"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, t.TempDir(), declared())
			r.running.rights = &confluence.Error{Kind: confluence.Invalid, Code: "auth.rights"}
			s := acme()
			c.change(&s)
			_, err := r.Add(ctx, c.name, s)
			var known *confluence.Error
			require.ErrorAs(t, err, &known)
			assert.Equal(t, c.code, known.Code)
			assert.Len(t, r.List(), 1)
			assert.Len(t, r.running.specs, 1)
			kept, err := r.precious.Integrations(ctx)
			require.NoError(t, err)
			assert.Empty(t, kept)
		})
	}
}

func TestTheTokenDoesNotGoToAnotherSite(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir())
	_, err := r.Add(ctx, "acme", acme())
	require.NoError(t, err)
	_, err = r.Change(ctx, "acme", registry.Settings{BaseURL: ptr("https://evil.test/wiki")})
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
	_, err = r.Change(ctx, "acme", registry.Settings{BaseURL: ptr("https://other.atlassian.net/wiki"), Token: ptr("its own")})
	assert.NoError(t, err)
}

func TestTheFileOwnsWhatItDeclares(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir(), declared())
	_, err := r.Change(ctx, "file", registry.Settings{Space: ptr("ENG")})
	assert.Equal(t, confluence.Conflict, confluence.KindOf(err))
	assert.Equal(t, confluence.Conflict, confluence.KindOf(r.Remove(ctx, "file")))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(r.Remove(ctx, "nobody")))
	assert.Len(t, r.running.specs, 1)
}

func TestRemovedIsForgotten(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir())
	made, err := r.Add(ctx, "acme", acme())
	require.NoError(t, err)
	require.NoError(t, r.Remove(ctx, "1"), "an id names it too")
	assert.Empty(t, r.List())
	assert.NotContains(t, r.running.specs, made.ID)
	kept, err := r.precious.Integrations(ctx)
	require.NoError(t, err)
	assert.Empty(t, kept)
}

func TestWithoutTokenItWaitsForOAuth(t *testing.T) {
	r := open(t, t.TempDir())
	s := acme()
	s.Token, s.EnableAccessRightsSync = nil, ptr(true)
	made, err := r.Add(context.Background(), "acme", s)
	require.NoError(t, err)
	assert.False(t, made.HasToken)
	assert.Empty(t, r.running.specs)
	assert.Zero(t, r.running.tested, "rights are tested when it is connected")
}

// Rights that end before the next pass reads them would show nothing: refused, as
// in the file.
func TestRightsOutliveTheTimeBetweenPasses(t *testing.T) {
	ctx := context.Background()
	base := open(t, t.TempDir())
	cfg := base.config(base.running)
	cfg.Interval = 2 * time.Hour
	r, err := registry.Open(ctx, cfg)
	require.NoError(t, err)
	for hard, good := range map[string]bool{"90m": false, "2h": false, "3h": true} {
		s := acme()
		s.ACLMaxAge, s.ACLHardMaxAge = ptr("1h"), ptr(hard)
		_, err := r.Add(ctx, "of-"+hard, s)
		if good {
			require.NoError(t, err, hard)
			_, err = r.Change(ctx, "of-"+hard, registry.Settings{ACLHardMaxAge: ptr("90m")})
		}
		require.Error(t, err, hard)
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err), hard)
		assert.Contains(t, err.Error(), "between two passes")
	}
	assert.Len(t, r.List(), 1)
}

// What is said of synced rights reaches what runs, and what is left out stays.
func TestSettingsOfSyncedRightsStay(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir())
	made, err := r.Add(ctx, "acme", acme())
	require.NoError(t, err)
	assert.Equal(t, "seal", made.Values.OpaqueAncestors)
	spec := r.running.specs[made.ID]
	assert.Equal(t, guard.SealOpaque, spec.Opaque)
	assert.False(t, spec.SuperGroup)
	assert.Equal(t, []time.Duration{24 * time.Hour, 168 * time.Hour}, []time.Duration{spec.MaxAge, spec.HardMaxAge})
	_, err = r.Change(ctx, "acme", registry.Settings{OpaqueAncestors: ptr("verify"), HonourSuperGroup: ptr(true), ACLMaxAge: ptr("1h"), ACLHardMaxAge: ptr("36h")})
	require.NoError(t, err)
	_, err = r.Change(ctx, "acme", registry.Settings{Space: ptr("ENG")})
	require.NoError(t, err)
	spec = r.running.specs[made.ID]
	assert.Equal(t, guard.VerifyOpaque, spec.Opaque)
	assert.True(t, spec.SuperGroup)
	assert.Equal(t, []time.Duration{time.Hour, 36 * time.Hour}, []time.Duration{spec.MaxAge, spec.HardMaxAge})
	_, err = r.Change(ctx, "acme", registry.Settings{ACLHardMaxAge: ptr("30m")})
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err), "it would be shorter than what is kept for aclMaxAge")
	assert.Equal(t, 36*time.Hour, r.running.specs[made.ID].HardMaxAge)
}
