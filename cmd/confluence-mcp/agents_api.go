package main

import (
	"encoding/json"
	"net/http"
	"time"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
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
		"PATCH /api/agents/{name}":  a.guarded(a.change),
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
	Expires     string  `json:"expires"`    // RFC 3339; empty: never
	NotifyURL   string  `json:"notify_url"` // where its approvals are told
}

func (a *agentAPI) add(w http.ResponseWriter, r *http.Request, by server.Agent) error {
	in, err := a.read(w, r, by)
	if err != nil {
		return err
	}
	made := store.Agent{Name: in.Name, Profile: in.Profile, Integration: in.Integration, User: in.User, ActForUsers: in.ActForUsers,
		Admin: in.Admin, Approver: in.Approver, Rate: in.Rate, Burst: in.Burst, Owner: by.Owner}
	if made.Expires, err = a.end(in.Expires, by); err != nil {
		return err
	}
	if err := a.e.knownProfile(made.Profile); err != nil {
		return err
	}
	if declared(a.e.cfg, made.Name) {
		return nameTaken(made.Name)
	}
	var key, signing seal.Secret
	if in.NotifyURL != "" {
		if made.HookHost, made.Hook, signing, err = newHook(r.Context(), a.e.vault, made.Name, in.NotifyURL); err != nil {
			return err
		}
	}
	err = a.e.changes(a.now).make(r.Context(), overHTTP(by), change{agentAdded, anAgent, made.Name}, func() (err error) {
		key, err = a.e.precious.AddAgent(r.Context(), made)
		return err
	})
	if err != nil {
		return err
	}
	a.e.logger.Info("agent added", "agent", made.Name, "by", by.Name)
	out := answerAgent(made, a.now())
	out.Created, out.Key, out.NotifySecret = day(a.now()), key.Reveal(), signing.Reveal()
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(out)
}

// end is when a new key ends: as it says, and never after the key that makes
// it. A key that ends soon would else be worth one that never does.
func (a *agentAPI) end(said string, by server.Agent) (time.Time, error) {
	if said == "" {
		return by.Expires, nil
	}
	at, err := time.Parse(time.RFC3339, said)
	switch {
	case err != nil || !at.After(a.now()):
		return at, &confluence.Error{Kind: confluence.Invalid, Message: "The expires is no time in the future.", Next: "Send for example 2027-01-31T00:00:00Z."}
	case !by.Expires.IsZero() && at.After(by.Expires):
		return at, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Op: "add agent", Message: "A key makes none that outlives it, and this one ends at " + day(by.Expires) + ".",
			Next: "Send an earlier expires, or leave it out for the same end; a longer life is given with: confluence-mcp agents add."}
	}
	return at, nil
}

// change gives an agent another address for its approvals, with a new secret,
// or takes it away.
func (a *agentAPI) change(w http.ResponseWriter, r *http.Request, by server.Agent) error {
	if !by.Admin {
		return noAdmin()
	}
	var in struct {
		NotifyURL *string `json:"notify_url"`
	}
	raw, err := a.gate.Body(w, r)
	if err != nil {
		return err
	}
	if err := api.Strict(raw, &in); err != nil {
		return err
	}
	name := r.PathValue("name")
	if err := agentNotFile(a.e.cfg, name); err != nil {
		return err
	}
	if in.NotifyURL == nil {
		return &confluence.Error{Kind: confluence.Invalid, Code: "input.missing", Op: "change agent", Ref: name, Message: "There is nothing to change.", Next: `Send {"notify_url": "https://…"}, or "" to tell nobody.`}
	}
	var (
		out    = map[string]string{"name": name}
		sealed []byte
		secret seal.Secret
	)
	if *in.NotifyURL != "" {
		if out["notify_host"], sealed, secret, err = newHook(r.Context(), a.e.vault, name, *in.NotifyURL); err != nil {
			return err
		}
		out["notify_secret"] = secret.Reveal()
	}
	err = a.e.changes(a.now).make(r.Context(), overHTTP(by), change{agentChanged, anAgent, name}, func() error {
		return a.e.precious.PutHook(r.Context(), name, out["notify_host"], sealed)
	})
	if err != nil {
		return err
	}
	a.e.logger.Info("agent's hook changed", "agent", name, "host", out["notify_host"], "by", by.Name)
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
	name := r.PathValue("name")
	err := a.e.changes(a.now).make(r.Context(), overHTTP(by), change{agentRevoked, anAgent, name}, func() error { return a.e.precious.RevokeAgent(r.Context(), name) })
	if err != nil {
		return err
	}
	a.e.logger.Info("agent revoked", "agent", name, "by", by.Name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
