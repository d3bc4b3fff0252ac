package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"confluence-mcp/internal/confluence"
)

// problem gives the embedded error a field name that is not its method's.
type problem = confluence.Error

// failure is a failed attempt with what retry, pacing and the callers inside
// this package must know beyond the error's kind. It never leaves the package.
type failure struct {
	*problem
	status   int           // HTTP status, 0 when there was no answer
	upstream string        // the sentence of the answer, cleaned
	unsent   bool          // nothing of the request can have reached Confluence
	passing  bool          // trying again can help: 429, 502, 503, 504, network
	bare     bool          // a 404 that names nothing: also the shape of bad credentials
	wait     time.Duration // what the answer asked for; 0: nothing
	quota    bool          // the limit is the app's, not one endpoint's
}

// Unwrap makes errors.As find the confluence.Error itself, not its cause.
func (f *failure) Unwrap() error { return f.problem }

func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// outward strips the package's own wrapper: callers see *confluence.Error only.
func outward(err error) error {
	if f := asFailure(err); f != nil {
		return f.problem
	}
	return err
}

// netFailure translates an error without an answer.
func netFailure(ctx context.Context, c *call, err error) error {
	f := &failure{problem: &confluence.Error{Kind: confluence.Unavailable, Op: c.op, Ref: c.ref, Err: scrub(err)}}
	var judged *confluence.Error
	if errors.As(err, &judged) { // the guard's, the credential's or a reader's own
		e := *judged
		e.Op, e.Ref = c.op, c.ref
		return &failure{problem: &e, unsent: e.Kind == confluence.Denied}
	}
	switch {
	case ctx.Err() != nil:
		f.say("net.timeout", "the call was cancelled or ran out of time before Confluence answered", "Try again, or ask for less at once.")
	case errors.Is(err, errBlockedAddress):
		f.Kind, f.unsent = confluence.Denied, true
		f.say("net.redirect_blocked", "the host leads to an address that is not allowed", "Check the DNS entry of the host.")
	case isTLS(err):
		f.unsent = true
		reason, next := tlsReason(err)
		f.say("net.tls", "the certificate or TLS setup of Confluence is not trusted: "+reason, next)
	default:
		f.network(err)
	}
	return f
}

func (f *failure) say(code, message, next string) {
	f.Code, f.Message, f.Next = code, message, next
}

func (f *failure) network(err error) {
	f.passing = true
	var dns *net.DNSError
	var op *net.OpError
	f.unsent = errors.As(err, &op) && op.Op == "dial"
	switch {
	case errors.As(err, &dns):
		f.unsent = true
		f.passing = !dns.IsNotFound
		f.say("net.unavailable", "the host name of the base URL cannot be resolved", "Check the base URL and the DNS of this machine.")
	case errors.Is(err, syscall.ECONNREFUSED):
		f.say("net.unavailable", "the connection to Confluence was refused", "Check host and port of the base URL, and that the site is up.")
	case isTimeout(err):
		f.say("net.timeout", "Confluence did not answer in time", "Try again later, or ask for less at once.")
	default:
		f.say("net.unavailable", "the connection to Confluence broke", "Try again.")
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, errIdle) || errors.Is(err, context.DeadlineExceeded)
}

func isTLS(err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
	)
	return errors.As(err, &unknown) || errors.As(err, &invalid) || errors.As(err, &hostname) ||
		errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// tlsReason is what is wrong with the other side's TLS and what helps. There
// is no way to go on without trust.
func tlsReason(err error) (reason, next string) {
	var (
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
	)
	switch {
	case errors.As(err, &unknown):
		return "unknown certificate authority", "Check the address; if the site has a private certificate authority, add that to the certificates this machine trusts."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not yet valid", "Have the certificate renewed, and check the clock of this machine."
	case errors.As(err, &hostname):
		return "the certificate is for another host", "Name the host in the base URL as the certificate does."
	}
	return "the TLS handshake failed", "Check scheme, host and port of the base URL, and any proxy in between."
}

