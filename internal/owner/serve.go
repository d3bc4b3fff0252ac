package owner

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Handler is what an owner does for other processes.
type Handler struct {
	// Run executes a command line and gives its exit code.
	Run func(ctx context.Context, c Command, out, errOut io.Writer) int
	// Stream judges a request for a stream and gives what serves it until it
	// ends. Its error is told to the asker as [Refused], by an owner that would
	// go as [Away].
	Stream func(ctx context.Context, args []string) (Session, error)
	Logger *slog.Logger
	// Config is what commands are asked for here that say theirs: one of another
	// configuration does not begin, and is told [Away]. Empty: all are run.
	Config string
	// Done is closed when the owner has done what it owns the folder for, and
	// would go: see [Handler.Serve]. Nil: it stays until its context ends.
	Done <-chan struct{}
}

// Session serves one connection until it ends. When the owner goes, reading
// fails with [os.ErrDeadlineExceeded], perhaps within a message: the asker may
// have meant to say more. What is under way by then can still be answered, as
// long as the session itself waits for it.
type Session func(ctx context.Context, rw io.ReadWriter) error

// request is the body of both calls; the words of a command line.
type request struct {
	Args   []string `json:"args"`
	In     []byte   `json:"in,omitempty"`
	Config string   `json:"config,omitempty"`
}

// frame is one line of the answer to a run: some output, or the exit code.
type frame struct {
	Out  []byte `json:"out,omitempty"`
	Err  []byte `json:"err,omitempty"`
	Exit *int   `json:"exit,omitempty"`
}

const maxRequest = 1 << 20

// Serve answers on l until ctx ends, then waits for running calls at most
// grace.
//
// When Done is closed it goes by itself: commands run to their end, and those
// that come meanwhile as well; then streams read nothing more, and are waited
// for at most grace. How long they wait for what they have read is theirs.
func (h Handler) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	parting, part := context.WithCancel(base)
	defer part()
	g := &guests{Handler: h, runs: newTally(), streams: newTally(), base: base, parting: parting}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", g.run)
	mux.HandleFunc("POST /stream", g.stream)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog: slog.NewLogLogger(h.Logger.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-h.Done:
		n, idle := g.runs.close()
		if n > 0 {
			h.Logger.Info("this process ends when the commands of others do that it runs", "commands", n)
		}
		await(ctx, idle)
		part()
		_, quiet := g.streams.close()
		patient, release := context.WithTimeout(ctx, grace)
		await(patient, quiet)
		release()
	}
	cancel() // hijacked streams watch this context; Shutdown does not know them
	stop, release := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer release()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

func await(ctx context.Context, end <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-end:
	}
}

// guests is what an owner does for others, while it serves.
type guests struct {
	Handler
	runs    *tally
	streams *tally
	base    context.Context // of streams
	parting context.Context // ends when they are to
}

// tally counts what is under way, until nothing is and nothing may begin.
type tally struct {
	mu      sync.Mutex
	n       int
	closing bool
	empty   chan struct{}
}

func newTally() *tally { return &tally{empty: make(chan struct{})} }

// begin counts one more, unless the tally is closed and empty.
func (t *tally) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing && t.n == 0 {
		return false
	}
	t.n++
	return true
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.closing && t.n == 0 {
		close(t.empty)
	}
}

// close gives how much is under way, and what is closed once nothing is. It is
// called once.
func (t *tally) close() (int, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closing = true
	if t.n == 0 {
		close(t.empty)
	}
	return t.n, t.empty
}

func readRequest(w http.ResponseWriter, r *http.Request) (request, bool) {
	var req request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
		http.Error(w, "malformed request", http.StatusBadRequest)
		return req, false
	}
	return req, true
}

func (g *guests) run(w http.ResponseWriter, r *http.Request) {
	req, ok := readRequest(w, r)
	if !ok {
		return
	}
	if g.Config != "" && req.Config != "" && req.Config != g.Config {
		away(w, "it works with another configuration")
		return
	}
	if !g.runs.begin() {
		away(w, leaving)
		return
	}
	defer g.runs.end()
	// Whoever has no answer yet may ask again: it says that the command has begun.
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	lines := &frameWriter{w: w}
	code := g.Run(r.Context(), Command(req), part{lines, func(b []byte) frame { return frame{Out: b} }}, part{lines, func(b []byte) frame { return frame{Err: b} }})
	lines.send(frame{Exit: &code})
}

const leaving = "it is ending"

// away tells the asker to come again.
func away(w http.ResponseWriter, why string) {
	http.Error(w, why, http.StatusServiceUnavailable)
}

// frameWriter sends frames one by one, each flushed, so that progress shows.
type frameWriter struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func (f *frameWriter) send(v frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(f.w).Encode(v) // the asker is gone; its context ends the run
	if fl, ok := f.w.(http.Flusher); ok {
		fl.Flush()
	}
}

type part struct {
	lines *frameWriter
	make  func([]byte) frame
}

func (p part) Write(b []byte) (int, error) {
	p.lines.send(p.make(b))
	return len(b), nil
}

func (g *guests) stream(w http.ResponseWriter, r *http.Request) {
	req, ok := readRequest(w, r)
	if !ok {
		return
	}
	if !g.streams.begin() {
		away(w, leaving)
		return
	}
	defer g.streams.end()
	serve, err := g.Stream(r.Context(), req.Args)
	if err != nil && g.Done != nil {
		away(w, err.Error())
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		g.Logger.Error("owner: hijack", "err", err)
		return
	}
	// Not the request's: that one ends when the client has said everything, which
	// is before it has its last answers.
	ctx, cancel := context.WithCancel(g.base)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // unblocks the reader
	defer stop()
	hush := context.AfterFunc(g.parting, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer hush()
	defer func() { _ = conn.Close() }() // both ends see EOF
	if _, err := io.WriteString(conn, streamReply); err != nil {
		return
	}
	if err := serve(ctx, readWriter{buffered, conn}); err != nil && g.parting.Err() == nil {
		g.Logger.Warn("owner: stream ended", "err", err)
	}
}

const streamReply = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: confluence-mcp\r\n\r\n"

type readWriter struct {
	io.Reader
	io.Writer
}
