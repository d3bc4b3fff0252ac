package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/oidc"
)

const audience = "https://mcp.acme.example/mcp"

// provider is an identity provider on loopback that counts what it is asked.
type provider struct {
	t       testing.TB
	server  *httptest.Server
	private crypto.Signer
	down    atomic.Bool
	configs atomic.Int64
	fetches atomic.Int64 // of keys
	others  atomic.Int64 // anything else that was asked

	mu     sync.Mutex
	public []jose.JSONWebKey
	issuer string // what its configuration says; "" its own address
	keysAt string
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &provider{t: t, private: private}
	p.public = []jose.JSONWebKey{{Key: private.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}
	p.server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.server.Close)
	return p
}

func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.configs.Add(1)
	case "/keys":
		p.fetches.Add(1)
	default:
		p.others.Add(1)
	}
	if p.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]string{"issuer": p.server.URL, "jwks_uri": p.server.URL + "/keys"}
		if p.issuer != "" {
			doc["issuer"] = p.issuer
		}
		if p.keysAt != "" {
			doc["jwks_uri"] = p.keysAt
		}
		_ = json.NewEncoder(w).Encode(doc)
	case "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.public})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *provider) give(keys ...jose.JSONWebKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.public = keys
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// claims are those of a good access token, with some changed; nil leaves one
// out.
func (p *provider) claims(now time.Time, changed map[string]any) map[string]any {
	all := map[string]any{
		"iss": p.server.URL, "sub": "s-1", "aud": audience, "scope": "confluence",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"email": "ann@acme.test", "email_verified": true, "atlassian_account_id": "u-ann",
	}
	for name, v := range changed {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	return all
}

// sign makes a token. Headers are added to those of a good one.
func sign(t testing.TB, key any, algorithm jose.SignatureAlgorithm, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "one")
	for name, v := range header {
		o = o.WithHeader(name, v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, o)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	raw, err := jws.CompactSerialize()
	require.NoError(t, err)
	return raw
}

func (p *provider) token(now time.Time, changed map[string]any) string {
	return sign(p.t, p.private, jose.RS256, nil, p.claims(now, changed))
}

func judge(t testing.TB, c *clock, rules ...oidc.Rule) *oidc.Judge {
	t.Helper()
	j, err := oidc.New(oidc.Config{Rules: rules, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return j
}

func (p *provider) rule() oidc.Rule {
	return oidc.Rule{Agent: "staff", Issuer: p.server.URL, Audience: audience, Account: oidc.Account{Claim: "atlassian_account_id"}}
}

func otherKeys(t *testing.T) (weak, rsaKey, p256, p384, ed crypto.Signer) {
	t.Helper()
	var err error
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err = rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	rsaKey, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return weak, rsaKey, p256, p384, private
}
