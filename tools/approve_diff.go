package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/pmezard/go-difflib/difflib"

	"confluence-mcp/internal/markup"
)

// whole is what an approver sees of a planned write: all that its digest is of,
// with nothing that hides. What Markdown does not tell shows as storage too,
// characters nobody can see show as their code points, sizes are told, and
// behind it all stands what was asked for.
func (k *call) whole() string {
	p := k.plan
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nstored: %d bytes before, %d after", visible(p.summary), len(p.was), len(p.is))
	if p.was != p.is {
		b.WriteString(", sha256 " + bodySum(p.is))
	}
	b.WriteString("\n")
	for _, n := range p.notes {
		b.WriteString("note: " + visible(n) + "\n")
	}
	if n := unseen(p.is) - unseen(p.was); n > 0 {
		fmt.Fprintf(&b, "hidden characters added to what is stored: %d\n%s", n, wholeDiff(onlyUnseen(p.was), onlyUnseen(p.is)))
	}
	b.WriteString(wholeDiff(p.before, p.after))
	if p.was != p.is && !(k.tellsAll(p.was) && k.tellsAll(p.is)) {
		b.WriteString("not all of it shows in the text; as stored:\n" + wholeDiff(byTag(p.was), byTag(p.is)))
	}
	if p.content != "" {
		b.WriteString("content of the file:\n" + wholeDiff("", p.content))
	}
	b.WriteString(askedFor(withoutDryRun(k.args)))
	return b.String()
}

// tellsAll reports whether Markdown tells everything of a stored body: written
// anew, it is that body. Handles that stand for macros are not enough.
func (k *call) tellsAll(stored string) bool {
	if stored == "" {
		return true
	}
	space := cmp.Or(k.request.Resource.SpaceKey, k.request.Change.TargetSpaceKey)
	again, err := markup.FromMarkdown(k.markdown(stored, space), k.writing(space, nil))
	return err == nil && again == stored
}

// maxArgument is the longest text of an argument that is repeated behind the
// diff, in characters: what comes of longer ones stands in it.
const maxArgument = 255

// askedFor are the arguments of a call, one a line.
func askedFor(args []byte) string {
	var given map[string]any
	dec := json.NewDecoder(bytes.NewReader(args))
	dec.UseNumber()
	if err := dec.Decode(&given); err != nil {
		return "asked for: " + visible(string(args)) + "\n"
	}
	var b strings.Builder
	b.WriteString("asked for:\n")
	for _, name := range sortedKeys(given) {
		b.WriteString("  " + name + ": " + plainJSON(shortened(given[name])) + "\n")
	}
	return b.String()
}

// shortened has the size and the sum of every long text in its place.
func shortened(v any) any {
	switch v := v.(type) {
	case string:
		if runes(v) > maxArgument {
			return map[string]any{"bytes": len(v), "sha256": bodySum(v)}
		}
	case []any:
		for i := range v {
			v[i] = shortened(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = shortened(v[name])
		}
	}
	return v
}

// plainJSON is JSON for a person: only characters nobody can see are escaped.
func plainJSON(v any) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return visible(fmt.Sprint(v))
	}
	var b strings.Builder
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// wholeDiff is the unified diff of two texts, whatever their size: of long ones
// only what is between what they begin and end with in common, and where that is
// long as well, all of the old and all of the new of it.
func wholeDiff(before, after string) string {
	if before == after {
		return ""
	}
	a, b := splitLines(before), splitLines(after)
	var out strings.Builder
	if len(a)+len(b) > maxDiffLines {
		var above, below int
		a, b, above, below = between(a, b)
		if above+below > 0 {
			fmt.Fprintf(&out, "lines that stay: %d above, %d below\n", above, below)
		}
	}
	if len(a)+len(b) <= maxDiffLines {
		if text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: a, B: b, FromFile: "before", ToFile: "after", Context: diffContext}); err == nil {
			return visible(out.String() + text)
		}
	}
	for _, l := range a {
		out.WriteString("-" + l)
	}
	for _, l := range b {
		out.WriteString("+" + l)
	}
	return visible(out.String())
}

// diffContext is how many lines beside a change are shown with it.
const diffContext = 3

// between leaves out the lines two texts begin and end with in common, but those
// right beside what differs. above and below are how many it left out.
func between(a, b []string) (midA, midB []string, above, below int) {
	shorter := min(len(a), len(b))
	for above < shorter && a[above] == b[above] {
		above++
	}
	for below < shorter-above && a[len(a)-1-below] == b[len(b)-1-below] {
		below++
	}
	above, below = max(0, above-diffContext), max(0, below-diffContext)
	return a[above : len(a)-below], b[above : len(b)-below], above, below
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
