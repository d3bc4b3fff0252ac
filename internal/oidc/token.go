package oidc

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Limits of a token, and how far two clocks may be apart.
const (
	maxToken = 16 << 10 // bytes
	maxName  = 255      // bytes of a subject or an account
	leeway   = 30 * time.Second
)

// algorithms are the signatures that count. None of them works with a shared
// secret, so a public key can never be taken for one.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// token is one whose signature, issuer and dates are good.
type token struct {
	issuer   string
	subject  string
	audience []string
	scopes   []string
	claims   claims
}

// inspect looks at a token before anything is asked of anybody, and gives the
// issuer it claims to be from.
func inspect(raw string) (issuer string, err error) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 {
		return "", refused("it is not a signed token")
	}
	header, payload := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || decodePart(parts[0], &header) != nil || decodePart(parts[1], &payload) != nil {
		return "", refused("it is not a signed token")
	}
	var algorithm string
	if json.Unmarshal(header["alg"], &algorithm) != nil || !slices.Contains(algorithms, jose.SignatureAlgorithm(algorithm)) {
		return "", refused("its algorithm is not accepted")
	}
	for _, name := range []string{"crit", "jku", "x5u", "jwk", "x5c"} { // extensions, and keys that a token brings itself
		if _, ok := header[name]; ok {
			return "", refused("its header has " + name)
		}
	}
	if err := isAccessToken(header["typ"], payload); err != nil {
		return "", err
	}
	if json.Unmarshal(payload["iss"], &issuer) != nil {
		return "", refused("it has no issuer")
	}
	return issuer, nil
}

func decodePart(part string, to *map[string]json.RawMessage) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// isAccessToken tells access tokens from what else an issuer signs. Those of
// RFC 9068 say so in their type; others are known by their scopes, or, for
// programs at Entra, by idtyp. A token bound to a key that the caller would
// have to prove is no bearer token.
func isAccessToken(typ json.RawMessage, payload map[string]json.RawMessage) error {
	kind, err := tokenType(typ)
	if err != nil {
		return err
	}
	for _, name := range []string{"at_hash", "c_hash", "cnf"} {
		if _, ok := payload[name]; ok {
			return refused("it has " + name + ", which no bearer access token has")
		}
	}
	given := claims(payload)
	if use := given.text("token_use"); use != "" && use != "access" { // Cognito
		return refused("it is not for access")
	}
	if own := given.text("typ"); own != "" && !strings.EqualFold(own, "Bearer") && !strings.EqualFold(own, "JWT") { // Keycloak
		return refused("it is not for access")
	}
	if kind != "at+jwt" && len(given.scopes()) == 0 && given.text("idtyp") != "app" {
		return refused("it says neither by its type nor by a scope that it is an access token")
	}
	return nil
}

// tokenType is the type a token's header names, without its prefix and in lower
// case: empty, jwt or at+jwt.
func tokenType(typ json.RawMessage) (string, error) {
	var kind string
	if typ != nil && json.Unmarshal(typ, &kind) != nil {
		return "", refused("its type is not text")
	}
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	if kind != "" && kind != "jwt" && kind != "at+jwt" {
		return "", refused("it is of another type than an access token")
	}
	return kind, nil
}

// verify checks signature, issuer and dates.
func (i *issuer) verify(ctx context.Context, raw string, now time.Time) (token, error) {
	signed := &signature{keys: i.keys}
	good, err := newVerifier(i.url, signed).Verify(ctx, raw)
	switch {
	case signed.err != nil:
		return token{}, signed.err
	case err != nil:
		return token{}, refused("it is malformed")
	}
	var given claims
	if good.Claims(&given) != nil {
		return token{}, refused("its claims are not an object")
	}
	if err := given.inDate(now); err != nil {
		return token{}, err
	}
	if !isName(good.Subject) {
		return token{}, refused("it has no subject")
	}
	return token{issuer: i.url, subject: good.Subject, audience: good.Audience, scopes: given.scopes(), claims: given}, nil
}

// inDate wants an end that has not passed, and no beginning still to come.
func (c claims) inDate(now time.Time) error {
	end, ok := c.time("exp")
	switch {
	case !ok:
		return refused("it has no end")
	case !now.Before(end.Add(leeway)):
		return refused("it has expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		if _, given := c[name]; !given {
			continue
		}
		begin, ok := c.time(name)
		if !ok || begin.After(now.Add(leeway)) {
			return refused("it is not good yet")
		}
	}
	return nil
}

