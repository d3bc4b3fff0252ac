package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/oidc"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// shortKey is below what an admin should give an agent, in characters. A short
// key works, because it may be a test's; it is warned of at every start.
const shortKey = 20

// touchEvery is how exactly it is kept when an agent was last heard.
const touchEvery = time.Minute

// keyring judges what callers over HTTP bring: keys of the configuration file
// first, then tokens of the issuers in it, then keys the data folder knows.
type keyring struct {
	e      *engine
	static *server.StaticKeys
	judge  *oidc.Judge
	agents map[string]config.Agent // those known by tokens and proxies, by name
	now    func() time.Time

	mu    sync.Mutex
	heard map[[2]string]time.Time
}

// keys makes the keyring, and refuses when nobody could ever call.
func (e *engine) keys(ctx context.Context, now func() time.Time) (*keyring, error) {
	if err := checkCallers(e.cfg, now); err != nil {
		return nil, err
	}
	k := &keyring{e: e, agents: map[string]config.Agent{}, now: now, heard: map[[2]string]time.Time{}}
	for _, a := range e.cfg.Agents {
		if a.OIDC != nil || a.Proxy != nil {
			k.agents[a.Name] = a
		} else if n := len(a.Key.Reveal()); n > 0 && n < shortKey {
			e.logger.Warn("an agent's key is short enough to be guessed; agents add makes a long one", "agent", a.Name, "characters", n)
		}
	}
	var err error
	if k.static, err = server.NewStaticKeys(fixedKeys(e.cfg), now); err != nil {
		return nil, err
	}
	if k.judge, err = oidc.New(oidc.Config{Rules: tokenRules(e.cfg), Now: now, Logger: e.logger}); err != nil {
		return nil, err
	}
	return k, e.someAgent(ctx)
}

// fixedKeys are the keys of the file.
func fixedKeys(cfg config.Config) []server.StaticKey {
	var out []server.StaticKey
	for _, a := range cfg.Agents {
		if a.OIDC == nil && a.Proxy == nil {
			out = append(out, server.StaticKey{SHA256: keyDigest(a), Agent: configuredAgent(a)})
		}
	}
	return out
}

// checkCallers finds what only those who judge keys, tokens and proxies can see to
// be wrong.
func checkCallers(cfg config.Config, now func() time.Time) error {
	_, err := oidc.New(oidc.Config{Rules: tokenRules(cfg), Now: now, Logger: slog.New(slog.DiscardHandler)})
	for _, p := range (&keyring{e: &engine{cfg: cfg}}).proxies() {
		err = errors.Join(err, p.Check())
	}
	if err != nil {
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "read agents", Message: err.Error(), Next: "Correct the agent's oidc or proxy section.", Err: err}
	}
	if _, err := server.NewStaticKeys(fixedKeys(cfg), now); err != nil {
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "read agents", Message: err.Error(), Next: "Give each agent a key of its own.", Err: err}
	}
	return nil
}

// someAgent refuses to serve nobody, and to serve two agents of one name.
func (e *engine) someAgent(ctx context.Context) error {
	kept, err := e.precious.Agents(ctx)
	if err != nil {
		return err
	}
	if len(e.cfg.Agents) == 0 && len(kept) == 0 {
		return &confluence.Error{Kind: confluence.Invalid, Code: "auth.no_agents", Op: "serve over HTTP",
			Message: "no agent has a key, so nobody could call",
			Next:    "Make one with: confluence-mcp agents add NAME --profile read-only; or declare agents in the configuration; or use --no-auth on loopback."}
	}
	for _, a := range kept {
		if a.Revoked.IsZero() && declared(e.cfg, a.Name) {
			return nameTaken(a.Name)
		}
	}
	return nil
}

func declared(cfg config.Config, name string) bool {
	for _, a := range cfg.Agents {
		if a.Name == name {
			return true
		}
	}
	return false
}

// nameTaken: the audit log, budgets and approvals know agents by their names.
func nameTaken(name string) error {
	return &confluence.Error{Kind: confluence.Conflict, Op: "read agents", Ref: name,
		Message: "the configuration file and the data folder both have an agent of this name", Next: "Rename it in the file, or revoke the other: confluence-mcp agents revoke " + name + "."}
}

func tokenRules(cfg config.Config) []oidc.Rule {
	var out []oidc.Rule
	for _, a := range cfg.Agents {
		if o := a.OIDC; o != nil {
			out = append(out, oidc.Rule{Agent: a.Name, Issuer: o.Issuer, Audience: o.Audience, Match: o.Match, Scopes: o.Scopes, Account: oidc.Account{Claim: o.Claim, Email: o.Email}})
		}
	}
	return out
}

func keyDigest(a config.Agent) string {
	if a.KeyHash != "" {
		return a.KeyHash
	}
	sum := sha256.Sum256([]byte(a.Key.Reveal()))
	return hex.EncodeToString(sum[:])
}

