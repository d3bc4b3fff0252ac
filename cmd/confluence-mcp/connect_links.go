package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
	"confluence-mcp/policy"
)

// links are the connections by OAuth of a data folder: the integrations' own
// and people's. Without oauth: in the configuration there are none.
type links struct {
	e      *engine
	p      program
	grants *oauth.Grants // nil: not configured
	served atomic.Bool   // this process answers /oauth/callback over HTTP

	mu  sync.Mutex
	own map[int64]*rest.Client // people's clients by the id of their grant
}

func (p program) openLinks(ctx context.Context, e *engine) error {
	l := &links{e: e, p: p, own: map[int64]*rest.Client{}}
	e.links = l
	if e.cfg.OAuth == nil {
		return nil
	}
	ring, err := e.vault.open(ctx)
	if err != nil {
		return err
	}
	l.grants, err = oauth.New(oauth.Config{Ring: ring, Vault: e.precious, Now: p.now, Logger: e.logger, Test: l.tested, Settled: l.settled, App: oauth.App(*e.cfg.OAuth)})
	return err
}

// configured refuses what needs an app at Atlassian when there is none.
func (l *links) configured() error {
	if l.grants != nil {
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "connect", Message: "no app of yours at Atlassian is configured",
		Next: "Make one at developer.atlassian.com and write oauth: {client_id, client_secret, redirect_url} into the configuration; or set username and token for the integration."}
}

// grant implements registry.Config.Grant.
func (l *links) grant(ctx context.Context, integration int64) (*connections.Grant, error) {
	if l.grants == nil {
		return nil, nil
	}
	s, err := l.grants.Service(ctx, integration)
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := s.Grant()
	return &connections.Grant{ID: g.ID, Tokens: s, BaseURL: s.BaseURL(), SiteURL: g.SiteURL, CloudID: g.CloudID, Account: g.Account}, nil
}

func notThere(err error) bool {
	var e *confluence.Error
	return errors.As(err, &e) && e.Code == "auth.not_connected"
}

// person finds the client of a person's own account, nil when they have not
// connected it. account is an account id: names and addresses can be taken over.
func (l *links) person(ctx context.Context, integration int64, name, account string) (*rest.Client, error) {
	if l.grants == nil || account == "" {
		return nil, nil
	}
	s, err := l.grants.Person(ctx, integration, account)
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := s.Grant()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.own[g.ID]; ok {
		return c, nil
	}
	rc := l.p.clientConfig(l.e.logger, patienceOfCallers)
	rc.Name, rc.BaseURL, rc.SiteURL, rc.CloudID, rc.Auth, rc.Tokens = name, s.BaseURL(), g.SiteURL, g.CloudID, rest.Bearer, s
	c, err := rest.New(rc)
	if err == nil {
		l.own[g.ID] = c
	}
	return c, err
}

// target is the integration a connection is for: the named one, or the only one
// without a token.
func (l *links) target(name string) (registry.Integration, error) {
	if err := l.configured(); err != nil {
		return registry.Integration{}, err
	}
	if name != "" {
		i, err := l.e.registry.Find(name)
		if err == nil && i.HasToken {
			err = &confluence.Error{Kind: confluence.Conflict, Code: "conflict.token", Op: "connect", Ref: i.Name, Message: "the integration has a token of its own", Next: "Declare it without a token to connect it by OAuth; one made by hand is removed and added anew."}
		}
		return i, err
	}
	var open []registry.Integration
	for _, i := range l.e.registry.List() {
		if !i.HasToken {
			open = append(open, i)
		}
	}
	if len(open) == 1 {
		return open[0], nil
	}
	return registry.Integration{}, &confluence.Error{Kind: confluence.Invalid, Op: "connect", Message: "it is not clear which integration is meant", Next: "Name one that has no token, with --integration."}
}

