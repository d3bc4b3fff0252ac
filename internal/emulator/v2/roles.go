package v2

import (
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// role is a bundle of space permissions. This emulator has the system roles
// only; a read grant is the viewer's, a write grant the collaborator's.
type role struct {
	id, name, description string
	permissions           []string
}

func systemRoles() []role {
	read := []string{"read/space"}
	work := append(slices.Clone(read), "create/page", "create/blogpost", "create/comment", "create/attachment", "delete/page", "delete/blogpost", "delete/comment", "delete/attachment")
	manage := append(slices.Clone(work), "restrict_content/space", "archive/page", "administer/space")
	return []role{
		{"5f1c7a3e-0b52-4d6f-9c1e-2a7d40b8e101", "Viewer", "Can view the space", read},
		{"5f1c7a3e-0b52-4d6f-9c1e-2a7d40b8e102", "Collaborator", "Can view and edit the space", work},
		{"5f1c7a3e-0b52-4d6f-9c1e-2a7d40b8e103", "Manager", "Can view, edit and manage the space", manage},
	}
}

// roleOf is the role that a grant's op stands for.
func roleOf(op string) role {
	if op == "write" {
		return systemRoles()[1]
	}
	return systemRoles()[0]
}

// principal is the two halves of who a grant is for: kind is user, group or
// access-class, id what the API calls it.
func principal(v *site.View, to string) (kind, id string) {
	kind, id, _ = strings.Cut(to, ":")
	switch kind {
	case "group":
		if g, ok := v.GroupByName(id); ok {
			return kind, g.ID
		}
	case "anonymous":
		return "access-class", "anonymous-users"
	case "class":
		return "access-class", id
	}
	return kind, id
}

// permissions is GET /spaces/{id}/permissions.
func permissions(rq request, v *site.View) (any, error) {
	sp, err := pathSpace(rq, v)
	if err != nil {
		return nil, err
	}
	if _, ok := v.Grants(sp); !ok {
		return nil, missing("Could not find space with id [%s]", sp.ID)
	}
	return slice(rq, 25, permissionRows(v, sp), func(row object) any { return row })
}

// permissionRows is the permission list of a space: a row for each principal
// and operation. Sites with roles have rows of roles, which role assignments
// resolve; a site in transition has both. Access classes appear only where
// there are no assignments to hold them.
func permissionRows(v *site.View, sp *site.Space) []object {
	rows := []object{}
	grants, _ := v.Grants(sp)
	mode := v.RoleMode()
	used := []string{}
	add := func(kind, id, op string) {
		for _, permission := range roleOf(op).permissions {
			key, target, _ := strings.Cut(permission, "/")
			rows = append(rows, object{"id": sp.ID + itoa(len(rows)+1), "principal": object{"type": kind, "id": id},
				"operation": object{"key": key, "targetType": target}})
		}
	}
	for _, g := range grants {
		kind, id := principal(v, g.To)
		if mode == "PRE_ROLES" || mode == "ROLES_TRANSITION" && kind != "access-class" {
			add(kind, id, g.Op)
		}
		if mode != "PRE_ROLES" && !slices.Contains(used, g.Op) {
			used = append(used, g.Op)
			add("role", roleOf(g.Op).id, g.Op)
		}
	}
	return rows
}

// roleAssignments is GET /spaces/{id}/role-assignments, which only sites with
// roles have.
func roleAssignments(rq request, v *site.View) (any, error) {
	sp, err := pathSpace(rq, v)
	if err != nil {
		return nil, err
	}
	if _, ok := v.Grants(sp); !ok || v.RoleMode() == "PRE_ROLES" {
		return nil, missing("Could not find space with id [%s]", sp.ID)
	}
	wanted := rq.URL.Query()
	rows := slices.DeleteFunc(assignmentRows(v, sp), func(row object) bool {
		who := row["principal"].(object)
		return differs(wanted.Get("role-id"), row["roleId"]) || differs(wanted.Get("principal-id"), who["principalId"]) ||
			differs(wanted.Get("principal-type"), who["principalType"]) || wanted.Get("role-type") == "CUSTOM"
	})
	return slice(rq, 25, rows, func(row object) any { return row })
}

func differs(wanted string, has any) bool { return wanted != "" && wanted != has }

func assignmentRows(v *site.View, sp *site.Space) []object {
	rows := []object{}
	grants, _ := v.Grants(sp)
	if v.RoleMode() == "PRE_ROLES" {
		return rows
	}
	for _, g := range grants {
		kind, id := principal(v, g.To)
		rows = append(rows, object{
			"principal": object{"principalType": strings.ToUpper(strings.ReplaceAll(kind, "-", "_")), "principalId": id},
			"roleId":    roleOf(g.Op).id,
		})
	}
	return rows
}

// spaceRoles is GET /space-roles.
func spaceRoles(rq request, v *site.View) (any, error) {
	if v.RoleMode() == "PRE_ROLES" || !v.MayUseSite() {
		return nil, problem{404, "NOT_FOUND", "Not Found"}
	}
	ids, err := rq.ids("space-id", 1)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, ok := v.Space(id); !ok {
			return nil, missing("Could not find space with id [%s]", id)
		}
	}
	roles := systemRoles()
	if rq.URL.Query().Get("role-type") == "CUSTOM" {
		roles = nil
	}
	return slice(rq, 25, roles, func(r role) any {
		return object{"id": r.id, "type": "SYSTEM", "name": r.name, "description": r.description, "spacePermissions": r.permissions}
	})
}

// roleMode is GET /space-role-mode.
func roleMode(_ request, v *site.View) (any, error) {
	if v.Me() == nil {
		return nil, problem{404, "NOT_FOUND", "Not Found"}
	}
	return object{"mode": v.RoleMode()}, nil
}
