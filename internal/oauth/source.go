package oauth

import (
	"context"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Source gives the access tokens of one grant to a REST client. It ends with
// its grant: after a disconnect, or a reconnect to whatever site, it gives
// nothing any more. It is safe for concurrent use.
type Source struct {
	grants *Grants
	grant  Grant
}

// Grant is the grant as it was when the source was made.
func (s *Source) Grant() Grant { return s.grant }

// BaseURL is where the REST client sends its requests.
func (s *Source) BaseURL() string { return s.grants.cfg.App.GatewayURL(s.grant.CloudID) }

// Trial gives the access token of a grant that is not in force yet, for a look
// at what it opens.
type Trial struct{ access, base string }

// BaseURL is where the REST client sends its requests.
func (t *Trial) BaseURL() string { return t.base }

// Token gives the access token.
func (t *Trial) Token(context.Context) (seal.Secret, error) { return seal.NewSecret(t.access), nil }

// Renew has no other token to give. Kind Expired, code auth.refused.
func (t *Trial) Renew(context.Context, seal.Secret) (seal.Secret, error) {
	return seal.Secret{}, &confluence.Error{Kind: confluence.Expired, Code: "auth.refused", Op: "use connection", Message: "Confluence refuses a new token",
		Next: "Check that the account can open Confluence there, and that the app may be used on the site."}
}

// margin is how long before its end an access token is no longer given out.
const margin = 2 * time.Minute

// justNow is how young a token is whose refusal has another cause than age.
const justNow = time.Minute

// Token gives an access token that is good for two minutes at least, refreshed
// if need be; when Atlassian does not answer, the one there is as long as it is
// good at all. Kind Expired, code auth.not_connected or auth.reconnect, when
// there is none to be had.
func (s *Source) Token(ctx context.Context) (seal.Secret, error) {
	h, err := s.good(s.grants.get(ctx, s.grant.ID))
	if err != nil {
		return seal.Secret{}, err
	}
	now := s.grants.cfg.Now()
	if h.grant.Expires.Sub(now) > margin {
		return seal.NewSecret(h.tokens.Access), nil
	}
	renewed, err := s.grants.renew(ctx, h)
	passing := confluence.KindOf(err) == confluence.Unavailable || confluence.KindOf(err) == confluence.Limited
	if err != nil && passing && h.grant.Expires.After(now) {
		return seal.NewSecret(h.tokens.Access), nil
	}
	renewed, err = s.good(renewed, err)
	return seal.NewSecret(renewed.tokens.Access), err
}

// Renew gives the token that takes the place of one Confluence has refused: the
// one somebody else has fetched meanwhile, or a new one. A token that was new
// and is refused all the same is not refreshed again; instead Atlassian is asked
// whether the site is still granted.
func (s *Source) Renew(ctx context.Context, refused seal.Secret) (seal.Secret, error) {
	h, err := s.good(s.grants.read(ctx, s.grant.ID))
	if err != nil {
		return seal.Secret{}, err
	}
	if h.tokens.Access != refused.Reveal() {
		return seal.NewSecret(h.tokens.Access), nil
	}
	if s.grants.cfg.Now().Sub(h.grant.Refreshed) < justNow {
		if err := s.grants.stillGranted(ctx, h); err != nil {
			return seal.Secret{}, err
		}
	}
	renewed, err := s.good(s.grants.renew(ctx, h))
	return seal.NewSecret(renewed.tokens.Access), err
}

// good refuses a grant that needs a reconnection, or that is no longer the
// source's own.
func (s *Source) good(h held, err error) (held, error) {
	switch {
	case err != nil:
		return held{}, err
	case h.grant.State == NeedsReconnect:
		return held{}, mustReconnect(h.grant)
	case h.grant.CloudID != s.grant.CloudID:
		return held{}, notConnected("to that site")
	}
	return h, nil
}

// stillGranted finds out why a new token is refused. nil means that a refresh
// is worth a try: Atlassian does not know the token itself.
func (g *Grants) stillGranted(ctx context.Context, h held) error {
	sites, _, err := g.resources(ctx, h.tokens.Access)
	if confluence.KindOf(err) == confluence.Expired {
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range sites {
		if s.CloudID == h.grant.CloudID {
			return &confluence.Error{Kind: confluence.Expired, Code: "auth.refused", Op: "use connection", Ref: h.grant.SiteName,
				Message: "Confluence refuses a new token of a site that is still granted", Next: "Check that the account can open Confluence there, and that the app may be used on the site."}
		}
	}
	h.grant.Reason = "Atlassian no longer grants the site " + h.grant.SiteName + "."
	if err := g.fail(ctx, h.grant, h.grant.Reason); err != nil {
		return err
	}
	return mustReconnect(h.grant)
}
