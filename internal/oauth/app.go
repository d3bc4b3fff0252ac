package oauth

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

const (
	authHost = "auth.atlassian.com"
	apiHost  = "api.atlassian.com"

	// CallbackPath is the only path a redirect address may have.
	CallbackPath = "/oauth/callback"
	// RevokeURL is where a person takes the app's access away at Atlassian;
	// there is no endpoint that does it.
	RevokeURL = "https://id.atlassian.com/manage-profile/apps"
	// Notice is shown before anybody is sent to the consent page.
	Notice = "Atlassian may show that this app is unverified or not reviewed by Atlassian. That is expected: it is your company's own app."
)

// App is the admin's own app at Atlassian. AuthURL and APIURL are Atlassian's
// own addresses; for tests they may be loopback ones.
type App struct {
	ClientID     string
	ClientSecret seal.Secret
	RedirectURL  string
	AuthURL      string
	APIURL       string
}

// Check judges the settings. Kind Invalid, code input.config, naming the
// setting.
func (a App) Check() error {
	if a.ClientID == "" || a.ClientSecret.Empty() {
		return badApp("oauth.client_id and oauth.client_secret must both be set", "Copy them from your app at developer.atlassian.com.")
	}
	if err := checkRedirect(a.RedirectURL); err != nil {
		return err
	}
	for _, u := range []struct{ name, url, host string }{{"oauth.auth_url", a.AuthURL, authHost}, {"oauth.api_url", a.APIURL, apiHost}} {
		if err := checkOrigin(u.name, u.url, u.host); err != nil {
			return err
		}
	}
	if a.loopback() != isLoopback(originOf(a.AuthURL)) {
		return badApp("oauth.auth_url and oauth.api_url must both be Atlassian's or both be loopback addresses", "Leave both out.")
	}
	return nil
}

// checkRedirect wants the address exactly as Atlassian will compare it.
func checkRedirect(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return badApp("oauth.redirect_url is not a plain address", "Write it like https://HOST"+CallbackPath+", exactly as in your app's settings at Atlassian.")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u)):
		return badApp("oauth.redirect_url must be https, or http to this machine", "Write it like https://HOST"+CallbackPath+" or http://127.0.0.1:8642"+CallbackPath+".")
	case u.Path != CallbackPath || u.RawPath != "":
		return badApp("oauth.redirect_url must end in "+CallbackPath, "That is where this server is called back; register the same address in your app at Atlassian.")
	}
	return nil
}

func checkOrigin(name, raw, host string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#") || strings.Trim(u.Path, "/") != "" {
		return badApp(name+" is not the address of a host", "Leave it out.")
	}
	if u.Scheme == "https" && u.Host == host || (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u) {
		return nil
	}
	return badApp(name+" may only be https://"+host+", or a loopback address in tests", "Leave it out.")
}

func isLoopback(u *url.URL) bool {
	return u != nil && (strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback())
}

func originOf(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	return u
}

// loopback reports that everything is a test on this machine.
func (a App) loopback() bool { return isLoopback(originOf(a.APIURL)) }

func (a App) api(path string) string  { return strings.TrimSuffix(a.APIURL, "/") + path }
func (a App) auth(path string) string { return strings.TrimSuffix(a.AuthURL, "/") + path }

// GatewayURL is the base address of a site for REST calls with a grant.
func (a App) GatewayURL(cloudID string) string { return a.api("/ex/confluence/" + cloudID) }

var cloudIDForm = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

func isCloudID(id string) bool { return len(id) <= 64 && cloudIDForm.MatchString(id) }

// siteURL judges the address of a site that Atlassian names: it is shown to
// people and compared, never asked. Only hosts of Atlassian's pass, and loopback
// ones where the API is one.
func (a App) siteURL(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || strings.ContainsAny(raw, "#\\") || !isBare(u) {
		return "", false
	}
	local := a.loopback() && isLoopback(u) && (u.Scheme == "http" || u.Scheme == "https")
	if !local && !isCloudSite(u) {
		return "", false
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), true
}

// isBare reports whether an address has a host and nothing else of its own: no
// user, no query, and no path but Confluence's.
func isBare(u *url.URL) bool {
	return u.Host != "" && u.User == nil && u.RawQuery == "" && (strings.Trim(u.Path, "/") == "" || u.Path == "/wiki")
}

var siteHost = regexp.MustCompile(`^[a-z0-9-]+\.atlassian\.net$`)

func isCloudSite(u *url.URL) bool {
	return u.Scheme == "https" && u.Port() == "" && siteHost.MatchString(strings.ToLower(u.Hostname()))
}

func badApp(message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "configure OAuth", Message: message, Next: next}
}
