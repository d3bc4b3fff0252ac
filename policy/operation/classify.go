package operation

import (
	"net/url"
	"strings"

	"confluence-mcp/policy"
)

// Call is one request to Confluence. Path is as in a URL, with or without
// /wiki and the gateway prefix; variable segments may be values or {names}.
// Status is the status the body asks for, if it does.
type Call struct {
	Method string
	Path   string
	Query  url.Values
	Status string
}

// Class is where an operation belongs. The zero value is denied: an operation
// nobody listed. Blocked is one that was listed as never to be granted.
type Class struct {
	Group   policy.Group
	Action  policy.Action
	Blocked bool
}

// Listed reports whether the operation was classified at all.
func (c Class) Listed() bool { return c.Blocked || c.Action != "" }

// Grantable reports whether any profile could allow the operation.
func (c Class) Grantable() bool { return !c.Blocked && c.Action != "" }

// Table is the operations, looked up by method and path. It does not change.
type Table struct {
	rules map[string][]entry // by api, method and number of segments
}

type entry struct {
	segments []string
	class    Class
}

// NewTable builds the table.
func NewTable() *Table {
	t := &Table{rules: map[string][]entry{}}
	for _, s := range table() {
		for _, r := range s.rows {
			for method := range strings.FieldsSeq(r.methods) {
				t.add(s.api, method, r.path, Class{Group: s.group, Action: action(method, r.as)})
			}
			for method := range strings.FieldsSeq(r.blocked) {
				t.add(s.api, method, r.path, Class{Blocked: true})
			}
		}
	}
	return t
}

func (t *Table) add(api, method, path string, c Class) {
	segments := strings.Split(path, "/")[1:]
	k := key(api, method, len(segments))
	t.rules[k] = append(t.rules[k], entry{segments, c})
}

func key(api, method string, segments int) string {
	return api + " " + method + " " + string(rune('0'+segments))
}

func action(method string, as policy.Action) policy.Action {
	if as != "" {
		return as
	}
	switch method {
	case "GET":
		return policy.Read
	case "POST":
		return policy.Create
	case "PUT":
		return policy.Update
	default:
		return policy.Delete
	}
}

// Classify says what a call is. Of the templates that fit the path, one that
// blocks wins, then the one with the fewest variable segments.
func (t *Table) Classify(c Call) Class {
	api, segments, ok := split(c.Path)
	if !ok {
		return Class{}
	}
	var found Class
	best := -1
	for _, e := range t.rules[key(api, c.Method, len(segments))] {
		score, fits := match(e.segments, segments)
		switch {
		case !fits:
		case e.class.Blocked:
			return e.class
		case score > best:
			best, found = score, e.class
		}
	}
	return found.refine(c)
}

// refine looks at what makes an operation worse than its method: purging,
// deleting through a write, changing what a space is.
func (c Class) refine(call Call) Class {
	if !c.Grantable() || c.Action == policy.Read {
		return c
	}
	purge, status := call.Query.Has("purge"), call.Query.Get("status")
	switch {
	case purge, call.Method == "DELETE" && status != "" && status != "current":
		return Class{Blocked: true} // no trash, no way back
	case call.Method == "DELETE":
		return c
	case c.Group == policy.Spaces && call.Status != "":
		return Class{Blocked: true} // archives a whole space
	case strings.EqualFold(call.Status, "trashed"), strings.EqualFold(call.Status, "archived"):
		c.Action = policy.Delete
	case strings.EqualFold(call.Status, "deleted"):
		return Class{Blocked: true}
	}
	return c
}

// match compares a template with a path: how many segments are equal, and
// whether all fit.
func match(template, path []string) (score int, fits bool) {
	for i, want := range template {
		if want == "*" {
			continue
		}
		if want != path[i] {
			return 0, false
		}
		score++
	}
	return score, true
}

// split tells the API and the segments below it. A path that could be read in
// two ways is not split: it has no class.
func split(path string) (api string, segments []string, ok bool) {
	if strings.ContainsAny(path, `%;\?#`) || strings.Contains(path, "//") || strings.Contains(path, "..") {
		return "", nil, false
	}
	if rest, found := strings.CutPrefix(path, "/ex/confluence/"); found {
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	path = strings.TrimPrefix(path, "/wiki")
	for prefix, name := range map[string]string{"/api/v2/": v2, "/rest/api/": v1} {
		if rest, found := strings.CutPrefix(path, prefix); found {
			segments = strings.Split(strings.TrimSuffix(rest, "/"), "/")
			return name, segments, len(segments) < 10
		}
	}
	return "", nil, false
}
