package v1

import (
	"net/http"
	"net/url"
	"strings"

	"confluence-mcp/internal/emulator/cql"
	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

const maxPeople = 200

func (k *kit) peopleRoutes() []wire.Route {
	user := anyOf("read:confluence-user", "read:content-details:confluence")
	groups := anyOf("read:confluence-groups", "read:group:confluence")
	return []wire.Route{
		get("user/current", user, reading(currentUser)),
		get("user/anonymous", anyOf("read:confluence-user", "read:user:confluence"), reading(anonymousUser)),
		get("user", user, reading(userByID)),
		get("user/bulk", user, reading(usersByID)),
		get("user/memberof", alternatives("read:confluence-user", "read:user:confluence read:group:confluence"), reading(memberships)),
		get("group", groups, reading(listGroups)),
		get("group/by-id", groups, reading(groupByID)),
		get("group/picker", groups, reading(pickGroups)),
		get("group/{groupId}/membersByGroupId", alternatives("read:confluence-groups", "read:group:confluence read:user:confluence"), reading(groupMembers)),
		get("search/user", alternatives("read:content-details:confluence"), reading(searchUsers)),
	}
}

func picture() object {
	return object{"path": "/wiki/aa-avatar/default", "width": 48, "height": 48, "isDefault": true}
}

func (q request) user(u *site.User) object {
	account := "atlassian"
	if u.Account == "app" {
		account = "app"
	}
	return object{
		"type": "known", "accountId": u.ID, "accountType": account, "email": u.Email,
		"publicName": u.Name, "displayName": u.Name, "profilePicture": picture(), "timeZone": nil,
		"isExternalCollaborator": u.Account == "guest", "isGuest": u.Account == "guest",
		"_expandable": object{"operations": "", "details": "", "personalSpace": ""},
		"_links":      object{"self": q.link("/rest/api/user?accountId=" + url.QueryEscape(u.ID))},
	}
}

// person renders a user by id, known or not.
func (q request) person(v *site.View, id string) object {
	if u, ok := v.User(id); ok {
		return q.user(u)
	}
	return object{
		"type": "unknown", "accountId": id, "accountType": "", "email": "", "publicName": "Unknown user",
		"displayName": "Unknown user", "profilePicture": picture(), "_expandable": object{"operations": "", "personalSpace": "", "details": ""},
		"_links": object{"self": q.link("/rest/api/user?accountId=" + url.QueryEscape(id))},
	}
}

func (q request) group(g *site.Group) object {
	return object{"type": "group", "name": g.Name, "id": g.ID, "managedBy": "ADMINS", "usageType": "USERBASE_GROUP",
		"_links": object{"self": q.link("/rest/api/group/by-id?id=" + url.QueryEscape(g.ID))}}
}

func currentUser(v *site.View, q request) (any, error) {
	if v.Me() == nil {
		return anonymousUser(v, q)
	}
	body := q.user(v.Me())
	if q.expand.has("operations") {
		body["operations"] = []any{object{"operation": "use", "targetType": "application"}}
	}
	return body, nil
}

func anonymousUser(_ *site.View, q request) (any, error) {
	return object{"type": "anonymous", "displayName": "Anonymous", "profilePicture": picture(), "operations": []any{},
		"_expandable": object{"operations": ""}, "_links": object{"base": q.call.Base, "self": q.link("/rest/api/user/anonymous")}}, nil
}

func userByID(v *site.View, q request) (any, error) {
	id := q.query("accountId")
	if id == "" {
		return nil, refuse(http.StatusBadRequest, "accountId is required")
	}
	u, ok := v.User(id)
	if !ok {
		return nil, refuse(http.StatusNotFound, "No user found with account id: %s", id)
	}
	return q.user(u), nil
}

// usersByID answers for at most the first 100 ids, without a word about the
// rest.
func usersByID(v *site.View, q request) (any, error) {
	ids := q.URL.Query()["accountId"]
	if len(ids) == 0 {
		return nil, refuse(http.StatusBadRequest, "accountId is required")
	}
	ids = ids[:min(len(ids), 100)]
	list := rows(ids, func(id string) object { return q.person(v, id) })
	return q.page(list, window{0, maxPeople}, len(list)), nil
}

// memberships lists the groups of anybody, for everybody who is logged in.
func memberships(v *site.View, q request) (any, error) {
	id := q.query("accountId")
	u, ok := v.User(id)
	if !ok {
		return nil, refuse(http.StatusNotFound, "No user found with account id: %s", id)
	}
	if v.Me() == nil {
		return nil, refuse(http.StatusForbidden, "Not permitted to view the groups of this user")
	}
	return q.groupPage(v.GroupsOf(u))
}

func (q request) groupPage(all []*site.Group) (any, error) {
	w, err := q.window(maxPeople, maxPeople)
	if err != nil {
		return nil, err
	}
	body := q.page(rows(cut(all, w), q.group), w, len(all))
	if q.query("shouldReturnTotalSize") == "true" {
		body["totalSize"] = len(all)
	}
	return body, nil
}

func listGroups(v *site.View, q request) (any, error) { return q.groupPage(v.Groups()) }

func pickGroups(v *site.View, q request) (any, error) {
	var found []*site.Group
	for _, g := range v.Groups() {
		if strings.Contains(strings.ToLower(g.Name), strings.ToLower(q.query("query"))) {
			found = append(found, g)
		}
	}
	return q.groupPage(found)
}

func groupByID(v *site.View, q request) (any, error) {
	g, ok := v.Group(q.query("id"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "No group found with id: %s", q.query("id"))
	}
	return q.group(g), nil
}

// groupMembers answers an unknown group with an empty list and status 200.
func groupMembers(v *site.View, q request) (any, error) {
	w, err := q.window(maxPeople, 1<<30)
	if err != nil {
		return nil, err
	}
	if w.limit > maxPeople {
		return nil, refuse(http.StatusBadRequest, "limit must not be greater than %d", maxPeople)
	}
	var members []*site.User
	if g, ok := v.Group(q.PathValue("groupId")); ok {
		if members, ok = v.Members(g); !ok {
			return nil, refuse(http.StatusForbidden, "Not permitted to view the members of this group")
		}
	}
	body := q.page(rows(cut(members, w), q.user), w, len(members))
	if q.query("shouldReturnTotalSize") == "true" {
		body["totalSize"] = len(members)
	}
	return body, nil
}

// searchUsers evaluates CQL over the accounts; this search pages by offset.
func searchUsers(v *site.View, q request) (any, error) {
	query, err := q.parse(true)
	if err != nil {
		return nil, err
	}
	w, err := q.window(25, maxPeople)
	if err != nil {
		return nil, err
	}
	var found []*site.User
	for _, u := range v.Users() {
		if u.Active && query.Match(account{u}) {
			found = append(found, u)
		}
	}
	list := rows(cut(found, w), func(u *site.User) object {
		return object{"user": q.user(u), "title": u.Name, "excerpt": "", "url": "/people/" + url.PathEscape(u.ID),
			"breadcrumbs": []any{}, "entityType": "user", "iconCssClass": "aui-icon content-type-profile",
			"lastModified": stamp(v.Now()), "friendlyLastModified": "", "score": 0.0}
	})
	body := q.page(list, w, len(found))
	body["totalSize"], body["cqlQuery"], body["searchDuration"] = len(found), q.query("cql"), 1
	return body, nil
}

// parse reads the cql parameter.
func (q request) parse(users bool) (*cql.Query, error) {
	return q.parseText(q.query("cql"), users)
}
