package connections

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/mirror"
)

// Rhythm is how often the mirror is filled, and with what.
type Rhythm struct {
	Interval     time.Duration // between passes
	FullInterval time.Duration // between complete passes
	BlogPosts    bool
}

// Filler fills a mirror from every integration of a [Set].
type Filler struct {
	Mirror  *mirror.Mirror
	Rhythm  Rhythm
	Changed func() // content was committed; it must not wait
	// Passive only syncs on demand, as a command does that owns the data folder
	// for as long as it lasts.
	Passive bool
	// Known are ids of integrations that exist; those among them that are not
	// connected keep their rows, unseen.
	Known []int64
}

// filling is one integration on its way into the mirror.
type filling struct {
	sync    *ingest.Sync
	writer  *mirror.Writer
	known   guard.Integration // as the mirror was told at the start
	stop    context.CancelFunc
	running sync.WaitGroup
	wrote   chan struct{} // holds one: something was written here
}

// markSource is the mark of the mirror that says which site and account the rows
// of an integration are of.
const markSource = "source"

// Marks of which account has read the rows, and with which credential where that
// does not tell whose it is.
const (
	markReader     = "reader"
	markCredential = "credential"
)

// Fill begins to fill a mirror, from integrations that are put later too, until
// [Set.Close]. When it returns, nobody sees rows of an integration that is not
// connected, and rows of one that is another site by now, or that nobody knows
// any more, are gone. An integration that cannot begin says so in the log.
func (s *Set) Fill(ctx context.Context, f Filler) error {
	s.change.Lock()
	defer s.change.Unlock()
	if err := s.forget(ctx, f); err != nil {
		return err
	}
	s.mu.Lock()
	s.filler = &f
	all := slices.Clone(s.all)
	s.mu.Unlock()
	for _, c := range all {
		if err := s.begin(ctx, c); err != nil && s.client.Logger != nil {
			s.client.Logger.ErrorContext(ctx, "integration is not mirrored", "integration", c.spec.Name, "err", err)
		}
	}
	return nil
}

// forget hides what is not connected and drops what is not known.
func (s *Set) forget(ctx context.Context, f Filler) error {
	w := f.Mirror.Writer()
	ids, err := w.Integrations(ctx)
	for _, id := range ids {
		if _, missing := s.byID(id); missing == nil {
			continue
		}
		if slices.Contains(f.Known, id) {
			err = errors.Join(err, w.SetIntegration(ctx, guard.Integration{ID: id, Mode: guard.OwnerOnly}))
		} else {
			err = errors.Join(err, w.DropIntegration(ctx, id))
		}
	}
	return err
}

// begin makes sure that the mirror shows an integration by today's rule and of
// today's site, then starts its sync.
func (s *Set) begin(ctx context.Context, c *connection) error {
	s.mu.RLock()
	f := s.filler
	s.mu.RUnlock()
	if f == nil {
		return nil
	}
	w := f.Mirror.Writer()
	if err := ofToday(ctx, w, c.spec); err != nil {
		return err
	}
	known, err := w.Integration(ctx, c.spec.ID)
	if err != nil {
		return err
	}
	known = c.spec.shown(known)
	doubted, err := c.doubt(ctx, w)
	if doubted {
		known = guard.Integration{ID: c.spec.ID, Name: c.spec.Name, Mode: guard.OwnerOnly} // of nobody
	}
	if err = errors.Join(err, w.SetIntegration(ctx, known)); err != nil {
		return err
	}
	known = c.spec.shown(known)
	sync, err := ingest.New(ingest.Config{Integration: known, Spaces: c.spec.Spaces, BlogPosts: f.Rhythm.BlogPosts, BaseURL: c.spec.address(),
		Source: c.connected, Mirror: writer{Filling{w}, c}, Now: s.client.Now, Logger: s.client.Logger,
		HonourSuperGroup: c.spec.SuperGroup, Interval: f.Rhythm.Interval, FullInterval: f.Rhythm.FullInterval, Changed: f.Changed})
	if err != nil {
		return err
	}
	c.start(sync, f, known)
	return nil
}

// ofToday drops what was read from another site, or by another account.
func ofToday(ctx context.Context, w *mirror.Writer, spec Spec) error {
	source, err := w.Mark(ctx, spec.ID, markSource)
	if err != nil || source == spec.source() {
		return err
	}
	if err := w.DropIntegration(ctx, spec.ID); err != nil {
		return err
	}
	return w.SetMark(ctx, spec.ID, markSource, spec.source())
}

// doubt reports whether rows may have been read by another account than the
// credential's: it is another one than last time, and does not tell whose it is.
// Such rows are nobody's until Confluence has said who the account is.
func (c *connection) doubt(ctx context.Context, w *mirror.Writer) (bool, error) {
	reader, err := w.Mark(ctx, c.spec.ID, markReader)
	credential, failed := w.Mark(ctx, c.spec.ID, markCredential)
	doubted := reader != "" && credential != c.spec.credential()
	c.doubted.Store(doubted)
	return doubted, errors.Join(err, failed)
}

