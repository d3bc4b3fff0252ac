package rest

import (
	"regexp"
	"strings"
)

// allowlist is everything that may leave the program, one operation a line:
// method, path template, then after "?" the query names and after "=" the
// top-level keys of a JSON body. "=[]" is an array body, "=file" a multipart
// one. What is not here is refused, so a name missing from a line is a refusal
// too: purge, draft, permissions, ownerId and existing pages are absent on
// purpose.
const allowlist = `
GET /_edge/tenant_info
GET /rest/api/server-information

GET /wiki/api/v2/pages ? id space-id sort status title body-format cursor limit
GET /wiki/api/v2/blogposts ? id space-id sort status title body-format cursor limit
GET /wiki/api/v2/spaces/{id}/pages ? depth sort status title body-format cursor limit
GET /wiki/api/v2/spaces/{id}/blogposts ? sort status title body-format cursor limit
GET /wiki/api/v2/pages/{id} ? body-format version status
GET /wiki/api/v2/blogposts/{id} ? body-format version status
POST /wiki/api/v2/pages = spaceId status title parentId body
POST /wiki/api/v2/blogposts = spaceId status title body
PUT /wiki/api/v2/pages/{id} = id status title body version
PUT /wiki/api/v2/blogposts/{id} = id status title body version
DELETE /wiki/api/v2/pages/{id}
DELETE /wiki/api/v2/blogposts/{id}
GET /wiki/api/v2/pages/{id}/versions ? sort cursor limit
GET /wiki/api/v2/blogposts/{id}/versions ? sort cursor limit
GET /wiki/api/v2/{tree}/{id}/direct-children ? sort cursor limit
GET /wiki/api/v2/{tree}/{id}/descendants ? depth cursor limit
GET /wiki/api/v2/{tree}/{id}/ancestors ? limit
GET /wiki/api/v2/folders/{id}
POST /wiki/api/v2/content/convert-ids-to-types = contentIds
PUT /wiki/rest/api/content/{id}/move/{position}/{id}
POST /wiki/rest/api/content/{id}/copy = copyAttachments copyLabels copyPermissions copyProperties destination pageTitle
GET /wiki/rest/api/template/{id} ? expand
GET /wiki/rest/api/content ? spaceKey type status expand start limit
GET /wiki/rest/api/search ? cql cursor limit excerpt includeArchivedSpaces next

GET /wiki/api/v2/pages/{id}/footer-comments ? body-format status sort cursor limit
GET /wiki/api/v2/pages/{id}/inline-comments ? body-format status resolution-status sort cursor limit
GET /wiki/api/v2/blogposts/{id}/footer-comments ? body-format status sort cursor limit
GET /wiki/api/v2/blogposts/{id}/inline-comments ? body-format status resolution-status sort cursor limit
GET /wiki/api/v2/{comments}/{id}/children ? body-format sort cursor limit
GET /wiki/api/v2/{comments}/{id} ? body-format version
POST /wiki/api/v2/footer-comments = pageId blogPostId parentCommentId body
POST /wiki/api/v2/inline-comments = pageId blogPostId parentCommentId body inlineCommentProperties
PUT /wiki/api/v2/{comments}/{id} = version body resolved
DELETE /wiki/api/v2/{comments}/{id}

GET /wiki/api/v2/pages/{id}/labels ? prefix sort cursor limit
GET /wiki/api/v2/blogposts/{id}/labels ? prefix sort cursor limit
POST /wiki/rest/api/content/{id}/label = []
DELETE /wiki/rest/api/content/{id}/label ? name

GET /wiki/api/v2/spaces ? ids keys type status sort description-format cursor limit
GET /wiki/api/v2/spaces/{id} ? description-format
GET /wiki/api/v2/spaces/{id}/permissions ? cursor limit
GET /wiki/api/v2/spaces/{id}/role-assignments ? cursor limit
GET /wiki/api/v2/space-roles ? space-id cursor limit
GET /wiki/api/v2/space-role-mode
POST /wiki/rest/api/space = key name description
PUT /wiki/rest/api/space/{key} = name description homepage

GET /wiki/api/v2/attachments ? status sort mediaType filename cursor limit
GET /wiki/api/v2/pages/{id}/attachments ? status sort mediaType filename cursor limit
GET /wiki/api/v2/blogposts/{id}/attachments ? status sort mediaType filename cursor limit
GET /wiki/api/v2/attachments/{att} ? version
DELETE /wiki/api/v2/attachments/{att}
GET /wiki/rest/api/content/{id}/child/attachment/{att}/download ? version
POST /wiki/rest/api/content/{id}/child/attachment = file
POST /wiki/rest/api/content/{id}/child/attachment/{att}/data = file

POST /wiki/api/v2/users-bulk = accountIds
GET /wiki/rest/api/user ? accountId expand
GET /wiki/rest/api/user/current ? expand
GET /wiki/rest/api/user/memberof ? accountId start limit
GET /wiki/rest/api/search/user ? cql start limit
GET /wiki/rest/api/group ? start limit
GET /wiki/rest/api/group/{uuid}/membersByGroupId ? start limit
GET /wiki/rest/api/content/{id}/restriction ? expand start limit
POST /wiki/rest/api/content/{id}/permission/check = subject operation
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
	line, body, hasBody := strings.Cut(line, "=")
	line, query, _ := strings.Cut(line, "?")
	fields := strings.Fields(line)
	r := route{method: fields[0], query: set(query)}
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

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
