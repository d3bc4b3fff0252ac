package rest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// credential adds the Authorization header, to requests for its own host only.
type credential struct {
	next     http.RoundTripper
	base     address
	auth     Auth
	username string
	agent    string
	token    atomic.Pointer[seal.Secret]
}

func newCredential(next http.RoundTripper, base address, cfg Config) *credential {
	c := &credential{next: next, base: base, auth: cfg.Auth, username: cfg.Username, agent: cfg.UserAgent}
	c.token.Store(&cfg.Token)
	return c
}

func (c *credential) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != c.base.scheme || !strings.EqualFold(req.URL.Host, c.base.host) {
		if req.Body != nil {
			_ = req.Body.Close() // the contract of RoundTripper; the request is not sent
		}
		return nil, redirectBlocked("the request is for another host than the configured one")
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", c.agent)
	switch c.auth {
	case Basic:
		pair := c.username + ":" + c.token.Load().Reveal()
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case Bearer:
		req.Header.Set("Authorization", "Bearer "+c.bearer(req.Context()).Reveal())
	}
	return c.next.RoundTrip(req)
}

// renewed answers a refused token by asking for its successor, once, and sends
// the call again: a 401 is decided before anything is done with the call.
func (w *wire) renewed(next doer) doer {
	if w.cfg.Tokens != nil {
		return w.sourced(next)
	}
	if w.cfg.Renew == nil {
		return next
	}
	return func(ctx context.Context, c *call) (*answer, error) {
		refused := w.credential.token.Load()
		ans, err := next(ctx, c)
		f := asFailure(err)
		if f == nil || f.status != http.StatusUnauthorized || f.Kind != confluence.Expired || c.upload != nil && !c.upload.rewind() {
			return ans, err
		}
		token, renewErr := w.cfg.Renew(ctx, *refused)
		if renewErr != nil || token.Empty() || hasControl(token.Reveal()) {
			f.Err = errors.Join(f.Err, renewErr)
			return nil, f
		}
		w.credential.token.CompareAndSwap(refused, &token)
		return next(ctx, c)
	}
}
