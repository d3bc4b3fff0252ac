package oauth

import (
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
)

// noSites as emulator_site consents without granting any site.
const noSites = "none"

// Authorize is GET /authorize, the consent page. Three extra parameters stand
// for what a person does on it: emulator_user=ID consents as that account
// without showing a page, emulator_site=CLOUDID (repeatable, or "none") picks
// sites, all of the person's sites being the default, and emulator_deny=1
// presses Cancel.
func (p *Provider) Authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if code, description := p.refuse(q); code != "" {
		v := url.Values{"error": {code}, "error_description": {description}}
		http.Redirect(w, r, "/error?"+v.Encode(), http.StatusFound)
		return
	}
	if q.Get("emulator_deny") != "" {
		callback(w, r, url.Values{"error": {"access_denied"},
			"error_description": {"User did not authorize the request"}})
		return
	}
	user := q.Get("emulator_user")
	if user == "" {
		p.showConsent(w, q)
		return
	}
	if _, ok := p.dir.Person(user); !ok {
		http.Error(w, "emulator_user names no active user", http.StatusBadRequest)
		return
	}
	code := p.consent(user, q.Get("redirect_uri"), q.Get("code_challenge"), scopeList(q.Get("scope")), p.picked(user, q["emulator_site"]))
	callback(w, r, url.Values{"code": {code}})
}

// refuse names the error page for a request that must not be answered at its
// redirect address, because that address or the app is in doubt.
func (p *Provider) refuse(q url.Values) (code, description string) {
	switch {
	case q.Get("client_id") != Client:
		return "invalid_request", "Unknown client: " + q.Get("client_id")
	case !p.redirectAllowed(q.Get("redirect_uri")):
		return "unauthorized_client", "Callback URL mismatch. " + q.Get("redirect_uri") +
			" is not in the list of allowed callback URLs"
	case q.Get("response_type") != "code":
		return "invalid_request", "Missing required parameter: response_type"
	case q.Get("audience") != "api.atlassian.com":
		return "invalid_request", "Missing required parameter: audience"
	case len(scopeList(q.Get("scope"))) == 0:
		return "invalid_request", "Missing required parameter: scope"
	}
	return "", ""
}

func (p *Provider) redirectAllowed(raw string) bool {
	p.mu.Lock()
	registered := p.settings.RedirectURI
	p.mu.Unlock()
	if registered != "" {
		return raw == registered
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil {
		return false
	}
	host := u.Hostname()
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

// picked is the granted sites: those asked for, as far as the person is there.
func (p *Provider) picked(user string, wanted []string) []string {
	var sites []string
	for _, s := range p.dir.Resources() {
		asked := len(wanted) == 0 || slices.Contains(wanted, s.CloudID)
		if asked && !slices.Contains(wanted, noSites) && p.dir.Member(s.CloudID, user) {
			sites = append(sites, s.CloudID)
		}
	}
	return sites
}

// callback sends the browser back with the outcome and the caller's state.
func callback(w http.ResponseWriter, r *http.Request, outcome url.Values) {
	q := r.URL.Query()
	target, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "bad redirect_uri", http.StatusBadRequest)
		return
	}
	if q.Has("state") {
		outcome.Set("state", q.Get("state"))
	}
	merged := target.Query()
	for k, v := range outcome {
		merged[k] = v
	}
	target.RawQuery = merged.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// Failed is GET /error, where a request with a doubtful callback ends.
func (p *Provider) Failed(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(http.StatusBadRequest)
	_ = errorPage().Execute(w, map[string]string{"Code": q.Get("error"), "Description": q.Get("error_description")})
}

func (p *Provider) showConsent(w http.ResponseWriter, q url.Values) {
	hidden := url.Values{}
	for _, k := range []string{"audience", "client_id", "scope", "redirect_uri", "state", "response_type", "prompt", "code_challenge", "code_challenge_method"} {
		if q.Has(k) {
			hidden.Set(k, q.Get(k))
		}
	}
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	_ = consentPage().Execute(w, map[string]any{
		"Hidden": hidden, "Scopes": scopeList(q.Get("scope")), "Sites": p.dir.Resources(),
	})
}

func errorPage() *template.Template {
	return template.Must(template.New("error").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Error</title>
<h1>{{.Code}}</h1><p>{{.Description}}</p></html>
`))
}

func consentPage() *template.Template {
	return template.Must(template.New("consent").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Authorize app</title>
<h1>Emulator: authorize app</h1>
<p>This app is not reviewed. It asks for:</p>
<ul>{{range .Scopes}}<li><code>{{.}}</code></li>{{end}}</ul>
<form method="get" action="/authorize">
{{range $k, $v := .Hidden}}<input type="hidden" name="{{$k}}" value="{{index $v 0}}">
{{end}}<p><label>As the account with the id <input name="emulator_user" placeholder="u-ann"></label></p>
<input type="hidden" name="emulator_site" value="">
<p>{{range .Sites}}<label><input type="checkbox" name="emulator_site" value="{{.CloudID}}" checked> {{.Name}}</label> {{end}}</p>
<button>Accept</button> <button name="emulator_deny" value="1">Cancel</button>
</form></html>
`))
}
