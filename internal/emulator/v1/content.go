package v1

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/rendered"
	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// content renders a page, blogpost, folder, comment or attachment with what
// ex expands. It fails where the real server fails the whole answer.
func (q request) content(v *site.View, c *site.Content, ex expansion) (object, error) {
	body := object{
		"id": c.ID, "type": c.Type, "status": c.Status, "title": displayTitle(v, c), "macroRenderedOutput": object{},
		"extensions": extensions(c),
		"_expandable": ex.expandable("container", "metadata", "restrictions", "history", "body", "version", "descendants", "space",
			"ancestors", "operations", "children", "childTypes", "schedulePublishDate"),
		"_links": q.contentLinks(v, c),
	}
	if ex.has("space") {
		if sp, ok := v.SpaceByKey(c.Space); ok {
			body["space"] = q.space(v, sp, ex["space"])
		}
	}
	if ex.has("version") {
		body["version"] = q.version(v, c.Version, newest(v, c))
	}
	if ex.has("history") {
		body["history"] = q.history(v, c, ex["history"])
	}
	if ex.has("body") {
		body["body"] = bodies(v, c, ex["body"])
	}
	if ex.has("operations") {
		body["operations"] = operations(v, c)
	}
	q.metadata(v, c, ex, body)
	return body, q.relatives(v, c, ex, body)
}

// relatives adds what is other content or hangs on it.
func (q request) relatives(v *site.View, c *site.Content, ex expansion, body object) error {
	if ex.has("ancestors") {
		up, err := q.ancestors(v, c, ex["ancestors"])
		if err != nil {
			return err
		}
		body["ancestors"] = up
	}
	if ex.has("container") {
		body["container"] = q.container(v, c)
	}
	if ex.has("restrictions") {
		body["restrictions"] = q.restrictionsIn(v, c, ex["restrictions"])
	}
	if ex.has("childTypes") {
		body["childTypes"] = q.childTypes(v, c)
	}
	if ex.has("children") {
		children, err := q.kinds(v, c, child, ex["children"])
		if err != nil {
			return err
		}
		body["children"] = children
	}
	return nil
}

// ancestors lists what stands above c. Bare ancestors always work; with their
// restrictions the whole answer is a 404 as soon as one of them cannot be
// viewed (CONFCLOUD-77618).
func (q request) ancestors(v *site.View, c *site.Content, ex expansion) ([]any, error) {
	out := []any{}
	for _, up := range v.Ancestors(c) {
		if up.Type != c.Type && !isNode(c) {
			continue // a reply's ancestors are comments only
		}
		if ex.has("restrictions") && up.Status != "current" {
			return nil, refuse(http.StatusNotFound, "No content with id %s", up.ID)
		}
		body, err := q.content(v, up, ex)
		if err != nil {
			return nil, err
		}
		out = append(out, body)
	}
	return out, nil
}

func isNode(c *site.Content) bool { return c.Type != "comment" && c.Type != "attachment" }

func displayTitle(v *site.View, c *site.Content) string {
	if c.Type == "comment" {
		return "Re: " + v.Container(c).Title
	}
	return c.Title
}

func extensions(c *site.Content) object {
	switch c.Type {
	case "attachment":
		return object{"mediaType": c.MediaType, "fileSize": len(c.Data), "comment": c.Comment, "mediaTypeDescription": "File",
			"fileId": wire.FileID(c), "collectionName": "contentId-" + c.Parent}
	case "comment":
		return commentExtensions(c)
	}
	return object{"position": c.Position}
}

// commentExtensions says where a comment stands and what it marks.
func commentExtensions(c *site.Content) object {
	if c.Inline == nil {
		return object{"location": "footer"}
	}
	return object{"location": "inline", "resolution": object{"status": c.Resolution},
		"inlineProperties": object{"originalSelection": c.Inline.Selection, "markerRef": c.Inline.Marker}}
}

func (q request) metadata(v *site.View, c *site.Content, ex expansion, body object) {
	meta := object{}
	if c.Type == "attachment" {
		meta["mediaType"], meta["comment"] = c.MediaType, c.Comment
	}
	if ex.has("metadata", "labels") {
		meta["labels"] = object{"results": labels(v, c), "start": 0, "limit": 200, "size": len(c.Labels),
			"_links": object{"self": q.link("/rest/api/content/" + c.ID + "/label")}}
	}
	if len(meta) == 0 && !ex.has("metadata") {
		return
	}
	meta["_expandable"] = ex["metadata"].expandable("currentuser", "properties", "frontend", "editorHtml", "labels")
	body["metadata"] = meta
}

