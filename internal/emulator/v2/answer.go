package v2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// object is a JSON object of an answer.
type object = map[string]any

// request is one call on its way through a handler.
type request struct {
	*http.Request
	call   wire.Call
	raw    []byte // the body, read before the site is locked
	rawErr error
}

// page is one page of a list on its way out; next is the cursor of the
// following one, empty at the end.
type listing struct {
	results any
	next    string
}

// read announces an operation that changes nothing.
func read(method, path, scope string, fn func(request, *site.View) (any, error)) wire.Route {
	return route(method, path, scope, 200, func(rq request) (body any, err error) {
		rq.call.Site.Read(rq.call.User, func(v *site.View) { body, err = fn(rq, v) })
		return body, err
	})
}

// write announces an operation that changes the site and answers status.
func write(method, path, scope string, status int, fn func(request, *site.Edit) (any, error)) wire.Route {
	return route(method, path, scope, status, func(rq request) (body any, err error) {
		err = rq.call.Site.Write(rq.call.User, func(e *site.Edit) (err error) {
			body, err = fn(rq, e)
			return err
		})
		return body, err
	})
}

// route takes the scopes that a token must hold together, without their suffix
// and separated by spaces.
func route(method, path, scopes string, status int, fn func(request) (any, error)) wire.Route {
	var together []string
	for scope := range strings.FieldsSeq(scopes) {
		together = append(together, scope+":confluence")
	}
	return wire.Route{
		Method: method, Pattern: root + path, Scopes: [][]string{together},
		Handle: func(w http.ResponseWriter, r *http.Request, c wire.Call) {
			rq := request{Request: r, call: c}
			rq.raw, rq.rawErr = io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
			body, err := fn(rq)
			if err != nil {
				fail(w, err)
				return
			}
			answer(w, rq, status, body)
		},
	}
}

// answer writes a body; a listing gets its links and its Link header.
func answer(w http.ResponseWriter, rq request, status int, body any) {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	list, ok := body.(listing)
	if !ok {
		wire.JSON(w, status, body)
		return
	}
	links := object{"base": rq.call.Base}
	header := fmt.Sprintf("<%s>; rel=\"base\"", rq.call.Base)
	if list.next != "" {
		query := rq.URL.Query()
		query.Set("cursor", list.next)
		next := rq.URL.Path + "?" + query.Encode()
		links["next"] = next
		header = fmt.Sprintf("<%s>; rel=\"next\", %s", next, header)
	}
	w.Header().Set("Link", header)
	wire.JSON(w, status, object{"results": list.results, "_links": links})
}

// problem is an error in this generation's shape.
type problem struct {
	status      int
	code, title string
}

func (p problem) Error() string { return p.title }

// invalid is a request that cannot be understood: 400.
func invalid(format string, args ...any) error {
	return problem{400, "INVALID_REQUEST_PARAMETER", fmt.Sprintf(format, args...)}
}

// missing is a noun that is not there or not for this user: 404.
func missing(format string, args ...any) error {
	return problem{404, "NOT_FOUND", fmt.Sprintf(format, args...)}
}

// fail writes an error. What the older generation calls forbidden is a miss
// here.
func fail(w http.ResponseWriter, err error) {
	var p problem
	var refusal *site.Refusal
	switch {
	case errors.As(err, &p):
	case errors.As(err, &refusal):
		if refusal.Status == http.StatusRequestEntityTooLarge {
			wire.JSON(w, refusal.Status, object{"statusCode": refusal.Status, "message": refusal.Message})
			return
		}
		p = translate(refusal)
	default:
		p = problem{500, "INTERNAL_SERVER_ERROR", "Internal Server Error"}
	}
	wire.JSON(w, p.status, object{"errors": []object{{"status": p.status, "code": p.code, "title": p.title, "detail": nil}}})
}

func translate(r *site.Refusal) problem {
	switch r.Status {
	case 403, 404:
		return problem{404, "NOT_FOUND", r.Message}
	case 409:
		return problem{409, "CONFLICT", r.Message}
	}
	return problem{400, "INVALID_REQUEST_PARAMETER", r.Message}
}

// maxRequest is more than the largest body that can be well-formed, so that
// bodies a little too large still get the right answer.
const maxRequest = 16 << 20

// decode reads the JSON body of a request; unknown fields are ignored, as the
// real service does.
func (rq request) decode(target any) error {
	if rq.rawErr != nil {
		return invalid("The request body could not be read")
	}
	if len(rq.raw) > maxRequest {
		return &site.Refusal{Status: http.StatusRequestEntityTooLarge, Message: "Request too large"}
	}
	var typed *json.UnmarshalTypeError
	switch err := json.Unmarshal(rq.raw, target); {
	case errors.As(err, &typed):
		return invalid("Invalid request body: wrong type for %s", typed.Field)
	case err != nil:
		return invalid("Invalid request body: no JSON object")
	}
	return nil
}
