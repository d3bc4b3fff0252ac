package approval

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/reach"
)

// Hook is where one agent's approvals are told. Secret signs what is sent.
type Hook struct {
	URL    string // as reach.CheckURL takes it
	Secret string
}

// Headers of a notification. The signature is sha256= and the HMAC-SHA256, in
// hex, over the timestamp (Unix seconds), a dot and the body.
const (
	TimestampHeader = "X-Confluence-MCP-Timestamp"
	SignatureHeader = "X-Confluence-MCP-Signature"
)

// Bounds of notifications.
const (
	hookQueue   = 256 // of all agents
	laneQueue   = 64  // of one
	hookTries   = 4
	hookTimeout = 10 * time.Second
	firstPause  = time.Second // then 4, 16 s
	longPause   = time.Minute // the most a receiver may ask for
)

// Bell tells agents' hooks of steps. What it sends holds no text anybody wrote:
// no title, no body, no reason; whoever wants to read more logs in. Agents do
// not wait for each other's receivers, and nobody waits for a notification.
type Bell struct {
	hook   func(ctx context.Context, agent string) (Hook, bool, error)
	near   *http.Client // to this machine
	far    *http.Client
	now    func() time.Time
	logger *slog.Logger
	queue  chan Request
	pause  time.Duration
}

// BellConfig is what a [Bell] needs. Hook finds where an agent is told, false
// when nowhere; it is asked before each attempt. Redirects are never followed,
// no proxy is used, and only an address that is named as loopback leads there.
type BellConfig struct {
	Hook   func(ctx context.Context, agent string) (Hook, bool, error)
	Now    func() time.Time
	Logger *slog.Logger
	Pause  time.Duration // before the first repetition, default 1 s
}

// NewBell makes a bell; [Bell.Run] sends.
func NewBell(c BellConfig) *Bell {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Pause <= 0 {
		c.Pause = firstPause
	}
	return &Bell{hook: c.Hook, near: hookClient(true), far: hookClient(false), now: c.Now, logger: c.Logger, queue: make(chan Request, hookQueue), pause: c.Pause}
}

func hookClient(loopback bool) *http.Client {
	return &http.Client{
		Timeout: hookTimeout,
		Transport: &http.Transport{DialContext: reach.DialContext(hookTimeout, loopback), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: hookTimeout, MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Tell queues a notification of a step that is one to tell of. It never waits:
// a full queue drops it, with a line in the log.
func (b *Bell) Tell(r Request) {
	if r.State == Executing || r.State == Approved {
		return
	}
	r.Private = Private{}
	b.put(b.queue, r)
}

func (b *Bell) put(queue chan<- Request, r Request) {
	select {
	case queue <- r:
	default:
		b.logger.Error("approval: too many notifications wait, one is dropped", "agent", r.Requester.Agent, "state", r.State)
	}
}

// Run sends what is queued until ctx ends, to each agent in a lane of its own.
func (b *Bell) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	lanes := map[string]chan Request{}
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-b.queue:
			lane := lanes[r.Requester.Agent]
			if lane == nil {
				lane = make(chan Request, laneQueue)
				lanes[r.Requester.Agent] = lane
				all.Go(func() { b.runLane(ctx, lane) })
			}
			b.put(lane, r)
		}
	}
}

func (b *Bell) runLane(ctx context.Context, lane <-chan Request) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-lane:
			b.deliver(ctx, r)
		}
	}
}

// notice is the body of a notification.
type notice struct {
	Event    string    `json:"event"`
	ID       string    `json:"approval_id"`
	State    State     `json:"state"`
	Agent    string    `json:"agent"`
	Tool     string    `json:"tool"`
	Action   string    `json:"action"`
	Site     string    `json:"site"`
	SpaceKey string    `json:"space_key,omitempty"`
	Resource string    `json:"resource,omitempty"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
}

func (b *Bell) deliver(ctx context.Context, r Request) {
	body, err := json.Marshal(notice{Event: "approval." + string(r.State), ID: r.ID, State: r.State, Agent: r.Requester.Agent, Tool: r.Tool, Action: r.Action,
		Site: r.Site, SpaceKey: r.SpaceKey, Resource: r.Resource, Created: r.Created, Expires: r.Expires})
	if err != nil {
		b.logger.ErrorContext(ctx, "approval: notification cannot be written", "err", err)
		return
	}
	pause := b.pause
	for try := 1; ; try++ {
		failed := b.attempt(ctx, r.Requester.Agent, body)
		if failed == nil || ctx.Err() != nil {
			return
		}
		if failed.final || try == hookTries {
			b.logger.ErrorContext(ctx, "approval: notification is given up", "agent", r.Requester.Agent, "state", r.State, "tries", try, "err", failed.what)
			return
		}
		b.logger.WarnContext(ctx, "approval: notification is repeated", "agent", r.Requester.Agent, "err", failed.what)
		if confluence.Pause(ctx, max(pause, failed.after)) != nil {
			return
		}
		pause *= 4
	}
}

// attempt sends to where the agent is told now.
func (b *Bell) attempt(ctx context.Context, agent string, body []byte) *hookFailure {
	h, ok, err := b.hook(ctx, agent)
	if err != nil {
		return &hookFailure{what: "where to send it cannot be read: " + err.Error(), final: confluence.KindOf(err) == confluence.Expired}
	}
	if !ok {
		return nil
	}
	return b.post(ctx, h, body)
}

// hookFailure is an attempt that did not arrive. A final one is not repeated:
// the receiver would say the same again.
type hookFailure struct {
	what  string
	final bool
	after time.Duration // the receiver asked to wait so long
}

func (b *Bell) post(ctx context.Context, h Hook, body []byte) *hookFailure {
	u, err := reach.CheckURL(h.URL)
	if err != nil {
		return &hookFailure{what: err.Error(), final: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return &hookFailure{what: "the hook's address is not valid", final: true}
	}
	stamp := strconv.FormatInt(b.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(TimestampHeader, stamp)
	req.Header.Set(SignatureHeader, Sign(h.Secret, stamp, body))
	client := b.far
	if reach.Loopback(u.Hostname()) {
		client = b.near
	}
	res, err := client.Do(req)
	if err != nil {
		return &hookFailure{what: "the hook could not be reached"} // the error would hold its address, which may hold a secret
	}
	defer func() { _ = res.Body.Close() }() // nothing in it matters
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	return judgeAnswer(res)
}

// judgeAnswer tells what passes (a rate limit, a fault of the receiver) from
// what does not: a redirect, or a request that is refused.
func judgeAnswer(res *http.Response) *hookFailure {
	code := res.StatusCode
	if code >= 200 && code <= 299 {
		return nil
	}
	passing := code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code == http.StatusTooEarly
	f := &hookFailure{what: fmt.Sprintf("the hook answered with status %d", code), final: !passing}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.after = time.Duration(min(seconds, int(longPause/time.Second))) * time.Second
	}
	return f
}

// Sign is the value of the signature header.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
