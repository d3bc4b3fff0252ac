package server

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler is the whole HTTP surface: /mcp, /healthz, /readyz, /metrics, the
// metadata document, and [Config.Routes]. Everything else is 404, under /api/ with
// the object that every failure there is.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", s.serveMCP)
	mux.HandleFunc("GET "+metadataPath, s.serveMetadata)
	mux.HandleFunc("GET "+metadataPath+"/mcp", s.serveMetadata)
	mux.Handle("GET /metrics", s.adminOnly(promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{})))
	for pattern, h := range s.cfg.Routes {
		mux.Handle(pattern, h)
	}
	mux.Handle(apiPath, s.noRoute(mux))
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	probes.HandleFunc("GET /readyz", s.serveReady)
	probes.Handle("/", s.addressed(mux)) // probes come by pod address: they are not asked for a Host
	return s.survive(inert(probes))
}

// apiPath is where the REST surface is.
const apiPath = "/api/"

// noRoute answers what no route under /api/ takes: a path there is not, or one
// that there is by another method.
func (s *Server) noRoute(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var takes []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "" && pattern != apiPath {
				takes = append(takes, method)
			}
		}
		if len(takes) == 0 {
			s.deny(w, r, refuse(http.StatusNotFound, "route", "", "There is nothing at this path.", "The routes are listed at /api/openapi.json."))
			return
		}
		w.Header().Set("Allow", strings.Join(takes, ", "))
		s.deny(w, r, refuse(http.StatusMethodNotAllowed, "route", "input.method", "This path does not take this method.", "It takes "+strings.Join(takes, ", ")+"; see /api/openapi.json."))
	})
}

// inert tells browsers that an answer is no page, whatever stands in it: nothing
// of it runs, is guessed to be something else, or is shown inside another page;
// and tells everybody on the way not to keep it. A handler that does serve a page
// says so in headers of its own.
func inert(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// addressed lets a request through that was meant for this server: its Host is
// one of ours, and a browser brings an allowed Origin. One that hides the Origin
// but says that another site's page sends it may not change anything.
func (s *Server) addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origins := r.Header.Values("Origin")
		switch {
		case !s.ourHost(r.Host):
			s.refuse(w, refuse(http.StatusForbidden, "host", "auth.host", "The request is addressed to a host this server does not serve.", "Use an allowed host name; the administrator can add one to allowed_hosts."), nil)
			return
		case len(origins) > 1 || len(origins) == 1 && !s.ourOrigin(origins[0], r):
			s.refuse(w, refuse(http.StatusForbidden, "origin", "auth.origin", "Requests from this origin are not accepted.", "The administrator can add it to allowed_origins."), nil)
			return
		case len(origins) == 0 && fromElsewhere(r):
			s.refuse(w, refuse(http.StatusForbidden, "origin", "auth.origin", "Requests from pages of other sites are not accepted.", "Send it from a program, or from a page of this server."), nil)
			return
		case len(origins) == 1:
			h := w.Header()
			h.Add("Vary", "Origin")
			h.Set("Access-Control-Allow-Origin", origins[0])
			h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "POST, GET, DELETE")
				h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// fromElsewhere says that a browser sends a change on behalf of a page of
// another site. Following a link is no change: the sign-in service sends people
// back that way.
func fromElsewhere(r *http.Request) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	site := r.Header.Get("Sec-Fetch-Site")
	return !safe && site != "" && site != "same-origin" && site != "none"
}

func (s *Server) ourHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || isLoopback(name) {
		return true
	}
	if u, err := url.Parse(s.cfg.ResourceURL); err == nil && u.Host != "" && strings.EqualFold(u.Host, host) {
		return true
	}
	return slices.ContainsFunc(s.cfg.AllowedHosts, func(a string) bool {
		return strings.EqualFold(a, host) || strings.EqualFold(strings.Trim(a, "[]"), name)
	})
}

// ourOrigin accepts what is configured and pages of this server itself, whose
// host was just found to be one of ours.
func (s *Server) ourOrigin(origin string, r *http.Request) bool {
	return slices.Contains(s.cfg.AllowedOrigins, origin) ||
		origin == "https://"+r.Host || r.TLS == nil && origin == "http://"+r.Host
}

func isLoopback(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && addr.IsLoopback()
}

// survive keeps a panic of any handler in: the client learns a reference, the
// log where it happened, and nobody what the panic said.
func (s *Server) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(cause)
			}
			ref := s.logPanic(cause, r.URL.Path)
			writeJSON(w, http.StatusInternalServerError, rpcDetail{Code: -32603, Message: "Something went wrong inside the server; reference " + ref + "."})
		}()
		next.ServeHTTP(w, r)
	})
}

// adminOnly asks for the key of an admin agent, except where no keys are used
// at all.
func (s *Server) adminOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, err := s.Authenticate(r)
		switch {
		case err != nil:
			s.Challenge(w, r, err)
		case !agent.Admin && s.cfg.NoAuth == nil:
			s.refuse(w, refuse(http.StatusForbidden, "admin", "auth.forbidden", "This needs an agent with admin rights.", "Use the key of one."), nil)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	ready, detail := true, any(nil)
	if s.cfg.Ready != nil {
		ready, detail = s.cfg.Ready()
	}
	answer := map[string]any{"ready": ready}
	if detail != nil {
		answer["detail"] = detail
	}
	if s.draining.Load() {
		ready = false
		answer["ready"], answer["draining"] = false, true
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	out, err := json.Marshal(v)
	if err != nil {
		status, out = http.StatusInternalServerError, []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(out, '\n')) // the client may be gone
}