// needs is what an integration's account must be able to do: to read everything
// it mirrors, and what the profiles of its callers allow.
func (l *links) needs(ctx context.Context, i registry.Integration, profiles []string) (out []oauth.Need, err error) {
	if len(profiles) == 0 {
		if profiles, err = l.profiles(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range profiles {
		if err := l.e.knownProfile(name); err != nil {
			return nil, err
		}
	}
	for _, g := range []policy.Group{policy.Search, policy.Pages, policy.Spaces, policy.Attachments, policy.Users} {
		for _, a := range []policy.Action{policy.Read, policy.Create, policy.Update, policy.Delete} {
			if a == policy.Read || !l.e.cfg.ReadOnly && l.anyAllows(profiles, g, a) {
				out = append(out, oauth.Need{Group: string(g), Action: string(a)})
			}
		}
	}
	if i.Values.EnableAccessRightsSync || i.Values.ServiceWrites {
		out = append(out, oauth.RightsSync())
	}
	return out, nil
}

func (l *links) anyAllows(profiles []string, g policy.Group, a policy.Action) bool {
	for _, name := range profiles {
		if l.e.profiles.Visible(name, g, a) {
			return true
		}
	}
	return false
}

// profiles are those of the agents whose keys are good, of the file and of the
// data folder, or the one a local caller gets.
func (l *links) profiles(ctx context.Context) ([]string, error) {
	var out []string
	for _, a := range l.e.cfg.Agents {
		out = append(out, a.Profile)
	}
	kept, err := l.e.precious.Agents(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range kept {
		ended := !a.Revoked.IsZero() || !a.Expires.IsZero() && !l.p.now().Before(a.Expires)
		if !ended && l.e.knownProfile(a.Profile) == nil { // who has a profile that is gone may do nothing
			out = append(out, a.Profile)
		}
	}
	if len(out) == 0 {
		out = []string{defaultProfile}
	}
	return out, nil
}

// begin prepares the connection of an integration, or its reconnection.
func (l *links) begin(ctx context.Context, i registry.Integration, ask linkRequest) (oauth.Consent, error) {
	needs, err := l.needs(ctx, i, ask.Profiles)
	if err != nil {
		return oauth.Consent{}, err
	}
	b := oauth.Begin{Integration: i.ID, Role: oauth.Service, Site: i.Values.BaseURL, Needs: needs, Starter: ask.By.Payer(), Record: l.recording(ask.By, aConnection, i.Name), Browser: ask.Browser}
	now, connected, err := l.service(ctx, i.ID)
	if err != nil {
		return oauth.Consent{}, err
	}
	switch {
	case ask.Again && !connected:
		return oauth.Consent{}, &confluence.Error{Kind: confluence.Conflict, Code: "conflict.not_connected", Op: "reconnect", Ref: i.Name, Message: "the integration is not connected", Next: "Connect it: confluence-mcp connect --integration " + i.Name + "."}
	case !ask.Again && connected && now.State == oauth.Connected:
		return oauth.Consent{}, &confluence.Error{Kind: confluence.Conflict, Code: "conflict.connected", Op: "connect", Ref: i.Name, Message: "the integration is connected as " + now.AccountName + " already", Next: "To consent again or to choose another site: confluence-mcp reconnect --integration " + i.Name + "."}
	case connected:
		b.Site = now.CloudID
		if !ask.OtherAccount {
			b.Account = now.Account
		}
	}
	if ask.Site != "" {
		b.Site, b.Only = ask.Site, true
	}
	return l.grants.Begin(b)
}

// linkRequest is what somebody wants of a connection.
type linkRequest struct {
	Again        bool
	Site         string // cloud id or address
	OtherAccount bool
	Profiles     []string
	By           identity.Caller
	Browser      string
}

// service is the service grant in force.
func (l *links) service(ctx context.Context, integration int64) (oauth.Grant, bool, error) {
	all, err := l.grants.List(ctx, integration)
	if err != nil {
		return oauth.Grant{}, false, err
	}
	for _, g := range all {
		if g.Role == oauth.Service && g.State != oauth.Choosing {
			return g, true, nil
		}
	}
	return oauth.Grant{}, false, nil
}

// tested refuses a service grant that the integration could not run with.
func (l *links) tested(ctx context.Context, g oauth.Grant, with *oauth.Trial) error {
	if g.Role != oauth.Service {
		return nil
	}
	return l.judged(ctx, g, &connections.Grant{ID: g.ID, Tokens: with, BaseURL: with.BaseURL(), SiteURL: g.SiteURL, CloudID: g.CloudID, Account: g.Account})
}

// judged refuses a service grant whose scopes or rights are not enough for the
// integration as it is now.
func (l *links) judged(ctx context.Context, g oauth.Grant, as *connections.Grant) error {
	all := l.e.registry.List()
	at := slices.IndexFunc(all, func(i registry.Integration) bool { return i.ID == g.Integration })
	if lacks := oauth.Lacks(g.Scopes, oauth.RightsSync()); at >= 0 && all[at].Values.EnableAccessRightsSync && len(lacks) > 0 {
		return &confluence.Error{Kind: confluence.Invalid, Code: "auth.rights", Op: "test access rights", Ref: all[at].Name,
			Message: "the consent lacks the permissions " + strings.Join(lacks[0].Scopes, " ") + ", without which groups, their members or who may see what cannot be read",
			Next:    "Allow them for your app at developer.atlassian.com and consent again, or leave enableAccessRightsSync off."}
	}
	return l.e.registry.Test(ctx, g.Integration, as)
}

// settled takes a service grant into use, tested once more when the integration was
// changed since. When it cannot run with it, all its tokens are erased.
func (l *links) settled(ctx context.Context, g oauth.Grant) error {
	if g.Role != oauth.Service || g.State != oauth.Connected {
		return nil
	}
	err := l.e.registry.Granted(ctx, g.Integration, true)
	if e := new(confluence.Error); errors.As(err, &e) && e.Code == "conflict.integration" {
		err = l.settledAnew(ctx, g)
	}
	if err == nil {
		return l.endElsewhere(ctx, g)
	}
	_, undone := l.grants.Disconnect(ctx, g.Integration, oauth.Service, "")
	return errors.Join(err, undone, l.e.registry.Granted(ctx, g.Integration, true))
}

func (l *links) settledAnew(ctx context.Context, g oauth.Grant) error {
	kept, err := l.grant(ctx, g.Integration)
	if err == nil && kept != nil {
		err = l.judged(ctx, g, kept)
	}
	if err != nil {
		return err
	}
	return l.e.registry.Granted(ctx, g.Integration, true)
}

// endElsewhere erases the tokens of people whose own accounts are of another site
// than the integration leads to now; they are of no use to it.
func (l *links) endElsewhere(ctx context.Context, now oauth.Grant) error {
	all, err := l.grants.List(ctx, now.Integration)
	for _, g := range all {
		if g.Role == oauth.Person && g.CloudID != now.CloudID {
			_, failed := l.grants.Disconnect(ctx, g.Integration, oauth.Person, g.Account)
			err = errors.Join(err, failed)
		}
	}
	l.forget()
	return err
}

// recording writes down who makes a connection.
func (l *links) recording(by identity.Caller, kind, name string) func(context.Context, oauth.Grant, func() error) error {
	return func(ctx context.Context, g oauth.Grant, work func() error) error {
		deed := connectionMade
		if g.State == oauth.Choosing {
			deed = "connection.consent" // the choice of a site makes it
		}
		return l.e.changes(l.p.now).make(ctx, by, change{deed, kind, name}, work)
	}
}

// choose takes one of the granted sites for an integration.
func (l *links) choose(ctx context.Context, by identity.Caller, i registry.Integration, cloudID string) (g oauth.Grant, err error) {
	err = l.e.changes(l.p.now).make(ctx, by, change{connectionMade, aConnection, i.Name}, func() (err error) {
		g, err = l.grants.Choose(ctx, i.ID, oauth.Service, "", cloudID)
		return err
	})
	return g, err
}

// disconnect erases the tokens of an integration, everybody's, and stops it.
// Without keep the mirrored rows go, too.
func (l *links) disconnect(ctx context.Context, by identity.Caller, i registry.Integration, keep bool) (n int, err error) {
	err = l.e.changes(l.p.now).make(ctx, by, change{connectionEnded, aConnection, i.Name}, func() (err error) {
		n, err = l.grants.Disconnect(ctx, i.ID, oauth.Service, "")
		l.forget()
		return errors.Join(err, l.e.registry.Granted(ctx, i.ID, keep))
	})
	return n, err
}

// disconnectOwn erases the tokens of a person's own account.
func (l *links) disconnectOwn(ctx context.Context, who identity.Caller, i registry.Integration) (n int, err error) {
	err = l.e.changes(l.p.now).make(ctx, who, change{connectionEnded, anOwnConnection, i.Name}, func() (err error) {
		n, err = l.grants.Disconnect(ctx, i.ID, oauth.Person, who.AccountID)
		l.forget()
		return err
	})
	return n, err
}

// erase implements registry.Config.Erase.
func (l *links) erase(ctx context.Context, integration int64, people bool) error {
	if l.grants != nil && people {
		_, err := l.grants.Disconnect(ctx, integration, oauth.Service, "")
		l.forget()
		return err
	}
	left, err := l.e.precious.Grants(ctx, integration)
	left = slices.DeleteFunc(left, func(g oauth.Grant) bool { return !people && g.Role == oauth.Person })
	if err != nil || len(left) == 0 {
		return err
	}
	ids := make([]int64, len(left))
	for n, g := range left {
		ids[n] = g.ID
	}
	_, err = l.e.precious.EraseGrants(ctx, ids...)
	return err
}

func (l *links) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.own)
}

// listen answers the callback on the redirect address while a connection is
// made, unless the server of this process does so already.
func (l *links) listen(ctx context.Context) (stop func(), err error) {
	u, err := url.Parse(l.e.cfg.OAuth.RedirectURL)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" {
		var found net.Listener
		found, err = new(net.ListenConfig).Listen(ctx, "tcp", u.Host)
		if err == nil {
			return l.answer(found), nil
		}
	}
	if l.served.Load() && (u.Scheme == "https" || errors.Is(err, syscall.EADDRINUSE)) {
		return func() {}, nil
	}
	return nil, &confluence.Error{Kind: confluence.Unavailable, Op: "connect", Ref: u.Host, Err: err, Message: "nobody can be called back at oauth.redirect_url from here",
		Next: "Start the server that answers there (confluence-mcp serve --listen) and run this command again; or free the port."}
}

func (l *links) answer(on net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.Handle("GET "+oauth.CallbackPath, l.grants.CallbackHandler(nil))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(on) // it ends with Shutdown
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx) // the page has been sent, or its reader is gone
		<-done
	}
}
