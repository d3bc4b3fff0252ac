package mirrored

import (
	"context"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
)

// maySpace reports whether the caller has permissions in a space, by himself, by
// his groups or by an access class, directly or by a role. Confluence has no
// question for that, so its lists are read; everything is read now, by the
// caller's groups as they are.
func (g *guarded) maySpace(ctx context.Context, rights Rights, n need) (bool, error) {
	names, err := g.names(ctx, rights)
	if err != nil || len(names) == 0 {
		return false, err
	}
	have, byRole := map[string]bool{}, false
	err = everyRow(ctx, n.space, rights.SpacePermissions, func(row confluence.Permission) {
		byRole = byRole || strings.EqualFold(row.PrincipalType, "role")
		if names[principal(row.PrincipalType, row.PrincipalID)] {
			have[row.Operation+"/"+row.Target] = true
		}
	})
	if err == nil && byRole {
		err = g.addRoles(ctx, rights, n.space, names, have)
	}
	return err == nil && !slices.ContainsFunc(n.all, func(one string) bool { return !have[one] }), err
}

// addRoles adds what the roles of the caller in a space let him do.
func (g *guarded) addRoles(ctx context.Context, rights Rights, space string, names, have map[string]bool) error {
	roles := map[string][]string{}
	if err := everyRow(ctx, space, rights.SpaceRoles, func(r confluence.Role) { roles[r.ID] = r.Permissions }); err != nil {
		return err
	}
	return everyRow(ctx, space, rights.SpaceRoleAssignments, func(row confluence.RoleAssignment) {
		if names[principal(row.PrincipalType, row.PrincipalID)] {
			for _, p := range roles[row.RoleID] {
				have[p] = true
			}
		}
	})
}

// names are the principals the caller is: none while he is not active. Of access
// classes only those count that can be told for sure.
func (g *guarded) names(ctx context.Context, rights Rights) (map[string]bool, error) {
	u, err := g.live.User(ctx, g.who.AccountID)
	if err != nil || u.ID != g.who.AccountID || !u.Active {
		return nil, err
	}
	out := map[string]bool{principal("user", u.ID): true, principal("access-class", confluence.AuthenticatedUsers): true}
	if u.Type == "atlassian" && !u.Guest {
		out[principal("access-class", confluence.AllLicensedUsers)] = true
	}
	err = everyRow(ctx, u.ID, rights.GroupsOf, func(group confluence.Group) { out[principal("group", group.ID)] = true })
	delete(out, "")
	return out, err
}

// principal is a row's principal in one spelling; one without an id is nobody.
func principal(kind, id string) string {
	if id == "" {
		return ""
	}
	return strings.ReplaceAll(strings.ToLower(kind), "_", "-") + ":" + id
}

// everyRow goes through all of a listing; one that repeats itself, or does not
// end, is an error.
func everyRow[T any](ctx context.Context, of string, list func(context.Context, string, confluence.Paging) (confluence.List[T], error), row func(T)) error {
	p := confluence.Paging{Limit: atATime}
	for range sifted {
		l, err := list(ctx, of, p)
		if err != nil {
			return err
		}
		for _, one := range l.Items {
			row(one)
		}
		if l.Next == "" {
			return nil
		}
		if l.Next == p.Cursor {
			break
		}
		p.Cursor = l.Next
	}
	return &confluence.Error{Kind: confluence.Unavailable, Op: "list rights", Message: "The listing of Confluence does not end.", Next: "Try again later."}
}
