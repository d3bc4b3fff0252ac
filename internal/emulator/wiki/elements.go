package wiki

import "strings"

// grownStorage is grownMarkdown for storage: its paragraphs are the top-level
// elements, and only words that a reader sees are replaced.
func grownStorage(storage string, g Growth, k, r int) string {
	d := newDice(g.Seed, k)
	var b strings.Builder
	for _, e := range elements(storage) {
		if drop := d.below(dropParagraph); drop && droppable(e) {
			continue
		}
		rewordElement(d, &b, e, r)
	}
	return b.String()
}

// droppable elements are neither headings nor layouts and hold no code.
func droppable(e string) bool {
	heading := len(e) > 2 && e[0] == '<' && e[1] == 'h' && '1' <= e[2] && e[2] <= '6'
	return !heading && !strings.HasPrefix(e, "<ac:layout") && !strings.Contains(e, "<code") && !strings.Contains(e, `ac:name="code"`)
}

// cutStorage shortens storage to whole elements of at most n bytes together;
// at least one stays. 0 leaves it.
func cutStorage(storage string, n int) string {
	if n <= 0 || len(storage) <= n {
		return storage
	}
	end := 0
	for _, e := range elements(storage) {
		if end > 0 && end+len(e) > n {
			break
		}
		end += len(e)
	}
	return storage[:end]
}

// token is a tag, a CDATA section, a comment or a run of text.
type token struct {
	text  string
	name  string // of a tag
	depth int    // +1 opens, -1 closes
}

// nextToken splits the first token off.
func nextToken(s string) (token, string) {
	if s[0] != '<' {
		if i := strings.IndexByte(s, '<'); i > 0 {
			return token{text: s[:i]}, s[i:]
		}
		return token{text: s}, ""
	}
	for _, section := range [...][2]string{{"<![CDATA[", "]]>"}, {"<!--", "-->"}} {
		if strings.HasPrefix(s, section[0]) {
			return token{text: s[:through(s, section[1])], name: "!"}, s[through(s, section[1]):]
		}
	}
	t := token{text: s[:through(s, ">")], depth: 1}
	name := strings.TrimLeft(t.text, "</")
	t.name = name[:strings.IndexFunc(name+" ", func(c rune) bool { return c == ' ' || c == '>' || c == '/' || c == '\n' })]
	switch {
	case strings.HasPrefix(t.text, "</"):
		t.depth = -1
	case strings.HasSuffix(t.text, "/>"):
		t.depth = 0
	}
	return t, s[len(t.text):]
}

// through is the end of the first mark in s, or the end of s.
func through(s, mark string) int {
	if i := strings.Index(s, mark); i >= 0 {
		return i + len(mark)
	}
	return len(s)
}

// elements splits storage into its top-level elements, text between them
// going with the one before.
func elements(storage string) []string {
	var out []string
	depth, begin := 0, 0
	for rest := storage; len(rest) > 0; {
		var t token
		at := len(storage) - len(rest)
		t, rest = nextToken(rest)
		if depth == 0 && t.name != "" && t.name != "!" && at > begin {
			out = append(out, storage[begin:at])
			begin = at
		}
		depth = max(0, depth+t.depth)
	}
	if begin < len(storage) {
		out = append(out, storage[begin:])
	}
	return out
}

// rewordElement replaces words in what a reader sees: not in tags, code,
// entities or the parameters of macros.
func rewordElement(d *dice, b *strings.Builder, e string, r int) {
	var open []string
	for len(e) > 0 {
		var t token
		t, e = nextToken(e)
		switch {
		case t.name == "" && readable(open):
			rewordText(d, b, t.text, r)
			continue
		case t.depth > 0:
			open = append(open, t.name)
		case t.depth < 0 && len(open) > 0:
			open = open[:len(open)-1]
		}
		b.WriteString(t.text)
	}
}

// readable tells whether text directly inside these elements is for readers.
func readable(open []string) bool {
	if len(open) == 0 {
		return true
	}
	switch name := open[len(open)-1]; name {
	case "ac:rich-text-body", "ac:task-body", "ac:link-body", "ac:layout-cell", "ac:caption":
		return true
	default:
		return !strings.HasPrefix(name, "ac:") && !strings.HasPrefix(name, "ri:")
	}
}

// rewordText leaves entities alone.
func rewordText(d *dice, b *strings.Builder, text string, r int) {
	for {
		before, rest, found := strings.Cut(text, "&")
		d.reword(b, before, r)
		if !found {
			return
		}
		end := strings.IndexByte(rest, ';') + 1
		b.WriteString("&" + rest[:end])
		text = rest[end:]
	}
}
