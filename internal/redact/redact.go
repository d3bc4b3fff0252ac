// Package redact keeps secrets out of logs. Every logger of the program writes
// through [Handler], so a secret that reaches a log call by mistake is masked
// on its way out: by the name of its field, or by its look.
//
// It is the last line, not the first: a value known to be secret has a type
// that prints as "redacted". The package knows no configuration and no other
// package of ours; start reading at [Text].
package redact

import (
	"log/slog"
	"net/url"
	"regexp"
	"strings"
)

// Mask stands where a secret stood.
const Mask = "[redacted]"

// secretLook matches what Atlassian tokens, JSON web tokens, bearer and basic
// credentials and our own agent keys and signing secrets look like, and secrets inside a URL's
// query. The first group, when there is one, is kept.
const secretLook = `(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}` +
	`|\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}` +
	`|\bAT[AC]TT[A-Za-z0-9_=-]{6,}` +
	`|\bcmk_[A-Za-z0-9]+_[A-Za-z0-9_-]+` +
	`|\bcmh_[A-Za-z0-9_-]{20,}` +
	`|([?&](?:access_token|refresh_token|token|code|state|client_secret|api_key|key|password|secret|code_verifier)=)[^&\s"']+`

// Rules masks secrets. Make one with [New]; it is safe for concurrent use.
type Rules struct {
	look *regexp.Regexp
}

// New prepares the rules.
func New() *Rules { return &Rules{look: regexp.MustCompile(secretLook)} }

// Text masks everything in s that looks like a secret.
func (r *Rules) Text(s string) string {
	return r.look.ReplaceAllString(s, "${1}${2}"+Mask)
}

// secretName reports whether a field or header of this name is never shown,
// whatever it holds.
func secretName(name string) bool {
	n := strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(name))
	switch n {
	case "authorization", "proxy_authorization", "cookie", "set_cookie", "code", "code_verifier", "x_api_key", "api_key", "key", "private_key":
		return true
	}
	for _, part := range []string{"token", "secret", "password", "passphrase", "credential"} {
		if strings.Contains(n, part) {
			return true
		}
	}
	return false
}

// Attr is a slog ReplaceAttr function: it masks secret names, and what looks
// like a secret inside strings, errors and URLs. Numbers, booleans, times and
// durations pass.
func (r *Rules) Attr(_ []string, a slog.Attr) slog.Attr {
	if secretName(a.Key) && a.Value.Kind() != slog.KindBool {
		return slog.String(a.Key, Mask)
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.Text(v.String()))
	case slog.KindAny:
		a.Value = r.any(v)
	}
	return a
}

func (r *Rules) any(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case error:
		return slog.StringValue(r.Text(x.Error()))
	case *url.URL:
		if x == nil {
			return slog.StringValue("")
		}
		c := *x
		c.User = nil
		if c.RawQuery != "" {
			c.RawQuery = Mask
		}
		return slog.StringValue(r.Text(c.String()))
	case *slog.Source:
		return v
	default:
		return slog.StringValue(r.Text(v.String()))
	}
}
