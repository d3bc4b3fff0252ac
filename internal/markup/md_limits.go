package markup

import (
	"strings"
	"unicode/utf8"
)

// Limits of written Markdown. The largest page known renders to 460 kB. The
// last three stand where the Markdown parser's time grows faster than its text.
const (
	maxMarkdown    = 4 << 20
	maxMarkers     = 60 // nested quotes and lists on one line
	maxRun         = 6000
	maxIndent      = 200     // columns before the marker of a list
	maxDefinitions = 5_000   // lines that may define the target of a link
	maxCells       = 200_000 // of tables, with those a short row is filled up with
)

// checkMarkdown refuses what would take a parser more time than it is worth.
func checkMarkdown(md string) error {
	if len(md) > maxMarkdown {
		return fail("too_large", "Send a smaller text, or edit by section.", "the Markdown is larger than %d bytes", maxMarkdown)
	}
	if !utf8.ValidString(md) {
		return fail("invalid", "Send UTF-8.", "the Markdown is not valid UTF-8")
	}
	if i := strings.IndexByte(md, 0); i >= 0 {
		return fail("invalid", "Remove it.", "the Markdown holds a NUL character at offset %d", i)
	}
	var c cost
	line := 0
	for s := range strings.Lines(md) {
		line++
		if message, next := c.line(s); message != "" {
			return &Error{Code: "markup.too_large", Message: message, Next: next, Line: line, Column: 1}
		}
	}
	return nil
}

// cost is what the lines so far may cost to parse. It looks at lines alone, so
// code that looks like a list or a table counts as one.
type cost struct {
	definitions, cells int
	width              int // columns of the table above, 0 outside of one
}

// line adds one line, and says what is too much about it.
func (c *cost) line(s string) (message, next string) {
	text := strings.TrimLeft(s, "> \t")
	if strings.HasPrefix(text, "[") && strings.Contains(text, "]:") {
		c.definitions++
	}
	c.table(text)
	switch {
	case markers(s) > maxMarkers, strings.HasPrefix(s, strings.Repeat(" ", maxIndent)) && markers(s) > 0:
		return "quotes or lists are nested too deep", "Nest less."
	case delimiters(s) > maxRun:
		return "too many emphasis or bracket characters in one line", "Write plain text or a code block."
	case c.definitions > maxDefinitions:
		return "too many link definitions", "Write links where they stand: [text](address)."
	case c.cells > maxCells:
		return "tables of too many cells", "Write fewer or smaller tables."
	}
	return "", ""
}

func (c *cost) table(text string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		c.width = 0
	case strings.Trim(text, "|-: \t") == "" && strings.Contains(text, "-"):
		c.width = 1 + strings.Count(text, "|")
		c.cells += c.width
	case c.width > 0:
		c.cells += c.width
	}
}

// markers counts the quote and list signs a line begins with.
func markers(line string) int {
	n := 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '>', (c == '-' || c == '*' || c == '+') && i+1 < len(line) && isBlank(line[i+1]):
			n++
		case c != ' ' && c != '\t':
			return n
		}
	}
	return n
}

func delimiters(line string) int {
	n := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '*', '_', '[', '~':
			n++
		case '`', '<', '&':
			n++
		}
	}
	return n
}
