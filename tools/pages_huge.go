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
	hugePage = 3 << 19
	hugePart = 64 << 10
)

// part is what to ask of a page that may be huge.
func (from place) part() confluence.Part {
	return confluence.Part{Whole: hugePage, From: from.source, Size: hugePart}
}

// partOf leaves of a huge page what is shown from one place on. Where reading
// goes on is kept in from.next, 0 for nowhere.
func (from *place) partOf(p *confluence.Page, mode string) error {
	if p.BodySize == 0 {
		if len(p.Body) <= hugePage {
			return nil
		}
		from.ofWhole(p)
	}
	if mode == "outline" || mode == "blocks" || mode == "section" {
		return &confluence.Error{Kind: confluence.Limited, Code: "limit.too_large",
			Message: fmt.Sprintf("The page is too large for mode %s: %d bytes.", mode, p.BodySize), Next: "Read it in parts, in mode markdown or storage."}
	}
	from.size = p.BodySize
	from.source = min(from.source, from.size)
	if rest := from.size - from.source; 0 < len(p.Body) && len(p.Body) < rest {
		p.Body = p.Body[:partEnd(p.Body)]
		from.next = from.source + len(p.Body)
	}
	return nil
}

// ofWhole takes the part out of a body that came whole, and lets go of the
// rest.
func (from *place) ofWhole(p *confluence.Page) {
	p.BodySize = len(p.Body)
	begin := min(from.source, p.BodySize)
	end := min(begin+hugePart, p.BodySize)
	for end < p.BodySize && end > begin && !utf8.RuneStart(p.Body[end]) {
		end--
	}
	p.Body = strings.Clone(p.Body[begin:end])
}

// partEnd is where to end a part that does not reach the end of its page: after
// a row or paragraph when there is one in its last half, at least after a tag.
func partEnd(part string) int {
	for _, border := range []string{"</tr>", "</p>", ">", " "} {
		if i := strings.LastIndex(part, border); i > len(part)/2 {
			return i + len(border)
		}
	}
	return len(part)
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
