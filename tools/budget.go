package tools

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// rates counts the calls of each payer, and of all payers of each agent, in
// buckets that refill evenly over a minute. What a payer may write is for
// [Budget] to say.
type rates struct {
	perMinute int
	mu        sync.Mutex
	of        map[string]*bucket // by payer
	crowd     map[string]*bucket // by agent
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// maxPayers bounds the memory of [rates]. When it is reached, who has been
// quiet for longest makes room.
const maxPayers = 10_000

func newRates(perMinute int) *rates {
	return &rates{perMinute: perMinute, of: map[string]*bucket{}, crowd: map[string]*bucket{}}
}

func (r *rates) take(payer string, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	crowd := bucketOf(r.crowd, identity.AgentOf(payer), r.perMinute*identity.CrowdShare, now).ReserveN(now, 1)
	wait := crowd.DelayFrom(now)
	if wait == 0 {
		own := bucketOf(r.of, payer, r.perMinute, now).ReserveN(now, 1)
		if wait = own.DelayFrom(now); wait == 0 {
			return nil
		}
		own.CancelAt(now)
	}
	crowd.CancelAt(now)
	wait = time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return &confluence.Error{Kind: confluence.Limited, Code: "limit.rate", RetryAfter: wait,
		Message: "You made more calls than this server takes from one caller.",
		Next:    fmt.Sprintf("Wait %s, then call again.", wait)}
}

func bucketOf(buckets map[string]*bucket, name string, perMinute int, now time.Time) *rate.Limiter {
	b := buckets[name]
	if b == nil {
		if len(buckets) >= maxPayers {
			forgetOldest(buckets)
		}
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)}
		buckets[name] = b
	}
	b.used = now
	return b.limiter
}

func forgetOldest(buckets map[string]*bucket) {
	oldest, first := "", true
	for name, b := range buckets {
		if first || b.used.Before(buckets[oldest].used) {
			oldest, first = name, false
		}
	}
	delete(buckets, oldest)
}
