package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// Codes of our own JSON-RPC errors: the HTTP status below a base outside the
// range that JSON-RPC reserves.
const ownCodes = -31000

// rpcError is a JSON-RPC error answer. Data is the same object a tool answers
// with: {"error":{"kind","message","next","retryable"}}'s inner part.
type rpcError struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   rpcDetail       `json:"error"`
}

type rpcDetail struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func rpcFailure(id json.RawMessage, code int, message string, data json.RawMessage) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	out, err := json.Marshal(rpcError{JSONRPC: "2.0", ID: id, Error: rpcDetail{Code: code, Message: message, Data: data}})
	if err != nil {
		return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"The answer could not be encoded."}}`)
	}
	return out
}

// refusal is a request that ends before the protocol sees it.
type refusal struct {
	status int
	code   int // of JSON-RPC; 0 derives it from status
	reason string
	err    error
	retry  int // seconds, 0 none
	data   any // of the JSON-RPC error; nil: the error object a tool would answer with
}

func refuse(status int, reason, kind, message, next string) *refusal {
	k := confluence.Invalid
	switch status {
	case http.StatusUnauthorized:
		k = confluence.Expired
	case http.StatusForbidden:
		k = confluence.Denied
	case http.StatusNotFound:
		k = confluence.NotFound
	case http.StatusTooManyRequests:
		k = confluence.Limited
	}
	return &refusal{status: status, reason: reason, err: &confluence.Error{Kind: k, Code: kind, Message: message, Next: next}}
}

// body is the refusal as a JSON-RPC error for the message with this id.
func (f *refusal) body(id json.RawMessage) []byte {
	code := f.code
	if code == 0 {
		code = ownCodes - f.status
	}
	var shown struct {
		Error json.RawMessage `json:"error"`
	}
	failure := tools.Failure(f.err)
	if json.Unmarshal(failure.Structured, &shown) != nil {
		shown.Error = nil
	}
	if f.data != nil {
		if data, err := json.Marshal(f.data); err == nil {
			shown.Error = data
		}
	}
	message := failure.Text
	var e *confluence.Error
	if errors.As(f.err, &e) {
		message = strings.TrimSpace(e.Message + " " + e.Next)
	}
	return rpcFailure(id, code, message, shown.Error)
}

func (s *Server) refuse(w http.ResponseWriter, f *refusal, id json.RawMessage) {
	s.metrics.refused.WithLabelValues(f.reason).Inc()
	s.cfg.Logger.Info("refused", "reason", f.reason, "status", f.status)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retry))
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(append(f.body(id), '\n')) // the client may be gone
}

// reply stands between the protocol library and the client: it sets the
// headers every answer has, and keeps the library's own error texts in.
type reply struct {
	http.ResponseWriter
	x *exchange
}

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) {
	h := r.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
		h.Set("X-Accel-Buffering", "no")
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter. The library writes each message with
// one call, bare or as one event of a stream.
func (r *reply) Write(p []byte) (int, error) {
	if out := neutral(p, r.x); out != nil {
		_, err := r.ResponseWriter.Write(out)
		return len(p), err
	}
	return r.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (r *reply) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController find the connection.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// neutral looks at one outgoing message. An error is noted in x, and when its
// text is a program's and not a person's, the message is given back with
// another one; nil means that p can go out as it is.
func neutral(p []byte, x *exchange) []byte {
	prefix, message := splitEvent(p)
	if !bytes.HasPrefix(message, []byte(`{"jsonrpc":"2.0","id":`)) || !bytes.Contains(message, []byte(`"error":{"code":`)) {
		return nil
	}
	var e rpcError
	if json.Unmarshal(message, &e) != nil || e.Error.Code == 0 {
		return nil
	}
	x.failure = strconv.Itoa(e.Error.Code)
	f := cmp.Or(x.instead, noSuchTool(e.Error.Message), noSuchState(e.Error.Message))
	if f != nil {
		out := append(bytes.Clone(prefix), f.body(e.ID)...)
		return append(out, p[len(p)-trailing(p):]...)
	}
	text := plainError(e.Error.Code, e.Error.Message)
	if text == e.Error.Message {
		return nil
	}
	out := append(bytes.Clone(prefix), rpcFailure(e.ID, e.Error.Code, text, e.Error.Data)...)
	return append(out, p[len(p)-trailing(p):]...)
}

func splitEvent(p []byte) (prefix, message []byte) {
	const event = "event: message\ndata: "
	if bytes.HasPrefix(p, []byte(event)) {
		return p[:len(event)], p[len(event):]
	}
	return nil, p
}

func trailing(p []byte) int { return len(p) - len(bytes.TrimRight(p, "\n")) }

func plainError(code int, text string) string {
	if code == -32603 {
		return "The server could not handle this request."
	}
	for _, sign := range []string{"json:", "unmarshal", "base64", "strconv", "runtime error", "goroutine", "unexpected end", "%!"} {
		if strings.Contains(text, sign) {
			switch code {
			case -32700:
				return "The message is not valid JSON."
			case -32602:
				return "The parameters of this request are not valid."
			default:
				return "The request is not valid."
			}
		}
	}
	return text
}

// noSuchTool is our answer in place of the library's sentence about a tool the
// caller may not know of; nil for every other sentence.
func noSuchTool(text string) *refusal {
	name, ours := strings.CutPrefix(strings.TrimSuffix(text, ": tool not found"), "tool '")
	name, whole := strings.CutSuffix(name, "' not found")
	if !ours || !whole {
		return nil
	}
	f := refuse(http.StatusBadRequest, "tool", "input.unknown_tool", "The tool "+strconv.Quote(name)+" was not found.", "List the tools again and call one of those.")
	f.code = -32602
	return f
}
