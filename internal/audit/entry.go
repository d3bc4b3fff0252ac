// Package audit holds the record of what callers asked and what came of it.
// It knows no storage: package store keeps entries in the precious database,
// and package tools writes one before a write runs and completes it after. A
// write whose entry cannot be stored does not run.
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
	Time           time.Time
	DecisionID     string // 128-bit random, hex
	PolicyRevision string
	Profile        string
	Principal      string // identity.Caller.Principal
	Kind           string
	Transport      string
	Tool           string
	Group          string
	Action         string
	Site           string
	ResourceType   string
	ResourceID     string
	SpaceKey       string
	Effect         string
	Reason         string
	RulesMatched   []string
	RulesErrored   []string
	ArgsSHA256     string
	DryRun         bool
	Write          bool
}

// Outcome is what came of an entry that was allowed to run.
type Outcome struct {
	Result    string // OK, Failed or NotExecuted
	ErrorCode string // stable code of the error, "" on success
	Version   int    // version a write created, 0 when none
	Bytes     int    // size of the answer
	Duration  time.Duration
}
