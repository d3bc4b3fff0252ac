package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"confluence-mcp/policy/compare"
	"confluence-mcp/policy/profile"
)

func policyDiffCommand(deps policyDeps) *cobra.Command {
	var asJSON bool
	var samples int
	var log string
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say which calls a change allows or refuses (exit 5 when anything is widened)",
		Args:  cobra.ExactArgs(2),
		Long: `Compare two profiles. Without --replay every way the rules can tell calls apart
is judged. With --replay the calls of the audit log that were made under BEFORE
are judged by both: log means the data folder's own, another word a file that
audit export wrote, - standard input. Exit 5 when anything is widened.`,
		RunE: func(c *cobra.Command, args []string) error {
			if log != "" {
				return replayProfiles(c.Context(), deps, args, log, asJSON)
			}
			before, err := resolveProfile(deps, args[0])
			if err != nil {
				return err
			}
			after, err := resolveProfile(deps, args[1])
			if err != nil {
				return err
			}
			result := compare.Profiles(before, after, compare.Config{Samples: samples})
			if asJSON {
				err = printJSON(deps.Out, result)
			} else {
				err = printDiff(deps.Out, result)
			}
			if err == nil && result.Wider() {
				err = &exitError{exitWidened, errors.New("the change widens what is allowed")}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&log, "replay", "", "judge the calls of this `log` instead: log, FILE or -")
	cmd.Flags().IntVar(&samples, "samples", 0, "combinations judged in a cell that cannot be enumerated (default 200000)")
	return cmd
}

func printDiff(w io.Writer, r compare.Result) error {
	for _, c := range r.Cells {
		fmt.Fprintf(w, "level   %s %s: %s -> %s\n", c.Group, c.Action, c.Before, c.After)
	}
	for _, l := range r.Limits {
		fmt.Fprintf(w, "limit   %s: %s -> %s%s\n", l.Limit, orNone(l.Before), orNone(l.After), widens(l.Widens))
	}
	for _, side := range []struct {
		name string
		compare.Side
	}{{"widened", r.Widened}, {"narrowed", r.Narrowed}, {"newly needs approval", r.Approval}} {
		fmt.Fprintf(w, "%s: %d of %d combinations\n", side.name, side.Count, r.Points)
		if e := side.Example; e != nil {
			given, err := json.Marshal(e.Given)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "  for example %s %s given %s: %s -> %s\n", e.Group, e.Action, given, e.Before, e.After)
		}
	}
	if r.Exact {
		_, err := fmt.Fprintln(w, "exact: every way the rules can tell calls apart was judged")
		return err
	}
	for _, why := range r.Sampled {
		fmt.Fprintln(w, "sampled:", why)
	}
	_, err := fmt.Fprintln(w, "not exact: a difference may have been missed in the sampled cells")
	return err
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func widens(yes bool) string {
	if yes {
		return " (widened)"
	}
	return ""
}

func policySchemaCommand(deps policyDeps) *cobra.Command {
	return alwaysJSON(&cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a profile file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := deps.Out.Write(profile.Schema())
			return err
		},
	})
}
