package registry

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
)

// Granted takes over that the grant of an integration was made, ended or leads
// to another site; [Registry.Test] has judged it before. Without a grant the
// integration is disconnected: its sync has stopped and its rows are gone when
// Granted returns; with keep they stay, and nobody sees them.
//
// Kind NotFound; Conflict for an integration that has a token of its own, and
// where rights are synced for one that was changed after the grant was tested.
func (r *Registry) Granted(ctx context.Context, id int64, keep bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.grantable(id)
	if err != nil {
		return err
	}
	spec, err := r.granted(ctx, e)
	if err != nil {
		return err
	}
	if spec.Grant == nil {
		return r.cfg.Set.Remove(ctx, id, keep)
	}
	if spec.Rights && !e.judged {
		return raced(e)
	}
	return r.cfg.Set.Put(ctx, spec)
}

// Test judges a grant that an integration could be connected with: with
// enableAccessRightsSync, whether rights can be read with it. Nothing is kept.
// The errors are those of [Registry.Granted], and code "auth.rights".
func (r *Registry) Test(ctx context.Context, id int64, g *connections.Grant) error {
	r.mu.Lock()
	e, err := r.grantable(id)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	spec := r.spec(e)
	spec.Grant = g
	if spec.Rights {
		err = r.cfg.Set.TestRights(ctx, spec)
	} else {
		err = connections.Check(spec)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.all, e) { // while Confluence was asked
		return raced(e)
	}
	e.judged = true
	return nil
}

// grantable finds an integration without a token of its own.
func (r *Registry) grantable(id int64) (*entry, error) {
	at := slices.IndexFunc(r.all, func(e *entry) bool { return e.ID == id })
	if at < 0 {
		return nil, &confluence.Error{Kind: confluence.NotFound, Op: "connect integration", Message: "There is no such integration.", Next: "List them: confluence-mcp integrations list."}
	}
	e := r.all[at]
	if e.HasToken {
		return nil, &confluence.Error{Kind: confluence.Conflict, Code: "conflict.token", Op: "connect integration", Ref: e.Name, Message: "This integration has a token of its own.", Next: "Declare it without a token to connect it by OAuth; one made by hand is removed and added anew."}
	}
	return e, nil
}

// granted is how an integration is connected, by its grant where it has no
// token.
func (r *Registry) granted(ctx context.Context, e *entry) (connections.Spec, error) {
	s := r.spec(e)
	if e.HasToken || r.cfg.Grant == nil {
		return s, nil
	}
	var err error
	s.Grant, err = r.cfg.Grant(ctx, e.ID)
	return s, err
}
