package markup

import (
	"fmt"
	"strings"

	"confluence-mcp/internal/markup/storage"
)

// Error is the one error of the package. Code is one of:
//
//	markup.malformed    the storage is not well-formed; see Line and Column
//	markup.too_large    beyond a limit of size, nodes or depth
//	markup.invalid      an argument is missing or can't be used
//	markup.not_found    no such text, heading, handle, row or column
//	markup.ambiguous    several places match; Candidates lists them
//	markup.overlap      two edits of one call touch the same bytes
//	markup.loss         content would be lost that the caller did not name
//	markup.elision      the text has a gap such as "rest unchanged", or shrinks by more than half
//	markup.refused      forbidden content: html or script macros, javascript: links
//	markup.unsupported  the change can't be made without losing something
//	markup.conflict     the page was changed in the same place meanwhile
//
// Message says what happened and Next what to do, one sentence each. Line and
// Column count from 1 and are 0 when there is no place to name.
type Error struct {
	Code       string
	Message    string
	Next       string
	Line       int
	Column     int
	Offset     int
	Candidates []string
	Losses     []Loss
}

// Error implements error: the message with its place.
func (e *Error) Error() string {
	s := e.Message
	if e.Line > 0 {
		s = fmt.Sprintf("%s (line %d, column %d, offset %d)", s, e.Line, e.Column, e.Offset)
	}
	if len(e.Candidates) > 0 {
		s += ": " + strings.Join(e.Candidates, "; ")
	}
	if e.Next != "" {
		s += ". " + e.Next
	}
	return s
}

func fail(code, next, format string, args ...any) *Error {
	return &Error{Code: "markup." + code, Message: fmt.Sprintf(format, args...), Next: next}
}

// faultError is the error of storage that must not be edited.
func faultError(f *storage.Fault) *Error {
	code := "markup.malformed"
	if f.Code != "malformed" {
		code = "markup.too_large"
	}
	return &Error{Code: code, Message: "the storage can be read but not edited: " + f.Message,
		Next: "Repair the page in the Confluence editor first.", Line: f.Line, Column: f.Column, Offset: f.Offset}
}
