package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/mirrored"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// copied is the copy of Confluence a server answers from: rows, the index over
// them and what answers.
type copied struct {
	mirror   *mirror.Mirror
	index    *index.Index
	retrieve *retrieve.Engine
	sites    *mirrored.Sites

	changed chan struct{} // holds one: there is something to index
	stop    context.CancelFunc
	running sync.WaitGroup
}

// copying is a copy that is being opened. Until then, and where it cannot be
// opened at all, callers with a credential of their own are answered by
// Confluence itself and others wait.
type copying struct {
	live *connections.Set
	// notice says what is wrong with an integration, by name or id, or with any
	// when none is named; "" when nothing is.
	notice func(ctx context.Context, integration string) string
	copy   atomic.Pointer[copied]
	err    atomic.Pointer[error]
}

// For implements tools.Sites.
func (c *copying) For(ctx context.Context, who identity.Caller) (tools.Site, error) {
	if open := c.copy.Load(); open != nil {
		site, err := open.sites.For(ctx, who)
		if copied, ok := site.(tools.Copied); ok && err == nil {
			return noticing{copied, c.notice, who.Integration}, nil
		}
		return site, err
	}
	site, err := c.live.For(ctx, who)
	if err != nil && who.Known() && confluence.KindOf(err) == confluence.Denied && c.live.Check(who.Integration) == nil {
		return nil, c.closed()
	}
	return site, err
}

// noticing says with what it finds when the copy is one of a site that cannot
// be read any more: what has expired is not empty.
type noticing struct {
	tools.Copied
	notice      func(ctx context.Context, integration string) string
	integration string
}

// Search implements tools.PageSource.
func (n noticing) Search(ctx context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	l, err := n.Copied.Search(ctx, s)
	if err == nil {
		l.Notice = n.notice(ctx, n.integration)
	}
	return l, err
}

// Query implements api.Querier.
func (c *copying) Query(ctx context.Context, who identity.Caller, q retrieve.Question) (retrieve.Answer, error) {
	open := c.copy.Load()
	if open == nil {
		return retrieve.Answer{}, c.closed()
	}
	return open.retrieve.Query(ctx, who, q)
}

// closed says why there is no copy to answer from.
func (c *copying) closed() error {
	if err := c.err.Load(); err != nil {
		return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unavailable", Op: "open mirror", Err: *err, Message: "The mirror could not be opened.", Next: "Ask an admin to run: confluence-mcp doctor."}
	}
	return &confluence.Error{Kind: confluence.Unavailable, Code: "store.opening", Op: "open mirror", Message: "The mirror is being opened.", Next: "Try again in a few seconds.", RetryAfter: 2 * time.Second}
}

// garbage is how many per cent of what is in use may be garbage beside a copy:
// pages and their words come in megabytes, and are let go of in a moment.
const garbage = 50

// openCopy opens the mirror and its index and begins to fill them; passive:
// only on demand.
func (e *engine) openCopy(ctx context.Context, now func() time.Time, passive bool) error {
	debug.SetGCPercent(garbage)
	c := &copied{changed: make(chan struct{}, 1)}
	err := c.open(ctx, e, now)
	if err == nil {
		err = e.sites.Fill(ctx, connections.Filler{Mirror: c.mirror, Passive: passive, Changed: c.wake, Known: e.known(),
			Rhythm: connections.Rhythm{Interval: e.cfg.Sync.Interval, FullInterval: e.cfg.Sync.FullInterval, BlogPosts: e.cfg.Sync.BlogPosts}})
	}
	if err != nil {
		e.copy.err.Store(&err)
		return errors.Join(err, c.close())
	}
	e.copy.copy.Store(c)
	return nil
}

// openedCopy is the copy as it is open. One that no server is about to open is
// opened now, to be filled only on demand.
func (e *engine) openedCopy(ctx context.Context, now func() time.Time) (*copied, error) {
	e.asked.Lock()
	defer e.asked.Unlock()
	if open := e.copy.copy.Load(); open != nil {
		return open, nil
	}
	if e.served {
		return nil, e.copy.closed()
	}
	if err := e.openCopy(ctx, now, true); err != nil {
		return nil, err
	}
	open := e.copy.copy.Load()
	if err := open.index.Follow(ctx); err != nil {
		e.logger.Error("the index cannot follow the mirror; titles answer until it can", "err", err)
	}
	return open, nil
}

