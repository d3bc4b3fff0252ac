package rest

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"
)

const wikiContext = "/wiki"

// address is a judged base URL: scheme, host and the path in front of /wiki.
type address struct {
	scheme  string
	host    string // host[:port], lower case
	prefix  string // "" or /ex/confluence/{cloudId}
	cloudID string // of a gateway address
}

var gatewayPath = regexp.MustCompile(`^/ex/confluence/([0-9A-Za-z-]{1,64})$`)

// parseAddress judges a configured base URL: https, or http to a loopback
// host; no userinfo, query or fragment; /wiki or nothing on a site, the
// gateway form with or without /wiki.
func parseAddress(raw string) (address, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || u.Opaque != "" || strings.ContainsAny(raw, "\\\r\n\t") {
		return address{}, badURL("the base URL is not a URL")
	}
	if err := judgeOrigin(u); err != nil {
		return address{}, err
	}
	if u.RawPath != "" || u.Path != "" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" {
		return address{}, badURL("the base URL has an unusual path")
	}
	a := address{scheme: u.Scheme, host: strings.ToLower(u.Host)}
	rest := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), wikiContext)
	if m := gatewayPath.FindStringSubmatch(rest); m != nil {
		a.prefix, a.cloudID = rest, m[1]
		return a, nil
	}
	if rest != "" {
		return address{}, badURL("the base URL of a Cloud site ends in /wiki or has no path")
	}
	return a, nil
}

func judgeOrigin(u *url.URL) error {
	switch {
	case u.User != nil:
		return badURL("the base URL must not hold a user name or password")
	case u.Fragment != "" || u.RawFragment != "" || u.RawQuery != "" || u.ForceQuery:
		return badURL("the base URL must not have a query or a fragment")
	case u.Scheme != "https" && u.Scheme != "http":
		return badURL("the base URL must begin with https://")
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		return badURL("http is accepted for a loopback address only; use https")
	case lookalike(u.Hostname()):
		return badURL("the host only looks like an Atlassian host")
	}
	return nil
}

// lookalike reports a host that carries Atlassian's domain anywhere but at its
// end.
func lookalike(host string) bool {
	host = strings.ToLower(host)
	for _, domain := range []string{"atlassian.net", "atlassian.com"} {
		if strings.Contains(host, domain) && host != domain && !strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func badURL(message string) error {
	return badConfig(message, "Give the address as https://SITE.atlassian.net/wiki.")
}

func (a address) hostname() string {
	u := url.URL{Host: a.host}
	return u.Hostname()
}

func (a address) loopback() bool { return loopbackHost(a.hostname()) }

func (a address) gateway() bool { return a.prefix != "" }

// origin is the site without /wiki.
func (a address) origin() string { return a.scheme + "://" + a.host + a.prefix }

// url joins a path that begins with /wiki (or with a well-known root) and a query.
func (a address) url(p string, query url.Values) *url.URL {
	return &url.URL{Scheme: a.scheme, Host: a.host, Path: a.prefix + p, RawQuery: query.Encode()}
}
