package main

import (
	"maps"
	"net/http"

	"confluence-mcp/internal/api"
	"confluence-mcp/server"
)

// newServer makes the server of an engine over HTTP, with the REST surface.
func (p program) newServer(e *engine, sc server.Config) (*server.Server, error) {
	approvals := newApprovalAPI(e, p.now)
	surface := api.New(api.Config{Query: e.copy, Integrations: e.registry, Runner: e.sites, Now: p.now, Logger: e.logger})
	sc.Routes = map[string]http.Handler{}
	maps.Copy(sc.Routes, approvals.routes())
	maps.Copy(sc.Routes, surface.Routes())
	connecting := &linkAPI{l: e.links}
	maps.Copy(sc.Routes, connecting.routes())
	srv, err := server.New(sc)
	if err != nil {
		return nil, err
	}
	approvals.authenticate, approvals.challenge = srv.Authenticate, srv.Challenge
	surface.Behind(srv)
	connecting.gate = srv
	return srv, nil
}
