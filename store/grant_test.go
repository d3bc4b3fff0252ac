package store_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

var _ oauth.Vault = (*store.Precious)(nil)
var _ seal.Keys = (*store.Precious)(nil)

const canaryToken = "canary-refresh-token-8812"

func ringOf(t *testing.T, p *store.Precious, dir string) *seal.Ring {
	t.Helper()
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	r, err := seal.OpenRing(t.Context(), provider, p)
	require.NoError(t, err)
	return r
}

func tokensOf(g oauth.Grant) seal.Place {
	return seal.Place{Table: "oauth_grant", Row: string(rune('0' + g.ID)), Column: "tokens"}
}

// granted stores a grant with sealed tokens.
func granted(t *testing.T, p *store.Precious, r *seal.Ring, g oauth.Grant) oauth.Grant {
	t.Helper()
	made, err := p.AddGrant(t.Context(), g, func(g oauth.Grant) ([]byte, error) { return r.Seal(tokensOf(g), seal.NewSecret(canaryToken)) })
	require.NoError(t, err)
	return made
}

func connected(integration int64, role oauth.Role, account string) oauth.Grant {
	return oauth.Grant{Integration: integration, Role: role, Account: account, State: oauth.Connected, CloudID: "c-1", Scopes: []string{"a", "b"}, Consented: clock()}
}

func TestGrantsAreKept(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	g := granted(t, p, r, connected(3, oauth.Service, "bot"))
	granted(t, p, r, connected(4, oauth.Person, "ann"))
	got, sealed, err := p.Grant(t.Context(), g.ID)
	require.NoError(t, err)
	assert.Equal(t, g, got)
	plain, err := r.Open(t.Context(), tokensOf(g), sealed)
	require.NoError(t, err)
	assert.Equal(t, canaryToken, plain.Reveal())
	one, err := p.Grants(t.Context(), 3)
	require.NoError(t, err)
	assert.Equal(t, []oauth.Grant{g}, one)
	all, err := p.Grants(t.Context(), 0)
	require.NoError(t, err)
	assert.Len(t, all, 2)
	_, _, err = p.Grant(t.Context(), 99)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
}

func TestOneGrantOfAKind(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	first := granted(t, p, r, connected(1, oauth.Service, "bot"))
	waiting := connected(1, oauth.Service, "bot")
	waiting.State, waiting.CloudID = oauth.Choosing, ""
	waiting = granted(t, p, r, waiting)
	ann, bob := granted(t, p, r, connected(1, oauth.Person, "ann")), granted(t, p, r, connected(1, oauth.Person, "bob"))
	other := granted(t, p, r, connected(2, oauth.Service, "bot"))
	ids := func() (out []int64) {
		all, err := p.Grants(t.Context(), 0)
		require.NoError(t, err)
		for _, g := range all {
			out = append(out, g.ID)
		}
		return out
	}
	assert.Equal(t, []int64{first.ID, waiting.ID, ann.ID, bob.ID, other.ID}, ids(), "a grant in force stays while another waits for a choice")

	waiting.State, waiting.CloudID = oauth.Connected, "c-2"
	sealed, err := r.Seal(tokensOf(waiting), seal.NewSecret("x"))
	require.NoError(t, err)
	moved, err := p.SettleGrant(t.Context(), waiting, sealed)
	require.NoError(t, err)
	assert.True(t, moved)
	assert.Equal(t, []int64{waiting.ID, ann.ID, bob.ID, other.ID}, ids())
	moved, err = p.SettleGrant(t.Context(), waiting, sealed)
	require.NoError(t, err)
	assert.False(t, moved, "the generation moved on")

	again := granted(t, p, r, connected(1, oauth.Person, "ann"))
	assert.Greater(t, again.ID, other.ID, "ids are never used twice")
	assert.Equal(t, []int64{waiting.ID, bob.ID, again.ID, other.ID}, ids())
	_, err = p.Sealed(t.Context(), tokensOf(first))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "tokens go with their grant")
}

func TestSaveGrantComparesAndSwaps(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	g := granted(t, p, r, connected(1, oauth.Service, "bot"))
	g.Intent = clock().Add(time.Minute)
	moved, err := p.SaveGrant(t.Context(), g, nil)
	require.NoError(t, err)
	assert.True(t, moved, "without tokens the generation stays")
	sealed, err := r.Seal(tokensOf(g), seal.NewSecret("second"))
	require.NoError(t, err)
	for try, want := range []bool{true, false, false} {
		moved, err := p.SaveGrant(t.Context(), g, sealed)
		require.NoError(t, err)
		assert.Equal(t, want, moved, try)
	}
	now, _, err := p.Grant(t.Context(), g.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 2, now.Generation)
	assert.Equal(t, g.Intent, now.Intent)
}

func TestTokensUnderARotatedKeyAreNotStored(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	g := granted(t, p, r, connected(1, oauth.Service, "bot"))
	old, err := r.Seal(tokensOf(g), seal.NewSecret("late"))
	require.NoError(t, err)
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	n, err := r.Rotate(t.Context(), provider)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = p.SaveGrant(t.Context(), g, old)
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "seal.key", e.Code)
	now, sealed, err := p.Grant(t.Context(), g.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, now.Generation, "nothing of it was stored")
	plain, err := r.Open(t.Context(), tokensOf(g), sealed)
	require.NoError(t, err)
	assert.Equal(t, canaryToken, plain.Reveal())
}

