package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/redact"
	"confluence-mcp/internal/registry"
	"confluence-mcp/policy"
	"confluence-mcp/policy/budget"
	"confluence-mcp/policy/reload"
	"confluence-mcp/policy/taint"
	"confluence-mcp/store"
	"confluence-mcp/tools"
)

// patienceOfCallers is how long one tool call may wait for Confluence's rate
// limits: clients give up on a call after about a minute.
const patienceOfCallers = 40 * time.Second

// engine is what a server is made of: the opened data folder, the sites, the
// profiles and the catalogue in front of them.
type engine struct {
	cfg      config.Config
	precious *store.Precious
	sites    *connections.Set
	registry *registry.Registry
	vault    *vault
	links    *links                  // by OAuth
	copy     *copying                // of Confluence
	cursors  []byte                  // what the keys of cursors are made of; nil: they end with the process
	people   map[string]*rest.Client // own clients by any name of the person; the demo has them for everybody
	opening  sync.WaitGroup
	asked    sync.Mutex // held while the copy is opened for whoever asks
	served   bool       // by a server, which opens the copy and watches the profiles itself
	profiles *reload.Reloader
	catalog  *tools.Catalog
	desk     *desk // of approvals
	keyless  bool  // callers have no keys that could be revoked
	logger   *slog.Logger
}