func labels(v *site.View, c *site.Content) []any {
	return rows(c.Labels, func(name string) object {
		return object{"prefix": "global", "name": name, "id": v.LabelID(name), "label": name}
	})
}

func (q request) container(v *site.View, c *site.Content) object {
	on := v.Container(c)
	if on != c {
		return object{"id": on.ID, "type": on.Type, "status": on.Status, "title": on.Title, "_links": q.contentLinks(v, on)}
	}
	if sp, ok := v.SpaceByKey(c.Space); ok {
		return q.space(v, sp, nil)
	}
	return object{}
}

func newest(v *site.View, c *site.Content) site.Version {
	all := v.Versions(c)
	return all[len(all)-1]
}

func (q request) version(v *site.View, number int, ver site.Version) object {
	return object{"number": number, "by": q.person(v, ver.By), "when": stamp(ver.At), "friendlyWhen": ver.At.UTC().Format("Jan 02, 2006"),
		"message": ver.Message, "minorEdit": ver.Minor, "contentTypeModified": false, "_expandable": object{"collaborators": "", "content": ""},
		"_links": object{}}
}

func (q request) history(v *site.View, c *site.Content, ex expansion) object {
	body := object{"latest": true, "createdBy": q.person(v, c.Author), "createdDate": stamp(c.Created),
		"_expandable": ex.expandable("lastUpdated", "previousVersion", "contributors", "nextVersion", "ownedBy", "lastOwnedBy"),
		"_links":      object{"self": q.link("/rest/api/content/" + c.ID + "/history")}}
	all := v.Versions(c)
	if ex.has("lastUpdated") {
		body["lastUpdated"] = q.version(v, c.Version, all[len(all)-1])
	}
	if ex.has("previousVersion") && len(all) > 1 {
		before := all[len(all)-2]
		body["previousVersion"] = q.version(v, before.Number, before)
	}
	if ex.has("contributors") {
		ids := v.Contributors(c)
		body["contributors"] = object{"publishers": object{
			"users":    rows(ids, func(id string) object { return q.person(v, id) }),
			"userKeys": ids, "userAccountIds": ids}}
	}
	if ex.has("ownedBy") {
		body["ownedBy"] = q.person(v, c.Author)
	}
	return body
}

// bodies gives the asked representations of a storage body.
func bodies(v *site.View, c *site.Content, ex expansion) object {
	names := []string{"editor", "view", "export_view", "styled_view", "storage", "editor2", "anonymous_export_view", "atlas_doc_format", "wiki", "dynamic", "raw"}
	out := object{"_expandable": ex.expandable(names...)}
	for _, name := range names {
		if !ex.has(name) {
			continue
		}
		value := c.Storage
		switch name {
		case "wiki", "dynamic", "raw", "atlas_doc_format":
			continue // the emulator does not convert to these
		case "view", "export_view", "styled_view":
			value = rendered.Body(v, c, c.Storage)
		case "anonymous_export_view":
			value = rendered.Body(v.As(""), c, c.Storage)
		}
		out[name] = object{"value": value, "representation": name, "embeddedContent": []any{},
			"_expandable": object{"content": "/rest/api/content/" + c.ID}}
	}
	return out
}

func operations(v *site.View, c *site.Content) []any {
	out := []any{object{"operation": "read", "targetType": c.Type}}
	if v.MayEdit(c) {
		for _, op := range []string{"update", "delete"} {
			out = append(out, object{"operation": op, "targetType": c.Type})
		}
	}
	return out
}

func (q request) contentLinks(v *site.View, c *site.Content) object {
	links := object{"self": q.link("/rest/api/content/" + c.ID), "webui": webPath(v, c), "tinyui": wire.TinyPath(c)}
	switch c.Type {
	case "page", "blogpost":
		links["editui"] = "/pages/resumedraft.action?draftId=" + c.ID
	case "attachment":
		links["download"] = "/download/attachments/" + v.Container(c).ID + "/" + url.PathEscape(c.Title) + "?version=" + strconv.Itoa(c.Version) + "&api=v2"
	}
	return links
}

// webPath is where people read c, relative to /wiki; a file is shown on top of
// its page.
func webPath(v *site.View, c *site.Content) string {
	if c.Type != "attachment" {
		return wire.WebPath(v, c)
	}
	on := v.Container(c)
	return wire.WebPath(v, on) + "?preview=" + url.QueryEscape("/"+on.ID+"/"+strings.TrimPrefix(c.ID, "att")+"/"+c.Title)
}
