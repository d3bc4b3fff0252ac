package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store"
)

func (p program) approvalsCommand() *cobra.Command {
	c := &cobra.Command{Use: "approvals", Short: "Changes that wait for a person",
		Long: `Changes that a policy profile wants approved wait here. Approving one has the
server make exactly that change, once. Whoever runs these commands decides as the
owner of the data folder; what was asked over stdio on this very machine can only
be approved here with approvals.self_confirm in the configuration.`}
	c.AddCommand(p.approvalsListCommand(), p.approvalsShowCommand(), p.approvalsApproveCommand(), p.approvalsRejectCommand(),
		p.approvalsCancelCommand(), p.approvalsResolveCommand())
	return c
}

func (p program) approvalsListCommand() *cobra.Command {
	var at place
	var all, asJSON bool
	var limit int
	c := &cobra.Command{Use: "list", Short: "List what waits, newest first", RunE: func(c *cobra.Command, _ []string) error {
		if limit < 1 || limit > 1000 {
			return usage("--limit is from 1 to 1000")
		}
		return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
			f := approval.Filter{States: openApprovals(), Limit: limit}
			if all {
				f.States = nil
			}
			found, err := s.Approvals(ctx, f)
			if err != nil {
				return err
			}
			return p.printApprovals(found, asJSON)
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&all, "all", false, "also what has ended")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many, the newest")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func openApprovals() []approval.State {
	return []approval.State{approval.Pending, approval.Approved, approval.Executing, approval.InDoubt}
}

func (p program) printApprovals(found []approval.Request, asJSON bool) error {
	answers := make([]approvalAnswer, len(found))
	for i, r := range found {
		answers[i] = answerApproval(r, p.now())
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"approvals": answers})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tAGENT\tSITE\tSPACE\tUNTIL\tWHAT")
	for _, a := range answers {
		state := a.State
		if a.NeedsHuman {
			state += " (look!)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, state, a.Requester.Agent, a.Site, a.SpaceKey, a.Expires, a.Summary)
	}
	return w.Flush()
}

func (p program) approvalsShowCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{Use: "show ID", Short: "Show one with its whole change", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
			r, err := s.Approval(ctx, args[0])
			if err != nil {
				return err
			}
			return p.printApproval(r, true, asJSON)
		})
	}}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) approvalsApproveCommand() *cobra.Command {
	var at place
	var digest string
	var asJSON bool
	c := &cobra.Command{Use: "approve ID", Short: "Approve one and have it made; exit 0 when it was", Args: cobra.ExactArgs(1),
		Example: `  confluence-mcp approvals show 0f3c…      # first look
  confluence-mcp approvals approve 0f3c…`,
		RunE: func(c *cobra.Command, args []string) error {
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				r, err := e.approveHere(ctx, args[0], digest)
				if err != nil {
					return err
				}
				return errors.Join(p.printApproval(r, false, asJSON), notMade(r))
			})
		}}
	at.flags(c)
	c.Flags().StringVar(&digest, "digest", "", "refuse unless the request has this `digest`, as show printed it")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// approveHere is the approval of who owns the data folder. It is refused before
// anything is decided when this process could not make the change.
func (e *engine) approveHere(ctx context.Context, id, digest string) (approval.Request, error) {
	r, err := e.desk.Show(ctx, id)
	if err != nil {
		return r, err
	}
	if err := e.sites.Check(r.Site); err != nil {
		return r, &confluence.Error{Kind: confluence.Invalid, Code: "input.config", Op: "approve", Message: "the site " + r.Site + " is not configured for this command, so the change could not be made",
			Next: "Run the command with the configuration of the server, or while the server runs."}
	}
	if digest == "" {
		digest = r.Digest
	}
	self := e.cfg.SelfConfirm && r.Private.Caller.Transport == identity.Stdio
	r, err = e.desk.Approve(ctx, approval.Verdict{ID: id, Digest: digest, By: commandLine(), Self: self})
	var known *confluence.Error
	if errors.As(err, &known) && known.Code == "approval.self" {
		known.Next = "It was asked for on this machine. Set approvals: {self_confirm: true} in the configuration to confirm such changes yourself, or serve over HTTP, where somebody else decides."
	}
	return r, err
}

// notMade is the exit of an approval that did not lead to the change.
func notMade(r approval.Request) error {
	if r.State == approval.Executed || r.State == approval.Approved {
		return nil
	}
	return &exitError{exitFailed, fmt.Errorf("the change was not made: %s", r.State)}
}