func configuredAgent(a config.Agent) server.Agent {
	return server.Agent{Name: a.Name, Authority: "file", Owner: a.Name, Profile: a.Profile, ActForUsers: a.ActForUsers, Rate: a.Rate, Burst: a.Burst,
		Identity: fixedIdentity(a.Integration, a.User), Admin: a.Admin, Approver: a.Approver}
}

// fixedIdentity is whom an agent acts as; without a user it is nobody.
func fixedIdentity(integration, user string) identity.Caller {
	if user == "" {
		return identity.Caller{Kind: identity.Nobody}
	}
	return identity.Caller{Kind: identity.User, Integration: integration, AccountID: user}
}

// Authenticate implements server.Authenticator.
func (k *keyring) Authenticate(ctx context.Context, bearer string) (server.Agent, error) {
	a, err := k.static.Authenticate(ctx, bearer)
	if errors.Is(err, server.ErrUnknownKey) {
		if strings.Count(bearer, ".") == 2 {
			a, err = k.byToken(ctx, bearer)
		} else {
			a, err = k.byStored(ctx, bearer)
		}
	}
	if err == nil {
		a.Identity.AccountID = k.e.sites.Known(a.Identity.Integration, a.Identity.AccountID)
		k.touch(ctx, a)
	}
	return a, err
}

func (k *keyring) byStored(ctx context.Context, bearer string) (server.Agent, error) {
	kept, err := k.e.precious.AgentByKey(ctx, bearer)
	if confluence.KindOf(err) == confluence.Expired {
		return server.Agent{}, server.ErrUnknownKey
	}
	if err != nil {
		return server.Agent{}, err
	}
	return server.Agent{Name: kept.Name, Authority: "key", Owner: kept.Owner, Profile: kept.Profile, ActForUsers: kept.ActForUsers, Rate: kept.Rate, Burst: kept.Burst,
		Identity: fixedIdentity(kept.Integration, kept.User), Admin: kept.Admin, Approver: kept.Approver, Expires: kept.Expires}, nil
}

// byToken is the agent and the person an issuer's token stands for.
func (k *keyring) byToken(ctx context.Context, raw string) (server.Agent, error) {
	who, err := k.judge.Judge(ctx, raw)
	var no *oidc.Forbidden
	switch {
	case errors.As(err, &no):
		return server.Agent{}, &server.Forbidden{Scopes: no.Scopes}
	case err != nil:
		return server.Agent{}, server.ErrUnknownKey
	}
	a := k.agents[who.Agent]
	out := configuredAgent(a)
	out.Authority, out.Subject = who.Issuer, who.Issuer+"|"+who.Subject
	out.Owner = out.Subject
	switch {
	case who.AccountID != "":
		out.Identity = fixedIdentity(a.OIDC.Integration, who.AccountID)
	case who.Email != "":
		out.Identity, err = k.e.byEmail(ctx, store.Person{Authority: who.Issuer, Subject: who.Subject, Integration: a.OIDC.Integration, Email: who.Email})
	}
	return out, err
}

// proxies are the trusted proxies of the configuration.
func (k *keyring) proxies() []server.Proxy {
	var out []server.Proxy
	for _, a := range k.e.cfg.Agents {
		if a.Proxy == nil {
			continue
		}
		out = append(out, server.Proxy{Header: a.Proxy.Header, Peers: a.Proxy.Addresses, Identify: func(ctx context.Context, name string) (server.Agent, error) {
			made, err := k.byProxy(ctx, a, name)
			if err == nil {
				k.touch(ctx, made)
			}
			return made, err
		}})
	}
	return out
}

// byProxy is the agent for somebody a proxy names. A name that is no account
// is somebody without one.
func (k *keyring) byProxy(ctx context.Context, a config.Agent, name string) (server.Agent, error) {
	out := configuredAgent(a)
	out.Authority, out.Subject = "proxy", "proxy|"+a.Name+"|"+name
	out.Owner = out.Subject
	switch byAddress := strings.Contains(name, "@"); {
	case !a.Proxy.Email && !byAddress:
		out.Identity = fixedIdentity(a.Proxy.Integration, name)
		return out, nil
	case !a.Proxy.Email || !oidc.PlainAddress(name): // an address stands for an account only where the admin says so
		return out, nil
	}
	var err error
	out.Identity, err = k.e.byEmail(ctx, store.Person{Authority: "proxy|" + a.Name, Subject: name, Integration: a.Proxy.Integration, Email: name})
	return out, err
}

// touch remembers that an agent was heard, about once a minute. That it could
// not be written down is no reason to refuse anybody.
func (k *keyring) touch(ctx context.Context, a server.Agent) {
	name, now := [2]string{a.Authority, a.Name}, k.now()
	k.mu.Lock()
	last, known := k.heard[name]
	if known && now.Sub(last) < touchEvery {
		k.mu.Unlock()
		return
	}
	k.heard[name] = now
	k.mu.Unlock()
	if err := k.e.precious.TouchAgent(context.WithoutCancel(ctx), a.Authority, a.Name); err != nil {
		k.e.logger.Warn("when an agent was heard is not kept", "agent", a.Name, "err", err)
	}
}
