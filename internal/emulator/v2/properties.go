package v2

import (
	"cmp"
	"encoding/json"
	"slices"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// propertyRoutes are the content properties of a kind.
func propertyRoutes(k kind) []wire.Route {
	base := "/" + k.plural() + "/{id}/properties"
	return []wire.Route{
		read("GET", base, "read:page", k.properties),
		read("GET", base+"/{property}", "read:page", k.property),
		write("POST", base, "read:page write:page", 200, k.createProperty),
		write("PUT", base+"/{property}", "read:page write:page", 200, k.updateProperty),
		write("DELETE", base+"/{property}", "read:page write:page", 204, k.removeProperty),
	}
}

func propertyShape(p site.Property) object {
	return object{"id": p.ID, "key": p.Key, "value": p.Value, "version": versionShape(p.Version)}
}

// properties is GET /{pages|blogposts}/{id}/properties.
func (k kind) properties(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "", "key", "-key")
	if err != nil {
		return nil, err
	}
	key := rq.URL.Query().Get("key")
	rows := slices.DeleteFunc(slices.Clone(c.Properties), func(p site.Property) bool { return key != "" && key != p.Key })
	if sort != "" {
		slices.SortFunc(rows, func(a, b site.Property) int { return cmp.Compare(a.Key, b.Key) })
	}
	if sort == "-key" {
		slices.Reverse(rows)
	}
	return slice(rq, 25, rows, func(p site.Property) any { return propertyShape(p) })
}

// propertyByPath finds the property of the path, which is named by its id.
func (k kind) propertyByPath(rq request, v *site.View) (*site.Content, site.Property, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, site.Property{}, err
	}
	id, err := checkID("property-id", rq.PathValue("property"))
	if err != nil {
		return nil, site.Property{}, err
	}
	p, ok := c.PropertyByID(id)
	if !ok {
		return nil, p, missing("Could not find property with id [%s]", id)
	}
	return c, p, nil
}

// property is GET /{pages|blogposts}/{id}/properties/{property}.
func (k kind) property(rq request, v *site.View) (any, error) {
	_, p, err := k.propertyByPath(rq, v)
	if err != nil {
		return nil, err
	}
	return propertyShape(p), nil
}

// propertyBody is the body of POST and PUT.
type propertyBody struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Version struct {
		Number  int    `json:"number"`
		Message string `json:"message"`
	} `json:"version"`
}

func (k kind) createProperty(rq request, e *site.Edit) (any, error) {
	c, err := k.byPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	var in propertyBody
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	p, err := e.CreateProperty(c.ID, in.Key, in.Value)
	if err != nil {
		return nil, err
	}
	return propertyShape(p), nil
}

func (k kind) updateProperty(rq request, e *site.Edit) (any, error) {
	c, old, err := k.propertyByPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	var in propertyBody
	if err := rq.decode(&in); err != nil {
		return nil, err
	}
	if in.Key != old.Key {
		return nil, invalid("key in the request body {%s} does not match the property's {%s}", in.Key, old.Key)
	}
	p, err := e.UpdateProperty(c.ID, old.Key, in.Value, in.Version.Number, in.Version.Message)
	if err != nil {
		return nil, err
	}
	return propertyShape(p), nil
}

func (k kind) removeProperty(rq request, e *site.Edit) (any, error) {
	c, p, err := k.propertyByPath(rq, &e.View)
	if err != nil {
		return nil, err
	}
	return nil, e.DeleteProperty(c.ID, p.Key)
}
