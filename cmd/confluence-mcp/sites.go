package main

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/singleflight"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/tools"
)

// sites hands out Confluence bound to one caller. It is the one place where a
// caller turns into a credential: the connecting account serves itself and
// nobody else, a caller with an own credential gets exactly that one, a caller
// without identity gets none and sees what the site shows to anonymous
// visitors.
type sites struct {
	all []*integration
}

// integration is one connected site.
type integration struct {
	id        int64
	settings  config.Integration
	connected *rest.Client
	anonymous *rest.Client
	// own are people's own clients by account id; the demo has them for
	// everybody.
	own map[string]*rest.Client

	account atomic.Pointer[confluence.User] // of the connected client, once it was asked
	asking  singleflight.Group
}

// For implements tools.Sites. Kind Denied when no credential fits the caller.
func (s *sites) For(ctx context.Context, c identity.Caller) (tools.Site, error) {
	if !c.Known() {
		return nil, noCredential("there is no caller")
	}
	i, err := s.integration(c.Integration)
	if err != nil {
		return nil, err
	}
	switch c.Kind {
	case identity.Service:
		return i.connected, nil
	case identity.Nobody:
		return i.anonymous, nil
	}
	return i.person(ctx, c.AccountID)
}

// integration finds one by its name or its id.
func (s *sites) integration(name string) (*integration, error) {
	if name == "" && len(s.all) == 1 {
		return s.all[0], nil
	}
	for _, i := range s.all {
		if i.settings.Name == name {
			return i, nil
		}
	}
	for _, i := range s.all {
		if strconv.FormatInt(i.id, 10) == name {
			return i, nil
		}
	}
	if name == "" {
		return nil, noCredential("several integrations are connected and the caller names none")
	}
	return nil, noCredential("the caller's integration is not connected here")
}

// person gives the client of one account: its own, or the connecting account's
// when that is the same account.
func (i *integration) person(ctx context.Context, who string) (*rest.Client, error) {
	if client, ok := i.own[who]; ok {
		return client, nil
	}
	me, err := i.me(ctx)
	if err != nil {
		return nil, err
	}
	if who == me.ID || who != "" && (strings.EqualFold(who, me.Email) || strings.EqualFold(who, i.settings.Username)) {
		return i.connected, nil
	}
	return nil, noCredential("this server holds no credential of that user")
}

// me asks once who the connecting account is. Callers who ask at the same time
// share the question, and each waits no longer than its own context.
func (i *integration) me(ctx context.Context) (confluence.User, error) {
	if known := i.account.Load(); known != nil {
		return *known, nil
	}
	asked := i.asking.DoChan("me", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceOfCallers)
		defer cancel()
		u, err := i.connected.CurrentUser(ctx)
		if err == nil {
			i.account.Store(&u)
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

func noCredential(message string) error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: "reach Confluence", Message: message,
		Next: "Ask an admin to give the agent the identity of an account this server is connected with."}
}

// connect makes the clients of one integration. It asks nothing of the network.
func (p program) connect(in config.Integration, id int64, rc rest.Config) (*integration, error) {
	if in.Token.Empty() {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "connect", Ref: in.Name,
			Message: "the integration has no token, and connecting by OAuth is not available in this version",
			Next:    "Set username and token (an API token of the account) for it."}
	}
	rc.Name, rc.BaseURL = in.Name, in.BaseURL
	rc.Auth, rc.Username, rc.Token = rest.Bearer, "", in.Token
	if in.Username != "" {
		rc.Auth, rc.Username = rest.Basic, in.Username
	}
	connected, err := rest.New(rc)
	if err != nil {
		return nil, err
	}
	anonymous, err := connected.As(rest.Anonymous, "", seal.Secret{})
	if err != nil {
		return nil, err
	}
	return &integration{id: id, settings: in, connected: connected, anonymous: anonymous}, nil
}
