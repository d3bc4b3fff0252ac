package rest

import (
	"bytes"
	"encoding/json"
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// text is a string that Confluence also sends as a number or null.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) > longText && raw[0] == '"' {
		return t.unquoteLong(raw)
	}
	if asIs(raw) {
		*t = text(raw[1 : len(raw)-1])
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	*t = text(n.String())
	return nil
}

// asIs tells whether raw is a JSON string that stands for itself: printable
// ASCII without an escape, which most ids and names are.
func asIs(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// longText is a length from which a string is decoded piece by piece:
// encoding/json would hold it twice more.
const longText = 1 << 20

// unquoteLong decodes a JSON string whose syntax was found valid.
func (t *text) unquoteLong(raw []byte) error {
	raw = raw[1 : len(raw)-1]
	var v longValue
	v.text.Grow(len(raw))
	for len(raw) > 0 {
		n := pieceEnd(raw, longPiece)
		if err := v.add(raw[:n]); err != nil {
			return err
		}
		raw = raw[n:]
	}
	s, _ := v.result()
	*t = text(s)
	return nil
}

// whole is an integer that Confluence also sends as a string or null.
type whole int64

func (w *whole) UnmarshalJSON(raw []byte) error {
	raw = bytes.Trim(raw, `"`)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	*w = whole(n)
	return err
}

// stamp is a time; one that cannot be read is the zero time, because no other
// field of an answer is worth losing for it.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(raw []byte) error {
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		var ms int64
		if json.Unmarshal(raw, &ms) == nil && ms > 0 {
			s.Time = time.UnixMilli(ms).UTC()
		}
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700"} {
		if at, err := time.Parse(layout, v); err == nil {
			s.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// statusError is the cause kept for the log.
type statusError struct {
	status   int
	sentence string
}

func (e *statusError) Error() string {
	return strings.TrimSpace("status " + itoa(e.status) + " " + e.sentence)
}

var classPrefix = regexp.MustCompile(`^(?:[a-z_]+\.)+[A-Z]\w*(?:Exception|Error): `)

// upstreamSentence finds the sentence in any of Confluence's error bodies,
// cleaned for showing, and whether it names nothing: title "Not Found" and no
// detail is how v2 answers wrong credentials.
func upstreamSentence(body []byte) (string, bool) {
	var v struct {
		Message text `json:"message"`
		Data    struct {
			Errors []struct {
				Message struct {
					Translation text `json:"translation"`
				} `json:"message"`
			} `json:"errors"`
		} `json:"data"`
		Errors []struct {
			Title  text `json:"title"`
			Detail text `json:"detail"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(body, &v) // what could be read is used; no sentence is an answer too
	sentence := string(v.Message)
	bare := false
	if len(v.Errors) > 0 {
		e := v.Errors[0]
		sentence = string(e.Title)
		if e.Detail != "" {
			sentence += ": " + string(e.Detail)
		}
		bare = strings.EqualFold(string(e.Title), "not found") && e.Detail == ""
	}
	if len(v.Data.Errors) > 0 && v.Data.Errors[0].Message.Translation != "" {
		sentence = string(v.Data.Errors[0].Message.Translation)
	}
	return clip(classPrefix.ReplaceAllString(strings.TrimSpace(sentence), ""), 300), bare
}

var highlight = strings.NewReplacer("@@@hl@@@", "", "@@@endhl@@@", "")

// plainText removes highlighting marks and HTML escapes.
func plainText(s string) string {
	return strings.TrimSpace(html.UnescapeString(highlight.Replace(s)))
}

func itoa(n int) string { return strconv.Itoa(n) }
