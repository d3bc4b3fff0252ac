package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"confluence-mcp/internal/confluence"
)

// Progress is how far a pass is.
type Progress struct {
	Spaces      int    `json:"spaces"` // to be read
	SpacesDone  int    `json:"spaces_done"`
	Space       string `json:"space,omitempty"` // key of the one that was begun last
	Pages       int    `json:"pages"`           // known so far, of the spaces that were begun
	PagesRead   int    `json:"pages_read"`      // bodies fetched
	RightsRead  int    `json:"rights_read"`     // nodes whose own restrictions were read
	PercentDone int    `json:"percent"`

	hundredths int // of spaces
}

// wholeSpace is the work of one space, in what progress counts.
const wholeSpace = 100

// add counts a part of the work on a space.
func (p *Progress) add(hundredths int) {
	p.hundredths += hundredths
	if p.Spaces > 0 {
		p.PercentDone = min(100, p.hundredths/p.Spaces)
	}
}

// Problem is one thing a pass could not read, or had to hide.
type Problem struct {
	Space string `json:"space,omitempty"` // key
	Page  string `json:"page,omitempty"`  // id
	Code  string `json:"code"`
	Text  string `json:"text"`
}

// Report says what a pass did. It is for people, and JSON.
type Report struct {
	Started  time.Time     `json:"started"`
	Took     time.Duration `json:"-"` // took_ms
	Full     bool          `json:"full"`
	Complete bool          `json:"complete"` // every space was read to its end
	Spaces   int           `json:"spaces"`
	Nodes    int           `json:"nodes"`             // whose rights were read
	Read     int           `json:"read"`              // bodies fetched
	Changed  int           `json:"changed"`           // of them new or different
	Hidden   int           `json:"hidden"`            // not found any more, for the first time
	Purged   int           `json:"purged"`            // not found again, or in the trash
	Held     []string      `json:"held,omitempty"`    // keys of spaces where so much vanished that it is only hidden
	Waiting  []string      `json:"waiting,omitempty"` // keys of spaces that go on in the next pass
	People   int           `json:"people"`
	Groups   int           `json:"groups"`
	Problems []Problem     `json:"problems,omitempty"` // the first 200
	Left     int           `json:"problems_left_out,omitempty"`
}

// MarshalJSON gives Took as took_ms: a number without its unit is read wrong.
func (r Report) MarshalJSON() ([]byte, error) {
	type report Report
	return json.Marshal(struct {
		report
		TookMS int64 `json:"took_ms"`
	}{report(r), r.Took.Milliseconds()})
}

// MarshalJSON bounds the problems: the mirror keeps it.
func (r spaceReport) MarshalJSON() ([]byte, error) {
	type report spaceReport
	left := max(0, len(r.Problems)-mostProblems)
	r.Problems = r.Problems[:len(r.Problems)-left]
	return json.Marshal(struct {
		report
		Left int `json:"problems_left_out,omitempty"`
	}{report(r), left})
}

const mostProblems = 200

func (r *Report) problem(p Problem) {
	if len(r.Problems) >= mostProblems {
		r.Left++
		return
	}
	r.Problems = append(r.Problems, p)
}

func problemOf(space, page string, err error) Problem {
	p := Problem{Space: space, Page: page, Code: confluence.Internal.String(), Text: "an unexpected error"}
	if e := asError(err); e != nil {
		p.Code, p.Text = e.StableCode(), e.Error()
	}
	return p
}

// States of a sync.
const (
	StateIdle      = "idle"
	StateRunning   = "running"
	StateReconnect = "needs_reconnect" // the credential was refused
	StateForbidden = "forbidden"       // the account may not read what a sync must
	StateLimited   = "rate_limited"
	StateDown      = "upstream_down"
	StateStore     = "store_failed" // the mirror cannot be written
	StateFailed    = "failed"
)

// Status is what an admin sees of a sync.
type Status struct {
	State    string         `json:"state"`
	Error    string         `json:"error,omitempty"` // of the last pass, one sentence
	Code     string         `json:"code,omitempty"`
	Since    time.Time      `json:"since,omitzero"`         // in this state of failure
	Complete time.Time      `json:"last_complete,omitzero"` // when what the last pass that read everything has began to be read
	Age      time.Duration  `json:"-"`                      // age_seconds, since then; 0 when there was none
	Full     time.Time      `json:"last_full,omitzero"`
	Next     time.Time      `json:"next,omitzero"`
	Running  *Progress      `json:"running,omitempty"`
	Spaces   int            `json:"spaces"`
	Nodes    int            `json:"nodes"`
	Hidden   int            `json:"hidden"`                 // not found any more, not yet removed
	Oldest   time.Time      `json:"oldest_rights,omitzero"` // of all spaces; zero: one was never read completely
	Sealed   map[string]int `json:"sealed,omitempty"`       // nodes by cause
	Last     Report         `json:"last"`
}

// MarshalJSON gives Age as age_seconds.
func (s Status) MarshalJSON() ([]byte, error) {
	type status Status
	return json.Marshal(struct {
		status
		AgeSeconds int64 `json:"age_seconds"`
	}{status(s), int64(s.Age.Seconds())})
}

// state is what a sync remembers of itself; what outlives the process is also a
// mark in the mirror.
type state struct {
	name, text, code string
	since, next      time.Time
	last             Report
	marks            marks
	loaded           bool
}

// marks are kept in the mirror under the name "sync".
type marks struct {
	Complete time.Time `json:"complete,omitzero"`
	Full     time.Time `json:"full,omitzero"`
	// Began is when a full pass began that has not ended: what was read since
	// need not be read again.
	Began time.Time `json:"began,omitzero"`
	// Refused is since when Confluence has refused the credential.
	Refused time.Time `json:"refused,omitzero"`
}

