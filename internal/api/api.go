package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/registry"
	"confluence-mcp/tools"
)

// Gate is what stands before every request; *server.Server is one.
type Gate interface {
	// Caller says who asks, also by what the body names. Its errors are
	// answered by Challenge unless they are a *confluence.Error.
	Caller(r *http.Request, settings, attributes json.RawMessage) (identity.Caller, error)
	Challenge(w http.ResponseWriter, r *http.Request, err error)
	// Body reads the JSON object of a request.
	Body(w http.ResponseWriter, r *http.Request) (json.RawMessage, error)
}

// Config is what the routes need.
type Config struct {
	Query        Querier
	Integrations Integrations
	Runner       Runner
	Recorder     Recorder
	Token        func(registry.Integration) TokenState
	Now          func() time.Time
	Logger       *slog.Logger
}

// Recorder writes down what is changed before it is changed. Deed is
// integrations.add, .change or .remove, on the name of what it is done to. The
// error is that of work, or says why nothing was done.
type Recorder interface {
	Record(ctx context.Context, by identity.Caller, deed, on string, work func() error) error
}

// Surface is the REST surface.
type Surface struct {
	cfg  Config
	gate Gate
}

// New makes a surface that answers nothing before [Surface.Behind].
func New(cfg Config) *Surface { return &Surface{cfg: cfg} }

// Behind puts the surface behind a gate.
func (s *Surface) Behind(g Gate) { s.gate = g }

// answer is what a request is answered with: a status, 0 for 200, and a body.
type answer struct {
	status int
	body   any
}

// request is a request whose caller is known.
type request struct {
	*http.Request
	caller identity.Caller
	body   json.RawMessage // nil without one
}

// Routes are the handlers by pattern of http.ServeMux.
func (s *Surface) Routes() map[string]http.Handler {
	out := map[string]http.Handler{}
	for pattern, h := range map[string]func(request) (answer, error){"POST /api/query": s.query} {
		out[pattern] = s.serve(h)
	}
	for pattern, h := range s.integrationRoutes() {
		out[pattern] = s.serve(s.admin(h))
	}
	return out
}

// admin refuses agents without the right.
func (s *Surface) admin(h func(request) (answer, error)) func(request) (answer, error) {
	return func(r request) (answer, error) {
		if !r.caller.Admin {
			return answer{}, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "This needs an agent with admin rights.", Next: "Use the key of one."}
		}
		return h(r)
	}
}

// serve is the life of one request.
func (s *Surface) serve(h func(request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		in := request{Request: r}
		var err error
		in.caller, in.body, err = Admit(s.gate, w, r)
		var known *confluence.Error
		if err != nil && !errors.As(err, &known) {
			s.gate.Challenge(w, r, err)
			return
		}
		var out answer
		if err == nil {
			out, err = h(in)
		}
		if err != nil {
			Refuse(w, s.cfg.Logger, err)
			return
		}
		write(w, out)
	})
}

// Admit settles who asks and reads the body, nil without one; it takes one
// request from the asker's rate. Credentials count before the body does: nobody
// learns from it what is wrong with it. Errors are those of [Gate.Caller].
func Admit(g Gate, w http.ResponseWriter, r *http.Request) (who identity.Caller, body json.RawMessage, err error) {
	var named struct {
		Settings   json.RawMessage `json:"accessSettings"`
		Attributes json.RawMessage `json:"accessControlAttributes"`
	}
	if r.Method != http.MethodGet && r.ContentLength != 0 {
		if body, err = g.Body(w, r); err != nil {
			if _, unknown := g.Caller(r, nil, nil); unknown != nil {
				err = unknown
			}
			return who, nil, err
		}
		_ = json.Unmarshal(body, &named) // an object; what it names is checked by the gate
	}
	who, err = g.Caller(r, named.Settings, named.Attributes)
	return who, body, err
}

// read decodes the body strictly into what it must be.
func (r request) read(into any) error {
	if r.body == nil {
		return wrong("There is no body", "Send a JSON object; see /api/openapi.json.")
	}
	return Strict(r.body, into)
}

// Strict decodes a body that [Gate.Body] has read. Kind Invalid for members that
// are not of into, or of another type.
func Strict(raw json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Err: err, Message: "The body is not what this route takes: " + reason(err) + ".", Next: "See /api/openapi.json."}
	}
	return nil
}

// reason is what encoding/json says, without its name.
func reason(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return "the member " + wrong.Field + " is of another type"
	}
	const unknown = "json: unknown field "
	if name, ok := strings.CutPrefix(err.Error(), unknown); ok {
		return "there is no member " + name
	}
	return "it cannot be decoded"
}

func write(w http.ResponseWriter, out answer) {
	if out.body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if out.status != 0 {
		w.WriteHeader(out.status)
	}
	_ = json.NewEncoder(w).Encode(out.body) // the asker may be gone
}

// statusOf is the HTTP status of an error: by its code where that is finer than
// its kind, 500 for what no kind is known of. A credential of an integration that
// has ended at Confluence is a conflict: 401 would say that the asker's own key is
// no good, which only [Gate.Challenge] says.
func statusOf(err error) int {
	var known *confluence.Error
	if !errors.As(err, &known) {
		return http.StatusInternalServerError
	}
	switch known.Code {
	case "auth.rights", "input.site":
		return http.StatusUnprocessableEntity
	case "limit.too_large":
		return http.StatusRequestEntityTooLarge
	}
	status, ok := map[confluence.Kind]int{confluence.Invalid: 400, confluence.Expired: 409, confluence.Denied: 403, confluence.NotFound: 404,
		confluence.Conflict: 409, confluence.Limited: 429, confluence.Unavailable: 503}[known.Kind]
	if !ok {
		return http.StatusInternalServerError
	}
	return status
}

// Refuse answers with the status of an error, how long to wait where that is
// known, and the object a tool would fail with. What nobody expected (500) is
// logged, for the answer does not tell it.
func Refuse(w http.ResponseWriter, logger *slog.Logger, err error) {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		logger.Error("REST call failed", "err", err)
	}
	var known *confluence.Error
	if errors.As(err, &known) && known.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.RetryAfter.Seconds()))))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(tools.Failure(err).Structured) // the asker may be gone
}
