package oauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Config is what Grants need. App, Ring, Vault and Now are required.
type Config struct {
	App    App
	Ring   *seal.Ring
	Vault  Vault
	Now    func() time.Time
	Logger *slog.Logger
	// Test judges a grant before it comes into force: on its error nothing is
	// stored, and what was in force stays. nil: every grant is good enough.
	Test func(ctx context.Context, g Grant, with *Trial) error
	// Settled takes a new grant, or one that leads to another site, into use. Its
	// error is the end of the consent or the choice; it erases the grant itself.
	Settled func(ctx context.Context, g Grant) error
	// Transport carries the requests to Atlassian; nil: one without a proxy.
	Transport http.RoundTripper
	// Sleep waits between tries; nil: as long as it says.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Grants makes, keeps and uses the grants of one data folder. Its errors are
// *confluence.Error and never hold a token, a code or a text of Atlassian's. It
// is safe for concurrent use.
type Grants struct {
	cfg     Config
	http    *http.Client
	pending pending
	flight  singleflight.Group

	mu   sync.Mutex
	held map[int64]held // by grant id
}

// held is a grant with its tokens as they were read lately.
type held struct {
	grant  Grant
	tokens tokens
	read   time.Time
}

// New judges the app's settings; it asks nothing. Kind Invalid when they are
// wrong.
func New(cfg Config) (*Grants, error) {
	if err := cfg.App.Check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Sleep == nil {
		cfg.Sleep = confluence.Pause
	}
	return &Grants{cfg: cfg, http: newHTTPClient(cfg.Transport), held: map[int64]held{}}, nil
}

// List gives the grants of an integration as they stand, 0 for all of them.
func (g *Grants) List(ctx context.Context, integration int64) ([]Grant, error) {
	return g.cfg.Vault.Grants(ctx, integration)
}

// Service gives the tokens of the connecting account. Kind Expired, code
// auth.not_connected, when the integration is not connected or its site is not
// chosen yet.
func (g *Grants) Service(ctx context.Context, integration int64) (*Source, error) {
	return g.source(ctx, integration, Service, "")
}

// Person gives the tokens of a person's own grant; the error is as for Service.
// account is the Atlassian account id.
func (g *Grants) Person(ctx context.Context, integration int64, account string) (*Source, error) {
	return g.source(ctx, integration, Person, account)
}

func (g *Grants) source(ctx context.Context, integration int64, role Role, account string) (*Source, error) {
	all, err := g.cfg.Vault.Grants(ctx, integration)
	if err != nil {
		return nil, err
	}
	grant, ok := find(all, role, account, false)
	if !ok {
		return nil, notConnected(string(role))
	}
	return &Source{grants: g, grant: grant}, nil
}

// Disconnect erases the tokens of a grant, or of every grant of the integration
// when it is the service grant, from memory and from the disk, and gives how
// many there were. Consents that are under way are forgotten. Atlassian is not
// asked: it has no way to revoke; see [RevokeURL].
func (g *Grants) Disconnect(ctx context.Context, integration int64, role Role, account string) (int, error) {
	all, err := g.cfg.Vault.Grants(ctx, integration)
	if err != nil {
		return 0, err
	}
	g.pending.forget(integration, role, account)
	var ids []int64
	for _, grant := range all {
		if role == Service || grant.Role == role && grant.Account == account {
			ids = append(ids, grant.ID)
		}
	}
	n, err := g.cfg.Vault.EraseGrants(ctx, ids...)
	for _, id := range ids {
		g.drop(id)
	}
	return n, err
}

// freshly is how old what was read may be before it is read again: another
// process may have changed it.
const freshly = time.Second

// get gives a grant with its tokens, from memory when it was read just now.
func (g *Grants) get(ctx context.Context, id int64) (held, error) {
	g.mu.Lock()
	h, ok := g.held[id]
	g.mu.Unlock()
	if age := g.cfg.Now().Sub(h.read); ok && age >= 0 && age < freshly {
		return h, nil
	}
	return g.read(ctx, id)
}

// read gives a grant with its tokens as they are stored now. Tokens that do not
// open make the grant need a reconnection.
func (g *Grants) read(ctx context.Context, id int64) (held, error) {
	grant, sealed, err := g.cfg.Vault.Grant(ctx, id)
	if err != nil {
		g.drop(id)
		if confluence.KindOf(err) == confluence.NotFound {
			return held{}, notConnected("that was there")
		}
		return held{}, err
	}
	h := held{grant: grant, read: g.cfg.Now()}
	if h.tokens, err = g.opened(ctx, grant, sealed); err != nil {
		var broken *confluence.Error
		if errors.As(err, &broken) && broken.Code == "seal.record" {
			return held{}, errors.Join(err, g.fail(ctx, grant, "Its stored tokens cannot be read: "+broken.Message+"."))
		}
		return held{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held[id] = h
	return h, nil
}

func (g *Grants) drop(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.held, id)
}

// settled hands a grant over that is in force now.
func (g *Grants) settled(ctx context.Context, grant Grant) error {
	g.dropAll() // the one that was in force before is gone
	if g.cfg.Settled == nil || grant.State != Connected {
		return nil
	}
	return g.cfg.Settled(ctx, grant)
}

func (g *Grants) dropAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.held)
}

// fail notes that a grant needs a reconnection. Its row stays.
func (g *Grants) fail(ctx context.Context, grant Grant, reason string) error {
	defer g.drop(grant.ID)
	if grant.State == NeedsReconnect {
		return nil
	}
	grant.State, grant.Reason, grant.Intent = NeedsReconnect, reason, time.Time{}
	_, err := g.cfg.Vault.SaveGrant(ctx, grant, nil) // false: somebody else has moved it on
	g.cfg.Logger.Warn("a connection must be made anew", "integration", grant.Integration, "role", grant.Role, "reason", reason)
	return err
}
