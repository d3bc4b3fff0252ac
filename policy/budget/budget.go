// Package budget counts what each payer has written and deleted and
// refuses what its profile's limits no longer cover. It is asked after a
// decision allowed a write and before the write runs; dry runs are not
// counted. Start reading with [Book.Spend].
package budget

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
)

// Windows the limits slide over.
const (
	minute = time.Minute
	day    = 24 * time.Hour
)

// sweepEvery is how many uses pass between looks for principals that have
// been quiet for a day.
const sweepEvery = 1024

// Use is one write that was let through. Deletes count as writes as well.
type Use struct {
	Principal string // identity.Caller.Payer
	Delete    bool
	At        time.Time
}

// Journal keeps uses over a restart. Record is called before the write runs;
// when it fails the write is refused. Since gives the uses from a time on, in
// order of time.
type Journal interface {
	Record(ctx context.Context, u Use) error
	Since(ctx context.Context, from time.Time) ([]Use, error)
}

// Answer says whether a write may run. Code is limit.writes or
// limit.destructive when not; RetryAfter is when it may be tried again, zero
// when a limit of none at all was set.
type Answer struct {
	OK         bool
	Code       string
	RetryAfter time.Duration
}

// Book is the uses of the last day. It may be used by many goroutines.
type Book struct {
	journal Journal // nil: uses are forgotten on restart

	mu    sync.Mutex
	pages map[string]*page // by payer
	crowd map[string]*page // by agent: the uses of all its payers
	count int
	last  time.Time // the clock as last seen; it is not believed to go back
}

// page is the uses of one payer, or of one agent, oldest first.
type page struct {
	writes  []time.Time
	deletes []time.Time
}

// Open fills a book from the journal; a nil journal is an empty one that
// keeps nothing.
func Open(ctx context.Context, j Journal, now time.Time) (*Book, error) {
	b := &Book{journal: j, pages: map[string]*page{}, crowd: map[string]*page{}, last: now}
	if j == nil {
		return b, nil
	}
	uses, err := j.Since(ctx, now.Add(-day))
	if err != nil {
		return nil, fmt.Errorf("read past uses: %w", err)
	}
	for _, u := range uses {
		b.enter(u)
	}
	return b, nil
}

// ErrRead is an attempt to spend on a call that writes nothing.
var ErrRead = errors.New("budget: a read is not counted")

// Spend counts one write if the limits cover it, in one step; an agent's payers
// have [identity.CrowdShare] times the limits together. The error says
// that the use could not be recorded; the write must not run then.
func (b *Book) Spend(ctx context.Context, principal string, a policy.Action, l profile.Limits, now time.Time) (Answer, error) {
	if a == policy.Read {
		return Answer{}, ErrRead
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.last) {
		now = b.last
	}
	b.last = now
	b.sweep(now)
	if answer := pageOf(b.pages, principal).covers(a, l, now); !answer.OK {
		return answer, nil
	}
	if answer := pageOf(b.crowd, identity.AgentOf(principal)).covers(a, ofCrowd(l), now); !answer.OK {
		return answer, nil
	}
	use := Use{Principal: principal, Delete: a == policy.Delete, At: now}
	if b.journal != nil {
		if err := b.journal.Record(ctx, use); err != nil {
			return Answer{}, fmt.Errorf("record a write: %w", err)
		}
	}
	b.enter(use)
	return Answer{OK: true}, nil
}

// covers says whether one more use is within the limits.
func (p *page) covers(a policy.Action, l profile.Limits, now time.Time) Answer {
	p.writes, p.deletes = after(p.writes, now.Add(-minute)), after(p.deletes, now.Add(-day))
	answer := check(p.writes, l.WritesPerMinute, minute, now)
	answer.Code = "limit.writes"
	if answer.OK && a == policy.Delete {
		answer = check(p.deletes, l.DeletesPerDay, day, now)
		answer.Code = "limit.destructive"
	}
	if answer.OK {
		return Answer{OK: true}
	}
	return answer
}

// ofCrowd is what all payers of one agent have together.
func ofCrowd(l profile.Limits) profile.Limits {
	for _, limit := range []**int{&l.WritesPerMinute, &l.DeletesPerDay} {
		if *limit != nil {
			many := **limit * identity.CrowdShare
			*limit = &many
		}
	}
	return l
}

// check compares the uses of a window with a limit; nil is no limit.
func check(used []time.Time, limit *int, window time.Duration, now time.Time) Answer {
	if limit == nil || len(used) < *limit {
		return Answer{OK: true}
	}
	if *limit == 0 {
		return Answer{}
	}
	return Answer{RetryAfter: used[len(used)-*limit].Add(window).Sub(now)}
}

func (b *Book) enter(u Use) {
	for _, p := range []*page{pageOf(b.pages, u.Principal), pageOf(b.crowd, identity.AgentOf(u.Principal))} {
		p.writes = append(p.writes, u.At)
		if u.Delete {
			p.deletes = append(p.deletes, u.At)
		}
	}
}

func pageOf(pages map[string]*page, name string) *page {
	p := pages[name]
	if p == nil {
		p = &page{}
		pages[name] = p
	}
	return p
}

// sweep forgets payers and agents without a use in the windows, now and then.
func (b *Book) sweep(now time.Time) {
	b.count++
	if b.count%sweepEvery != 0 {
		return
	}
	for _, pages := range []map[string]*page{b.pages, b.crowd} {
		maps.DeleteFunc(pages, func(_ string, p *page) bool {
			return len(after(p.writes, now.Add(-minute))) == 0 && len(after(p.deletes, now.Add(-day))) == 0
		})
	}
}

// after drops what is not after a time. The rest is copied once most of it is
// gone, so that the memory of a busy hour is given back.
func after(times []time.Time, from time.Time) []time.Time {
	i := 0
	for i < len(times) && !times[i].After(from) {
		i++
	}
	if i > len(times)/2 {
		return append([]time.Time(nil), times[i:]...)
	}
	return times[i:]
}
