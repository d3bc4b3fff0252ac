package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"confluence-mcp/internal/confluence"
)

// Caps on answers, in bytes after decompression.
const (
	maxList  = 32 << 20
	maxBulk  = 4 << 20  // of bodies: it is held twice, as it came and decoded
	maxPage  = 8 << 20  // Confluence refuses bodies over 5 MB; escaping adds to them
	maxLong  = 64 << 20 // of a body of which a part is kept
	maxError = 64 << 10
)

// call is one operation: what is asked, how it is named in errors and whether
// it may be repeated.
type call struct {
	op, ref  string
	method   string
	template string // names the endpoint for rate limits
	path     string
	query    url.Values
	body     []byte           // JSON
	upload   *upload          // or a file
	part     *confluence.Part // the answer may hold one long value; see leanReader
	safe     bool             // repeating it after an unknown outcome does no harm
	asks     bool             // a read by POST
	limit    int64            // cap on the answer; 0: maxPage
	badCode  string           // code of a 400; empty: the kind's own
	spent    time.Duration
}

// answer is a success.
type answer struct {
	status int
	header http.Header
	body   []byte
	long   *longValue // what was taken out of body; nil: nothing
}

// doer performs a call; the decorators of the wire are doers around a doer.
type doer func(ctx context.Context, c *call) (*answer, error)

// read makes a GET. The arguments fill the placeholders of the template.
func read(op, ref, template string, args ...string) *call {
	return &call{op: op, ref: ref, method: http.MethodGet, template: template, path: fill(template, args), query: url.Values{}, safe: true}
}

// write makes a call that changes something; or, with [call.asking], a read by
// POST.
func write(method, op, ref, template string, args ...string) *call {
	c := read(op, ref, template, args...)
	c.method, c.safe = method, method == http.MethodDelete
	return c
}

// asking makes a POST one that reads.
func (c *call) asking() { c.safe, c.asks = true, true }

// changes reports whether the call is meant to change something.
func (c *call) changes() bool { return c.method != http.MethodGet && !c.asks }

func (c *call) with(body any) (*call, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, &confluence.Error{Kind: confluence.Internal, Op: c.op, Ref: c.ref, Err: err}
	}
	c.body = raw
	return c, nil
}

func (c *call) set(name, value string) *call {
	if value != "" {
		c.query.Set(name, value)
	}
	return c
}

// endpoint is the unit of Confluence's burst limits.
func (c *call) endpoint() string { return c.method + " " + c.template }

func fill(template string, args []string) string {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") && len(args) > 0 {
			segments[i], args = args[0], args[1:]
		}
	}
	return strings.Join(segments, "/")
}

// wire is what every edition of Confluence shares.
type wire struct {
	cfg   Config
	base  address
	pace  *pacer
	media *http.Client // for signed addresses on media hosts: no credential

	guarded    http.RoundTripper
	credential *credential
	site       *http.Client // authenticated, then guarded
	do         doer
	ahead      *atomic.Int64 // how far the site's clock is before ours, by its last answer
}

func newWire(cfg Config, base address) *wire {
	w := &wire{cfg: cfg, base: base, pace: newPacer(cfg.Concurrency, cfg.Now), ahead: &atomic.Int64{}}
	w.media = newHTTPClient(newTransport(cfg, mediaRule(base), nil))
	w.guarded = Guard(newTransport(cfg, siteRule(base), cfg.Proxy))
	return w.connect()
}

// connect builds the chain of one credential on the wire's connections and
// pace.
func (w *wire) connect() *wire {
	w.credential = newCredential(w.guarded, w.base, w.cfg)
	w.site = newHTTPClient(w.credential)
	w.do = w.through(w.exchange)
	return w
}

// through puts the decorators around one attempt.
func (w *wire) through(attempt doer) doer { return w.retried(w.renewed(w.paced(attempt))) }

// exchange is one attempt: request, answer, capped body, judged status.
func (w *wire) exchange(ctx context.Context, c *call) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.CallTimeout)
	defer cancel()
	res, err := w.send(ctx, c)
	if err != nil {
		return nil, netFailure(ctx, c, err)
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		w.ahead.Store(int64(at.Sub(w.cfg.Now())))
	}
	body := newSteadyBody(res.Body, w.cfg.IdleTimeout)
	defer func() { _ = body.Close() }() // read to its end or given up
	if res.StatusCode >= 300 {
		raw, _ := io.ReadAll(io.LimitReader(body, maxError)) // what came is enough to judge
		return nil, statusFailure(c, res, raw, w.cfg.Now())
	}
	w.pace.learn(c.endpoint(), res.Header)
	ans, err := c.receive(res, body)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, tooLarge(c, "the answer of Confluence is larger than "+itoa(int(c.most()>>20))+" MB")
	case err != nil:
		return nil, netFailure(ctx, c, err)
	}
	if err := mustBeJSON(c, res, ans.body); err != nil {
		return nil, err
	}
	return ans, nil
}

