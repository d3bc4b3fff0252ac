package tools

import "sync"

// journal remembers, per principal and page, the version before the
// principal's own last write and the version it made, so that it can be undone
// while nobody else edited since. It lives in memory: after a restart the
// history of the page serves instead.
type journal struct {
	mu sync.Mutex
	of map[string]deed
}

type deed struct{ before, made int }

// maxDeeds bounds the memory of a [journal].
const maxDeeds = 20_000

func newJournal() *journal { return &journal{of: map[string]deed{}} }

func (j *journal) note(principal, pageID string, d deed) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.of) >= maxDeeds {
		clear(j.of)
	}
	j.of[principal+"\x00"+pageID] = d
}

func (j *journal) last(principal, pageID string) (deed, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d, ok := j.of[principal+"\x00"+pageID]
	return d, ok
}
