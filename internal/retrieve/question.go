package retrieve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Question is what a caller asks. Empty fields do not narrow.
type Question struct {
	Text         string // words, "phrases", pre*; "*" finds every page
	Integration  string // name or id; empty: all
	SpaceKey     string
	Type         string // page or blogpost
	Label        string
	AuthorID     string // who made it, or saved the newest version
	AncestorID   string // everything below this page
	UpdatedSince time.Time
	Limit        int    // results, 1 to 100; 0: 10
	MaxChars     int    // of all passages together; 0: no bound
	Cursor       string // Next of the answer before
	Facets       bool
}

// everything is the text that finds every page.
const everything = "*"

// Result is one page and the passage of it that speaks most of the words.
type Result struct {
	Rank        int // from 1, within this answer
	Integration int64
	PageID      string
	Type        string
	Title       string
	SpaceKey    string
	URL         string
	Anchor      string   // address of the passage; URL where no heading stands above it
	HeadingPath []string // headings above the passage, outermost first
	Text        string   // empty for the text "*"
	More        int      // other sections of the page that match as well
	Version     int
	Updated     time.Time
	ReadAt      time.Time // when the page was last read from Confluence
}

// Answer is what was found, best first.
type Answer struct {
	Results []Result
	Total   int    // pages that match and that the caller may see
	Next    string // cursor that goes on; empty at the end
	Near    bool   // nothing had the words, so words that look alike were taken
	Cut     bool   // the question was too costly and answered in part
	Facets  []confluence.Facet
}

const (
	defaultLimit = 10
	maxLimit     = 100
	maxText      = 10_000 // bytes of a question that are looked at
)

// position is where an answer goes on: behind skip hits of the page of hits that
// the index gives after a place.
type position struct {
	after string
	skip  int
}

const tagSize = 16

// seal makes the cursor of a position, worth something to this caller and for
// this question only.
func (e *Engine) seal(who identity.Caller, q Question, p position) string {
	plain := strconv.Itoa(p.skip) + ":" + p.after
	return base64.RawURLEncoding.EncodeToString(append(e.tag(who, q, plain), plain...))
}

// open gives the position of a cursor. Kind Invalid, code "input.cursor", for
// the cursor of another caller or another question.
func (e *Engine) open(who identity.Caller, q Question) (position, error) {
	if q.Cursor == "" {
		return position{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil && len(raw) > tagSize {
		plain := string(raw[tagSize:])
		before, after, ok := strings.Cut(plain, ":")
		skip, err := strconv.Atoi(before)
		if ok && err == nil && hmac.Equal(raw[:tagSize], e.tag(who, q, plain)) {
			return position{after: after, skip: skip}, nil
		}
	}
	return position{}, &confluence.Error{Kind: confluence.Invalid, Code: "input.cursor", Op: "search", Message: "The cursor does not belong to this call.",
		Next: "Repeat the call without cursor; keep all other arguments the same when you continue with the cursor it gives."}
}

func (e *Engine) tag(who identity.Caller, q Question, plain string) []byte {
	q.Limit, q.MaxChars, q.Cursor, q.Facets = 0, 0, "", false
	bound := fmt.Appendf(nil, "%q %#v %q", who.Principal(), q, plain)
	mac := hmac.New(sha256.New, e.key)
	_, _ = mac.Write(bound) // never fails
	return mac.Sum(nil)[:tagSize]
}
