package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

func clock() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T, dir string) *store.Precious {
	t.Helper()
	p, err := store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	open(t, dir)
	folder, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	file, err := os.Stat(filepath.Join(dir, store.PreciousFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), file.Mode().Perm())
}

func TestIntegrationKeepsItsIDAcrossRestarts(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	p, err := store.OpenPrecious(ctx, dir, clock)
	require.NoError(t, err)
	a, err := p.IntegrationID(ctx, "acme")
	require.NoError(t, err)
	b, err := p.IntegrationID(ctx, "other")
	require.NoError(t, err)
	require.NoError(t, p.Close())

	p = open(t, dir)
	again, err := p.IntegrationID(ctx, "acme")
	require.NoError(t, err)
	assert.Equal(t, a, again)
	assert.NotEqual(t, a, b)
	assert.Positive(t, a)
}

func TestAgentKeys(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	key, err := p.AddAgent(ctx, store.Agent{Name: "helpdesk", Profile: "read-only", Owner: "ann", Admin: true})
	require.NoError(t, err)
	raw := key.Reveal()

	a, err := p.AgentByKey(ctx, raw)
	require.NoError(t, err)
	assert.Equal(t, "helpdesk", a.Name)
	assert.True(t, a.Admin)

	flipped := []byte(raw)
	flipped[len(flipped)-1] ^= 1
	for name, wrong := range map[string]string{"empty": "", "prefix": raw[:len(raw)-1], "one byte": string(flipped), "id only": raw[:12], "other form": "Bearer x", "longer": raw + "x"} {
		t.Run(name, func(t *testing.T) {
			_, err := p.AgentByKey(ctx, wrong)
			assert.Equal(t, confluence.Expired, confluence.KindOf(err))
			assert.NotContains(t, err.Error(), "cmk_")
		})
	}

	_, err = p.AddAgent(ctx, store.Agent{Name: "helpdesk", Profile: "read-only"})
	assert.Equal(t, confluence.Conflict, confluence.KindOf(err))
	require.NoError(t, p.RevokeAgent(ctx, "helpdesk"))
	_, err = p.AgentByKey(ctx, raw)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err), "a revoked key is no key")
	assert.Equal(t, confluence.NotFound, confluence.KindOf(p.RevokeAgent(ctx, "helpdesk")))
	all, err := p.Agents(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, clock(), all[0].Revoked)
}

func TestAgentExpires(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	key, err := p.AddAgent(ctx, store.Agent{Name: "a", Profile: "read-only", Expires: clock()})
	require.NoError(t, err)
	_, err = p.AgentByKey(ctx, key.Reveal())
	assert.Equal(t, confluence.Expired, confluence.KindOf(err), "at the very instant it is over")
}

func TestAgentIsChecked(t *testing.T) {
	p := open(t, t.TempDir())
	for name, a := range map[string]store.Agent{
		"no profile":     {Name: "a"},
		"bad name":       {Name: "A b", Profile: "p"},
		"this machine":   {Name: "local", Profile: "p"},
		"half identity":  {Name: "a", Profile: "p", User: "u"},
		"two identities": {Name: "a", Profile: "p", Integration: "i", User: "u", ActForUsers: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.AddAgent(context.Background(), a)
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
		})
	}
}

func entry(id string) audit.Entry {
	return audit.Entry{Time: clock(), DecisionID: id, Profile: "read-only", Principal: "local||service|", Tool: "confluence_get_page",
		Group: "pages", Action: "read", Effect: "allow", Reason: "allowed", RulesMatched: []string{"r1"}, ArgsSHA256: "00", Write: true}
}

func TestAuditIsWrittenBeforeAndCompletedAfter(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	id, err := p.Begin(ctx, entry("d1"))
	require.NoError(t, err)
	got, err := p.Audit(ctx, store.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, audit.Unfinished, got[0].Outcome.Result)
	assert.Equal(t, []string{"r1"}, got[0].Entry.RulesMatched)

	require.NoError(t, p.Finish(ctx, id, audit.Outcome{Result: audit.OK, Version: 4, Bytes: 10, Duration: time.Second}))
	got, err = p.Audit(ctx, store.AuditFilter{})
	require.NoError(t, err)
	assert.Equal(t, audit.Outcome{Result: audit.OK, Version: 4, Bytes: 10, Duration: time.Second}, got[0].Outcome)
	assert.Error(t, p.Finish(ctx, id, audit.Outcome{Result: audit.Failed}), "an outcome is filed once")
	assert.Error(t, p.Finish(ctx, 99, audit.Outcome{Result: audit.OK}), "an outcome needs its entry")
}

