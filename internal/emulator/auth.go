package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

// gatewayPrefix precedes a cloud id and a site path on the main listener.
const gatewayPrefix = "/ex/confluence/"

// caller is what a request's credentials are worth.
type caller struct {
	user    string // id; empty is anonymous
	scoped  bool   // only operations that its scopes open
	scopes  []string
	refusal http.HandlerFunc // set: the request goes no further
}

// tokenLine is {"kind":"token","user":"u-ann","token":"…","scopes":[…]}: an API
// token that is limited to scopes and works through the gateway only.
type tokenLine struct {
	Kind   string   `json:"kind"`
	User   string   `json:"user"`
	Token  string   `json:"token"`
	Scopes []string `json:"scopes"`
}

func (c caller) opens(route wire.Route) bool {
	return slices.ContainsFunc(route.Scopes, func(all []string) bool {
		return !slices.ContainsFunc(all, func(s string) bool { return !slices.Contains(c.scopes, s) })
	})
}

// onSite judges credentials sent to the site's own host: basic ones with an
// unscoped token, or none where the site is open to everybody.
func (h *host) onSite(r *http.Request) caller {
	header := r.Header.Get("Authorization")
	if header == "" {
		return h.nobody()
	}
	login, token, ok := r.BasicAuth()
	if !ok {
		return caller{refusal: tomcatUnauthorized} // a bearer token never works here
	}
	if _, scoped := h.scopedToken(login, token); scoped {
		return caller{refusal: tomcatUnauthorized}
	}
	if id, ok := h.owner(login, token); ok {
		return caller{user: id}
	}
	return caller{refusal: badCredentials}
}

// owner is the active user whose e-mail address and token these are; a user
// name is no login here.
func (h *host) owner(email, token string) (id string, ok bool) {
	u, ok := h.site.Authenticate(email, token)
	if !ok || email == "" || !strings.EqualFold(u.Email, email) {
		return "", false
	}
	return u.ID, true
}

func (h *host) nobody() caller {
	open := false
	h.site.Read("", func(v *site.View) { open = v.MayUseSite() })
	if !open {
		return caller{refusal: badCredentials}
	}
	return caller{}
}

// throughGateway serves /ex/confluence/{cloudId}/….
func (e *Emulator) throughGateway(h *host, w http.ResponseWriter, r *http.Request) {
	cloudID, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, gatewayPrefix), "/")
	in := &inbound{sent: r, via: viaGateway, listener: h, target: e.byCloudID(cloudID)}
	in.api = behindPrefix(r, gatewayPrefix+cloudID)
	if in.target == nil {
		in.who.refusal = func(w http.ResponseWriter, _ *http.Request) { gatewayError(w, http.StatusNotFound, "Not Found") }
	} else {
		in.who = e.onGateway(in.target, r)
	}
	e.exchange(w, in, func(w http.ResponseWriter, r *http.Request) {
		if in.who.refusal != nil {
			in.who.refusal(w, in.api)
			return
		}
		e.serveSite(w, in)
	})
}

// onGateway judges credentials sent to the gateway: an OAuth access token that
// was granted for this site, or basic ones.
func (e *Emulator) onGateway(h *host, r *http.Request) caller {
	refused := caller{refusal: func(w http.ResponseWriter, _ *http.Request) {
		gatewayError(w, http.StatusUnauthorized, "Unauthorized")
	}}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		grant, valid := e.oauth.Check(token)
		if _, active := h.site.User(grant.User); !valid || !grant.Allows(h.site.CloudID()) || !active {
			return refused
		}
		return caller{user: grant.User, scoped: true, scopes: grant.Scopes}
	}
	login, token, ok := r.BasicAuth()
	if !ok {
		return refused
	}
	if line, scoped := h.scopedToken(login, token); scoped {
		return caller{user: line.User, scoped: true, scopes: line.Scopes}
	}
	if id, ok := h.owner(login, token); ok {
		return caller{user: id}
	}
	return refused
}

// behindPrefix is the request as the site behind the gateway sees it.
func behindPrefix(r *http.Request, prefix string) *http.Request {
	out := new(http.Request)
	*out = *r
	u := new(url.URL)
	*u = *r.URL
	u.Path = strings.TrimPrefix(u.Path, prefix)
	u.RawPath = strings.TrimPrefix(u.RawPath, prefix)
	if strings.HasPrefix(u.Path, controlPrefix) || strings.HasPrefix(u.Path, "/wiki"+controlPrefix) || u.Path == "" {
		u.Path, u.RawPath = "/", "" // the switch board has no gateway
	}
	out.URL = u
	out.RequestURI = u.RequestURI()
	return out
}

// badCredentials answers as the site does: the two generations disagree on
// what that is, and neither says 401.
func badCredentials(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/wiki/api/v2") {
		wire.JSON(w, http.StatusNotFound, map[string]any{"errors": []map[string]any{
			{"status": http.StatusNotFound, "code": "NOT_FOUND", "title": "Not Found", "detail": nil}}})
		return
	}
	const text = "Current user not permitted to use Confluence"
	wire.JSON(w, http.StatusForbidden, map[string]any{
		"statusCode": http.StatusForbidden,
		"data": map[string]any{"authorized": false, "valid": true, "successful": false,
			"errors": []any{map[string]any{"message": map[string]any{"translation": text, "args": []any{}}}}},
		"message": "com.atlassian.confluence.api.service.exceptions.PermissionException: " + text,
	})
}

// tomcatUnauthorized is the site's answer to tokens that only the gateway
// takes: an HTML page of the servlet container.
func tomcatUnauthorized(w http.ResponseWriter, _ *http.Request) {
	htmlPage(w, http.StatusUnauthorized, "HTTP Status 401 – Unauthorized",
		"The request has not been applied to the target resource because it lacks valid authentication credentials for that resource.")
}

func scopeMismatch(w http.ResponseWriter) {
	gatewayError(w, http.StatusUnauthorized, "Unauthorized; scope does not match")
}

func gatewayError(w http.ResponseWriter, status int, message string) {
	wire.JSON(w, status, map[string]any{"code": status, "message": message})
}
