package v1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// object is a JSON object.
type object = map[string]any

// request is one call as the handlers see it.
type request struct {
	*http.Request
	call   wire.Call
	expand expansion
	raw    []byte // the body, read before the site is locked; none of uploads
	rawErr error
}

// query gives the first value of a query parameter.
func (q request) query(name string) string { return q.URL.Query().Get(name) }

// link makes an absolute address of a path below /wiki.
func (q request) link(path string) string { return q.call.Base + path }

// reply is an answer that is not simply 200 with a body.
type reply struct {
	status   int
	location string
	body     any
}

type handler = func(w http.ResponseWriter, r *http.Request, c wire.Call)

// reading makes a handler of a function that answers from a view.
func reading(fn func(*site.View, request) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, c wire.Call) {
		q := newRequest(r, c)
		var body any
		var err error
		c.Site.Read(c.User, func(v *site.View) {
			if !v.MayUseSite() {
				err = refuse(http.StatusForbidden, "Current user not permitted to use Confluence")
				return
			}
			body, err = fn(v, q)
		})
		answer(w, body, err)
	}
}

// writing makes a handler of a function that changes the site.
func writing(fn func(*site.Edit, request) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, c wire.Call) {
		q := newRequest(r, c)
		var body any
		err := c.Site.Write(c.User, func(e *site.Edit) error {
			if !e.MayUseSite() {
				return refuse(http.StatusForbidden, "Current user not permitted to use Confluence")
			}
			var err error
			body, err = fn(e, q)
			return err
		})
		answer(w, body, err)
	}
}

func newRequest(r *http.Request, c wire.Call) request {
	q := request{Request: r, call: c, expand: parseExpand(r.URL.Query()["expand"])}
	if r.Body != nil && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		q.raw, q.rawErr = io.ReadAll(io.LimitReader(r.Body, maxJSON+1))
	}
	return q
}

const maxJSON = 6 << 20 // bytes of a request body, above the 5 MB of a page

// decode reads the JSON body of a request.
func (q request) decode(into any) error {
	if q.rawErr != nil {
		return refuse(http.StatusBadRequest, "Could not read the request body")
	}
	if len(q.raw) > maxJSON {
		return refuse(http.StatusRequestEntityTooLarge, "Request too large. Requests for this resource can be at most 5242880 bytes")
	}
	if err := json.Unmarshal(q.raw, into); err != nil {
		var typed *json.UnmarshalTypeError
		if errors.As(err, &typed) {
			return refuse(http.StatusBadRequest, "Could not parse JSON: wrong type for %s", typed.Field)
		}
		return refuse(http.StatusBadRequest, "Could not parse JSON")
	}
	return nil
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	rep, ok := body.(reply)
	if !ok {
		rep = reply{status: http.StatusOK, body: body}
	}
	if rep.location != "" {
		w.Header().Set("Location", rep.location)
	}
	if rep.body == nil {
		w.WriteHeader(rep.status)
		return
	}
	wire.JSON(w, rep.status, rep.body)
}

// fail writes the error body of this API generation.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var no *site.Refusal
	if errors.As(err, &no) {
		status = no.Status
	}
	wire.JSON(w, status, object{
		"statusCode": status,
		"data":       object{"authorized": status != http.StatusForbidden, "valid": status != http.StatusBadRequest, "errors": []any{}, "successful": false},
		"message":    exception(status, err.Error()),
	})
}

// exception puts the Java class name before a message, unless it has one.
func exception(status int, message string) string {
	names := map[int]string{
		http.StatusBadRequest:            "BadRequestException",
		http.StatusForbidden:             "PermissionException",
		http.StatusNotFound:              "NotFoundException",
		http.StatusConflict:              "ConflictException",
		http.StatusRequestEntityTooLarge: "RequestEntityTooLargeException",
		http.StatusNotImplemented:        "NotImplementedServiceException",
	}
	const prefix = "com.atlassian.confluence.api.service.exceptions."
	name, ok := names[status]
	if !ok || strings.HasPrefix(message, prefix) {
		return message
	}
	return prefix + name + ": " + message
}

func refuse(status int, format string, args ...any) error {
	return &site.Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

func missing(id string) error {
	return refuse(http.StatusNotFound, "No content found with id: ContentId{id=%s}", id)
}

// stamp writes a time as the API does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// window is an offset page.
type window struct{ start, limit int }

// window reads start and limit; a limit above most is cut to it, as the real
// server does nearly everywhere.
func (q request) window(limit, most int) (window, error) {
	w := window{0, limit}
	for name, to := range map[string]*int{"start": &w.start, "limit": &w.limit} {
		text := q.query(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return w, refuse(http.StatusBadRequest, "%s must be a non-negative number", name)
		}
		*to = n
	}
	w.limit = min(w.limit, most)
	return w, nil
}

// cut gives the window's part of a list.
func cut[T any](all []T, w window) []T {
	from := min(w.start, len(all))
	return all[from:min(from+w.limit, len(all))]
}

// page is the body of an offset list; all is the whole list's length.
func (q request) page(rows []any, w window, all int) object {
	links := object{"base": q.call.Base, "context": "/wiki", "self": q.link(q.apiPath())}
	if w.limit > 0 && w.start+len(rows) < all {
		next := q.URL.Query()
		next.Set("start", strconv.Itoa(w.start+len(rows)))
		next.Set("limit", strconv.Itoa(w.limit))
		links["next"] = q.apiPath() + "?" + next.Encode()
	}
	return object{"results": rows, "start": w.start, "limit": w.limit, "size": len(rows), "_links": links}
}

// apiPath is the asked path relative to /wiki, wherever the gateway put it.
func (q request) apiPath() string {
	const root = "/rest/api/"
	path := (&url.URL{Path: q.URL.Path}).EscapedPath()
	for i := range path {
		if len(path)-i >= len(root) && path[i:i+len(root)] == root {
			return path[i:]
		}
	}
	return path
}

// rows renders a list.
func rows[T any](list []T, render func(T) object) []any {
	out := make([]any, 0, len(list))
	for _, x := range list {
		out = append(out, render(x))
	}
	return out
}
