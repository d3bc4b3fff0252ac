package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
	"confluence-mcp/policy/rule"
)

// explainFlags are the call `policy explain` asks about. Given is the whole
// call in the form that tests use; the others are its most common fields.
type explainFlags struct {
	given  string
	tool   string
	as     string
	space  string
	page   string
	asJSON bool
}

// explained is the answer of `policy explain`.
type explained struct {
	Call     policy.Request  `json:"call"`
	Decision policy.Decision `json:"decision"`
	Effect   string          `json:"effect"`
	Core     string          `json:"core"` // what level and switches give, before any rule
	Rules    []rule.Trace    `json:"rules"`
}

func policyExplainCommand(deps policyDeps) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain PROFILE|FILE (--tool NAME | --given YAML)",
		Short: "Judge one call and show every step",
		Long: `Judges one call exactly as the server would and shows every step.

--given takes the call in the form of a profile's tests, or @FILE:
  policy explain full-access --given '{tool: update_page, resource: {space_key: HR}}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return explainCall(cmd.Context(), deps, args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.given, "given", "", "the call as `YAML` or @FILE")
	cmd.Flags().StringVar(&f.tool, "tool", "", "`name` of the tool")
	cmd.Flags().StringVar(&f.as, "as", "", "account `id` of the caller")
	cmd.Flags().StringVar(&f.space, "space", "", "`key` of the space acted in")
	if deps.Resource != nil {
		cmd.Flags().StringVar(&f.page, "page", "", "`id` of the page acted on, loaded now")
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func explainCall(ctx context.Context, deps policyDeps, name string, f explainFlags) error {
	p, err := resolveProfile(deps, name)
	if err != nil {
		return err
	}
	given, err := f.call()
	if err != nil {
		return err
	}
	request := p.Request(given)
	if f.page != "" {
		if request.Resource, err = deps.Resource(ctx, f.page); err != nil {
			return fmt.Errorf("load page %s: %w", f.page, err)
		}
	}
	effect, reason := p.Core(request.Group, request.Action)
	d, traces := p.Explain(request)
	out := explained{Call: request, Decision: d, Effect: d.Effect.String(), Core: fmt.Sprintf("%s (%s)", effect, reason), Rules: traces}
	if f.asJSON {
		return printJSON(deps.Out, out)
	}
	return printExplained(deps.Out, out)
}

// call reads the flags into a test's call.
func (f explainFlags) call() (profile.Given, error) {
	var given profile.Given
	if (f.tool == "") == (f.given == "") {
		return given, &exitError{2, errors.New("name the call with either --tool or --given")}
	}
	text := []byte(f.given)
	if f.given == "" {
		raw, err := json.Marshal(map[string]string{"tool": f.tool}) // JSON is YAML
		if err != nil {
			return given, err
		}
		text = raw
	}
	if f.given != "" && f.given[0] == '@' {
		raw, err := os.ReadFile(f.given[1:])
		if err != nil {
			return given, &exitError{2, err}
		}
		text = raw
	}
	given, err := profile.ParseGiven("given", text)
	if err != nil {
		return given, &exitError{2, err}
	}
	if _, _, ok := profile.Cell(given.Tool); !ok && (given.Group == "" || given.Action == "") {
		return given, &exitError{2, fmt.Errorf("the name of tool %q does not say what it does; give group and action in --given", given.Tool)}
	}
	if f.as != "" {
		given.Identity.AccountID = f.as
	}
	if f.space != "" {
		if given.Resource == nil {
			given.Resource = &profile.Resource{}
		}
		given.Resource.SpaceKey = f.space
	}
	return given, nil
}

func printExplained(w io.Writer, e explained) error {
	fmt.Fprintf(w, "profile %s, revision %s\n", e.Decision.Profile, e.Decision.Revision)
	fmt.Fprintf(w, "call    %s (%s %s), resource known: %t\n", e.Call.Tool, e.Call.Group, e.Call.Action, e.Call.Resource.Known)
	fmt.Fprintf(w, "levels  %s\n", e.Core)
	for _, t := range e.Rules {
		fmt.Fprintf(w, "rule    %s (%s): %s\n", t.Rule, t.Effect, t.Verdict)
		for _, s := range t.Steps {
			fmt.Fprintf(w, "          %s  ->  %s\n", s.Expr, s.Value)
		}
		for _, s := range t.Reads {
			fmt.Fprintf(w, "          reads %s = %s\n", s.Expr, s.Value)
		}
		if t.Error != "" {
			fmt.Fprintf(w, "          error: %s\n", t.Error)
		}
		if t.Residual != "" {
			fmt.Fprintf(w, "          still to know: %s\n", t.Residual)
		}
	}
	_, err := fmt.Fprintf(w, "result  %s (%s)%s\n", e.Effect, e.Decision.Reason, decidedBy(e.Decision))
	return err
}

func decidedBy(d policy.Decision) string {
	text := ""
	if d.RuleID != "" {
		text = " by rule " + d.RuleID
	}
	if d.Message != "" {
		text += ": " + d.Message
	}
	return text
}
