package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// sealing is a ring as a store.Sealer.
type sealing struct{ *seal.Ring }

func (s sealing) Seal(_ context.Context, at seal.Place, plain seal.Secret) ([]byte, error) {
	return s.Ring.Seal(at, plain)
}

const canaryBody = "canary-page-text-5521"

func private(principal, digest string) approval.Request {
	r := asked(principal, digest)
	r.Private.Args, r.Private.Diff = json.RawMessage(`{"body":"`+canaryBody+`"}`), "+"+canaryBody
	return r
}

func TestWhatIsPrivateAboutApprovalsIsSealed(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(t.Context(), dir, clock)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	p.SealWith(sealing{ringOf(t, p, dir)})
	r := add(t, p, private("bot", "d1"))
	same, made, err := p.AddApproval(t.Context(), private("bot", "d1"))
	require.NoError(t, err)
	assert.False(t, made)
	assert.Equal(t, r.ID, same.ID)
	other := add(t, p, private("bot", "d2"))
	r = step(t, p, r, yes(r))
	assert.False(t, bytes.Contains(onDisk(t, dir), []byte(canaryBody)), "K03: the file shows nothing of a page")
	kept, err := p.Approval(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r.Private, kept.Private)
	latest, err := p.LatestApproval(t.Context(), other.CallID)
	require.NoError(t, err)
	assert.Equal(t, other.Private, latest.Private)

	// K04: a record in another's place does not open.
	require.NoError(t, store.Exec(p, "UPDATE sealed SET record = (SELECT record FROM sealed WHERE row = '"+other.ID+"') WHERE row = '"+r.ID+"'"))
	_, err = p.Approval(t.Context(), r.ID)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err))
	listed, err := p.Approvals(t.Context(), approval.Filter{})
	require.NoError(t, err, "what is not private is there all the same")
	assert.Len(t, listed, 2)
}

func TestSealedApprovalsOutliveARotationAndAreForgotten(t *testing.T) {
	dir := t.TempDir()
	p, err := store.OpenPrecious(t.Context(), dir, clock)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	open := add(t, p, private("bot", "d0")) // before there was a key
	ring := ringOf(t, p, dir)
	p.SealWith(sealing{ring})
	r := add(t, p, private("bot", "d1"))
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	require.NoError(t, err)
	n, err := ring.Rotate(t.Context(), provider)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	for _, one := range []approval.Request{open, r} {
		kept, err := p.Approval(t.Context(), one.ID)
		require.NoError(t, err)
		assert.Equal(t, one.Private, kept.Private)
		kept = step(t, p, kept, approval.Event{Word: approval.Reject, At: clock(), By: approval.Person{Principal: "boss"}, Right: true, Reason: "no"})
		again, err := p.Approval(t.Context(), one.ID)
		require.NoError(t, err)
		assert.Equal(t, kept.Private, again.Private)
	}
	forgotten, err := p.ForgetApprovals(t.Context(), clock().Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 2, forgotten)
	gone, err := p.Approval(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Empty(t, gone.Private)
	assert.False(t, bytes.Contains(onDisk(t, dir), []byte(canaryBody)))
}