// scrub drops the query of the address that net/http puts into its errors: it
// can hold a signed media token.
func scrub(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// statusFailure translates an answer that is not a success.
func statusFailure(c *call, res *http.Response, body []byte, now time.Time) error {
	f := &failure{problem: &confluence.Error{Op: c.op, Ref: c.ref}, status: res.StatusCode}
	html := isHTML(res, body)
	if !html {
		f.upstream, f.bare = upstreamSentence(body)
		f.upstream = withhold(f.upstream, res.Request)
	}
	f.Err = &statusError{res.StatusCode, f.upstream}
	switch s := res.StatusCode; {
	case s >= 300 && s < 400:
		f.problem = redirectBlocked("Confluence answered with a redirect that is not followed")
		f.Op, f.Ref = c.op, c.ref
	case s == 401:
		f.unauthorized(res.Request, html)
	case s == 403:
		f.forbidden()
	case s == 404 && html:
		f.notConfluence()
	case s == 404 || s == 410:
		f.Kind = confluence.NotFound
		f.notFound(c)
		if res.Header.Get("Atlassian-DataSecurityPolicy") == "app_access_blocked" {
			f.say("", "the organisation's data security policy hides it from apps", "Ask an organisation admin to allow this app.")
		}
	case s == 409:
		f.conflict()
	case s == 413:
		f.Kind = confluence.Limited
		f.say("limit.too_large", "the content is larger than Confluence accepts", "Make it smaller or split it.")
	case s == 429:
		f.limited(res.Header, now)
	case s < 500:
		f.badRequest(c, html)
	default:
		f.upstreamDown(res, now)
	}
	return f
}

// notFound is also what the second generation says to a change that is not
// permitted.
func (f *failure) notFound(c *call) {
	if c.changes() {
		f.say("", "it does not exist, or this account may not see or change it", "Check the id; where it can be read, ask a space administrator for the right.")
		return
	}
	f.say("", "it does not exist or is not visible to this account", "Check the id, or search for it.")
}

func (f *failure) badRequest(c *call, html bool) {
	if strings.Contains(f.upstream, "Version must be incremented") {
		f.conflict()
		return
	}
	f.Kind = confluence.Invalid
	message := "Confluence refused the request"
	if f.upstream != "" {
		message += ": " + f.upstream
	} else if html {
		message += " without a reason"
	}
	f.say(c.badCode, message, "Change the request; sending it again unchanged will fail again.")
}

func (f *failure) unauthorized(req *http.Request, html bool) {
	if strings.Contains(strings.ToLower(f.upstream), "scope") {
		f.Kind = confluence.Denied
		message := "the token lacks a scope this operation needs" // Confluence does not say which
		if scope := scopeFor(req); scope != "" {
			message += ": " + scope
		}
		f.say("auth.scope", message, "Add the scope to the token or the app, then connect again.")
		return
	}
	f.Kind = confluence.Expired
	if html {
		f.say("auth.credentials", "the site refused the token", "Check it; a token with scopes works only with the base URL https://api.atlassian.com/ex/confluence/CLOUDID.")
		return
	}
	f.say("auth.credentials", "Confluence refused the credentials", "Check username and token, or connect again; the token may have expired.")
}

func (f *failure) forbidden() {
	text := strings.ToLower(f.upstream)
	for _, sentence := range []string{"not permitted to use confluence", "cannot access confluence", "captcha"} {
		if strings.Contains(text, sentence) {
			f.Kind = confluence.Expired
			f.say("auth.credentials", "Confluence refused the credentials: a 403 from v1 means a wrong or expired token, or an account without access to the site", "Check username and token, and log in once in a browser.")
			return
		}
	}
	f.Kind = confluence.Denied
	f.say("auth.forbidden", "this account may not do that in Confluence", "Ask a space administrator for the right.")
}

func (f *failure) conflict() {
	f.Kind = confluence.Conflict
	f.say("", "the content was changed by someone else meanwhile", "Read it again and apply the change to the new version.")
}

func (f *failure) notConfluence() {
	f.Kind = confluence.Unavailable
	f.say("net.not_confluence", "the answer is not from Confluence's API (HTML instead of JSON)", "Check the base URL, and whether a proxy or login page stands in between.")
}

func (f *failure) limited(h http.Header, now time.Time) {
	f.Kind, f.passing = confluence.Limited, true
	f.wait, f.quota = askedWait(h, now), isQuota(h)
	f.RetryAfter = f.wait
	f.say("limit.rate", "Confluence limits the rate of requests", waitAdvice(f.wait))
}

// waitAdvice tells how long to wait, where that is known.
func waitAdvice(d time.Duration) string {
	if d <= 0 {
		return "Wait a little and try again."
	}
	return "Wait " + max(d.Round(time.Second), time.Second).String() + " and try again."
}

func (f *failure) upstreamDown(res *http.Response, now time.Time) {
	f.Kind = confluence.Unavailable
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.passing = true
		f.wait = askedWait(res.Header, now)
		f.RetryAfter = f.wait
	}
	f.say("net.unavailable", "Confluence failed to answer (status "+itoa(res.StatusCode)+")", "Try again later.")
}
