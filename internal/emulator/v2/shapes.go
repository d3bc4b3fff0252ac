package v2

import (
	"net/url"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// stamp is a time in the only format this API knows.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func versionShape(v site.Version) object {
	return object{"number": v.Number, "message": v.Message, "minorEdit": v.Minor, "authorId": v.By, "createdAt": stamp(v.At)}
}

func newest(c *site.Content) site.Version {
	return site.Version{Number: c.Version, Message: c.Message, Minor: c.Minor, By: c.UpdatedBy, At: c.Updated}
}

// orNull is JSON null for what is not there.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func spaceID(v *site.View, c *site.Content) any {
	if sp, ok := v.SpaceByKey(c.Space); ok {
		return sp.ID
	}
	return nil
}

// pageShape is a page or blog post as lists show it.
func pageShape(v *site.View, c *site.Content, format string) object {
	out := object{
		"id": c.ID, "status": c.Status, "title": c.Title, "spaceId": spaceID(v, c),
		"authorId": c.Author, "createdAt": stamp(c.Created), "version": editionOf(c),
		"body": body(v, c, c.Storage, format), "_links": pageLinks(v, c),
	}
	if c.Type == "blogpost" {
		return out
	}
	out["ownerId"], out["lastOwnerId"], out["subtype"] = orNull(c.Author), nil, nil
	place(v, c, out)
	return out
}

// place adds where a page or folder stands; the trash has no places.
func place(v *site.View, c *site.Content, out object) {
	out["parentId"], out["parentType"], out["position"] = nil, nil, nil
	if c.Status == "trashed" {
		return
	}
	out["position"] = c.Position
	if up, ok := v.Content(c.Parent); ok {
		out["parentId"], out["parentType"] = up.ID, up.Type
	}
}

// links are those of a page or blog post; Base only in single reads. They and
// editions are structs because a list of 250 pages is mostly made of them.
type links struct {
	Webui  string `json:"webui"`
	Editui string `json:"editui"`
	Tinyui string `json:"tinyui"`
	Base   string `json:"base,omitempty"`
}

func pageLinks(v *site.View, c *site.Content) *links {
	return &links{Webui: wire.WebPath(v, c), Editui: "/pages/resumedraft.action?draftId=" + c.ID, Tinyui: wire.TinyPath(c)}
}

// edition is the version of a page or blog post.
type edition struct {
	Number    int    `json:"number"`
	Message   string `json:"message"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
	CreatedAt string `json:"createdAt"`
}

func editionOf(c *site.Content) edition {
	return edition{c.Version, c.Message, c.Minor, c.UpdatedBy, stamp(c.Updated)}
}

// included is a sublist inside a single read, cut at 50 rows.
func included(rq request, name string, rows []object) object {
	const most = 50
	meta := object{"hasMore": len(rows) > most}
	if len(rows) > most {
		meta["cursor"] = rq.encode(cursor{Offset: most})
		rows = rows[:most]
	}
	return object{"results": rows, "meta": meta, "_links": object{"self": rq.call.Base + "/api/v2" + strings.TrimPrefix(rq.URL.Path, root) + "/" + name}}
}

func labelShape(v *site.View, name string) object {
	return object{"id": v.LabelID(name), "name": name, "prefix": "global"}
}

// operationRows is what the user of v may do with a page or blog post.
func operationRows(v *site.View, c *site.Content) []object {
	rows := []object{{"operation": "read", "targetType": c.Type}, {"operation": "export", "targetType": c.Type}}
	if v.MayComment(c) {
		rows = append(rows, object{"operation": "create", "targetType": "comment"}, object{"operation": "create", "targetType": "attachment"})
	}
	if v.MayEdit(c) {
		for _, op := range []string{"update", "delete", "move", "copy", "restrict_content"} {
			rows = append(rows, object{"operation": op, "targetType": c.Type})
		}
	}
	return rows
}

// attachmentShape is an attachment at its newest version.
func attachmentShape(v *site.View, c *site.Content) object {
	node := v.Container(c)
	download := "/download/attachments/" + node.ID + "/" + url.PathEscape(c.Title) +
		"?version=" + itoa(c.Version) + "&modificationDate=" + itoa(int(c.Updated.UnixMilli())) + "&cacheVersion=1&api=v2"
	web := "/pages/viewpageattachments.action?pageId=" + node.ID + "&preview=" + url.QueryEscape("/"+node.ID+"/"+c.ID+"/"+c.Title)
	out := object{
		"id": c.ID, "status": c.Status, "title": c.Title, "createdAt": stamp(c.Created), "mediaType": c.MediaType,
		"mediaTypeDescription": "File", "comment": c.Comment, "fileId": wire.FileID(c), "fileSize": len(c.Data),
		"webuiLink": web, "downloadLink": download, "version": versionShape(newest(c)),
		"_links": object{"webui": web, "download": download},
	}
	switch node.Type {
	case "blogpost":
		out["blogPostId"] = node.ID
	default:
		out["pageId"] = node.ID
	}
	return out
}
