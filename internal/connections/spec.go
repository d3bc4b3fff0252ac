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
	BaseURL  string // with /wiki on Cloud; through the gateway when it is connected by OAuth
	Username string // empty: Token is presented as a bearer
	Token    seal.Secret
	Spaces   []string // keys; empty: all
	Rights   bool     // access rights are synced
	Public   bool     // without synced rights: every caller sees it

	// Own gives people's own clients by account id, username or e-mail.
	Own Own
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
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q", s.BaseURL, s.Username)))
	return hex.EncodeToString(sum[:16])
}

// equal reports whether nothing has to be done to get from s to t.
func (s Spec) equal(t Spec) bool {
	return s.ID == t.ID && s.Name == t.Name && s.BaseURL == t.BaseURL && s.Username == t.Username && s.Token.Reveal() == t.Token.Reveal() &&
		slices.Equal(s.Spaces, t.Spaces) && s.Rights == t.Rights && s.Public == t.Public
}

func (s Spec) check() error {
	if s.Token.Empty() {
		return &confluence.Error{Kind: confluence.Expired, Code: "auth.not_connected", Op: "connect", Ref: s.Name,
			Message: "the integration is not connected: it has no token", Next: "Set username and token for it, or connect it by OAuth: confluence-mcp connect --integration " + s.Name + "."}
	}
	return nil
}
