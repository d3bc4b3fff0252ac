package v1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// kindsOfChildren are the names below child and children that are served.
func kindsOfChildren() []string { return []string{"page", "folder", "comment", "attachment"} }

// legacyRoutes are reads that left the published document and still answer.
func legacyRoutes() []wire.Route {
	read := anyOf("read:confluence-content.all", "read:content-details:confluence")
	summary := anyOf("read:confluence-content.summary", "read:content-details:confluence")
	return []wire.Route{
		gone(get("content", read, reading(listContent))),
		gone(get("content/{id}", read, reading(contentByID))),
		gone(get("content/{id}/history", summary, reading(historyByID))),
		gone(get("content/{id}/version", summary, reading(versionsByID))),
		gone(get("content/{id}/version/{number}", summary, reading(versionByNumber))),
		gone(get("content/{id}/child", summary, reading(relativesByID(child)))),
		gone(get("content/{id}/child/{type}", summary, reading(relativesOfType(child)))),
		get("content/{id}/descendant", summary, reading(relativesByID(descendant))),
		get("content/{id}/descendant/{type}", summary, reading(relativesOfType(descendant))),
		gone(get("space/{key}/content", summary, reading(spaceContent))),
		gone(get("space/{key}/content/{type}", summary, reading(spaceContentOfType))),
	}
}

func contentByID(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	want := q.URL.Query()["status"]
	if len(want) == 0 && c.Status == "trashed" || len(want) > 0 && !slices.Contains(want, c.Status) && !slices.Contains(want, "any") {
		return nil, missing(c.ID)
	}
	if text := q.query("version"); text != "" {
		return q.oldContent(v, c, text)
	}
	return q.content(v, c, q.withDefaults())
}

// oldContent renders c as it was at a version.
func (q request) oldContent(v *site.View, c *site.Content, number string) (any, error) {
	ver, err := knownVersion(v, c, number)
	if err != nil {
		return nil, err
	}
	old := *c
	old.Title, old.Storage = ver.Title, ver.Storage
	body, err := q.content(v, &old, q.withDefaults())
	if err != nil {
		return nil, err
	}
	if ver.Number != c.Version {
		body["status"] = "historical"
	}
	body["version"] = q.version(v, ver.Number, ver)
	return body, nil
}

// withDefaults adds what a single content shows unasked.
func (q request) withDefaults() expansion {
	ex := expansion{"space": {}, "version": {}, "history": {}}
	for name, below := range q.expand {
		ex[name] = below
	}
	return ex
}

func listContent(v *site.View, q request) (any, error) {
	kind := q.query("type")
	switch kind {
	case "":
		kind = "page"
	case "folder":
		return nil, refuse(http.StatusNotImplemented, "Cannot fetch folders with ContentFinder")
	}
	w, err := q.window(25, 200)
	if err != nil {
		return nil, err
	}
	status := q.query("status")
	if status == "" {
		status = "current"
	}
	space, title := q.query("spaceKey"), q.query("title")
	if sp, ok := v.SpaceByKey(space); ok {
		space = sp.Key
	}
	found := v.Once("content\x00"+strings.Join([]string{kind, status, space, title}, "\x00"), func() []*site.Content {
		return slices.Collect(v.Walk(site.Query{Type: kind, Space: space, Keep: func(c *site.Content) bool {
			return (status == "any" || c.Status == status) && matches(title, c.Title)
		}}))
	})
	return q.contentPage(v, found, w, q.expand)
}

func (q request) contentPage(v *site.View, all []*site.Content, w window, ex expansion) (object, error) {
	list := []any{}
	for _, c := range cut(all, w) {
		body, err := q.content(v, c, ex)
		if err != nil {
			return nil, err
		}
		list = append(list, body)
	}
	return q.page(list, w, len(all)), nil
}

// historyByID shows when the content was last changed even unasked: older
// clients look there for the version they go on from.
func historyByID(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if len(q.expand) == 0 {
		q.expand = expansion{"lastUpdated": {}, "previousVersion": {}, "nextVersion": {}}
	}
	return q.history(v, c, q.expand), nil
}

// versionsByID lists the known versions, newest first.
func versionsByID(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	w, err := q.window(200, 200)
	if err != nil {
		return nil, err
	}
	all := v.Versions(c)
	slices.Reverse(all)
	list := rows(cut(all, w), func(ver site.Version) object { return q.version(v, ver.Number, ver) })
	return q.page(list, w, len(all)), nil
}

