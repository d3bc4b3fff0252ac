package audit

import "time"

// Deed is the last change a principal made to a page: what undoing it needs.
type Deed struct {
	Principal  string // identity.Caller.Principal
	Site       string // id of the site
	PageID     string
	Before     int    // version the change started from
	Made       int    // version it made
	BaseSHA256 string // of the stored body of version Before, hex
	Time       time.Time
}