// ownRows drops what another account has read, and notes which one reads now.
func (c *connection) ownRows(ctx context.Context, w *mirror.Writer, account string) error {
	reader, err := w.Mark(ctx, c.spec.ID, markReader)
	if err != nil || reader == account && !c.doubted.Load() {
		return err
	}
	if reader != "" && reader != account {
		if err := w.DropIntegration(ctx, c.spec.ID); err != nil {
			return err
		}
	}
	return errors.Join(w.SetMark(ctx, c.spec.ID, markSource, c.spec.source()), w.SetMark(ctx, c.spec.ID, markCredential, c.spec.credential()),
		w.SetMark(ctx, c.spec.ID, markReader, account))
}

func (c *connection) start(sync *ingest.Sync, f *Filler, known guard.Integration) {
	ctx, stop := context.WithCancel(context.Background())
	fill := &filling{sync: sync, writer: f.Mirror.Writer(), known: known, stop: stop, wrote: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		stop()
		return
	}
	c.filling = fill
	if !f.Passive {
		fill.running.Go(func() { _ = sync.Run(ctx) }) // how it goes is in its status
		fill.running.Go(func() { fill.soon(ctx) })
	}
}

// end stops the sync and waits for it. A connection that is none has no sync.
func (c *connection) end() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.ended = true
	f := c.filling
	c.mu.Unlock()
	if f != nil {
		f.stop()
		f.sync.Close()
		f.running.Wait()
	}
}

func (c *connection) fill() *filling {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filling
}

// Sync makes one pass over an integration now, or joins the one under way.
// Kind Denied for an integration that is not connected, Unavailable while there
// is no mirror.
func (s *Set) Sync(ctx context.Context, name string, full bool, progress func(ingest.Progress)) (ingest.Report, error) {
	c, err := s.find(name)
	if err != nil {
		return ingest.Report{}, err
	}
	f := c.fill()
	if f == nil {
		return ingest.Report{}, noMirror()
	}
	return f.sync.Now(ctx, full, progress)
}

// Refresh reads again who a user is and which groups he is in.
func (s *Set) Refresh(ctx context.Context, integration int64, who string) error {
	c, err := s.byID(integration)
	if err != nil {
		return err
	}
	f := c.fill()
	if f == nil {
		return noMirror()
	}
	return f.sync.Membership(ctx, who)
}

// Integrations lists what is connected, as the mirror shows it: without those
// whose rows may be another account's.
func (s *Set) Integrations() []retrieve.Integration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]retrieve.Integration, 0, len(s.all))
	for _, c := range s.all {
		if c.doubted.Load() {
			continue
		}
		i := retrieve.Integration{Integration: c.spec.shown(guard.Integration{}), Edition: c.connected.Describe().Kind}
		i.Account, i.Unread = c.accountID(), !c.readOnce(context.Background())
		out = append(out, i)
	}
	return out
}

// Complete reports whether all of an integration was read since it was
// connected.
func (s *Set) Complete(ctx context.Context, integration int64) bool {
	c, err := s.byID(integration)
	return err == nil && !c.doubted.Load() && c.readOnce(ctx)
}

// Status tells how the integrations are.
func (s *Set) Status() []Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Status, 0, len(s.all))
	for _, c := range s.all {
		one := c.status()
		if f := c.fill(); f != nil {
			now := f.sync.Status()
			one.Sync = &now
		}
		out = append(out, one)
	}
	return out
}

// Brief is one of [Set.Status] without what has to be counted; false when the
// integration is not connected.
func (s *Set) Brief(integration int64) (Status, bool) {
	c, err := s.byID(integration)
	if err != nil {
		return Status{}, false
	}
	one := c.status()
	if f := c.fill(); f != nil {
		now := f.sync.Brief()
		one.Sync = &now
	}
	return one, true
}

func (c *connection) status() Status {
	one := Status{ID: c.spec.ID, Name: c.spec.Name, BaseURL: c.spec.address()}
	if me := c.account.Load(); me != nil {
		one.Account, one.AccountName = me.ID, me.Name
	} else if id := c.learned.Load(); id != nil {
		one.Account = *id
	}
	return one
}

// Status is one integration and how its sync goes.
type Status struct {
	ID          int64
	Name        string
	BaseURL     string // of the site that is used, by OAuth the one the grant is for
	Account     string // the connecting account, once it is known
	AccountName string
	Sync        *ingest.Status // nil while there is no mirror
}

func noMirror() error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unavailable", Op: "sync", Message: "The mirror is not open.", Next: "Look at the server's log, or run: confluence-mcp doctor."}
}
