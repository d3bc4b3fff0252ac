package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	Own func(integration int64) connections.Own
	// Grant gives the grant an integration without token is connected with, nil
	// while there is none; nil: nothing is connected by OAuth.
	Grant func(ctx context.Context, integration int64) (*connections.Grant, error)
	// Erase removes all grants of an integration, people's own too; nil as Grant.
	Erase func(ctx context.Context, integration int64) error
}

// Registry is the integrations of a server. It is safe for concurrent use;
// changes wait for each other.
type Registry struct {
	cfg Config
	mu  sync.Mutex
	all []*entry
}

// entry is one integration, with its token.
type entry struct {
	Integration
	token seal.Secret
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
	e := &entry{Integration: Integration{ID: k.ID, Name: k.Name, HasToken: len(k.Token) > 0}}
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
	return connections.Spec{Name: d.Name, BaseURL: d.Values.BaseURL, Username: d.Values.Username, Token: d.Token, Spaces: d.Values.Spaces,
		Rights: d.Values.EnableAccessRightsSync, Public: d.Values.UnsyncedVisibility == everybody}
}

func (r *Registry) spec(e *entry) connections.Spec {
	s := Spec(Declared{Name: e.Name, Values: e.Values, Token: e.token})
	s.ID = e.ID
	if r.cfg.Own != nil {
		s.Own = r.cfg.Own(e.ID)
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

// Lengths are compared beside an expression: one with a large count of
// repetitions takes a while to compile, at every start.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

const longestName = 63

// Add makes an integration and connects it if it has a token. With
// enableAccessRightsSync the rights are tested first.
//
// Kind Invalid for settings that cannot be meant, code "auth.rights" when rights
// cannot be read; Conflict for a name that is taken. Nothing is stored then.
func (r *Registry) Add(ctx context.Context, name string, s Settings) (Integration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(name) > longestName || !nameForm.MatchString(name) || strings.Trim(name, "0123456789") == "" {
		return Integration{}, wrong("The name is not made of letters, digits, dots, hyphens and underscores, or is a number and would be taken for an id", `Send for example "acme".`)
	}
	if _, err := r.find(name); err == nil {
		return Integration{}, &confluence.Error{Kind: confluence.Conflict, Code: "conflict.name", Op: "add integration", Ref: name, Message: "There is an integration of that name.", Next: "Choose another name, or change that one."}
	}
	values, token, err := Values{Type: kind, UnsyncedVisibility: onlyAccount, Spaces: []string{}}.with(s)
	if err != nil {
		return Integration{}, err
	}
	e := &entry{Integration: Integration{Name: name, Values: values, HasToken: !token.Empty()}, token: token}
	if err := r.test(ctx, e); err != nil {
		return Integration{}, err
	}
	raw, err := values.encode()
	if err != nil {
		return Integration{}, err
	}
	if e.ID, err = r.cfg.Store.IntegrationID(ctx, name); err != nil {
		return Integration{}, err
	}
	sealed, err := r.sealed(ctx, e.ID, token)
	if err != nil {
		return Integration{}, err
	}
	if _, err := r.cfg.Store.AddIntegration(ctx, name, raw, sealed); err != nil {
		return Integration{}, err
	}
	r.all = append(r.all, e)
	return e.Integration, r.connect(ctx, e)
}

// connect runs an integration; one without a token waits for OAuth.
func (r *Registry) connect(ctx context.Context, e *entry) error {
	spec, err := r.granted(ctx, e)
	if err == nil {
		err = r.cfg.Set.Put(ctx, spec)
	}
	if err != nil && (e.HasToken || confluence.KindOf(err) != confluence.Expired) {
		return err
	}
	return nil
}

// sealed is a token as it is kept, nil for none.
func (r *Registry) sealed(ctx context.Context, id int64, token seal.Secret) ([]byte, error) {
	if token.Empty() {
		return nil, nil
	}
	return r.cfg.Vault.Seal(ctx, store.IntegrationToken(id), token)
}

// test makes sure that settings can work before they are kept.
func (r *Registry) test(ctx context.Context, e *entry) error {
	if e.token.Empty() || !e.Values.EnableAccessRightsSync {
		return connections.Check(r.spec(e))
	}
	return r.cfg.Set.TestRights(ctx, r.spec(e))
}

// Change takes over what the settings say and nothing else. Kind NotFound;
// Conflict for an integration of the file; else as [Registry.Add].
func (r *Registry) Change(ctx context.Context, name string, s Settings) (Integration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(name)
	if err != nil {
		return Integration{}, err
	}
	if e.OfFile {
		return Integration{}, ofFile(e)
	}
	values, token, err := e.Values.with(s)
	if err != nil {
		return Integration{}, err
	}
	changed := &entry{Integration: e.Integration, token: e.token}
	changed.Values = values
	if !token.Empty() {
		changed.token, changed.HasToken = token, true
	}
	if values.BaseURL != e.Values.BaseURL && token.Empty() && e.HasToken {
		return Integration{}, wrong("The baseUrl is another site, but no token for it is given", "Send the token of that site as well: the present one must not go there.")
	}
	if err := r.test(ctx, changed); err != nil {
		return Integration{}, err
	}
	raw, err := values.encode()
	if err != nil {
		return Integration{}, err
	}
	sealed, err := r.sealed(ctx, e.ID, token)
	if err != nil {
		return Integration{}, err
	}
	if err := r.cfg.Store.ChangeIntegration(ctx, e.ID, raw, sealed); err != nil {
		return Integration{}, err
	}
	*e = *changed
	return e.Integration, r.connect(ctx, e)
}

// Remove disconnects an integration and forgets it, its token and its rows.
// Kind NotFound; Conflict for an integration of the file.
func (r *Registry) Remove(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(name)
	if err != nil {
		return err
	}
	if e.OfFile {
		return ofFile(e)
	}
	if r.cfg.Erase != nil { // first: a name that is used again must find nothing
		if err := r.cfg.Erase(ctx, e.ID); err != nil {
			return err
		}
	}
	if err := r.cfg.Set.Remove(ctx, e.ID, false); err != nil {
		return err // it is still listed, so that it can be removed again
	}
	if err := r.cfg.Store.RemoveIntegration(ctx, e.ID); err != nil {
		return err
	}
	r.all = slices.DeleteFunc(r.all, func(x *entry) bool { return x.ID == e.ID })
	return nil
}

func ofFile(e *entry) error {
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.file", Op: "change integration", Ref: e.Name, Message: "This integration is declared in the configuration file.", Next: "Change it there and restart the server."}
}
