package rest

import (
	"context"
	"net/http"
	"strconv"

	"confluence-mcp/internal/confluence"
)

// maxRestrictionPages bounds the reading of one restriction list.
const maxRestrictionPages = 100

// restrictionLimit is the page size of restriction lists.
const restrictionLimit = 100

type wireRestriction struct {
	Operation    text `json:"operation"`
	Restrictions struct {
		User struct {
			Results []wireUser `json:"results"`
		} `json:"user"`
		Group struct {
			Results []wireGroup `json:"results"`
		} `json:"group"`
	} `json:"restrictions"`
}

// Restrictions lists the own restrictions of one piece of content, read and
// update, complete or not at all: an entry that was cut off would look like a
// right that is not there, or like none being needed.
func (c *Client) Restrictions(ctx context.Context, id string) ([]confluence.Restriction, error) {
	const op = "list restrictions"
	if err := needID(op, id); err != nil {
		return nil, err
	}
	var all []confluence.Restriction
	for page := range maxRestrictionPages {
		req := read(op, "content "+id, "/wiki/rest/api/content/{id}/restriction", id)
		req.set("expand", "restrictions.user,restrictions.group")
		req.set("start", strconv.Itoa(page*restrictionLimit)).set("limit", strconv.Itoa(restrictionLimit))
		b, err := fetch[batch[wireRestriction]](ctx, c.w, req)
		if err != nil {
			return nil, c.judged(ctx, err)
		}
		var full bool
		if all, full = mergeRestrictions(all, b.Results); !full {
			return completeRestrictions(op, id, all)
		}
	}
	return nil, repeated()
}

// mergeRestrictions adds one page to what is known and reports whether any
// list of it was full, so that there may be more.
func mergeRestrictions(all []confluence.Restriction, rows []wireRestriction) ([]confluence.Restriction, bool) {
	full := false
	for _, row := range rows {
		i := -1
		for k := range all {
			if all[k].Operation == string(row.Operation) {
				i = k
			}
		}
		if i < 0 {
			all, i = append(all, confluence.Restriction{Operation: string(row.Operation)}), len(all)
		}
		for _, u := range row.Restrictions.User.Results {
			all[i].UserIDs = append(all[i].UserIDs, string(u.AccountID))
		}
		for _, g := range row.Restrictions.Group.Results {
			all[i].Groups = append(all[i].Groups, g.shape())
		}
		full = full || len(row.Restrictions.User.Results) >= restrictionLimit || len(row.Restrictions.Group.Results) >= restrictionLimit
	}
	return all, full
}

// completeRestrictions refuses an answer without a read entry: Confluence
// always sends both operations, and a missing one must not read as "anyone".
func completeRestrictions(op, id string, all []confluence.Restriction) ([]confluence.Restriction, error) {
	for _, r := range all {
		if r.Operation == "read" {
			return all, nil
		}
	}
	return nil, &confluence.Error{
		Kind: confluence.Unavailable, Op: op, Ref: "content " + id,
		Message: "the answer of Confluence lacks the read restriction", Next: "Try again later.",
	}
}

// PermissionCheck asks whether an account may read, update or delete content,
// inherited restrictions and space permissions included. For another account
// than its own the credential must be a Confluence administrator's.
func (c *Client) PermissionCheck(ctx context.Context, id, account, operation string) (bool, error) {
	const op = "check permission"
	if err := needID(op, id); err != nil {
		return false, err
	}
	if err := needAccount(op, account); err != nil {
		return false, err
	}
	if !contentOps.MatchString(operation) {
		return false, &confluence.Error{Kind: confluence.Invalid, Op: op, Message: "the operation is not known", Next: "Use read, update or delete."}
	}
	req, err := write(http.MethodPost, op, "content "+id, "/wiki/rest/api/content/{id}/permission/check", id).with(map[string]any{
		"subject": map[string]string{"type": "user", "identifier": account}, "operation": operation,
	})
	if err != nil {
		return false, err
	}
	req.asking()
	v, err := fetch[struct {
		HasPermission bool `json:"hasPermission"`
	}](ctx, c.w, req)
	return v.HasPermission, c.judged(ctx, err)
}

// SpacePermissions lists who may do what in a space.
func (c *Client) SpacePermissions(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Permission], error) {
	const op = "list space permissions"
	if err := needID(op, spaceID); err != nil {
		return confluence.List[confluence.Permission]{}, err
	}
	req := read(op, "space "+spaceID, "/wiki/api/v2/spaces/{id}/permissions", spaceID).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, func(w struct {
		ID        text `json:"id"`
		Principal struct {
			Type text `json:"type"`
			ID   text `json:"id"`
		} `json:"principal"`
		Operation struct {
			Key        text `json:"key"`
			TargetType text `json:"targetType"`
		} `json:"operation"`
	}) confluence.Permission {
		return confluence.Permission{
			ID: string(w.ID), PrincipalType: string(w.Principal.Type), PrincipalID: string(w.Principal.ID),
			Operation: string(w.Operation.Key), Target: string(w.Operation.TargetType),
		}
	})
	return l, outward(err)
}

// SpaceRoleAssignments lists who has which role in a space.
func (c *Client) SpaceRoleAssignments(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.RoleAssignment], error) {
	const op = "list role assignments"
	if err := needID(op, spaceID); err != nil {
		return confluence.List[confluence.RoleAssignment]{}, err
	}
	req := read(op, "space "+spaceID, "/wiki/api/v2/spaces/{id}/role-assignments", spaceID).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, func(w struct {
		Principal struct {
			Type text `json:"principalType"`
			ID   text `json:"principalId"`
		} `json:"principal"`
		RoleID text `json:"roleId"`
	}) confluence.RoleAssignment {
		return confluence.RoleAssignment{PrincipalType: string(w.Principal.Type), PrincipalID: string(w.Principal.ID), RoleID: string(w.RoleID)}
	})
	return l, outward(err)
}

// SpaceRoles lists the roles that a space can give, with their permissions.
func (c *Client) SpaceRoles(ctx context.Context, spaceID string, p confluence.Paging) (confluence.List[confluence.Role], error) {
	const op = "list space roles"
	if spaceID != "" {
		if err := needID(op, spaceID); err != nil {
			return confluence.List[confluence.Role]{}, err
		}
	}
	req := read(op, "", "/wiki/api/v2/space-roles").set("space-id", spaceID).set("limit", limitOf(p, maxV2Limit))
	l, err := listCursor(ctx, c, req, p, func(w struct {
		ID          text     `json:"id"`
		Name        text     `json:"name"`
		Type        text     `json:"type"`
		Permissions []string `json:"spacePermissions"`
	}) confluence.Role {
		return confluence.Role{ID: string(w.ID), Name: string(w.Name), Type: string(w.Type), Permissions: w.Permissions}
	})
	return l, outward(err)
}

// RoleMode tells how the site manages space access: confluence.PreRoles,
// RolesTransition or Roles. Kind NotFound where the site does not say.
func (c *Client) RoleMode(ctx context.Context) (string, error) {
	v, err := fetch[struct {
		Mode text `json:"mode"`
	}](ctx, c.w, read("get role mode", "", "/wiki/api/v2/space-role-mode"))
	return string(v.Mode), c.judged(ctx, err)
}
