package server

import (
	"encoding/json"
	"net/http"

	"confluence-mcp/internal/identity"
)

// traceHeader is the W3C trace context of a request; _meta has it by the same
// name.
const traceHeader = "traceparent"

// headerTrace is the trace a request belongs to, "" where it names none. A
// header that was sent twice says nothing.
func headerTrace(h http.Header) string {
	values := h.Values(traceHeader)
	if len(values) != 1 {
		return ""
	}
	return identity.TraceID(values[0])
}

// metaTrace is the trace the message itself names, which counts before the
// header's: a proxy may have put its own there.
func metaTrace(m message, header string) string {
	var parent string
	if json.Unmarshal(m.Params.Meta.Trace, &parent) != nil {
		return header
	}
	if id := identity.TraceID(parent); id != "" {
		return id
	}
	return header
}