func (p program) approvalsRejectCommand() *cobra.Command {
	var at place
	var reason string
	var asJSON bool
	c := &cobra.Command{Use: "reject ID", Short: "Reject one; the agent reads the reason", Args: cobra.ExactArgs(1),
		Example: `  confluence-mcp approvals reject 0f3c… --reason "Not before the audit."`,
		RunE: func(c *cobra.Command, args []string) error {
			return p.withEngine(c.Context(), at, func(ctx context.Context, e *engine) error {
				r, err := e.desk.Reject(ctx, approval.Verdict{ID: args[0], By: commandLine(), Reason: reason})
				if err != nil {
					return err
				}
				return p.printApproval(r, false, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().StringVar(&reason, "reason", "", "why, for the agent to read (required)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// approvalAnswer is a request as --json and the REST surface give it. Diff and
// Args are there when one is shown.
type approvalAnswer struct {
	ID          string          `json:"id"`
	State       string          `json:"state"`
	NeedsHuman  bool            `json:"needs_human,omitempty"`
	Digest      string          `json:"digest"`
	Tool        string          `json:"tool"`
	Action      string          `json:"action"`
	Summary     string          `json:"summary"`
	Requester   approval.Person `json:"requester"`
	Profile     string          `json:"profile"`
	Site        string          `json:"site"`
	SpaceKey    string          `json:"space_key,omitempty"`
	Resource    string          `json:"resource,omitempty"`
	BaseVersion int             `json:"base_version,omitempty"`
	Revision    string          `json:"policy_rev"`
	Rule        string          `json:"rule,omitempty"`
	Because     string          `json:"because,omitempty"`
	Replaces    string          `json:"replaces,omitempty"`
	Created     string          `json:"created"`
	Expires     string          `json:"expires"`
	Changed     string          `json:"changed"`
	Decided     string          `json:"decided,omitempty"`
	DecidedBy   string          `json:"decided_by,omitempty"`
	Code        string          `json:"code,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	Attempts    int             `json:"attempts,omitempty"`
	ResolvedBy  string          `json:"resolved_by,omitempty"` // who ended a doubt by hand
	View        string          `json:"view,omitempty"`        // proves that it was looked at; sent back to approve
	Diff        string          `json:"diff,omitempty"`
	Args        json.RawMessage `json:"args,omitempty"`
	Result      json.RawMessage `json:"result,omitempty"`
}

func answerApproval(r approval.Request, now time.Time) approvalAnswer {
	return approvalAnswer{ID: r.ID, State: string(r.State), NeedsHuman: r.NeedsHuman(now), Digest: r.Digest, Tool: r.Tool, Action: r.Action, Summary: plain(r.Summary),
		Requester: r.Requester, Profile: r.Profile, Site: r.Site, SpaceKey: r.SpaceKey, Resource: r.Resource, BaseVersion: r.BaseVersion,
		Revision: r.Revision, Rule: r.RuleID, Because: r.Because, Replaces: r.Replaces, Created: day(r.Created), Expires: day(r.Expires), Changed: day(r.Changed),
		Decided: day(r.Decided), DecidedBy: r.Decider.Principal, Code: r.Code, Reason: plain(r.Reason), Attempts: r.Attempts, ResolvedBy: r.Resolver.Principal, Result: r.Private.Result.Structured}
}

func (p program) printApproval(r approval.Request, whole, asJSON bool) error {
	a := answerApproval(r, p.now())
	if whole {
		a.Diff, a.Args = r.Private.Diff, r.Private.Args
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(a)
	}
	base := ""
	if a.BaseVersion > 0 {
		base = strconv.Itoa(a.BaseVersion)
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	for _, row := range [][2]string{
		{"id", a.ID}, {"state", a.State}, {"what", a.Summary}, {"tool", a.Tool}, {"asked by", a.Requester.Principal}, {"owner of the key", a.Requester.Owner}, {"profile", a.Profile + " " + a.Revision},
		{"rule", a.Rule}, {"because", plain(a.Because)}, {"site", a.Site}, {"space", a.SpaceKey}, {"resource", a.Resource}, {"version", base}, {"replaces", a.Replaces},
		{"asked", a.Created}, {"until", a.Expires}, {"decided", a.Decided}, {"decided by", a.DecidedBy}, {"resolved by", a.ResolvedBy}, {"reason", a.Reason}, {"digest", a.Digest},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", row[0], row[1])
		}
	}
	if err := w.Flush(); err != nil || !whole {
		return err
	}
	_, err := fmt.Fprintf(p.out, "\n%s\n", a.Diff)
	return err
}

// plain keeps text somebody wrote from steering a terminal.
func plain(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x206f {
			out[i] = '?'
		}
	}
	return string(out)
}
