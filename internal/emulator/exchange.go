package emulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"confluence-mcp/internal/emulator/wire"
)

// Ways a request can come in, as the journal's via names them.
const (
	viaSite    = "site"
	viaGateway = "gateway"
	viaOAuth   = "oauth"
	viaMedia   = "media"
)

// Exchange is one request to an API operation and its answer, for whoever
// checks them against a specification.
type Exchange struct {
	Method   string
	URL      string // path from /wiki on, and query
	Pattern  string // of the operation, with /wiki; empty when no operation matched
	Gone     bool   // the operation left the published document
	Request  http.Header
	Body     []byte
	Status   int
	Response http.Header
	Answer   []byte
}

// inbound is a request on its way through the shell.
type inbound struct {
	sent     *http.Request // as it came
	api      *http.Request // without the gateway prefix
	via      string
	listener *host // whose listener took it; nil for the media host
	target   *host // the site it concerns; nil for oauth
	who      caller
}

// listen is the handler of a site's own listener.
func (e *Emulator) listen(h *host) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch {
		case strings.HasPrefix(path, controlPrefix), strings.HasPrefix(path, "/wiki"+controlPrefix):
			e.control(h, w, r)
		case h.main() && e.oauthEndpoint(r) != nil:
			in := &inbound{sent: r, api: r, via: viaOAuth, listener: h}
			e.exchange(w, in, e.oauthEndpoint(r))
		case h.main() && strings.HasPrefix(path, gatewayPrefix):
			e.throughGateway(h, w, r)
		default:
			in := &inbound{sent: r, api: r, via: viaSite, listener: h, target: h}
			in.who = h.onSite(r)
			e.exchange(w, in, func(w http.ResponseWriter, r *http.Request) { e.serveSite(w, in) })
		}
	}
}

func (e *Emulator) oauthEndpoint(r *http.Request) http.HandlerFunc {
	switch r.Method + " " + r.URL.Path {
	case "GET /authorize":
		return e.oauth.Authorize
	case "POST /oauth/token":
		return e.oauth.Token
	case "GET /oauth/token/accessible-resources":
		return e.oauth.Resources
	case "GET /me":
		return e.oauth.Me
	case "GET /error":
		return e.oauth.Failed
	}
	return nil
}

// exchange journals the request and answers it, by a fault when a rule fires.
func (e *Emulator) exchange(w http.ResponseWriter, in *inbound, serve http.HandlerFunc) {
	entry := Request{Time: e.clock.now(), Method: in.sent.Method, Path: visiblePath(in.sent.URL),
		User: in.who.user, Via: in.via}
	if in.target != nil {
		entry.Site = in.target.site.CloudID()
	}
	kept := e.journal.begin(entry)
	sw := &statusWriter{ResponseWriter: w, answered: func(status int) { e.journal.answered(kept, status) }}
	if action := e.faults.take(in); action != nil {
		action.act(sw, in.sent, serve)
		return
	}
	serve(sw, in.sent)
}

// serveSite answers a request that reached a site, by its host or the gateway.
func (e *Emulator) serveSite(w http.ResponseWriter, in *inbound) {
	if in.api.URL.Path == "/_edge/tenant_info" {
		wire.JSON(w, http.StatusOK, map[string]string{"cloudId": in.target.site.CloudID()})
		return
	}
	if in.who.refusal != nil {
		in.who.refusal(w, in.api)
		return
	}
	_, pattern := e.mux.Handler(in.api)
	route, known := e.routes[pattern]
	if in.who.scoped && !(known && in.who.opens(route)) {
		scopeMismatch(w)
		return
	}
	if !known {
		notFoundPage(w)
		return
	}
	if route.Gone && !in.target.legacy(w) {
		return
	}
	if !in.target.limit.allow(w, e.clock.now()) {
		return
	}
	call := wire.Call{Site: in.target.site, User: in.who.user, Base: in.target.base(in.sent), Media: e.mediaBase(in.target)}
	api := in.api.WithContext(context.WithValue(in.api.Context(), callKey{}, call))
	if e.observe == nil {
		e.mux.ServeHTTP(w, api)
		return
	}
	e.observed(w, api, route)
}

type callKey struct{}

// handleRoute adapts an operation to the mux.
func handleRoute(route wire.Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call, ok := r.Context().Value(callKey{}).(wire.Call)
		if !ok {
			panic("emulator: an operation was reached around the shell")
		}
		route.Handle(w, r, call)
	}
}

// observed serves the request with a copy of both sides for the observer.
func (e *Emulator) observed(w http.ResponseWriter, r *http.Request, route wire.Route) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the request body broke off", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := newBuffered()
	e.mux.ServeHTTP(rec, r)
	for k, v := range w.Header() {
		if rec.header[k] == nil {
			rec.header[k] = v
		}
	}
	e.observe(Exchange{Method: r.Method, URL: r.URL.RequestURI(), Pattern: route.Pattern, Gone: route.Gone,
		Request: r.Header, Body: body, Status: rec.status, Response: rec.header, Answer: rec.body.Bytes()})
	for k, v := range rec.header {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.status)
	_, _ = w.Write(rec.body.Bytes()) // the client is gone; there is nobody to tell
}

// buffered is an answer that has not been sent.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newBuffered() *buffered { return &buffered{header: http.Header{}, status: http.StatusOK} }

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

// notFoundPage is what an unknown path answers: HTML, not JSON.
func notFoundPage(w http.ResponseWriter) {
	htmlPage(w, http.StatusNotFound, "Page Not Found", "Oops, you've found a dead link.")
}

func htmlPage(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><html lang=\"en\"><head><title>"+title+"</title></head><body><h1>"+
		title+"</h1><p>"+text+"</p></body></html>\n") // the client is gone; there is nobody to tell
}
