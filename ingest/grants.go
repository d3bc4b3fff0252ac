package ingest

import (
	"context"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// grants reads who may view a space: users, groups and access classes with a
// read permission, directly or by a role. cause says what could not be read; an
// error is not the space's.
func (s *Sync) grants(ctx context.Context, spaceID string) (view []guard.Principal, cause string, err error) {
	view, byRole, err := s.directGrants(ctx, spaceID)
	if err != nil {
		return nil, "its permissions are not readable", elsewhere(ctx, err)
	}
	if !byRole {
		return view, "", nil
	}
	holders, err := s.roleHolders(ctx, spaceID)
	if err != nil { // those granted directly are still granted
		return view, "its roles are not readable", elsewhere(ctx, err)
	}
	for _, p := range holders {
		if !slices.Contains(view, p) {
			view = append(view, p)
		}
	}
	return view, "", nil
}

// elsewhere gives an error that is not one space's, nil for one that is.
func elsewhere(ctx context.Context, err error) error {
	if fatal(ctx, err) || confluence.KindOf(err) == confluence.Unavailable {
		return err
	}
	return nil
}

// directGrants reads the permission list of a space; byRole says that roles
// stand in it.
func (s *Sync) directGrants(ctx context.Context, spaceID string) (view []guard.Principal, byRole bool, err error) {
	err = everyPage(ctx, func(p confluence.Paging) (string, error) {
		l, err := s.cfg.Source.SpacePermissions(ctx, spaceID, p)
		for _, row := range l.Items {
			switch {
			case row.Operation != "read" || row.Target != "space":
			case strings.EqualFold(row.PrincipalType, "role"):
				byRole = true
			default:
				view = s.grantTo(view, row.PrincipalType, row.PrincipalID)
			}
		}
		return l.Next, err
	})
	return view, byRole, err
}

// roleHolders are those whose role in a space lets them read it.
func (s *Sync) roleHolders(ctx context.Context, spaceID string) ([]guard.Principal, error) {
	reads := map[string]bool{}
	err := everyPage(ctx, func(p confluence.Paging) (string, error) {
		l, err := s.cfg.Source.SpaceRoles(ctx, spaceID, p)
		for _, role := range l.Items {
			reads[role.ID] = slices.Contains(role.Permissions, "read/space")
		}
		return l.Next, err
	})
	if err != nil {
		return nil, err
	}
	var view []guard.Principal
	err = everyPage(ctx, func(p confluence.Paging) (string, error) {
		l, err := s.cfg.Source.SpaceRoleAssignments(ctx, spaceID, p)
		for _, row := range l.Items {
			if reads[row.RoleID] {
				view = s.grantTo(view, row.PrincipalType, row.PrincipalID)
			}
		}
		return l.Next, err
	})
	return view, err
}

// grantTo adds a principal; a kind that is not known is granted nothing.
func (s *Sync) grantTo(view []guard.Principal, kind, id string) []guard.Principal {
	p := guard.Principal{Integration: s.cfg.Integration.ID, ID: id}
	switch strings.ReplaceAll(strings.ToLower(kind), "_", "-") {
	case "user":
		p.Kind = guard.User
	case "group":
		p.Kind = guard.Group
	case "access-class":
		p.Kind = guard.Class
	default:
		return view
	}
	if id == "" || slices.Contains(view, p) {
		return view
	}
	return append(view, p)
}

// everyPage goes through a listing to its end; one that repeats itself is an
// error.
func everyPage(ctx context.Context, ask func(confluence.Paging) (next string, err error)) error {
	p := confluence.Paging{Limit: listLimit}
	seen := map[string]bool{}
	for {
		next, err := ask(p)
		if err != nil || next == "" {
			return err
		}
		if seen[next] {
			return &confluence.Error{Kind: confluence.Unavailable, Op: "list", Message: "the listing of Confluence repeats itself"}
		}
		seen[next], p.Cursor = true, next
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
