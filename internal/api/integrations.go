package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/registry"
)

// Integrations are what is connected; *registry.Registry is one.
type Integrations interface {
	List() []registry.Integration
	Find(name string) (registry.Integration, error)
	Add(ctx context.Context, name string, s registry.Settings) (registry.Integration, error)
	Change(ctx context.Context, name string, s registry.Settings) (registry.Integration, error)
	Remove(ctx context.Context, name string) error
}

// Runner is what runs them; *connections.Set is one.
type Runner interface {
	Status() []connections.Status
	Sync(ctx context.Context, name string, full bool, progress func(ingest.Progress)) (ingest.Report, error)
}

// Integration is one as REST and the command line show it: no secrets.
type Integration struct {
	ID         int64           `json:"id"`
	Name       string          `json:"name"`
	Source     string          `json:"source"` // file: only the configuration file changes it; api
	Connection string          `json:"connection"`
	Account    string          `json:"account,omitempty"` // the connecting account, once it is known
	Token      TokenState      `json:"token"`
	Settings   registry.Values `json:"settings"` // with the baseUrl of the site that is used
	Sync       *ingest.Status  `json:"sync,omitempty"`
}

// TokenState is how the credential of an integration stands, as far as it is
// known without asking Confluence.
type TokenState struct {
	State   string `json:"state"`             // see the constants
	Expires string `json:"expires,omitempty"` // RFC 3339; of a connection by OAuth that nobody uses
	Reason  string `json:"reason,omitempty"`
	Next    string `json:"next,omitempty"` // what to do
}

// States of a [TokenState].
const (
	TokenValid     = "valid"
	TokenEndsSoon  = "expires_soon"    // within 15 days
	TokenExpired   = "expired"         // by its date
	TokenRevoked   = "revoked"         // refused before its date
	TokenReconnect = "needs_reconnect" // refused, and nobody can tell why; or its record is damaged
	TokenMissing   = "missing"         // not connected, or a site has to be chosen
	TokenUnknown   = "unknown"         // it was not used yet
)

// Works reports whether Confluence can be expected to take it.
func (t TokenState) Works() bool {
	return t.State == TokenValid || t.State == TokenEndsSoon || t.State == TokenUnknown
}

// Connections of an [Integration].
const (
	byToken      = "token"
	byOAuth      = "oauth" // how it stands is in /api/integrations/{id}/connection
	notConnected = "not_connected"
)

// IntegrationOf shows one, with how it runs where it does.
func IntegrationOf(i registry.Integration, token TokenState, running []connections.Status) Integration {
	out := Integration{ID: i.ID, Name: i.Name, Source: "api", Connection: notConnected, Token: token, Settings: i.Values}
	if out.Settings.Spaces == nil {
		out.Settings.Spaces = []string{}
	}
	if i.OfFile {
		out.Source = "file"
	}
	at := slices.IndexFunc(running, func(s connections.Status) bool { return s.ID == i.ID })
	if at < 0 {
		return out
	}
	out.Connection = byToken
	if !i.HasToken {
		out.Connection, out.Settings.BaseURL = byOAuth, running[at].BaseURL // the site of the grant, wherever it was to lead
	}
	out.Account, out.Sync = cmp.Or(running[at].AccountName, running[at].Account), running[at].Sync
	return out
}

func (s *Surface) integrationRoutes() map[string]func(request) (answer, error) {
	return map[string]func(request) (answer, error){
		"GET /api/integrations":            s.listIntegrations,
		"POST /api/integrations":           s.addIntegration,
		"GET /api/integrations/{id}":       s.showIntegration,
		"PATCH /api/integrations/{id}":     s.changeIntegration,
		"DELETE /api/integrations/{id}":    s.removeIntegration,
		"POST /api/integrations/{id}/sync": s.syncIntegration,
	}
}

func (s *Surface) listIntegrations(request) (answer, error) {
	running := s.cfg.Runner.Status()
	out := []Integration{}
	for _, i := range s.cfg.Integrations.List() {
		out = append(out, IntegrationOf(i, s.cfg.Token(i), running))
	}
	return answer{body: map[string]any{"integrations": out}}, nil
}

func (s *Surface) showIntegration(r request) (answer, error) {
	i, err := s.cfg.Integrations.Find(r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return s.shown(0, i), nil
}

func (s *Surface) shown(status int, i registry.Integration) answer {
	return answer{status: status, body: IntegrationOf(i, s.cfg.Token(i), s.cfg.Runner.Status())}
}

// saved is the body of POST and PATCH.
type saved struct {
	Name     *string           `json:"name"`
	Settings registry.Settings `json:"settings"`
}

func (s *Surface) addIntegration(r request) (answer, error) {
	var in saved
	if err := r.read(&in); err != nil {
		return answer{}, err
	}
	if in.Name == nil {
		return answer{}, wrong("There is no name", `Send {"name": "acme", "settings": {"type": "confluence", "baseUrl": "…"}}.`)
	}
	var made registry.Integration
	err := s.cfg.Recorder.Record(r.Context(), r.caller, "integrations.add", *in.Name, func() (err error) {
		made, err = s.cfg.Integrations.Add(r.Context(), *in.Name, in.Settings)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	s.cfg.Logger.Info("integration added", "integration", made.Name, "id", made.ID, "by", r.caller.Agent)
	return s.shown(http.StatusCreated, made), nil
}

func (s *Surface) changeIntegration(r request) (answer, error) {
	var in saved
	if err := r.read(&in); err != nil {
		return answer{}, err
	}
	now, err := s.cfg.Integrations.Find(r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	if in.Name != nil && *in.Name != now.Name {
		return answer{}, wrong("An integration keeps its name: attributes and agents refer to it", "Leave name out, or make another integration.")
	}
	var changed registry.Integration
	err = s.cfg.Recorder.Record(r.Context(), r.caller, "integrations.change", now.Name, func() (err error) {
		changed, err = s.cfg.Integrations.Change(r.Context(), now.Name, in.Settings)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	s.cfg.Logger.Info("integration changed", "integration", changed.Name, "id", changed.ID, "by", r.caller.Agent)
	return s.shown(0, changed), nil
}

func (s *Surface) removeIntegration(r request) (answer, error) {
	i, err := s.cfg.Integrations.Find(r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	err = s.cfg.Recorder.Record(r.Context(), r.caller, "integrations.remove", i.Name, func() error { return s.cfg.Integrations.Remove(r.Context(), i.Name) })
	if err != nil {
		return answer{}, err
	}
	s.cfg.Logger.Info("integration removed", "integration", i.Name, "by", r.caller.Agent)
	return answer{}, nil
}

// syncPatience is how long a request waits for the end of a pass.
const syncPatience = 2 * time.Second

// syncIntegration begins a pass, or joins the one under way. One that is over
// soon is answered with its report, others with 202; how they go is in GET.
func (s *Surface) syncIntegration(r request) (answer, error) {
	i, err := s.cfg.Integrations.Find(r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	full := r.URL.Query().Get("full") == "true"
	type end struct {
		report ingest.Report
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		report, err := s.cfg.Runner.Sync(context.WithoutCancel(r.Context()), i.Name, full, nil)
		ended <- end{report, err}
	}()
	wait := time.NewTimer(syncPatience)
	defer wait.Stop()
	select {
	case e := <-ended:
		if e.err != nil {
			return answer{}, e.err
		}
		return answer{body: map[string]any{"state": "done", "report": e.report}}, nil
	case <-wait.C:
	case <-r.Context().Done():
	}
	return answer{status: http.StatusAccepted, body: map[string]any{"state": "running"}}, nil
}
