package identity

import "strings"

// Sizes of a W3C traceparent: version 00 has 55 characters; a later version may
// have more behind them, of which no more is looked at than this.
const (
	traceParent     = 55
	longTraceParent = 512
)

// TraceID is the trace-id of a W3C traceparent (Trace Context, section 3.2.2),
// 32 lower-case hex digits. It is "" for anything that is no good traceparent:
// who sends one begins a trace that nobody follows, and the call goes on.
func TraceID(parent string) string {
	if len(parent) < traceParent || len(parent) > longTraceParent {
		return ""
	}
	version, id, span, flags, rest := parent[0:2], parent[3:35], parent[36:52], parent[53:55], parent[55:]
	for _, field := range []string{version, id, span, flags} {
		if !isHex(field) {
			return ""
		}
	}
	switch {
	case parent[2] != '-' || parent[35] != '-' || parent[52] != '-':
	case version == "ff" || version == "00" && rest != "" || rest != "" && rest[0] != '-':
	case isZero(id) || isZero(span):
	default:
		return id
	}
	return ""
}

// IsTraceID reports whether s could be what [TraceID] gives.
func IsTraceID(s string) bool { return len(s) == 32 && isHex(s) && !isZero(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func isZero(s string) bool { return strings.Trim(s, "0") == "" }
