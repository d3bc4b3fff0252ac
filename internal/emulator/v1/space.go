package v1

import (
	"net/http"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func (k *kit) spaceRoutes() []wire.Route {
	write := alternatives("write:confluence-space", "read:space-details:confluence write:space:confluence write:space.permission:confluence")
	read := anyOf("read:confluence-space.summary", "read:space-details:confluence")
	remove := alternatives("write:confluence-space", "read:content.metadata:confluence delete:space:confluence")
	return []wire.Route{
		route(http.MethodPost, "space", write, writing(createSpace(false))),
		route(http.MethodPost, "space/_private", write, writing(createSpace(true))),
		route(http.MethodPut, "space/{key}", write, writing(updateSpace)),
		route(http.MethodDelete, "space/{key}", remove, writing(k.deleteSpace)),
		gone(get("space", read, reading(listSpaces))),
		gone(get("space/{key}", read, reading(spaceByKey))),
	}
}

func (q request) space(v *site.View, sp *site.Space, ex expansion) object {
	body := object{
		"key": sp.Key, "alias": sp.Key, "name": sp.Name, "type": sp.Type, "status": sp.Status,
		"_expandable": ex.expandable("settings", "metadata", "operations", "lookAndFeel", "permissions", "icon", "description", "theme",
			"history", "homepage", "identifiers"),
		"_links": object{"webui": "/spaces/" + sp.Key, "self": q.link("/rest/api/space/" + sp.Key)},
	}
	if n, err := strconv.ParseInt(sp.ID, 10, 64); err == nil {
		body["id"] = n
	}
	if ex.has("description") {
		body["description"] = object{"plain": object{"value": sp.Description, "representation": "plain", "embeddedContent": []any{}},
			"_expandable": object{"view": ""}}
	}
	if home, ok := v.Home(sp); ok && ex.has("homepage") {
		body["homepage"] = object{"id": home.ID, "type": home.Type, "status": home.Status, "title": home.Title, "_links": q.contentLinks(v, home)}
	}
	if ex.has("history") {
		body["history"] = object{"createdDate": stamp(sp.Created), "createdBy": q.person(v, sp.Author)}
	}
	if ex.has("permissions") {
		body["permissions"] = q.permissions(v, sp)
	}
	if ex.has("operations") {
		body["operations"] = []any{object{"operation": "read", "targetType": "space"}}
	}
	return body
}

// permissions lists a space's grants to whoever is logged in. A write grant is
// shown as all the rights it stands for.
func (q request) permissions(v *site.View, sp *site.Space) []any {
	grants, ok := v.Grants(sp)
	if !ok {
		return []any{}
	}
	out := []any{}
	for i, g := range grants {
		ops := []object{{"operation": "read", "targetType": "space"}}
		if g.Op == "write" {
			ops = append(ops, object{"operation": "create", "targetType": "page"}, object{"operation": "delete", "targetType": "page"},
				object{"operation": "create", "targetType": "comment"}, object{"operation": "create", "targetType": "attachment"},
				object{"operation": "administer", "targetType": "space"})
		}
		for j, op := range ops {
			p := q.permission(v, g.To)
			p["id"], p["operation"] = i*10+j+1, op
			out = append(out, p)
		}
	}
	return out
}

func (q request) permission(v *site.View, to string) object {
	kind, name, _ := strings.Cut(to, ":")
	p := object{"anonymousAccess": false, "unlicensedAccess": false}
	one := func(who object) object { return object{"results": []any{who}, "size": 1, "start": 0, "limit": 200} }
	switch {
	case kind == "anonymous" || name == "anonymous-users":
		p["anonymousAccess"] = true
	case kind == "user":
		p["subjects"] = object{"user": one(q.person(v, name)), "_expandable": object{"group": ""}}
	case kind == "group":
		p["subjects"] = object{"group": one(q.groupNamed(v, name)), "_expandable": object{"user": ""}}
	case name == "jsm-project-admins":
		p["unlicensedAccess"] = true
	default: // everybody with a licence, by way of the product's default group
		p["subjects"] = object{"group": one(object{"type": "group", "name": name, "id": name}), "_expandable": object{"user": ""}}
	}
	return p
}

// groupNamed renders a group by name; one that nobody knows keeps its name as
// its id, so that a reader sees that there is a subject it cannot resolve.
func (q request) groupNamed(v *site.View, name string) object {
	if g, ok := v.GroupByName(name); ok {
		return q.group(g)
	}
	return object{"type": "group", "name": name, "id": name}
}

func listSpaces(v *site.View, q request) (any, error) {
	w, err := q.window(25, 1000)
	if err != nil {
		return nil, err
	}
	keys := q.URL.Query()["spaceKey"]
	var found []*site.Space
	for _, sp := range v.Spaces() {
		if matches(q.query("type"), sp.Type) && matches(q.query("status"), sp.Status) && (len(keys) == 0 || containsFold(keys, sp.Key)) {
			found = append(found, sp)
		}
	}
	return q.page(rows(cut(found, w), func(sp *site.Space) object { return q.space(v, sp, q.expand) }), w, len(found)), nil
}

func matches(want, have string) bool { return want == "" || strings.EqualFold(want, have) }

func containsFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

func noSpace(key string) error {
	return refuse(http.StatusNotFound, "No space found with key : %s", key)
}

func spaceByKey(v *site.View, q request) (any, error) {
	sp, ok := v.SpaceByKey(q.PathValue("key"))
	if !ok {
		return nil, noSpace(q.PathValue("key"))
	}
	return q.space(v, sp, q.expand), nil
}

// spaceBody is what is read of a space that is created or updated.
type spaceBody struct {
	Key         string
	Alias       string
	Name        *string
	Type        *string
	Status      *string
	Description *struct{ Plain *struct{ Value string } }
	Homepage    *struct{ ID string }
}

func (b spaceBody) description() *string {
	if b.Description == nil || b.Description.Plain == nil {
		return nil
	}
	return &b.Description.Plain.Value
}

func createSpace(private bool) func(*site.Edit, request) (any, error) {
	return func(e *site.Edit, q request) (any, error) {
		var b spaceBody
		if err := q.decode(&b); err != nil {
			return nil, err
		}
		sp := site.Space{Key: b.Key}
		if sp.Key == "" {
			sp.Key = b.Alias
		}
		if b.Name != nil {
			sp.Name = *b.Name
		}
		if d := b.description(); d != nil {
			sp.Description = *d
		}
		made, err := e.CreateSpace(sp, private)
		if err != nil {
			return nil, err
		}
		return q.space(&e.View, made, expansion{"description": {}, "homepage": {}, "history": {}}), nil
	}
}

func updateSpace(e *site.Edit, q request) (any, error) {
	var b spaceBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	ch := site.SpaceChange{Name: b.Name, Type: b.Type, Status: b.Status, Description: b.description()}
	if b.Homepage != nil {
		ch.Home = &b.Homepage.ID
	}
	sp, err := e.UpdateSpace(q.PathValue("key"), ch)
	if err != nil {
		return nil, err
	}
	return q.space(&e.View, sp, expansion{"description": {}, "homepage": {}}), nil
}

// deleteSpace exists so that tests can prove that nothing calls it.
func (k *kit) deleteSpace(e *site.Edit, q request) (any, error) {
	if err := e.DeleteSpace(q.PathValue("key")); err != nil {
		return nil, err
	}
	return k.tasks.start(q, "com.atlassian.confluence.spaces.delete"), nil
}
