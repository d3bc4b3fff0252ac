package main

import (
	"context"
	"maps"
	"net/http"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/registry"
	"confluence-mcp/server"
)

// newServer makes the server of an engine over HTTP, with the REST surface.
func (p program) newServer(e *engine, sc server.Config) (*server.Server, error) {
	routes, behind, err := p.routes(e)
	if err != nil {
		return nil, err
	}
	sc.Routes = routes
	srv, err := server.New(sc)
	if err != nil {
		return nil, err
	}
	behind(srv)
	return srv, nil
}

// routes are the REST surface; behind puts it behind the gates of a server,
// without which it answers nothing.
func (p program) routes(e *engine) (routes map[string]http.Handler, behind func(*server.Server), err error) {
	surface := api.New(api.Config{Query: gated{catalog: e.catalog, copy: e.copy}, Integrations: e.registry, Runner: e.sites, Recorder: recorder{e.changes(p.now)}, Token: func(i registry.Integration) api.TokenState { return e.tokenOf(context.Background(), i, p.now()) }, Now: p.now, Logger: e.logger})
	approvals, connecting := newApprovalAPI(e, p.now), &linkAPI{l: e.links}
	agents := &agentAPI{approvalAPI: approvals}
	routes = map[string]http.Handler{}
	for _, some := range []map[string]http.Handler{surface.Routes(), approvals.routes(), connecting.routes(), auditAPI{approvals}.routes(), profileAPI{approvals}.routes(), agents.routes()} {
		maps.Copy(routes, some)
	}
	if routes["GET /api/openapi.json"], err = approvals.openapiRoute(); err != nil {
		return nil, nil, err
	}
	return routes, func(srv *server.Server) {
		approvals.agent, approvals.challenge = srv.Agent, srv.Challenge
		surface.Behind(srv)
		connecting.gate, agents.gate = srv, srv
	}, nil
}
