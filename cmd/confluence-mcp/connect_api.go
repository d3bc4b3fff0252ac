package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
)

// linkAPI are the routes of connections by OAuth. An integration's own is for
// administrators; with "own": true a person connects their own account to it,
// and then reads live and writes as themselves.
type linkAPI struct {
	l    *links
	gate api.Gate
}

// linkCall is a request whose caller and integration are known.
type linkCall struct {
	*http.Request
	caller identity.Caller
	in     linkBody
	i      registry.Integration
}

// linkBody is what the routes take.
type linkBody struct {
	Settings     json.RawMessage `json:"accessSettings"`
	Attributes   json.RawMessage `json:"accessControlAttributes"`
	Own          bool            `json:"own"`
	Site         string          `json:"site"` // cloud id or address
	CloudID      string          `json:"cloudId"`
	OtherAccount bool            `json:"otherAccount"`
	KeepMirror   bool            `json:"keepMirror"`
	Profiles     []string        `json:"profiles"`
}

// routes are the handlers by pattern; gate may be set until they are used.
func (a *linkAPI) routes() map[string]http.Handler {
	out := a.peopleRoutes()
	for pattern, h := range map[string]func(http.ResponseWriter, linkCall) (any, error){
		"POST /api/integrations/{id}/connect": a.connect, "POST /api/integrations/{id}/reconnect": a.reconnect,
		"POST /api/integrations/{id}/disconnect": a.disconnect, "GET /api/integrations/{id}/connection": a.show,
		"GET /api/integrations/{id}/sites": a.sites, "PUT /api/integrations/{id}/site": a.choose,
	} {
		out[pattern] = a.serve(a.l.target, h)
	}
	if a.l.grants != nil {
		a.l.served.Store(true)
		out["GET "+oauth.CallbackPath] = a.l.grants.CallbackHandler(nil)
	}
	return out
}

// serve answers with what h gives; find gives an administrator's integration.
func (a *linkAPI) serve(find func(name string) (registry.Integration, error), h func(http.ResponseWriter, linkCall) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Type", "application/json")
		c, err := a.admit(w, r, find)
		var known *confluence.Error
		if err != nil && !errors.As(err, &known) {
			a.gate.Challenge(w, r, err)
			return
		}
		var out any
		if err == nil {
			out, err = h(w, c)
		}
		if err != nil {
			api.Refuse(w, a.l.e.logger, err)
			return
		}
		_ = json.NewEncoder(w).Encode(out) // the asker may be gone
	})
}

// admit settles who asks before it looks at anything else.
func (a *linkAPI) admit(w http.ResponseWriter, r *http.Request, find func(name string) (registry.Integration, error)) (linkCall, error) {
	c := linkCall{Request: r}
	var body json.RawMessage
	var err error
	if c.caller, body, err = api.Admit(a.gate, w, r); err != nil {
		return c, err
	}
	if body != nil {
		if err := api.Strict(body, &c.in); err != nil {
			return c, err
		}
	}
	c.in.Own = c.in.Own || r.URL.Query().Get("own") == "true"
	if !c.in.Own && !c.caller.Admin {
		return c, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "This needs an agent with admin rights.", Next: `Use the key of one; or send "own": true to connect your own account.`}
	}
	if err = a.l.configured(); err != nil {
		return c, err
	}
	if c.in.Own {
		c.i, err = a.own(c.caller, r.PathValue("id"))
	} else {
		c.i, err = find(r.PathValue("id"))
	}
	return c, err
}

// own finds the integration a person belongs to. Whoever names another one, or
// is nobody, is not told whether it is there.
func (a *linkAPI) own(who identity.Caller, name string) (registry.Integration, error) {
	i, err := a.l.e.registry.Find(name)
	theirs, failed := a.l.e.registry.Find(who.Integration)
	if who.Kind != identity.User || who.AccountID == "" || err != nil || failed != nil || theirs.ID != i.ID {
		return registry.Integration{}, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "Only a person of this integration can connect an account of their own to it.", Next: "Call as an agent that acts for that person."}
	}
	return i, nil
}

func (a *linkAPI) connect(w http.ResponseWriter, c linkCall) (any, error) {
	return a.begin(w, c, false)
}

func (a *linkAPI) reconnect(w http.ResponseWriter, c linkCall) (any, error) {
	return a.begin(w, c, true)
}

