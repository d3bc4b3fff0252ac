package wiki

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// grownMarkdown is the body of page k in replica r, made of the base body.
func grownMarkdown(body string, g Growth, k, r int) string {
	d := newDice(g.Seed, k)
	var b strings.Builder
	for _, p := range paragraphs(body) {
		if drop := d.below(dropParagraph); drop && !isHeading(p) && !holdsCode(p) {
			continue
		}
		d.reword(&b, p, r)
		b.WriteString("\n\n")
	}
	return b.String()
}

// refLine is unique for every grown page.
func refLine(g Growth, k int) string { return fmt.Sprintf("Ref zq%x.", mix(g.Seed^uint64(k))) }

// cut shortens Markdown to n characters; 0 leaves it. A fence that the cut
// leaves open is closed, so that what follows is text again.
func cut(body string, n int) string {
	if n <= 0 || utf8.RuneCountInString(body) <= n {
		return body
	}
	body = string([]rune(body)[:n])
	if fence := openFence(body); fence != "" {
		body += "\n" + fence
	}
	return body
}

// paragraphs splits Markdown at blank lines outside fences.
func paragraphs(body string) []string {
	var out []string
	var current []string
	fence := ""
	flush := func() {
		if len(current) > 0 {
			out = append(out, strings.Join(current, "\n"))
			current = nil
		}
	}
	for line := range strings.SplitSeq(body, "\n") {
		if fence == "" && strings.TrimSpace(line) == "" {
			flush()
			continue
		}
		fence = nextFence(fence, line)
		current = append(current, line)
	}
	flush()
	return out
}

// nextFence is the open fence after a line, or empty.
func nextFence(open, line string) string {
	text := strings.TrimLeft(line, " \t>")
	if open != "" {
		if rest, ok := strings.CutPrefix(text, open); ok && strings.Trim(rest, open[:1]+" \t\r") == "" {
			return ""
		}
		return open
	}
	text = strings.TrimLeft(text, "-*+0123456789. ") // a fence can open a list item
	for _, mark := range []string{"`", "~"} {
		n := len(text) - len(strings.TrimLeft(text, mark))
		if n >= 3 && !(mark == "`" && strings.Contains(text[n:], "`")) {
			return text[:n]
		}
	}
	return ""
}

func openFence(body string) string {
	fence := ""
	for line := range strings.SplitSeq(body, "\n") {
		fence = nextFence(fence, line)
	}
	return fence
}

func isHeading(p string) bool {
	return strings.HasPrefix(strings.TrimLeft(p, " "), "#")
}

func holdsCode(p string) bool {
	return strings.Contains(p, "`") || strings.Contains(p, "~~~") || strings.HasPrefix(p, "    ") || strings.HasPrefix(p, "\t")
}
