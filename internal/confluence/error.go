package confluence

import (
	"errors"
	"strings"
	"time"
)

// Kind says what class of failure an [Error] is. Callers branch on it and on
// nothing else: retry policy, HTTP status and the sentence a model reads are
// all functions of Kind.
type Kind int

// The kinds. Internal is the zero value on purpose: an error nobody classified
// is shown to nobody.
const (
	Internal    Kind = iota // a fault of ours; shown as one fixed sentence
	Invalid                 // the request is wrong and will stay wrong
	Denied                  // known caller, refused by policy, scope or right
	Waiting                 // needs an approval before it may run
	NotFound                // absent, or not visible to the caller: never told apart
	Conflict                // the version moved on
	Expired                 // credentials missing, wrong, revoked or out of date
	Limited                 // over a rate, size or budget; see RetryAfter
	Unavailable             // Confluence or the network did not answer properly
)

var kindCodes = [...]string{"internal", "input.invalid", "policy.denied", "approval.required", "not_found", "conflict", "auth.credentials", "limit.rate", "net.unavailable"}

// String is the code an error of this kind carries when it names no finer one.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindCodes) {
		return kindCodes[Internal]
	}
	return kindCodes[k]
}

// Error is the one error type that crosses package borders.
//
// Message and Next are written for a person or a model and never hold a
// secret, a request body or an upstream page. Err is for the log only.
type Error struct {
	Kind       Kind
	Code       string        // finer stable code such as "input.cql"; empty: Kind.String()
	Op         string        // what was being done: "get page"
	Ref        string        // what it was done to: "page 123"
	Message    string        // what happened, one sentence
	Next       string        // what to do next, one sentence
	RetryAfter time.Duration // Limited and Unavailable only; 0 when unknown
	Err        error         // the cause, for the log
}

// Error implements error: operation, reference, then the message or the cause.
func (e *Error) Error() string {
	var parts []string
	if e.Op != "" {
		parts = append(parts, strings.TrimSpace(e.Op+" "+e.Ref))
	}
	switch {
	case e.Message != "":
		parts = append(parts, e.Message)
	case e.Err != nil:
		parts = append(parts, e.Err.Error())
	default:
		parts = append(parts, e.StableCode())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// StableCode is the machine-readable code clients see: Code, or the kind's own.
func (e *Error) StableCode() string {
	if e.Code != "" {
		return e.Code
	}
	return e.Kind.String()
}

// Retryable reports whether the same call may succeed later without change.
func (e *Error) Retryable() bool {
	return e.Kind == Limited && e.Code != "limit.too_large" || e.Kind == Unavailable || e.Kind == Waiting
}

// KindOf returns the kind of the outermost [Error] in err's chain, Internal
// when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
