package connections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
)

// Spec is what an admin decided about one integration, wherever it was
// written.
type Spec struct {
	ID       int64 // positive, kept for the name
	Name     string
	BaseURL  string // with /wiki on Cloud
	Username string // empty: Token is presented as a bearer
	Token    seal.Secret
	Spaces   []string // keys; empty: all
	Rights   bool     // access rights are synced
	Public   bool     // without synced rights: every caller sees it

	ServiceWrites bool // the account writes for callers without a credential, if Confluence lets them

	// Of synced rights: what a node does whose restrictions cannot be read,
	// whether the super group of a Data Center is honoured, and the ages of
	// guard.Integration.
	Opaque             guard.OpaquePolicy
	SuperGroup         bool
	MaxAge, HardMaxAge time.Duration

	// Grant is what it is connected with instead of Username and Token; nil
	// without OAuth.
	Grant *Grant

	// Own gives people's own clients by account id, username or e-mail.
	Own Own
}

// Grant is an account's consent for a site. Another grant has another ID.
type Grant struct {
	ID      int64
	Tokens  rest.TokenSource
	BaseURL string // of the site behind the gateway
	SiteURL string // where people open it
	CloudID string
	Account string // account id
}

// Address is where people open the site, as a baseUrl is written.
func (g *Grant) Address() string { return g.SiteURL + "/wiki" }

// Same reports whether two are one account's consent for one site; nil is none.
func (g *Grant) Same(as *Grant) bool {
	if g == nil || as == nil {
		return g == as
	}
	return g.ID == as.ID && g.CloudID == as.CloudID && g.Account == as.Account
}

// Own finds the client of a person's own account. No client and no error means
// that the server holds no credential of that person.
type Own func(ctx context.Context, account string) (*rest.Client, error)

// mode is the rule the integration's content is shown by.
func (s Spec) mode() guard.Mode {
	switch {
	case s.Rights:
		return guard.Synced
	case s.Public:
		return guard.Public
	}
	return guard.OwnerOnly
}

// shown gives the rule the mirror is to show an integration by, from the one it
// has. What has got stricter holds at once; which group is the super group is
// found out by the sync.
func (s Spec) shown(known guard.Integration) guard.Integration {
	known.ID, known.Name, known.Mode = s.ID, s.Name, s.mode()
	known.Opaque, known.MaxAge, known.HardMaxAge = s.Opaque, s.MaxAge, s.HardMaxAge
	if !s.SuperGroup {
		known.SuperGroup = ""
	}
	return known
}

// address is where people open the site that is used.
func (s Spec) address() string {
	if s.Grant != nil {
		return s.Grant.Address()
	}
	return s.BaseURL
}

// source tells which content the rows of an integration are: another site, or
// the same site read by another account, is other content.
func (s Spec) source() string {
	site, account := s.BaseURL, s.Username
	if s.Grant != nil {
		site, account = s.Grant.BaseURL, s.Grant.Account
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q", site, account)))
	return hex.EncodeToString(sum[:16])
}

// credential tells apart personal access tokens, which do not say whose they
// are; empty for what does.
func (s Spec) credential() string {
	if s.Grant != nil || s.Username != "" {
		return ""
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q", s.BaseURL, s.Token.Reveal())))
	return hex.EncodeToString(sum[:16])
}

// equal reports whether nothing has to be done to get from s to t.
func (s Spec) equal(t Spec) bool {
	return s.ID == t.ID && s.Name == t.Name && s.BaseURL == t.BaseURL && s.Username == t.Username && s.Token.Reveal() == t.Token.Reveal() &&
		slices.Equal(s.Spaces, t.Spaces) && s.Rights == t.Rights && s.Public == t.Public && s.shown(guard.Integration{}) == t.shown(guard.Integration{}) && s.SuperGroup == t.SuperGroup && s.ServiceWrites == t.ServiceWrites && s.grantID() == t.grantID() && s.source() == t.source()
}

func (s Spec) grantID() int64 {
	if s.Grant == nil {
		return 0
	}
	return s.Grant.ID
}

func (s Spec) check() error {
	if s.Token.Empty() && s.Grant == nil {
		return &confluence.Error{Kind: confluence.Expired, Code: "auth.not_connected", Op: "connect", Ref: s.Name,
			Message: "the integration is not connected: it has no token", Next: "Set username and token for it, or connect it by OAuth: confluence-mcp connect --integration " + s.Name + "."}
	}
	return nil
}