func TestRotationThatFailsChangesNoRow(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	a, b := granted(t, p, r, connected(1, oauth.Service, "bot")), granted(t, p, r, connected(2, oauth.Service, "bot"))
	_, before, err := p.Grant(t.Context(), a.ID)
	require.NoError(t, err)
	require.NoError(t, store.Exec(p, "UPDATE sealed SET record = (SELECT record FROM sealed WHERE row = '1') WHERE row = '2'"))
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	_, err = r.Rotate(t.Context(), provider)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err))
	_, after, err := p.Grant(t.Context(), a.ID)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	_, moved, err := p.Grant(t.Context(), b.ID)
	require.NoError(t, err)
	_, err = r.Open(t.Context(), tokensOf(b), moved)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err))
}

// onDisk is every byte of the database: file, log and index of the log.
func onDisk(t *testing.T, dir string) []byte {
	t.Helper()
	var out []byte
	for _, name := range []string{"", "-wal", "-shm", "-journal"} {
		b, err := os.ReadFile(filepath.Join(dir, store.PreciousFile+name))
		if err == nil {
			out = append(out, b...)
		}
	}
	require.NotEmpty(t, out)
	return out
}

func TestM08_ErasedTokensAreGoneFromTheDisk(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	g := granted(t, p, r, connected(1, oauth.Service, "bot"))
	_, first, err := p.Grant(t.Context(), g.ID)
	require.NoError(t, err)
	second, err := r.Seal(tokensOf(g), seal.NewSecret("second"))
	require.NoError(t, err)
	_, err = p.SaveGrant(t.Context(), g, second)
	require.NoError(t, err)
	require.True(t, bytes.Contains(onDisk(t, dir), second[8:]))
	n, err := p.EraseGrants(t.Context(), g.ID, 77)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	for _, sealed := range [][]byte{first, second} {
		assert.False(t, bytes.Contains(onDisk(t, dir), sealed[8:]), "even sealed they are gone")
	}
	assert.False(t, bytes.Contains(onDisk(t, dir), []byte(`"Account":"bot"`)))
}

func TestK03_K08_CopiedDatabaseWithoutItsKey(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	g := granted(t, p, r, connected(1, oauth.Service, "bot"))
	assert.False(t, bytes.Contains(onDisk(t, dir), []byte(canaryToken)), "a copy of the files holds no token in clear")

	thief := t.TempDir()
	require.NoError(t, store.Exec(p, "VACUUM INTO '"+filepath.Join(thief, store.PreciousFile)+"'"))
	assert.False(t, bytes.Contains(onDisk(t, thief), []byte(canaryToken)))
	stolen := open(t, thief)
	provider, err := seal.Choice{File: filepath.Join(thief, "seal.key")}.Open()
	require.NoError(t, err)
	_, err = seal.OpenRing(t.Context(), provider, stolen)
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
	assert.NoFileExists(t, filepath.Join(thief, "seal.key"))
	_, sealed, err := stolen.Grant(t.Context(), g.ID)
	require.NoError(t, err)
	other := t.TempDir()
	_, err = ringOf(t, open(t, other), other).Open(t.Context(), tokensOf(g), sealed)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err))
}

func TestGrantLock(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	unlock, err := one.LockGrant(t.Context(), 1)
	require.NoError(t, err)
	free, err := two.LockGrant(t.Context(), 2)
	require.NoError(t, err, "another grant's lock is another lock")
	require.NoError(t, free())
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = two.LockGrant(short, 1)
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err))
	require.NoError(t, unlock())
	again, err := two.LockGrant(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, again())
}

func TestSealedSecretsOfOtherRows(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	at := seal.Place{Table: "integration", Row: "7", Column: "token"}
	_, err := p.Sealed(t.Context(), at)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	record, err := r.Seal(at, seal.NewSecret(canaryToken))
	require.NoError(t, err)
	require.NoError(t, p.PutSealed(t.Context(), at, record))
	got, err := p.Sealed(t.Context(), at)
	require.NoError(t, err)
	assert.Equal(t, record, got)
	require.NoError(t, p.EraseSealed(t.Context(), "integration", "7"))
	_, err = p.Sealed(t.Context(), at)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
	assert.False(t, bytes.Contains(onDisk(t, dir), record[8:]))
}

func TestRotationCoversTokensOfIntegrations(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	r := ringOf(t, p, dir)
	id, err := p.IntegrationID(t.Context(), "hand")
	require.NoError(t, err)
	sealed, err := r.Seal(store.IntegrationToken(id), seal.NewSecret(canaryToken))
	require.NoError(t, err)
	_, err = p.AddIntegration(t.Context(), "hand", []byte(`{}`), sealed)
	require.NoError(t, err)
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	n, err := r.Rotate(t.Context(), provider)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	all, err := p.Integrations(t.Context())
	require.NoError(t, err)
	again, err := seal.OpenRing(t.Context(), provider, p)
	require.NoError(t, err)
	plain, err := again.Open(t.Context(), store.IntegrationToken(id), all[0].Token)
	require.NoError(t, err)
	assert.Equal(t, canaryToken, plain.Reveal())
}
