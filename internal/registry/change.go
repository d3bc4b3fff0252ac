package registry

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

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
	if len(name) > longestName || !nameForm.MatchString(name) || strings.Trim(name, "0123456789") == "" {
		return Integration{}, wrong("The name is not made of letters, digits, dots, hyphens and underscores, or is a number and would be taken for an id", `Send for example "acme".`)
	}
	if _, err := r.Find(name); err == nil {
		return Integration{}, taken(name)
	}
	values, token, err := Defaults().with(s)
	if err != nil {
		return Integration{}, err
	}
	e := &entry{Integration: Integration{Name: name, Values: values, HasToken: !token.Empty()}, token: token}
	if err := r.test(ctx, r.spec(e)); err != nil {
		return Integration{}, err
	}
	if e.ID, err = r.cfg.Store.IntegrationID(ctx, name); err != nil {
		return Integration{}, err
	}
	raw, sealed, err := r.kept(ctx, e, token)
	if err != nil {
		return Integration{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.find(name); err == nil { // while Confluence was asked
		return Integration{}, taken(name)
	}
	if _, err := r.cfg.Store.AddIntegration(ctx, name, raw, sealed); err != nil {
		return Integration{}, err
	}
	r.all = append(r.all, e)
	spec, err := r.granted(ctx, e)
	if err != nil {
		return e.Integration, err
	}
	return e.Integration, r.connect(ctx, e, spec)
}

func taken(name string) error {
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.name", Op: "add integration", Ref: name, Message: "There is an integration of that name.", Next: "Choose another name, or change that one."}
}

// connect runs an integration; one without a token waits for OAuth.
func (r *Registry) connect(ctx context.Context, e *entry, spec connections.Spec) error {
	err := r.cfg.Set.Put(ctx, spec)
	if err != nil && (e.HasToken || confluence.KindOf(err) != confluence.Expired) {
		return err
	}
	return nil
}

// kept is how settings and a token are stored; no token is nil.
func (r *Registry) kept(ctx context.Context, e *entry, token seal.Secret) (raw, sealed []byte, err error) {
	if raw, err = e.Values.encode(); err != nil || token.Empty() {
		return raw, nil, err
	}
	sealed, err = r.cfg.Vault.Seal(ctx, store.IntegrationToken(e.ID), token)
	return raw, sealed, err
}

// test makes sure that settings can work before they are kept. It may ask
// Confluence, so nobody may wait for it.
func (r *Registry) test(ctx context.Context, spec connections.Spec) error {
	if spec.HardMaxAge <= r.cfg.Interval {
		return wrong(fmt.Sprintf("The aclHardMaxAge, %s, is not longer than the time between two passes, %s, so nothing would be shown most of the time", spec.HardMaxAge, r.cfg.Interval), "Send a longer one, or have an admin shorten sync.interval.")
	}
	if spec.Token.Empty() && spec.Grant == nil || !spec.Rights {
		return connections.Check(spec)
	}
	return r.cfg.Set.TestRights(ctx, spec)
}

// Change takes over what the settings say and nothing else; with a token, what it
// was connected with by OAuth is erased. Kind NotFound;
// Conflict for an integration of the file, and code "conflict.integration" when
// it or its grant was changed while its rights were tested; Invalid with code
// "input.site" for another baseUrl than that of the site it is connected with by
// OAuth; else as [Registry.Add].
func (r *Registry) Change(ctx context.Context, name string, s Settings) (Integration, error) {
	was, next, token, err := r.changed(name, s)
	if err != nil {
		return Integration{}, err
	}
	tested, err := r.granted(ctx, next)
	if err != nil {
		return Integration{}, err
	}
	if err := stays(was, next, tested.Grant); err != nil {
		return Integration{}, err
	}
	if err := r.test(ctx, tested); err != nil {
		return Integration{}, err
	}
	raw, sealed, err := r.kept(ctx, next, token)
	if err != nil {
		return Integration{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	spec, err := r.unchanged(ctx, was, next, tested.Grant)
	if err != nil {
		return Integration{}, err
	}
	if err := r.cfg.Store.ChangeIntegration(ctx, was.ID, raw, sealed); err != nil {
		return Integration{}, err
	}
	r.all[slices.Index(r.all, was)] = next
	if !token.Empty() && r.cfg.Erase != nil { // a grant would be of no use beside it, and out of reach
		if err := r.cfg.Erase(ctx, was.ID, false); err != nil {
			return Integration{}, err
		}
	}
	return next.Integration, r.connect(ctx, next, spec)
}

// changed is an integration and what is to take its place, with the token if the
// settings say one.
func (r *Registry) changed(name string, s Settings) (was, next *entry, token seal.Secret, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, err = r.find(name); err != nil {
		return nil, nil, token, err
	}
	if was.OfFile {
		return nil, nil, token, ofFile(was)
	}
	next = &entry{Integration: was.Integration, token: was.token}
	if next.Values, token, err = was.Values.with(s); err != nil {
		return nil, nil, token, err
	}
	if !token.Empty() {
		next.token, next.HasToken = token, true
	}
	if next.Values.BaseURL != was.Values.BaseURL && token.Empty() && was.HasToken {
		return nil, nil, token, wrong("The baseUrl is another site, but no token for it is given", "Send the token of that site as well: the present one must not go there.")
	}
	return was, next, token, nil
}

// stays keeps the baseUrl of an integration that a grant leads to its site, which
// is what is shown: sent back it changes nothing, and another one would be shown
// and not used.
func stays(was, next *entry, g *connections.Grant) error {
	if g == nil || next.Values.BaseURL == was.Values.BaseURL {
		return nil
	}
	if strings.EqualFold(next.Values.BaseURL, g.Address()) {
		next.Values.BaseURL = was.Values.BaseURL
		return nil
	}
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.site", Op: "save integration", Ref: was.Name,
		Message: "The integration is connected by OAuth to " + g.Address() + ", so a baseUrl would lead it nowhere.",
		Next:    "Leave baseUrl out. To another site: confluence-mcp reconnect --integration " + was.Name + " --site ADDRESS, or POST …/reconnect, or PUT …/site. Not to be connected any more: disconnect, then change it and connect."}
}

// unchanged gives how an integration is to be connected now, if it and its grant
// are what next was tested with.
func (r *Registry) unchanged(ctx context.Context, was, next *entry, tested *connections.Grant) (connections.Spec, error) {
	if !slices.Contains(r.all, was) {
		return connections.Spec{}, raced(was)
	}
	spec, err := r.granted(ctx, next)
	if err == nil && !spec.Grant.Same(tested) {
		err = raced(was)
	}
	return spec, err
}

func raced(e *entry) error {
	return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.integration", Op: "change integration", Ref: e.Name,
		Message: "The integration was changed, or connected anew, while it was tested, so nothing was stored.", Next: "Look at it as it is now and try again."}
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
		if err := r.cfg.Erase(ctx, e.ID, true); err != nil {
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
