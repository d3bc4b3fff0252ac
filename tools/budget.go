package tools

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"confluence-mcp/internal/confluence"
)

// rates counts the calls of each principal in a bucket that refills evenly over
// a minute. What a principal may write is for [Budget] to say.
type rates struct {
	perMinute int
	mu        sync.Mutex
	of        map[string]*rate.Limiter
}

// maxPrincipals bounds the memory of [rates]. When it is reached, all start
// anew, which gives one bucket more to callers and nothing to attackers: a
// principal costs a key.
const maxPrincipals = 10_000

func newRates(perMinute int) *rates {
	return &rates{perMinute: perMinute, of: map[string]*rate.Limiter{}}
}

func (r *rates) take(principal string, now time.Time) error {
	reserved := r.limiter(principal).ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if reserved.OK() && wait == 0 {
		return nil
	}
	reserved.CancelAt(now)
	wait = time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return &confluence.Error{Kind: confluence.Limited, Code: "limit.rate", RetryAfter: wait,
		Message: "You made more calls than this server takes from one caller.",
		Next:    fmt.Sprintf("Wait %s, then call again.", wait)}
}

func (r *rates) limiter(principal string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.of[principal]
	if own == nil {
		if len(r.of) >= maxPrincipals {
			clear(r.of)
		}
		own = rate.NewLimiter(rate.Every(time.Minute/time.Duration(r.perMinute)), r.perMinute)
		r.of[principal] = own
	}
	return own
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
