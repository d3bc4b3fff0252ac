package profile

import (
	"fmt"
	"strings"
)

// Position is a place in a profile file. Line and Column start at 1; Column
// counts characters. The zero value is the file as a whole.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`

	indent int // of the lines of a literal block that starts below Line
}

// Within is the place of a line (from 1) and column (from 0) inside the text
// that starts at p. Inside a folded or quoted text the column is that of the
// text itself, because YAML has joined its lines.
func (p Position) Within(line, column int) Position {
	if p.indent > 0 {
		return Position{Line: p.Line + line, Column: p.indent + column + 1}
	}
	if line <= 1 {
		return Position{Line: p.Line, Column: p.Column + column}
	}
	return Position{Line: p.Line, Column: p.Column}
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	File     string `json:"file"`
	Position        // of the key or value that is wrong
	Rule     string `json:"rule,omitempty"` // id of the rule it concerns
	Text     string `json:"problem"`
}

// String is file:line:column: text, as editors understand it.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Rule != "" {
		b.WriteString("rule " + p.Rule + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is every problem found in one go, as an error.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
