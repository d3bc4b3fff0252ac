package confluence

import (
	"context"
	"net/http"
	"slices"
	"sync"
)

// Bounds of what a [Trail] keeps.
const (
	maxTrailIDs = 16
	maxTrailID  = 64
)

// Trail is what one call asked of Confluence, for the record: how many
// requests, the status of the last answer, and the ids Confluence gave the last
// 16, by which its administrators and Atlassian find them in their own logs. It
// decides nothing. The zero value is ready; it is safe for concurrent use.
type Trail struct {
	mu       sync.Mutex
	requests int
	status   int
	ids      []string
}

type trailKey struct{}

// Follow has everything asked of Confluence under the context noted.
func Follow(ctx context.Context) (context.Context, *Trail) {
	t := &Trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

// NoteExchange is called by a client for every request it sent. res is nil when
// there was no answer.
func NoteExchange(ctx context.Context, res *http.Response) {
	t, ok := ctx.Value(trailKey{}).(*Trail)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.status = 0
	if res == nil {
		return
	}
	t.status = res.StatusCode
	for _, name := range []string{"Atl-Traceid", "X-Request-Id", "X-Arequestid"} { // Cloud, proxies, Data Center
		if id := res.Header.Get(name); plainID(id) {
			t.ids = append(t.ids, id)
			break
		}
	}
	if len(t.ids) > maxTrailIDs {
		t.ids = t.ids[1:]
	}
}

// plainID keeps out of the record what is no id.
func plainID(id string) bool {
	if id == "" || len(id) > maxTrailID {
		return false
	}
	for _, r := range id {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&' {
			return false
		}
	}
	return true
}

// Seen tells how many requests were sent, the status of the last answer (0:
// none came) and the ids of the last ones. A nil trail saw nothing.
func (t *Trail) Seen() (requests, status int, ids []string) {
	if t == nil {
		return 0, 0, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.requests, t.status, slices.Clone(t.ids)
}
