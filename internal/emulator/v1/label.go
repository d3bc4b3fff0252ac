package v1

import (
	"encoding/json"
	"net/http"
	"regexp"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func labelRoutes() []wire.Route {
	add := alternatives("write:confluence-content", "read:label:confluence write:label:confluence")
	remove := anyOf("write:confluence-content", "write:label:confluence")
	return []wire.Route{
		route(http.MethodPost, "content/{id}/label", add, writing(addLabels)),
		route(http.MethodDelete, "content/{id}/label", remove, writing(removeLabelByQuery)),
		route(http.MethodDelete, "content/{id}/label/{label}", remove, writing(removeLabelByPath)),
		gone(get("content/{id}/label", anyOf("read:confluence-content.summary", "read:label:confluence"), reading(listLabels))),
	}
}

// find is a content by the id in the path. An id that is no id at all, such as
// a space key, breaks the real server.
func (q request) find(v *site.View, id string) (*site.Content, error) {
	c, ok := v.Content(id)
	switch {
	case ok:
		return c, nil
	case !regexp.MustCompile(`^(att)?\d{1,19}$`).MatchString(id):
		return nil, refuse(http.StatusInternalServerError, "java.lang.NumberFormatException: For input string: %q", id)
	}
	return nil, missing(id)
}

func (q request) labelList(v *site.View, c *site.Content) object {
	w := window{0, 200}
	return q.page(labels(v, c), w, len(c.Labels))
}

func listLabels(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	w, err := q.window(200, 200)
	if err != nil {
		return nil, err
	}
	return q.page(cut(labels(v, c), w), w, len(c.Labels)), nil
}

type labelBody struct{ Prefix, Name string }

// addLabels takes one label or a list and answers with the full set.
func addLabels(e *site.Edit, q request) (any, error) {
	if _, err := q.find(&e.View, q.PathValue("id")); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := q.decode(&raw); err != nil {
		return nil, err
	}
	list := []labelBody{{}}
	if json.Unmarshal(raw, &list[0]) != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, refuse(http.StatusBadRequest, "Could not parse labels")
		}
	}
	var names []string
	for _, l := range list {
		if l.Prefix != "global" {
			return nil, refuse(http.StatusBadRequest, "The label prefix [%s] is not supported", l.Prefix)
		}
		names = append(names, l.Name)
	}
	c, err := e.AddLabels(q.PathValue("id"), names)
	if err != nil {
		return nil, err
	}
	return q.labelList(&e.View, c), nil
}

func removeLabelByQuery(e *site.Edit, q request) (any, error) {
	return removeLabel(e, q, q.query("name"))
}

func removeLabelByPath(e *site.Edit, q request) (any, error) {
	return removeLabel(e, q, q.PathValue("label"))
}

func removeLabel(e *site.Edit, q request, name string) (any, error) {
	if _, err := q.find(&e.View, q.PathValue("id")); err != nil {
		return nil, err
	}
	if err := e.RemoveLabel(q.PathValue("id"), name); err != nil {
		return nil, err
	}
	return reply{status: http.StatusNoContent}, nil
}
