package tools

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// plan is a write that was worked out and not yet made.
type plan struct {
	action  policy.Action     // graver than the tool's own; empty: the tool's own
	change  policy.Change     // what rules see
	also    []policy.Resource // where else it reaches; judged too, strictest wins
	target  receipt           // what the write is about, as known beforehand
	summary string            // what it does, one sentence
	notes   []string
	before  string // as Markdown, for the diff
	after   string
	worded  bool   // before and after are words about the change, no text of a page
	base    string // the stored body it starts from, for the digest
	was, is string // the stored bodies, for the approver
	content string // text of a file, for the approver
	noop    bool   // nothing would change
	version int    // number of the version it would make
	touched []touchedBlock
	losses  []string // what the page holds less of afterwards, in words
	// inverse is what undoing it needs, once it is made; nil: nothing is kept.
	inverse func(ctx context.Context, made receipt) inverse
	// commit makes the write. It is the only function that changes anything.
	commit func(ctx context.Context) (receipt, error)
}

// receipt is what every write answers: never the body.
type receipt struct {
	ID           string   `json:"id"`
	Type         string   `json:"type"`
	Title        string   `json:"title,omitempty"`
	SpaceKey     string   `json:"space_key,omitempty"`
	Version      int      `json:"version,omitempty"`
	URL          string   `json:"url,omitempty"`
	Summary      string   `json:"summary"`
	AddedLines   int      `json:"added_lines"`
	RemovedLines int      `json:"removed_lines"`
	Notes        []string `json:"notes,omitempty"`
	DryRun       bool     `json:"dry_run,omitempty"`
	Digest       string   `json:"digest,omitempty"`
	ChangeID     string   `json:"change_id,omitempty"` // for confluence_undo
	Effect       string   `json:"effect,omitempty"`
	Diff         string   `json:"diff,omitempty"`

	Touched    []touchedBlock `json:"touched,omitempty"` // blocks of the base that change
	Losses     []string       `json:"losses,omitempty"`
	BodyBytes  int            `json:"body_bytes,omitempty"`  // of the stored body afterwards
	NewVersion int            `json:"new_version,omitempty"` // in a dry run

	unchanged bool               // there was nothing to do
	saved     confluence.Version // of a page: the version this tells of
}

// pageReceipt is the part of a receipt that a page gives.
func pageReceipt(p confluence.Page) receipt {
	return receipt{ID: p.ID, Type: cmp.Or(p.Type, onPage), Title: line(p.Title), SpaceKey: p.SpaceKey, Version: p.Version.Number, URL: p.WebURL, saved: p.Version}
}

// commit makes the planned write and reports it.
func (k *call) commit(ctx context.Context) (answer, error) {
	if k.plan.noop {
		r := k.plan.target
		r.Summary, r.unchanged = "Nothing was changed: it is already so.", true
		return answer{text: r.text(), structured: r, version: r.Version}, nil
	}
	r, err := k.plan.commit(ctx)
	if err != nil {
		return answer{}, err
	}
	k.keepUndo(ctx, &r)
	r.Summary = cmp.Or(r.Summary, k.plan.summary)
	r.AddedLines, r.RemovedLines = k.plan.lines()
	r.Notes, r.Losses = append(r.Notes, k.plan.notes...), k.plan.losses
	return answer{text: r.text(), structured: r, version: r.Version}, nil
}

// preview answers a dry run: the diff, and the digest an approval would bind to.
func (k *call) preview() (answer, error) {
	r := k.plan.target
	r.DryRun, r.Effect = true, k.decision.Effect.String()
	r.Summary, r.Notes = k.plan.summary, k.plan.notes
	r.AddedLines, r.RemovedLines = k.plan.lines()
	r.Touched, r.Losses, r.BodyBytes, r.NewVersion = k.plan.touched, k.plan.losses, len(k.plan.is), k.plan.version
	digest, err := k.digest(k.decision.Revision)
	if err != nil {
		return answer{}, err
	}
	r.Digest = digest
	diff, err := unifiedDiff(k.plan.before, k.plan.after)
	if err != nil {
		return answer{}, err
	}
	if diff != "" {
		r.Diff = fence(k.nonce, guard(diff, k.home()).Text)
	}
	return answer{text: r.text(), structured: r}, nil
}

// digest names exactly this change: who, where, what, on which base, with what
// result, under which policy revision. Any difference gives another one.
func (k *call) digest(revision string) (string, error) {
	p := k.plan
	canonical, err := json.Marshal(map[string]any{
		"v": 1, "site": k.info.ID, "tool": k.tool.Name, "args": json.RawMessage(withoutDryRun(k.args)), "principal": k.caller.Principal(),
		"page": k.request.Resource.ID, "base_version": k.request.Resource.Version, "policy": revision,
		"base_sha256": sumOf(p.base), "shown_sha256": sumOf(p.summary, p.before, p.after, p.was, p.is),
	})
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return "sha256:" + sumOf(string(canonical)), nil
}

