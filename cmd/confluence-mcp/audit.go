package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store"
	"confluence-mcp/tools"
)

func (p program) auditCommand() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "What callers asked, what was decided and what came of it"}
	c.AddCommand(p.auditListCommand(), p.auditVerifyCommand(), p.auditExportCommand())
	return c
}

// auditAnswer is an entry as --json prints it.
type auditAnswer struct {
	Seq int64  `json:"seq"`
	TS  string `json:"ts"`
	audit.Entry
	audit.Outcome
	Micros int64 `json:"micros"`
}

func answerRecorded(r store.Recorded) auditAnswer {
	return auditAnswer{Seq: r.ID, TS: r.Entry.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), Entry: r.Entry, Outcome: r.Outcome, Micros: r.Outcome.Duration.Microseconds()}
}

func (p program) auditListCommand() *cobra.Command {
	var (
		at           place
		f            store.AuditFilter
		since, until string
		asJSON       bool
	)
	c := &cobra.Command{Use: "list", Short: "List the newest calls and changes by admins that fit, oldest first",
		Example: `  confluence-mcp audit list --since 24h --writes
  confluence-mcp audit list --effect deny --agent helpdesk --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := p.fillFilter(&f, since, until); err != nil {
				return err
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				found, err := s.Audit(ctx, f)
				if err != nil {
					return err
				}
				return p.printRecorded(found, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().StringVar(&since, "since", "", "from this `time` on: 24h (ago), 2026-03-01 or 2026-03-01T12:00:00Z")
	c.Flags().StringVar(&until, "until", "", "before this `time`")
	c.Flags().StringVar(&f.Tool, "tool", "", "calls of this tool, with or without "+tools.Prefix+", or changes such as agents.add")
	c.Flags().StringVar(&f.Agent, "agent", "", "calls of this agent; local over stdio")
	c.Flags().StringVar(&f.Principal, "principal", "", "calls of exactly this principal, as the list names it")
	c.Flags().StringVar(&f.Effect, "effect", "", "allow, deny or require_approval")
	c.Flags().StringVar(&f.Resource, "resource", "", "calls about the page, comment or attachment of this `id`")
	c.Flags().StringVar(&f.Space, "space", "", "calls about the space of this `key`")
	c.Flags().StringVar(&f.Trace, "trace", "", "calls of this W3C `trace`: its id, or a whole traceparent")
	c.Flags().BoolVar(&f.Writes, "writes", false, "only calls of tools that write")
	c.Flags().IntVar(&f.Limit, "limit", 50, "at most so many, the newest; up to 10000")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// fillFilter checks what was asked for, so that a mistyped filter is not an
// empty list.
func (p program) fillFilter(f *store.AuditFilter, since, until string) (err error) {
	if f.Since, err = p.moment("since", since); err != nil {
		return err
	}
	if f.Until, err = p.moment("until", until); err != nil {
		return err
	}
	if f.Limit < 1 || f.Limit > 10_000 {
		return usage("--limit wants a number from 1 to 10000")
	}
	switch f.Effect {
	case "", "allow", "deny", "require_approval":
	default:
		return usage("--effect wants allow, deny or require_approval")
	}
	if f.Trace != "" && !identity.IsTraceID(f.Trace) {
		if f.Trace = identity.TraceID(f.Trace); f.Trace == "" {
			return usage("--trace wants 32 lower-case hex digits, or a whole traceparent")
		}
	}
	if f.Tool != "" && !strings.Contains(f.Tool, ".") && !strings.HasPrefix(f.Tool, tools.Prefix) {
		f.Tool = tools.Prefix + f.Tool
	}
	return nil
}

// moment reads a time of a flag; "" is the zero time.
func (p program) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return p.now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--%s wants 24h, 2026-03-01 or 2026-03-01T12:00:00Z, not %q", flag, text)
}

func (p program) printRecorded(found []store.Recorded, asJSON bool) error {
	if asJSON {
		answers := make([]auditAnswer, len(found))
		for i, r := range found {
			answers[i] = answerRecorded(r)
		}
		return json.NewEncoder(p.out).Encode(map[string]any{"entries": answers})
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "LINE\tTIME\tPRINCIPAL\tTOOL\tON\tEFFECT\tREASON\tRESULT")
	for _, r := range found {
		e := r.Entry
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, e.Time.UTC().Format(time.RFC3339), e.Principal,
			strings.TrimPrefix(e.Tool, tools.Prefix), about(e), e.Effect, cmp.Or(e.Reason, "-"), came(r))
	}
	return w.Flush()
}

// about is what an entry acts on: space and id, as far as they were known.
func about(e audit.Entry) string {
	on := strings.Trim(e.SpaceKey+" "+e.ResourceID, " ")
	return cmp.Or(on, "-")
}

func came(r store.Recorded) string {
	words := []string{cmp.Or(r.Outcome.Result, "unfinished")}
	if r.Outcome.ErrorCode != "" {
		words = append(words, r.Outcome.ErrorCode)
	}
	if r.Outcome.Version > 0 {
		words = append(words, fmt.Sprintf("version %d", r.Outcome.Version))
	}
	if r.Entry.DryRun {
		words = append(words, "(dry run)")
	}
	return strings.Join(words, " ")
}

func (p program) auditVerifyCommand() *cobra.Command {
	var (
		at     place
		given  []string
		asJSON bool
	)
	c := &cobra.Command{Use: "verify [EXPORT]", Short: "Check that no line was changed, removed, added or moved", Args: cobra.MaximumNArgs(1),
		Long: `Check the audit log, or an exported file of it (- for standard input), line by
line. Exit code 0 when it is as it was written, 1 when it is not, with the
number of the first bad line.

A line that was changed, removed, added or moved is found, and so is an end that
was cut off. Somebody who may write to the data folder and knows the format can
still write the log anew from some line on, every hash recomputed: that shows
only against an anchor, a line number and hash that verify and export print.
Keep anchors where that person can't write, and give them with --anchor. A part
exported with --after N is checked from the anchor of line N.`,
		Example: `  confluence-mcp audit verify
  confluence-mcp audit verify --anchor 1400:6f0c…
  confluence-mcp audit export | confluence-mcp audit verify -`,
		RunE: func(c *cobra.Command, args []string) error {
			anchors, err := parseAnchors(given)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				head, err := p.verifyExport(args[0], anchors)
				return p.printVerdict(head, err, asJSON)
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error {
				head, err := s.VerifyAudit(ctx, anchors)
				return p.printVerdict(head, err, asJSON)
			})
		}}
	at.flags(c)
	c.Flags().StringSliceVar(&given, "anchor", nil, "`NUMBER:HASH` noted earlier; may be repeated")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func parseAnchors(given []string) ([]audit.Head, error) {
	var anchors []audit.Head
	for _, text := range given {
		h, err := audit.ParseHead(text)
		if err != nil {
			return nil, usage("--anchor %v", err)
		}
		anchors = append(anchors, h)
	}
	return anchors, nil
}

// printVerdict says what verify found. A broken log is exit code 1.
func (p program) printVerdict(head audit.Head, err error, asJSON bool) error {
	var broken *audit.Broken
	if err != nil && (!asJSON || !errors.As(err, &broken)) {
		return err
	}
	if !asJSON {
		_, err := fmt.Fprintf(p.out, "ok, %d lines\nanchor %s\n", head.Seq, head)
		return err
	}
	if broken != nil {
		verdict := map[string]any{"ok": false, "line": broken.Seq, "reason": broken.Reason}
		return errors.Join(&exitError{exitFailed, errors.New("")}, json.NewEncoder(p.out).Encode(verdict))
	}
	return json.NewEncoder(p.out).Encode(map[string]any{"ok": true, "lines": head.Seq, "anchor": head.String()})
}

// maxAuditLine is the longest line an exported file may have, in bytes.
const maxAuditLine = 1 << 20

// verifyExport checks a file. It begins at line 1, or behind an anchor.
func (p program) verifyExport(name string, anchors []audit.Head) (audit.Head, error) {
	in := p.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return audit.Head{}, err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	c := audit.Chain{Anchors: anchors}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxAuditLine)
	for first := true; lines.Scan(); first = false {
		if first {
			c.Head = beginning(lines.Text(), anchors)
		}
		if err := c.Add(lines.Text()); err != nil {
			return c.Head, err
		}
	}
	if err := lines.Err(); err != nil {
		return c.Head, fmt.Errorf("read %s behind line %d: %w", name, c.Head.Seq, err)
	}
	return c.Head, c.End(c.Head)
}

// beginning is the anchor right before the first line of a file.
func beginning(line string, anchors []audit.Head) audit.Head {
	if l, _, err := audit.Parse(line); err == nil {
		for _, a := range anchors {
			if a.Seq == l.Seq-1 {
				return a
			}
		}
	}
	return audit.Head{}
}

func (p program) auditExportCommand() *cobra.Command {
	var (
		at    place
		after int64
	)
	c := &cobra.Command{Use: "export", Short: "Print the log as JSON lines, as they are kept and hashed",
		Long: `Print the log as JSON lines, byte for byte as they are kept and hashed, so that
audit verify can check the file anywhere. Every call has a line of kind decided,
written before it ran, and one of kind finished with what came of it, which
names the first in entry. There are no titles, bodies or queries in it.

The anchor of the last line comes on standard error: keep it, it proves later
that nothing before it was changed, and export --after N goes on from it.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if after < 0 {
				return usage("--after wants the number of a line")
			}
			return p.withPrecious(c.Context(), at, func(ctx context.Context, s *store.Precious) error { return p.exportAudit(ctx, s, after) })
		}}
	at.flags(c)
	c.Flags().Int64Var(&after, "after", 0, "only lines behind this `line`")
	return alwaysJSON(c)
}

// exportAudit prints what is there even when it is broken, and says so.
func (p program) exportAudit(ctx context.Context, s *store.Precious, after int64) error {
	out := bufio.NewWriter(p.out)
	var last audit.Head
	var bad error
	err := s.AuditLines(ctx, after, func(seq int64, line string) error {
		l, _, err := audit.Parse(line)
		if err != nil && bad == nil {
			bad = fmt.Errorf("line %d %w; run: confluence-mcp audit verify", seq, err)
		}
		last = audit.Head{Seq: l.Seq, Hash: l.Hash}
		_, err = io.WriteString(out, line+"\n")
		return err
	})
	if err := errors.Join(err, out.Flush(), bad); err != nil {
		return err
	}
	if last.Seq > 0 {
		fmt.Fprintf(p.errOut, "anchor %s\n", last)
	}
	return nil
}
