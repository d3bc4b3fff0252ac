package rest

import (
	"net/url"
	"strings"
	"sync/atomic"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Client is Confluence Cloud as one credential. All its errors are
// *confluence.Error. Safe for concurrent use; nothing it remembers is shared
// with a client of another credential.
type Client struct {
	w    *wire
	keys *spaceKeys
	site atomic.Pointer[confluence.Site]
	good *goodCredential
}

// New judges the configuration and makes a client. It sends nothing; use
// [Client.Probe] to see whether the connection works. Kind Invalid for a bad
// base URL or a missing credential.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	base, err := parseAddress(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	site := confluence.Site{Name: cfg.Name, ID: cfg.CloudID, Kind: confluence.Cloud}
	if site.ID == "" {
		site.ID = base.cloudID
	}
	switch {
	case cfg.SiteURL != "":
		shown, err := parseAddress(cfg.SiteURL)
		if err != nil || shown.gateway() {
			return nil, badURL("the site URL is not the address of a site")
		}
		site.BaseURL = shown.origin() + wikiContext
	case !base.gateway():
		site.BaseURL = base.origin() + wikiContext
	}
	c := &Client{w: newWire(cfg, base), keys: newSpaceKeys(cfg.Now), good: &goodCredential{}}
	c.site.Store(&site)
	return c, nil
}

// As gives a client of the same site with another credential. The two share
// connections and the pace the site's limits demand, and nothing they read.
// Kind Invalid for a missing credential.
func (c *Client) As(auth Auth, username string, token seal.Secret) (*Client, error) {
	w := *c.w
	w.cfg.Auth, w.cfg.Username, w.cfg.Token, w.cfg.Renew, w.cfg.Tokens = auth, username, token, nil, nil
	if err := w.cfg.check(); err != nil {
		return nil, err
	}
	other := &Client{w: w.connect(), keys: newSpaceKeys(w.cfg.Now), good: &goodCredential{}}
	other.site.Store(c.site.Load())
	return other, nil
}

// Describe names the site. Behind the gateway BaseURL is empty until an answer
// has told it, unless it is configured.
func (c *Client) Describe() confluence.Site { return *c.site.Load() }

// learnBase remembers where people open the site, from the first answer that
// says so behind the gateway. It is used for links only, never for requests.
func (c *Client) learnBase(base string) {
	old := c.site.Load()
	if old.BaseURL != "" || base == "" {
		return
	}
	a, err := parseAddress(base)
	if err != nil || a.gateway() {
		return
	}
	site := *old
	site.BaseURL = a.origin() + wikiContext
	c.site.CompareAndSwap(old, &site)
}

// webURL makes the address a person opens from a link relative to the site.
func (c *Client) webURL(link string) string {
	base := c.site.Load().BaseURL
	if link == "" || base == "" {
		return ""
	}
	u, err := url.Parse(link)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(link, "/") {
		return ""
	}
	return base + strings.TrimPrefix(link, wikiContext)
}
