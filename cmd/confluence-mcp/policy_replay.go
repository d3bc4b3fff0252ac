package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/rule"
)

// replayed is what policy diff --replay found: which recorded calls the two
// profiles would have judged differently.
type replayed struct {
	Calls    int             `json:"calls"` // recorded under the profile before
	Same     int             `json:"same"`
	Widened  int             `json:"widened"`
	Narrowed int             `json:"narrowed"`
	Unknown  int             `json:"unknown"` // a rule reads what the log does not keep
	Changes  []replayedEntry `json:"changes"` // the first of them
}

type replayedEntry struct {
	Seq       int64  `json:"seq"`
	TS        string `json:"ts"`
	Principal string `json:"principal"`
	Tool      string `json:"tool"`
	SpaceKey  string `json:"space_key,omitempty"`
	Resource  string `json:"resource,omitempty"`
	Before    string `json:"before"`
	After     string `json:"after"`
	Rule      string `json:"rule,omitempty"` // of the profile after
}

const maxChanges = 100 // that are listed

// replay judges every recorded call of the profile before by both.
func replay(before, after *policy.Profile, lines func(each func(string) error) error) (replayed, error) {
	out := replayed{Changes: []replayedEntry{}}
	err := lines(func(line string) error {
		var head struct {
			Seq  int64  `json:"seq"`
			Kind string `json:"kind"`
			TS   string `json:"ts"`
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			return fmt.Errorf("the log behind line %d cannot be read: %w", head.Seq, err)
		}
		if head.Kind != audit.Decided {
			return nil
		}
		e, err := audit.ReadEntry(line)
		if err != nil {
			return err
		}
		if e.Profile == before.Name() && e.Group != "" {
			out.add(before, after, e, replayedEntry{Seq: head.Seq, TS: head.TS})
		}
		return nil
	})
	return out, err
}

func (out *replayed) add(before, after *policy.Profile, e audit.Entry, shown replayedEntry) {
	out.Calls++
	r := recordedCall(e)
	was, is := within(before, r), within(after, r)
	switch {
	case was.sure() && is.sure() && was.least == is.least:
		out.Same++
		return
	case is.least > was.most:
		out.Widened++
	case is.most < was.least:
		out.Narrowed++
	default:
		out.Unknown++
		return
	}
	if len(out.Changes) == maxChanges {
		return
	}
	shown.Principal, shown.Tool, shown.SpaceKey, shown.Resource = e.Principal, e.Tool, e.SpaceKey, strings.TrimSpace(e.ResourceType+" "+e.ResourceID)
	shown.Before, shown.After, shown.Rule = was.String(), is.String(), is.rule
	out.Changes = append(out.Changes, shown)
}

// recordedCall is a call as far as the log tells.
func recordedCall(e audit.Entry) policy.Request {
	f := e.Facts
	updated, err := time.Parse(time.RFC3339, f.Updated)
	if err != nil {
		updated = time.Unix(0, 0).UTC()
	}
	agent, rest, _ := strings.Cut(e.Principal, "|")
	integration, rest, _ := strings.Cut(rest, "|")
	_, rest, _ = strings.Cut(rest, "|")
	account, _, _ := strings.Cut(rest, "|")
	return policy.Request{
		Tool: e.Tool, Group: policy.Group(e.Group), Action: policy.Action(e.Action), Live: true, Now: e.Time,
		Caller: identity.Caller{Agent: agent, Integration: integration, Kind: identity.Kind(e.Kind), AccountID: account, Transport: e.Transport, Profile: e.Profile},
		Site:   policy.Site{ID: e.Site, Kind: f.SiteKind},
		Resource: policy.Resource{Known: f.Known, Type: e.ResourceType, ID: e.ResourceID, SpaceKey: e.SpaceKey, SpaceType: f.SpaceType, Status: f.Status, AuthorID: f.AuthorID,
			Version: f.Version, AttachmentBytes: f.AttachmentBytes, UpdatedAt: updated, Restricted: f.Restricted},
		Change: policy.Change{TargetSpaceKey: f.TargetSpaceKey, TargetParentID: f.TargetParentID, MediaType: f.MediaType,
			BodyBytes: f.BodyBytes, AddedBytes: f.AddedBytes, RemovedBytes: f.RemovedBytes, RemovedRatio: f.RemovedRatio},
		Context: policy.Context{ReadRestricted: f.ReadRestricted, ReadExternal: f.ReadExternal},
	}
}

