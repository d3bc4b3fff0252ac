package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

// Begin says which grant is to be made. Integration, Role and Needs are
// required; Account is for a person.
type Begin struct {
	Integration int64
	Role        Role
	// Account is who must consent: a person's own Atlassian account, or on a
	// reconnection the account it had. Empty, for a service grant only: whoever.
	Account string
	// Site is the wanted one, as cloud id or address. With Only no other will do;
	// else it is taken when it is granted, and a choice is asked for when not.
	Site string
	Only bool
	// Needs decide the scopes.
	Needs []Need
	// Starter is who asks, for the log.
	Starter string
	// Record writes down that a grant is made, and then has it made; its error is
	// that of work, or says why nothing was done. nil: it is not written down.
	Record func(ctx context.Context, g Grant, work func() error) error
	// Browser is the value of [BrowserCookie]; empty when no browser asked. The
	// callback must have the same.
	Browser string
}

// Consent is a connection that waits for a person at Atlassian.
type Consent struct {
	URL     string    `json:"authorize_url"`
	Scopes  []string  `json:"scopes"`
	Notice  string    `json:"notice"`
	Expires time.Time `json:"expires"`

	consent *consent
}

// Outcome is how a consent ended well. With the grant's state Choosing one of
// Sites must be chosen. Missing are scopes that were asked for and not granted;
// what needs them will not work. Extra are scopes that were granted and not asked
// for, as Atlassian does for an app that had them before; nothing uses them.
// Strange counts granted sites that were left out because their address is not
// one of Atlassian's.
type Outcome struct {
	Grant   Grant
	Sites   []Site
	Missing []string
	Extra   []string
	Strange int
}

// Callback is what came to the callback address.
type Callback struct {
	State, Code, Error, Issuer string
	Browser                    string // value of BrowserCookie, if there is one
}