// most is the cap on the call's answer in bytes.
func (c *call) most() int64 {
	switch {
	case c.limit > 0:
		return c.limit
	case c.part != nil && c.part.Size > 0:
		return maxLong
	}
	return maxPage
}

var errTooLarge = errors.New("the answer is too large")

// receive reads an answer within its cap; one that says it is larger is
// refused unread.
func (c *call) receive(res *http.Response, body io.Reader) (*answer, error) {
	limit := c.most()
	if res.ContentLength > limit {
		return nil, errTooLarge
	}
	ans := &answer{status: res.StatusCode, header: res.Header}
	var err error
	if c.part != nil {
		ans.body, ans.long, err = newLeanReader(body, limit, *c.part).read()
		return ans, err
	}
	if ans.body, err = readWithin(body, limit+1); err == nil && int64(len(ans.body)) > limit {
		err = errTooLarge
	}
	return ans, err
}

// readWithin reads at most limit bytes. A large answer is not copied from one
// buffer to the next larger one: after the first MiB room for all of it is
// made, which costs memory only where it is written to, and what earlier calls
// left unused goes back to the system first: answers of this size are rare, and
// two of them in a row must not add up.
func readWithin(r io.Reader, limit int64) ([]byte, error) {
	const first = 1 << 20
	raw, err := io.ReadAll(io.LimitReader(r, min(limit, first)))
	if err != nil || int64(len(raw)) < first {
		return raw, err
	}
	whole := append(make([]byte, 0, limit), raw...)
	raw = nil
	debug.FreeOSMemory()
	for int64(len(whole)) < limit {
		n, err := r.Read(whole[len(whole):limit])
		whole = whole[:len(whole)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return whole, err
		}
	}
	return whole, nil
}

// send puts the call on the wire and returns as soon as there are headers.
func (w *wire) send(ctx context.Context, c *call) (*http.Response, error) {
	req := (&http.Request{
		Method: c.method, URL: w.base.url(c.path, c.query), Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.ContentLength = int64(len(c.body))
		req.Body = io.NopCloser(bytes.NewReader(c.body))
	}
	if c.upload != nil {
		c.upload.attach(req)
	}
	res, err := w.site.Do(req)
	confluence.NoteExchange(ctx, res)
	return res, err
}

func mustBeJSON(c *call, res *http.Response, raw []byte) error {
	if len(raw) == 0 && (c.method != http.MethodGet || res.StatusCode == http.StatusNoContent) {
		return nil
	}
	if ct := strings.ToLower(res.Header.Get("Content-Type")); strings.Contains(ct, "json") && !isHTML(res, raw) {
		return nil
	}
	f := &failure{problem: &confluence.Error{Op: c.op, Ref: c.ref}, status: res.StatusCode}
	f.notConfluence()
	return f
}

func isHTML(res *http.Response, body []byte) bool {
	if strings.Contains(strings.ToLower(res.Header.Get("Content-Type")), "html") {
		return true
	}
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

func tooLarge(c *call, message string) error {
	return &failure{problem: &confluence.Error{
		Kind: confluence.Limited, Code: "limit.too_large", Op: c.op, Ref: c.ref,
		Message: message, Next: "Ask for less at once.",
	}}
}

// fetch performs a call and decodes its answer.
func fetch[T any](ctx context.Context, w *wire, c *call) (T, error) {
	ans, err := w.do(ctx, c)
	if err != nil {
		var none T
		return none, err
	}
	return decoded[T](c, ans)
}

func decoded[T any](c *call, ans *answer) (T, error) {
	var v T
	if err := json.Unmarshal(ans.body, &v); err != nil {
		f := &failure{problem: &confluence.Error{Op: c.op, Ref: c.ref, Err: err}, status: ans.status}
		f.notConfluence()
		f.Message = "the answer of Confluence is not valid JSON of the expected form"
		return v, c.settle(f, false)
	}
	return v, nil
}
