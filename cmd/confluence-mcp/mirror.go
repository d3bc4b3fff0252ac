package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

func (p program) mirrorCommand() *cobra.Command {
	c := &cobra.Command{Use: "mirror", Short: "The copy of Confluence: check it, build its index anew"}
	c.AddCommand(p.mirrorCheckCommand(), p.mirrorRebuildCommand())
	return c
}

// soundness is what mirror check prints.
type soundness struct {
	Sound   bool          `json:"sound"`
	Mirror  string        `json:"mirror"` // ok, or what is wrong
	Damaged mirror.Damage `json:"damaged"`
	Index   index.Report  `json:"index"`
}

func (p program) mirrorCheckCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "check", Short: "Read the whole mirror and compare the index with it, both directions",
		Long: `Read every row of the mirror against its checksum and compare the index with it:
every row is a document, every document a row. Nothing is repaired. Exit code 1:
something is not as it should be, and it says what to do: sync --full reads rows
again, mirror rebuild-index the index, a restart puts a damaged file aside.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withCopy(c.Context(), at, func(ctx context.Context, _ *engine, open *copied) error { return p.mirrorCheck(ctx, open, asJSON) })
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) mirrorCheck(ctx context.Context, open *copied, asJSON bool) error {
	if err := open.index.Follow(ctx); err != nil {
		return err
	}
	out := soundness{Mirror: "ok", Damaged: open.mirror.Damaged()}
	broken := open.mirror.Check(ctx)
	if broken != nil {
		out.Mirror = broken.Error()
	}
	var err error
	if out.Index, err = open.index.Check(ctx); err != nil {
		return err
	}
	out.Sound = broken == nil && out.Damaged == mirror.Damage{} && out.Index.Sound()
	if asJSON {
		err = json.NewEncoder(p.out).Encode(out)
	} else {
		_, err = fmt.Fprintf(p.out, "mirror: %s\nindex: %d rows, %d documents, %d missing, %d extra, %d twice, %d stale\n", out.Mirror,
			out.Index.Rows, out.Index.Documents, len(out.Index.Missing), len(out.Index.Extra), len(out.Index.Twice), len(out.Index.Stale))
	}
	if err == nil && !out.Sound {
		next := "Run: confluence-mcp mirror rebuild-index, and confluence-mcp sync --full."
		var known *confluence.Error
		if errors.As(broken, &known) {
			next = known.Next
		}
		err = &exitError{exitFailed, errors.New("the mirror is not sound. " + next)}
	}
	return err
}

func (p program) mirrorRebuildCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "rebuild-index", Short: "Build the index anew; searches go on with the old one until then",
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withCopy(c.Context(), at, func(ctx context.Context, _ *engine, open *copied) error {
				if err := open.index.Rebuild(ctx); err != nil {
					return err
				}
				n := open.index.Status().Documents
				return p.print(asJSON, map[string]any{"documents": n}, "indexed %d pages\n", n)
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
