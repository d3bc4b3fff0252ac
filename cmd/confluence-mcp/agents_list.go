package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/store"
)

// agentAnswer is an agent as --json prints it. Known is how it is known: key,
// file (a key of the configuration), oidc or proxy. Key is there only when the
// agent was just made.
type agentAnswer struct {
	Name        string  `json:"name"`
	Known       string  `json:"known_by"`
	Profile     string  `json:"profile"`
	Integration string  `json:"integration,omitempty"`
	User        string  `json:"user,omitempty"`
	ActForUsers bool    `json:"act_for_users"`
	Admin       bool    `json:"admin"`
	Approver    bool    `json:"approver"`
	Rate        float64 `json:"rate,omitempty"`
	Burst       int     `json:"burst,omitempty"`
	Created     string  `json:"created,omitempty"`
	Expires     string  `json:"expires,omitempty"`
	Expired     bool    `json:"expired,omitempty"`
	Revoked     string  `json:"revoked,omitempty"`
	LastUsed    string  `json:"last_used,omitempty"`
	Key         string  `json:"key,omitempty"`
	NotifyHost  string  `json:"notify_host,omitempty"` // of where its approvals are told
	people      bool    // each brings an account

	NotifySecret string `json:"notify_secret,omitempty"` // when the address was just given
}

func answerAgent(a store.Agent, now time.Time) agentAnswer {
	return agentAnswer{Name: a.Name, Known: "key", Profile: a.Profile, Integration: a.Integration, User: a.User, ActForUsers: a.ActForUsers,
		Admin: a.Admin, Approver: a.Approver, Rate: a.Rate, Burst: a.Burst, Created: day(a.Created), Expires: day(a.Expires), Revoked: day(a.Revoked), NotifyHost: a.HookHost,
		Expired: !a.Expires.IsZero() && !now.Before(a.Expires)}
}

// answerConfigured is an agent of the configuration file, and what vouches for
// its name.
func answerConfigured(a config.Agent) (out agentAnswer, authority string) {
	out = agentAnswer{Name: a.Name, Known: "file", Profile: a.Profile, Integration: a.Integration, User: a.User, ActForUsers: a.ActForUsers,
		Admin: a.Admin, Approver: a.Approver, Rate: a.Rate, Burst: a.Burst, NotifyHost: hostOf(a.Notify.URL)}
	switch {
	case a.OIDC != nil:
		out.Known, out.people, authority = "oidc", a.OIDC.Integration != "", a.OIDC.Issuer
	case a.Proxy != nil:
		out.Known, out.people, authority = "proxy", true, "proxy"
	default:
		authority = "file"
	}
	return out, authority
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (p program) agentsListCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List agents, revoked ones and those of the configuration too; keys are never shown again", RunE: func(c *cobra.Command, _ []string) error {
		return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
			cfg, err := p.configured(at)
			if err != nil {
				return err
			}
			answers, err := agentsOf(ctx, s, cfg, p.now())
			if err != nil {
				return err
			}
			return p.printAgents(answers, asJSON)
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// agentsOf are those of the configuration and those of the data folder, with
// when they were last heard.
func agentsOf(ctx context.Context, s *store.Precious, cfg config.Config, now time.Time) ([]agentAnswer, error) {
	kept, err := s.Agents(ctx)
	if err != nil {
		return nil, err
	}
	heard, err := s.AgentsHeard(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]agentAnswer, 0, len(cfg.Agents)+len(kept))
	for _, a := range cfg.Agents {
		one, authority := answerConfigured(a)
		one.LastUsed = day(heard[[2]string{authority, a.Name}])
		out = append(out, one)
	}
	for _, a := range kept {
		one := answerAgent(a, now)
		one.LastUsed = day(heard[[2]string{"key", a.Name}])
		out = append(out, one)
	}
	return out, nil
}

func (p program) printAgents(answers []agentAnswer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"agents": answers})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPROFILE\tACTS AS\tRIGHTS\tSTATE\tLAST USED\tKNOWN BY\tTOLD AT")
	for _, a := range answers {
		used := a.LastUsed
		if used == "" {
			used = "never"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Profile, actsAs(a), rights(a), state(a), used, a.Known, cmp.Or(a.NotifyHost, "-"))
	}
	return w.Flush()
}

func actsAs(a agentAnswer) string {
	switch {
	case a.people:
		return "who calls"
	case a.ActForUsers:
		return "users it names"
	case a.User != "":
		return a.Integration + ":" + a.User
	}
	return "public"
}

func rights(a agentAnswer) string {
	switch {
	case a.Admin && a.Approver:
		return "admin, approver"
	case a.Admin:
		return "admin"
	case a.Approver:
		return "approver"
	}
	return "-"
}

func state(a agentAnswer) string {
	switch {
	case a.Revoked != "":
		return "revoked " + a.Revoked
	case a.Expired:
		return "expired " + a.Expires
	case a.Expires != "":
		return "until " + a.Expires
	}
	return "good"
}

// personAnswer is somebody whose account was found by e-mail, as --json prints.
type personAnswer struct {
	Email       string `json:"email"`
	Authority   string `json:"authority"`
	Subject     string `json:"subject"`
	Integration string `json:"integration"`
	Account     string `json:"account"`
	Since       string `json:"since"`
}

func (p program) agentsPeopleCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "people", Short: "List people whose account was found by their e-mail address", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error { return p.printPeople(ctx, s, asJSON) })
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(p.agentsForgetCommand())
	return c
}

func (p program) printPeople(ctx context.Context, s *store.Precious, asJSON bool) error {
	people, err := s.People(ctx)
	if err != nil {
		return err
	}
	answers := make([]personAnswer, len(people))
	for i, w := range people {
		answers[i] = personAnswer{Email: w.Email, Authority: w.Authority, Subject: w.Subject, Integration: w.Integration, Account: w.AccountID, Since: day(w.Since)}
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"people": answers})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "E-MAIL\tVOUCHED FOR BY\tSUBJECT\tACCOUNT\tSINCE")
	for _, a := range answers {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s:%s\t%s\n", a.Email, a.Authority, a.Subject, a.Integration, a.Account, a.Since)
	}
	return w.Flush()
}

func (p program) agentsForgetCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "forget EMAIL", Short: "Let somebody else be found by an address that changed hands", Args: cobra.ExactArgs(1), Example: "  confluence-mcp agents people forget ann@acme.example",
		RunE: func(c *cobra.Command, args []string) error {
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				err := p.changes(s).make(ctx, atShell(), change{"agents.forget", "person", ""}, func() error { return s.ForgetPerson(ctx, args[0]) })
				if err != nil {
					return err
				}
				return p.print(asJSON, map[string]any{"email": args[0], "forgotten": true}, "forgot %s\n", args[0])
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
