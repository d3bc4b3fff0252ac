package site

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
)

// maxBody is the largest body a page may have, in bytes (CONFCLOUD-73881).
const maxBody = 5_242_880

// checkStorage refuses a body that is too large or not well-formed.
func checkStorage(body string) error {
	if len(body) > maxBody {
		return refuse(413, fmt.Sprintf("com.atlassian.confluence.api.service.exceptions.RequestEntityTooLargeException: "+
			"Request too large. Requests for this resource can be at most %d bytes", maxBody))
	}
	d := xml.NewDecoder(strings.NewReader("<body>" + body + "</body>"))
	d.Entity = xml.HTMLEntity
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuse(400, "Error parsing xhtml: "+strings.TrimPrefix(err.Error(), "XML syntax error on "))
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth == 0 && d.InputOffset() < int64(len(body)+len("<body></body>")) {
				return refuse(400, "Error parsing xhtml: unexpected close tag </body>")
			}
		case xml.Directive, xml.ProcInst:
			return refuse(400, "Error parsing xhtml: declarations are not allowed")
		}
	}
}

// run is a piece of text between two tags: its bytes in the storage and what
// it reads as.
type run struct{ from, to int }

// textRuns lists the text of a storage body outside tags, CDATA and comments.
func textRuns(body string) []run {
	var out []run
	for i := 0; i < len(body); {
		if body[i] != '<' {
			end := strings.IndexByte(body[i:], '<')
			if end < 0 {
				end = len(body) - i
			}
			out = append(out, run{i, i + end})
			i += end
			continue
		}
		i = afterMarkup(body, i)
	}
	return out
}

func afterMarkup(body string, i int) int {
	closer := ">"
	switch rest := body[i:]; {
	case strings.HasPrefix(rest, "<![CDATA["):
		closer = "]]>"
	case strings.HasPrefix(rest, "<!--"):
		closer = "-->"
	}
	end := strings.Index(body[i:], closer)
	if end < 0 {
		return len(body)
	}
	return i + end + len(closer)
}

// glyph is one byte of readable text and the storage bytes it comes from.
type glyph struct{ from, to int }

// readable is the text of a storage body with the origin of each byte.
func readable(body string) (string, []glyph) {
	var text strings.Builder
	var origin []glyph
	for _, r := range textRuns(body) {
		for i := r.from; i < r.to; {
			n := 1
			if body[i] == '&' {
				if end := strings.IndexByte(body[i:r.to], ';'); end > 0 {
					n = end + 1
				}
			}
			piece := html.UnescapeString(body[i : i+n])
			text.WriteString(piece)
			for range len(piece) {
				origin = append(origin, glyph{i, i + n})
			}
			i += n
		}
	}
	return text.String(), origin
}

// mark wraps the index-th match of a selection in inline comment markers. A
// selection that crosses tags gets one marker a piece, all with the same ref.
// matches is how often the selection occurs; marked is body when index is not
// one of them.
func mark(body, selection, ref string, index int) (marked string, matches int) {
	text, origin := readable(body)
	matches = strings.Count(text, selection)
	if selection == "" || index < 0 || index >= matches {
		return body, matches
	}
	at := 0
	for n := 0; ; n++ {
		at += strings.Index(text[at:], selection)
		if n == index {
			break
		}
		at += len(selection)
	}
	return wrap(body, origin[at].from, origin[at+len(selection)-1].to, ref), matches
}

func wrap(body string, from, to int, ref string) string {
	var out strings.Builder
	done := 0
	for _, r := range textRuns(body) {
		start, end := max(r.from, from), min(r.to, to)
		if start >= end {
			continue
		}
		fmt.Fprintf(&out, `%s<ac:inline-comment-marker ac:ref="%s">%s</ac:inline-comment-marker>`, body[done:start], ref, body[start:end])
		done = end
	}
	return out.String() + body[done:]
}
