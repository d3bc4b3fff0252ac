package retrieve

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
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
	// Newest gives what there is instead of the mirror's page, false when that
	// one is gone; nil: the mirror's is the newest.
	Newest func(ctx context.Context, p mirror.Page) (mirror.Page, bool)
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
	ReadAt      time.Time // when the page was last read from Confluence or compared with it
	Stale       bool      // who may see it was read too long ago to be relied on without a word
}

// Answer is what was found, best first.
type Answer struct {
	Results []Result
	Notice  string // what is wrong with what was searched; an engine leaves it empty
	Total   int    // pages that match and that the caller may see; those in Titles where that is set
	Next    string // cursor that goes on; empty at the end
	Near    bool   // nothing had the words, so words that look alike were taken
	Cut     bool   // answered in part: the question was too costly, or a page is damaged
	Titles  bool   // there is no index now: the words were looked for in titles only
	Facets  []confluence.Facet
	// Unread says that no sync has read all of an integration the question is
	// about yet: there may be more.
	Unread bool
}

const (
	defaultLimit = 10
	maxLimit     = 100
	maxText      = 10_000 // bytes of a question that are looked at
)

// seal makes a cursor of one of the index, worth something to this caller and
// for this question only; the end has none. Nobody else can read it: a position
// in the index is a score, which tells of pages the caller may not see.
func (e *Engine) seal(who identity.Caller, q Question, after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(e.cursors.Seal(nil, nil, []byte(after), bound(who, q)))
}

// open gives the index's cursor in one of ours. Kind Invalid, code
// "input.cursor", for the cursor of another caller or another question.
func (e *Engine) open(who identity.Caller, q Question) (string, error) {
	if q.Cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		var after []byte
		if after, err = e.cursors.Open(nil, nil, raw, bound(who, q)); err == nil {
			return string(after), nil
		}
	}
	return "", &confluence.Error{Kind: confluence.Invalid, Code: "input.cursor", Op: "search", Message: "The cursor does not belong to this call.",
		Next: "Repeat the call without cursor; keep all other arguments the same when you continue with the cursor it gives."}
}

// bound is what a cursor belongs to.
func bound(who identity.Caller, q Question) []byte {
	q.Limit, q.MaxChars, q.Cursor, q.Facets, q.Newest = 0, 0, "", false, nil
	return fmt.Appendf(nil, "%q %#v", who.Principal(), q)
}
