package rest

import (
	"context"
	"errors"
	"net/http"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// TokenSource gives the access tokens of one OAuth grant. It is asked before
// every request, so that a grant that has ended ends the client too. Its errors
// are *confluence.Error and go to the caller as they are; nothing is sent then.
// It is safe for concurrent use.
type TokenSource interface {
	// Token gives a token that is good now.
	Token(ctx context.Context) (seal.Secret, error)
	// Renew gives the token that takes the place of one Confluence has refused.
	Renew(ctx context.Context, refused seal.Secret) (seal.Secret, error)
}

// With gives a client of the same site that speaks as the grant of a source. The
// two share connections and the pace the site's limits demand, and nothing they
// read.
func (c *Client) With(tokens TokenSource) (*Client, error) {
	w := *c.w
	w.cfg.Auth, w.cfg.Username, w.cfg.Token, w.cfg.Renew, w.cfg.Tokens = Bearer, "", seal.Secret{}, nil, tokens
	if err := w.cfg.check(); err != nil {
		return nil, err
	}
	other := &Client{w: w.connect(), keys: newSpaceKeys(w.cfg.Now), good: &goodCredential{}}
	other.site.Store(c.site.Load())
	return other, nil
}

// chosenToken is the context key of the token one attempt is sent with.
type chosenToken struct{}

// bearer is the token of a request: the attempt's own, or the configured one.
func (c *credential) bearer(ctx context.Context) seal.Secret {
	if token, ok := ctx.Value(chosenToken{}).(seal.Secret); ok {
		return token
	}
	return *c.token.Load()
}

// sourced sends every attempt with a token of the source. A refused token is
// replaced once and the call sent again: a 401 is decided before anything is
// done with the call.
func (w *wire) sourced(next doer) doer {
	return func(ctx context.Context, c *call) (*answer, error) {
		token, err := w.cfg.Tokens.Token(ctx)
		if err != nil {
			return nil, unsent(ctx, c, err)
		}
		ans, err := next(context.WithValue(ctx, chosenToken{}, token), c)
		f := asFailure(err)
		if f == nil || f.status != http.StatusUnauthorized || f.Kind != confluence.Expired || c.upload != nil && !c.upload.rewind() {
			return ans, err
		}
		renewed, err := w.cfg.Tokens.Renew(ctx, token)
		if err != nil {
			return nil, unsent(ctx, c, err)
		}
		return next(context.WithValue(ctx, chosenToken{}, renewed), c)
	}
}

// unsent is a call for which there is no token.
func unsent(ctx context.Context, c *call, err error) error {
	var known *confluence.Error
	if !errors.As(err, &known) {
		return netFailure(ctx, c, err)
	}
	e := *known
	e.Op, e.Ref = c.op, c.ref
	return &failure{problem: &e, unsent: true}
}
