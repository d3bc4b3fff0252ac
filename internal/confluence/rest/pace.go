package rest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// maxWait clamps what an answer may ask for, whatever it says.
const maxWait = 300 * time.Second

// pacer keeps one connection within Confluence's limits: a pause of the whole
// connection for a used-up quota, a pause of one endpoint for a burst limit,
// and wider spacing of an endpoint that says its limit is near.
type pacer struct {
	now func() time.Time
	*gate

	mu    sync.Mutex
	all   time.Time
	lanes map[string]*lane
}

// lane is the pace of one endpoint.
type lane struct {
	until   time.Time     // paused
	spacing time.Duration // between two calls while the limit is near
	next    time.Time     // earliest start under spacing
}

func newPacer(width int, now func() time.Time) *pacer {
	return &pacer{now: now, gate: newGate(width), lanes: map[string]*lane{}}
}

// paced waits for the call's turn, runs it within the gate and narrows the
// gate when Confluence says it is too much.
func (w *wire) paced(next doer) doer {
	return func(ctx context.Context, c *call) (*answer, error) {
		if d := w.pace.delay(c.endpoint()); d > 0 {
			if !w.mayWait(ctx, c, d) {
				return nil, pausedFailure(c, d)
			}
			if err := w.cfg.Sleep(ctx, d); err != nil {
				return nil, netFailure(ctx, c, err)
			}
		}
		if err := w.pace.enter(ctx); err != nil {
			return nil, netFailure(ctx, c, err)
		}
		defer w.pace.leave()
		ans, err := next(ctx, c)
		f := asFailure(err)
		w.pace.adapt(f != nil && f.status == http.StatusTooManyRequests)
		return ans, err
	}
}

// mayWait charges a wait to the call's budget, unless budget or deadline
// would be over before the wait is.
func (w *wire) mayWait(ctx context.Context, c *call, d time.Duration) bool {
	if c.spent+d > w.cfg.RateBudget {
		return false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	c.spent += d
	return true
}

func pausedFailure(c *call, d time.Duration) error {
	f := &failure{problem: &confluence.Error{Op: c.op, Ref: c.ref}, unsent: true}
	f.limited(http.Header{}, time.Time{})
	f.passing, f.RetryAfter, f.Next = false, d, waitAdvice(d)
	return f
}

// delay says how long a call to the endpoint has to wait from now.
func (p *pacer) delay(endpoint string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	at := now
	if p.all.After(at) {
		at = p.all
	}
	l := p.lanes[endpoint]
	if l == nil {
		return at.Sub(now)
	}
	if l.until.After(at) {
		at = l.until
	}
	if l.spacing > 0 {
		if l.next.After(at) {
			at = l.next
		}
		l.next = at.Add(l.spacing)
	}
	return at.Sub(now)
}

// pause stops the endpoint, or with quota everything, for d.
func (p *pacer) pause(endpoint string, quota bool, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.now().Add(d)
	if quota {
		if until.After(p.all) {
			p.all = until
		}
		return
	}
	if l := p.lane(endpoint); until.After(l.until) {
		l.until = until
	}
}

func (p *pacer) lane(endpoint string) *lane {
	l := p.lanes[endpoint]
	if l == nil {
		l = &lane{}
		p.lanes[endpoint] = l
	}
	return l
}

// learn spreads what is left of a nearly used-up limit over the time to its
// reset, so that the wall is not hit at full speed.
func (p *pacer) learn(endpoint string, h http.Header) {
	near := strings.EqualFold(h.Get("X-RateLimit-NearLimit"), "true")
	p.mu.Lock()
	defer p.mu.Unlock()
	if !near {
		if l := p.lanes[endpoint]; l != nil {
			l.spacing = 0
		}
		return
	}
	spacing := 500 * time.Millisecond
	reset, known := parseReset(h.Get("X-RateLimit-Reset"), p.now())
	left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if known && err == nil {
		spacing = min(reset/time.Duration(max(left, 1)), 5*time.Second)
	}
	p.lane(endpoint).spacing = spacing
}

// askedWait is the wait an answer asks for, 0 when it asks for none: seconds
// or a date in Retry-After, else the quota's or the limit's reset; never more
// than maxWait, never negative.
func askedWait(h http.Header, now time.Time) time.Duration {
	raw := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(raw, 64); err == nil {
		return clamp(seconds)
	}
	if at, err := http.ParseTime(raw); err == nil {
		return clamp(at.Sub(now).Seconds())
	}
	if seconds, ok := quotaReset(h); ok {
		return clamp(seconds)
	}
	if d, ok := parseReset(h.Get("X-RateLimit-Reset"), now); ok {
		return clamp(d.Seconds())
	}
	return 0
}

func clamp(seconds float64) time.Duration {
	if !(seconds > 0) { // also not a number
		return 0
	}
	return time.Duration(min(seconds, maxWait.Seconds()) * float64(time.Second))
}

// parseReset reads an ISO time whose seconds may be missing.
func parseReset(raw string, now time.Time) (time.Duration, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, raw); err == nil {
			return max(at.Sub(now), 0), true
		}
	}
	return 0, false
}

// quotaReset reads t of a used-up quota in RateLimit: "global-app-quota";r=0;t=600.
func quotaReset(h http.Header) (float64, bool) {
	for _, policy := range strings.Split(strings.Join(h.Values("RateLimit"), ","), ",") {
		var left, reset float64 = -1, -1
		for _, field := range strings.Split(policy, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				continue
			}
			switch name {
			case "r":
				left = n
			case "t":
				reset = n
			}
		}
		if left == 0 && reset > 0 {
			return reset, true
		}
	}
	return 0, false
}

// isQuota tells a used-up quota of the app from a burst limit.
func isQuota(h http.Header) bool {
	if _, ok := quotaReset(h); ok {
		return true
	}
	return strings.Contains(strings.ToLower(h.Get("RateLimit-Reason")), "quota")
}
