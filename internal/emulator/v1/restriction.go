package v1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

const maxSubjects = 200

func restrictionRoutes() []wire.Route {
	read := anyOf("read:confluence-content.all", "read:content-details:confluence")
	status := anyOf("read:confluence-content.all", "read:content.restriction:confluence")
	write := alternatives("write:confluence-content", "read:content-details:confluence write:content.restriction:confluence")
	one := anyOf("write:confluence-content", "write:content.restriction:confluence")
	const path = "content/{id}/restriction"
	routes := []wire.Route{
		get(path, read, reading(restrictions)),
		get(path+"/byOperation", read, reading(restrictionsByOperation)),
		get(path+"/byOperation/{op}", read, reading(restrictionsOf)),
		route(http.MethodPut, path, write, writing(replaceRestrictions)),
		route(http.MethodPost, path, write, writing(addRestrictions)),
		route(http.MethodDelete, path, write, writing(clearRestrictions)),
		route(http.MethodPost, "content/{id}/permission/check",
			anyOf("read:confluence-content.permission", "read:content.permission:confluence"), reading(checkPermission)),
	}
	for _, who := range []string{"/user", "/byGroupId/{group}"} {
		at := path + "/byOperation/{op}" + who
		routes = append(routes, get(at, status, reading(isListed)),
			route(http.MethodPut, at, one, writing(enlist)), route(http.MethodDelete, at, one, writing(delist)))
	}
	return routes
}

// subjectsOf is one side of a content's own restrictions; comments and
// attachments have none.
func subjectsOf(c *site.Content, op string) site.Subjects {
	if op == "read" {
		return c.Read
	}
	return c.Update
}

// restriction renders one operation. w pages users and groups alike.
func (q request) restriction(v *site.View, c *site.Content, op string, ex expansion, w window) object {
	self := "/rest/api/content/" + c.ID + "/restriction/byOperation/" + op
	body := object{"operation": op, "_expandable": ex.expandable("restrictions", "content"), "_links": object{"self": q.link(self)}}
	if !ex.has("restrictions") {
		return body
	}
	s, lists := subjectsOf(c, op), object{"_expandable": ex["restrictions"].expandable("user", "group")}
	part := func(name string, list []any) {
		if ex.has("restrictions", name) {
			lists[name] = q.subjectPage(self, name, list, w)
		}
	}
	part("user", rows(s.Users, func(id string) object { return q.person(v, id) }))
	part("group", rows(s.Groups, func(name string) object { return q.groupNamed(v, name) }))
	body["restrictions"] = lists
	return body
}

func (q request) subjectPage(self, name string, list []any, w window) object {
	shown := cut(list, w)
	links := object{"self": q.link(self)}
	if w.start+len(shown) < len(list) && w.limit > 0 {
		links["next"] = self + "?" + url.Values{"expand": {"restrictions." + name}, "start": {strconv.Itoa(w.start + len(shown))},
			"limit": {strconv.Itoa(w.limit)}}.Encode()
	}
	return object{"results": shown, "start": w.start, "limit": w.limit, "size": len(shown), "_links": links}
}

// restrictionsIn is the restrictions part of an expanded content. Its lists are
// pages of their own.
func (q request) restrictionsIn(v *site.View, c *site.Content, ex expansion) object {
	body := object{"_expandable": ex.expandable("read", "update"), "_links": object{"self": q.link("/rest/api/content/" + c.ID + "/restriction/byOperation")}}
	for _, op := range []string{"read", "update"} {
		if ex.has(op) {
			body[op] = q.restriction(v, c, op, ex[op], window{0, maxSubjects})
		}
	}
	return body
}

