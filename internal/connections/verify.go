package connections

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
)

// anonymous is how Confluence is asked about somebody without an account.
const anonymous = "anonymous"

// MayRead asks Confluence whether a caller may read a page now, with all that
// restricts it, and makes sure that the page still stands below a node: what holds
// for it holds for what else stands there. below is empty where the page itself is
// meant. It implements Verify of mirror.Config.
//
// Any error means that it is not known. Of a caller who is a user of another
// integration, and of one without a user, it asks what anonymous visitors may.
func (s *Set) MayRead(ctx context.Context, c identity.Caller, page mirror.Ref, below string) (bool, error) {
	one, err := s.byID(page.Integration)
	if err != nil {
		return false, err
	}
	yes, err := one.mayRead(ctx, s.subject(c, one), page.ID, below)
	if err != nil && ctx.Err() == nil && s.client.Logger != nil {
		s.client.Logger.WarnContext(ctx, "Confluence did not tell who may read a page", "integration", one.spec.Name, "page", page.ID, "err", err)
	}
	return yes, err
}

func (c *connection) mayRead(ctx context.Context, who, page, below string) (bool, error) {
	if c.doubted.Load() || who == "" {
		return false, noCredential("it is not known who asks")
	}
	yes, err := c.connected.PermissionCheck(ctx, page, who, "read")
	if err != nil || !yes || below == "" {
		return yes, err
	}
	up, err := c.connected.Ancestors(ctx, page)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(up, func(n confluence.Node) bool { return n.ID == below }) {
		return false, &confluence.Error{Kind: confluence.Conflict, Op: "check permission", Ref: "page " + page, Message: "the page does not stand where it was read"}
	}
	return true, nil
}

// subject is whom Confluence is asked about.
func (s *Set) subject(c identity.Caller, at *connection) string {
	here := c.Integration == at.spec.Name || c.Integration == "" && s.Len() == 1
	switch {
	case here && c.Kind == identity.Service:
		return at.accountID()
	case here && c.Kind == identity.User:
		return c.AccountID
	}
	return anonymous
}
