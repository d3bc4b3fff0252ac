package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"confluence-mcp/policy"
)

// matrixCell is one of the 5 x 4 cells of a profile.
type matrixCell struct {
	Group  policy.Group  `json:"group"`
	Action policy.Action `json:"action"`
	Effect string        `json:"effect"`
	Reason string        `json:"reason"`
	Rules  []string      `json:"rules"` // rules that can narrow the cell
	Tools  []string      `json:"tools"`
}

func policyMatrixCommand(deps policyDeps) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "matrix PROFILE|FILE",
		Short: "Show what a profile gives, with the tools under each cell",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := resolveProfile(deps, args[0])
			if err != nil {
				return err
			}
			cells := matrix(p, deps.Tools)
			if asJSON {
				return printJSON(deps.Out, map[string]any{"profile": p.Name(), "revision": p.Revision(), "cells": cells})
			}
			return printMatrix(deps.Out, p, cells)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func matrix(p *policy.Profile, tools []policyTool) []matrixCell {
	var out []matrixCell
	for _, g := range []policy.Group{policy.Pages, policy.Spaces, policy.Search, policy.Attachments, policy.Users} {
		for _, a := range []policy.Action{policy.Read, policy.Create, policy.Update, policy.Delete} {
			effect, reason := p.Core(g, a)
			cell := matrixCell{
				Group: g, Action: a, Effect: effect.String(), Reason: reason,
				Rules: p.RulesFor(g, a), Tools: []string{},
			}
			if a != policy.Read && (g == policy.Search || g == policy.Users) {
				cell.Effect, cell.Reason = "none", "nothing_to_write"
			}
			for _, t := range tools {
				if t.Group == g && t.Action == a {
					cell.Tools = append(cell.Tools, t.Name)
				}
			}
			out = append(out, cell)
		}
	}
	return out
}

// printMatrix prints a row of effects a group and, below it, the tools, one a
// line under their action.
func printMatrix(w io.Writer, p *policy.Profile, cells []matrixCell) error {
	fmt.Fprintf(w, "profile %s, revision %s\n\n", p.Name(), p.Revision())
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "\tread\tcreate\tupdate\tdelete")
	for i := 0; i < len(cells); i += 4 {
		row := cells[i : i+4]
		fmt.Fprint(tw, row[0].Group)
		deepest := 0
		for _, c := range row {
			fmt.Fprint(tw, "\t"+cellText(c))
			deepest = max(deepest, len(c.Tools))
		}
		fmt.Fprintln(tw)
		for line := range deepest {
			fmt.Fprintln(tw, toolLine(row, line))
		}
	}
	fmt.Fprintln(tw)
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "* rules can narrow this cell. A whole space can never be deleted, whatever the cell says.")
	return err
}

func cellText(c matrixCell) string {
	if len(c.Rules) > 0 && (c.Effect == policy.Allow.String() || c.Effect == policy.RequireApproval.String()) {
		return c.Effect + " *"
	}
	return c.Effect
}

func toolLine(row []matrixCell, line int) string {
	var b strings.Builder
	for _, c := range row {
		b.WriteByte('\t')
		if line < len(c.Tools) {
			b.WriteString("  " + strings.TrimPrefix(c.Tools[line], "confluence_"))
		}
	}
	return b.String()
}