// Begin prepares a connection. Nothing is asked and nothing stored. Kind Invalid
// for a person without account, Limited when a hundred others wait.
func (g *Grants) Begin(b Begin) (Consent, error) {
	if b.Integration <= 0 || b.Role != Service && (b.Role != Person || b.Account == "") {
		return Consent{}, &confluence.Error{Kind: confluence.Invalid, Op: "connect", Message: "a connection is for an integration, and a person's own also for an Atlassian account", Next: "Name both."}
	}
	c := &consent{begin: b, verifier: random(), browser: digest(b.Browser), expires: g.cfg.Now().Add(stateLife), done: make(chan struct{})}
	state, err := g.pending.add(c, g.cfg.Now())
	if err != nil {
		return Consent{}, err
	}
	scopes := Scopes(b.Needs...)
	challenge := sha256.Sum256([]byte(c.verifier))
	q := url.Values{"audience": {"api.atlassian.com"}, "client_id": {g.cfg.App.ClientID}, "scope": {strings.Join(scopes, " ")},
		"redirect_uri": {g.cfg.App.RedirectURL}, "state": {state}, "response_type": {"code"}, "prompt": {"consent"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	g.cfg.Logger.Info("a connection was begun", "integration", b.Integration, "role", b.Role, "starter", b.Starter)
	// Spaces as %20: the documents show it so, and "+" is read differently by some.
	address := g.cfg.App.auth("/authorize?" + strings.ReplaceAll(q.Encode(), "+", "%20"))
	return Consent{URL: address, Scopes: scopes, Notice: Notice, Expires: c.expires, consent: c}, nil
}

// Wait gives how the consent ended, whoever was called back. Kind Denied, code
// auth.state, when nobody came back in time.
func (c Consent) Wait(ctx context.Context, now func() time.Time) (Outcome, error) {
	late := time.NewTimer(c.Expires.Sub(now()))
	defer late.Stop()
	select {
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	case <-late.C:
		return Outcome{}, tooLate()
	case <-c.consent.done:
		return c.consent.outcome, c.consent.err
	}
}

// Finish ends a consent with what came to the callback address: the code is
// exchanged, the sites and the account are looked up, and the grant is stored.
// On any error nothing is stored, and the state is used up.
//
// Kind Denied: auth.state for an answer nobody waits for, auth.consent when the
// person declined, auth.account when another account consented than must;
// Expired: auth.client for a wrong client secret, auth.code for a code that is
// not taken; Invalid: auth.no_site.
func (g *Grants) Finish(ctx context.Context, in Callback) (Outcome, error) {
	c, err := g.pending.take(in.State, in.Browser, g.cfg.Now())
	if err != nil {
		return Outcome{}, err
	}
	o, err := g.finish(ctx, c, in)
	c.end(o, err)
	if err != nil {
		g.cfg.Logger.Warn("a connection was not made", "integration", c.begin.Integration, "role", c.begin.Role, "error", err)
	} else {
		g.cfg.Logger.Info("a connection was made", "integration", c.begin.Integration, "role", c.begin.Role, "outcome", o.Grant.State)
	}
	return o, err
}

func (g *Grants) finish(ctx context.Context, c *consent, in Callback) (Outcome, error) {
	if err := g.judge(in); err != nil {
		return Outcome{}, err
	}
	p, err := g.ask(ctx, tokenRequest{GrantType: "authorization_code", Code: in.Code, RedirectURI: g.cfg.App.RedirectURL, Verifier: c.verifier})
	if refusedGrant(err) {
		return Outcome{}, &confluence.Error{Kind: confluence.Expired, Code: "auth.code", Op: "connect", Message: "Atlassian does not take the code of this consent: it is too old or was used", Next: "Begin the connection again."}
	}
	if err != nil {
		return Outcome{}, err
	}
	if p.refresh == "" {
		return Outcome{}, &confluence.Error{Kind: confluence.Invalid, Code: "auth.no_refresh", Op: "connect", Message: "Atlassian gave no refresh token, so the connection would end in an hour", Next: "Allow the scope offline_access and begin again."}
	}
	o, err := g.survey(ctx, c.begin, p)
	if err != nil {
		return Outcome{}, err
	}
	if err := g.tested(ctx, o.Grant, p.access); err != nil {
		return Outcome{}, err
	}
	keep := func() (err error) {
		if o.Grant, err = g.keep(ctx, o.Grant, tokens{Access: p.access, Refresh: p.refresh}); err != nil {
			return err
		}
		return g.settled(ctx, o.Grant)
	}
	if c.begin.Record == nil {
		err = keep()
	} else {
		err = c.begin.Record(ctx, o.Grant, keep)
	}
	return o, err
}

// keep stores a new grant, with the newest key when the one at hand was rotated
// away meanwhile.
func (g *Grants) keep(ctx context.Context, next Grant, t tokens) (Grant, error) {
	add := func() (Grant, error) {
		return g.cfg.Vault.AddGrant(ctx, next, func(made Grant) ([]byte, error) { return g.sealed(made, t) })
	}
	made, err := add()
	if !keyIsGone(err) {
		return made, err
	}
	if err := g.cfg.Ring.Reload(ctx); err != nil {
		return Grant{}, err
	}
	return add()
}

// tested refuses a grant that would come into force and is not good enough.
func (g *Grants) tested(ctx context.Context, next Grant, access string) error {
	if g.cfg.Test == nil || next.State != Connected {
		return nil
	}
	return g.cfg.Test(ctx, next, &Trial{access: access, base: g.cfg.App.GatewayURL(next.CloudID)})
}

var plainCode = regexp.MustCompile(`^[a-z_]+$`)

// judge looks at the answer before anybody is asked anything. Of an error only
// a plain code is repeated.
func (g *Grants) judge(in Callback) error {
	switch {
	case in.Issuer != "" && strings.TrimSuffix(in.Issuer, "/") != strings.TrimSuffix(g.cfg.App.AuthURL, "/"):
		return badState("the answer says that it comes from another sign-in service")
	case in.Error == "access_denied":
		return &confluence.Error{Kind: confluence.Denied, Code: "auth.consent", Op: "connect", Message: "the consent was declined at Atlassian", Next: "Begin again and accept. Nothing was changed."}
	case in.Error != "":
		code := "an unknown error"
		if len(in.Error) <= 40 && plainCode.MatchString(in.Error) {
			code = in.Error
		}
		return &confluence.Error{Kind: confluence.Denied, Code: "auth.consent", Op: "connect", Message: "Atlassian did not ask for consent: " + code, Next: "Check client id, callback URL and permissions of your app at developer.atlassian.com."}
	case in.Code == "" || !tokenLike(in.Code):
		return badState("the answer has no code")
	}
	return nil
}

// survey finds out what was granted: the account, the sites and the scopes.
func (g *Grants) survey(ctx context.Context, b Begin, p pair) (Outcome, error) {
	sites, strange, err := g.resources(ctx, p.access)
	if err != nil {
		return Outcome{}, err
	}
	if len(sites) == 0 {
		return Outcome{}, noSite("the consent opens no Confluence site", strange)
	}
	chosen, decided := decide(sites, b)
	if !decided && b.Only {
		return Outcome{}, noSite("the consent does not open the site "+shown(b.Site), strange)
	}
	asked := Scopes(b.Needs...)
	given := p.scopes
	if given == nil {
		given = asked
	}
	o := Outcome{Sites: sites, Strange: strange, Grant: Grant{Integration: b.Integration, Role: b.Role, State: Choosing, Scopes: given,
		Consented: p.asked, Refreshed: p.asked, Expires: p.asked.Add(p.life)}}
	for _, s := range asked {
		if !slices.Contains(given, s) && s != offlineAccess { // its proof is the refresh token
			o.Missing = append(o.Missing, s)
		}
	}
	for _, s := range given {
		if !slices.Contains(asked, s) {
			o.Extra = append(o.Extra, shown(s))
		}
	}
	at := sites[0]
	if decided {
		at = chosen
		o.Grant.State, o.Grant.CloudID, o.Grant.SiteName, o.Grant.SiteURL = Connected, at.CloudID, at.Name, at.URL
	}
	o.Grant.Account, o.Grant.AccountName, err = g.person(ctx, p.access, at.CloudID)
	if err == nil && b.Account != "" && b.Account != o.Grant.Account {
		err = wrongAccount(b, o.Grant)
	}
	return o, err
}

// decide takes the wanted site, or the only one when none is wanted.
func decide(sites []Site, b Begin) (Site, bool) {
	if b.Site == "" {
		return sites[0], len(sites) == 1
	}
	wanted := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(b.Site), "/"), "/wiki")
	i := slices.IndexFunc(sites, func(s Site) bool { return s.CloudID == b.Site || s.URL == wanted })
	if i < 0 {
		return Site{}, false
	}
	return sites[i], true
}

func noSite(message string, strange int) error {
	next := "Consent again with an account that uses the site, and pick the site on the consent page."
	if strange > 0 {
		next = "Sites whose address is not one of Atlassian's were left out. " + next
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "auth.no_site", Op: "connect", Message: message, Next: next}
}

func wrongAccount(b Begin, got Grant) error {
	e := &confluence.Error{Kind: confluence.Denied, Code: "auth.account", Op: "connect"}
	if b.Role == Person {
		e.Message, e.Next = "the account that consented, "+orID(got)+", is not the caller's own", "Sign in at Atlassian with your own account and connect again. Nothing was changed."
		return e
	}
	e.Message, e.Next = "another account consented than the integration had: "+orID(got), "If that is meant, say so: confluence-mcp reconnect --other-account. Nothing was changed."
	return e
}