func (t token) hasScopes(wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(t.scopes, s) })
}

// person is whom the token stands for under a rule.
func (t token) person(r Rule) Person {
	p := Person{Agent: r.Agent, Issuer: t.issuer, Subject: t.subject}
	if r.Account.Claim != "" {
		if id := t.claims.textAt(r.Account.Claim); isName(id) && !strings.Contains(id, "@") {
			p.AccountID = id // an address would be one nobody has verified
		}
	}
	if r.Account.Email {
		p.Email = t.claims.verifiedEmail()
	}
	return p
}

// claims are the members of a token's payload.
type claims map[string]json.RawMessage

func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// at finds a claim by its name, or else by a path with dots.
func (c claims) at(path string) json.RawMessage {
	if v, ok := c[path]; ok {
		return v
	}
	head, rest, more := strings.Cut(path, ".")
	if !more {
		return nil
	}
	var inner claims
	if json.Unmarshal(c[head], &inner) != nil {
		return nil
	}
	return inner.at(rest)
}

func (c claims) textAt(path string) string {
	var s string
	if json.Unmarshal(c.at(path), &s) != nil {
		return ""
	}
	return s
}

// time reads a date in seconds since 1970, whole or not.
func (c claims) time(name string) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 || seconds > math.MaxInt32*100 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// scopes are those of the claim scope (words) or scp (words or a list).
func (c claims) scopes() []string {
	for _, name := range []string{"scope", "scp"} {
		if s := strings.Fields(c.text(name)); len(s) > 0 {
			return s
		}
		var list []string
		if json.Unmarshal(c[name], &list) == nil && len(list) > 0 {
			return list
		}
	}
	return nil
}

// match reports whether every wanted claim has its value, or holds it.
func (c claims) match(wanted map[string]string) bool {
	for path, value := range wanted {
		if !holds(c.at(path), value) {
			return false
		}
	}
	return true
}

// holds compares one value, or each of a list. Numbers and truth values
// compare as they are written.
func holds(raw json.RawMessage, value string) bool {
	raw = bytes.TrimSpace(raw)
	var list []json.RawMessage
	if len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil {
		return slices.ContainsFunc(list, func(one json.RawMessage) bool { return scalar(one) == value })
	}
	return len(raw) > 0 && scalar(raw) == value
}

// scalar is a text, a number or a truth value as text; anything else is a text
// nobody can configure.
func scalar(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var s string
	switch {
	case json.Unmarshal(raw, &s) == nil && raw[0] == '"':
		return s
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
		return "\x00"
	}
	return string(raw)
}

// verifiedEmail is the address the issuer vouches for, or "".
func (c claims) verifiedEmail() string {
	var verified bool
	if json.Unmarshal(c["email_verified"], &verified) != nil || !verified {
		return ""
	}
	if address := c.text("email"); PlainAddress(address) {
		return address
	}
	return ""
}

// PlainAddress reports whether an e-mail address can name somebody: plain
// ASCII in lower case, at most 255 bytes. An address that looks like
// somebody's, or that two programs would fold differently, is nobody's.
func PlainAddress(address string) bool {
	local, host, ok := strings.Cut(address, "@")
	odd := strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII || r >= 'A' && r <= 'Z' })
	return ok && local != "" && host != "" && !strings.Contains(host, "@") && !odd && len(address) <= maxName
}

// isName reports whether a text can name a subject or an account.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}

// signature is one look at a signature. The library keeps only the text of an
// error; why it failed is kept here.
type signature struct {
	keys *keys
	err  error
}

// VerifySignature implements the library's KeySet.
func (s *signature) VerifySignature(ctx context.Context, jwt string) (payload []byte, err error) {
	payload, s.err = s.keys.verify(ctx, jwt)
	return payload, s.err
}

// newVerifier makes the library's verifier. Audience and dates are judged
// here: each rule has its own audience, and the library's leeway is minutes.
func newVerifier(issuer string, keys gooidc.KeySet) *gooidc.IDTokenVerifier {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return gooidc.NewVerifier(issuer, keys, &gooidc.Config{SupportedSigningAlgs: names, SkipClientIDCheck: true, SkipExpiryCheck: true})
}