// both lists both operations, which always appear.
func (q request) both(v *site.View, c *site.Content, w window) object {
	list := []any{}
	for _, op := range []string{"read", "update"} {
		list = append(list, q.restriction(v, c, op, q.subjectExpansion(), w))
	}
	return object{"results": list, "start": w.start, "limit": w.limit, "size": len(list), "restrictionsHash": hash(c),
		"_links": object{"base": q.call.Base, "context": "/wiki", "self": q.link("/rest/api/content/" + c.ID + "/restriction")}}
}

// subjectExpansion is what these routes expand: everything unless asked for
// less.
func (q request) subjectExpansion() expansion {
	if q.expand.has("restrictions", "user") || q.expand.has("restrictions", "group") {
		return q.expand
	}
	return expansion{"restrictions": {"user": {}, "group": {}}}
}

func hash(c *site.Content) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q%q%q%q", c.Read.Users, c.Read.Groups, c.Update.Users, c.Update.Groups))
	return hex.EncodeToString(sum[:])
}

func restrictions(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	w, err := q.window(100, maxSubjects)
	if err != nil {
		return nil, err
	}
	return q.both(v, c, w), nil
}

func restrictionsByOperation(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	body := object{}
	for _, op := range []string{"read", "update"} {
		body[op] = q.restriction(v, c, op, q.subjectExpansion(), window{0, maxSubjects})
	}
	return body, nil
}

func restrictionsOf(v *site.View, q request) (any, error) {
	c, op, err := q.operation(v)
	if err != nil {
		return nil, err
	}
	w, err := q.window(100, maxSubjects)
	if err != nil {
		return nil, err
	}
	return q.restriction(v, c, op, q.subjectExpansion(), w), nil
}

// operation finds the content and the operation that a path names.
func (q request) operation(v *site.View) (*site.Content, string, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, "", err
	}
	op := q.PathValue("op")
	if op != "read" && op != "update" {
		return nil, "", refuse(http.StatusBadRequest, "The operation must be read or update, not %s", op)
	}
	return c, op, nil
}

// subject is whom a membership path names: a user id or a group name.
func (q request) subject(v *site.View) (user, group string, err error) {
	if id := q.PathValue("group"); id != "" {
		g, ok := v.Group(id)
		if !ok {
			return "", "", refuse(http.StatusNotFound, "No group found with id: %s", id)
		}
		return "", g.Name, nil
	}
	id := q.query("accountId")
	if _, ok := v.User(id); !ok {
		return "", "", refuse(http.StatusNotFound, "No user found with account id: %s", id)
	}
	return id, "", nil
}

// isListed answers 200 for listed and 404 for not listed; inheritance and space
// rights do not matter.
func isListed(v *site.View, q request) (any, error) {
	c, op, err := q.operation(v)
	if err != nil {
		return nil, err
	}
	user, group, err := q.subject(v)
	if err != nil {
		return nil, err
	}
	s := subjectsOf(c, op)
	if user != "" && slices.Contains(s.Users, user) || group != "" && slices.Contains(s.Groups, group) {
		return reply{status: http.StatusOK}, nil
	}
	return nil, refuse(http.StatusNotFound, "The subject is not in the %s restriction of content %s", op, c.ID)
}

func enlist(e *site.Edit, q request) (any, error) { return q.changeList(e, true) }

func delist(e *site.Edit, q request) (any, error) { return q.changeList(e, false) }

func (q request) changeList(e *site.Edit, add bool) (any, error) {
	c, op, err := q.operation(&e.View)
	if err != nil {
		return nil, err
	}
	user, group, err := q.subject(&e.View)
	if err != nil {
		return nil, err
	}
	s := map[string]site.Subjects{"read": c.Read, "update": c.Update}
	changed := site.Subjects{Users: change(s[op].Users, user, add), Groups: change(s[op].Groups, group, add)}
	s[op] = changed
	if _, err := e.Restrict(c.ID, s["read"], s["update"]); err != nil {
		return nil, err
	}
	return reply{status: http.StatusOK}, nil
}

// change gives list with or without name; an empty name changes nothing.
func change(list []string, name string, add bool) []string {
	out := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
	if add && name != "" {
		out = append(out, name)
	}
	return out
}

