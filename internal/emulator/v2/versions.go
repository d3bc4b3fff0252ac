package v2

import (
	"slices"
	"strconv"

	"confluence-mcp/internal/emulator/site"
)

// versions is GET /{pages|blogposts}/{id}/versions, newest first.
func (k kind) versions(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return versionList(rq, v, c, string(k))
}

// versionList answers the known versions of c; each carries its state of the
// content below the name.
func versionList(rq request, v *site.View, c *site.Content, name string) (any, error) {
	format, err := rq.oneOf("body-format", listFormats()...)
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "-modified-date", "modified-date")
	if err != nil {
		return nil, err
	}
	all := v.Versions(c)
	if sort == "-modified-date" {
		slices.Reverse(all)
	}
	return slice(rq, 25, all, func(ver site.Version) any {
		row := versionShape(ver)
		row[name] = object{"id": c.ID, "title": ver.Title, "body": body(v, c, ver.Storage, format)}
		return row
	})
}

// version is GET /{pages|blogposts}/{id}/versions/{number}.
func (k kind) version(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(rq.PathValue("number"))
	if err != nil {
		return nil, invalid("Provided value {%s} for 'version-number' is not the correct type. Expected type is int", rq.PathValue("number"))
	}
	ver, ok := v.Version(c, n)
	if !ok {
		return nil, missing("Could not find version [%d] of content with id [%s]", n, c.ID)
	}
	out := versionShape(ver)
	out["contentTypeModified"], out["collaborators"] = false, []string{ver.By}
	if _, ok := v.Version(c, n-1); ok {
		out["prevVersion"] = n - 1
	}
	if n < c.Version {
		out["nextVersion"] = n + 1
	}
	return out, nil
}
