package audit

import "time"

// Change is one write that may be undone while nobody changed the same since.
type Change struct {
	ID        string // 128 random bits in hex
	Principal string // identity.Caller.Principal
	Site      string // id of the site
	Tool      string // that made it
	On        string // kind and id of what was changed
	Version   int    // it made of that; 0: it makes none
	Undo      []byte // JSON: what undoing needs, which may be text of Confluence
	Time      time.Time
	Undone    time.Time // zero: not
}

// Version is what a change made. Several changes have made the same number of
// one thing where versions of its history were deleted: later ones move down.
type Version struct {
	Principal, Site, Tool, On string // as in [Change]
	Number                    int
}
