package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/internal/identity"
)

// Limits of one stream.
const (
	maxRunning   = 64                     // requests at once; the next ones wait
	maxWaiting   = 128                    // requests that wait; the next one is refused
	maxListening = 8                      // notification streams at once
	lastAnswers  = 900 * time.Millisecond // for answers under way when the input ends, or the server
	lastRecords  = time.Second            // for calls that were cancelled then, to be filed as such
)

// ServeStream speaks MCP over a pair of streams, one JSON message a line, for
// one caller: standard input and output, or a connection to the data folder's
// owner. It returns nil when r ends or ctx does, and an error when r or w fails;
// a line that r fails within is dropped.
// Calls under way get most of a second to be answered then, and once cancelled
// another to end, so that the audit log says how. Only protocol messages are
// written to w. It does not close r: a read that blocks is left behind.
func (s *Server) ServeStream(ctx context.Context, r io.Reader, w io.Writer, caller identity.Caller) error {
	stopped := ctx.Done()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	t := &stream{server: s, caller: caller, out: w, fail: cancel, slots: make(chan struct{}, maxRunning), running: map[string]context.CancelFunc{}}
	t.legacy = t.newSession(ctx, rand.Text())
	defer s.mcp.UnregisterSession(context.WithoutCancel(ctx), t.legacy.id)

	lines := make(chan line)
	go readLines(ctx, r, s.cfg.MaxLine, lines)
	for {
		select {
		case <-stopped:
			t.finish(cancel)
			return t.broken()
		case <-ctx.Done():
			t.finish(cancel)
			return t.broken()
		case l := <-lines:
			if l.err != nil {
				t.finish(cancel)
				if errors.Is(l.err, io.EOF) {
					return t.broken()
				}
				return fmt.Errorf("read a message: %w", l.err)
			}
			t.take(ctx, l)
		}
	}
}

// line is one message, or why there is none.
type line struct {
	text    []byte
	tooLong bool
	err     error
}

func readLines(ctx context.Context, r io.Reader, limit int64, out chan<- line) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		l := readLine(in, limit)
		if l.err != nil && !errors.Is(l.err, io.EOF) {
			l = line{err: l.err} // half a message is none
		}
		if len(bytes.TrimSpace(l.text)) > 0 || l.tooLong {
			err := l.err
			l.err = nil
			if !send(ctx, out, l) {
				return
			}
			l = line{err: err}
		}
		if l.err != nil {
			send(ctx, out, l)
			return
		}
	}
}

func send(ctx context.Context, out chan<- line, l line) bool {
	select {
	case out <- l:
		return true
	case <-ctx.Done():
		return false
	}
}

// readLine reads up to a line feed or the end. What is over the limit is read
// and thrown away, so that the next line is found.
func readLine(in *bufio.Reader, limit int64) line {
	var l line
	for {
		part, err := in.ReadSlice('\n')
		if int64(len(l.text)+len(part)) > limit {
			l.tooLong, l.text = true, nil
		}
		if !l.tooLong {
			l.text = append(l.text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			l.err = err
			return l
		}
	}
}

// stream is one client over a pair of streams.
type stream struct {
	server *Server
	caller identity.Caller
	fail   context.CancelFunc
	legacy *streamSession
	asked  asking

	writing sync.Mutex
	out     io.Writer
	err     error // of the first write that failed

	slots     chan struct{}
	work      sync.WaitGroup
	waiting   atomic.Int32
	held      atomic.Int64 // bytes of requests that run or wait, together at most what one may have
	listening atomic.Int32
	mu        sync.Mutex
	running   map[string]context.CancelFunc // by request id
}

func (t *stream) take(ctx context.Context, l line) {
	s := t.server
	if l.tooLong {
		t.refuse(tooLarge(), nil)
		return
	}
	m, broken := parse(l.text)
	if broken != nil {
		f := refuse(http.StatusBadRequest, "malformed", "input.malformed", broken.reason, "Send one well-formed JSON-RPC 2.0 message a line.")
		f.code = broken.code
		t.refuse(f, nil)
		return
	}
	switch {
	case m.Method == "notifications/cancelled":
		t.cancel(string(m.Params.RequestID))
	case m.Method == "":
		t.asked.take(string(m.ID), l.text)
	case !m.isRequest():
		s.mcp.HandleMessage(s.mcp.WithContext(ctx, t.legacy), l.text)
	default:
		if f := t.admit(m); f != nil {
			t.refuse(f, m.ID)
			return
		}
		t.start(ctx, m, l.text)
	}
}

// admit applies to streams what HTTP requests go through as well.
func (t *stream) admit(m message) *refusal {
	s := t.server
	if m.Params.Meta.Settings != nil || m.Params.Meta.Attributes != nil {
		_, err := resolveCaller(Agent{}, access{given: true})
		return &refusal{status: http.StatusForbidden, reason: "access", err: err}
	}
	if wait, ok := s.rates.take(t.caller.Agent, t.caller.Payer()); !ok {
		return tooMany(wait)
	}
	if m.Method == string(mcp.MethodSubscriptionsListen) && t.listening.Add(1) > maxListening {
		t.listening.Add(-1)
		return crowded()
	}
	return s.lacking(m)
}

// start runs a request. The handshake is done before the next line is read,
// because what follows depends on it; everything else runs side by side or
// waits for its turn, while lines are read on: one may say to cancel.
func (t *stream) start(ctx context.Context, m message, raw []byte) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	t.running[string(m.ID)] = cancel
	t.mu.Unlock()
	end := func() {
		t.held.Add(-int64(len(raw)))
		t.end(m, cancel)
	}
	if t.held.Add(int64(len(raw))) > t.server.cfg.MaxLine {
		end()
		t.refuse(tooMany(1), m.ID)
		return
	}
	if m.Method == string(mcp.MethodInitialize) {
		t.run(ctx, m, raw)
		end()
		return
	}
	free := false
	select {
	case t.slots <- struct{}{}:
		free = true
	default:
		if t.waiting.Add(1) > maxWaiting {
			t.waiting.Add(-1)
			end()
			t.refuse(tooMany(1), m.ID)
			return
		}
	}
	t.work.Go(func() {
		defer end()
		if free || t.turn(ctx) {
			defer func() { <-t.slots }()
			t.run(ctx, m, raw)
		}
	})
}

