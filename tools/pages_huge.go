package tools

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/markup"
)

// A page beyond hugePage is shown from one part of its storage at a time,
// because a tree of all of it costs many times its size. The largest real page
// known is 1.5 MB.
const (
	hugePage = 2 << 20
	hugePart = 128 << 10
)

// partOf leaves of a huge page what is shown from one place on. Where reading
// goes on is kept in from.next, 0 for nowhere.
func (from *place) partOf(p *confluence.Page, mode string) error {
	if len(p.Body) <= hugePage {
		return nil
	}
	if mode == "outline" || mode == "blocks" || mode == "section" {
		return &confluence.Error{Kind: confluence.Limited, Code: "limit.too_large",
			Message: fmt.Sprintf("The page is too large for mode %s: %d bytes.", mode, len(p.Body)), Next: "Read it in parts, in mode markdown or storage."}
	}
	from.size = len(p.Body)
	from.source = min(from.source, from.size)
	end := partEnd(p.Body, from.source)
	if end < from.size {
		from.next = end
	}
	p.Body = strings.Clone(p.Body[from.source:end]) // lets go of the rest
	return nil
}

// partEnd is where a part ends: after a row or paragraph when there is one in
// its last half, at least after a tag, never inside a character.
func partEnd(body string, from int) int {
	if len(body)-from <= hugePart {
		return len(body)
	}
	part := body[from : from+hugePart]
	for _, border := range []string{"</tr>", "</p>", ">", " "} {
		if i := strings.LastIndex(part, border); i > hugePart/2 {
			return from + i + len(border)
		}
	}
	end := from + hugePart
	for !utf8.RuneStart(body[end]) && end > from+1 {
		end--
	}
	return end
}

// conversionError is where stored content has a fault: it is shown as far as a
// tolerant reader gets and cannot be edited.
type conversionError struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// faultOf says where parsing found a fault; nil for sound content. It says it
// in words of its own: those of the parser quote the page.
func faultOf(err error) *conversionError {
	var e *markup.Error
	if !errors.As(err, &e) {
		return nil
	}
	message := "The stored page is not well-formed."
	if e.Code == "markup.too_large" {
		message = "The stored page is too large or nested too deep."
	}
	return &conversionError{Message: message, Line: e.Line, Column: e.Column}
}

func (e *conversionError) note() string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("Conversion error at line %d, column %d of the storage: %s What is shown may be incomplete.\n", e.Line, e.Column, e.Message)
}
