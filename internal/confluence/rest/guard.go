package rest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"confluence-mcp/internal/confluence"
)

// Codes of what the guard refuses.
const (
	codeSpaceDelete = "policy.space_delete_blocked"
	codeBlocked     = "policy.blocked_operation"
)

// maxGuardedBody is the largest JSON body the guard reads to judge it, in
// bytes: a page of 5 MB, escaped, with room.
const maxGuardedBody = 32 << 20

// Guard wraps next so that only known operations pass: a fixed list of method,
// path, query names, headers and body keys. It judges the request itself and
// trusts nothing above it. What it refuses never reaches next and fails with
// kind Denied, code policy.space_delete_blocked when the request would have
// deleted or archived a space, else policy.blocked_operation.
func Guard(next http.RoundTripper) http.RoundTripper {
	return &guard{next: next, routes: allowedRoutes()}
}

type guard struct {
	next   http.RoundTripper
	routes []route
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	passed, reason := g.judge(req)
	if reason != "" {
		if passed == nil {
			passed = req
		}
		code := refusalCode(passed)
		if req.Body != nil {
			_ = req.Body.Close() // the contract of RoundTripper; nothing was read that matters
		}
		return nil, &confluence.Error{
			Kind: confluence.Denied, Code: code, Op: "send to Confluence",
			Message: "this request is blocked in code: " + reason,
			Next:    "This cannot be allowed by any setting; a person can do it in Confluence.",
		}
	}
	return g.next.RoundTrip(passed)
}

// judge returns the request to send, or why not; in both cases with the body
// still readable where it had to be read.
func (g *guard) judge(req *http.Request) (*http.Request, string) {
	p, reason := plainPath(req.URL)
	if reason != "" {
		return nil, reason
	}
	if reason := judgeHeaders(req); reason != "" {
		return nil, reason
	}
	r := routeOf(g.routes, req.Method, p)
	if r == nil {
		return nil, "the operation is not on the list of known operations"
	}
	if reason := judgeQuery(req.URL, r); reason != "" {
		return nil, reason
	}
	return judgeBody(req, r, p)
}

var (
	plain        = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)
	gatewayStart = regexp.MustCompile(`^/ex/confluence/[0-9A-Za-z-]{1,64}/`)
)

// plainPath gives the path of a URL without the gateway prefix. Only a path
// that reads the same decoded, cleaned and on the wire is accepted, so that
// no server can understand it differently.
func plainPath(u *url.URL) (string, string) {
	switch {
	case u.Opaque != "" || u.User != nil || u.Fragment != "":
		return "", "the address has an unusual form"
	case u.EscapedPath() != u.Path || !plain.MatchString(u.Path) || path.Clean(u.Path) != u.Path:
		return "", "the path is not in plain form"
	}
	p := u.Path
	if at := gatewayStart.FindStringIndex(p); at != nil {
		p = p[at[1]-1:]
	}
	return p, ""
}

// judgeHeaders admits only headers the client itself sets: no method override,
// no admin key, nothing forwarded from a caller.
func judgeHeaders(req *http.Request) string {
	for name := range req.Header {
		switch name {
		case "Accept", "Authorization", "Content-Type", "User-Agent", "X-Atlassian-Token", "Range":
		default:
			return "the header " + http.CanonicalHeaderKey(clip(name, 60)) + " is not allowed"
		}
	}
	if req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		return "the Host header differs from the address"
	}
	if len(req.Trailer) > 0 {
		return "trailers are not allowed"
	}
	return ""
}

func judgeQuery(u *url.URL, r *route) string {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "the query cannot be parsed"
	}
	for name, values := range q {
		if !r.query[name] {
			return "the query parameter " + clip(name, 60) + " is not allowed here"
		}
		if name == "status" {
			for _, v := range values {
				if strings.EqualFold(v, "draft") {
					return "drafts are not touched"
				}
			}
		}
	}
	return ""
}

// judgeBody checks the body against the route and returns a request whose body
// is exactly the bytes that were judged.
func judgeBody(req *http.Request, r *route, p string) (*http.Request, string) {
	if req.Body == nil || req.Body == http.NoBody {
		if r.shape != "" {
			return nil, "the operation needs a body"
		}
		return req, ""
	}
	switch r.shape {
	case "":
		return judgeNoBody(req)
	case "file":
		if !strings.HasPrefix(req.Header.Get("Content-Type"), "multipart/form-data; boundary=") {
			return nil, "a file is sent as multipart/form-data"
		}
		return req, ""
	}
	if ct := req.Header.Get("Content-Type"); ct != "application/json" {
		return nil, "the body is not JSON"
	}
	raw, err := io.ReadAll(io.LimitReader(req.Body, maxGuardedBody+1))
	_ = req.Body.Close() // read to the end or refused: either way it is done with
	judged := req.Clone(req.Context())
	judged.Body = io.NopCloser(bytes.NewReader(raw))
	judged.ContentLength = int64(len(raw))
	judged.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	if err != nil || len(raw) > maxGuardedBody {
		return judged, "the body cannot be read or is too large"
	}
	return judged, judgeJSON(raw, r, p)
}