func versionByNumber(v *site.View, q request) (any, error) {
	c, err := q.find(v, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	ver, err := knownVersion(v, c, q.PathValue("number"))
	if err != nil {
		return nil, err
	}
	return q.version(v, ver.Number, ver), nil
}

// knownVersion finds a version by its number as text.
func knownVersion(v *site.View, c *site.Content, number string) (site.Version, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return site.Version{}, refuse(http.StatusBadRequest, "Bad version: %s", number)
	}
	ver, ok := v.Version(c, n)
	if !ok {
		return ver, refuse(http.StatusNotFound, "No version %d of content with id: ContentId{id=%s}", n, c.ID)
	}
	return ver, nil
}

// below lists the current children of one kind.
func below(v *site.View, c *site.Content, kind string) []*site.Content {
	var all []*site.Content
	switch kind {
	case "comment":
		all = v.Comments(c.ID)
	case "attachment":
		all = v.Attachments(c.ID)
	default:
		all = v.Children(c.ID)
	}
	return slices.DeleteFunc(all, func(k *site.Content) bool { return k.Type != kind || k.Status != "current" })
}

// relation is how contents hang below another one: right there or at any depth.
type relation string

const (
	child      relation = "child"
	descendant relation = "descendant"
)

// of lists what is below c; the descendants of a kind of node stand below nodes
// of any kind.
func (r relation) of(v *site.View, c *site.Content, kind string) []*site.Content {
	found := below(v, c, kind)
	switch {
	case r == child || kind == "attachment":
		return found
	case kind == "comment":
		return withReplies(v, found)
	}
	for _, node := range v.Children(c.ID) {
		found = append(found, r.of(v, node, kind)...)
	}
	return found
}

// kinds renders the expanded kinds, each as a page of its own.
func (q request) kinds(v *site.View, c *site.Content, r relation, ex expansion) (object, error) {
	path := "/rest/api/content/" + c.ID + "/" + string(r)
	body := object{"_expandable": ex.expandable(kindsOfChildren()...), "_links": object{"self": q.link(path)}}
	for _, kind := range kindsOfChildren() {
		if !ex.has(kind) {
			continue
		}
		page, err := q.firstPage(v, r.of(v, c, kind), path+"/"+kind, ex[kind])
		if err != nil {
			return nil, err
		}
		body[kind] = page
	}
	return body, nil
}

// firstPage renders the beginning of a list that stands within an answer; path
// has all of it.
func (q request) firstPage(v *site.View, all []*site.Content, path string, ex expansion) (object, error) {
	w := window{0, 25}
	list := []any{}
	for _, k := range cut(all, w) {
		one, err := q.content(v, k, ex)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	links := object{"self": q.link(path)}
	if len(all) > w.limit {
		links["next"] = path + "?limit=25&start=25"
	}
	return object{"results": list, "start": 0, "limit": w.limit, "size": len(list), "_links": links}, nil
}

func (q request) childTypes(v *site.View, c *site.Content) object {
	body := object{"_expandable": object{}}
	for _, kind := range kindsOfChildren() {
		body[kind] = object{"value": len(below(v, c, kind)) > 0, "_links": object{"self": q.link("/rest/api/content/" + c.ID + "/child/" + kind)}}
	}
	return body
}

func relativesByID(r relation) func(*site.View, request) (any, error) {
	return func(v *site.View, q request) (any, error) {
		c, err := q.find(v, q.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return q.kinds(v, c, r, q.expand)
	}
}

// relativesOfType is one listing; the one of folders right below is the only
// one of this API that sees folders, and it works inside a folder too.
func relativesOfType(r relation) func(*site.View, request) (any, error) {
	return func(v *site.View, q request) (any, error) {
		c, err := q.find(v, q.PathValue("id"))
		if err != nil {
			return nil, err
		}
		kind := q.PathValue("type")
		if !slices.Contains(kindsOfChildren(), kind) {
			return nil, refuse(http.StatusBadRequest, "No child type exists with name: %s", kind)
		}
		w, err := q.window(25, 200)
		if err != nil {
			return nil, err
		}
		found := slices.DeleteFunc(r.of(v, c, kind), func(k *site.Content) bool {
			return !matches(q.query("filename"), k.Title) || !q.wantsLocation(k)
		})
		if r == child && q.query("depth") == "all" {
			found = withReplies(v, found)
		}
		return q.contentPage(v, found, w, q.expand)
	}
}

// wantsLocation reports whether a comment stands where the request asks for:
// footer, inline, or anywhere.
func (q request) wantsLocation(c *site.Content) bool {
	want := q.URL.Query()["location"]
	return c.Type != "comment" || len(want) == 0 || containsFold(want, commentExtensions(c)["location"].(string))
}

// withReplies puts the comments below each comment behind it.
func withReplies(v *site.View, list []*site.Content) []*site.Content {
	var out []*site.Content
	for _, c := range list {
		out = append(out, c)
		if c.Type == "comment" {
			out = append(out, withReplies(v, v.Comments(c.ID))...)
		}
	}
	return out
}
