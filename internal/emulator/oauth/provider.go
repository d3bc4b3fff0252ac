package oauth

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client and Secret are the OAuth app that every emulated site knows.
const (
	Client = "emulator-client"
	Secret = "emulator-secret"
)

// Lifetimes of the real service.
const (
	accessLife     = time.Hour
	leeway         = 10 * time.Minute    // the old pair after a refresh, for lost answers
	inactivityLife = 90 * 24 * time.Hour // of a refresh token nobody uses
	absoluteLife   = 365 * 24 * time.Hour
	codeLife       = 5 * time.Minute
)

// Person is an account that can consent.
type Person struct {
	ID    string
	Name  string
	Email string
}

// Resource is one site that a grant can name.
type Resource struct {
	CloudID string
	Name    string
	URL     string // browser address of the site, without /wiki
}

// Directory tells the provider who exists. Safe for concurrent use.
type Directory interface {
	// Resources lists all sites in their order.
	Resources() []Resource
	// Person is the account with that id on any site; false when no site has
	// it as an active user.
	Person(id string) (Person, bool)
	// Member tells whether the account is an active user of the site.
	Member(cloudID, id string) bool
}

// Config is what a Provider needs; every field is required.
type Config struct {
	Now       func() time.Time
	Directory Directory
}

// Grant is what a valid access token stands for.
type Grant struct {
	User   string
	Scopes []string
	Sites  []string // cloud ids
}

// Allows tells whether the grant opens the site.
func (g Grant) Allows(cloudID string) bool { return slices.Contains(g.Sites, cloudID) }

// Provider is the authorization server. Safe for concurrent use.
type Provider struct {
	now func() time.Time
	dir Directory

	mu       sync.Mutex
	settings Settings
	codes    map[string]*code
	grants   map[string]*grant // by user: a grant belongs to a person and the app
	access   map[string]*pair
	refresh  map[string]*pair
}

// Settings are the switches of an apply line of kind oauth. The zero value
// changes nothing.
type Settings struct {
	// RedirectURI, once set, is the app's only callback address; without it
	// any loopback http address and any https address will do.
	RedirectURI string `json:"redirect_uri,omitempty"`
	// DuplicateResources makes the list of sites name each site twice, once for
	// another product, as the real list does.
	DuplicateResources *bool `json:"duplicate_resources,omitempty"`
	// OmitRefreshToken leaves refresh_token out of refresh answers; the sent one
	// then stays valid.
	OmitRefreshToken *bool `json:"omit_refresh_token,omitempty"`
	// ExpireAccessTokens ends every access token at once; refresh tokens stay.
	ExpireAccessTokens bool `json:"expire_access_tokens,omitempty"`
	// Revoke ends every grant, as when the person removes the app.
	Revoke bool `json:"revoke,omitempty"`
	// RevokeUser ends the grants of one person.
	RevokeUser string `json:"revoke_user,omitempty"`
}

// grant is one person's consent. A newer consent overrides scopes and sites.
type grant struct {
	user      string
	scopes    []string
	sites     []string
	consented time.Time
}

type code struct {
	grant       *grant
	redirectURI string
	challenge   string // of the code verifier; empty: none was sent
	expires     time.Time
}

// family is every pair that descends from one code exchange.
type family struct {
	grant   *grant
	revoked bool
}

// pair is one answer of the token endpoint.
type pair struct {
	family  *family
	issued  time.Time
	expired bool      // by Settings.ExpireAccessTokens
	rotated time.Time // zero while it is the newest of its line
}

// New makes a provider without grants.
func New(cfg Config) *Provider {
	return &Provider{
		now: cfg.Now, dir: cfg.Directory,
		codes: map[string]*code{}, grants: map[string]*grant{},
		access: map[string]*pair{}, refresh: map[string]*pair{},
	}
}

// Apply changes the provider as an apply line says.
func (p *Provider) Apply(s Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.RedirectURI != "" {
		p.settings.RedirectURI = s.RedirectURI
	}
	if s.DuplicateResources != nil {
		p.settings.DuplicateResources = s.DuplicateResources
	}
	if s.OmitRefreshToken != nil {
		p.settings.OmitRefreshToken = s.OmitRefreshToken
	}
	if s.ExpireAccessTokens {
		for _, pr := range p.access {
			pr.expired = true
		}
	}
	for _, pr := range p.refresh {
		if s.Revoke || s.RevokeUser != "" && pr.family.grant.user == s.RevokeUser {
			pr.family.revoked = true
		}
	}
	for _, pr := range p.access { // a family without a refresh token is in no other index
		if s.Revoke || s.RevokeUser != "" && pr.family.grant.user == s.RevokeUser {
			pr.family.revoked = true
		}
	}
}

// Check is the grant behind an access token; false when the token is unknown,
// expired, rotated out or revoked.
func (p *Provider) Check(accessToken string) (Grant, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr, ok := p.access[accessToken]
	if !ok || pr.expired || pr.family.revoked {
		return Grant{}, false
	}
	now := p.now()
	if now.After(pr.issued.Add(accessLife)) || pr.rotatedOut(now) {
		return Grant{}, false
	}
	g := pr.family.grant
	return Grant{User: g.user, Scopes: g.scopes, Sites: g.sites}, true
}

// rotatedOut tells whether the leeway after the pair's replacement is over.
func (pr *pair) rotatedOut(now time.Time) bool {
	return !pr.rotated.IsZero() && now.After(pr.rotated.Add(leeway))
}

// consent stores the person's grant and answers with a fresh code for it.
func (p *Provider) consent(user, redirectURI, challenge string, scopes, sites []string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.grants[user]
	if !ok {
		g = &grant{user: user}
		p.grants[user] = g
	}
	g.scopes, g.sites, g.consented = scopes, sites, p.now()
	c := random("code")
	p.codes[c] = &code{grant: g, redirectURI: redirectURI, challenge: challenge, expires: p.now().Add(codeLife)}
	return c
}

func random(prefix string) string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return "emu-" + prefix + "-" + hex.EncodeToString(b[:])
}

func scopeList(s string) []string { return strings.Fields(s) }
