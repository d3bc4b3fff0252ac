package oidc

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// ErrRefused is the answer to every token that is not accepted. Why is in the
// error's text, for the log of an admin; a caller is told nothing but no.
var ErrRefused = errors.New("token refused")

// Forbidden is the answer to a good token that fits no rule. Scopes are those
// that would make it fit; empty when no scope would.
type Forbidden struct{ Scopes []string }

// Error implements error.
func (f *Forbidden) Error() string {
	if len(f.Scopes) == 0 {
		return "no agent fits the token's claims"
	}
	return fmt.Sprintf("the token lacks the scopes %q", f.Scopes)
}

// Rule says which tokens stand for an agent. A token fits when its issuer is
// exactly Issuer, Audience is among its audiences, every claim of Match has
// the value, or holds it in its list, and it has all Scopes. A claim is named
// as the token spells it, or by a path with dots (realm_access.roles).
type Rule struct {
	Agent    string
	Issuer   string
	Audience string
	Match    map[string]string
	Scopes   []string
	Account  Account
}

// Account says which claim names the Confluence account of a person. Claim
// holds the account id; Email takes the claim email, where email_verified is
// true. With neither, a token names no account. Both at once are refused.
type Account struct {
	Claim string
	Email bool
}

// Person is whom a token stands for. Issuer and Subject together are who it is:
// the same subject of another issuer is somebody else. At most one of
// AccountID and Email is set, as the rule's [Account] says; neither means that
// no account can be told.
type Person struct {
	Agent     string
	Issuer    string
	Subject   string
	AccountID string
	Email     string // lower case, verified by the issuer
}

// Config is what a [Judge] needs. Rules are tried in their order and the first
// that fits counts. Now and Logger are required; Roots nil means the system's.
type Config struct {
	Rules  []Rule
	Roots  *x509.CertPool
	Now    func() time.Time
	Logger *slog.Logger
}

// Judge judges tokens by rules. Make one with [New]; it is safe for concurrent
// use, and asks the network for nothing before the first token.
type Judge struct {
	cfg     Config
	issuers map[string]*issuer

	mu     sync.Mutex
	noted  time.Time // when a refusal was last logged
	silent int       // refusals since
}

// New checks the rules. Each needs an agent, an issuer and an audience. An
// issuer is an https URL without query, fragment or user, or http on a
// loopback address; it must not be Atlassian, whose tokens are for Confluence
// and open nothing here.
func New(cfg Config) (*Judge, error) {
	if cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("oidc: Now and Logger are required")
	}
	j := &Judge{cfg: cfg, issuers: map[string]*issuer{}}
	for _, r := range cfg.Rules {
		switch {
		case r.Agent == "" || r.Audience == "":
			return nil, fmt.Errorf("oidc: the rule of agent %q needs an agent and an audience", r.Agent)
		case r.Account.Claim != "" && r.Account.Email:
			return nil, fmt.Errorf("oidc: the account of agent %s comes from a claim or from the e-mail, not both", r.Agent)
		}
		if j.issuers[r.Issuer] != nil {
			continue
		}
		made, err := newIssuer(r.Issuer, cfg)
		if err != nil {
			return nil, fmt.Errorf("oidc: the issuer of agent %s: %w", r.Agent, err)
		}
		j.issuers[r.Issuer] = made
	}
	return j, nil
}

// Judge says whom a token stands for. It gives [ErrRefused] for a token that
// is not accepted, and [*Forbidden] for a good one that fits no rule. It waits
// for the issuer's keys only when it has none for this token and may ask.
func (j *Judge) Judge(ctx context.Context, raw string) (Person, error) {
	p, err := j.judge(ctx, raw)
	if err != nil {
		j.note(err)
	}
	return p, err
}

// note logs why a token was refused, at most once a second: a flood of bad
// tokens must not fill the disk. The text holds nothing of the token.
func (j *Judge) note(why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.cfg.Now()
	if since := now.Sub(j.noted); since >= 0 && since < time.Second {
		j.silent++
		return
	}
	j.cfg.Logger.Info("token refused", "reason", why.Error(), "others_since_the_last", j.silent)
	j.noted, j.silent = now, 0
}

func (j *Judge) judge(ctx context.Context, raw string) (Person, error) {
	name, err := inspect(raw)
	if err != nil {
		return Person{}, err
	}
	from, known := j.issuers[name]
	if !known {
		return Person{}, refused("its issuer is not configured")
	}
	t, err := from.verify(ctx, raw, j.cfg.Now())
	if err != nil {
		return Person{}, err
	}
	return j.fit(t)
}

// fit finds the first rule that the token fits.
func (j *Judge) fit(t token) (Person, error) {
	addressed := false
	var lacking *Forbidden
	for _, r := range j.cfg.Rules {
		if r.Issuer != t.issuer || !slices.Contains(t.audience, r.Audience) {
			continue
		}
		addressed = true
		if !t.claims.match(r.Match) {
			continue
		}
		if !t.hasScopes(r.Scopes) {
			if lacking == nil {
				lacking = &Forbidden{Scopes: r.Scopes}
			}
			continue
		}
		return t.person(r), nil
	}
	switch {
	case !addressed:
		return Person{}, refused("it was made for another audience")
	case lacking != nil:
		return Person{}, lacking
	}
	return Person{}, &Forbidden{}
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
