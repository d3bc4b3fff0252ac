package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// shortKey is below what an admin should give an agent, in characters. A short
// key works, because it may be a test's; it is warned of at every start.
const shortKey = 20

// keyring judges keys of the configuration file first, then those the data
// folder knows.
type keyring struct {
	static   *server.StaticKeys
	precious *store.Precious
}

// keys makes the keyring, and refuses when no key could ever open the server.
func (e *engine) keys(ctx context.Context, now func() time.Time) (server.Authenticator, error) {
	var fixed []server.StaticKey
	for _, a := range e.cfg.Agents {
		if n := len(a.Key.Reveal()); n > 0 && n < shortKey {
			e.logger.Warn("an agent's key is short enough to be guessed; agents add makes a long one", "agent", a.Name, "characters", n)
		}
		fixed = append(fixed, server.StaticKey{SHA256: keyDigest(a), Agent: configuredAgent(a)})
	}
	static, err := server.NewStaticKeys(fixed, now)
	if err != nil {
		return nil, err
	}
	kept, err := e.precious.Agents(ctx)
	if err != nil {
		return nil, err
	}
	if len(fixed) == 0 && len(kept) == 0 {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "auth.no_agents", Op: "serve over HTTP",
			Message: "no agent has a key, so nobody could call",
			Next:    "Make one with: confluence-mcp agents add NAME --profile read-only; or declare agents in the configuration; or use --no-auth on loopback."}
	}
	return &keyring{static: static, precious: e.precious}, nil
}

func keyDigest(a config.Agent) string {
	if a.KeyHash != "" {
		return a.KeyHash
	}
	sum := sha256.Sum256([]byte(a.Key.Reveal()))
	return hex.EncodeToString(sum[:])
}

func configuredAgent(a config.Agent) server.Agent {
	return server.Agent{Name: a.Name, Authority: "file", Owner: a.Name, Profile: a.Profile, ActForUsers: a.ActForUsers,
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
	if !errors.Is(err, server.ErrUnknownKey) {
		return a, err
	}
	kept, err := k.precious.AgentByKey(ctx, bearer)
	if confluence.KindOf(err) == confluence.Expired {
		return server.Agent{}, server.ErrUnknownKey
	}
	if err != nil {
		return server.Agent{}, err
	}
	return server.Agent{Name: kept.Name, Authority: "key", Owner: kept.Owner, Profile: kept.Profile, ActForUsers: kept.ActForUsers,
		Identity: fixedIdentity(kept.Integration, kept.User), Admin: kept.Admin, Approver: kept.Approver}, nil
}
