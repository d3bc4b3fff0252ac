package rest

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// allowlist is everything that may leave the program, one operation a line:
// method, path template, then after "?" the query names and after "=" the
// top-level keys of a JSON body. "=[]" is an array body, "=file" a multipart
// one; after "|" the scope that opens it for a token with scopes, by the
// official documents. What is not here is refused, so a name missing from a
// line is a refusal too: purge, draft, permissions, ownerId and existing pages
// are absent on purpose.
const allowlist = `
GET /_edge/tenant_info
GET /rest/api/server-information

GET /wiki/api/v2/pages ? id space-id sort status title body-format cursor limit | read:page:confluence
GET /wiki/api/v2/blogposts ? id space-id sort status title body-format cursor limit | read:page:confluence
GET /wiki/api/v2/spaces/{id}/pages ? depth sort status title body-format cursor limit | read:page:confluence
GET /wiki/api/v2/spaces/{id}/blogposts ? sort status title body-format cursor limit | read:page:confluence
GET /wiki/api/v2/pages/{id} ? body-format version status | read:page:confluence
GET /wiki/api/v2/blogposts/{id} ? body-format version status | read:page:confluence
POST /wiki/api/v2/pages = spaceId status title parentId body | write:page:confluence
POST /wiki/api/v2/blogposts = spaceId status title body | write:page:confluence
PUT /wiki/api/v2/pages/{id} = id status title body version | write:page:confluence
PUT /wiki/api/v2/blogposts/{id} = id status title body version | write:page:confluence
DELETE /wiki/api/v2/pages/{id} | delete:page:confluence
DELETE /wiki/api/v2/blogposts/{id} | delete:page:confluence
GET /wiki/api/v2/pages/{id}/versions ? sort cursor limit | read:page:confluence
GET /wiki/api/v2/blogposts/{id}/versions ? sort cursor limit | read:page:confluence
GET /wiki/api/v2/{tree}/{id}/direct-children ? sort cursor limit | read:hierarchical-content:confluence
GET /wiki/api/v2/{tree}/{id}/descendants ? depth cursor limit | read:hierarchical-content:confluence
GET /wiki/api/v2/{tree}/{id}/ancestors ? limit | read:content.metadata:confluence
GET /wiki/api/v2/folders/{id} | read:folder:confluence
POST /wiki/api/v2/content/convert-ids-to-types = contentIds | read:content.metadata:confluence
PUT /wiki/rest/api/content/{id}/move/{position}/{id} | write:confluence-content
POST /wiki/rest/api/content/{id}/copy = copyAttachments copyLabels copyPermissions copyProperties destination pageTitle | write:confluence-content
GET /wiki/rest/api/template/{id} ? expand | read:confluence-content.summary
GET /wiki/rest/api/content ? spaceKey type status expand start limit | read:confluence-content.all
GET /wiki/rest/api/search ? cql cursor limit excerpt includeArchivedSpaces next | search:confluence

GET /wiki/api/v2/pages/{id}/footer-comments ? body-format status sort cursor limit | read:comment:confluence
GET /wiki/api/v2/pages/{id}/inline-comments ? body-format status resolution-status sort cursor limit | read:comment:confluence
GET /wiki/api/v2/blogposts/{id}/footer-comments ? body-format status sort cursor limit | read:comment:confluence
GET /wiki/api/v2/blogposts/{id}/inline-comments ? body-format status resolution-status sort cursor limit | read:comment:confluence
GET /wiki/api/v2/{comments}/{id}/children ? body-format sort cursor limit | read:comment:confluence
GET /wiki/api/v2/{comments}/{id} ? body-format version | read:comment:confluence
GET /wiki/api/v2/{comments}/{id}/versions ? sort cursor limit | read:comment:confluence
POST /wiki/api/v2/footer-comments = pageId blogPostId parentCommentId body | write:comment:confluence
POST /wiki/api/v2/inline-comments = pageId blogPostId parentCommentId body inlineCommentProperties | write:comment:confluence
PUT /wiki/api/v2/{comments}/{id} = version body resolved | write:comment:confluence
DELETE /wiki/api/v2/{comments}/{id} | delete:comment:confluence

GET /wiki/api/v2/pages/{id}/labels ? prefix sort cursor limit | read:page:confluence
GET /wiki/api/v2/blogposts/{id}/labels ? prefix sort cursor limit | read:page:confluence
POST /wiki/rest/api/content/{id}/label = [] | write:confluence-content
DELETE /wiki/rest/api/content/{id}/label ? name | write:confluence-content

GET /wiki/api/v2/spaces ? ids keys type status sort description-format cursor limit | read:space:confluence
GET /wiki/api/v2/spaces/{id} ? description-format | read:space:confluence
GET /wiki/api/v2/spaces/{id}/permissions ? cursor limit | read:space:confluence
GET /wiki/api/v2/spaces/{id}/role-assignments ? cursor limit | read:space.permission:confluence
GET /wiki/api/v2/space-roles ? space-id cursor limit | read:space.permission:confluence
GET /wiki/api/v2/space-role-mode | read:configuration:confluence
POST /wiki/rest/api/space = key name description | write:confluence-space
PUT /wiki/rest/api/space/{key} = name description homepage | write:confluence-space

GET /wiki/api/v2/attachments ? status sort mediaType filename cursor limit | read:attachment:confluence
GET /wiki/api/v2/pages/{id}/attachments ? status sort mediaType filename cursor limit | read:attachment:confluence
GET /wiki/api/v2/blogposts/{id}/attachments ? status sort mediaType filename cursor limit | read:attachment:confluence
GET /wiki/api/v2/attachments/{att} ? version | read:attachment:confluence
GET /wiki/api/v2/attachments/{att}/versions ? sort cursor limit | read:attachment:confluence
DELETE /wiki/api/v2/attachments/{att} | delete:attachment:confluence
GET /wiki/rest/api/content/{id}/child/attachment/{att}/download ? version | readonly:content.attachment:confluence
POST /wiki/rest/api/content/{id}/child/attachment = file | write:confluence-file
POST /wiki/rest/api/content/{id}/child/attachment/{att}/data = file | write:confluence-file

POST /wiki/api/v2/users-bulk = accountIds | read:user:confluence
GET /wiki/rest/api/user ? accountId expand | read:confluence-user
GET /wiki/rest/api/user/current ? expand | read:confluence-user
GET /wiki/rest/api/user/memberof ? accountId start limit | read:confluence-user
GET /wiki/rest/api/search/user ? cql start limit | read:content-details:confluence
GET /wiki/rest/api/group ? start limit | read:confluence-groups
GET /wiki/rest/api/group/{uuid}/membersByGroupId ? start limit | read:confluence-groups
GET /wiki/rest/api/content/{id}/restriction ? expand start limit | read:confluence-content.all
POST /wiki/rest/api/content/{id}/permission/check = subject operation | read:confluence-content.permission
`

