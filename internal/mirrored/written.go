package mirrored

import (
	"sync"
	"time"

	"confluence-mcp/store/mirror"
)

// written remembers what was written through this process until the mirror has
// it: such pages, and the page trees and space lists around them, are read from
// Confluence.
type written struct {
	mu    sync.Mutex
	pages map[mirror.Ref]change
	trees map[tree]time.Time
}

// change is the newest thing written of one page.
type change struct {
	version int // 0: of something that has no version
	at      time.Time
}

// tree is the page tree of a space; without a key, the list of spaces or the
// tree of a space nobody could name.
type tree struct {
	integration int64
	key         string
}

const (
	manyChanges = 10_000
	oldChange   = time.Hour       // may be forgotten when there are many
	overlap     = 2 * time.Minute // a sync may have read before a write what it stored after
)

func newWritten() *written {
	return &written{pages: map[mirror.Ref]change{}, trees: map[tree]time.Time{}}
}

func (w *written) page(ref mirror.Ref, version int, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	forget(w.pages, now, func(c change) time.Time { return c.at })
	w.pages[ref] = change{version: max(version, w.pages[ref].version), at: now}
}

func (w *written) tree(t tree, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	forget(w.trees, now, func(at time.Time) time.Time { return at })
	w.trees[t] = now
}

// forget makes room: what is old first, then anything.
func forget[K comparable, V any](m map[K]V, now time.Time, at func(V) time.Time) {
	if len(m) < manyChanges {
		return
	}
	for k, v := range m {
		if now.Sub(at(v)) > oldChange || len(m) > manyChanges/2 {
			delete(m, k)
		}
	}
}

// newer reports whether Confluence has something of a page that the mirror's
// copy has not.
func (w *written) newer(p mirror.Page) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref := mirror.Ref{Integration: p.Integration, ID: p.ID}
	c, ok := w.pages[ref]
	if !ok {
		return false
	}
	if c.version > 0 && p.Version.Number >= c.version || p.ReadAt.After(c.at.Add(overlap)) {
		delete(w.pages, ref)
		return false
	}
	return true
}

// moved reports whether the tree of a space is not what the mirror read at a
// time.
func (w *written) moved(t tree, readAt time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range []tree{t, {integration: t.integration}} {
		at, ok := w.trees[one]
		if !ok {
			continue
		}
		if !readAt.After(at) {
			return true
		}
		if one == t {
			delete(w.trees, one)
		}
	}
	return false
}
