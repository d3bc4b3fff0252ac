package tools

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// budgets counts calls per principal: all of them and writes in a bucket that
// refills evenly over a minute, deletions in one that refills over a day.
type budgets struct {
	limits Limits
	mu     sync.Mutex
	of     map[string]*budget
}

type budget struct{ calls, writes, deletes *rate.Limiter }

// maxPrincipals bounds the memory of [budgets]. When it is reached, all start
// anew, which gives one bucket more to callers and nothing to attackers: a
// principal costs a key.
const maxPrincipals = 10_000

func newBudgets(l Limits) *budgets { return &budgets{limits: l, of: map[string]*budget{}} }

func (b *budgets) take(principal string, action policy.Action, dryRun bool, now time.Time) error {
	own := b.budgetOf(principal)
	if err := spend(own.calls, now, "limit.rate", "calls"); err != nil {
		return err
	}
	if action == policy.Read || dryRun {
		return nil
	}
	if err := spend(own.writes, now, "limit.rate", "writes"); err != nil {
		return err
	}
	if action == policy.Delete {
		return spend(own.deletes, now, "limit.destructive", "deletions")
	}
	return nil
}

func (b *budgets) budgetOf(principal string) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.of[principal]
	if own == nil {
		if len(b.of) >= maxPrincipals {
			clear(b.of)
		}
		own = &budget{
			calls:   bucket(b.limits.CallsPerMinute, time.Minute),
			writes:  bucket(b.limits.WritesPerMinute, time.Minute),
			deletes: bucket(b.limits.DeletesPerDay, 24*time.Hour),
		}
		b.of[principal] = own
	}
	return own
}

func bucket(n int, per time.Duration) *rate.Limiter {
	return rate.NewLimiter(rate.Every(per/time.Duration(n)), n)
}

func spend(l *rate.Limiter, now time.Time, code, what string) error {
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if r.OK() && wait == 0 {
		return nil
	}
	r.CancelAt(now)
	wait = time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return &confluence.Error{Kind: confluence.Limited, Code: code, RetryAfter: wait,
		Message: fmt.Sprintf("You made more %s than this server takes from one caller.", what),
		Next:    fmt.Sprintf("Wait %s, then call again.", wait)}
}

// taints remembers who read restricted content, and when, for rules that keep
// such content from being written somewhere wider.
type taints struct {
	mu sync.Mutex
	of map[string]time.Time
}

// taintWindow is how long a read of restricted content counts.
const taintWindow = 10 * time.Minute

func (t *taints) set(principal string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, since := range t.of {
		if at.Sub(since) > taintWindow {
			delete(t.of, p)
		}
	}
	t.of[principal] = at
}

func (t *taints) has(principal string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.of[principal]
	return ok && now.Sub(at) <= taintWindow
}
