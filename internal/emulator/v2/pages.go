package v2

import (
	"slices"
	"strconv"
	"strings"

	"confluence-mcp/internal/emulator/site"
)

// kind is a type of content that has routes of its own.
type kind string

const (
	pages     kind = "page"
	blogposts kind = "blogpost"
	folders   kind = "folder"
)

func (k kind) plural() string { return string(k) + "s" }

// statuses are those a list may be asked for; the first ones are the default.
func (k kind) statuses() (fallback, legal []string) {
	if k == blogposts {
		return []string{"current"}, []string{"current", "deleted", "trashed"}
	}
	return []string{"current", "archived"}, []string{"current", "archived", "deleted", "trashed"}
}

// list is GET /pages and GET /blogposts.
func (k kind) list(rq request, v *site.View) (any, error) {
	ids, err := rq.ids("space-id", 100)
	if err != nil {
		return nil, err
	}
	keys := []string{}
	for _, id := range ids {
		if sp, ok := v.Space(id); ok {
			keys = append(keys, sp.Key)
		}
	}
	return k.walk(rq, v, keys, len(ids) > 0)
}

// listInSpace is GET /spaces/{id}/pages and /blogposts.
func (k kind) listInSpace(rq request, v *site.View) (any, error) {
	sp, err := pathSpace(rq, v)
	if err != nil {
		return nil, err
	}
	return k.walk(rq, v, []string{sp.Key}, true)
}

func pathSpace(rq request, v *site.View) (*site.Space, error) {
	id, err := rq.id()
	if err != nil {
		return nil, err
	}
	sp, ok := v.Space(id)
	if !ok {
		return nil, missing("Could not find space with id [%s]", id)
	}
	return sp, nil
}

// walk answers one page of the contents in the spaces, or everywhere unless
// limited to them.
func (k kind) walk(rq request, v *site.View, spaces []string, limited bool) (any, error) {
	format, err := rq.oneOf("body-format", listFormats()...)
	if err != nil {
		return nil, err
	}
	q, err := k.query(rq)
	if err != nil {
		return nil, err
	}
	if len(spaces) == 1 {
		q.Space = spaces[0]
	}
	if limited && len(spaces) != 1 {
		keep := q.Keep
		q.Keep = func(c *site.Content) bool { return slices.Contains(spaces, c.Space) && keep(c) }
	}
	return walk(rq, v, q, 25, func(c *site.Content) any { return pageShape(v, c, format) })
}

// walk answers one page of a query.
func walk(rq request, v *site.View, q site.Query, fallback int, shape func(*site.Content) any) (any, error) {
	limit, err := rq.limit(fallback)
	if err != nil {
		return nil, err
	}
	c, err := rq.cursor()
	if err != nil {
		return nil, err
	}
	if c != nil {
		q.After = c.Mark
	}
	rows := make([]any, 0, limit)
	var last *site.Content
	for item := range v.Walk(q) {
		if len(rows) == limit {
			mark := q.Mark(last)
			return listing{rows, rq.encode(cursor{Mark: &mark})}, nil
		}
		rows = append(rows, shape(item))
		last = item
	}
	return listing{results: rows}, nil
}

// query reads the filters and the order of a list of pages or blog posts.
func (k kind) query(rq request) (site.Query, error) {
	q := site.Query{Type: string(k)}
	orders := []string{"", "id", "-id", "created-date", "-created-date", "modified-date", "-modified-date"}
	if k == pages {
		orders = append(orders, "title", "-title")
	}
	if err := rq.order(&q, orders); err != nil {
		return q, err
	}
	ids, err := rq.ids("id", 250)
	if err != nil {
		return q, err
	}
	q.IDs = ids
	q.Keep, err = k.filter(rq)
	return q, err
}

// order reads the sort parameter into q.
func (rq request) order(q *site.Query, orders []string) error {
	sort, err := rq.oneOf("sort", orders...)
	if err != nil {
		return err
	}
	q.Sort, q.Desc = strings.CutPrefix(sort, "-")
	q.Sort = strings.TrimSuffix(q.Sort, "-date")
	if q.Sort == "" {
		q.Sort = "id"
	}
	return nil
}

func (k kind) filter(rq request) (func(*site.Content) bool, error) {
	fallback, legal := k.statuses()
	statuses, err := rq.someOf("status", fallback, legal...)
	if err != nil {
		return nil, err
	}
	depth, err := rq.oneOf("depth", "all", "root")
	if err != nil {
		return nil, err
	}
	subtype, err := rq.oneOf("subtype", "", "page", "live")
	if err != nil {
		return nil, err
	}
	title := rq.URL.Query().Get("title")
	return func(c *site.Content) bool {
		return slices.Contains(statuses, c.Status) &&
			(title == "" || strings.EqualFold(title, c.Title)) && (depth == "all" || c.Parent == "") && subtype != "live"
	}, nil
}