func TestAuditSurvivesParallelWriters(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			id, err := p.Begin(ctx, entry(string(rune('a'+i))))
			if assert.NoError(t, err) {
				assert.NoError(t, p.Finish(ctx, id, audit.Outcome{Result: audit.OK}))
			}
		})
	}
	wg.Wait()
	got, err := p.Audit(ctx, store.AuditFilter{})
	require.NoError(t, err)
	assert.Len(t, got, 50)
}

func TestFullDiskRefusesTheEntry(t *testing.T) {
	p := open(t, t.TempDir())
	require.NoError(t, store.LimitPages(p))
	var err error
	for i := range 2000 {
		if _, err = p.Begin(context.Background(), entry(string(rune(1000+i)))); err != nil {
			break
		}
	}
	assert.Error(t, err, "an entry that cannot be kept must not be promised")
}

func TestAuditIsAppendOnly(t *testing.T) {
	p, ctx := open(t, t.TempDir()), context.Background()
	id, err := p.Begin(ctx, entry("d1"))
	require.NoError(t, err)
	require.NoError(t, p.Finish(ctx, id, audit.Outcome{Result: audit.OK}))
	for _, statement := range []string{
		"UPDATE audit_line SET line = replace(line, 'allow', 'deny')", "DELETE FROM audit_line", "UPDATE audit_line SET seq = seq + 1",
		`INSERT OR REPLACE INTO audit_line(seq, line) VALUES (1, '{}')`, `INSERT INTO audit_line(seq, line) VALUES (9, '{}')`,
		`INSERT INTO audit_line(seq, line) VALUES (3, '{"prev_hash":"0"}')`,
		"UPDATE audit_head SET seq = 1", "UPDATE audit_head SET seq = 3", "DELETE FROM audit_head", "INSERT OR REPLACE INTO audit_head(one, seq, hash) SELECT one, 0, hash FROM audit_head",
	} {
		assert.ErrorContains(t, store.Exec(p, statement), "append-only", statement)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(context.Background(), dir, clock)
	require.NoError(t, err)
	require.NoError(t, store.Exec(p, "PRAGMA user_version = 99"))
	require.NoError(t, p.Close())
	_, err = store.OpenPrecious(context.Background(), dir, clock)
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
}

func TestNotADatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, store.PreciousFile), []byte("this is text, not a database, and long enough to be looked at"), 0o600))
	_, err := store.OpenPrecious(context.Background(), dir, clock)
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err))
}

// An agent has one hook at a time, sealed, and it goes with its key.
func TestHooksAreKeptAndGoWithTheKey(t *testing.T) {
	ctx, p := context.Background(), open(t, t.TempDir())
	master, err := seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewKeyText()}.Open()
	require.NoError(t, err)
	ring, err := seal.OpenRing(ctx, master, p)
	require.NoError(t, err)
	sealed := func(agent, text string) []byte {
		record, err := ring.Seal(store.HookPlace(agent), seal.NewSecret(text))
		require.NoError(t, err)
		return record
	}
	_, err = p.AddAgent(ctx, store.Agent{Name: "ann", Profile: "read-only", HookHost: "hooks.test", Hook: sealed("ann", "first")})
	require.NoError(t, err)
	_, err = p.AddAgent(ctx, store.Agent{Name: "bob", Profile: "read-only"})
	require.NoError(t, err)
	hosts := func() (out []string) {
		all, err := p.Agents(ctx)
		require.NoError(t, err)
		for _, a := range all {
			out = append(out, a.HookHost)
		}
		return out
	}
	assert.Equal(t, []string{"hooks.test", ""}, hosts())
	require.NoError(t, p.PutHook(ctx, "ann", "other.test", sealed("ann", "second")))
	require.NoError(t, p.PutHook(ctx, "bob", "bob.test", sealed("bob", "his")))
	assert.Equal(t, []string{"other.test", "bob.test"}, hosts())
	record, err := p.Hook(ctx, "ann")
	require.NoError(t, err)
	plain, err := ring.Open(ctx, store.HookPlace("ann"), record)
	require.NoError(t, err)
	assert.Equal(t, "second", plain.Reveal())
	require.NoError(t, p.PutHook(ctx, "bob", "", nil))
	require.NoError(t, p.RevokeAgent(ctx, "ann"))
	for _, name := range []string{"ann", "bob", "nobody"} {
		record, err := p.Hook(ctx, name)
		require.NoError(t, err)
		assert.Nil(t, record, name)
	}
	for _, name := range []string{"ann", "nobody"} {
		assert.Equal(t, confluence.NotFound, confluence.KindOf(p.PutHook(ctx, name, "x.test", sealed(name, "x"))))
	}
	assert.Equal(t, []string{"", ""}, hosts())
}
