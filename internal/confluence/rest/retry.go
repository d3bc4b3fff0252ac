package rest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"confluence-mcp/internal/confluence"
)

// Retry policy: 2, 4, 8, 16 s, each times 0.7 to 1.3. An address that takes no
// connection is asked again once only: it is most likely wrong, and somebody
// waits for the sentence that says so.
const (
	maxRetries   = 4
	maxRedials   = 1
	firstBackoff = 2 * time.Second
	maxBackoff   = 30 * time.Second
)

// retried repeats a call while that can help and can do no harm: 429 whatever
// the method (it is refused before it is processed), what never left this
// machine, and 502, 503, 504 or a broken connection only where repeating is
// safe. A bare 500 is never repeated.
func (w *wire) retried(next doer) doer {
	return func(ctx context.Context, c *call) (*answer, error) {
		doubt := false // an earlier attempt may have been applied
		for attempt := 0; ; attempt++ {
			ans, err := next(ctx, c)
			f := asFailure(err)
			if f == nil {
				return ans, err
			}
			if doubt && c.method == http.MethodDelete && f.Kind == confluence.NotFound {
				return &answer{status: http.StatusNoContent}, nil // gone, as asked
			}
			if !c.mayRepeat(f) || attempt == f.attempts() || !w.waitToRepeat(ctx, c, f, attempt) {
				return nil, c.settle(f, doubt)
			}
			doubt = doubt || f.inDoubt()
		}
	}
}

func (f *failure) attempts() int {
	if f.unsent {
		return maxRedials
	}
	return maxRetries
}

func (c *call) mayRepeat(f *failure) bool {
	if !f.passing || c.upload != nil && !c.upload.rewind() {
		return false
	}
	return f.status == http.StatusTooManyRequests || f.unsent || c.safe
}

// inDoubt reports that Confluence may have applied the call: it failed half
// way, the answer was lost, or it is a success that cannot be read.
func (f *failure) inDoubt() bool {
	return f.status >= 500 || f.status >= 200 && f.status < 300 || f.status == 0 && !f.unsent && f.Kind == confluence.Unavailable
}

// waitToRepeat waits as asked or with backoff. A rate limit pauses everybody
// it concerns, so its wait happens where all calls pass: in paced.
func (w *wire) waitToRepeat(ctx context.Context, c *call, f *failure, attempt int) bool {
	d := f.wait
	if d == 0 {
		d = backoff(attempt)
	}
	w.cfg.Logger.InfoContext(ctx, "confluence call is repeated", "endpoint", c.endpoint(), "failure", f.StableCode(), "status", f.status, "wait", d)
	if f.status == http.StatusTooManyRequests {
		w.pace.pause(c.endpoint(), f.quota, d)
		f.RetryAfter = d
		return true
	}
	return w.mayWait(ctx, c, d) && w.cfg.Sleep(ctx, d) == nil
}

func backoff(attempt int) time.Duration {
	d := min(firstBackoff<<attempt, maxBackoff)
	return time.Duration(float64(d) * (0.7 + 0.6*rand.Float64()))
}

// settle completes the message of a change whose outcome is not known. doubt
// says that an earlier attempt may have been applied: then a refusal of the last
// one does not tell that nothing was.
func (c *call) settle(f *failure, doubt bool) error {
	if !c.changes() || !doubt && !f.inDoubt() {
		return f
	}
	if !f.inDoubt() {
		f = &failure{problem: &confluence.Error{Kind: confluence.Unavailable, Code: "net.unavailable", Op: c.op, Ref: c.ref, Err: f.problem,
			Message: "Confluence failed on the change and refused it when it was repeated (" + f.Message + ")"}}
	}
	f.Message += "; whether the change was made is not known"
	f.Next = "Read the content again before you repeat the change."
	return f
}
