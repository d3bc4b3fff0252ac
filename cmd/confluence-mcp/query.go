package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/api"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
)

type queryFlags struct {
	place
	as         string
	attributes []string
	limit      int
	cursor     string
	json       bool
}

func (p program) queryCommand() *cobra.Command {
	var f queryFlags
	c := &cobra.Command{
		Use:   "query TEXT",
		Short: "Search the mirror as a person, from the shell",
		Long: `Search the mirror as a person: account id or e-mail, on Data Center also user
name. Without --as the connecting account asks, of several integrations that of
--as INTEGRATION: (colon at the end); with --attribute alone, whoever has those attributes.
An attribute belongs to one integration: the one in front of it, else that of
--as, else the only one. Somebody nobody knows sees public content only. "*" lists every visible page.`,
		Example: `  confluence-mcp query "database failover"
  confluence-mcp query '"change freeze" runbook*' --as ann@acme.example --limit 3
  confluence-mcp query '*' --attribute group-staff --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.limit < 1 || f.limit > 100 {
				return usage("--limit is from 1 to 100")
			}
			return p.withCopy(c.Context(), f.place, func(ctx context.Context, e *engine, open *copied) error { return p.query(ctx, e, open, f, args[0]) })
		},
	}
	f.place.flags(c)
	c.Flags().StringVar(&f.as, "as", "", "ask as this `[INTEGRATION:]USER`; INTEGRATION: alone means its connecting account")
	c.Flags().StringArrayVar(&f.attributes, "attribute", nil, "access `attribute`: group-NAME or user-ID, also with INTEGRATION: in front; may be repeated")
	c.Flags().IntVar(&f.limit, "limit", 10, "at most so many `results`")
	c.Flags().StringVar(&f.cursor, "cursor", "", "go on where an earlier answer ended")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON, as POST /api/query answers")
	return c
}

// asker is whom the flags name.
func (f queryFlags) asker(e *engine) (identity.Caller, error) {
	c := identity.Caller{Kind: identity.Nobody}
	if f.as != "" || len(f.attributes) == 0 {
		var err error
		if c, err = e.named(f.as); err != nil {
			return c, err
		}
	}
	c.Agent, c.Owner, c.Transport, c.Admin = localOwner, localOwner, identity.CLI, true
	for _, a := range f.attributes {
		bound, err := ofOne(e.sites, c.Integration, a)
		if err != nil {
			return c, err
		}
		c.Access = append(c.Access, bound)
	}
	return c, nil
}

// ofOne gives an access attribute with the id of its integration in front: a
// group of the same name elsewhere is another group.
func ofOne(sites *connections.Set, integration, attribute string) (string, error) {
	rest := attribute
	if !strings.HasPrefix(attribute, "group-") && !strings.HasPrefix(attribute, "user-") {
		integration, rest, _ = strings.Cut(attribute, ":")
	}
	kind, name, _ := strings.Cut(rest, "-")
	if name == "" || kind != "group" && kind != "user" {
		return "", usage("--attribute %q is not group-NAME, user-ID, or one of these with INTEGRATION: in front", attribute)
	}
	id, err := sites.ID(integration)
	if err != nil && integration == "" {
		return "", usage("--attribute %q could be of several integrations; name one: INTEGRATION:%s", attribute, rest)
	}
	if err != nil {
		return "", usage("--attribute %q names an integration that is not connected here", attribute)
	}
	return strconv.FormatInt(id, 10) + ":" + rest, nil
}

func (p program) query(ctx context.Context, e *engine, open *copied, f queryFlags, text string) error {
	if e.sites.Len() == 0 {
		return e.noSites()
	}
	asker, err := f.asker(e)
	if err != nil {
		return err
	}
	who, err := open.retrieve.Resolve(ctx, asker)
	if err != nil {
		return err
	}
	if asker.Kind == identity.User && who.Kind == identity.Nobody {
		fmt.Fprintf(p.errOut, "confluence-mcp: nobody called %q is known here (take an account id or an e-mail address); this is what is public\n", f.as)
	}
	found, err := open.retrieve.Query(ctx, who, retrieve.Question{Text: text, Limit: f.limit, Cursor: f.cursor})
	if err != nil {
		return err
	}
	found.Notice = e.copy.notice(ctx, who.Integration)
	answer := api.AnswerOf(found, p.now())
	if f.json {
		return json.NewEncoder(p.out).Encode(answer)
	}
	return printAnswer(p.out, answer, f.limit)
}

func printAnswer(w io.Writer, a api.Answer, limit int) error {
	for _, r := range a.Results {
		path := ""
		if len(r.HeadingPath) > 0 {
			path = " › " + strings.Join(r.HeadingPath, " › ")
		}
		stale := ""
		if r.Stale {
			stale = ", stale"
		}
		fmt.Fprintf(w, "%d. %s%s  [%s, version %d, read %s ago%s]\n   %s\n", r.Rank, r.Title, path, r.Space, r.Version, time.Duration(r.AgeSeconds)*time.Second, stale, r.Anchor)
		for line := range strings.Lines(r.Text) {
			fmt.Fprintf(w, "   | %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if a.Notice != "" {
		fmt.Fprintln(w, a.Notice)
	}
	if a.Near {
		fmt.Fprintln(w, "Nothing has these very words; words that look alike were taken.")
	}
	if a.Incomplete {
		fmt.Fprintln(w, "Not everything was read from Confluence yet, so there may be more; to read it now: confluence-mcp sync")
	}
	switch {
	case a.Titles:
		fmt.Fprintln(w, "The search index is being built: only titles were searched.")
	case a.Cut:
		fmt.Fprintln(w, "The question was answered in part: there may be more.")
	}
	_, err := fmt.Fprintf(w, "%d of %d pages\n", len(a.Results), a.Total)
	if a.NextCursor != "" {
		_, err = fmt.Fprintf(w, "more: --cursor %s --limit %d\n", a.NextCursor, limit)
	}
	return err
}
