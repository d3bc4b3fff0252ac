package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"confluence-mcp/policy/profile"
)

// caseResult is the answer of `policy test`.
type caseResult struct {
	Profile        string            `json:"profile"`
	Revision       string            `json:"revision"`
	Tests          int               `json:"tests"`
	Failed         []profile.Problem `json:"failed"`
	UncoveredCells []string          `json:"uncovered_cells,omitempty"`
	UncoveredRules []string          `json:"uncovered_rules,omitempty"`
}

func policyTestCommand(deps policyDeps) *cobra.Command {
	var asJSON, coverage bool
	cmd := &cobra.Command{
		Use:   "test PROFILE|FILE",
		Short: "Run the tests a profile carries (exit 4 when one fails)",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return testProfile(deps, args[0], coverage, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&coverage, "coverage", false, "list cells and rules no test reaches; a rule without a test is a failure")
	return cmd
}

func testProfile(deps policyDeps, name string, coverage, asJSON bool) error {
	p, err := resolveProfile(deps, name)
	if err != nil {
		return err
	}
	r := caseResult{Profile: p.Name(), Revision: p.Revision(), Tests: len(p.File().Tests), Failed: []profile.Problem{}}
	if err := p.Check(name); err != nil {
		r.Failed = problemsOf(name, err)
	}
	if coverage {
		r.UncoveredCells, r.UncoveredRules = p.Uncovered()
	}
	if asJSON {
		err = printJSON(deps.Out, r)
	} else {
		err = printCases(deps, r, len(p.File().Rules), coverage)
	}
	switch {
	case err != nil:
		return err
	case len(r.Failed) > 0:
		return &exitError{exitTestsFailed, errors.New("profile tests failed")}
	case len(r.UncoveredRules) > 0:
		return &exitError{exitTestsFailed, errors.New("not every rule has a test")}
	}
	return nil
}

func printCases(deps policyDeps, r caseResult, rules int, coverage bool) error {
	for _, p := range r.Failed {
		fmt.Fprintln(deps.Err, p)
	}
	_, err := fmt.Fprintf(deps.Out, "%s %s: %d of %d tests passed\n", r.Profile, r.Revision, r.Tests-len(r.Failed), r.Tests)
	if !coverage {
		return err
	}
	fmt.Fprintf(deps.Out, "rules reached: %d of %d\n", rules-len(r.UncoveredRules), rules)
	for _, id := range r.UncoveredRules {
		fmt.Fprintln(deps.Out, "  no test matches rule", id)
	}
	const cells = 14 // five groups that are read, three that are written in three ways
	_, err = fmt.Fprintf(deps.Out, "cells reached: %d of %d\n", cells-len(r.UncoveredCells), cells)
	for _, cell := range r.UncoveredCells {
		fmt.Fprintln(deps.Out, "  no test asks for", cell)
	}
	return err
}
