package approval

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Hook is where one agent's approvals are told. Secret signs what is sent.
type Hook struct {
	URL    string // https, or http to loopback
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
	hookQueue   = 256
	hookTries   = 4
	hookTimeout = 10 * time.Second
	firstPause  = time.Second // then 4, 16 s
)

// Bell tells agents' hooks of steps. What it sends holds no text anybody wrote:
// no title, no body, no reason; whoever wants to read more logs in.
type Bell struct {
	hooks  map[string]Hook
	client *http.Client
	now    func() time.Time
	logger *slog.Logger
	queue  chan Request
	pause  time.Duration
}

// BellConfig is what a [Bell] needs. Hooks are by agent name. Transport nil is
// http.DefaultTransport; redirects are never followed.
type BellConfig struct {
	Hooks     map[string]Hook
	Transport http.RoundTripper
	Now       func() time.Time
	Logger    *slog.Logger
	Pause     time.Duration // before the first repetition, default 1 s
}

// NewBell makes a bell; [Bell.Run] sends.
func NewBell(c BellConfig) *Bell {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Pause <= 0 {
		c.Pause = firstPause
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Bell{hooks: c.Hooks, client: &http.Client{Transport: c.Transport, Timeout: hookTimeout, CheckRedirect: refuse},
		now: c.Now, logger: c.Logger, queue: make(chan Request, hookQueue), pause: c.Pause}
}

// Tell queues a notification, when the requesting agent has a hook and the
// step is one to tell of. A full queue drops it, with a line in the log.
func (b *Bell) Tell(r Request) {
	if b.hooks[r.Requester.Agent].URL == "" || r.State == Executing || r.State == Approved {
		return
	}
	r.Private = Private{}
	select {
	case b.queue <- r:
	default:
		b.logger.Error("approval: too many notifications wait, one is dropped", "agent", r.Requester.Agent, "state", r.State)
	}
}

// Run sends what is queued until ctx ends.
func (b *Bell) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-b.queue:
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
	pause := b.pause
	for try := 1; err == nil; try++ {
		err = b.post(ctx, b.hooks[r.Requester.Agent], body)
		if err == nil || ctx.Err() != nil {
			return
		}
		if try == hookTries {
			break
		}
		b.logger.WarnContext(ctx, "approval: notification is repeated", "agent", r.Requester.Agent, "err", err)
		if !sleep(ctx, pause) {
			return
		}
		pause, err = 4*pause, nil
	}
	b.logger.ErrorContext(ctx, "approval: notification is given up", "agent", r.Requester.Agent, "state", r.State, "err", err)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (b *Bell) post(ctx context.Context, h Hook, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the hook's address is not valid")
	}
	stamp := strconv.FormatInt(b.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(TimestampHeader, stamp)
	req.Header.Set(SignatureHeader, Sign(h.Secret, stamp, body))
	res, err := b.client.Do(req)
	if err != nil {
		return errors.New("the hook could not be reached") // the error would hold its address, which may hold a secret
	}
	defer func() { _ = res.Body.Close() }() // nothing in it matters
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("the hook answered with status %d", res.StatusCode)
	}
	return nil
}

// Sign is the value of the signature header.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
