package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"confluence-mcp/tools"
)

const metadataPath = "/.well-known/oauth-protected-resource"

// Challenge answers a request that [Server.Authenticate] gave an error for, as
// the MCP authorisation specification says: 401 with where to read how to get
// a token, or 403 with the scopes that are missing. Why credentials were not
// accepted is never said.
func (s *Server) Challenge(w http.ResponseWriter, r *http.Request, err error) {
	where := `resource_metadata="` + s.metadataURL(r) + `"`
	var no *Forbidden
	switch {
	case errors.As(err, &no) && len(no.Scopes) > 0:
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", `+scopeOf(no.Scopes)+", "+where)
		s.deny(w, r, refuse(http.StatusForbidden, "scope", "auth.scope", "The token lacks a scope.", "Ask for a token with the scopes that WWW-Authenticate names."))
		return
	case no != nil:
		s.deny(w, r, refuse(http.StatusForbidden, "agent", "auth.forbidden", "Nobody with these claims may use this server.", "Ask the administrator for access."))
		return
	case !errors.Is(err, ErrUnknownKey):
		s.cfg.Logger.Error("authentication failed", "err", err)
	}
	value := "Bearer " + where
	if len(s.cfg.AuthorizationServers) > 0 && len(s.cfg.Scopes) > 0 {
		value += ", " + scopeOf(s.cfg.Scopes)
	}
	if _, given := bearerOf(r); given {
		value += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", value)
	s.deny(w, r, refuse(http.StatusUnauthorized, "auth", "auth.credentials", "A valid key is needed.", "Send the agent's key in the Authorization header as a Bearer token; never in the URL."))
}

// deny writes a refusal in the form of where it was asked: REST answers with
// the error object alone.
func (s *Server) deny(w http.ResponseWriter, r *http.Request, f *refusal) {
	if !strings.HasPrefix(r.URL.Path, apiPath) {
		s.refuse(w, f, nil)
		return
	}
	s.metrics.refused.WithLabelValues(f.reason).Inc()
	s.cfg.Logger.Info("refused", "reason", f.reason, "status", f.status)
	writeJSON(w, f.status, json.RawMessage(tools.Failure(f.err).Structured))
}

// scopeOf is the parameter of a challenge. Scopes come from the configuration;
// what could end the quotes is left out all the same.
func scopeOf(scopes []string) string {
	return `scope="` + strings.NewReplacer(`"`, "", `\`, "").Replace(strings.Join(scopes, " ")) + `"`
}

// usesQueryKey finds credentials in the URL, where logs and histories keep
// them: by the name they have there, or by how keys and tokens begin.
func usesQueryKey(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	all, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return true // who knows what is in the part that cannot be read
	}
	for name, values := range all {
		switch strings.ToLower(name) {
		case "access_token", "token", "api_key", "apikey", "key", "bearer", "authorization":
			return true
		}
		for _, v := range append(values, name) {
			if strings.HasPrefix(v, "cmk_") || strings.HasPrefix(v, "eyJ") || strings.HasPrefix(v, "Bearer ") {
				return true
			}
		}
	}
	return false
}

func (s *Server) resourceURL(r *http.Request) string {
	if s.cfg.ResourceURL != "" {
		return s.cfg.ResourceURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/mcp"
}

func (s *Server) metadataURL(r *http.Request) string {
	u, err := url.Parse(s.resourceURL(r))
	if err != nil {
		return metadataPath
	}
	return u.Scheme + "://" + u.Host + metadataPath + u.Path
}

// serveMetadata is the protected resource metadata of RFC 9728. Without an
// authorization server it says no more than that keys go into the header.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	doc := map[string]any{
		"resource":                 s.resourceURL(r),
		"bearer_methods_supported": []string{"header"},
		"resource_name":            "Confluence MCP server",
	}
	if len(s.cfg.AuthorizationServers) > 0 {
		doc["authorization_servers"] = s.cfg.AuthorizationServers
	}
	if len(s.cfg.AuthorizationServers) > 0 && len(s.cfg.Scopes) > 0 {
		doc["scopes_supported"] = s.cfg.Scopes
	}
	writeJSON(w, http.StatusOK, doc)
}
