package rest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

// tokenOnly accepts one bearer token.
func tokenOnly(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			reply(w, 401, `{"code":401,"message":"Unauthorized"}`)
			return
		}
		if r.Method == http.MethodGet {
			onePage(w, r)
			return
		}
		reply(w, 200, pageSeven)
	}
}

func TestRefusedTokenIsRenewedOnceAndTheCallRepeated(t *testing.T) {
	f := newFake(t, tokenOnly("new"))
	var renewals atomic.Int64
	cfg := f.config()
	cfg.Auth, cfg.Token = rest.Bearer, seal.NewSecret("old")
	cfg.Renew = func(_ context.Context, refused seal.Secret) (seal.Secret, error) {
		renewals.Add(1)
		assert.Equal(t, "old", refused.Reveal())
		return seal.NewSecret("new"), nil
	}
	c := newClient(t, cfg)
	require.NoError(t, createSeven(c), "a write as well: a 401 changed nothing")
	require.NoError(t, readSeven(c))
	assert.Equal(t, int64(1), renewals.Load())
}

func TestTokenThatCannotBeRenewedIsAnError(t *testing.T) {
	for name, renew := range map[string]func(context.Context, seal.Secret) (seal.Secret, error){
		"refused again": func(context.Context, seal.Secret) (seal.Secret, error) { return seal.NewSecret("also old"), nil },
		"no successor":  func(context.Context, seal.Secret) (seal.Secret, error) { return seal.Secret{}, errors.New("revoked") },
		"hostile":       func(context.Context, seal.Secret) (seal.Secret, error) { return seal.NewSecret("a\r\nX-Evil: 1"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, tokenOnly("new"))
			cfg := f.config()
			cfg.Auth, cfg.Token, cfg.Renew = rest.Bearer, seal.NewSecret("old"), renew
			code(t, readSeven(newClient(t, cfg)), confluence.Expired, "auth.credentials")
			assert.LessOrEqual(t, len(f.requests()), 2)
		})
	}
}

func TestMissingScopeIsNotAReasonToRenew(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 401, `{"code":401,"message":"Unauthorized; scope does not match"}`)
	})
	cfg := f.config()
	cfg.Renew = func(context.Context, seal.Secret) (seal.Secret, error) {
		t.Error("the token is good, it only lacks a scope")
		return seal.Secret{}, nil
	}
	code(t, readSeven(newClient(t, cfg)), confluence.Denied, "auth.scope")
}

func TestAnotherCredentialSharesThePaceAndNothingElse(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var refuse atomic.Bool
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse.CompareAndSwap(true, false) {
			w.Header().Set("Retry-After", "60")
			reply(w, 429, `{}`)
			return
		}
		onePage(w, r)
	})
	cfg := f.config()
	cfg.Now = func() time.Time { return now }
	bot := newClient(t, cfg)
	ann, err := bot.As(rest.Bearer, "", seal.NewSecret("ann"))
	require.NoError(t, err)
	require.NoError(t, readSeven(bot))
	require.NoError(t, readSeven(ann))
	spaceLookups := map[string]int{}
	for _, r := range f.requests() {
		if strings.HasSuffix(r.URL.Path, "/spaces") {
			spaceLookups[r.Header.Get("Authorization")]++
		}
	}
	assert.Equal(t, map[string]int{basicHeader(): 1, "Bearer ann": 1}, spaceLookups, "what one credential saw is not told to the other")

	refuse.Store(true)
	require.NoError(t, readSeven(bot))
	waited := len(f.waits())
	require.NoError(t, readSeven(ann))
	assert.Greater(t, len(f.waits()), waited, "the site's limit holds for both")

	_, err = bot.As(rest.Basic, "", seal.NewSecret("x"))
	code(t, err, confluence.Invalid, "input.invalid")
}
