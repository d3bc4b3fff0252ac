package rest_test

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

// source counts tokens: each renewal gives the next one.
type source struct {
	now      atomic.Int64
	ended    atomic.Bool
	renewals atomic.Int64
}

func (s *source) Token(context.Context) (seal.Secret, error) {
	if s.ended.Load() {
		return seal.Secret{}, &confluence.Error{Kind: confluence.Expired, Code: "auth.reconnect", Message: "it ended", Next: "Reconnect."}
	}
	return seal.NewSecret(strconv.FormatInt(s.now.Load(), 10)), nil
}

func (s *source) Renew(_ context.Context, refused seal.Secret) (seal.Secret, error) {
	s.renewals.Add(1)
	old, err := strconv.ParseInt(refused.Reveal(), 10, 64)
	if err != nil {
		return seal.Secret{}, err
	}
	s.now.CompareAndSwap(old, old+1)
	return s.Token(context.Background())
}

func sourced(t *testing.T, s *source, handler http.HandlerFunc) (*rest.Client, *fake) {
	t.Helper()
	f := newFake(t, handler)
	cfg := f.config()
	cfg.Auth, cfg.Token, cfg.Tokens = rest.Bearer, seal.Secret{}, s
	return newClient(t, cfg), f
}

func TestEveryRequestAsksTheSource(t *testing.T) {
	s := &source{}
	c, f := sourced(t, s, tokenOnly("0"))
	require.NoError(t, readSeven(c))
	s.ended.Store(true)
	before := len(f.requests())
	err := readSeven(c)
	assert.Equal(t, confluence.Expired, confluence.KindOf(err))
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "auth.reconnect", e.Code, "the reason reaches the caller")
	assert.Equal(t, before, len(f.requests()), "nothing was sent")
}

func TestSourceRenewsARefusedTokenOnce(t *testing.T) {
	s := &source{}
	c, _ := sourced(t, s, tokenOnly("1"))
	require.NoError(t, createSeven(c), "a write as well: a 401 changed nothing")
	require.NoError(t, readSeven(c))
	assert.EqualValues(t, 1, s.renewals.Load())

	s = &source{}
	c, f := sourced(t, s, tokenOnly("9"))
	assert.Equal(t, confluence.Expired, confluence.KindOf(readSeven(c)))
	assert.EqualValues(t, 1, s.renewals.Load(), "no loop")
	assert.Equal(t, 2, len(f.requests()))
}

func TestSourceThatEndsWhileRenewing(t *testing.T) {
	s := &source{}
	c, _ := sourced(t, s, func(w http.ResponseWriter, _ *http.Request) {
		s.ended.Store(true)
		reply(w, 401, `{"code":401,"message":"Unauthorized"}`)
	})
	var e *confluence.Error
	require.ErrorAs(t, readSeven(c), &e)
	assert.Equal(t, "auth.reconnect", e.Code)
}

func TestClientWithAndWithoutASource(t *testing.T) {
	s := &source{}
	c, _ := sourced(t, s, tokenOnly("0"))
	anonymous, err := c.As(rest.Anonymous, "", seal.Secret{})
	require.NoError(t, err)
	assert.Equal(t, confluence.Expired, confluence.KindOf(readSeven(anonymous)), "nobody lends the source's token")
	own, err := anonymous.With(s)
	require.NoError(t, err)
	require.NoError(t, readSeven(own))
	_, err = anonymous.With(nil)
	assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
}
