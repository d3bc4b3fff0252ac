package approval

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"confluence-mcp/internal/identity"
)

// State is where a request stands. The last six are ends and never change.
type State string

// The states.
const (
	Pending   State = "pending"   // waits for a person
	Approved  State = "approved"  // waits to be executed
	Executing State = "executing" // one process has claimed it
	InDoubt   State = "in_doubt"  // whether the change was made is not known
	Executed  State = "executed"
	Rejected  State = "rejected"
	Cancelled State = "cancelled" // by the requester, or because policy now denies it
	Expired   State = "expired"
	Stale     State = "stale" // what it would change has changed
	Failed    State = "failed"
)

// Ended reports whether nothing can happen any more.
func (s State) Ended() bool {
	switch s {
	case Pending, Approved, Executing, InDoubt:
		return false
	}
	return true
}

// Bounds of a request's life.
const (
	DefaultLife  = 24 * time.Hour
	MaxLife      = 7 * 24 * time.Hour
	MaxPending   = 50                  // open requests of one principal
	MaxAttempts  = 5                   // starts of one request that were certainly not applied
	AbsenceGap   = time.Minute         // between the two proofs that a change was not made
	HumanAfter   = 15 * time.Minute    // in doubt for longer than this, a person must look
	KeepPrivate  = 30 * 24 * time.Hour // arguments and diff, after the end
	maxReason    = 500                 // characters of a rejection
	attemptBytes = 16
)

// Person is somebody who asks or decides, as far as telling two of them apart
// needs it.
type Person struct {
	Principal string `json:"principal"`       // identity.Caller.Principal
	Agent     string `json:"agent"`           // whose key it was
	Owner     string `json:"owner"`           // who answers for the key
	Account   string `json:"account"`         // id of the Confluence account, "" when none
	Email     string `json:"email,omitempty"` // of the account
}

// PersonOf is the caller as a person.
func PersonOf(c identity.Caller) Person {
	return Person{Principal: c.Principal(), Agent: c.Agent, Owner: c.Owner, Account: c.AccountID, Email: c.Email}
}

// Is reports whether two may be one person: the same principal, key, owner of
// keys, account or address. When in doubt they are.
func (p Person) Is(o Person) bool {
	return same(p.Principal, o.Principal) || same(p.Agent, o.Agent) || same(p.Owner, o.Owner) || same(p.Owner, o.Agent) || same(p.Agent, o.Owner) ||
		same(p.Account, o.Account) || same(p.Email, o.Email)
}

func same(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// Result is the answer an executed change gave: what repeating the call gives
// as well. Version is the one the change made, 0 when it makes none.
type Result struct {
	Text       string          `json:"text"`
	Structured json.RawMessage `json:"structured,omitempty"`
	Version    int             `json:"version,omitempty"`
}

// Private is what only requester and approver may see; it is removed
// [KeepPrivate] after the end.
type Private struct {
	Args   json.RawMessage `json:"args,omitempty"` // normalised; what will run
	Diff   string          `json:"diff"`           // what the approver sees, whole
	Caller identity.Caller `json:"caller"`         // as whom it runs
	Page   string          `json:"page,omitempty"` // id of the page it is on or belongs to
	Result Result          `json:"result"`
}

// Request is one change that needs a person. Times are UTC.
type Request struct {
	ID     string // 128 random bits in hex; known to the requester and to approvers
	State  State
	Seq    int    // number of steps so far; two processes can't take the same one
	Digest string // names exactly this change; see tools
	CallID string // names the call (principal, tool, arguments) whatever it meets

	Tool        string
	Group       string
	Action      string
	Summary     string // what it does, one sentence
	Requester   Person
	Profile     string
	Site        string // name of the integration
	Resource    string // "page 123"; "" when it makes something new
	SpaceKey    string
	BaseVersion int
	BaseSHA256  string
	Revision    string // of the policy that asked for the approval
	RuleID      string
	Because     string // the rule author's sentence
	Replaces    string // id of the stale request this one follows

	Created time.Time
	Expires time.Time
	Changed time.Time // of the last step
	Claimed time.Time // when the last attempt began
	Gone    time.Time // when the change was first proved absent; zero: not

	Decider  Person
	Decided  time.Time
	Reason   string // of the end: the rejection, the failure
	Code     string // stable code of the end, "" when executed
	Attempt  string // marks the last start
	Attempts int
	Retry    time.Time // not to be started before
	Resolver Person    // who ended a doubt by hand

	Private Private `json:"-"` // kept apart
}

// Open starts a request. Life is bounded by [MaxLife] and [DefaultLife] when
// it is not positive.
func Open(r Request, now time.Time, life time.Duration) Request {
	if life <= 0 {
		life = DefaultLife
	}
	now = now.UTC().Truncate(time.Microsecond)
	r.ID, r.State, r.Seq = token(), Pending, 0
	r.Created, r.Changed, r.Expires = now, now, now.Add(min(life, MaxLife))
	return r
}

// Late reports whether the request's time is over.
func (r Request) Late(now time.Time) bool { return !now.Before(r.Expires) }

// NeedsHuman reports whether nobody could find out for [HumanAfter] if the
// change was made.
func (r Request) NeedsHuman(now time.Time) bool {
	return r.State == InDoubt && !now.Before(r.Claimed.Add(HumanAfter))
}

// token gives 128 random bits in hex.
func token() string {
	var b [attemptBytes]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}

// Filter narrows a listing. Empty fields do not narrow; Limit 0 means 100.
type Filter struct {
	Principal string
	Agent     string // of the requester
	Owner     string // of the requester's key
	States    []State
	Late      time.Time // only what expires then or before
	Limit     int
}

// Mark is what an executed change carries where Confluence lets it (the message
// of a version, the comment of a file), so that it is found again after a
// crash. It does not give the id away.
func (r Request) Mark() string {
	sum := sha256.Sum256([]byte("mark of approval " + r.ID))
	return "[mcp-" + hex.EncodeToString(sum[:6]) + "]"
}

// Unmarked is a text without anything like a [Request.Mark]. What callers write
// where marks stand goes through it, so that nobody makes another change pass
// for an approved one whose outcome was lost.
func Unmarked(text string) string {
	like := regexp.MustCompile(`(?i)\[mcp-[0-9a-f]*\]`)
	for like.MatchString(text) { // taking one out may close another
		text = like.ReplaceAllString(text, "")
	}
	return text
}
