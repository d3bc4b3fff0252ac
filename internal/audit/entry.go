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
}

// Outcome is what came of an entry that was allowed to run.
type Outcome struct {
	Result    string        `json:"result"`       // OK, Failed or NotExecuted
	ErrorCode string        `json:"error_code"`   // stable code of the error, "" on success
	Version   int           `json:"version"`      // version a write created, 0 when none
	Bytes     int           `json:"result_bytes"` // size of the answer
	Duration  time.Duration `json:"-"`            // kept to the microsecond
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
