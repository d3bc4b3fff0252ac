package v2

import (
	"cmp"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// ancestors is GET /{pages|folders}/{id}/ancestors: top-down, the nearest
// limit of them; without cursor, one asks again with the first id.
func (k kind) ancestors(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	limit, err := rq.limit(25)
	if err != nil {
		return nil, err
	}
	all := v.Ancestors(c)
	rows := []object{}
	for _, up := range all[max(0, len(all)-limit):] {
		rows = append(rows, object{"id": up.ID, "type": up.Type})
	}
	return listing{results: rows}, nil
}

func childShape(v *site.View, c *site.Content) object {
	return object{"id": c.ID, "status": c.Status, "title": c.Title, "type": c.Type, "spaceId": spaceID(v, c), "childPosition": c.Position}
}

// directChildren is GET /{pages|folders}/{id}/direct-children: every type of
// node.
func (k kind) directChildren(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	kids, err := sortedChildren(rq, v.Children(c.ID), "title", "-title")
	if err != nil {
		return nil, err
	}
	return slice(rq, 25, kids, func(kid *site.Content) any { return childShape(v, kid) })
}

// childPages is GET /pages/{id}/children, which hides folders.
func childPages(rq request, v *site.View) (any, error) {
	c, err := pages.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	kids := slices.DeleteFunc(v.Children(c.ID), func(kid *site.Content) bool { return kid.Type != "page" })
	if kids, err = sortedChildren(rq, kids); err != nil {
		return nil, err
	}
	return slice(rq, 25, kids, func(kid *site.Content) any {
		row := childShape(v, kid)
		delete(row, "type")
		return row
	})
}

func sortedChildren(rq request, kids []*site.Content, more ...string) ([]*site.Content, error) {
	set := append([]string{"", "child-position", "-child-position", "id", "-id", "created-date", "-created-date", "modified-date", "-modified-date"}, more...)
	sort, err := rq.oneOf("sort", set...)
	if err != nil {
		return nil, err
	}
	field, desc := strings.CutPrefix(sort, "-")
	slices.SortStableFunc(kids, byField(strings.TrimSuffix(field, "-date")))
	if desc {
		slices.Reverse(kids)
	}
	return kids, nil
}

// byField compares two contents by a sort field; an unknown field leaves the
// order alone.
func byField(field string) func(a, b *site.Content) int {
	return func(a, b *site.Content) int {
		switch field {
		case "id":
			return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
		case "created":
			return a.Created.Compare(b.Created)
		case "modified":
			return a.Updated.Compare(b.Updated)
		case "title":
			return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
		}
		return 0
	}
}

// branch is a node below another one and how deep.
type branch struct {
	node  *site.Content
	depth int
}

// descendants is GET /{pages|folders}/{id}/descendants, in tree order.
func (k kind) descendants(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	depth, err := rq.number("depth", 2, 1, 10)
	if err != nil {
		return nil, err
	}
	return slice(rq, 25, branches(v, c.ID, 1, depth), func(b branch) any {
		return object{"id": b.node.ID, "status": b.node.Status, "title": b.node.Title, "type": b.node.Type,
			"parentId": b.node.Parent, "depth": b.depth, "childPosition": b.node.Position}
	})
}

func branches(v *site.View, id string, depth, most int) []branch {
	var out []branch
	if depth > most {
		return nil
	}
	for _, kid := range v.Children(id) {
		out = append(out, branch{kid, depth})
		out = append(out, branches(v, kid.ID, depth+1, most)...)
	}
	return out
}

// folder is GET /folders/{id}.
func folder(rq request, v *site.View) (any, error) {
	c, err := folders.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return folderShape(rq, v, c), nil
}

func folderShape(rq request, v *site.View, c *site.Content) object {
	out := object{
		"id": c.ID, "type": "folder", "status": c.Status, "title": c.Title, "spaceId": spaceID(v, c), "authorId": c.Author,
		"ownerId": c.Author, "createdAt": stamp(c.Created), "version": versionShape(newest(c)),
		"_links": object{"webui": wire.WebPath(v, c), "base": rq.call.Base},
	}
	place(v, c, out)
	return out
}

// convertIDs is POST /content/convert-ids-to-types; null is missing or hidden.
func convertIDs(rq request, v *site.View) (any, error) {
	var in struct {
		ContentIDs []any `json:"contentIds"`
	}
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if in.ContentIDs == nil {
		return nil, invalid("contentIds is required")
	}
	results := object{}
	for _, raw := range in.ContentIDs {
		id, err := anyID(raw)
		if err != nil {
			return nil, err
		}
		results[id] = nil
		if c, ok := v.Content(id); ok {
			results[id] = typeName(c)
		}
	}
	return object{"results": results}, nil
}

// anyID takes an id as a string or a number.
func anyID(raw any) (string, error) {
	switch id := raw.(type) {
	case string:
		return checkID("contentIds", id)
	case float64:
		return itoa(int(id)), nil
	}
	return "", invalid("contentIds holds a value that is no id")
}

func typeName(c *site.Content) string {
	switch {
	case c.Type == "comment" && c.Inline != nil:
		return "inline-comment"
	case c.Type == "comment":
		return "footer-comment"
	}
	return c.Type
}
