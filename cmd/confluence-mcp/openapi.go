package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"

	"confluence-mcp/server"
)

// The OpenAPI document, in parts by subject: paths and schemas.
//
//go:embed openapi/*.json
var openapiParts embed.FS

// openapi puts the parts together.
func openapi() ([]byte, error) {
	paths, schemas := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	names, err := fs.Glob(openapiParts, "openapi/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		raw, err := openapiParts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		part := struct {
			Paths      *map[string]json.RawMessage
			Components struct{ Schemas *map[string]json.RawMessage }
		}{Paths: &paths}
		part.Components.Schemas = &schemas
		if err := json.Unmarshal(raw, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return json.Marshal(map[string]any{
		"openapi": "3.0.3",
		"info":    map[string]string{"title": "confluence-mcp", "version": version, "description": "REST for admins and backends. Every failure is the object a tool answers with, also for a path (404) or a method (405) there is not. Every request takes one from the agent's rate."},
		"paths":   paths,
		"components": map[string]any{"schemas": schemas, "responses": map[string]any{"TooMany": tooMany()},
			"securitySchemes": map[string]any{"bearer": map[string]string{"type": "http", "scheme": "bearer", "description": "an agent's key"}}},
	})
}

// tooMany is what every route may answer.
func tooMany() map[string]any {
	return map[string]any{"description": "Over the agent's rate, or over Confluence's; see error.kind",
		"headers": map[string]any{"Retry-After": map[string]any{"description": "seconds", "schema": map[string]any{"type": "integer", "minimum": 1}}},
		"content": map[string]any{"application/json": map[string]any{"schema": map[string]string{"$ref": "#/components/schemas/Failure"}}}}
}

// openapiRoute answers with the document, to anybody with a key.
func (s *approvalAPI) openapiRoute() (http.Handler, error) {
	doc, err := openapi()
	if err != nil {
		return nil, err
	}
	return s.answer(func(*http.Request, server.Agent) (any, error) { return json.RawMessage(doc), nil }), nil
}
