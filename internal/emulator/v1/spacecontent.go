package v1

import (
	"net/http"

	"confluence-mcp/internal/emulator/site"
)

// contentOf lists the current content of a kind in the space of the path; with
// depth root only what stands at its top.
func (q request) contentOf(v *site.View, sp *site.Space, kind string) []*site.Content {
	var found []*site.Content
	for c := range v.Walk(site.Query{Type: kind, Space: sp.Key}) {
		if c.Status == "current" && (q.query("depth") != "root" || c.Parent == "") {
			found = append(found, c)
		}
	}
	return found
}

// spaceContent shows the beginnings of both kinds of content of a space.
func spaceContent(v *site.View, q request) (any, error) {
	sp, ok := v.SpaceByKey(q.PathValue("key"))
	if !ok {
		return nil, noSpace(q.PathValue("key"))
	}
	path := "/rest/api/space/" + sp.Key + "/content"
	body := object{"_links": object{"base": q.call.Base, "context": "/wiki", "self": q.link(path)}}
	for _, kind := range []string{"page", "blogpost"} {
		page, err := q.firstPage(v, q.contentOf(v, sp, kind), path+"/"+kind, q.expand)
		if err != nil {
			return nil, err
		}
		body[kind] = page
	}
	return body, nil
}

func spaceContentOfType(v *site.View, q request) (any, error) {
	sp, ok := v.SpaceByKey(q.PathValue("key"))
	if !ok {
		return nil, noSpace(q.PathValue("key"))
	}
	kind := q.PathValue("type")
	if kind != "page" && kind != "blogpost" {
		return nil, refuse(http.StatusBadRequest, "No content type of a space: %s", kind)
	}
	w, err := q.window(25, 200)
	if err != nil {
		return nil, err
	}
	return q.contentPage(v, q.contentOf(v, sp, kind), w, q.expand)
}
