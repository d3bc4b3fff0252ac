package registry

import (
	"context"
	"slices"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
)

// Granted takes over that the grant of an integration was made, ended or leads
// to another site. With enableAccessRightsSync the rights of a new grant are
// tested first, and nothing runs with it when they are missing. Without a grant
// the integration is disconnected: its sync has stopped and its rows are gone
// when Granted returns; with keep they stay, and nobody sees them.
//
// Kind NotFound; Conflict for an integration that has a token of its own; code
// "auth.rights" when rights cannot be read.
func (r *Registry) Granted(ctx context.Context, id int64, keep bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.all, func(e *entry) bool { return e.ID == id })
	if at < 0 {
		return &confluence.Error{Kind: confluence.NotFound, Op: "connect integration", Message: "There is no such integration.", Next: "List them: confluence-mcp integrations list."}
	}
	e := r.all[at]
	if e.HasToken {
		return &confluence.Error{Kind: confluence.Conflict, Code: "conflict.token", Op: "connect integration", Ref: e.Name, Message: "This integration has a token of its own.", Next: "Take its token away to connect it by OAuth."}
	}
	spec, err := r.granted(ctx, e)
	if err != nil {
		return err
	}
	if spec.Grant == nil {
		return r.cfg.Set.Remove(ctx, id, keep)
	}
	if spec.Rights {
		if err := r.cfg.Set.TestRights(ctx, spec); err != nil {
			return err
		}
	}
	return r.cfg.Set.Put(ctx, spec)
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
