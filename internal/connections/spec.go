package connections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

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

// equal reports whether nothing has to be done to get from s to t.
func (s Spec) equal(t Spec) bool {
	return s.ID == t.ID && s.Name == t.Name && s.BaseURL == t.BaseURL && s.Username == t.Username && s.Token.Reveal() == t.Token.Reveal() &&
		slices.Equal(s.Spaces, t.Spaces) && s.Rights == t.Rights && s.Public == t.Public && s.grantID() == t.grantID() && s.source() == t.source()
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
