package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
)

// Exit codes of the policy commands, besides 0 ok, 1 failed and 2 usage.
const (
	exitInvalid     = 3 // the profile cannot be used
	exitTestsFailed = 4 // the profile's own tests failed
	exitWidened     = 5 // diff: something is allowed that was not
)

// policyDeps is what the policy commands need of the program around them.
type policyDeps struct {
	In       io.Reader
	Out, Err io.Writer
	// Profiles loads every profile the server would know.
	Profiles func() (*policy.Set, error)
	// Tools names every tool with its cell.
	Tools []policyTool
	// Audit hands the lines of the data folder's audit log to each.
	Audit func(ctx context.Context, each func(line string) error) error
	// Resource loads a page for explain; nil leaves the flag out.
	Resource func(ctx context.Context, pageID string) (policy.Resource, error)
}

// policyTool is one tool of the catalogue. Group is empty for a tool that has
// none.
type policyTool struct {
	Name   string
	Group  policy.Group
	Action policy.Action
}

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// ExitCode is the code the program ends with.
func (e *exitError) ExitCode() int { return e.code }

// newPolicyCommand is `policy` with its subcommands. Their errors carry an
// ExitCode where it is not 1.
func newPolicyCommand(deps policyDeps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, test, explain and compare profiles",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policyCheckCommand(deps), policyTestCommand(deps), policyExplainCommand(deps),
		policyMatrixCommand(deps), policyDiffCommand(deps), policySchemaCommand(deps))
	return cmd
}

func policyCheckCommand(deps policyDeps) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE|FOLDER...",
		Short: "Read profiles, compile their rules and run their tests (exit 3 invalid, 4 tests failed)",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			return checkProfiles(deps, names, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checkResult is one file's line in the answer of `policy check --json`.
type checkResult struct {
	File     string            `json:"file"`
	OK       bool              `json:"ok"`
	Profile  string            `json:"profile,omitempty"`
	Revision string            `json:"revision,omitempty"`
	Rules    int               `json:"rules"`
	Tests    int               `json:"tests"`
	Problems []profile.Problem `json:"problems"`
	Warnings []profile.Problem `json:"warnings"` // what can fail, and then denies

	code int // what the program ends with for it
}

// refuse makes a file one that cannot be used.
func (r *checkResult) refuse(err error) {
	r.OK, r.code = false, exitInvalid
	r.Problems = append(r.Problems, problemsOf(r.File, err)...)
}

func checkProfiles(deps policyDeps, names []string, asJSON bool) error {
	results := make([]checkResult, 0, len(names))
	for _, name := range names {
		results = append(results, checkNamed(deps, name)...)
	}
	code := 0
	for _, r := range results {
		if code != exitInvalid && r.code != 0 { // invalid outranks failed tests
			code = r.code
		}
	}
	if asJSON {
		if err := printJSON(deps.Out, results); err != nil {
			return err
		}
	} else {
		printChecks(deps, results)
	}
	switch code {
	case exitInvalid:
		return &exitError{code, errors.New("invalid profile")}
	case exitTestsFailed:
		return &exitError{code, errors.New("profile tests failed")}
	}
	return nil
}

// checkNamed checks a file, or of a folder what a server would take from it:
// every *.yaml, in order of name, and no profile twice.
func checkNamed(deps policyDeps, name string) []checkResult {
	if at, err := os.Stat(name); err != nil || !at.IsDir() {
		return []checkResult{checkProfile(deps, name)}
	}
	entries, err := os.ReadDir(name)
	var results []checkResult
	files := map[string]string{} // by the profile in it
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		r := checkProfile(deps, filepath.Join(name, e.Name()))
		if other := files[r.Profile]; other != "" {
			r.refuse(fmt.Errorf("profile %q is already in %s", r.Profile, other))
		} else if r.Profile != "" {
			files[r.Profile] = r.File
		}
		results = append(results, r)
	}
	if err == nil && len(results) == 0 {
		err = errors.New("there is no profile in this folder; name one with *.yaml files, or a file")
	}
	if err != nil {
		none := newCheck(name)
		none.refuse(err)
		results = append(results, none)
	}
	return results
}

func newCheck(name string) checkResult {
	return checkResult{File: name, Problems: []profile.Problem{}, Warnings: []profile.Problem{}}
}

func checkProfile(deps policyDeps, name string) checkResult {
	r := newCheck(name)
	p, err := openProfile(name)
	if err == nil {
		err = p.CheckTools(name, toolNames(deps.Tools))
	}
	if err != nil {
		r.refuse(err)
		return r
	}
	file := p.File()
	r.Profile, r.Revision, r.Rules, r.Tests = p.Name(), p.Revision(), len(file.Rules), len(file.Tests)
	r.Warnings = p.Warnings(name)
	if err := p.Check(name); err != nil {
		r.Problems, r.code = problemsOf(name, err), exitTestsFailed
		return r
	}
	r.OK = true
	return r
}

func toolNames(tools []policyTool) []string {
	out := make([]string, 0, len(tools))
	for _, t := range tools {
		out = append(out, t.Name)
	}
	return out
}

func printChecks(deps policyDeps, results []checkResult) {
	for _, r := range results {
		for _, p := range r.Problems {
			fmt.Fprintln(deps.Err, p)
		}
		for _, w := range r.Warnings {
			fmt.Fprintf(deps.Err, "%s (warning)\n", w)
		}
		if r.OK {
			fmt.Fprintf(deps.Out, "%s: ok: profile %s, revision %s, %d rules, %d tests\n", r.File, r.Profile, r.Revision, r.Rules, r.Tests)
		}
	}
}

// openProfile reads one file from disk.
func openProfile(name string) (*policy.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if at, err := f.Stat(); err == nil && at.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name one profile file in it (policy check takes a folder)", name)
	}
	const most = 256<<10 + 1 // one more than is allowed, so that too much is noticed
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, err
	}
	return policy.Parse(name, text)
}

func problemsOf(name string, err error) []profile.Problem {
	var problems profile.Problems
	if errors.As(err, &problems) {
		return problems
	}
	return []profile.Problem{{File: name, Text: err.Error()}}
}

// resolveProfile finds a profile by file name, if it looks like one, or by the
// name it has in the server.
func resolveProfile(deps policyDeps, name string) (*policy.Profile, error) {
	ext := filepath.Ext(name)
	if ext == ".yaml" || ext == ".yml" || strings.ContainsRune(name, filepath.Separator) {
		p, err := openProfile(name)
		if err != nil {
			return nil, &exitError{exitInvalid, err}
		}
		return p, nil
	}
	set, err := deps.Profiles()
	if err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	p, ok := set.Profile(name)
	if !ok {
		return nil, &exitError{2, fmt.Errorf("there is no profile %q; known are %s", name, strings.Join(set.Names(), ", "))}
	}
	return p, nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
