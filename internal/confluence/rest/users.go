package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
)

// maxBulkUsers is how many users one look-up asks for.
const maxBulkUsers = 100

type wireUser struct {
	AccountID   text `json:"accountId"`
	AccountType text `json:"accountType"`
	Kind        text `json:"type"`
	Name        text `json:"displayName"`
	PublicName  text `json:"publicName"`
	Email       text `json:"email"`
	Status      text `json:"accountStatus"`
	Guest       bool `json:"isExternalCollaborator"`
	V1Guest     bool `json:"externalCollaborator"`
}

func (u wireUser) shape() confluence.User {
	return confluence.User{
		ID: string(u.AccountID), Name: orElse(string(u.Name), string(u.PublicName)), Email: string(u.Email),
		Type: string(u.AccountType), Active: u.Status == "" || u.Status == "active", Guest: u.Guest || u.V1Guest,
	}
}

// CurrentUser is the account behind the credential. Kind Expired when the
// credential is refused or, though given, is taken for nobody's.
func (c *Client) CurrentUser(ctx context.Context) (confluence.User, error) {
	u, err := c.currentUser(ctx)
	return u, outward(err)
}

func (c *Client) currentUser(ctx context.Context) (confluence.User, error) {
	const op = "get current user"
	w, err := fetch[wireUser](ctx, c.w, read(op, "", "/wiki/rest/api/user/current"))
	if f := asFailure(err); f != nil && f.status == http.StatusForbidden {
		f.Kind = confluence.Expired
		f.say("auth.credentials", "Confluence refused the credentials: a 403 from v1 means a wrong or expired token, or an account without access to the site", "Check username and token, and log in once in a browser.")
	}
	if err != nil {
		return confluence.User{}, err
	}
	if (w.AccountID == "" || w.Kind == "anonymous") && c.w.cfg.Auth != Anonymous {
		return confluence.User{}, &confluence.Error{
			Kind: confluence.Expired, Op: op, Message: "Confluence took the credentials for nobody's and answered as anonymous",
			Next: "Check username and token.",
		}
	}
	return w.shape(), nil
}

// User reads one account.
func (c *Client) User(ctx context.Context, id string) (confluence.User, error) {
	const op = "get user"
	if err := needAccount(op, id); err != nil {
		return confluence.User{}, err
	}
	w, err := fetch[wireUser](ctx, c.w, read(op, "user "+id, "/wiki/rest/api/user").set("accountId", id))
	if err != nil {
		return confluence.User{}, c.judged(ctx, err)
	}
	return w.shape(), nil
}

// UsersByID reads many accounts. One that does not exist is missing from the
// answer.
func (c *Client) UsersByID(ctx context.Context, ids []string) (map[string]confluence.User, error) {
	const op = "get users"
	users := map[string]confluence.User{}
	for part := range slices.Chunk(ids, maxBulkUsers) {
		for _, id := range part {
			if err := needAccount(op, id); err != nil {
				return nil, err
			}
		}
		req, err := write(http.MethodPost, op, "", "/wiki/api/v2/users-bulk").with(map[string]any{"accountIds": part})
		if err != nil {
			return nil, err
		}
		req.asking()
		b, err := fetch[batch[wireUser]](ctx, c.w, req)
		if err != nil {
			return nil, c.judged(ctx, err)
		}
		for _, w := range b.Results {
			users[string(w.AccountID)] = w.shape()
		}
	}
	return users, nil
}

// FindUsers matches a part of the full name.
func (c *Client) FindUsers(ctx context.Context, query string, p confluence.Paging) (confluence.List[confluence.User], error) {
	const op = "find users"
	if strings.TrimSpace(query) == "" {
		return confluence.List[confluence.User]{}, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the query is empty", Next: "Give a part of the person's name."}
	}
	cql := "user.fullname ~ " + confluence.QuoteCQL(query)
	if err := checkCQL(op, cql); err != nil {
		return confluence.List[confluence.User]{}, err
	}
	req := read(op, "", "/wiki/rest/api/search/user").set("cql", cql)
	req.badCode = codeCQL
	l, err := listOffset(ctx, c, req, p, func(row struct {
		User wireUser `json:"user"`
	}) confluence.User {
		return row.User.shape()
	})
	return l, outward(err)
}

type wireGroup struct {
	ID   text `json:"id"`
	Name text `json:"name"`
}

func (g wireGroup) shape() confluence.Group {
	return confluence.Group{ID: string(g.ID), Name: string(g.Name)}
}

// GroupsOf lists the groups of a user that the credential may see.
func (c *Client) GroupsOf(ctx context.Context, userID string, p confluence.Paging) (confluence.List[confluence.Group], error) {
	const op = "list groups of user"
	if err := needAccount(op, userID); err != nil {
		return confluence.List[confluence.Group]{}, err
	}
	req := read(op, "user "+userID, "/wiki/rest/api/user/memberof").set("accountId", userID)
	l, err := listOffset(ctx, c, req, p, wireGroup.shape)
	return l, outward(err)
}

// GroupMembers lists the direct members of a group. A group that does not
// exist has none: Confluence does not tell the two apart.
func (c *Client) GroupMembers(ctx context.Context, id string, p confluence.Paging) (confluence.List[confluence.User], error) {
	const op = "list members of group"
	if err := needGroup(op, id); err != nil {
		return confluence.List[confluence.User]{}, err
	}
	req := read(op, "group "+id, "/wiki/rest/api/group/{group}/membersByGroupId", id)
	l, err := listOffset(ctx, c, req, p, wireUser.shape)
	return l, outward(err)
}
