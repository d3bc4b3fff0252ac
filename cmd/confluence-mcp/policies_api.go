package main

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/reload"
	"confluence-mcp/server"
)

// profileAPI is /api/profiles, for administrators: what is in force, what can
// be gone back to. Profiles are changed in their folder.
type profileAPI struct{ *approvalAPI }

// routes are the handlers by pattern of http.ServeMux.
func (api profileAPI) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/profiles":           api.answer(admins(api.list)),
		"GET /api/profiles/{name}":    api.answer(admins(api.show)),
		"POST /api/profiles/reload":   api.answer(admins(api.reload)),
		"POST /api/profiles/rollback": api.answer(admins(api.rollback)),
	}
}

type profileAnswer struct {
	Name     string          `json:"name"`
	Revision string          `json:"revision"`
	Rules    int             `json:"rules"`
	Tests    int             `json:"tests"`
	Cells    []profileCell   `json:"cells,omitempty"`
	File     *profile.File   `json:"file,omitempty"`
	Limits   *profile.Limits `json:"limits,omitempty"`
}

type profileCell struct {
	Group  policy.Group  `json:"group"`
	Action policy.Action `json:"action"`
	Effect string        `json:"effect"` // before any rule
	Reason string        `json:"reason"`
	Rules  []string      `json:"rules"` // that are asked
}

func (api profileAPI) list(r *http.Request, _ server.Agent) (any, error) {
	kept, err := api.e.profiles.Revisions()
	if err != nil {
		return nil, err
	}
	if kept == nil {
		kept = []reload.Revision{}
	}
	set := api.e.profiles.Set()
	all := []profileAnswer{}
	for _, name := range set.Names() {
		if p, ok := set.Profile(name); ok {
			all = append(all, profileAnswer{Name: name, Revision: p.Revision(), Rules: len(p.File().Rules), Tests: len(p.File().Tests)})
		}
	}
	return map[string]any{"profiles": all, "in_force": api.e.profiles.Status(), "kept": kept}, nil
}

func (api profileAPI) show(r *http.Request, _ server.Agent) (any, error) {
	p, ok := api.e.profiles.Set().Profile(r.PathValue("name"))
	if !ok {
		return nil, &confluence.Error{Kind: confluence.NotFound, Op: "find profile", Message: "There is no profile of this name.", Next: "List them with GET /api/profiles."}
	}
	file := p.File()
	limits := file.Limits.Effective()
	out := profileAnswer{Name: p.Name(), Revision: p.Revision(), Rules: len(file.Rules), Tests: len(file.Tests), File: &file, Limits: &limits}
	for _, g := range []policy.Group{policy.Pages, policy.Spaces, policy.Search, policy.Attachments, policy.Users} {
		for _, a := range []policy.Action{policy.Read, policy.Create, policy.Update, policy.Delete} {
			effect, reason := p.Core(g, a)
			out.Cells = append(out.Cells, profileCell{g, a, effect.String(), reason, p.RulesFor(g, a)})
		}
	}
	return out, nil
}

// reload looks at the folder now. What is wrong with it is an answer.
func (api profileAPI) reload(r *http.Request, by server.Agent) (any, error) {
	if err := bodyOf(r, &struct{}{}); err != nil {
		return nil, err
	}
	if api.e.cfg.ProfilesDir == "" {
		return nil, noProfilesDir()
	}
	var wrong error
	err := api.e.changes(api.now).make(r.Context(), overHTTP(by), change{policyReloaded, thePolicy, ""}, func() error {
		if wrong = api.e.profiles.Reload(); wrong != nil { // the status says it
			return &confluence.Error{Kind: confluence.Invalid, Op: "reload profiles", Err: wrong}
		}
		return nil
	})
	if err != nil && wrong == nil {
		return nil, err
	}
	return map[string]any{"in_force": api.e.profiles.Status()}, nil
}

func (api profileAPI) rollback(r *http.Request, by server.Agent) (any, error) {
	var b struct {
		Revision string `json:"revision"`
	}
	if err := bodyOf(r, &b); err != nil {
		return nil, err
	}
	if api.e.cfg.ProfilesDir == "" {
		return nil, noProfilesDir()
	}
	if err := putInForce(r.Context(), api.e.changes(api.now), overHTTP(by), api.e.profiles, b.Revision); err != nil {
		return nil, err
	}
	return map[string]any{"in_force": api.e.profiles.Status()}, nil
}

// bodyOf reads the JSON object of a request. A page of another site can't send
// JSON without asking first.
func bodyOf(r *http.Request, into any) error {
	bad := &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Message: "The body cannot be read.", Next: "Send a JSON object with Content-Type: application/json."}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return bad
	}
	dec := json.NewDecoder(io.LimitReader(r.Body, 16<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); errors.Is(err, io.EOF) {
		return nil // nothing to say
	} else if err != nil || dec.More() {
		return bad
	}
	return nil
}
