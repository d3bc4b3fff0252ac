package server

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPrincipals bounds the memory that invented callers can take.
const maxPrincipals = 10_000

// rates gives every principal its own token bucket.
type rates struct {
	now   func() time.Time
	limit rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

func newRates(now func() time.Time, perSecond float64, burst int) *rates {
	return &rates{now: now, limit: rate.Limit(perSecond), burst: burst, buckets: map[string]*bucket{}}
}

// take asks for one request. When there is none left it says after how many
// whole seconds to try again.
func (r *rates) take(principal string) (wait int, ok bool) {
	now := r.now()
	b := r.bucket(principal, now)
	reservation := b.limiter.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay == 0 {
		return 0, true
	}
	reservation.CancelAt(now)
	return int(math.Ceil(delay.Seconds())), false
}

func (r *rates) bucket(principal string, now time.Time) *bucket {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[principal]
	if !ok {
		if len(r.buckets) >= maxPrincipals {
			r.forget(now)
		}
		b = &bucket{limiter: rate.NewLimiter(r.limit, r.burst)}
		r.buckets[principal] = b
	}
	b.used = now
	return b
}

// forget drops buckets that are full again, which changes nothing for their
// principals; when none is, it drops any, so that memory stays bounded.
func (r *rates) forget(now time.Time) {
	for p, b := range r.buckets {
		if b.limiter.TokensAt(now) >= float64(r.burst) {
			delete(r.buckets, p)
		}
	}
	for p := range r.buckets {
		if len(r.buckets) < maxPrincipals {
			return
		}
		delete(r.buckets, p)
	}
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
