package rest

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Auth says how a credential is presented.
type Auth string

// The ways. Anonymous sends no credential and sees public content only.
const (
	Basic     Auth = "basic"     // account e-mail and API token
	Bearer    Auth = "bearer"    // OAuth access token, or a personal access token
	Anonymous Auth = "anonymous" // nothing
)

// Defaults of a zero [Config] field.
const (
	defaultHeaderTimeout = 30 * time.Second // until the first byte of an answer
	defaultIdleTimeout   = 15 * time.Second // without a kilobyte of progress in a body
	defaultCallTimeout   = 2 * time.Minute  // one attempt, whole JSON answer
	defaultRateBudget    = 5 * time.Minute  // all waiting of one call together
	defaultConcurrency   = 5                // calls in flight; Atlassian advises 5 to 10
	defaultMaxTransfer   = 100 << 20        // bytes of one attachment, either way
)

// Config describes one connection. BaseURL, Auth and, unless Anonymous, Token
// are required; every other field has a default.
type Config struct {
	Name    string // the integration's name, shown to people
	BaseURL string // https://SITE.atlassian.net[/wiki] or https://api.atlassian.com/ex/confluence/CLOUDID
	SiteURL string // what a person opens; empty: BaseURL, or learned from answers behind the gateway
	CloudID string // empty: taken from a gateway BaseURL, or learned by Probe

	Auth     Auth
	Username string // Basic only
	Token    seal.Secret
	// Renew gives the token that takes the place of one Confluence has refused;
	// the refused call is then sent once more. nil: a refused token is an error.
	Renew func(ctx context.Context, refused seal.Secret) (seal.Secret, error)
	// Tokens is where the tokens of an OAuth grant come from, instead of Token
	// and Renew; Auth is then Bearer.
	Tokens TokenSource

	HeaderTimeout time.Duration
	IdleTimeout   time.Duration
	CallTimeout   time.Duration
	RateBudget    time.Duration // the longest one call may wait for rate limits and retries
	Concurrency   int
	MaxDownload   int64 // bytes
	MaxUpload     int64 // bytes

	Roots *x509.CertPool // certificate authorities; nil: the system's
	Proxy *url.URL       // nil: no proxy, whatever the environment says

	UserAgent string
	Logger    *slog.Logger
	Now       func() time.Time
	Sleep     func(ctx context.Context, d time.Duration) error
}

func (cfg Config) withDefaults() Config {
	def(&cfg.HeaderTimeout, defaultHeaderTimeout)
	def(&cfg.IdleTimeout, defaultIdleTimeout)
	def(&cfg.CallTimeout, defaultCallTimeout)
	def(&cfg.RateBudget, defaultRateBudget)
	def(&cfg.Concurrency, defaultConcurrency)
	def(&cfg.MaxDownload, defaultMaxTransfer)
	def(&cfg.MaxUpload, defaultMaxTransfer)
	def(&cfg.UserAgent, "confluence-mcp")
	def(&cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sleep == nil {
		cfg.Sleep = confluence.Pause
	}
	return cfg
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (cfg Config) check() error {
	switch cfg.Auth {
	case Basic:
		if cfg.Username == "" || cfg.Token.Empty() {
			return badConfig("basic authentication needs a username and a token", "Set the account's e-mail address and an API token.")
		}
	case Bearer:
		if cfg.Token.Empty() && cfg.Tokens == nil {
			return badConfig("bearer authentication needs a token", "Set the access token.")
		}
	case Anonymous:
	default:
		return badConfig("the authentication kind is not known", "Use basic, bearer or anonymous.")
	}
	if hasControl(cfg.Username + cfg.Token.Reveal()) {
		return badConfig("the username or token holds a control character", "Copy the token again, without line breaks.")
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func badConfig(message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Op: "configure Confluence", Message: message, Next: next}
}
