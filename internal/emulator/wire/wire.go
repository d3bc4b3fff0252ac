// Package wire is the border between the emulator's shell and its API
// handlers: what the shell has found out about a request ([Call]), how a
// handler is announced ([Route]) and the answer shapes both API generations
// share.
//
// The shell (package emulator) authenticates, strips the gateway prefix,
// checks scopes, injects faults and keeps the journal; handlers (packages v1
// and v2) see only a Call.
package wire

import (
	"encoding/json"
	"net/http"

	"confluence-mcp/internal/emulator/site"
)

// Call is what the shell knows about one request.
type Call struct {
	Site  *site.Site
	User  string // user id; empty is anonymous
	Base  string // the site's address with /wiki and no trailing slash, for _links.base
	Media string // address of the media host, which is never the site's host
}

// Route is one operation. Pattern is a net/http.ServeMux path with the /wiki
// prefix, for example /wiki/api/v2/pages/{id}. Scopes lists alternatives: a
// scoped token passes when it holds all scopes of one of them; nil means no
// scope opens it. Gone marks operations that left the published document and
// answer with deprecation headers.
type Route struct {
	Method  string
	Pattern string
	Scopes  [][]string
	Gone    bool
	Handle  func(w http.ResponseWriter, r *http.Request, c Call)
}

// JSON writes v with a status.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client is gone; there is nobody to tell
}
