package emulator

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// journalLimit is how many requests are kept; the oldest half goes when it is
// full, so that a day of load does not eat the memory.
const journalLimit = 400_000

// Request is one journal entry. Path has the query but never a credential:
// those values are replaced by "redacted". Status is 0 while the answer has
// not begun and for a connection that a fault has cut.
type Request struct {
	N      int       `json:"n"` // 1, 2, … over all listeners
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // as the client sent it, gateway prefix included
	User   string    `json:"user"` // user id; empty is anonymous or refused
	Status int       `json:"status"`
	Via    string    `json:"via"`  // site, gateway, oauth or media
	Site   string    `json:"site"` // cloud id of the site concerned; empty for oauth
}

type journal struct {
	mu      sync.Mutex
	n       int
	entries []*Request
}

// begin writes the entry before the request is served, so that a client which
// already has its answer always finds its request here.
func (j *journal) begin(e Request) *Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n++
	e.N = j.n
	if len(j.entries) == journalLimit {
		j.entries = append([]*Request(nil), j.entries[journalLimit/2:]...)
	}
	j.entries = append(j.entries, &e)
	return &e
}

func (j *journal) answered(e *Request, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Status = status
}

// since lists the entries with a number above n for which keep is true.
func (j *journal) since(n int, keep func(*Request) bool) []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []Request{}
	dropped := j.n - len(j.entries)
	for _, e := range j.entries[min(max(0, n-dropped), len(j.entries)):] {
		if keep(e) {
			out = append(out, *e)
		}
	}
	return out
}

// visiblePath is the request's path with its query, without secret values.
func visiblePath(u *url.URL) string {
	q := u.Query()
	hidden := false
	for _, key := range []string{"token", "code", "client_secret", "access_token", "refresh_token"} {
		if q.Has(key) {
			q.Set(key, "redacted")
			hidden = true
		}
	}
	switch {
	case hidden:
		return u.EscapedPath() + "?" + q.Encode()
	case u.RawQuery != "":
		return u.EscapedPath() + "?" + u.RawQuery
	}
	return u.EscapedPath()
}

// statusWriter tells the journal the status before the first byte is sent.
type statusWriter struct {
	http.ResponseWriter
	answered func(status int)
	status   int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.answered(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