// placeholders are the only variable parts of a path; each is one whole
// segment.
const placeholders = `
{id} [0-9]{1,19}
{att} att[0-9]{1,19}
{key} [A-Za-z0-9]{1,255}
{uuid} [0-9A-Za-z-]{1,64}
{tree} pages|folders|whiteboards|databases|embeds
{comments} footer-comments|inline-comments
{position} append|before|after
`

// route is one line of the allowlist, ready to match.
type route struct {
	method string
	path   []segment
	query  map[string]bool
	body   map[string]bool // nil: no body
	shape  string          // "", "object", "array" or "file"
	scope  string          // "": none is needed
}

// segment is a literal part of a path or, with a form, a variable one.
type segment struct {
	literal string
	form    *regexp.Regexp
}

func (r *route) matches(method string, parts []string) bool {
	if r.method != method || len(r.path) != len(parts) {
		return false
	}
	for i, s := range r.path {
		if s.form == nil && s.literal != parts[i] || s.form != nil && !s.form.MatchString(parts[i]) {
			return false
		}
	}
	return true
}

// allowedRoutes is the allowlist parsed, once for all clients. Nobody changes it.
var allowedRoutes = sync.OnceValue(parseRoutes)

func parseRoutes() []route {
	forms := map[string]*regexp.Regexp{}
	for line := range strings.Lines(placeholders) {
		if name, expr, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			forms[name] = regexp.MustCompile("^(?:" + expr + ")$")
		}
	}
	var routes []route
	for line := range strings.Lines(allowlist) {
		if strings.TrimSpace(line) != "" {
			routes = append(routes, parseRoute(line, forms))
		}
	}
	return routes
}

func parseRoute(line string, forms map[string]*regexp.Regexp) route {
	line, scope, _ := strings.Cut(line, "|")
	line, body, hasBody := strings.Cut(line, "=")
	line, query, _ := strings.Cut(line, "?")
	fields := strings.Fields(line)
	r := route{method: fields[0], query: set(query), scope: strings.TrimSpace(scope)}
	for part := range strings.SplitSeq(fields[1], "/") {
		r.path = append(r.path, segment{part, forms[part]})
	}
	if !hasBody {
		return r
	}
	switch strings.TrimSpace(body) {
	case "[]":
		r.shape = "array"
	case "file":
		r.shape = "file"
	default:
		r.shape, r.body = "object", set(body)
	}
	return r
}

// routeOf is the line of the allowlist for a path without the gateway's prefix;
// nil when there is none.
func routeOf(routes []route, method, path string) *route {
	parts := strings.Split(path, "/")
	for i := range routes {
		if routes[i].matches(method, parts) {
			return &routes[i]
		}
	}
	return nil
}

// scopeFor names the scope that a request takes; "" when that is not known.
func scopeFor(req *http.Request) string {
	if p, reason := plainPath(req.URL); reason == "" {
		if r := routeOf(allowedRoutes(), req.Method, p); r != nil {
			return r.scope
		}
	}
	return ""
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
