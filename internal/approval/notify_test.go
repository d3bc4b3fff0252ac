package approval_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/planted"
)

// receiver is a webhook that answers with each status in turn, then with 204.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	paths    []string
	bodies   []string // of what it took
}

func listen(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{statuses: statuses}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		assert.Equal(t, approval.Sign("s3cret", req.Header.Get(approval.TimestampHeader), b), req.Header.Get(approval.SignatureHeader))
		assert.Equal(t, http.MethodPost, req.Method)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths = append(r.paths, req.URL.Path)
		if len(r.statuses) > 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(r.statuses[0])
			r.statuses = r.statuses[1:]
			return
		}
		r.bodies = append(r.bodies, string(b))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) seen() (paths, bodies []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.paths...), append([]string{}, r.bodies...)
}

// ring runs a bell until the test ends. Of agents without an address nobody is
// told.
func ring(t *testing.T, hooks map[string]string) (*approval.Bell, *planted.Log) {
	t.Helper()
	logs := &planted.Log{}
	b := approval.NewBell(approval.BellConfig{Pause: time.Millisecond, Now: func() time.Time { return start }, Logger: slog.New(slog.NewTextHandler(logs, nil)),
		Hook: func(_ context.Context, agent string) (approval.Hook, bool, error) {
			if hooks[agent] == "unreadable" {
				return approval.Hook{}, false, errors.New("the database is away")
			}
			return approval.Hook{URL: hooks[agent], Secret: "s3cret"}, hooks[agent] != "", nil
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return b, logs
}

func pendingOf(agentName, id string) approval.Request {
	who := agent
	who.Agent = agentName
	return approval.Request{ID: id, State: approval.Pending, Requester: who, Tool: "confluence_update_page", Resource: "page 1",
		Summary: "canary", Reason: "canary", Private: approval.Private{Diff: "canary", Args: json.RawMessage(`"canary"`)}}
}

// soon is how long what claims nothing of time may take on a slow machine.
const soon = time.Minute

func TestNotificationsAreSignedRepeatedAndHoldNoText(t *testing.T) {
	hook := listen(t, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError)
	b, _ := ring(t, map[string]string{"bot": hook.URL + "/h"})
	b.Tell(pendingOf("another", "1"))
	b.Tell(pendingOf("bot", "2"))
	started := pendingOf("bot", "3")
	started.State = approval.Executing
	b.Tell(started)
	require.Eventually(t, func() bool { _, bodies := hook.seen(); return len(bodies) == 1 }, soon, 5*time.Millisecond)
	paths, bodies := hook.seen()
	assert.Equal(t, []string{"/h", "/h", "/h", "/h"}, paths)
	assert.Contains(t, bodies[0], `"event":"approval.pending","approval_id":"2"`)
	assert.NotContains(t, bodies[0], "canary")
}

// What a receiver refuses for good is not sent again, and a redirect is neither
// followed nor repeated; what passes is tried four times.
func TestNotificationsAreRepeatedByWhatWentWrong(t *testing.T) {
	for _, c := range []struct{ status, tries int }{
		{http.StatusTemporaryRedirect, 1}, {http.StatusMovedPermanently, 1}, {http.StatusBadRequest, 1}, {http.StatusUnauthorized, 1}, {http.StatusNotFound, 1}, {http.StatusGone, 1},
		{http.StatusRequestTimeout, 4}, {http.StatusTooManyRequests, 4}, {http.StatusInternalServerError, 4}, {http.StatusBadGateway, 4},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			hook := listen(t, c.status, c.status, c.status, c.status)
			b, logs := ring(t, map[string]string{"bot": hook.URL + "/canary-path"})
			b.Tell(pendingOf("bot", "1"))
			require.Eventually(t, func() bool { return strings.Contains(logs.String(), "given up") }, soon, time.Millisecond)
			paths, bodies := hook.seen()
			assert.Len(t, paths, c.tries)
			assert.NotContains(t, paths, "/elsewhere")
			assert.Empty(t, bodies)
			assert.NotContains(t, logs.String(), "canary", "an address may hold a secret")
		})
	}
}

// A receiver that hangs, or is not there, holds up its own agent alone; nobody
// waits when they tell.
func TestAReceiverThatHangsHoldsUpNobodyElse(t *testing.T) {
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hangs.Close()
	defer close(release)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	good := listen(t)
	b, logs := ring(t, map[string]string{"slow": hangs.URL, "gone": closed.URL, "broken": "unreadable", "inside": "http://169.254.169.254/canary", "good": good.URL})
	began := time.Now()
	for i := range 1000 {
		b.Tell(pendingOf("slow", fmt.Sprint(i)))
	}
	assert.Less(t, time.Since(began), time.Second)
	require.Eventually(t, func() bool { return strings.Contains(logs.String(), "one is dropped") }, soon, time.Millisecond)
	for _, agent := range []string{"gone", "broken", "inside"} {
		require.Eventually(t, func() bool {
			b.Tell(pendingOf(agent, "x"))
			return strings.Contains(logs.String(), "given up\" agent="+agent)
		}, soon, 5*time.Millisecond)
	}
	require.Eventually(t, func() bool {
		b.Tell(pendingOf("good", "y"))
		_, bodies := good.seen()
		return len(bodies) > 0
	}, soon, 5*time.Millisecond)
	assert.NotContains(t, logs.String(), "canary")
}
