package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/registry"
)

func (p program) integrationsCommand() *cobra.Command {
	c := &cobra.Command{Use: "integrations", Short: "The Confluence sites this server is connected with"}
	c.AddCommand(p.integrationsListCommand(), p.integrationsShowCommand(), p.integrationsAddCommand(), p.integrationsRemoveCommand())
	return c
}

func (p program) integrationsListCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List them, and how they are", RunE: func(c *cobra.Command, _ []string) error {
		return p.withCopy(c.Context(), at, func(ctx context.Context, e *engine, _ *copied) error {
			all := []api.Integration{}
			for _, i := range e.registry.List() {
				all = append(all, api.IntegrationOf(i, e.tokenOf(ctx, i, p.now()), e.sites.Status()))
			}
			if asJSON {
				return json.NewEncoder(p.out).Encode(map[string]any{"integrations": all})
			}
			if len(all) == 0 {
				fmt.Fprintln(p.errOut, "confluence-mcp: no Confluence is connected; configure one, or: confluence-mcp integrations add")
			}
			for _, i := range all {
				fmt.Fprintf(p.out, "%d  %s  %s  %s  token %s  %s\n", i.ID, i.Name, i.Settings.BaseURL, i.Connection, inWords(i.Token), p.howItIs(i))
			}
			return nil
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// howItIs is the sync of an integration in a few words.
func (p program) howItIs(i api.Integration) string {
	switch {
	case i.Sync == nil:
		return "not synced"
	case i.Sync.Complete.IsZero():
		return i.Sync.State + ", never read completely " + i.Sync.Error
	}
	sealed := 0
	for _, n := range i.Sync.Sealed {
		sealed += n
	}
	return strings.TrimSpace(fmt.Sprintf("%s, %d pages, %d sealed, read %s ago %s", i.Sync.State, i.Sync.Nodes, sealed, p.now().Sub(i.Sync.Complete).Round(time.Second), i.Sync.Error))
}

func (p program) integrationsShowCommand() *cobra.Command {
	var at place
	c := &cobra.Command{Use: "show INTEGRATION", Short: "Show one, by name or id, as JSON", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return p.withCopy(c.Context(), at, func(ctx context.Context, e *engine, _ *copied) error {
			i, err := e.registry.Find(args[0])
			if err != nil {
				return err
			}
			enc := json.NewEncoder(p.out)
			enc.SetIndent("", "  ")
			return enc.Encode(api.IntegrationOf(i, e.tokenOf(ctx, i, p.now()), e.sites.Status()))
		})
	}}
	at.flags(c)
	return alwaysJSON(c)
}

type addFlags struct {
	place
	baseURL, username, visibility string
	tokenExpires                  string
	opaque, maxAge, hardMaxAge    string
	spaces                        []string
	rights, super, oauth, json    bool
	writes                        bool
}

func (p program) integrationsAddCommand() *cobra.Command {
	var f addFlags
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Connect a site; the token is read from standard input",
		Long: `Connect a Confluence site. The token is read from standard input, never from the
command line, where others see it. With --sync-access-rights the account must be
able to read groups, their members and who may view spaces; that is tested first.
With --oauth it is made ready for: confluence-mcp connect.`,
		Example: `  confluence-mcp integrations add acme --base-url https://acme.atlassian.net/wiki --username bot@acme.example < token.txt
  confluence-mcp integrations add acme --base-url https://acme.atlassian.net/wiki --oauth`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.integrationsAdd(c, f, args[0])
		},
	}
	f.place.flags(c)
	c.Flags().StringVar(&f.baseURL, "base-url", "", "`address` of the site, with /wiki on Cloud")
	c.Flags().StringVar(&f.username, "username", "", "`e-mail` of the API token's account (Cloud)")
	c.Flags().StringVar(&f.tokenExpires, "token-expires", "", "the `date` the token ends, such as 2027-01-31, to be warned before")
	c.Flags().StringSliceVar(&f.spaces, "space", nil, "only these space `keys`; may be repeated")
	c.Flags().BoolVar(&f.rights, "sync-access-rights", false, "show everybody what they may see in Confluence; else only the connecting account sees it")
	c.Flags().StringVar(&f.visibility, "unsynced-visibility", "", "without rights: connected-admin-only (default) or `public`")
	c.Flags().BoolVar(&f.writes, "service-writes", false, "the account also writes for users without a credential here, each time after asking Confluence whether they may")
	c.Flags().StringVar(&f.opaque, "opaque-ancestors", "", "with rights, on Cloud, below folders: seal (default), trust or `verify`")
	c.Flags().BoolVar(&f.super, "honour-super-group", false, "with rights, on Data Center: confluence-administrators see every page")
	c.Flags().StringVar(&f.maxAge, "acl-max-age", "", "answers by rights older than this `duration` are marked (default 24h)")
	c.Flags().StringVar(&f.hardMaxAge, "acl-hard-max-age", "", "by rights older than this `duration` nothing is shown (default 168h)")
	c.Flags().BoolVar(&f.oauth, "oauth", false, "without a token: it is connected with the command connect")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	_ = c.MarkFlagRequired("base-url") // fails for unknown flags only
	return c
}

