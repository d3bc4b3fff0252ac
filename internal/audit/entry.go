// Package audit holds the record of what callers asked and what came of it: a
// decision log whose lines are chained by hashes, so that a line that was
// changed, taken out or moved is found.
//
// It knows no storage: package store keeps the lines in the precious database,
// and package tools has an [Entry] written before a call runs and completed
// after it. A write whose entry cannot be stored does not run. How a line looks
// and what the chain proves is said at [Line].
//
// Entries carry digests and counts, never titles, bodies, queries or secrets.
package audit

import "time"

// Results an [Outcome] can have.
const (
	OK          = "ok"
	Failed      = "error"
	NotExecuted = "not_executed"
	Unfinished  = "" // recorded before the run, outcome not yet known
)

// Entry is one call as it was decided.
type Entry struct {
	Time           time.Time `json:"-"`           // kept to the microsecond
	DecisionID     string    `json:"decision_id"` // 128-bit random, hex
	PolicyRevision string    `json:"policy_rev"`
	Profile        string    `json:"profile"`
	Principal      string    `json:"principal"` // identity.Caller.Principal
	Kind           string    `json:"principal_kind"`
	Transport      string    `json:"transport"`
	Tool           string    `json:"tool"`
	Group          string    `json:"group"`
	Action         string    `json:"action"`
	Site           string    `json:"site"`
	ResourceType   string    `json:"resource_type"`
	ResourceID     string    `json:"resource_id"`
	SpaceKey       string    `json:"space_key"`
	Effect         string    `json:"effect"`
	Reason         string    `json:"reason"`
	RulesMatched   []string  `json:"rules_matched"`
	RulesErrored   []string  `json:"rules_errored"`
	ArgsSHA256     string    `json:"args_sha256"`
	DryRun         bool      `json:"dry_run"`
	Write          bool      `json:"write"`
	ApprovalID     string    `json:"approval_id,omitempty"` // of the approval this call runs under
	Client         string    `json:"client,omitempty"`      // what the client calls itself; never trusted
	Cost           uint64    `json:"cost,omitempty"`        // worst case, in CEL's units, of the rules that were evaluated
	EvalMicros     int64     `json:"eval_us,omitempty"`     // time policy took
	TraceID        string    `json:"trace_id,omitempty"`    // of the W3C trace the request belongs to, 32 hex digits
	Facts          Facts     `json:"facts,omitzero"`
}

// Facts are what policy saw of a call besides what an [Entry] names, as far as
// it is numbers, switches and keys: enough to judge the call again by another
// profile.
type Facts struct {
	SiteKind        string  `json:"site_kind,omitempty"` // cloud or dc
	Known           bool    `json:"known,omitempty"`     // the resource was loaded
	SpaceType       string  `json:"space_type,omitempty"`
	Status          string  `json:"status,omitempty"`
	AuthorID        string  `json:"author_id,omitempty"`
	Version         int     `json:"version,omitempty"`
	AttachmentBytes int64   `json:"attachment_bytes,omitempty"`
	Updated         string  `json:"updated,omitempty"` // RFC 3339
	Restricted      bool    `json:"restricted,omitempty"`
	TargetSpaceKey  string  `json:"target_space_key,omitempty"`
	TargetParentID  string  `json:"target_parent_id,omitempty"`
	MediaType       string  `json:"media_type,omitempty"`
	BodyBytes       int64   `json:"body_bytes,omitempty"`
	AddedBytes      int64   `json:"added_bytes,omitempty"`
	RemovedBytes    int64   `json:"removed_bytes,omitempty"`
	RemovedRatio    float64 `json:"removed_ratio,omitempty"`
	ReadRestricted  bool    `json:"read_restricted,omitempty"`
	ReadExternal    bool    `json:"read_external,omitempty"`
	Undoes          string  `json:"undoes,omitempty"` // id of the change that this call undoes
}

// Outcome is what came of an entry that was allowed to run.
type Outcome struct {
	Result    string        `json:"result"`       // OK, Failed or NotExecuted
	ErrorCode string        `json:"error_code"`   // stable code of the error, "" on success
	Version   int           `json:"version"`      // version a write created, 0 when none
	Bytes     int           `json:"result_bytes"` // size of the answer
	Duration  time.Duration `json:"-"`            // kept to the microsecond

	UpstreamRequests int      `json:"upstream_requests,omitempty"` // sent to Confluence
	UpstreamStatus   int      `json:"upstream_status,omitempty"`   // of the last answer, 0 when none came
	UpstreamIDs      []string `json:"upstream_ids,omitempty"`      // Confluence's own ids of the last requests
}

// Finish files the outcome of an earlier entry.
type Finish struct {
	Time       time.Time
	Entry      int64  // number of the entry's line
	DecisionID string // of the entry
	Outcome    Outcome
}

// Transition is a change of state of an approval.
type Transition struct {
	Time       time.Time `json:"-"`
	ApprovalID string    `json:"approval_id"`
	From       string    `json:"from"` // state before, "" for a new request
	To         string    `json:"to"`
	Principal  string    `json:"principal"` // who or what caused it
	Reason     string    `json:"reason"`    // a stable word, never what a person wrote
}
