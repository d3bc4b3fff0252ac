package v1

import (
	"net/http"

	"confluence-mcp/internal/emulator/site"
)

type permissionBody struct {
	Subject   struct{ Type, Identifier string }
	Operation string
}

// checkPermission says what somebody may do with a content, inherited
// restrictions and space rights included. A denial is an answer, status 200.
// Asking for others needs an admin.
func checkPermission(v *site.View, q request) (any, error) {
	var b permissionBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	id := q.PathValue("id")
	self := v.Me() != nil && b.Subject.Type == "user" && b.Subject.Identifier == v.Me().ID
	if !self && !v.Admin() {
		return nil, refuse(http.StatusForbidden, "Only a Confluence administrator may check the permissions of others")
	}
	if _, err := q.find(v, id); err != nil && !v.Exists(id) {
		return nil, err
	}
	as, err := q.asSubject(v, b)
	if err != nil {
		return nil, err
	}
	c, sees := as.Content(id)
	may := sees
	switch b.Operation {
	case "read":
	case "update", "delete":
		may = sees && as.MayEdit(c)
	default:
		return nil, refuse(http.StatusBadRequest, "The operation must be read, update or delete, not %q", b.Operation)
	}
	body := object{"hasPermission": may, "errors": []any{}, "_links": object{"base": q.call.Base, "self": q.link(q.apiPath())}}
	if !may {
		body["errors"] = []any{object{"translation": "The subject is not permitted to " + b.Operation + " this content", "args": []any{}}}
	}
	return body, nil
}

// asSubject is the site as the subject sees it: a user id or a group id.
func (q request) asSubject(v *site.View, b permissionBody) (*site.View, error) {
	switch b.Subject.Type {
	case "user":
		if b.Subject.Identifier == "anonymous" {
			return v.As(""), nil
		}
		if _, ok := v.User(b.Subject.Identifier); !ok {
			return nil, refuse(http.StatusNotFound, "No user found with account id: %s", b.Subject.Identifier)
		}
		return v.As(b.Subject.Identifier), nil
	case "group":
		g, ok := v.Group(b.Subject.Identifier)
		if !ok {
			return nil, refuse(http.StatusNotFound, "No group found with id: %s", b.Subject.Identifier)
		}
		return v.AsGroup(g), nil
	}
	return nil, refuse(http.StatusBadRequest, "The subject type must be user or group, not %q", b.Subject.Type)
}
