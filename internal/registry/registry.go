package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// Store keeps what was made by hand; *store.Precious is one.
type Store interface {
	IntegrationID(ctx context.Context, name string) (int64, error)
	Integrations(ctx context.Context) ([]store.Integration, error)
	AddIntegration(ctx context.Context, name string, settings, token []byte) (int64, error)
	ChangeIntegration(ctx context.Context, id int64, settings, token []byte) error
	RemoveIntegration(ctx context.Context, id int64) error
}

// Vault seals tokens.
type Vault interface {
	Seal(ctx context.Context, at seal.Place, plain seal.Secret) ([]byte, error)
	Open(ctx context.Context, at seal.Place, sealed []byte) (seal.Secret, error)
}

// Set is what runs; *connections.Set is one.
type Set interface {
	Put(ctx context.Context, spec connections.Spec) error
	Remove(ctx context.Context, id int64, keep bool) error
	TestRights(ctx context.Context, spec connections.Spec) error
}

// Declared is an integration of the configuration file.
type Declared struct {
	Name   string
	Values Values
	Token  seal.Secret
}

// Config is what a [Registry] needs.
type Config struct {
	File   []Declared
	Store  Store
	Vault  Vault
	Set    Set
	Logger *slog.Logger
	// Own gives people's own clients of an integration; nil: nobody has one.
	Own func(integration int64, name string) connections.Own
	// Grant gives the grant an integration without token is connected with, nil
	// while there is none; nil: nothing is connected by OAuth.
	Grant func(ctx context.Context, integration int64) (*connections.Grant, error)
	// Erase removes the grants an integration is connected with, and with people
	// their own too; nil as Grant.
	Erase func(ctx context.Context, integration int64, people bool) error
	// Interval is the time between two passes, which the rights of a copy have to
	// outlive; 0: any do.
	Interval time.Duration
}

// Registry is the integrations of a server. It is safe for concurrent use.
// Nobody waits while Confluence is asked: what was tested meanwhile is only kept
// if nothing it was tested with has changed.
type Registry struct {
	cfg Config
	mu  sync.Mutex // never held while Confluence is asked
	all []*entry
}

// entry is one integration, with its token. A change puts another in its place,
// so that an entry which is still there is as it was.
type entry struct {
	Integration
	token  seal.Secret
	judged bool // a grant was tested with these very settings
}

// Integration is one, without secrets.
type Integration struct {
	ID       int64
	Name     string
	OfFile   bool // only the configuration file changes it
	Values   Values
	HasToken bool // else it is connected by OAuth, or not yet
}

// Open reads what there is and connects it. An integration that cannot be
// connected is there all the same, and says why in its status.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	r := &Registry{cfg: cfg}
	for _, d := range cfg.File {
		id, err := cfg.Store.IntegrationID(ctx, d.Name)
		if err != nil {
			return nil, err
		}
		r.all = append(r.all, &entry{Integration: Integration{ID: id, Name: d.Name, OfFile: true, Values: d.Values, HasToken: !d.Token.Empty()}, token: d.Token})
	}
	kept, err := cfg.Store.Integrations(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		if err := r.load(ctx, k); err != nil {
			return nil, err
		}
	}
	for _, e := range r.all {
		spec, err := r.granted(ctx, e)
		if err == nil {
			err = cfg.Set.Put(ctx, spec)
		}
		if err != nil && e.OfFile && confluence.KindOf(err) != confluence.Expired {
			return nil, err // a file that cannot work is told at once
		} else if err != nil {
			cfg.Logger.Warn("integration is not connected", "integration", e.Name, "err", err)
		}
	}
	return r, nil
}

func (r *Registry) load(ctx context.Context, k store.Integration) error {
	if slices.ContainsFunc(r.all, func(e *entry) bool { return e.ID == k.ID }) {
		r.cfg.Logger.Warn("an integration made by hand has the name of one of the file, which counts", "integration", k.Name)
		return nil
	}
	e := &entry{Integration: Integration{ID: k.ID, Name: k.Name, HasToken: len(k.Token) > 0, Values: Defaults()}}
	if err := json.Unmarshal(k.Settings, &e.Values); err != nil {
		return fmt.Errorf("settings of integration %s: %w", k.Name, err)
	}
	r.all = append(r.all, e)
	if !e.HasToken {
		return nil
	}
	var err error
	if e.token, err = r.cfg.Vault.Open(ctx, store.IntegrationToken(k.ID), k.Token); err != nil {
		r.cfg.Logger.Error("the token of an integration cannot be opened", "integration", k.Name, "err", err)
	}
	return nil
}

// Spec is what the file declares as it is connected, for a look at it that
// needs no id.
func Spec(d Declared) connections.Spec {
	v := d.Values
	s := connections.Spec{Name: d.Name, BaseURL: v.BaseURL, Username: v.Username, Token: d.Token, Spaces: v.Spaces,
		Rights: v.EnableAccessRightsSync, Public: v.UnsyncedVisibility == everybody, Opaque: policies()[v.OpaqueAncestors], SuperGroup: v.HonourSuperGroup,
		ServiceWrites: v.ServiceWrites}
	s.MaxAge, s.HardMaxAge, _ = confluence.RightsAges(v.ACLMaxAge, v.ACLHardMaxAge) // checked before they were kept; 0 means the defaults
	return s
}

func (r *Registry) spec(e *entry) connections.Spec {
	s := Spec(Declared{Name: e.Name, Values: e.Values, Token: e.token})
	s.ID = e.ID
	if r.cfg.Own != nil {
		s.Own = r.cfg.Own(e.ID, e.Name)
	}
	return s
}

// List gives all, by id.
func (r *Registry) List() []Integration {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Integration, 0, len(r.all))
	for _, e := range r.all {
		one := e.Integration
		one.Values = one.Values.clone()
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Integration) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Find gives one by its name or id. Kind NotFound.
func (r *Registry) Find(name string) (Integration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(name)
	if err != nil {
		return Integration{}, err
	}
	return e.Integration, nil
}

func (r *Registry) find(name string) (*entry, error) {
	for _, e := range r.all {
		if e.Name == name {
			return e, nil
		}
	}
	for _, e := range r.all {
		if strconv.FormatInt(e.ID, 10) == name {
			return e, nil
		}
	}
	return nil, &confluence.Error{Kind: confluence.NotFound, Op: "find integration", Ref: name, Message: "There is no such integration.", Next: "List them: confluence-mcp integrations list, or GET /api/integrations."}
}
