package oidc_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/oidc"
)

func TestRulesThatAreRefused(t *testing.T) {
	good := oidc.Rule{Agent: "a", Issuer: "https://id.acme.example/realms/acme", Audience: audience}
	with := func(change func(*oidc.Rule)) oidc.Rule {
		r := good
		change(&r)
		return r
	}
	for name, r := range map[string]oidc.Rule{
		"no agent":       with(func(r *oidc.Rule) { r.Agent = "" }),
		"no audience":    with(func(r *oidc.Rule) { r.Audience = "" }),
		"no issuer":      with(func(r *oidc.Rule) { r.Issuer = "" }),
		"plain http":     with(func(r *oidc.Rule) { r.Issuer = "http://id.acme.example" }),
		"a user":         with(func(r *oidc.Rule) { r.Issuer = "https://u:p@id.acme.example" }),
		"a query":        with(func(r *oidc.Rule) { r.Issuer = "https://id.acme.example/?x=1" }),
		"a fragment":     with(func(r *oidc.Rule) { r.Issuer = "https://id.acme.example/#" }),
		"a file":         with(func(r *oidc.Rule) { r.Issuer = "file:///etc/passwd" }),
		"Atlassian":      with(func(r *oidc.Rule) { r.Issuer = "https://auth.atlassian.com" }),
		"Atlassian site": with(func(r *oidc.Rule) { r.Issuer = "https://ACME.atlassian.net" }),
		"two accounts":   with(func(r *oidc.Rule) { r.Account = oidc.Account{Claim: "x", Email: true} }),
	} {
		_, err := oidc.New(oidc.Config{Rules: []oidc.Rule{r}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		assert.Error(t, err, name)
	}
	_, err := oidc.New(oidc.Config{Rules: []oidc.Rule{good}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	assert.NoError(t, err)
}

func TestTheFirstRuleThatFits(t *testing.T) {
	p, c := newProvider(t), newClock()
	rule := func(agent string, match map[string]string, scopes ...string) oidc.Rule {
		r := p.rule()
		r.Agent, r.Match, r.Scopes = agent, match, scopes
		return r
	}
	j := judge(t, c,
		rule("writers", map[string]string{"groups": "writers"}, "confluence", "confluence.write"),
		rule("readers", map[string]string{"realm_access.roles": "reader", "active": "true"}, "confluence"),
		rule("robots", map[string]string{"https://acme.example/kind": "robot", "level": "7"}),
	)
	for name, c2 := range map[string]struct {
		claims map[string]any
		agent  string
		needs  []string
	}{
		"in a list":          {claims: map[string]any{"groups": []string{"staff", "writers"}, "scope": "confluence confluence.write"}, agent: "writers"},
		"one value":          {claims: map[string]any{"groups": "writers", "scope": "confluence.write openid confluence"}, agent: "writers"},
		"a scope is missing": {claims: map[string]any{"groups": "writers"}, needs: []string{"confluence", "confluence.write"}},
		"words do not count": {claims: map[string]any{"groups": "staff writers"}, needs: nil},
		"inside":             {claims: map[string]any{"realm_access": map[string]any{"roles": []string{"reader"}}, "active": true}, agent: "readers"},
		"half of it":         {claims: map[string]any{"realm_access": map[string]any{"roles": []string{"reader"}}, "active": "false"}},
		"a name with dots":   {claims: map[string]any{"https://acme.example/kind": "robot", "level": 7}, agent: "robots"},
		"falls through":      {claims: map[string]any{"groups": "writers", "realm_access": map[string]any{"roles": "reader"}, "active": true}, agent: "readers"},
		"none":               {claims: nil},
		"an object":          {claims: map[string]any{"groups": map[string]any{"writers": true}}},
		"null":               {claims: map[string]any{"groups": []any{nil, 0, map[string]any{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := j.Judge(t.Context(), p.token(c.Now(), c2.claims))
			if c2.agent != "" {
				require.NoError(t, err)
				assert.Equal(t, c2.agent, who.Agent)
				return
			}
			var no *oidc.Forbidden
			require.ErrorAs(t, err, &no)
			assert.Equal(t, c2.needs, no.Scopes)
			assert.False(t, errors.Is(err, oidc.ErrRefused))
		})
	}
}

func TestAccountsByClaim(t *testing.T) {
	p, c := newProvider(t), newClock()
	r := p.rule()
	named, nobody, nested := r, r, r
	nobody.Account = oidc.Account{}
	nested.Account.Claim = "ext.account"
	for name, c2 := range map[string]struct {
		rule    oidc.Rule
		claims  map[string]any
		account string
	}{
		"named":             {rule: named, account: "u-ann"},
		"absent":            {rule: named, claims: map[string]any{"atlassian_account_id": nil}},
		"a list":            {rule: named, claims: map[string]any{"atlassian_account_id": []string{"u-ann"}}},
		"a space":           {rule: named, claims: map[string]any{"atlassian_account_id": "u-ann x"}},
		"too long":          {rule: named, claims: map[string]any{"atlassian_account_id": strings.Repeat("u", 300)}},
		"inside":            {rule: nested, claims: map[string]any{"ext": map[string]any{"account": "u-bob"}}, account: "u-bob"},
		"sub is no default": {rule: nobody},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := judge(t, c, c2.rule).Judge(t.Context(), p.token(c.Now(), c2.claims))
			require.NoError(t, err)
			assert.Equal(t, oidc.Person{Agent: "staff", Issuer: p.server.URL, Subject: "s-1", AccountID: c2.account}, who)
		})
	}
}

func TestTwoIssuersDoNotVouchForEachOther(t *testing.T) {
	one, two, c := newProvider(t), newProvider(t), newClock()
	j := judge(t, c, one.rule(), two.rule())
	for _, p := range []*provider{one, two} {
		who, err := j.Judge(t.Context(), p.token(c.Now(), nil))
		require.NoError(t, err)
		assert.Equal(t, p.server.URL, who.Issuer)
	}
	_, err := j.Judge(t.Context(), sign(t, two.private, jose.RS256, nil, one.claims(c.Now(), nil)))
	assert.ErrorIs(t, err, oidc.ErrRefused, "two's key under one's name")
}

func TestAnIssuersDocumentsAreItsOwn(t *testing.T) {
	var lured atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Add(1) }))
	t.Cleanup(lure.Close)
	for name, change := range map[string]func(*provider){
		"of another issuer":     func(p *provider) { p.issuer = "https://id.acme.example" },
		"keys elsewhere":        func(p *provider) { p.keysAt = lure.URL + "/keys" },
		"keys at another name":  func(p *provider) { p.keysAt = strings.Replace(p.server.URL, "127.0.0.1", "localhost", 1) + "/keys" },
		"keys by a user":        func(p *provider) { p.keysAt = strings.Replace(p.server.URL, "http://", "http://u@", 1) + "/keys" },
		"keys in a file":        func(p *provider) { p.keysAt = "file:///etc/passwd" },
		"keys at metadata":      func(p *provider) { p.keysAt = "http://169.254.169.254/latest" },
		"keys that are nothing": func(p *provider) { p.keysAt = p.server.URL + "/nothing" },
		"redirected":            func(p *provider) { p.server.Config.Handler = http.RedirectHandler(lure.URL, http.StatusFound) },
		"huge": func(p *provider) {
			p.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newProvider(t), newClock()
			change(p)
			_, err := judge(t, c, p.rule()).Judge(t.Context(), p.token(c.Now(), nil))
			require.ErrorIs(t, err, oidc.ErrRefused)
		})
	}
	assert.Zero(t, lured.Load(), "nobody else is asked")
}

