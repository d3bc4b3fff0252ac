package connections

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

// patience is how long Confluence may take to say who the connecting account
// is: callers give up on a call after about a minute.
const patience = 40 * time.Second

// connection is one integration that runs.
type connection struct {
	spec      Spec
	connected *rest.Client // nil until the integration is connected
	anonymous *rest.Client
	account   atomic.Pointer[confluence.User] // of the connected client, once it was asked
	learned   atomic.Pointer[string]          // the account's id, once a sync has found it out
	doubted   atomic.Bool                     // nobody knows yet whether the rows are of this account
	asking    singleflight.Group

	mu      sync.Mutex
	filling *filling // nil while there is no mirror
	ended   bool
}

// connect makes the clients. It asks nothing of the network.
func connect(s Spec, rc rest.Config) (*connection, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	rc.Name, rc.BaseURL = s.Name, s.BaseURL
	if s.Grant != nil {
		return connectGrant(s, rc)
	}
	rc.Auth, rc.Username, rc.Token = rest.Bearer, "", s.Token
	if s.Username != "" {
		rc.Auth, rc.Username = rest.Basic, s.Username
	}
	connected, err := rest.New(rc)
	if err != nil {
		return nil, err
	}
	anonymous, err := connected.As(rest.Anonymous, "", seal.Secret{})
	if err != nil {
		return nil, err
	}
	return &connection{spec: s, connected: connected, anonymous: anonymous}, nil
}

// connectGrant makes the clients of an integration that is connected by OAuth.
// Its requests go through the gateway, which knows no anonymous visitors: those
// are served by the site itself.
func connectGrant(s Spec, rc rest.Config) (*connection, error) {
	open := rc
	open.BaseURL, open.Auth = s.Grant.SiteURL, rest.Anonymous
	anonymous, err := rest.New(open)
	if err != nil {
		return nil, err
	}
	rc.BaseURL, rc.SiteURL, rc.CloudID = s.Grant.BaseURL, s.Grant.SiteURL, s.Grant.CloudID
	rc.Auth, rc.Tokens = rest.Bearer, s.Grant.Tokens
	connected, err := rest.New(rc)
	if err != nil {
		return nil, err
	}
	return &connection{spec: s, connected: connected, anonymous: anonymous}, nil
}

// Check refuses what can't be connected, without asking Confluence.
func Check(s Spec) error {
	_, err := connect(s, rest.Config{})
	if s.Token.Empty() && confluence.KindOf(err) == confluence.Expired { // it waits for OAuth; its address is judged all the same
		_, err = rest.New(rest.Config{Name: s.Name, BaseURL: s.BaseURL, Auth: rest.Anonymous})
	}
	return err
}

// Probe finds out whether an integration would work, and as whom; where rights
// are synced also whether the account can read them, as [Set.TestRights].
func Probe(ctx context.Context, s Spec, client rest.Config) (rest.Finding, error) {
	c, err := connect(s, client)
	if err != nil {
		return rest.Finding{}, err
	}
	return probed(ctx, c)
}

// person gives the client of one account: its own, or the connecting account's
// when that is the same account.
func (c *connection) person(ctx context.Context, who string) (*rest.Client, error) {
	if c.spec.Own != nil {
		if client, err := c.spec.Own(ctx, who); err != nil || client != nil && c.leadsHere(client) {
			return client, err
		}
	}
	me, err := c.me(ctx)
	if err != nil {
		return nil, err
	}
	if who == me.ID || who != "" && (strings.EqualFold(who, me.Email) || strings.EqualFold(who, c.spec.Username)) {
		return c.connected, nil
	}
	return nil, noCredential("this server holds no credential of that user")
}

// leadsHere reports whether a client is of the integration's own site: on another
// one the same ids are other pages.
func (c *connection) leadsHere(client *rest.Client) bool {
	here, there := c.connected.Describe(), client.Describe()
	if here.ID != "" && there.ID != "" {
		return here.ID == there.ID
	}
	return here.BaseURL != "" && strings.EqualFold(here.BaseURL, there.BaseURL)
}

// me asks once who the connecting account is. Callers who ask at the same time
// share the question, and each waits no longer than its own context.
func (c *connection) me(ctx context.Context) (confluence.User, error) {
	if known := c.account.Load(); known != nil {
		return *known, nil
	}
	asked := c.asking.DoChan("me", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		u, err := c.connected.CurrentUser(ctx)
		if err == nil {
			c.account.Store(&u)
		}
		return u, err
	})
	select {
	case <-ctx.Done():
		return confluence.User{}, ctx.Err()
	case r := <-asked:
		return r.Val.(confluence.User), r.Err
	}
}

// readOnce reports whether all of it was read since it was connected.
func (c *connection) readOnce(ctx context.Context) bool {
	f := c.fill()
	return f != nil && f.sync.ReadOnce(ctx)
}

func noCredential(message string) error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: "reach Confluence", Message: message,
		Next: "Ask an admin to give the agent the identity of an account this server is connected with."}
}
