package markup

import "strings"

// spread puts blank lines around <details> lines, which people write without:
// GFM would read what follows as raw HTML.
func spread(md string) string {
	if !strings.Contains(md, "details>") && !strings.Contains(md, "</summary>") {
		return md
	}
	lines := strings.Split(md, "\n")
	out := make([]string, 0, len(lines)+8)
	fence := ""
	for i, line := range lines {
		t := strings.TrimLeft(line, " \t>")
		prefix := strings.TrimRight(line[:len(line)-len(t)], " ")
		t = strings.TrimSpace(t)
		fence = nextFence(fence, t)
		if fence == "" && strings.EqualFold(t, "</details>") && i > 0 && !blankLine(lines[i-1]) {
			out = append(out, prefix)
		}
		out = append(out, line)
		opens := strings.HasSuffix(strings.ToLower(t), "</summary>") || strings.EqualFold(t, "</details>")
		if fence == "" && opens && i+1 < len(lines) && !blankLine(lines[i+1]) {
			out = append(out, prefix)
		}
	}
	return strings.Join(out, "\n")
}

func blankLine(s string) bool { return strings.Trim(s, " \t>") == "" }

// nextFence is the code fence that is open after line t.
func nextFence(open, t string) string {
	f := fenceOf(t)
	switch {
	case f == "":
		return open
	case open == "":
		return f
	case strings.HasPrefix(f, open) && strings.Trim(t, f[:1]) == "":
		return ""
	}
	return open
}

// fenceOf is the run of backticks or tildes that begins a fence line.
func fenceOf(t string) string {
	if len(t) < 3 || t[0] != '`' && t[0] != '~' {
		return ""
	}
	n := 0
	for n < len(t) && t[n] == t[0] {
		n++
	}
	if n < 3 {
		return ""
	}
	return t[:n]
}
