package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Role is what a grant is for.
type Role string

// The roles.
const (
	Service Role = "service" // the connecting account of an integration
	Person  Role = "person"  // one person's own account
)

// State is how a grant stands.
type State string

// The states.
const (
	Choosing       State = "choosing"        // consented; which of several sites is not decided
	Connected      State = "connected"       // good
	NeedsReconnect State = "needs_reconnect" // Atlassian refuses it; the person must consent again
)

// Grant is one account's consent for one integration, without its tokens.
type Grant struct {
	ID          int64 // given by the vault, never to another grant
	Generation  int64 // grows with every new pair of tokens
	Integration int64
	Role        Role
	Account     string // Atlassian account id
	AccountName string
	State       State
	Reason      string // of NeedsReconnect: one sentence
	Revoked     bool   // of NeedsReconnect: Atlassian refuses the refresh token itself
	CloudID     string // empty while Choosing
	SiteName    string
	SiteURL     string // origin, for people
	Scopes      []string
	Consented   time.Time
	Refreshed   time.Time
	Expires     time.Time // of the access token
	Intent      time.Time // a refresh was begun and its end is not known; zero: none
}

// Lifetimes of refresh tokens, as Atlassian states them. The year is from staff
// posts of 2022; the present documents state only the 90 days.
const (
	inactivity   = 90 * 24 * time.Hour
	absoluteLife = 365 * 24 * time.Hour
	warnBefore   = 15 * 24 * time.Hour
)

// Ends is when the grant dies unless it is used or, after a year, consented to
// again.
func (g Grant) Ends() time.Time {
	unused, old := g.Refreshed.Add(inactivity), g.Consented.Add(absoluteLife)
	if old.Before(unused) {
		return old
	}
	return unused
}

// Warning is what an admin should know about a grant that still works; "" when
// there is nothing. The kind of end it warns of is 15 days away or less.
func (g Grant) Warning(now time.Time) string {
	if g.State != Connected || now.Before(g.Ends().Add(-warnBefore)) {
		return ""
	}
	return "Atlassian ends this connection on " + g.Ends().UTC().Format(time.DateOnly) + "; reconnect before."
}

// place is where the tokens of a grant are sealed. Ids are never used twice, so
// neither is a place.
func (g Grant) place() seal.Place {
	return seal.Place{Table: "oauth_grant", Row: strconv.FormatInt(g.ID, 10), Column: "tokens"}
}

// Vault keeps grants and their sealed tokens. It is safe for concurrent use, by
// several processes too.
type Vault interface {
	// Grants lists the grants of an integration, 0 for all, those that wait for
	// a choice of site included.
	Grants(ctx context.Context, integration int64) ([]Grant, error)
	// Grant gives one with its sealed tokens; kind NotFound when it is gone.
	Grant(ctx context.Context, id int64) (Grant, []byte, error)
	// AddGrant stores a new grant under a new id, at generation 1, with the
	// tokens that sealed makes for it, in place of the one of the same
	// integration, role, account (for persons) and, of Choosing or not, state.
	AddGrant(ctx context.Context, g Grant, sealed func(Grant) ([]byte, error)) (Grant, error)
	// SaveGrant changes a grant that still has g.Generation, and reports whether
	// it had. With tokens the generation grows; with nil the old tokens stay.
	// Kind Conflict, code seal.key, when the tokens are sealed with a key that
	// was rotated away.
	SaveGrant(ctx context.Context, g Grant, tokens []byte) (bool, error)
	// SettleGrant ends the choice of a site: as SaveGrant, and the grant that was
	// in force in its place is erased.
	SettleGrant(ctx context.Context, g Grant, tokens []byte) (bool, error)
	// EraseGrants removes grants and their tokens from the disk, and gives how
	// many there were. Ids that are gone already do not matter.
	EraseGrants(ctx context.Context, ids ...int64) (int, error)
	// LockGrant waits until no other process refreshes this grant. The lock dies
	// with the process.
	LockGrant(ctx context.Context, id int64) (unlock func() error, err error)
}

// tokens is what is sealed: the pair, and whose it is, so that nobody can give
// it to another row by editing the columns beside it.
type tokens struct {
	Access      string `json:"access"`
	Refresh     string `json:"refresh"`
	Integration int64  `json:"integration"`
	Role        Role   `json:"role"`
	Account     string `json:"account"`
	CloudID     string `json:"cloud_id,omitempty"`
}

func (g *Grants) sealed(grant Grant, t tokens) ([]byte, error) {
	t.Integration, t.Role, t.Account, t.CloudID = grant.Integration, grant.Role, grant.Account, grant.CloudID
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return g.cfg.Ring.Seal(grant.place(), seal.NewSecret(string(raw)))
}

// opened reads the tokens of a grant. Kind Expired, code seal.record, when they
// were changed, moved or belong to another account or site.
func (g *Grants) opened(ctx context.Context, grant Grant, sealed []byte) (tokens, error) {
	var t tokens
	raw, err := g.cfg.Ring.Open(ctx, grant.place(), sealed)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal([]byte(raw.Reveal()), &t); err != nil {
		return tokens{}, foreign(grant)
	}
	same := t.Integration == grant.Integration && t.Role == grant.Role && t.Account == grant.Account
	if !same || t.CloudID != grant.CloudID {
		return tokens{}, foreign(grant)
	}
	return t, nil
}

func foreign(grant Grant) error {
	return &confluence.Error{Kind: confluence.Expired, Code: "seal.record", Op: "open secret", Ref: grant.place().String(),
		Message: "the stored tokens belong to another connection than their row says", Next: "Reconnect; the stored tokens are not used."}
}

// find gives the grant of a role in force, or, with state Choosing, the one
// that waits.
func find(all []Grant, role Role, account string, choosing bool) (Grant, bool) {
	i := slices.IndexFunc(all, func(g Grant) bool {
		return g.Role == role && (g.State == Choosing) == choosing && (role == Service || g.Account == account)
	})
	if i < 0 {
		return Grant{}, false
	}
	return all[i], true
}

func notConnected(what string) error {
	return &confluence.Error{Kind: confluence.Expired, Code: "auth.not_connected", Op: "use connection", Ref: what, Message: "there is no connection",
		Next: "Connect it: confluence-mcp connect."}
}

func mustReconnect(g Grant) error {
	reason := g.Reason
	if reason == "" {
		reason = "Atlassian no longer accepts it."
	}
	return &confluence.Error{Kind: confluence.Expired, Code: "auth.reconnect", Op: "use connection", Ref: fmt.Sprintf("of integration %d", g.Integration),
		Message: "the connection of " + orID(g) + " must be made anew: " + reason, Next: "Consent again: confluence-mcp reconnect."}
}

func orID(g Grant) string {
	if g.AccountName != "" {
		return g.AccountName
	}
	return g.Account
}