// kept reports whether the log keeps a variable. Titles, labels, groups and
// what was added to a page are not in it.
func kept(variable string) bool {
	switch variable {
	case "identity.email", "identity.groups", "identity.attributes", "site.id", "request.live", "resource.title", "resource.labels", "resource.ancestor_ids",
		"change.title", "change.macros_added", "change.external_hosts_added":
		return false
	}
	return true
}

// span is what a profile says of a recorded call: one effect, or from the
// strictest to the most open it can have been where a rule reads what the log
// does not keep.
type span struct {
	least, most policy.Effect
	rule        string
}

func (s span) sure() bool { return s.least == s.most }

func (s span) String() string {
	if s.sure() {
		return s.most.String()
	}
	return s.least.String() + " to " + s.most.String()
}

// within judges a recorded call as far as the log tells.
func within(p *policy.Profile, r policy.Request) span {
	d, traces := p.Explain(r)
	if len(traces) == 0 {
		return span{d.Effect, d.Effect, d.RuleID}
	}
	core, _ := p.Core(r.Group, r.Action)
	s, maybe := span{core, core, d.RuleID}, policy.Allow
	for _, t := range traces {
		effect := policy.Deny // what fails denies, like what is denied
		switch t.Verdict {
		case "not_asked", "no_match":
			effect = policy.Allow
		case "approval_required":
			effect = policy.RequireApproval
		}
		if t.Verdict != "not_asked" && guessed(t, r) {
			maybe = min(maybe, effectNamed(t.Effect))
			continue
		}
		s.most = min(s.most, effect)
	}
	s.least = min(s.most, maybe)
	return s
}

func effectNamed(name string) policy.Effect {
	if name == policy.Deny.String() {
		return policy.Deny
	}
	return policy.RequireApproval
}

// guessed reports whether a rule looked at what the log does not keep.
func guessed(t rule.Trace, r policy.Request) bool {
	for _, read := range t.Reads {
		if !kept(read.Expr) || !r.Resource.Known && strings.HasPrefix(read.Expr, "resource.") {
			return true
		}
	}
	return false
}

// replayLines reads the log of policy diff --replay: an export, - for standard
// input, or log for the data folder's own.
func (deps policyDeps) replayLines(ctx context.Context, name string) func(func(string) error) error {
	return func(each func(string) error) error {
		if name == "log" {
			return deps.Audit(ctx, each)
		}
		in := deps.In
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }() // only read
			in = f
		}
		return eachLine(in, each)
	}
}

func eachLine(in io.Reader, each func(string) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxAuditLine)
	for lines.Scan() {
		if err := each(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// replayProfiles prints what the log's calls would have met, and ends with the
// exit code of a widening when there is one.
func replayProfiles(ctx context.Context, deps policyDeps, names []string, log string, asJSON bool) error {
	before, err := resolveProfile(deps, names[0])
	if err != nil {
		return err
	}
	after, err := resolveProfile(deps, names[1])
	if err != nil {
		return err
	}
	found, err := replay(before, after, deps.replayLines(ctx, log))
	switch {
	case err != nil:
		return err
	case asJSON:
		err = printJSON(deps.Out, found)
	default:
		err = found.print(deps.Out, before.Name())
	}
	if err == nil && found.Widened > 0 {
		err = &exitError{exitWidened, errors.New("the change widens what was asked")}
	}
	return err
}

func (out replayed) print(w io.Writer, profile string) error {
	for _, c := range out.Changes {
		fmt.Fprintf(w, "%d %s %s %s %s %s: %s -> %s\n", c.Seq, c.TS, c.Principal, c.Tool, c.SpaceKey, c.Resource, c.Before, c.After)
	}
	if n := out.Widened + out.Narrowed - len(out.Changes); n > 0 {
		fmt.Fprintf(w, "and %d more\n", n)
	}
	_, err := fmt.Fprintf(w, "%d recorded calls of %s: %d the same, %d widened, %d narrowed, %d not to be told (a rule reads what the log does not keep)\n",
		out.Calls, profile, out.Same, out.Widened, out.Narrowed, out.Unknown)
	return err
}
