package server

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"confluence-mcp/internal/identity"
)

// maxPayers bounds the memory that invented callers can take. When it is
// reached, one that has been quiet makes room: the quietest of lookedAt.
const (
	maxPayers = 10_000
	lookedAt  = 64
)

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
	return r.takeWithin(Agent{Name: agent}, agent, payer)
}

// takeWithin is take for an agent that may have a rate of its own. That bounds
// the agent as a whole, so it takes the place of the crowd's; a payer never
// has more than the agent.
func (r *rates) takeWithin(a Agent, agent, payer string) (wait int, ok bool) {
	all := pace{limit: r.limit * identity.CrowdShare, burst: r.burst * identity.CrowdShare}
	one := pace{limit: r.limit, burst: r.burst}
	if a.Rate > 0 {
		all = pace{limit: rate.Limit(a.Rate), burst: a.Burst}
		if all.burst <= 0 {
			all.burst = max(1, int(math.Ceil(2*a.Rate))) // as the server's own
		}
		one = pace{limit: min(one.limit, all.limit), burst: min(one.burst, all.burst)}
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	crowd := bucketOf(r.agents, agent, all, now).ReserveN(now, 1)
	delay := crowd.DelayFrom(now)
	if delay == 0 {
		own := bucketOf(r.payers, agent+"|"+payer, one, now).ReserveN(now, 1)
		if delay = own.DelayFrom(now); delay == 0 {
			return 0, true
		}
		own.CancelAt(now)
	}
	crowd.CancelAt(now)
	return int(math.Ceil(delay.Seconds())), false
}

// pace is how fast a bucket fills, and how much it holds.
type pace struct {
	limit rate.Limit
	burst int
}

func bucketOf(among map[string]*bucket, name string, p pace, now time.Time) *rate.Limiter {
	b, ok := among[name]
	if ok && (b.limiter.Limit() != p.limit || b.limiter.Burst() != p.burst) {
		ok = false // the agent was given another rate
	}
	if !ok {
		if len(among) >= maxPayers {
			forgetQuiet(among)
		}
		b = &bucket{limiter: rate.NewLimiter(p.limit, p.burst)}
		among[name] = b
	}
	b.used = now
	return b.limiter
}

// forgetQuiet makes room: of some buckets, the one that was not used for
// longest goes. Looking at all would let invented payers cost everybody time.
func forgetQuiet(among map[string]*bucket) {
	quiet, seen := "", 0
	for name, b := range among {
		if seen == 0 || b.used.Before(among[quiet].used) {
			quiet = name
		}
		if seen++; seen == lookedAt {
			break
		}
	}
	delete(among, quiet)
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