// maxToken bounds what is read for a token, in bytes.
const maxToken = 8 << 10

func (p program) integrationsAdd(c *cobra.Command, f addFlags, name string) error {
	word := "confluence"
	s := registry.Settings{Type: &word, BaseURL: &f.baseURL, EnableAccessRightsSync: &f.rights, ServiceWrites: &f.writes}
	s.HonourSuperGroup = &f.super
	for _, one := range []struct {
		given string
		to    **string
	}{{f.username, &s.Username}, {f.tokenExpires, &s.TokenExpires}, {f.visibility, &s.UnsyncedVisibility}, {f.opaque, &s.OpaqueAncestors}, {f.maxAge, &s.ACLMaxAge}, {f.hardMaxAge, &s.ACLHardMaxAge}} {
		if one.given != "" {
			*one.to = &one.given
		}
	}
	if c.Flags().Changed("space") {
		if len(f.spaces) == 0 { // none named must not mean all
			return usage("--space names no space; leave it out for all spaces")
		}
		s.Spaces = &f.spaces
	}
	if !f.oauth {
		raw, err := io.ReadAll(io.LimitReader(p.in, maxToken))
		if err != nil {
			return err
		}
		p.given = raw
		token := strings.TrimSpace(string(raw))
		if token == "" {
			return usage("there is no token on standard input; give --oauth to connect by OAuth")
		}
		s.Token = &token
	}
	return p.withCopy(c.Context(), f.place, func(ctx context.Context, e *engine, _ *copied) error {
		var made registry.Integration
		err := e.changes(p.now).make(ctx, atShell(), change{integrationAdded, anIntegration, name}, func() (err error) {
			made, err = e.registry.Add(ctx, name, s)
			return err
		})
		if err != nil {
			return err
		}
		if f.json {
			return json.NewEncoder(p.out).Encode(api.IntegrationOf(made, e.tokenOf(ctx, made, p.now()), e.sites.Status()))
		}
		_, err = fmt.Fprintf(p.out, "integration %s has id %d\n", made.Name, made.ID)
		return err
	})
}

func (p program) integrationsRemoveCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "remove INTEGRATION", Short: "Disconnect a site and forget its token and its copy; Confluence is not touched", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return p.withCopy(c.Context(), at, func(ctx context.Context, e *engine, _ *copied) error {
			i, err := e.registry.Find(args[0])
			if err != nil {
				return err
			}
			err = e.changes(p.now).make(ctx, atShell(), change{integrationRemoved, anIntegration, i.Name}, func() error { return e.registry.Remove(ctx, i.Name) })
			if err != nil {
				return err
			}
			return p.print(asJSON, map[string]any{"id": i.ID, "name": i.Name, "removed": true}, "integration %s is removed\n", args[0])
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