// begin answers with the address to open. A browser is given a cookie that the
// callback must bring back.
func (a *linkAPI) begin(w http.ResponseWriter, c linkCall, again bool) (any, error) {
	ask := linkRequest{Again: again, Site: c.in.Site, OtherAccount: c.in.OtherAccount, Profiles: c.in.Profiles, By: c.caller}
	if c.Header.Get("Sec-Fetch-Site") != "" {
		var b [32]byte
		_, _ = rand.Read(b[:]) // crypto/rand never fails
		ask.Browser = base64.RawURLEncoding.EncodeToString(b[:])
		http.SetCookie(w, &http.Cookie{Name: oauth.BrowserCookie, Value: ask.Browser, Path: oauth.CallbackPath, HttpOnly: true, SameSite: http.SameSiteLaxMode,
			Secure: strings.HasPrefix(a.l.e.cfg.OAuth.RedirectURL, "https:"), MaxAge: 600})
	}
	if !c.in.Own {
		return a.l.begin(c.Context(), c.i, ask)
	}
	return a.l.beginOwn(c.Context(), c.i, c.caller, ask)
}

// beginOwn prepares the connection of a person's own account: for the site of
// the integration and no other.
func (l *links) beginOwn(ctx context.Context, i registry.Integration, who identity.Caller, ask linkRequest) (oauth.Consent, error) {
	if len(ask.Profiles) > 0 || ask.Site != "" {
		return oauth.Consent{}, &confluence.Error{Kind: confluence.Invalid, Message: "Site and profile of an own account are those of the integration and the agent.", Next: "Leave them out."}
	}
	needs, err := l.needs(ctx, i, []string{who.Profile})
	if err != nil {
		return oauth.Consent{}, err
	}
	b := oauth.Begin{Integration: i.ID, Role: oauth.Person, Account: who.AccountID, Site: i.Values.BaseURL, Only: true, Needs: needs, Starter: ask.By.Payer(), Record: l.recording(who, anOwnConnection, i.Name), Browser: ask.Browser}
	now, connected, err := l.service(ctx, i.ID)
	if err != nil {
		return oauth.Consent{}, err
	}
	if connected {
		b.Site = now.CloudID
	}
	return l.grants.Begin(b)
}

// whose is the grant a call is about.
func (c linkCall) whose() (oauth.Role, string) {
	if c.in.Own {
		return oauth.Person, c.caller.AccountID
	}
	return oauth.Service, ""
}

func (a *linkAPI) disconnect(_ http.ResponseWriter, c linkCall) (any, error) {
	if !c.in.Own {
		n, err := a.l.disconnect(c.Context(), c.caller, c.i, c.in.KeepMirror)
		return farewellOf(c.i, n, c.in.KeepMirror), err
	}
	n, err := a.l.disconnectOwn(c.Context(), c.caller, c.i)
	return farewellOf(c.i, n, true), err
}

// show tells how a connection stands, people's own too for administrators.
func (a *linkAPI) show(_ http.ResponseWriter, c linkCall) (any, error) {
	all, err := a.l.grants.List(c.Context(), c.i.ID)
	if err != nil {
		return nil, err
	}
	role, account := c.whose()
	out := []linkAnswer{}
	people := 0
	for _, g := range all {
		if g.Role == oauth.Person {
			people++
		}
		if g.Role == role && (role == oauth.Service || g.Account == account) {
			one := a.l.p.answerLink(c.i, g)
			if one.Lacks, err = a.l.lacks(c.Context(), c.i, g); err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	if role == oauth.Service {
		return map[string]any{"connections": out, "ownAccounts": people}, nil
	}
	return map[string]any{"connections": out}, nil
}

func (a *linkAPI) sites(_ http.ResponseWriter, c linkCall) (any, error) {
	role, account := c.whose()
	sites, err := a.l.grants.Sites(c.Context(), c.i.ID, role, account)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"sites": sites}
	if now, ok, err := a.l.service(c.Context(), c.i.ID); err == nil && ok {
		answer["chosen"] = now.CloudID
	}
	return answer, nil
}

func (a *linkAPI) choose(_ http.ResponseWriter, c linkCall) (any, error) {
	if c.in.Own || c.in.CloudID == "" {
		return nil, &confluence.Error{Kind: confluence.Invalid, Message: "There is no cloudId.", Next: `Send {"cloudId": "…"} with one of GET /api/integrations/` + strconv.FormatInt(c.i.ID, 10) + `/sites.`}
	}
	g, err := a.l.choose(c.Context(), c.caller, c.i, c.in.CloudID)
	if err != nil {
		return nil, err
	}
	return a.l.p.answerLink(c.i, g), nil
}
