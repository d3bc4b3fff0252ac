package oauth

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
)

// Sites lists what a grant opens now: of the one that waits for a choice, or
// else of the one in force. Kind Expired when there is neither.
func (g *Grants) Sites(ctx context.Context, integration int64, role Role, account string) ([]Site, error) {
	h, err := g.choosable(ctx, integration, role, account)
	if err != nil {
		return nil, err
	}
	sites, _, err := g.resources(ctx, h.tokens.Access)
	return sites, err
}

// Choose takes one of the granted sites: for the grant that waits for a choice,
// or else for the one in force, which then leads to another site. What was in
// force before has no tokens any more when Choose returns.
//
// Kind Invalid, code auth.no_site, when the site is not among the granted ones.
func (g *Grants) Choose(ctx context.Context, integration int64, role Role, account, cloudID string) (Grant, error) {
	h, err := g.choosable(ctx, integration, role, account)
	if err != nil {
		return Grant{}, err
	}
	sites, strange, err := g.resources(ctx, h.tokens.Access)
	if err != nil {
		return Grant{}, err
	}
	i := slices.IndexFunc(sites, func(s Site) bool { return s.CloudID == cloudID })
	if i < 0 {
		return Grant{}, noSite("the chosen site is not among the granted ones", strange)
	}
	next := h.grant
	next.State, next.CloudID, next.SiteName, next.SiteURL = Connected, sites[i].CloudID, sites[i].Name, sites[i].URL
	if err := g.tested(ctx, next, h.tokens.Access); err != nil {
		return Grant{}, err
	}
	moved, err := g.save(ctx, next, h.tokens, g.cfg.Vault.SettleGrant)
	if err != nil {
		return Grant{}, err
	}
	if !moved {
		return Grant{}, &confluence.Error{Kind: confluence.Conflict, Op: "choose site", Message: "the connection changed meanwhile", Next: "Look at it again."}
	}
	if err := g.settled(ctx, next); err != nil {
		return Grant{}, err
	}
	done, err := g.read(ctx, next.ID)
	return done.grant, err
}

// choosable finds the grant a choice is about, with a good access token.
func (g *Grants) choosable(ctx context.Context, integration int64, role Role, account string) (held, error) {
	all, err := g.cfg.Vault.Grants(ctx, integration)
	if err != nil {
		return held{}, err
	}
	grant, ok := find(all, role, account, true)
	if !ok {
		grant, ok = find(all, role, account, false)
	}
	if !ok {
		return held{}, notConnected(string(role))
	}
	s := &Source{grants: g, grant: grant}
	if _, err := s.Token(ctx); err != nil {
		return held{}, err
	}
	return g.get(ctx, grant.ID)
}
