package main

import (
	"context"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/approval"
)

func (p program) approvalsCancelCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "cancel ID", Short: "Withdraw one nobody has decided about", Args: cobra.ExactArgs(1),
		Long: `Withdraw a pending request: nothing is changed, and nobody is asked any more. To
tell the agent why, reject it instead. An agent withdraws its own over REST.`,
		RunE: func(c *cobra.Command, args []string) error {
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				r, err := e.desk.Cancel(ctx, approval.Withdrawal{ID: args[0], By: commandLine(), Admin: true})
				if err != nil {
					return err
				}
				return p.printApproval(r, false, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) approvalsResolveCommand() *cobra.Command {
	var at place
	var landed, missing, asJSON bool
	f := approval.Finding{By: commandLine()}
	c := &cobra.Command{Use: "resolve ID (--landed | --not-landed) --note TEXT", Short: "End one in doubt by hand, having looked in Confluence", Args: cobra.ExactArgs(1),
		Long: `A request is in doubt when the answer of Confluence was lost while the change was
made. The server looks for the change by itself; where it can't tell, a person
looks in Confluence and says what is there. Nothing is made or repeated by this
command. The agent reads the note; a change that was not made may be asked for
again.`,
		Example: `  confluence-mcp approvals list                 # "(look!)": nobody could find out
  confluence-mcp approvals resolve 0f3c… --landed --note "Version 8 has the paragraph."
  confluence-mcp approvals resolve 0f3c… --not-landed --note "The page is still at version 7."`,
		RunE: func(c *cobra.Command, args []string) error {
			if landed == missing {
				return usage("say what was found with either --landed or --not-landed")
			}
			f.ID, f.Landed = args[0], landed
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				r, err := e.desk.Resolve(ctx, f)
				if err != nil {
					return err
				}
				return p.printApproval(r, false, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().BoolVar(&landed, "landed", false, "the change is in Confluence")
	c.Flags().BoolVar(&missing, "not-landed", false, "the change is not in Confluence")
	c.Flags().StringVar(&f.Note, "note", "", "what was found, for the agent and the record (required)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