// TestAnIssuerOverTLS: https is verified, against the roots that are given.
func TestAnIssuerOverTLS(t *testing.T) {
	p, c := newProvider(t), newClock()
	p.server.Close()
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	for name, c2 := range map[string]struct {
		roots *x509.CertPool
		good  bool
	}{"trusted": {roots, true}, "unknown certificate": {x509.NewCertPool(), false}} {
		t.Run(name, func(t *testing.T) {
			j, err := oidc.New(oidc.Config{Rules: []oidc.Rule{p.rule()}, Roots: c2.roots, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			_, err = j.Judge(t.Context(), p.token(c.Now(), nil))
			assert.Equal(t, c2.good, err == nil, "%v", err)
		})
	}
}

// TestNoAddressOfThisMachineIsDialled: a name that resolves to loopback is not
// an issuer's, whatever DNS says.
func TestNoAddressOfThisMachineIsDialled(t *testing.T) {
	var asked atomic.Int64
	here := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(here.Close)
	p, c := newProvider(t), newClock()
	for _, host := range []string{"0.0.0.0", "[::]", "[::ffff:0.0.0.0]"} {
		issuer := strings.Replace(here.URL, "127.0.0.1", host, 1)
		r := p.rule()
		r.Issuer = issuer
		_, err := judge(t, c, r).Judge(t.Context(), p.token(c.Now(), map[string]any{"iss": issuer}))
		require.ErrorIs(t, err, oidc.ErrRefused, host)
	}
	assert.Zero(t, asked.Load())
}

// TestNoByteOfATokenMayChange: whatever stands anywhere in it is signed, or is
// the signature.
func TestNoByteOfATokenMayChange(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	good := p.token(c.Now(), nil)
	_, err := j.Judge(t.Context(), good)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
		with := rapid.SampledFrom([]byte("AZaz09-_.=+/ \x00\xff")).Draw(t, "with")
		changed := []byte(good)
		if changed[at] == with {
			return
		}
		changed[at] = with
		_, err := j.Judge(context.Background(), string(changed))
		require.ErrorIs(t, err, oidc.ErrRefused)
	})
}

// TestRefusalsAreLogged: an admin learns why, without a word of the token, and
// a flood says it once a second.
func TestRefusalsAreLogged(t *testing.T) {
	p, c := newProvider(t), newClock()
	var log bytes.Buffer
	j, err := oidc.New(oidc.Config{Rules: []oidc.Rule{p.rule()}, Now: c.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	bad := p.token(c.Now(), map[string]any{"aud": "canary-audience", "sub": "canary-subject"})
	for range 100 {
		_, err := j.Judge(t.Context(), bad)
		require.ErrorIs(t, err, oidc.ErrRefused)
	}
	c.advance(time.Second)
	_, err = j.Judge(t.Context(), bad)
	require.ErrorIs(t, err, oidc.ErrRefused)
	assert.Equal(t, 2, strings.Count(log.String(), "made for another audience"), log.String())
	assert.Contains(t, log.String(), "others_since_the_last=99")
	assert.NotContains(t, log.String(), "canary")
	assert.NotContains(t, log.String(), bad[:20])
}

// BenchmarkJudge is what a token costs with every request it comes with.
func BenchmarkJudge(b *testing.B) {
	p, c := newProvider(b), newClock()
	j := judge(b, c, p.rule())
	good := p.token(c.Now(), nil)
	for b.Loop() {
		if _, err := j.Judge(b.Context(), good); err != nil {
			b.Fatal(err)
		}
	}
}
