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
	target string
	source string
	dryRun bool
	asJSON bool
}

// explained is the answer of `policy explain`. Decision is that of the whole
// call; Core and Rules are those of the call itself, Parts has all there is.
type explained struct {
	Call     policy.Request  `json:"call"`
	Decision policy.Decision `json:"decision"`
	Effect   string          `json:"effect"`
	Core     string          `json:"core"` // what level and switches give, before any rule
	Rules    []rule.Trace    `json:"rules"`
	Parts    []explainedPart `json:"parts"` // in the order in which they are judged live
}

type explainedPart struct {
	policy.Part
	Core string `json:"core"`
}

func policyExplainCommand(deps policyDeps) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain PROFILE|FILE (--tool NAME | --given YAML)",
		Short: "Judge one call and show every step",
		Long: `Judges one call exactly as the server would and shows every step.

--given takes the call in the form of a profile's tests, or @FILE:
  policy explain full-access --given '{tool: update_page, resource: {space_key: HR}}'

A write is judged in several parts, and any of them can deny it: from its
arguments, before its change is known; the reading of what its answer shows or
takes along; the change; and the change at the page that a move or a new page
goes to, with the ancestors it will have there. All parts are shown. Those that
say when they count are left out of the result. Name the place with --target:
without it only change.target_space_key and .target_parent_id are known of it.
Name the page or template a new page is made from with --source. An undo is judged as
the write that puts back; of a listing each row is judged by itself.
What is not judged by the profile is not here: the spaces the server is bounded
to, rates and limits over time, and what Confluence itself permits.`,
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
	cmd.Flags().StringVar(&f.target, "target", "", "the page a move or a new page goes to, as `YAML` in the form of a test's resource")
	cmd.Flags().StringVar(&f.source, "source", "", "the page or template (type: template) a new page is made from, as `YAML`")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "the call is a dry run, which shows what it would do")
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
	elsewhere, err := f.elsewhere(p)
	if err != nil {
		return err
	}
	out := explain(p, request, elsewhere)
	if f.asJSON {
		return printJSON(deps.Out, out)
	}
	return printExplained(deps.Out, out)
}

func explain(p *policy.Profile, request policy.Request, elsewhere policy.Elsewhere) explained {
	core := func(r policy.Request) string {
		effect, reason := p.Core(r.Group, r.Action)
		return fmt.Sprintf("%s (%s)", effect, reason)
	}
	d, parts := p.ExplainCall(request, elsewhere)
	_, traces := p.Explain(request)
	out := explained{Call: request, Decision: d, Effect: d.Effect.String(), Core: core(request), Rules: traces}
	for _, one := range parts {
		out.Parts = append(out.Parts, explainedPart{Part: one, Core: core(one.Request)})
	}
	return out
}

// elsewhere is what the call reaches besides what it acts on.
func (f explainFlags) elsewhere(p *policy.Profile) (policy.Elsewhere, error) {
	out := policy.Elsewhere{DryRun: f.dryRun}
	for _, one := range []struct {
		flag, text string
		to         **policy.Resource
	}{{"--target", f.target, &out.Target}, {"--source", f.source, &out.Source}} {
		if one.text == "" {
			continue
		}
		given, err := profile.ParseGiven(one.flag, []byte("resource: "+one.text+"\ntool: get_page\n"))
		if err != nil {
			return out, &exitError{2, err}
		}
		if given.Resource == nil {
			return out, &exitError{2, fmt.Errorf("%s is empty; give for example '{space_key: HR}'", one.flag)}
		}
		r := p.Request(given).Resource
		*one.to = &r
	}
	return out, nil
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
	for _, part := range e.Parts {
		if len(e.Parts) > 1 {
			fmt.Fprintf(w, "\npart    %s%s\n", part.Name, onlyWhen(part.When))
		}
		r := part.Request
		fmt.Fprintf(w, "call    %s (%s %s), resource known: %t\n", r.Tool, r.Group, r.Action, r.Resource.Known)
		fmt.Fprintf(w, "levels  %s\n", part.Core)
		for _, t := range part.Rules {
			printTrace(w, t)
		}
		if len(e.Parts) > 1 {
			fmt.Fprintf(w, "alone   %s (%s)%s\n", part.Effect, part.Result.Reason, decidedBy(part.Result))
		}
	}
	if len(e.Parts) > 1 {
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "result  %s (%s)%s\n", e.Effect, e.Decision.Reason, decidedBy(e.Decision))
	return err
}

// onlyWhen says of a part that it is no part of the result as the call stands.
func onlyWhen(when string) string {
	if when == "" {
		return ""
	}
	return ", only " + when + " (not in the result)"
}

func printTrace(w io.Writer, t rule.Trace) {
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
