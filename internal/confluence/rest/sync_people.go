package rest

import (
	"context"
	"errors"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Groups lists the groups of the site that the credential may see.
func (c *Client) Groups(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Group], error) {
	l, err := listOffset(ctx, c, read("list groups", "", "/wiki/rest/api/group"), p, wireGroup.shape)
	return l, outward(err)
}

// OpenToAnonymous asks, without a credential, whether the site shows anything
// to anonymous visitors. Behind the gateway, which knows no anonymous calls,
// the answer is no.
func (c *Client) OpenToAnonymous(ctx context.Context) (bool, error) {
	nobody, err := c.As(Anonymous, "", seal.Secret{})
	if err != nil {
		return false, err
	}
	l, err := nobody.Spaces(ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 1})
	var e *confluence.Error
	if !errors.As(err, &e) {
		return err == nil && len(l.Items) > 0, err
	}
	switch e.Kind {
	case confluence.Expired, confluence.Denied, confluence.NotFound, confluence.Invalid:
		return false, nil
	}
	if e.StableCode() == "net.not_confluence" {
		return false, nil // a page to log in at
	}
	return false, err
}
