package emulator

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// faultLine is {"kind":"fault","match":"METHOD path-glob","action":{…}}: what
// the network or the service does wrong to requests that match. The glob's *
// stands for any text, slashes included; METHOD may be * too. Through the
// gateway both the path as sent and the path behind the prefix are matched. A
// glob with a ? is matched against path and query.
type faultLine struct {
	Kind   string      `json:"kind"`
	Match  string      `json:"match"`
	Action faultAction `json:"action"`
	Times  int         `json:"times"` // 0: until cleared
	Nth    int         `json:"nth"`   // the first match that fires; 0 and 1: the first
	Clear  bool        `json:"clear"` // instead of a rule: drops all rules of this site
}

// faultAction combines freely. Without a status the real answer is given,
// with Headers added; DelayMS, TruncateAt and BytesPerSecond shape it.
type faultAction struct {
	Status         int               `json:"status"`
	Headers        map[string]string `json:"headers"`
	Body           json.RawMessage   `json:"body"` // a string is sent as it is, anything else as JSON
	DelayMS        int               `json:"delay_ms"`
	Reset          bool              `json:"reset"`            // TCP reset instead of an answer
	TruncateAt     *int              `json:"truncate_at"`      // body bytes before the connection ends; Content-Length promises all
	BytesPerSecond int               `json:"bytes_per_second"` // of the body
	After          bool              `json:"after"`            // the request is executed first, its answer is lost
}

type faultRule struct {
	faultLine
	site   *host
	method string
	glob   string
	seen   int
	fired  int
}

type faults struct {
	mu    sync.Mutex
	rules []*faultRule
}

func (f *faults) add(h *host, line faultLine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if line.Clear {
		kept := f.rules[:0:0]
		for _, r := range f.rules {
			if r.site != h {
				kept = append(kept, r)
			}
		}
		f.rules = kept
		return nil
	}
	method, glob, ok := strings.Cut(line.Match, " ")
	if !ok || glob == "" {
		return fmt.Errorf("fault: match must be \"METHOD path\", not %q", line.Match)
	}
	f.rules = append(f.rules, &faultRule{faultLine: line, site: h, method: method, glob: glob})
	return nil
}

// take finds the rule that fires for this request and counts it.
func (f *faults) take(in *inbound) *faultAction {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !r.concerns(in) || r.Times > 0 && r.fired >= r.Times {
			continue
		}
		r.seen++
		if r.seen < r.Nth {
			continue
		}
		r.fired++
		return &r.Action
	}
	return nil
}

func (r *faultRule) concerns(in *inbound) bool {
	if r.method != "*" && !strings.EqualFold(r.method, in.sent.Method) {
		return false
	}
	if r.site == in.listener && r.matches(in.sent) {
		return true
	}
	return r.site == in.target && r.matches(in.api)
}

func (r *faultRule) matches(req *http.Request) bool {
	if strings.Contains(r.glob, "?") {
		return globbed(r.glob, req.URL.RequestURI())
	}
	return globbed(r.glob, req.URL.Path)
}

// globbed matches s against a pattern in which * stands for any text.
func globbed(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// act answers a request as the fault says; serve gives the real answer.
func (a *faultAction) act(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if a.DelayMS > 0 && !pause(r, time.Duration(a.DelayMS)*time.Millisecond) {
		return
	}
	if a.After {
		serve(newBuffered(), r)
	}
	if a.Reset {
		reset(w)
		return
	}
	answer := a.answer(r, serve)
	for k, v := range a.Headers {
		answer.Header().Set(k, v)
	}
	a.send(w, r, answer)
}

func (a *faultAction) answer(r *http.Request, serve http.HandlerFunc) *buffered {
	rec := newBuffered()
	switch {
	case a.Status == 0 && !a.After:
		serve(rec, r)
		return rec
	case a.Status == 0:
		rec.status = http.StatusInternalServerError
	default:
		rec.status = a.Status
	}
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		rec.Header().Set("Content-Type", "text/html;charset=UTF-8")
		rec.body.WriteString(text)
	} else if len(a.Body) > 0 {
		rec.Header().Set("Content-Type", "application/json;charset=UTF-8")
		rec.body.Write(a.Body)
	}
	return rec
}

func (a *faultAction) send(w http.ResponseWriter, r *http.Request, answer *buffered) {
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	body := answer.body.Bytes()
	if a.TruncateAt != nil || a.BytesPerSecond > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.status)
	cut := a.TruncateAt != nil && *a.TruncateAt < len(body)
	if cut {
		body = body[:*a.TruncateAt]
	}
	if a.BytesPerSecond > 0 {
		drip(w, r, body, a.BytesPerSecond)
	} else {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
	if cut {
		_ = http.NewResponseController(w).Flush() // as above
		panic(http.ErrAbortHandler)
	}
}

// drip sends body in slices of a tenth of a second.
func drip(w http.ResponseWriter, r *http.Request, body []byte, bytesPerSecond int) {
	step := max(1, bytesPerSecond/10)
	for len(body) > 0 {
		_ = http.NewResponseController(w).Flush() // a lost client ends the pause below
		n := min(step, len(body))
		if !pause(r, time.Duration(n)*time.Second/time.Duration(bytesPerSecond)) {
			return
		}
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		body = body[n:]
	}
}

// pause waits in real time; false when the client went away.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close below is an orderly one, still no answer
	}
	_ = conn.Close() // closing is the whole point; an error means it is closed
}
