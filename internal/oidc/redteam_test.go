package oidc_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/oidc"
)

// Tokens of issuers: section B of the red-team list. What is refused here
// never becomes a caller; package cmd shows that nothing reaches Confluence.

func part(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(text)
}

func TestB02_ForgedAlgorithmsAndKeyAddresses(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	now := c.Now()
	_, err := j.Judge(t.Context(), p.token(now, nil))
	require.NoError(t, err, "a good one is accepted, so that refusals mean something")

	var lured atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Add(1) }))
	t.Cleanup(lure.Close)
	public, err := x509.MarshalPKIXPublicKey(p.private.Public())
	require.NoError(t, err)
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	_, own, p256, _, _ := otherKeys(t)
	good := p.claims(now, nil)
	none := part(t, map[string]string{"alg": "none", "typ": "at+jwt"}) + "." + part(t, good) + "."
	parts := strings.Split(p.token(now, nil), ".")
	header := func(v map[string]any) string { return part(t, v) + "." + parts[1] + "." + parts[2] }

	for name, raw := range map[string]string{
		"none":                      none,
		"None":                      part(t, map[string]string{"alg": "None"}) + "." + part(t, good) + ".",
		"none with a signature":     part(t, map[string]string{"alg": "none"}) + "." + parts[1] + "." + parts[2],
		"HS256 with the public key": sign(t, asPEM, jose.HS256, nil, good),
		"HS256 with its DER":        sign(t, public, jose.HS256, nil, good),
		"RS512":                     sign(t, p.private, jose.RS512, nil, good),
		"PS256":                     sign(t, p.private, jose.PS256, nil, good),
		"no algorithm":              header(map[string]any{"kid": "one"}),
		"a list of algorithms":      header(map[string]any{"alg": []string{"RS256"}, "kid": "one"}),
		"another key":               sign(t, own, jose.RS256, nil, good),
		"another kind of key":       sign(t, p256, jose.ES256, nil, good),
		"unknown crit":              sign(t, p.private, jose.RS256, map[jose.HeaderKey]any{"crit": []string{"x-own"}, "x-own": true}, good),
		"jku":                       sign(t, own, jose.RS256, map[jose.HeaderKey]any{"jku": lure.URL + "/keys"}, good),
		"jku, good signature":       sign(t, p.private, jose.RS256, map[jose.HeaderKey]any{"jku": lure.URL + "/keys"}, good),
		"x5u":                       sign(t, own, jose.RS256, map[jose.HeaderKey]any{"x5u": lure.URL + "/cert"}, good),
		"its own key":               sign(t, own, jose.RS256, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: own.Public(), KeyID: "one"}}, good),
		"changed claims":            parts[0] + "." + part(t, p.claims(now, map[string]any{"sub": "s-2"})) + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"two parts":                 parts[0] + "." + parts[1],
		"padded":                    parts[0] + "=." + parts[1] + "." + parts[2],
		"as JSON":                   `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"huge":                      p.token(now, map[string]any{"x": strings.Repeat("x", 20_000)}),
	} {
		t.Run(name, func(t *testing.T) {
			who, err := j.Judge(t.Context(), raw)
			require.ErrorIs(t, err, oidc.ErrRefused)
			assert.Zero(t, who)
		})
	}
	assert.Zero(t, lured.Load(), "no address of a token is asked")
	assert.Equal(t, int64(1), p.fetches.Load(), "a wrong signature is no reason to ask for keys again")
}

func TestB03_WrongClaims(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	now := c.Now()
	for name, changed := range map[string]map[string]any{
		"audience is Atlassian":    {"aud": "https://api.atlassian.com"},
		"audience is another app":  {"aud": []string{"other", audience + "/"}},
		"audience begins the same": {"aud": audience[:len(audience)-1]},
		"audience in upper case":   {"aud": strings.ToUpper(audience)},
		"no audience":              {"aud": nil},
		"issuer with a slash":      {"iss": p.server.URL + "/"},
		"issuer is Atlassian":      {"iss": "https://auth.atlassian.com"},
		"no issuer":                {"iss": nil},
		"issuer is a list":         {"iss": []string{p.server.URL}},
		"expired":                  {"exp": now.Add(-time.Minute).Unix()},
		"expired at the leeway":    {"exp": now.Add(-30 * time.Second).Unix()},
		"no end":                   {"exp": nil},
		"end is zero":              {"exp": 0},
		"end is text":              {"exp": "9999999999"},
		"end is never":             {"exp": 1e300},
		"not yet":                  {"nbf": now.Add(time.Minute).Unix()},
		"not yet is text":          {"nbf": "soon"},
		"from the future":          {"iat": now.Add(time.Minute).Unix()},
		"no subject":               {"sub": nil},
		"empty subject":            {"sub": ""},
		"subject with a line":      {"sub": "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := j.Judge(t.Context(), p.token(now, changed))
			require.ErrorIs(t, err, oidc.ErrRefused)
			assert.Zero(t, who)
		})
	}
	for name, changed := range map[string]map[string]any{
		"clocks a little apart": {"exp": now.Add(-20 * time.Second).Unix(), "nbf": now.Add(20 * time.Second).Unix(), "iat": now.Add(20 * time.Second).Unix()},
		"one of several":        {"aud": []string{"other", audience}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := j.Judge(t.Context(), p.token(now, changed))
			assert.NoError(t, err)
		})
	}
}

func TestB04_IDTokenIsNoAccessToken(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	now := c.Now()
	typed := func(typ any, changed map[string]any) string {
		return sign(t, p.private, jose.RS256, map[jose.HeaderKey]any{jose.HeaderType: typ}, p.claims(now, changed))
	}
	for name, raw := range map[string]string{
		"plain":                 typed("JWT", map[string]any{"scope": nil, "nonce": "n"}),
		"no scopes":             typed("JWT", map[string]any{"scope": "", "scp": []string{}}),
		"bound to a token":      typed("JWT", map[string]any{"at_hash": "x"}),
		"bound to a code":       typed("at+jwt", map[string]any{"c_hash": "x"}),
		"Keycloak's":            typed("JWT", map[string]any{"typ": "ID"}),
		"Keycloak's refresh":    typed("JWT", map[string]any{"typ": "Refresh"}),
		"Cognito's":             typed("JWT", map[string]any{"token_use": "id"}),
		"a logout token":        typed("logout+jwt", nil),
		"a security event":      typed("secevent+jwt", nil),
		"bound to a key":        typed("at+jwt", map[string]any{"cnf": map[string]string{"jkt": "x"}}),
		"a type that is a list": typed([]string{"at+jwt"}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := j.Judge(t.Context(), raw)
			require.ErrorIs(t, err, oidc.ErrRefused)
		})
	}
	for name, raw := range map[string]string{
		"RFC 9068":         typed("at+jwt", map[string]any{"scope": nil}),
		"RFC 9068 in full": typed("application/at+jwt", map[string]any{"scope": nil}),
		"Keycloak":         typed("JWT", map[string]any{"typ": "Bearer"}),
		"Okta":             typed("JWT", map[string]any{"scope": nil, "scp": []string{"confluence"}}),
		"Entra, a person":  typed("JWT", map[string]any{"scope": nil, "scp": "confluence"}),
		"Entra, a program": typed("JWT", map[string]any{"scope": nil, "idtyp": "app"}),
		"Cognito":          typed("JWT", map[string]any{"token_use": "access"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := j.Judge(t.Context(), raw)
			assert.NoError(t, err)
		})
	}
}

func TestB06_UnknownKeysDoNotHammerTheIssuer(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	now := c.Now()
	_, err := j.Judge(t.Context(), p.token(now, nil))
	require.NoError(t, err)
	_, own, _, _, _ := otherKeys(t)
	base := strings.Split(sign(t, own, jose.RS256, nil, p.claims(now, nil)), ".")
	c.advance(askInterval)

	const flood, workers, rounds = 10_000, 4, 5
	good := p.token(now, nil)
	bad, fine := make([]time.Duration, flood), make([]time.Duration, flood)
	unhindered := false
	for round := range rounds {
		from, to := round*flood/rounds, (round+1)*flood/rounds
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := from + w; i < to; i += workers {
					raw := part(t, map[string]string{"alg": "RS256", "typ": "at+jwt", "kid": fmt.Sprint("random-", i)}) + "." + base[1] + "." + base[2]
					began := time.Now()
					_, err := j.Judge(t.Context(), raw)
					bad[i] = time.Since(began)
					assert.ErrorIs(t, err, oidc.ErrRefused)
					began = time.Now()
					_, err = j.Judge(t.Context(), good)
					fine[i] = time.Since(began)
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		slow, usual := ninetyNine(bad[from:to]), ninetyNine(fine[from:to])
		t.Logf("p99 of unknown keys %v, of good tokens among them %v", slow, usual)
		unhindered = unhindered || slow < 50*time.Millisecond || slow < 3*usual // a busy machine slows both
	}
	assert.True(t, unhindered, "nobody waits for the issuer")
	assert.LessOrEqual(t, p.fetches.Load(), int64(2), "the first fetch, and one for the whole flood")
	assert.Equal(t, int64(1), p.configs.Load())
	_, err = j.Judge(t.Context(), p.token(now, nil))
	assert.NoError(t, err, "good tokens pass")
}

func ninetyNine(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// askInterval is the package's promise: at most one fetch in it.
const askInterval = time.Minute

func TestB06_ANewKeyIsFound(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	_, err := j.Judge(t.Context(), p.token(c.Now(), nil))
	require.NoError(t, err)
	_, next, _, _, _ := otherKeys(t)
	p.give(jose.JSONWebKey{Key: next.Public(), KeyID: "two", Algorithm: "RS256"})
	raw := func() string {
		return sign(t, next, jose.RS256, map[jose.HeaderKey]any{"kid": "two"}, p.claims(c.Now(), nil))
	}
	c.advance(askInterval - time.Second)
	_, err = j.Judge(t.Context(), raw())
	require.ErrorIs(t, err, oidc.ErrRefused, "too soon to ask again")
	assert.Equal(t, int64(1), p.fetches.Load())
	c.advance(2 * time.Second)
	_, err = j.Judge(t.Context(), raw())
	require.NoError(t, err)
	_, err = j.Judge(t.Context(), p.token(c.Now(), nil))
	assert.ErrorIs(t, err, oidc.ErrRefused, "a key the issuer withdrew is not good any more")
}

func TestB07_IssuerIsDown(t *testing.T) {
	p, c := newProvider(t), newClock()
	j := judge(t, c, p.rule())
	_, err := j.Judge(t.Context(), p.token(c.Now(), nil))
	require.NoError(t, err)
	p.down.Store(true)
	for range 23 {
		c.advance(time.Hour)
		_, err = j.Judge(t.Context(), p.token(c.Now(), nil))
		require.NoError(t, err, "known keys are good for a day")
	}
	c.advance(time.Hour)
	_, err = j.Judge(t.Context(), p.token(c.Now(), nil))
	require.ErrorIs(t, err, oidc.ErrRefused, "old keys are not trusted for ever")
	p.down.Store(false)
	c.advance(askInterval)
	_, err = j.Judge(t.Context(), p.token(c.Now(), nil))
	assert.NoError(t, err, "and it recovers by itself")
}

func TestB07_IssuerIsDownFromTheStart(t *testing.T) {
	p, c := newProvider(t), newClock()
	p.down.Store(true)
	j := judge(t, c, p.rule())
	for range 60 {
		_, err := j.Judge(t.Context(), p.token(c.Now(), nil))
		require.ErrorIs(t, err, oidc.ErrRefused)
		c.advance(time.Second)
	}
	assert.LessOrEqual(t, p.configs.Load(), int64(6), "it is asked less and less often")
	p.down.Store(false)
	c.advance(askInterval)
	_, err := j.Judge(t.Context(), p.token(c.Now(), nil))
	assert.NoError(t, err)
}

func TestB10_EmailsThatNameNobody(t *testing.T) {
	p, c := newProvider(t), newClock()
	r := p.rule()
	r.Account = oidc.Account{Email: true}
	j := judge(t, c, r)
	for name, changed := range map[string]map[string]any{
		"not verified":     {"email_verified": false},
		"no word of it":    {"email_verified": nil},
		"verified as text": {"email_verified": "true"},
		"verified as 1":    {"email_verified": 1},
		"upper case":       {"email": "Ann@acme.test"},
		"homoglyph":        {"email": "аnn@acme.test"},
		"Kelvin sign":      {"email": "\u212aurt@acme.test"},
		"zero width":       {"email": "ann\u200b@acme.test"},
		"two hosts":        {"email": "ann@acme.test@evil.example"},
		"with a name":      {"email": "Ann <ann@acme.test>"},
		"a space":          {"email": "ann@acme.test "},
		"no host":          {"email": "ann"},
		"a list":           {"email": []string{"ann@acme.test"}},
		"none":             {"email": nil},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := j.Judge(t.Context(), p.token(c.Now(), changed))
			require.NoError(t, err, "the person is known")
			assert.Equal(t, oidc.Person{Agent: "staff", Issuer: p.server.URL, Subject: "s-1"}, who, "but has no account")
		})
	}
	who, err := j.Judge(t.Context(), p.token(c.Now(), nil))
	require.NoError(t, err)
	assert.Equal(t, "ann@acme.test", who.Email)
	assert.Empty(t, who.AccountID, "the claim of the other rule does not count here")
}

func TestWeakAndForeignKeysAreNotUsed(t *testing.T) {
	p, c := newProvider(t), newClock()
	weak, _, p256, p384, ed := otherKeys(t)
	p.give(
		jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"},
		jose.JSONWebKey{Key: p256.Public(), KeyID: "p256"},
		jose.JSONWebKey{Key: p384.Public(), KeyID: "p384"},
		jose.JSONWebKey{Key: ed.Public(), KeyID: "ed"},
		jose.JSONWebKey{Key: p.private.Public(), KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: p.private.Public(), KeyID: "other", Algorithm: "RS512"},
		jose.JSONWebKey{Key: []byte("a shared secret of thirty-two b."), KeyID: "oct"},
	)
	j := judge(t, c, p.rule())
	with := func(key any, a jose.SignatureAlgorithm, id string) error {
		_, err := j.Judge(t.Context(), sign(t, key, a, map[jose.HeaderKey]any{"kid": id}, p.claims(c.Now(), nil)))
		return err
	}
	require.NoError(t, with(p256, jose.ES256, "p256"))
	require.NoError(t, with(ed, jose.EdDSA, "ed"))
	assert.IsType(t, &rsa.PrivateKey{}, weak)
	for id, err := range map[string]error{
		"weak": with(weak, jose.RS256, "weak"), "p384": with(p384, jose.ES384, "p384"), "enc": with(p.private, jose.RS256, "enc"),
		"other": with(p.private, jose.RS256, "other"), "oct": with([]byte("a shared secret of thirty-two b."), jose.HS256, "oct"),
	} {
		assert.ErrorIs(t, err, oidc.ErrRefused, id)
	}
}
