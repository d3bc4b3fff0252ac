package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// Finding is what [Client.Probe] found out about a connection.
type Finding struct {
	Site confluence.Site
	User confluence.User // zero for an anonymous connection
	// Ahead is how far the clock of the site is before this machine's; it may be
	// a second off.
	Ahead time.Duration
}

// Probe finds out what answers at the base URL, by its answers and never by
// its name: the edition, the cloud id and the account behind the credential.
// Its errors tell a wrong address (net.unavailable, net.not_confluence),
// certificate (net.tls), token (auth.credentials) and scope (auth.scope)
// apart. A Data Center is reported as such with kind Invalid, code
// input.edition, as this client does not speak to it.
func (c *Client) Probe(ctx context.Context) (Finding, error) {
	if err := c.probeEdition(ctx); err != nil {
		return Finding{Site: c.Describe()}, err
	}
	if c.w.cfg.Auth == Anonymous {
		_, err := c.Spaces(ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 1})
		return Finding{Site: c.Describe()}, err
	}
	user, err := c.currentUser(ctx)
	if err != nil {
		return Finding{Site: c.Describe()}, c.wrongKind(outward(err))
	}
	// One v2 call: its scopes are separate from v1's, and it tells the site's
	// address behind the gateway.
	_, err = c.Spaces(ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 1})
	return Finding{Site: c.Describe(), User: user, Ahead: time.Duration(c.w.ahead.Load())}, err
}

// wrongKind tells a refused token that is of another kind than Cloud takes from
// one that is no longer good.
func (c *Client) wrongKind(err error) error {
	if confluence.KindOf(err) != confluence.Expired || c.w.cfg.Auth != Bearer || c.w.cfg.Tokens != nil || c.w.base.gateway() {
		return err
	}
	return &confluence.Error{Kind: confluence.Expired, Code: "auth.token_kind", Op: "get current user", Err: err,
		Message: "Confluence Cloud refused a token without a username beside it: it takes API tokens with the e-mail address of their account",
		Next:    "Set the username and an API token of that account; a personal access token is for Data Center."}
}

// probeEdition accepts a Cloud site. The gateway serves Cloud only.
func (c *Client) probeEdition(ctx context.Context) error {
	if c.w.base.gateway() {
		return nil
	}
	tenant, err := fetch[struct {
		CloudID text `json:"cloudId"`
	}](ctx, c.w, read("find the edition", "", "/_edge/tenant_info"))
	if err == nil && tenant.CloudID != "" {
		return c.learnCloudID(string(tenant.CloudID))
	}
	f := asFailure(err)
	if f == nil || f.status == 0 || f.passing || f.status < 400 && f.status >= 300 {
		return outward(err)
	}
	server, serverErr := fetch[struct {
		Version text `json:"version"`
	}](ctx, c.w, read("find the edition", "", "/rest/api/server-information"))
	if serverErr == nil && server.Version != "" {
		return &confluence.Error{
			Kind: confluence.Invalid, Code: "input.edition", Op: "find the edition",
			Message: "this is Confluence Data Center " + clip(string(server.Version), 20) + ", not Confluence Cloud",
			Next:    "This version connects with Confluence Cloud only. Take the address of a Cloud site, such as https://acme.atlassian.net/wiki.",
		}
	}
	wrong := &failure{problem: &confluence.Error{Op: "find the edition", Err: err}}
	wrong.notConfluence()
	wrong.Message = "no Confluence answers at the base URL"
	wrong.Next = "Check the base URL: open it in a browser, it must show Confluence."
	return wrong.problem
}

func (c *Client) learnCloudID(id string) error {
	old := c.site.Load()
	if old.ID != "" && old.ID != id {
		return &confluence.Error{
			Kind: confluence.Invalid, Code: "input.cloud_id", Op: "find the edition",
			Message: "the site answers with another cloud id than the configured one", Next: "Check base URL and cloud id; reconnect if the site was replaced.",
		}
	}
	site := *old
	site.ID = id
	c.site.CompareAndSwap(old, &site)
	return nil
}

// credentialTrust is for how long a proven credential is not doubted again.
const credentialTrust = time.Minute

// goodCredential remembers when the credential was last seen to work.
type goodCredential struct {
	mu    sync.Mutex
	since time.Time
}

func (g *goodCredential) fresh(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.since.IsZero() && now.Sub(g.since) < credentialTrust
}

func (g *goodCredential) proven(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = now
}

// judged gives an error its final meaning. v2 answers wrong credentials with
// the same bare 404 as much else; one v1 call tells them apart.
func (c *Client) judged(ctx context.Context, err error) error {
	f := asFailure(err)
	if f == nil {
		return err
	}
	if f.status != http.StatusNotFound || !f.bare || c.w.cfg.Auth == Anonymous || c.good.fresh(c.w.cfg.Now()) {
		return f.problem
	}
	if _, credErr := c.currentUser(ctx); confluence.KindOf(credErr) == confluence.Expired {
		var e *confluence.Error
		if cf := asFailure(credErr); cf != nil {
			e = cf.problem
		}
		expired := &confluence.Error{
			Kind: confluence.Expired, Code: "auth.credentials", Op: f.Op, Ref: f.Ref,
			Message: "Confluence refused the credentials: v2 answers 404 to a wrong or expired token, and v1 confirms it",
			Next:    "Check username and token, or connect again.",
		}
		if e != nil {
			expired.Err = e
		}
		return expired
	} else if credErr == nil {
		c.good.proven(c.w.cfg.Now())
	}
	return f.problem
}