// restrictionBody is one operation of a PUT or POST. Users and groups come as a
// list or as the object a GET gives.
type restrictionBody struct {
	Operation    string
	Restrictions struct{ User, Group json.RawMessage }
}

type subjectBody struct{ AccountID, ID, Name string }

func (q request) restrictionBodies() ([]restrictionBody, error) {
	var raw json.RawMessage
	if err := q.decode(&raw); err != nil {
		return nil, err
	}
	var list []restrictionBody
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var wrapped struct{ Results []restrictionBody }
	if err := json.Unmarshal(raw, &wrapped); err != nil {
		return nil, refuse(http.StatusBadRequest, "Could not parse restrictions")
	}
	return wrapped.Results, nil
}

func subjectList(raw json.RawMessage) ([]subjectBody, error) {
	var list []subjectBody
	if len(raw) == 0 || json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var wrapped struct{ Results []subjectBody }
	if err := json.Unmarshal(raw, &wrapped); err != nil {
		return nil, refuse(http.StatusBadRequest, "Could not parse the subjects of a restriction")
	}
	return wrapped.Results, nil
}

// resolve turns a body into subjects; a group may be named by id or name.
func (b restrictionBody) resolve(v *site.View) (site.Subjects, error) {
	var s site.Subjects
	users, err := subjectList(b.Restrictions.User)
	if err != nil {
		return s, err
	}
	groups, err := subjectList(b.Restrictions.Group)
	if err != nil {
		return s, err
	}
	for _, u := range users {
		if _, ok := v.User(u.AccountID); !ok {
			return s, refuse(http.StatusBadRequest, "No user found with account id: %s", u.AccountID)
		}
		s.Users = append(s.Users, u.AccountID)
	}
	for _, g := range groups {
		known, ok := v.Group(g.ID)
		if !ok {
			known, ok = v.GroupByName(g.Name)
		}
		if !ok {
			return s, refuse(http.StatusBadRequest, "No group found with id %q or name %q", g.ID, g.Name)
		}
		s.Groups = append(s.Groups, known.Name)
	}
	return s, nil
}

func replaceRestrictions(e *site.Edit, q request) (any, error) {
	return q.setRestrictions(e, func(_, body site.Subjects) site.Subjects { return body })
}

func addRestrictions(e *site.Edit, q request) (any, error) {
	return q.setRestrictions(e, func(have, body site.Subjects) site.Subjects {
		have = site.Subjects{Users: slices.Clone(have.Users), Groups: slices.Clone(have.Groups)}
		for _, id := range body.Users {
			have.Users = change(have.Users, id, true)
		}
		for _, name := range body.Groups {
			have.Groups = change(have.Groups, name, true)
		}
		return have
	})
}

func clearRestrictions(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if c, err = e.Restrict(c.ID, site.Subjects{}, site.Subjects{}); err != nil {
		return nil, err
	}
	return q.both(&e.View, c, window{0, maxSubjects}), nil
}

// setRestrictions merges the named operations of the body into what there is.
func (q request) setRestrictions(e *site.Edit, merge func(have, body site.Subjects) site.Subjects) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	bodies, err := q.restrictionBodies()
	if err != nil {
		return nil, err
	}
	now := map[string]site.Subjects{"read": c.Read, "update": c.Update}
	for _, b := range bodies {
		if _, known := now[b.Operation]; !known {
			return nil, refuse(http.StatusBadRequest, "The operation must be read or update, not %q", b.Operation)
		}
		s, err := b.resolve(&e.View)
		if err != nil {
			return nil, err
		}
		now[b.Operation] = merge(now[b.Operation], s)
	}
	if c, err = e.Restrict(c.ID, now["read"], now["update"]); err != nil {
		return nil, err
	}
	return q.both(&e.View, c, window{0, maxSubjects}), nil
}
