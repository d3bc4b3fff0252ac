package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

func (p program) agentsCommand() *cobra.Command {
	c := &cobra.Command{Use: "agents", Short: "The callers over HTTP and their keys"}
	c.AddCommand(p.agentsListCommand(), p.agentsAddCommand(), p.agentsNotifyCommand(), p.agentsRevokeCommand(), p.agentsPeopleCommand())
	return c
}

func (p program) agentsAddCommand() *cobra.Command {
	var (
		at      place
		a       store.Agent
		as      string
		notify  string
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
			cfg, err := p.configured(at)
			if err != nil {
				return err
			}
			if declared(cfg, a.Name) {
				return nameTaken(a.Name)
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				var signing seal.Secret
				if notify != "" {
					if a.HookHost, a.Hook, signing, err = newHook(ctx, p.vaultOf(cfg, s), a.Name, notify); err != nil {
						return err
					}
				}
				return p.addAgent(ctx, s, a, newAgentOutput{at, signing, asJSON})
			})
		},
	}
	at.flags(c)
	c.Flags().StringVar(&a.Profile, "profile", "", "policy profile of everything it asks (required)")
	c.Flags().StringVar(&as, "user", "", "fixed identity `INTEGRATION:USER`; without it public content only")
	c.Flags().BoolVar(&a.ActForUsers, "act-for-users", false, "may name a user per request")
	c.Flags().BoolVar(&a.Admin, "admin", false, "may use the admin surfaces")
	c.Flags().BoolVar(&a.Approver, "approver", false, "may decide approvals")
	c.Flags().DurationVar(&expires, "expires", 0, "end of the key, counted from now, for example 2160h")
	c.Flags().Float64Var(&a.Rate, "rate", 0, "requests a second of the agent as a whole; without it the server's default for each of its users")
	c.Flags().IntVar(&a.Burst, "burst", 0, "requests at once; without it twice the rate")
	c.Flags().StringVar(&notify, "notify-url", "", "`address` its approvals are told at; the secret that signs is printed behind the key, once")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("profile") // fails for unknown flags only
	return c
}

// newAgentOutput is what adding an agent needs beside it.
type newAgentOutput struct {
	at      place
	signing seal.Secret // of its notifications, shown once
	json    bool
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

func (p program) addAgent(ctx context.Context, s *store.Precious, a store.Agent, o newAgentOutput) error {
	set, err := p.profiles(o.at)
	if err != nil {
		return err
	}
	if _, ok := set.Profile(a.Profile); a.Profile != "" && !ok {
		return unknownProfile(a.Profile, set.Names())
	}
	var key seal.Secret
	err = p.changes(s).make(ctx, atShell(), change{agentAdded, anAgent, a.Name}, func() (err error) {
		key, err = s.AddAgent(ctx, a)
		return err
	})
	if err != nil {
		return err
	}
	if o.json {
		answer := answerAgent(a, p.now())
		answer.Created, answer.Key, answer.NotifySecret = day(p.now()), key.Reveal(), o.signing.Reveal()
		return json.NewEncoder(p.out).Encode(answer)
	}
	_, err = fmt.Fprintf(p.out, "%s\n", key.Reveal())
	fmt.Fprintf(p.errOut, "This is the key of agent %s. It is not kept here and not shown again.\n", a.Name)
	if err != nil || o.signing.Empty() {
		return err
	}
	return p.printSigning(a.Name, a.HookHost, o.signing, false)
}

func (p program) agentsRevokeCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "revoke NAME", Short: "End an agent's key for good; its open streams end within seconds", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				err := p.changes(s).make(ctx, atShell(), change{agentRevoked, anAgent, args[0]}, func() error { return s.RevokeAgent(ctx, args[0]) })
				if err != nil {
					return err
				}
				return p.print(asJSON, map[string]any{"name": args[0], "revoked": true}, "revoked %s\n", args[0])
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
