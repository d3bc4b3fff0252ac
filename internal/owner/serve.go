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
	// ends; its error is told to the asker as [Refused].
	Stream func(ctx context.Context, args []string) (Session, error)
	Logger *slog.Logger
}

// Session serves one connection until it ends.
type Session func(ctx context.Context, rw io.ReadWriter) error

// request is the body of both calls; the words of a command line.
type request struct {
	Args []string `json:"args"`
	In   []byte   `json:"in,omitempty"`
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
func (h Handler) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", h.run)
	mux.HandleFunc("POST /stream", h.stream)
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog: slog.NewLogLogger(h.Logger.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	cancel() // hijacked streams watch this context; Shutdown does not know them
	stop, release := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer release()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}

func readRequest(w http.ResponseWriter, r *http.Request) (request, bool) {
	var req request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
		http.Error(w, "malformed request", http.StatusBadRequest)
		return req, false
	}
	return req, true
}

func (h Handler) run(w http.ResponseWriter, r *http.Request) {
	req, ok := readRequest(w, r)
	if !ok {
		return
	}
	lines := &frameWriter{w: w}
	code := h.Run(r.Context(), Command(req), part{lines, func(b []byte) frame { return frame{Out: b} }}, part{lines, func(b []byte) frame { return frame{Err: b} }})
	lines.send(frame{Exit: &code})
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

func (h Handler) stream(w http.ResponseWriter, r *http.Request) {
	req, ok := readRequest(w, r)
	if !ok {
		return
	}
	serve, err := h.Stream(r.Context(), req.Args)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.Logger.Error("owner: hijack", "err", err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // unblocks the reader
	defer stop()
	defer func() { _ = conn.Close() }() // both ends see EOF
	if _, err := io.WriteString(conn, streamReply); err != nil {
		return
	}
	if err := serve(ctx, readWriter{buffered, conn}); err != nil && ctx.Err() == nil {
		h.Logger.Warn("owner: stream ended", "err", err)
	}
}

const streamReply = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: confluence-mcp\r\n\r\n"

type readWriter struct {
	io.Reader
	io.Writer
}