// stdioHead is how long a stdio client goes before the mirror: many are started
// to list their tools and ended again.
const stdioHead = 500 * time.Millisecond

// startCopy opens the copy behind the server's back, after a while, so that a
// client is answered at once.
func (e *engine) startCopy(ctx context.Context, now func() time.Time, after time.Duration) {
	e.opening.Go(func() {
		wait := time.NewTimer(after)
		defer wait.Stop()
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if err := e.openCopy(context.Background(), now, false); err != nil {
			e.logger.Error("the mirror could not be opened; Confluence is asked for everything", "err", err)
		}
	})
}

func (c *copied) open(ctx context.Context, e *engine, now func() time.Time) error {
	var err error
	if c.mirror, err = e.openMirror(ctx, now); err != nil {
		return err
	}
	if c.index, err = index.Open(ctx, index.Config{Dir: e.cfg.DataDir, Log: c.mirror.Follower(), Now: now, Logger: e.logger}); err != nil {
		return err
	}
	c.retrieve, err = retrieve.New(retrieve.Config{Mirror: c.mirror, Index: c.index, Integrations: e.sites.Integrations, Refresh: e.sites.Refresh, CursorKey: e.cursorKey("searches"), Now: now, Logger: e.logger})
	if err != nil {
		return err
	}
	c.sites, err = mirrored.New(mirrored.Config{Live: e.sites, Shared: e.sites.Shared, Rights: e.rights, Mirror: c.mirror, Retrieve: c.retrieve, Complete: e.sites.Complete, Wrote: e.sites.Wrote, Now: now, Logger: e.logger})
	if err != nil {
		return err
	}
	follow, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.running.Go(func() { c.follow(follow, e) })
	c.wake()
	return nil
}

// rights asks the connecting account what others may, where it writes for them.
func (e *engine) rights(integration string) mirrored.Rights {
	if c := e.sites.Lends(integration); c != nil {
		return c
	}
	return nil // and no nil client, which would be some
}

// openMirror opens the mirror; a damaged one is put aside, because everything
// in it can be read again.
func (e *engine) openMirror(ctx context.Context, now func() time.Time) (*mirror.Mirror, error) {
	cfg := mirror.Config{Dir: e.cfg.DataDir, Now: now, Verify: e.sites.MayRead}
	m, err := mirror.Open(ctx, cfg)
	var known *confluence.Error
	if !errors.As(err, &known) || known.Code != "store.damaged" {
		return m, err
	}
	aside, err := mirror.Quarantine(e.cfg.DataDir, now())
	if err == nil {
		err = os.RemoveAll(filepath.Join(e.cfg.DataDir, index.Folder)) // its numbers are those of the damaged one
	}
	if err != nil {
		return nil, err
	}
	e.logger.Error("the mirror was damaged; a new one is filled from Confluence", "aside", aside, "err", known, "cause", known.Err)
	return mirror.Open(ctx, cfg)
}

// wake says that there is something to index.
func (c *copied) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it is known already
	}
}

// followAgain is how long an index that could not be written waits.
const followAgain = 30 * time.Second

// follow keeps the index up with the mirror.
func (c *copied) follow(ctx context.Context, e *engine) {
	retry := time.NewTimer(followAgain)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-retry.C:
		}
		if err := c.index.Follow(ctx); err != nil && ctx.Err() == nil {
			e.logger.Error("the index cannot follow the mirror", "err", err)
		}
		retry.Reset(followAgain)
	}
}

// close ends what runs on the copy. Syncs have ended before.
func (c *copied) close() error {
	if c.stop != nil {
		c.stop()
	}
	c.running.Wait()
	var failed []error
	if c.index != nil {
		failed = append(failed, c.index.Close())
	}
	if c.mirror != nil {
		failed = append(failed, c.mirror.Close())
	}
	return errors.Join(failed...)
}

// known are the ids of the integrations there are, connected or not.
func (e *engine) known() []int64 {
	var out []int64
	for _, i := range e.registry.List() {
		out = append(out, i.ID)
	}
	return out
}
