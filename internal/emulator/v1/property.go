package v1

import (
	"encoding/json"
	"net/http"
	"net/url"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// propertyRoutes are the content properties, which left the published document
// and still work; here a key names one.
func propertyRoutes() []wire.Route {
	read := anyOf("read:confluence-props", "read:content.property:confluence")
	write := anyOf("write:confluence-props", "write:content.property:confluence")
	const list, one = "content/{id}/property", "content/{id}/property/{property}"
	return []wire.Route{
		gone(get(list, read, reading(listProperties))),
		gone(get(one, read, reading(propertyByKey))),
		gone(route(http.MethodPost, list, write, writing(createProperty))),
		gone(route(http.MethodPost, one, write, writing(createProperty))),
		gone(route(http.MethodPut, one, write, writing(putProperty))),
		gone(route(http.MethodDelete, one, write, writing(deleteProperty))),
	}
}

func (q request) property(v *site.View, c *site.Content, p site.Property) object {
	return object{"id": p.ID, "key": p.Key, "value": p.Value, "version": q.version(v, p.Version.Number, p.Version),
		"_expandable": object{"content": "/rest/api/content/" + c.ID, "additionalProperties": ""},
		"_links":      object{"self": q.link("/rest/api/content/" + c.ID + "/property/" + url.PathEscape(p.Key)), "base": q.call.Base}}
}

func listProperties(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	w, err := q.window(10, 200)
	if err != nil {
		return nil, err
	}
	list := rows(cut(c.Properties, w), func(p site.Property) object { return q.property(v, c, p) })
	return q.page(list, w, len(c.Properties)), nil
}

func propertyByKey(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	p, ok := c.Property(q.PathValue("property"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "No property found with key: %s", q.PathValue("property"))
	}
	return q.property(v, c, p), nil
}

type propertyBody struct {
	Key     string
	Value   json.RawMessage
	Version struct {
		Number  int
		Message string
	}
}

// createProperty takes the key from the body, or from the path.
func createProperty(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var b propertyBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	if key := q.PathValue("property"); key != "" {
		b.Key = key
	}
	p, err := e.CreateProperty(c.ID, b.Key, b.Value)
	if err != nil {
		return nil, err
	}
	return q.property(&e.View, c, p), nil
}

// putProperty updates a property; with version 1 it creates one that is not
// there.
func putProperty(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var b propertyBody
	if err := q.decode(&b); err != nil {
		return nil, err
	}
	key := q.PathValue("property")
	var p site.Property
	if _, exists := c.Property(key); !exists && b.Version.Number <= 1 {
		p, err = e.CreateProperty(c.ID, key, b.Value)
	} else {
		p, err = e.UpdateProperty(c.ID, key, b.Value, b.Version.Number, b.Version.Message)
	}
	if err != nil {
		return nil, err
	}
	return q.property(&e.View, c, p), nil
}

func deleteProperty(e *site.Edit, q request) (any, error) {
	c, err := q.find(&e.View, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := e.DeleteProperty(c.ID, q.PathValue("property")); err != nil {
		return nil, err
	}
	return reply{status: http.StatusNoContent}, nil
}
