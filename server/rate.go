package server

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"confluence-mcp/internal/identity"
)

// maxPayers bounds the memory that invented callers can take. When it is
// reached, who has been quiet for longest makes room.
const maxPayers = 10_000

// rates gives every payer a token bucket, and every agent one for all its
// payers together.
type rates struct {
	now   func() time.Time
	limit rate.Limit
	burst int

	mu     sync.Mutex
	payers map[string]*bucket
	agents map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

func newRates(now func() time.Time, perSecond float64, burst int) *rates {
	return &rates{now: now, limit: rate.Limit(perSecond), burst: burst, payers: map[string]*bucket{}, agents: map[string]*bucket{}}
}

// take asks for one request of an agent's payer. When there is none left it
// says after how many whole seconds to try again.
func (r *rates) take(agent, payer string) (wait int, ok bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	crowd := r.bucket(r.agents, agent, identity.CrowdShare, now).ReserveN(now, 1)
	delay := crowd.DelayFrom(now)
	if delay == 0 {
		own := r.bucket(r.payers, agent+"|"+payer, 1, now).ReserveN(now, 1)
		if delay = own.DelayFrom(now); delay == 0 {
			return 0, true
		}
		own.CancelAt(now)
	}
	crowd.CancelAt(now)
	return int(math.Ceil(delay.Seconds())), false
}

func (r *rates) bucket(among map[string]*bucket, name string, share int, now time.Time) *rate.Limiter {
	b, ok := among[name]
	if !ok {
		if len(among) >= maxPayers {
			forgetOldest(among)
		}
		b = &bucket{limiter: rate.NewLimiter(r.limit*rate.Limit(share), r.burst*share)}
		among[name] = b
	}
	b.used = now
	return b.limiter
}

func forgetOldest(among map[string]*bucket) {
	oldest, first := "", true
	for name, b := range among {
		if first || b.used.Before(among[oldest].used) {
			oldest, first = name, false
		}
	}
	delete(among, oldest)
}

// crowd counts the open notification streams of every agent.
type crowd struct {
	mu   sync.Mutex
	open map[string]int
}

// enter takes a place among an agent's streams; leave gives it back, and is nil
// when there is none left.
func (c *crowd) enter(principal string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[principal] >= maxStreamsPerAgent {
		return nil
	}
	c.open[principal]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open[principal]--; c.open[principal] == 0 {
			delete(c.open, principal)
		}
	}
}