// sumOf is the SHA-256, in hex, of parts that cannot be shifted into another.
func sumOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// text is the receipt for a model.
func (r receipt) text() string {
	var b strings.Builder
	if r.unchanged {
		fmt.Fprintf(&b, "%s\n", r.Summary)
	} else if r.DryRun {
		fmt.Fprintf(&b, "Dry run, nothing was changed. Would do: %s\n", r.Summary)
	} else {
		fmt.Fprintf(&b, "Done: %s\n", r.Summary)
	}
	if r.ID != "" {
		fmt.Fprintf(&b, "%s %s", r.Type, r.ID)
		if r.Title != "" {
			fmt.Fprintf(&b, " %q", r.Title)
		}
		if r.Version > 0 {
			fmt.Fprintf(&b, ", version %d", r.Version)
		}
		b.WriteString("\n")
	}
	if r.URL != "" {
		b.WriteString(r.URL + "\n")
	}
	if r.AddedLines+r.RemovedLines > 0 {
		fmt.Fprintf(&b, "Lines: +%d -%d\n", r.AddedLines, r.RemovedLines)
	}
	if r.BodyBytes > 0 {
		fmt.Fprintf(&b, "Stored body: %d bytes\n", r.BodyBytes)
	}
	if r.NewVersion > 0 {
		fmt.Fprintf(&b, "New version: %d\n", r.NewVersion)
	}
	for _, t := range r.Touched {
		fmt.Fprintf(&b, "Touches: %s %s %s\n", t.Handle, t.Kind, quoteShort(t.Text))
	}
	if r.ChangeID != "" {
		b.WriteString("Undo with change_id " + r.ChangeID + "\n")
	}
	for _, n := range r.Notes {
		b.WriteString("Note: " + n + "\n")
	}
	if r.DryRun {
		fmt.Fprintf(&b, "Policy: %s\nDigest: %s\n%s", r.Effect, r.Digest, r.Diff)
	}
	return strings.TrimSpace(b.String())
}

// bodyChange fills what rules see of a body that goes from before to after,
// both storage; the lines compared are those of the Markdown.
func (p *plan) bodyChange(before, after, home string) {
	p.was, p.is = before, after
	p.change.BodyBytes = int64(len(after))
	for _, op := range lineDiff(p.before, p.after) {
		switch op.sign {
		case '+':
			p.change.AddedBytes += int64(len(op.line))
		case '-':
			p.change.RemovedBytes += int64(len(op.line))
		}
	}
	if len(p.before) > 0 {
		p.change.RemovedRatio = min(1, float64(p.change.RemovedBytes)/float64(len(p.before)))
	}
	was, is := document(before).Inventory(), document(after).Inventory()
	p.change.MacrosAdded = macrosAdded(was, is)
	p.change.ExternalHostsAdded = hostsAdded(was, is, home)
}

// added lists what after has and before has not, each once.
func added(before, after []string) []string {
	var out []string
	for _, s := range after {
		if !slices.Contains(before, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

type diffLine struct {
	sign byte
	line string
}

// maxDiffLines bounds the work of a diff; a longer text counts as replaced.
const maxDiffLines = 4000

func lineDiff(before, after string) []diffLine {
	a, b := splitLines(before), splitLines(after)
	var out []diffLine
	if len(a)+len(b) > maxDiffLines {
		for _, l := range a {
			out = append(out, diffLine{'-', l})
		}
		for _, l := range b {
			out = append(out, diffLine{'+', l})
		}
		return out
	}
	for _, op := range difflib.NewMatcher(a, b).GetOpCodes() {
		if op.Tag == 'e' {
			continue
		}
		for _, l := range a[op.I1:op.I2] {
			out = append(out, diffLine{'-', l})
		}
		for _, l := range b[op.J1:op.J2] {
			out = append(out, diffLine{'+', l})
		}
	}
	return out
}

func countLines(before, after string) (plus, minus int) {
	for _, l := range lineDiff(before, after) {
		if l.sign == '+' {
			plus++
		} else {
			minus++
		}
	}
	return plus, minus
}

// lines counts the lines of text a write adds and takes away.
func (p *plan) lines() (plus, minus int) {
	if p.worded {
		return 0, 0
	}
	return countLines(p.before, p.after)
}

// maxDiff bounds the text of a shown diff, in characters.
const maxDiff = 20_000

func unifiedDiff(before, after string) (string, error) {
	a, b := splitLines(before), splitLines(after)
	if len(a)+len(b) > maxDiffLines {
		return "", nil
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: a, B: b, FromFile: "before", ToFile: "after", Context: 2})
	if err != nil {
		return "", fmt.Errorf("diff: %w", err)
	}
	if runes(text) > maxDiff {
		text = clip(text, maxDiff) + "\n[the diff is longer]"
	}
	return text, nil
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return difflib.SplitLines(strings.TrimSuffix(s, "\n"))
}
