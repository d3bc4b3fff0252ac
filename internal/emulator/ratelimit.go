package emulator

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"confluence-mcp/internal/emulator/wire"
)

// rateLine is {"kind":"rate_limit","limit":100,"window_seconds":10}: from now on
// the site announces a limit in every answer and holds it. A limit of 0 ends
// that.
type rateLine struct {
	Kind          string `json:"kind"`
	Limit         int    `json:"limit"`
	WindowSeconds int    `json:"window_seconds"` // 0: one second
	NoRetryAfter  bool   `json:"no_retry_after"` // the gateway's 429 lacks it
}

// rateLimit counts requests in windows of the injected clock.
type rateLimit struct {
	mu    sync.Mutex
	line  rateLine
	ends  time.Time
	count int
}

func (l *rateLimit) set(line rateLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line.WindowSeconds <= 0 {
		line.WindowSeconds = 1
	}
	l.line, l.ends, l.count = line, time.Time{}, 0
}

// allow counts a request and writes the headers; false when it has answered
// 429.
func (l *rateLimit) allow(w http.ResponseWriter, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.Limit <= 0 {
		return true
	}
	window := time.Duration(l.line.WindowSeconds) * time.Second
	if !now.Before(l.ends) {
		l.ends, l.count = now.Add(window), 0
	}
	l.count++
	left := max(0, l.line.Limit-l.count)
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(l.line.Limit))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	w.Header().Set("X-RateLimit-Reset", l.ends.UTC().Format("2006-01-02T15:04:05Z"))
	if left*5 < l.line.Limit {
		w.Header().Set("X-RateLimit-NearLimit", "true")
	}
	if l.count <= l.line.Limit {
		return true
	}
	if !l.line.NoRetryAfter {
		wait := (l.ends.Sub(now) + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(wait)))
	}
	w.Header().Set("RateLimit-Reason", "confluence-burst-based")
	wire.JSON(w, http.StatusTooManyRequests, map[string]any{"code": http.StatusTooManyRequests, "message": "Rate limit exceeded"})
	return false
}
