package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/store"
)

func (p program) agentsCommand() *cobra.Command {
	c := &cobra.Command{Use: "agents", Short: "The callers over HTTP and their keys"}
	c.AddCommand(p.agentsListCommand(), p.agentsAddCommand(), p.agentsRevokeCommand())
	return c
}

// agentAnswer is an agent as --json prints it. Key is there only when the
// agent was just made.
type agentAnswer struct {
	Name        string `json:"name"`
	Profile     string `json:"profile"`
	Integration string `json:"integration,omitempty"`
	User        string `json:"user,omitempty"`
	ActForUsers bool   `json:"act_for_users"`
	Admin       bool   `json:"admin"`
	Approver    bool   `json:"approver"`
	Created     string `json:"created"`
	Expires     string `json:"expires,omitempty"`
	Revoked     string `json:"revoked,omitempty"`
	Key         string `json:"key,omitempty"`
}

func answerAgent(a store.Agent) agentAnswer {
	return agentAnswer{Name: a.Name, Profile: a.Profile, Integration: a.Integration, User: a.User, ActForUsers: a.ActForUsers,
		Admin: a.Admin, Approver: a.Approver, Created: day(a.Created), Expires: day(a.Expires), Revoked: day(a.Revoked)}
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
	c := &cobra.Command{Use: "list", Short: "List agents, revoked ones too; keys are never shown again", RunE: func(c *cobra.Command, _ []string) error {
		return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
			agents, err := s.Agents(ctx)
			if err != nil {
				return err
			}
			return p.printAgents(agents, asJSON)
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) printAgents(agents []store.Agent, asJSON bool) error {
	answers := make([]agentAnswer, len(agents))
	for i, a := range agents {
		answers[i] = answerAgent(a)
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"agents": answers})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tPROFILE\tACTS AS\tRIGHTS\tSTATE")
	for _, a := range answers {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Profile, actsAs(a), rights(a), state(a))
	}
	return w.Flush()
}

func actsAs(a agentAnswer) string {
	switch {
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
	case a.Expires != "":
		return "until " + a.Expires
	}
	return "good"
}

func (p program) agentsAddCommand() *cobra.Command {
	var (
		at      place
		a       store.Agent
		as      string
		expires time.Duration
		asJSON  bool
	)
	c := &cobra.Command{
		Use: "add NAME", Short: "Make an agent and print its key, once", Args: cobra.ExactArgs(1),
		Example: `  confluence-mcp agents add helpdesk --profile read-only --user default:bot@acme.example
  confluence-mcp agents add runtime --profile documentation-manager --act-for-users --expires 2160h`,
		RunE: func(c *cobra.Command, args []string) error {
			a.Name, a.Owner = args[0], args[0]
			if err := fillAgent(&a, as, expires, p.now); err != nil {
				return err
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error { return p.addAgent(ctx, s, a, at, asJSON) })
		},
	}
	at.flags(c)
	c.Flags().StringVar(&a.Profile, "profile", "", "policy profile of everything it asks (required)")
	c.Flags().StringVar(&as, "user", "", "fixed identity `INTEGRATION:USER`; without it public content only")
	c.Flags().BoolVar(&a.ActForUsers, "act-for-users", false, "may name a user per request")
	c.Flags().BoolVar(&a.Admin, "admin", false, "may use the admin surfaces")
	c.Flags().BoolVar(&a.Approver, "approver", false, "may decide approvals")
	c.Flags().DurationVar(&expires, "expires", 0, "end of the key, counted from now, for example 2160h")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func fillAgent(a *store.Agent, as string, expires time.Duration, now func() time.Time) error {
	if as != "" {
		integration, user, ok := cutIdentity(as)
		if !ok {
			return usage("--user wants INTEGRATION:USER, for example default:bot@acme.example")
		}
		a.Integration, a.User = integration, user
	}
	if expires < 0 {
		return usage("--expires must be positive")
	}
	if expires > 0 {
		a.Expires = now().Add(expires)
	}
	return nil
}

func (p program) addAgent(ctx context.Context, s *store.Precious, a store.Agent, at place, asJSON bool) error {
	set, err := p.profiles(at)
	if err != nil {
		return err
	}
	if _, ok := set.Profile(a.Profile); a.Profile != "" && !ok {
		return unknownProfile(a.Profile, set.Names())
	}
	key, err := s.AddAgent(ctx, a)
	if err != nil {
		return err
	}
	if asJSON {
		answer := answerAgent(a)
		answer.Created, answer.Key = day(p.now()), key.Reveal()
		return json.NewEncoder(p.out).Encode(answer)
	}
	_, err = fmt.Fprintf(p.out, "%s\n", key.Reveal())
	fmt.Fprintf(p.errOut, "This is the key of agent %s. It is not kept here and not shown again.\n", a.Name)
	return err
}

func (p program) agentsRevokeCommand() *cobra.Command {
	var at place
	c := &cobra.Command{Use: "revoke NAME", Short: "End an agent's key for good; its open streams end within seconds", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				if err := s.RevokeAgent(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "revoked %s\n", args[0])
				return err
			})
		}}
	at.flags(c)
	return c
}
