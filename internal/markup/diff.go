package markup

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// diffContext is how many unchanged lines a diff shows around a change.
const diffContext = 2

// Diff is a unified diff of two Markdown texts, empty when they are equal.
func Diff(before, after string) string {
	if before == after {
		return ""
	}
	a, b := strings.Split(strings.TrimRight(before, "\n"), "\n"), strings.Split(strings.TrimRight(after, "\n"), "\n")
	var out strings.Builder
	var hunk []gap
	flush := func() {
		if len(hunk) > 0 {
			writeHunk(&out, a, b, hunk)
		}
		hunk = nil
	}
	for _, g := range gaps(matches(lineKeys(a), lineKeys(b)), len(a), len(b)) {
		if n := len(hunk); n > 0 && g.a0-hunk[n-1].a1 > 2*diffContext {
			flush()
		}
		hunk = append(hunk, g)
	}
	flush()
	return out.String()
}

func lineKeys(lines []string) []uint64 {
	out := make([]uint64, len(lines))
	for i, l := range lines {
		out[i] = mix(fnvOffset, l)
	}
	return out
}

func writeHunk(out *strings.Builder, a, b []string, hunk []gap) {
	first, last := hunk[0], hunk[len(hunk)-1]
	lead := min(diffContext, first.a0)
	trail := min(diffContext, len(a)-last.a1)
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", first.a0-lead+1, last.a1+trail-first.a0+lead, first.b0-lead+1, last.b1+trail-first.b0+lead)
	at := first.a0 - lead
	for _, g := range hunk {
		writeLines(out, " ", a[at:g.a0])
		writeLines(out, "-", a[g.a0:g.a1])
		writeLines(out, "+", b[g.b0:g.b1])
		at = g.a1
	}
	writeLines(out, " ", a[at:at+trail])
}

func writeLines(out *strings.Builder, sign string, lines []string) {
	for _, l := range lines {
		out.WriteString(sign + l + "\n")
	}
}

// diffAround renders only the top-level nodes that differ, with a neighbour on
// each side: rendering a large page twice to show one word would be waste.
func diffAround(before, after *storage.Tree, v View) string {
	a, b := topNodes(before.Root), topNodes(after.Root)
	head := 0
	for head < len(a) && head < len(b) && before.Raw(a[head]) == after.Raw(b[head]) {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && before.Raw(a[len(a)-1-tail]) == after.Raw(b[len(b)-1-tail]) {
		tail++
	}
	if len(a) < 200 && len(b) < 200 {
		return Diff(render(before, v).text, render(after, v).text)
	}
	from, cutA, cutB := max(0, head-2), min(len(a), len(a)-tail+2), min(len(b), len(b)-tail+2)
	return Diff(renderPart(before, a[from:cutA], v), renderPart(after, b[from:cutB], v))
}

func topNodes(root *storage.Node) []*storage.Node {
	var out []*storage.Node
	for k := root.First; k != nil; k = k.Next {
		out = append(out, k)
	}
	return out
}

func renderPart(t *storage.Tree, nodes []*storage.Node, v View) string {
	if len(nodes) == 0 {
		return ""
	}
	return render(storage.Parse(t.Source[nodes[0].Start:nodes[len(nodes)-1].End]), v).text
}
