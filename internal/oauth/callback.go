package oauth

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"confluence-mcp/internal/confluence"
)

// BrowserCookie binds a connection to the browser it was begun in. Set it with
// HttpOnly, SameSite=Lax, Path=/oauth/callback and, on https, Secure.
const BrowserCookie = "confluence_mcp_connect"

// CallbackHandler answers GET /oauth/callback: it finishes the consent, calls
// done with how it ended, which may be nil, and shows a page. The page repeats
// nothing that was sent. Requests for another host than the redirect address
// has are refused.
func (g *Grants) CallbackHandler(done func(Outcome, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, err := g.called(r)
		if done != nil {
			done(o, err)
		}
		show(w, o, err)
	})
}

func (g *Grants) called(r *http.Request) (Outcome, error) {
	if r.Method != http.MethodGet {
		return Outcome{}, badState("the callback is a GET request")
	}
	expected, err := url.Parse(g.cfg.App.RedirectURL)
	if err != nil || !strings.EqualFold(r.Host, expected.Host) || r.URL.Path != expected.Path {
		return Outcome{}, badState("the answer came to another address than the configured one")
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Outcome{}, badState("the answer is damaged")
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(q[name]) > 1 {
			return Outcome{}, badState("the answer says " + name + " twice")
		}
	}
	in := Callback{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), Issuer: q.Get("iss")}
	if c, err := r.Cookie(BrowserCookie); err == nil {
		in.Browser = c.Value
	}
	return g.Finish(r.Context(), in)
}

func show(w http.ResponseWriter, o Outcome, err error) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	page := struct {
		Title, Message, Next string
		Sites                []Site
		Missing, Extra       []string
	}{Title: "Connected", Message: "Signed in as " + orID(o.Grant) + " to " + o.Grant.SiteName + ".", Next: "You can close this window.", Missing: o.Missing, Extra: o.Extra}
	status := http.StatusOK
	var known *confluence.Error
	switch {
	case errors.As(err, &known):
		status, page.Title, page.Message, page.Next = http.StatusBadRequest, "Not connected", strings.TrimSuffix(known.Message, ".")+".", known.Next
		if known.Code == "auth.rights" {
			status = http.StatusUnprocessableEntity
		}
	case err != nil:
		status, page.Title, page.Message, page.Next = http.StatusInternalServerError, "Not connected", "Something went wrong here.", "Look at the log of the server, then begin again."
	case o.Grant.State == Choosing:
		page.Title, page.Message, page.Sites = "One more step", "Signed in as "+orID(o.Grant)+". Several sites are open to it:", o.Sites
		page.Next = "Choose one where you began: on the command line or in the console."
	}
	w.WriteHeader(status)
	_ = callbackPage.Execute(w, page) // the browser is gone; there is nobody to tell
}

var callbackPage = template.Must(template.New("callback").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}code{font-size:.9em}</style>
<h1>{{.Title}}</h1><p>{{.Message}}</p>
{{with .Sites}}<ul>{{range .}}<li>{{.Name}} — {{.URL}} <code>{{.CloudID}}</code></li>{{end}}</ul>{{end}}
{{with .Missing}}<p>These permissions were asked for and not given; what needs them will not work:</p><ul>{{range .}}<li><code>{{.}}</code></li>{{end}}</ul>{{end}}
{{with .Extra}}<p>These permissions were given and not asked for; nothing here uses them:</p><ul>{{range .}}<li><code>{{.}}</code></li>{{end}}</ul>{{end}}
<p>{{.Next}}</p></html>
`))
