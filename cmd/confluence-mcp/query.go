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
		Long: `Search the mirror as a person: id, username or e-mail. Without --as the
connecting account asks; with --attribute alone, whoever has those attributes.
Somebody nobody knows sees public content only. "*" lists every visible page.`,
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
	c.Flags().StringVar(&f.as, "as", "", "ask as this `[INTEGRATION:]USER`")
	c.Flags().StringArrayVar(&f.attributes, "attribute", nil, "access `attribute`: group-NAME or user-ID, also with INTEGRATION: in front; may be repeated")
	c.Flags().IntVar(&f.limit, "limit", 10, "at most so many `results`")
	c.Flags().StringVar(&f.cursor, "cursor", "", "go on where an earlier answer ended")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON, as POST /api/query answers")
	return c
}

// asker is whom the flags name.
func (f queryFlags) asker(e *engine) identity.Caller {
	c := identity.Caller{Agent: localOwner, Owner: localOwner, Kind: identity.Service, Transport: identity.CLI, Admin: true, Access: f.attributes}
	switch {
	case f.as != "":
		c.Kind = identity.User
		c.Integration, c.AccountID = e.sites.SplitAs(f.as)
	case len(f.attributes) > 0:
		c.Kind = identity.Nobody
	}
	return c
}

func (p program) query(ctx context.Context, e *engine, open *copied, f queryFlags, text string) error {
	if e.sites.Len() == 0 {
		return noSites()
	}
	who, err := open.retrieve.Resolve(ctx, f.asker(e))
	if err != nil {
		return err
	}
	if f.as != "" && who.Kind == identity.Nobody {
		fmt.Fprintf(p.errOut, "confluence-mcp: nobody called %q is known here; this is what is public\n", f.as)
	}
	found, err := open.retrieve.Query(ctx, who, retrieve.Question{Text: text, Limit: f.limit, Cursor: f.cursor})
	if err != nil {
		return err
	}
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
		fmt.Fprintf(w, "%d. %s%s  [%s, version %d, read %s ago]\n   %s\n", r.Rank, r.Title, path, r.Space, r.Version, time.Duration(r.AgeSeconds)*time.Second, r.Anchor)
		for line := range strings.Lines(r.Text) {
			fmt.Fprintf(w, "   | %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if a.Near {
		fmt.Fprintln(w, "Nothing has these very words; words that look alike were taken.")
	}
	_, err := fmt.Fprintf(w, "%d of %d pages\n", len(a.Results), a.Total)
	if a.NextCursor != "" {
		_, err = fmt.Fprintf(w, "more: --cursor %s --limit %d\n", a.NextCursor, limit)
	}
	return err
}