// open builds the engine over a data folder this process owns.
func (p program) open(ctx context.Context, cfg config.Config) (*engine, error) {
	precious, v, err := p.openPrecious(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e, err := p.openOn(ctx, cfg, precious, v)
	if err != nil {
		return nil, errors.Join(err, precious.Close())
	}
	return e, nil
}

// openPrecious opens the precious database, and the vault it seals with.
func (p program) openPrecious(ctx context.Context, cfg config.Config) (*store.Precious, *vault, error) {
	precious, err := store.OpenPrecious(ctx, cfg.DataDir, p.now)
	if err != nil {
		return nil, nil, err
	}
	v := &vault{choice: p.sealChoice(cfg, ""), keys: precious}
	precious.SealWith(v)
	return precious, v, nil
}

// openOn builds the engine on a database that is open already.
func (p program) openOn(ctx context.Context, cfg config.Config, precious *store.Precious, v *vault) (*engine, error) {
	logger := p.logger()
	e := &engine{cfg: cfg, precious: precious, logger: logger, sites: connections.New(p.clientConfig(logger, cmp.Or(p.patience, patienceOfCallers)))}
	e.vault, e.copy = v, &copying{live: e.sites, notice: func(ctx context.Context, integration string) string { return e.notice(ctx, integration, p.now()) }}
	e.keepCursors(ctx)
	if err := errors.Join(e.loadProfiles(p.now), p.openLinks(ctx, e), e.connectAll(ctx), e.openDesk(ctx, p.now), e.makeCatalog(ctx, p.now)); err != nil {
		return nil, err
	}
	e.desk.Bind(e.catalog)
	e.desk.start()
	return e, nil
}

func (e *engine) close() error { return errors.Join(e.end(), e.precious.Close()) }

// end closes everything but the database.
func (e *engine) end() error {
	e.desk.stop()
	e.opening.Wait()
	e.sites.Close()
	if c := e.copy.copy.Load(); c != nil {
		return c.close()
	}
	return nil
}

// logger writes JSON lines to errOut, with secrets masked. stdout belongs to
// the protocol.
func (p program) logger() *slog.Logger {
	return slog.New(redact.Handler(slog.NewJSONHandler(p.errOut, &slog.HandlerOptions{Level: slog.LevelInfo})))
}

func (e *engine) loadProfiles(now func() time.Time) error {
	r, err := reload.Open(profilesOf(e.cfg, now, e.logger))
	if err != nil {
		return err
	}
	e.profiles = r
	return knownProfiles(r.Set(), e.cfg.Agents)
}

// knownProfiles refuses agents of the file with a profile nobody has written.
func knownProfiles(set *policy.Set, agents []config.Agent) error {
	for _, a := range agents {
		if _, ok := set.Profile(a.Profile); !ok {
			return fmt.Errorf("agent %s: %w", a.Name, unknownProfile(a.Profile, set.Names()))
		}
	}
	return nil
}

// knownProfile refuses a profile nobody has written.
func (e *engine) knownProfile(name string) error {
	set := e.profiles.Set()
	if _, ok := set.Profile(name); ok {
		return nil
	}
	return unknownProfile(name, set.Names())
}

// keepCursors has cursors outlive the process. Without the key of this folder
// everything else goes on.
func (e *engine) keepCursors(ctx context.Context) {
	key, err := e.precious.CursorKey(ctx)
	if err != nil {
		e.logger.Warn("the key of cursors cannot be read or kept: a cursor ends with this process", "err", err)
		return
	}
	e.cursors = key
}

// cursorKey is the key of one kind of cursors.
func (e *engine) cursorKey(of string) []byte {
	if e.cursors == nil {
		return nil
	}
	mac := hmac.New(sha256.New, e.cursors)
	mac.Write([]byte("cursors of " + of)) // it never fails
	return mac.Sum(nil)
}

// clientConfig is what the clients of all integrations share.
func (p program) clientConfig(logger *slog.Logger, patience time.Duration) rest.Config {
	return rest.Config{Logger: logger, Now: p.now, UserAgent: "confluence-mcp/" + version, RateBudget: patience}
}

func (e *engine) connectAll(ctx context.Context) error {
	declared := make([]registry.Declared, 0, len(e.cfg.Integrations))
	for _, in := range e.cfg.Integrations {
		declared = append(declared, declaredIn(in))
	}
	var err error
	e.registry, err = registry.Open(ctx, registry.Config{File: declared, Store: e.precious, Vault: e.vault, Set: e.sites, Own: e.own, Grant: e.links.grant, Erase: e.links.erase, Logger: e.logger, Interval: e.cfg.Sync.Interval})
	return err
}

// own finds people's own clients of an integration.
func (e *engine) own(integration int64, name string) connections.Own {
	return func(ctx context.Context, account string) (*rest.Client, error) {
		if c, ok := e.people[account]; ok {
			return c, nil
		}
		return e.links.person(ctx, integration, name, account)
	}
}

// declaredIn is an integration of the file.
func declaredIn(in config.Integration) registry.Declared {
	v := registry.Defaults()
	v.BaseURL, v.Username, v.TokenExpires, v.Spaces = in.BaseURL, in.Username, in.TokenExpires, in.Spaces
	v.EnableAccessRightsSync, v.ServiceWrites, v.HonourSuperGroup = in.AccessRightsSync, in.ServiceWrites, in.HonourSuperGroup
	v.UnsyncedVisibility, v.OpaqueAncestors = cmp.Or(in.UnsyncedVisibility, v.UnsyncedVisibility), cmp.Or(in.OpaqueAncestors, v.OpaqueAncestors)
	v.ACLMaxAge, v.ACLHardMaxAge = cmp.Or(in.ACLMaxAge, v.ACLMaxAge), cmp.Or(in.ACLHardMaxAge, v.ACLHardMaxAge)
	return registry.Declared{Name: in.Name, Token: in.Token, Values: v}
}

// checkSites refuses what serve could not connect, without asking anybody.
func checkSites(cfg config.Config) error {
	for _, in := range cfg.Integrations {
		if err := connections.Check(registry.Spec(declaredIn(in))); err != nil {
			return fmt.Errorf("integration %s: %w", in.Name, err)
		}
	}
	return nil
}

func (e *engine) makeCatalog(ctx context.Context, now func() time.Time) error {
	if e.profiles == nil {
		return nil // loadProfiles has said why
	}
	book, err := budget.Open(ctx, spendings{e.precious}, now())
	if err != nil {
		return err
	}
	tainted, err := taint.Open(ctx, marks{e.precious}, e.cfg.Taint, now())
	if err != nil {
		return err
	}
	catalog, err := tools.New(tools.Config{Sites: e.copy, Policy: readOnly{Decider: e.profiles, all: e.cfg.ReadOnly}, Log: e.precious, Changes: e.precious, Logger: e.logger, Now: now, Spaces: e.sites.Spaces,
		CursorKey: e.cursorKey("tools"), Approver: e.desk, Taints: tainted, Budget: allowance{book: book, profiles: e.profiles}})
	e.catalog = catalog
	return err
}

// readOnly is READ_ONLY_MODE, of this server or of the process a caller speaks
// through: whatever a profile says, nothing is written. It stands in front of
// the profiles so that none can undo it.
type readOnly struct {
	tools.Decider
	all bool
}

// Decide denies everything but reads.
func (r readOnly) Decide(q policy.Request) policy.Decision {
	d := r.Decider.Decide(q)
	if q.Action != policy.Read && (r.all || q.Caller.ReadOnly) {
		d.Effect, d.Reason, d.Message = policy.Deny, "read_only", "READ_ONLY_MODE is set for this server."
	}
	return d
}

// Visible hides every tool that writes. The catalogue does so for one caller.
func (r readOnly) Visible(profile string, g policy.Group, a policy.Action) bool {
	return (a == policy.Read || !r.all) && r.Decider.Visible(profile, g, a)
}

// localCaller is who speaks over standard streams.
func (e *engine) localCaller(profile, as string) (identity.Caller, error) {
	if err := e.knownProfile(profile); err != nil {
		return identity.Caller{}, err
	}
	c, err := e.named(as)
	c.Agent, c.Owner, c.Profile, c.Transport, c.Admin = localOwner, localOwner, profile, identity.Stdio, true
	return c, err
}

// named is whom --as [INTEGRATION:][USER] means: without a user the connecting
// account, without an integration that of the only one.
func (e *engine) named(as string) (identity.Caller, error) {
	c := identity.Caller{Kind: identity.Service}
	c.Integration, c.AccountID = e.sites.SplitAs(as)
	if c.AccountID != "" {
		c.Kind = identity.User
	}
	names := e.sites.Names()
	before, none := strings.CutSuffix(c.AccountID, ":")
	switch {
	case len(names) == 0:
		return c, e.noSites()
	case none:
		return c, chooseSite(fmt.Sprintf("no integration called %q is connected", before), names)
	case c.Integration == "" && len(names) > 1:
		return c, chooseSite("several integrations are connected, and none is named", names)
	}
	return c, nil
}

func chooseSite(message string, names []string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.integration", Op: "choose integration", Message: message,
		Next: "Ask as the connecting account of one with --as " + names[0] + ": (colon at the end), or as somebody there with --as " + names[0] + ":USER. Connected are: " + strings.Join(names, ", ") + "."}
}

// noSites is why there is nothing to ask: nothing is configured, or what is
// configured waits for somebody's consent.
func (e *engine) noSites() error {
	for _, i := range e.registry.List() {
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "serve", Message: "integration " + i.Name + " is not connected yet",
			Next: "Run: confluence-mcp connect --integration " + i.Name}
	}
	return noSites()
}

func noSites() error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Message: "no Confluence is configured",
		Next: "Set CONFLUENCE_URL, CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN, or name a file with --config; or try: confluence-mcp demo."}
}
