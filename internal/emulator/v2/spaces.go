package v2

import (
	"cmp"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

func spaceTypes() []string {
	return []string{"", "global", "collaboration", "knowledge_base", "personal", "system", "onboarding", "xflow_sample_space"}
}

// listSpaces is GET /spaces. Keys are found only here, in any case.
func listSpaces(rq request, v *site.View) (any, error) {
	keep, err := spaceFilter(rq)
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "id", "-id", "key", "-key", "name", "-name")
	if err != nil {
		return nil, err
	}
	format, err := rq.oneOf("description-format", "", "plain", "view")
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(v.Spaces(), func(sp *site.Space) bool { return !keep(sp) })
	field, desc := strings.CutPrefix(sort, "-")
	slices.SortStableFunc(rows, func(a, b *site.Space) int {
		switch field {
		case "key":
			return cmp.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key))
		case "name":
			return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		}
		return 0
	})
	if desc {
		slices.Reverse(rows)
	}
	return slice(rq, 25, rows, func(sp *site.Space) any { return spaceShape(v, sp, format, rq.flag("include-icon")) })
}

func spaceFilter(rq request) (func(*site.Space) bool, error) {
	ids, err := rq.ids("ids", 250)
	if err != nil {
		return nil, err
	}
	keys := rq.list("keys")
	if len(keys) > 250 {
		return nil, invalid("'keys' takes at most 250 values")
	}
	kind, err := rq.oneOf("type", spaceTypes()...)
	if err != nil {
		return nil, err
	}
	status, err := rq.oneOf("status", "", "current", "archived")
	if err != nil {
		return nil, err
	}
	labelled := len(rq.list("labels")) > 0 // spaces have no labels here
	return func(sp *site.Space) bool {
		return (len(ids) == 0 || slices.Contains(ids, sp.ID)) && (kind == "" || kind == sp.Type) && (status == "" || status == sp.Status) &&
			(len(keys) == 0 || slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, sp.Key) })) && !labelled
	}, nil
}

func spaceShape(v *site.View, sp *site.Space, format string, icon bool) object {
	out := object{
		"id": sp.ID, "key": sp.Key, "name": sp.Name, "type": sp.Type, "status": sp.Status, "authorId": orNull(sp.Author),
		"spaceOwnerId": orNull(sp.Author), "currentActiveAlias": sp.Key, "createdAt": stamp(sp.Created), "homepageId": orNull(v.HomeID(sp)),
		"description": nil, "icon": nil, "_links": object{"webui": "/spaces/" + sp.Key},
	}
	if format != "" {
		out["description"] = object{format: object{"representation": format, "value": sp.Description}}
	}
	if icon {
		out["icon"] = object{"path": "/wiki/aa-avatar/" + sp.Key, "apiDownloadLink": "/wiki/aa-avatar/" + sp.Key}
	}
	return out
}

// singleSpace is GET /spaces/{id}.
func singleSpace(rq request, v *site.View) (any, error) {
	sp, err := pathSpace(rq, v)
	if err != nil {
		return nil, err
	}
	format, err := rq.oneOf("description-format", "", "plain", "view")
	if err != nil {
		return nil, err
	}
	out := spaceShape(v, sp, format, rq.flag("include-icon"))
	out["_links"].(object)["base"] = rq.call.Base
	if rq.flag("include-operations") {
		out["operations"] = included(rq, "operations", spaceOperations(v, sp))
	}
	if rq.flag("include-permissions") {
		out["permissions"] = included(rq, "permissions", permissionRows(v, sp))
	}
	if rq.flag("include-role-assignments") {
		out["roleAssignments"] = included(rq, "role-assignments", assignmentRows(v, sp))
	}
	if rq.flag("include-labels") {
		out["labels"] = included(rq, "labels", []object{})
	}
	if rq.flag("include-properties") {
		out["properties"] = included(rq, "properties", []object{})
	}
	return out, nil
}

func spaceOperations(v *site.View, sp *site.Space) []object {
	rows := []object{{"operation": "read", "targetType": "space"}}
	if v.MayCreateIn(sp) {
		for _, target := range []string{"page", "blogpost", "comment", "attachment"} {
			rows = append(rows, object{"operation": "create", "targetType": target})
		}
	}
	return rows
}

// createSpace is POST /spaces, which only sites with roles have.
func createSpace(rq request, e *site.Edit) (any, error) {
	if e.RoleMode() == "PRE_ROLES" {
		return nil, problem{404, "NOT_FOUND", "Not Found"}
	}
	var in struct {
		Name, Key, Alias string
		Description      struct{ Value string }
		Private          bool `json:"createPrivateSpace"`
	}
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	sp, err := e.CreateSpace(site.Space{Key: cmp.Or(in.Key, in.Alias), Name: in.Name, Description: in.Description.Value}, in.Private)
	if err != nil {
		return nil, err
	}
	out := spaceShape(&e.View, sp, "plain", false)
	out["_links"].(object)["base"] = rq.call.Base
	return out, nil
}

// bulkUsers is POST /users-bulk; ids of nobody have no row.
func bulkUsers(rq request, v *site.View) (any, error) {
	var in struct {
		AccountIDs []string `json:"accountIds"`
	}
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if len(in.AccountIDs) == 0 || len(in.AccountIDs) > 250 {
		return nil, invalid("accountIds takes 1 to 250 values")
	}
	rows := []object{}
	for _, id := range in.AccountIDs {
		if u, ok := v.User(id); ok {
			rows = append(rows, userShape(u))
		}
	}
	return listing{results: rows}, nil
}

func userShape(u *site.User) object {
	status, account := "active", "atlassian"
	if !u.Active {
		status = "inactive"
	}
	if u.Account == "app" {
		account = "app"
	}
	return object{
		"accountId": u.ID, "displayName": u.Name, "publicName": u.Username, "email": u.Email, "timeZone": nil, "personalSpaceId": nil,
		"accountStatus": status, "accountType": account, "isExternalCollaborator": u.Account == "guest",
		"profilePicture": object{"path": "/wiki/aa-avatar/" + u.ID, "isDefault": true},
	}
}
