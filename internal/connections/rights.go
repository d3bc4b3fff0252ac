package connections

import (
	"context"
	"errors"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/store/guard"
)

// TestRights makes sure that what rights are made of can be read with an
// integration's credential: groups, their members, and who may view a space.
// Kind Invalid with code "auth.rights", naming the missing right, when Confluence
// refuses one; other errors say that it could not be found out.
func (s *Set) TestRights(ctx context.Context, spec Spec) error {
	c, err := connect(spec, s.client)
	if err != nil {
		return err
	}
	if _, err := c.connected.Probe(ctx); err != nil {
		return err
	}
	return readsRights(ctx, c)
}

// probed finds out whether a connection works, rights included where they are
// relied on.
func probed(ctx context.Context, c *connection) (rest.Finding, error) {
	found, err := c.connected.Probe(ctx)
	if err == nil && c.spec.Rights {
		err = readsRights(ctx, c)
	}
	return found, err
}

func readsRights(ctx context.Context, c *connection) error {
	spec, one := c.spec, confluence.Paging{Limit: 1}
	groups, err := c.connected.Groups(ctx, one)
	if err != nil {
		return missing(spec, "groups", err)
	}
	for _, g := range groups.Items {
		if _, err := c.connected.GroupMembers(ctx, g.ID, one); err != nil {
			return missing(spec, "the members of groups", err)
		}
	}
	spaces, err := c.connected.Spaces(ctx, confluence.SpaceFilter{}, one)
	if err != nil {
		return missing(spec, "spaces", err)
	}
	for _, sp := range spaces.Items {
		if err := grants(ctx, c.connected, sp.ID); err != nil {
			return missing(spec, "who may view a space", err)
		}
	}
	if spec.Opaque == guard.VerifyOpaque {
		return verifies(ctx, c.connected, spec)
	}
	return nil
}

// verifies makes sure that Confluence tells what others than the account itself
// may read.
func verifies(ctx context.Context, c *rest.Client, spec Spec) error {
	pages, err := c.Pages(ctx, confluence.PageFilter{Status: confluence.StatusCurrent}, confluence.Paging{Limit: 1})
	if err != nil {
		return missing(spec, "pages", err)
	}
	for _, p := range pages.Items {
		if _, err := c.PermissionCheck(ctx, p.ID, anonymous, "read"); err != nil {
			return missing(spec, "what others may read, which opaqueAncestors: verify asks", err)
		}
	}
	return nil
}

// grants reads who may view a space, by permissions or where the site has
// those instead by roles.
func grants(ctx context.Context, c *rest.Client, space string) error {
	_, err := c.SpacePermissions(ctx, space, confluence.Paging{Limit: 1})
	if err == nil {
		return nil
	}
	if _, byRole := c.SpaceRoleAssignments(ctx, space, confluence.Paging{Limit: 1}); byRole == nil {
		return nil
	}
	return err
}

// missing is the refusal for a right the account lacks.
func missing(spec Spec, what string, err error) error {
	switch confluence.KindOf(err) {
	case confluence.Denied, confluence.NotFound, confluence.Expired:
		var known *confluence.Error
		why := ""
		if errors.As(err, &known) && known.Message != "" {
			why = " (" + known.Message + ")"
		}
		return &confluence.Error{Kind: confluence.Invalid, Code: "auth.rights", Op: "test access rights", Ref: spec.Name, Err: err,
			Message: "The connecting account cannot read " + what + why + ", so access rights cannot be synced.",
			Next:    "Give the account that right (a site admin's account has it), or leave enableAccessRightsSync off."}
	}
	return err
}
