package v1

import (
	"net/http"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func templateRoutes() []wire.Route {
	read := alternatives("read:confluence-content.summary", "read:template:confluence read:content-details:confluence")
	return []wire.Route{
		get("template/page", read, reading(listTemplates)),
		get("template/blueprint", read, reading(listBlueprints)),
		get("template/{id}", read, reading(templateByID)),
	}
}

func (q request) template(v *site.View, t *site.Template, ex expansion) object {
	body := object{"templateId": t.ID, "name": t.Name, "description": "", "labels": []any{}, "templateType": "page", "editorVersion": "v2",
		"_expandable": ex.expandable("body"), "_links": object{"self": q.link("/rest/api/template/" + t.ID)}}
	if sp, ok := v.SpaceByKey(t.Space); ok {
		body["space"] = q.space(v, sp, nil)
	}
	if ex.has("body") {
		body["body"] = object{"storage": object{"value": t.Storage, "representation": "storage", "embeddedContent": []any{}}}
	}
	return body
}

// listTemplates gives a space's templates, or the site's without a space key.
func listTemplates(v *site.View, q request) (any, error) {
	w, err := q.window(25, 200)
	if err != nil {
		return nil, err
	}
	var in *site.Space
	if key := q.query("spaceKey"); key != "" {
		sp, ok := v.SpaceByKey(key)
		if !ok {
			return nil, refuse(http.StatusForbidden, "No space found with key : %s", key)
		}
		in = sp
	}
	all := v.Templates(in)
	return q.page(rows(cut(all, w), func(t *site.Template) object { return q.template(v, t, q.expand) }), w, len(all)), nil
}

// listBlueprints is empty: an emulated site has no apps that bring any.
func listBlueprints(_ *site.View, q request) (any, error) {
	w, err := q.window(25, 200)
	if err != nil {
		return nil, err
	}
	return q.page([]any{}, w, 0), nil
}

func templateByID(v *site.View, q request) (any, error) {
	t, ok := v.Template(q.PathValue("id"))
	if !ok {
		return nil, refuse(http.StatusForbidden, "Not permitted to view template %s or it does not exist", q.PathValue("id"))
	}
	return q.template(v, t, expansion{"body": {}}), nil
}
