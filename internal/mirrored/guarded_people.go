package mirrored

import (
	"cmp"
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// CurrentUser implements tools.Directory: the caller, not the account.
func (g *guarded) CurrentUser(ctx context.Context) (confluence.User, error) {
	if g.who.Kind != identity.User {
		return confluence.User{Name: "Anonymous", Type: "anonymous"}, nil
	}
	p, err := g.of.cfg.Mirror.Writer().Person(ctx, g.at, g.who.AccountID)
	return confluence.User{ID: p.ID, Name: p.Name, Email: p.Email, Active: p.Active, Guest: p.Guest}, err
}

// reads reports whether the caller may read the directory: a user whom the mirror
// knows as active, and as neither a guest nor an app.
func (g *guarded) reads(ctx context.Context) (bool, error) {
	p, ok, err := g.person(ctx)
	return ok && !p.Guest, err
}

// User implements tools.Directory. Who may not read the directory finds himself,
// as the mirror knows him. An e-mail address is its owner's: what the
// account may know of others, the caller perhaps may not.
func (g *guarded) User(ctx context.Context, id string) (confluence.User, error) {
	ok, err := g.reads(ctx)
	if err != nil {
		return confluence.User{}, err
	}
	if !ok && g.who.Kind == identity.User && id == g.who.AccountID {
		return g.CurrentUser(ctx)
	}
	if !ok {
		return confluence.User{}, missing("get user", "user "+id)
	}
	u, err := g.live.User(ctx, id)
	return g.discreet(u), err
}

// UsersByID implements tools.Directory.
func (g *guarded) UsersByID(ctx context.Context, ids []string) (map[string]confluence.User, error) {
	if ok, err := g.reads(ctx); !ok {
		return map[string]confluence.User{}, err
	}
	found, err := g.live.UsersByID(ctx, ids)
	for id, u := range found {
		found[id] = g.discreet(u)
	}
	return found, err
}

// FindUsers implements tools.Directory.
func (g *guarded) FindUsers(ctx context.Context, query string, p confluence.Paging) (confluence.List[confluence.User], error) {
	if ok, err := g.reads(ctx); !ok {
		return confluence.List[confluence.User]{}, err
	}
	found, err := g.live.FindUsers(ctx, query, p)
	for i := range found.Items {
		found.Items[i] = g.discreet(found.Items[i])
	}
	return found, err
}

func (g *guarded) discreet(u confluence.User) confluence.User {
	if cmp.Or(u.ID, "?") != g.who.AccountID {
		u.Email = ""
	}
	return u
}