// turn waits until the request may run; false means that it was cancelled.
func (t *stream) turn(ctx context.Context) bool {
	defer t.waiting.Add(-1)
	select {
	case t.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// end forgets a request.
func (t *stream) end(m message, cancel context.CancelFunc) {
	cancel()
	if m.Method == string(mcp.MethodSubscriptionsListen) {
		t.listening.Add(-1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, string(m.ID))
}

func (t *stream) cancel(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cancel, ok := t.running[id]; ok {
		cancel()
	}
}

func (t *stream) run(ctx context.Context, m message, raw []byte) {
	s := t.server
	x := &exchange{caller: t.caller, method: m.Method}
	x.caller.Trace = metaTrace(m, "")
	if m.Method == string(mcp.MethodToolsCall) {
		x.tool = m.Params.Name
	}
	began := s.cfg.Now()
	defer func() { s.observe(x, s.cfg.Now().Sub(began)) }()
	session, done := t.sessionFor(ctx, m)
	defer done()
	answer := t.handle(s.mcp.WithContext(withExchange(ctx, x), session), raw, m)
	if answer == nil || ctx.Err() != nil {
		return // a cancelled request gets no answer
	}
	if out := neutral(answer, x); out != nil {
		answer = out
	}
	t.write(answer)
}

func (t *stream) handle(ctx context.Context, raw []byte, m message) (answer []byte) {
	defer func() {
		if cause := recover(); cause != nil {
			ref := t.server.logPanic(cause, m.Method)
			answer = rpcFailure(m.ID, -32603, "Something went wrong inside the server; reference "+ref+".", nil)
		}
	}()
	response := t.server.mcp.HandleMessage(ctx, raw)
	if response == nil {
		return nil
	}
	answer, err := json.Marshal(response)
	if err != nil {
		return rpcFailure(m.ID, -32603, "The answer could not be encoded.", nil)
	}
	return answer
}

// sessionFor gives each stateless request a session of its own, and the others
// the stream's. Only clients that shook hands and those that listen hear
// broadcasts.
func (t *stream) sessionFor(ctx context.Context, m message) (session *streamSession, done func()) {
	s := t.server
	switch {
	case m.Method == string(mcp.MethodInitialize):
		_ = s.mcp.RegisterSession(ctx, t.legacy) // a second handshake finds it there
		return t.legacy, func() {}
	case !m.modern():
		return t.legacy, func() {}
	}
	inner, stop := context.WithCancel(ctx)
	session = t.newSession(inner, rand.Text())
	if m.Method != string(mcp.MethodSubscriptionsListen) {
		return session, stop
	}
	session.subscription = m.ID
	_ = s.mcp.RegisterSession(ctx, session) // its id is new
	return session, func() {
		s.mcp.UnregisterSession(context.WithoutCancel(ctx), session.id)
		stop()
	}
}

func (t *stream) refuse(f *refusal, id json.RawMessage) {
	t.server.metrics.refused.WithLabelValues(f.reason).Inc()
	t.write(f.body(id))
}

// write puts one message on its line. After a failure the stream ends.
func (t *stream) write(message []byte) {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.err != nil {
		return
	}
	if _, err := t.out.Write(append(bytes.TrimRight(message, "\n"), '\n')); err != nil {
		t.err = fmt.Errorf("write a message: %w", err)
		t.fail()
	}
}

func (t *stream) broken() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.err
}

// finish lets answers under way come out, then cancels what still runs and lets
// it end.
func (t *stream) finish(cancel context.CancelFunc) {
	done := make(chan struct{})
	go func() { t.work.Wait(); close(done) }()
	if t.broken() == nil {
		within(done, lastAnswers)
	}
	cancel()
	within(done, lastRecords)
}

// within waits for done, but not longer than d.
func within(done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

var _ mcpserver.SessionWithClientInfo = (*streamSession)(nil)