const markName = "sync"

func (s *Sync) marks(ctx context.Context) (marks, error) {
	s.mu.Lock()
	m, loaded := s.state.marks, s.state.loaded
	s.mu.Unlock()
	if loaded {
		return m, nil
	}
	text, err := s.cfg.Mirror.Mark(ctx, s.cfg.Integration.ID, markName)
	if err != nil {
		return m, err
	}
	if text != "" && json.Unmarshal([]byte(text), &m) != nil {
		m = marks{} // as if nothing had ever been read: everything is compared anyway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.marks, s.state.loaded = m, true
	return m, nil
}

// ReadOnce reports whether a pass has ever read everything. It asks next to
// nothing, and an unreadable mirror says no.
func (s *Sync) ReadOnce(ctx context.Context) bool {
	m, err := s.marks(ctx)
	return err == nil && !m.Complete.IsZero()
}

// reread gives the marks as the mirror has them now.
func (s *Sync) reread(ctx context.Context) (marks, error) {
	s.mu.Lock()
	s.state.loaded = false
	s.mu.Unlock()
	return s.marks(ctx)
}

// keepRefusal notes that a pass was refused, or no longer is, so that it is
// known after a restart too: what has expired must not look empty.
func (s *Sync) keepRefusal(ctx context.Context, err error) error {
	refused := err != nil && stateOf(err) == StateReconnect
	m, failed := s.marks(ctx)
	if failed != nil || refused != m.Refused.IsZero() || err != nil && !refused {
		return nil // as it is, or not known: another error tells nothing
	}
	m.Refused = time.Time{}
	if refused {
		m.Refused = s.cfg.Now()
	}
	return s.setMarks(ctx, m)
}

func (s *Sync) setMarks(ctx context.Context, m marks) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := s.cfg.Mirror.SetMark(ctx, s.cfg.Integration.ID, markName, string(text)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.marks = m
	return nil
}

func (s *Sync) fullIsDue(ctx context.Context) (bool, error) {
	m, err := s.marks(ctx)
	return m.Full.IsZero() || !m.Began.IsZero() || s.cfg.Now().Sub(m.Full) >= s.cfg.FullInterval, err
}

func (s *Sync) schedule(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.next = at
}

// Brief is [Sync.Status] without what has to be counted.
func (s *Sync) Brief() Status {
	m, _ := s.marks(context.Background()) // as in Status
	return s.remembered(m)
}

// Status tells how the sync is. What the mirror cannot tell is left empty.
func (s *Sync) Status() Status {
	ctx := context.Background() // a few rows of a local file
	m, _ := s.marks(ctx)        // an unreadable mirror has no marks; State says so after the next pass
	out := s.remembered(m)
	spaces, err := s.cfg.Mirror.Spaces(ctx, s.cfg.Integration.ID)
	if err != nil {
		return out
	}
	out.Spaces = len(spaces)
	for i, sp := range spaces {
		out.Nodes += sp.Nodes
		out.Hidden += sp.Gone
		if i == 0 {
			out.Oldest = sp.At
		}
	}
	out.Sealed, _ = s.cfg.Mirror.Sealed(ctx, s.cfg.Integration.ID) // as above
	return out
}

func (s *Sync) remembered(m marks) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{State: s.state.name, Error: s.state.text, Code: s.state.code, Since: s.state.since, Next: s.state.next,
		Complete: m.Complete, Full: m.Full, Last: s.state.last}
	switch {
	case out.State == "" && !m.Refused.IsZero(): // by a pass of an earlier process
		out.State, out.Since, out.Code, out.Error = StateReconnect, m.Refused, "auth.credentials", "Confluence has refused the credential."
	case out.State == "":
		out.State = StateIdle
	}
	if !m.Complete.IsZero() {
		out.Age = max(0, s.cfg.Now().Sub(m.Complete))
	}
	if s.job != nil {
		p := s.job.now()
		out.State, out.Running = StateRunning, &p
	}
	return out
}

// conclude remembers how a pass ended.
func (s *Sync) conclude(r Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.state.name
	s.state.last = r
	s.state.name, s.state.text, s.state.code = StateIdle, "", ""
	if err != nil && !errors.Is(err, context.Canceled) {
		p := problemOf("", "", err)
		s.state.name, s.state.text, s.state.code = stateOf(err), p.Text, p.Code
	}
	if s.state.name != before {
		s.state.since = s.cfg.Now()
	}
	if s.state.name == StateIdle {
		s.state.since = time.Time{}
	}
}

func stateOf(err error) string {
	e := asError(err)
	switch {
	case e == nil:
		return StateFailed
	case len(e.StableCode()) > 6 && e.StableCode()[:6] == "store.":
		return StateStore
	case e.Kind == confluence.Expired:
		return StateReconnect
	case e.Kind == confluence.Denied:
		return StateForbidden
	case e.Kind == confluence.Limited:
		return StateLimited
	case e.Kind == confluence.Unavailable:
		return StateDown
	}
	return StateFailed
}

func asError(err error) *confluence.Error {
	var e *confluence.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// fatal reports whether an error ends the whole pass: nobody else will be
// answered either, or nothing can be stored.
func fatal(ctx context.Context, err error) bool {
	if err == nil {
		return false
	}
	e := asError(err)
	return ctx.Err() != nil || e == nil || e.Kind == confluence.Expired || rateLimited(err) || stateOf(err) == StateStore
}

func rateLimited(err error) bool {
	e := asError(err)
	return e != nil && e.Kind == confluence.Limited && e.Code != tooLarge
}

const tooLarge = "limit.too_large"

func sortedUnique(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