// judgeNoBody admits an operation without a body only when nothing is sent.
func judgeNoBody(req *http.Request) (*http.Request, string) {
	if req.ContentLength > 0 {
		return nil, "the operation has no body"
	}
	var one [1]byte
	if n, _ := io.ReadFull(req.Body, one[:]); n > 0 {
		return nil, "the operation has no body"
	}
	_ = req.Body.Close() // it was empty
	judged := req.Clone(req.Context())
	judged.Body, judged.ContentLength = http.NoBody, 0
	return judged, ""
}

func judgeJSON(raw []byte, r *route, p string) string {
	v, err := parseStrict(raw)
	if err != nil {
		return "the JSON body is not in strict form"
	}
	if r.shape == "array" {
		return judgeLabels(v)
	}
	o, ok := v.(map[string]any)
	if !ok {
		return "the body is not an object"
	}
	for key := range o {
		if !r.body[key] {
			return "the body key " + clip(key, 60) + " is not allowed here"
		}
	}
	if status, has := o["status"]; has && status != confluence.StatusCurrent {
		return "a page is written with status current only"
	}
	if strings.HasSuffix(p, "/copy") {
		return judgeCopy(o)
	}
	return ""
}

func judgeLabels(v any) string {
	list, ok := v.([]any)
	if !ok {
		return "the body is not a list of labels"
	}
	for _, item := range list {
		o, ok := item.(map[string]any)
		if !ok {
			return "the body is not a list of labels"
		}
		for key := range o {
			if key != "prefix" && key != "name" {
				return "a label has a prefix and a name only"
			}
		}
	}
	return ""
}

// judgeCopy refuses a copy onto an existing page, which overwrites it, and one
// that drops the restrictions of the source.
func judgeCopy(o map[string]any) string {
	destination, _ := o["destination"].(map[string]any)
	switch destination["type"] {
	case "parent_page", "parent_content", "space":
	default:
		return "a copy makes a new page below a parent or in a space"
	}
	if o["copyPermissions"] != true {
		return "a copy keeps the restrictions of its source"
	}
	return ""
}

var spaceTarget = regexp.MustCompile(`/(rest/[a-z0-9_-]+|api/v[0-9]+|api/[a-z0-9_-]+|rest)(/[0-9.]+|/latest)?/spaces?/[^/]+$`)

// refusalCode tells a refused attack on a whole space from everything else.
// It reads generously: decoded as often as it takes, any case, any detour.
func refusalCode(req *http.Request) string {
	p := generous(req.URL.EscapedPath() + req.URL.Opaque)
	said := strings.ToLower(p + "?" + req.URL.RawQuery + " " + peek(req))
	for _, word := range []string{"removespace", "deletespace", "delete-space", "remove-space", "purgespace", "delspace"} {
		if strings.Contains(said, word) {
			return codeSpaceDelete
		}
	}
	overridden := false
	for name := range req.Header {
		overridden = overridden || strings.Contains(strings.ToLower(name), "method")
	}
	if spaceTarget.MatchString(p) && (overridden || strings.Contains(said, "_method") || req.Method != http.MethodGet && req.Method != http.MethodHead) {
		return codeSpaceDelete
	}
	return codeBlocked
}

// generous reads a path as the most lenient server would.
func generous(p string) string {
	for range 4 {
		decoded, err := url.PathUnescape(p)
		if err != nil || decoded == p {
			break
		}
		p = decoded
	}
	segments := strings.Split(strings.ToLower(strings.ReplaceAll(p, `\`, "/")), "/")
	for i, s := range segments {
		s, _, _ = strings.Cut(s, ";")
		segments[i] = strings.Trim(s, " \t\r\n\x00")
	}
	return path.Clean("/" + strings.Join(segments, "/"))
}

// peek reads the start of a refused body.
func peek(req *http.Request) string {
	if req.Body == nil {
		return ""
	}
	raw, _ := io.ReadAll(io.LimitReader(req.Body, 64<<10)) // a partial peek serves as well
	return string(raw)
}

func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
