package main

import (
	"encoding/json"
	"net/http"
	"time"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// agentAPI is /api/agents, for administrators. Agents of the configuration file
// are listed and not changed here.
type agentAPI struct {
	*approvalAPI
	gate api.Gate
}

func (a *agentAPI) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/agents":           a.answer(admins(a.list)),
		"POST /api/agents":          a.guarded(a.add),
		"DELETE /api/agents/{name}": a.guarded(a.revoke),
	}
}

func (a *agentAPI) list(r *http.Request, _ server.Agent) (any, error) {
	all, err := agentsOf(r.Context(), a.e.precious, a.e.cfg, a.now())
	return map[string]any{"agents": all}, err
}

// newAgent is the body of POST.
type newAgent struct {
	Name        string  `json:"name"`
	Profile     string  `json:"profile"`
	Integration string  `json:"integration"`
	User        string  `json:"user"`
	ActForUsers bool    `json:"act_for_users"`
	Admin       bool    `json:"admin"`
	Approver    bool    `json:"approver"`
	Rate        float64 `json:"rate"`
	Burst       int     `json:"burst"`
	Expires     string  `json:"expires"` // RFC 3339; empty: never
}

func (a *agentAPI) add(w http.ResponseWriter, r *http.Request, by server.Agent) error {
	in, err := a.read(w, r, by)
	if err != nil {
		return err
	}
	made := store.Agent{Name: in.Name, Profile: in.Profile, Integration: in.Integration, User: in.User, ActForUsers: in.ActForUsers,
		Admin: in.Admin, Approver: in.Approver, Rate: in.Rate, Burst: in.Burst, Owner: by.Owner}
	if in.Expires != "" {
		if made.Expires, err = time.Parse(time.RFC3339, in.Expires); err != nil || !made.Expires.After(a.now()) {
			return &confluence.Error{Kind: confluence.Invalid, Message: "The expires is no time in the future.", Next: "Send for example 2027-01-31T00:00:00Z."}
		}
	}
	if err := a.e.knownProfile(made.Profile); err != nil {
		return err
	}
	if declared(a.e.cfg, made.Name) {
		return nameTaken(made.Name)
	}
	key, err := a.e.precious.AddAgent(r.Context(), made)
	if err != nil {
		return err
	}
	a.e.logger.Info("agent added", "agent", made.Name, "by", by.Name)
	out := answerAgent(made, a.now())
	out.Created, out.Key = day(a.now()), key.Reveal()
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(out)
}

func (a *agentAPI) read(w http.ResponseWriter, r *http.Request, by server.Agent) (newAgent, error) {
	var in newAgent
	if !by.Admin {
		return in, noAdmin()
	}
	raw, err := a.gate.Body(w, r)
	if err != nil {
		return in, err
	}
	if err := api.Strict(raw, &in); err != nil {
		return in, err
	}
	if in.Approver && !by.Approver {
		return in, noApprover()
	}
	return in, nil
}

// noApprover refuses a right that the asker does not have: an administrator
// could decide by a second key what he may not decide by his own.
func noApprover() error {
	return &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: "add agent",
		Message: "Only an approver makes an approver.", Next: "Leave out approver, ask an administrator who is one, or run: confluence-mcp agents add."}
}

func (a *agentAPI) revoke(w http.ResponseWriter, r *http.Request, by server.Agent) error {
	if !by.Admin {
		return noAdmin()
	}
	if err := a.e.precious.RevokeAgent(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	a.e.logger.Info("agent revoked", "agent", r.PathValue("name"), "by", by.Name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
