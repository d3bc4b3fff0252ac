package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/owner"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// host answers the other processes of a data folder, from an engine that may be
// opened when the first of them asks.
type host struct {
	cfg    config.Config
	logger *slog.Logger
	engine func() (*engine, error)
	server func() (*server.Server, error)

	mu     sync.Mutex
	opened *engine // by the host itself, which closes it
}

// hostWith answers from what is served anyway.
func hostWith(e *engine, srv *server.Server) *host {
	return &host{cfg: e.cfg, logger: e.logger, engine: func() (*engine, error) { return e, nil }, server: func() (*server.Server, error) { return srv, nil }}
}

// hostOn answers from an engine that a command works on.
func (p program) hostOn(e *engine) *host {
	h := hostWith(e, nil)
	h.server = sync.OnceValues(func() (*server.Server, error) { return server.New(p.serverConfig(e)) })
	return h
}

// hostLater answers beside a command that needs no engine: most end before
// anybody asks.
func (p program) hostLater(ctx context.Context, cfg config.Config, precious *store.Precious, v *vault) *host {
	h := &host{cfg: cfg, logger: p.logger()}
	h.engine = sync.OnceValues(func() (*engine, error) {
		e, err := p.openOn(ctx, cfg, precious, v)
		if err == nil {
			h.mu.Lock()
			h.opened = e
			h.mu.Unlock()
		}
		return e, err
	})
	h.server = sync.OnceValues(func() (*server.Server, error) {
		e, err := h.engine()
		if err != nil {
			return nil, err
		}
		return server.New(p.serverConfig(e))
	})
	return h
}

func (h *host) own() *engine {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened
}

// close ends what the host itself has opened, but not the database.
func (h *host) close() error {
	if e := h.own(); e != nil {
		return e.end()
	}
	return nil
}

// beside runs work, and answers the folder's other processes until it has
// ended, with what they have begun.
func (p program) beside(ctx context.Context, own *owner.Owner, h *host, work func() error) error {
	done, served := make(chan struct{}), make(chan error, 1)
	go func() { served <- p.answerOthers(ctx, own, h, done) }()
	err := work()
	if e := h.own(); e != nil {
		err = errors.Join(err, e.vault.Reload(ctx)) // work may have rotated the keys
	}
	close(done)
	if failed := <-served; failed != nil {
		h.logger.Warn("other processes of the data folder were not answered", "err", failed)
	}
	return err
}

// serveOwned answers the other processes of this data folder until ctx ends.
func (p program) serveOwned(ctx context.Context, own *owner.Owner, e *engine, srv *server.Server) error {
	e.served = true
	return p.answerOthers(ctx, own, hostWith(e, srv), nil)
}

// answerOthers answers the other processes of a data folder until ctx ends, or,
// once done is closed, until what they have begun has ended.
func (p program) answerOthers(ctx context.Context, own *owner.Owner, h *host, done <-chan struct{}) error {
	l, err := own.Listen()
	if err != nil {
		return err
	}
	config := ""
	if done != nil { // a command: whoever is configured otherwise owns the folder after it
		config = workDigest(h.cfg)
	}
	return owner.Handler{
		Logger: h.logger,
		Config: config,
		Done:   done,
		Run: func(ctx context.Context, c owner.Command, out, errOut io.Writer) int {
			q := program{in: bytes.NewReader(c.In), out: out, errOut: errOut, getenv: p.getenv, now: p.now}
			e, err := h.engine()
			if err != nil {
				return q.tell(err)
			}
			q.owned = e
			code := q.run(ctx, c.Args)
			if code != exitOK && ctx.Err() != nil {
				fmt.Fprintln(errOut, "  next: The process that owned the data folder was ended, and this command with it. Look what it has done before you repeat it.")
			}
			return code
		},
		Stream: func(ctx context.Context, args []string) (owner.Session, error) { return p.session(ctx, h, args) },
	}.Serve(ctx, l, drain)
}

// session serves a second stdio client of the folder.
func (p program) session(ctx context.Context, h *host, args []string) (owner.Session, error) {
	asked, err := streamRequested(h.cfg, args)
	if err != nil {
		return nil, err
	}
	e, err := h.engine()
	if err != nil {
		return nil, err
	}
	caller, err := e.streamCaller(asked)
	if err != nil {
		return nil, err
	}
	srv, err := h.server()
	if err != nil {
		return nil, err
	}
	serve := func(ctx context.Context, rw io.ReadWriter) error { return srv.ServeStream(ctx, rw, rw, caller) }
	if e.served {
		return serve, nil
	}
	if _, err := e.openedCopy(ctx, p.now); err != nil {
		e.logger.Error("the mirror could not be opened; Confluence is asked for everything", "err", err)
	}
	return func(ctx context.Context, rw io.ReadWriter) error {
		ctx, end := context.WithCancel(ctx)
		var watching sync.WaitGroup
		defer watching.Wait()
		defer end()
		watching.Go(func() { _ = e.watchProfiles(ctx, srv.ToolsChanged) }) // it gives no errors but by the log
		return serve(ctx, rw)
	}, nil
}
