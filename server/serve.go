package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve answers HTTP on ln until ctx ends, then shuts down within 10 s: it
// reports not ready, accepts nothing more, ends notification streams, gives
// running calls [Config.Drain] to finish and cancels what is left. It closes
// ln. Serving without authentication is refused on anything but loopback.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if err := s.mayListen(ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	base, cancelCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelCalls()
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		ReadTimeout:       s.cfg.HeaderTimeout + min(bodyStall, s.cfg.BodyTimeout), // readBody gives a body that goes on coming more
		IdleTimeout:       defaultIdle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(quiet{s.cfg.Logger}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		s.Close()
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.endStreams()
	drain, stop := context.WithTimeout(base, s.cfg.Drain)
	defer stop()
	err := srv.Shutdown(drain)
	if err != nil {
		cancelCalls()
		grace, stop := context.WithTimeout(context.WithoutCancel(base), time.Second)
		defer stop()
		if err = srv.Shutdown(grace); err != nil {
			err = srv.Close()
		}
	}
	s.Close()
	return err
}

// Close ends the server's streams and background work. Serve does it by
// itself; it is for servers used through [Server.Handler] only.
func (s *Server) Close() {
	s.endStreams()
	_ = s.http.Shutdown(context.Background()) // it has no http.Server of its own to fail on
}

func (s *Server) mayListen(addr net.Addr) error {
	if s.cfg.NoAuth == nil {
		if s.cfg.Authenticator == nil {
			return errors.New("server: HTTP needs agents with keys, or no-auth on loopback")
		}
		return nil
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("server: %s is not a loopback address; without authentication nothing else is served", addr)
}

// quiet takes what net/http logs. It holds addresses and texts of clients, so
// only that something happened is worth more than debug.
type quiet struct{ logger *slog.Logger }

// Write implements io.Writer.
func (q quiet) Write(p []byte) (int, error) {
	q.logger.Debug("http", "event", string(p))
	return len(p), nil
}
