package tools

import (
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// whole is what an approver sees of a plan: all of it, with nothing that hides.
// What would not show in Markdown shows as storage, characters nobody can see
// show as their code points, and sizes are told.
func (p *plan) whole() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nstored: %d bytes before, %d after\n", visible(p.summary), len(p.was), len(p.is))
	for _, n := range p.notes {
		b.WriteString("note: " + visible(n) + "\n")
	}
	if n := unseen(p.is) - unseen(p.was); n > 0 {
		fmt.Fprintf(&b, "hidden characters added to what is stored: %d\n%s", n, wholeDiff(onlyUnseen(p.was), onlyUnseen(p.is)))
	}
	if text := wholeDiff(p.before, p.after); text != "" {
		b.WriteString(text)
	} else if p.was != p.is {
		b.WriteString("The change does not show in the text; as stored:\n" + wholeDiff(byTag(p.was), byTag(p.is)))
	}
	return b.String()
}

// wholeDiff is the unified diff of two texts, whatever their size: long ones
// show as all of the old and all of the new.
func wholeDiff(before, after string) string {
	if before == after {
		return ""
	}
	a, b := splitLines(before), splitLines(after)
	if len(a)+len(b) <= maxDiffLines {
		if text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: a, B: b, FromFile: "before", ToFile: "after", Context: 3}); err == nil {
			return visible(text)
		}
	}
	var out strings.Builder
	for _, op := range lineDiff(before, after) {
		out.WriteString(string(op.sign) + strings.TrimSuffix(op.line, "\n") + "\n")
	}
	return visible(out.String())
}

// byTag puts every tag on a line of its own.
func byTag(stored string) string { return strings.ReplaceAll(stored, "><", ">\n<") }

// visible shows characters that a terminal or a browser would not: controls,
// zero width, bidirectional.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unseen(s string) int {
	n := 0
	for _, r := range s {
		if hidden(r) {
			n++
		}
	}
	return n
}

// onlyUnseen keeps the lines of stored content that hold characters nobody can
// see.
func onlyUnseen(stored string) string {
	var b strings.Builder
	for l := range strings.Lines(byTag(stored)) {
		if unseen(strings.TrimSuffix(l, "\n")) > 0 {
			b.WriteString(l)
		}
	}
	return b.String()
}
