package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
)

// people are the own accounts that are connected to an integration, whether it
// has a token itself or not.
func (l *links) people(ctx context.Context, i registry.Integration) ([]linkAnswer, error) {
	all, err := l.grants.List(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	out := []linkAnswer{}
	for _, g := range all {
		if g.Role == oauth.Person {
			out = append(out, l.p.answerLink(i, g))
		}
	}
	return out, nil
}

// forgetPerson erases the tokens of somebody else's own account, of one who left
// for example. account is the id it is listed with: names are not one person's.
func (l *links) forgetPerson(ctx context.Context, by identity.Caller, i registry.Integration, account string) (n int, err error) {
	err = l.e.changes(l.p.now).make(ctx, by, change{connectionEnded, anOwnConnection, account + " of " + i.Name}, func() (err error) {
		n, err = l.grants.Disconnect(ctx, i.ID, oauth.Person, account)
		l.forget()
		if err == nil && n == 0 {
			return &confluence.Error{Kind: confluence.NotFound, Op: "forget person", Ref: i.Name, Message: "Nobody with that account id has connected an own account.",
				Next: "List them: confluence-mcp connections people " + i.Name + ", or GET /api/integrations/" + i.Name + "/people."}
		}
		return err
	})
	return n, err
}

// anybody finds the integration of a call about people's own accounts.
func (l *links) anybody(name string) (registry.Integration, error) {
	if err := l.configured(); err != nil {
		return registry.Integration{}, err
	}
	return l.e.registry.Find(name)
}

func (p program) connectionsCommand() *cobra.Command {
	c := &cobra.Command{Use: "connections", Short: "People's own accounts at an integration",
		Long: `People may connect their own accounts to an integration; what they read live and
write then goes out as themselves. Here they are listed, and those of people who
left are forgotten.`}
	c.AddCommand(p.connectionsPeopleCommand(), p.connectionsForgetCommand())
	return c
}

func (p program) connectionsPeopleCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "people INTEGRATION", Short: "List who has connected an own account", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
			i, err := e.links.anybody(args[0])
			if err != nil {
				return err
			}
			all, err := e.links.people(ctx, i)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.out).Encode(map[string]any{"people": all})
			}
			for _, one := range all {
				fmt.Fprintf(p.out, "%s  %s  %s  ends %s %s%s\n", one.Account, named(one.AccountName), one.State, one.Ends, one.Reason, one.Warning)
			}
			return nil
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) connectionsForgetCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "forget INTEGRATION ACCOUNT-ID", Short: "Erase the tokens of one person's own account",
		Long: `Erase the tokens of one person's own account, as the command people lists it.
From then on nothing goes out as that person. Confluence is not touched.`,
		Args: cobra.ExactArgs(2), RunE: func(c *cobra.Command, args []string) error {
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				i, err := e.links.anybody(args[0])
				if err != nil {
					return err
				}
				n, err := e.links.forgetPerson(ctx, atShell(), i, args[1])
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(p.out).Encode(farewellOf(i, n, true))
				}
				_, err = fmt.Fprintf(p.out, "The own account of %s at %s is forgotten.\nAtlassian still lists the app for that person, who alone can take its access away there:\n  %s\n", args[1], i.Name, oauth.RevokeURL)
				return err
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// peopleRoutes are about the accounts of others: for administrators only, and
// not for a person about their own.
func (a *linkAPI) peopleRoutes() map[string]http.Handler {
	out := map[string]http.Handler{}
	for pattern, h := range map[string]func(linkCall) (any, error){
		"GET /api/integrations/{id}/people": a.people, "DELETE /api/integrations/{id}/people/{account}": a.forgetPerson,
	} {
		out[pattern] = a.serve(a.l.anybody, func(_ http.ResponseWriter, c linkCall) (any, error) {
			if c.in.Own {
				return nil, &confluence.Error{Kind: confluence.Denied, Code: "auth.forbidden", Message: "These are other people's accounts.", Next: `For your own: GET …/connection?own=true, and POST …/disconnect {"own": true}.`}
			}
			return h(c)
		})
	}
	return out
}

func (a *linkAPI) people(c linkCall) (any, error) {
	all, err := a.l.people(c.Context(), c.i)
	return map[string]any{"people": all}, err
}

func (a *linkAPI) forgetPerson(c linkCall) (any, error) {
	n, err := a.l.forgetPerson(c.Context(), c.caller, c.i, c.PathValue("account"))
	return farewellOf(c.i, n, true), err
}