// byPath finds the content of the path, of this kind.
func (k kind) byPath(rq request, v *site.View) (*site.Content, error) {
	id, err := rq.id()
	if err != nil {
		return nil, err
	}
	c, ok := v.Content(id)
	if !ok || c.Type != string(k) {
		return nil, k.none(id)
	}
	return c, nil
}

func (k kind) none(id string) error {
	if k == pages {
		return missing("Could not find page with id [%s]", id)
	}
	return missing("Content with id: [%s] not found", id)
}

// single is GET /pages/{id} and GET /blogposts/{id}.
func (k kind) single(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		if k == pages && rq.PathValue("id") != "" && problemStatus(err) == 404 {
			return nil, missing("Cannot find a page with id [%s]", rq.PathValue("id"))
		}
		return nil, err
	}
	format, err := rq.oneOf("body-format", singleFormats()...)
	if err != nil {
		return nil, err
	}
	statuses, err := rq.someOf("status", nil, "current", "archived", "trashed", "deleted", "historical", "draft", "any")
	if err != nil {
		return nil, err
	}
	if !shows(rq, c, statuses) {
		return nil, missing("Cannot find a %s with id [%s]", k, c.ID)
	}
	out := pageShape(v, c, format)
	if out, err = k.atVersion(rq, v, c, format, out); err != nil {
		return nil, err
	}
	delete(out, "subtype")
	out["_links"].(*links).Base = rq.call.Base
	k.include(rq, v, c, out)
	return out, nil
}

// shows says that a read by id shows c: an unpublished draft only when asked.
func shows(rq request, c *site.Content, statuses []string) bool {
	if len(statuses) > 0 && !slices.Contains(statuses, "any") {
		return slices.Contains(statuses, c.Status)
	}
	return c.Status != "draft" || rq.flag("get-draft")
}

func problemStatus(err error) int {
	if p, ok := err.(problem); ok {
		return p.status
	}
	return 0
}

// atVersion puts an older version in the place of the newest.
func (k kind) atVersion(rq request, v *site.View, c *site.Content, format string, out object) (object, error) {
	n, err := rq.number("version", 0, 1, 1<<31-1)
	if err != nil || n == 0 || n == c.Version {
		return out, err
	}
	ver, ok := v.Version(c, n)
	if !ok {
		return nil, missing("Could not find version [%d] of content with id [%s]", n, c.ID)
	}
	out["status"], out["title"], out["version"], out["body"] = "historical", ver.Title, versionShape(ver), body(v, c, ver.Storage, format)
	return out, nil
}

// include adds the sublists asked for.
func (k kind) include(rq request, v *site.View, c *site.Content, out object) {
	if rq.flag("include-labels") {
		rows := []object{}
		for _, name := range c.Labels {
			rows = append(rows, labelShape(v, name))
		}
		out["labels"] = included(rq, "labels", rows)
	}
	if rq.flag("include-properties") {
		rows := []object{}
		for _, p := range c.Properties {
			rows = append(rows, propertyShape(p))
		}
		out["properties"] = included(rq, "properties", rows)
	}
	if rq.flag("include-operations") {
		out["operations"] = included(rq, "operations", operationRows(v, c))
	}
	if rq.flag("include-likes") {
		out["likes"] = included(rq, "likes", []object{})
	}
	if rq.flag("include-versions") {
		rows := []object{}
		for _, ver := range slices.Backward(v.Versions(c)) {
			rows = append(rows, versionShape(ver))
		}
		out["versions"] = included(rq, "versions", rows)
	}
	if rq.flag("include-direct-children") {
		rows := []object{}
		for _, kid := range v.Children(c.ID) {
			rows = append(rows, childShape(v, kid))
		}
		out["directChildren"] = included(rq, "direct-children", rows)
	}
	if rq.flag("include-favorited-by-current-user-status") {
		out["isFavoritedByCurrentUser"] = false
	}
	if rq.URL.Query().Get("include-version") == "false" {
		delete(out, "version")
	}
}

// labels is GET /{pages|blogposts}/{id}/labels.
func (k kind) labels(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return labelList(rq, v, c)
}

func labelList(rq request, v *site.View, c *site.Content) (any, error) {
	prefix, err := rq.oneOf("prefix", "", "global", "my", "team", "system")
	if err != nil {
		return nil, err
	}
	sort, err := rq.oneOf("sort", "", "name", "-name", "id", "-id", "created-date", "-created-date")
	if err != nil {
		return nil, err
	}
	names := slices.Clone(c.Labels)
	if prefix != "" && prefix != "global" {
		names = nil
	}
	if strings.HasSuffix(sort, "name") {
		slices.Sort(names)
	}
	if strings.HasPrefix(sort, "-") {
		slices.Reverse(names)
	}
	return slice(rq, 25, names, func(name string) any { return labelShape(v, name) })
}

// operations is GET /{pages|blogposts}/{id}/operations.
func (k kind) operations(rq request, v *site.View) (any, error) {
	c, err := k.byPath(rq, v)
	if err != nil {
		return nil, err
	}
	return object{"operations": operationRows(v, c)}, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
