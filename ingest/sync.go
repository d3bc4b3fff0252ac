package ingest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/store/guard"
)

// Defaults of a zero [Config] field.
const (
	defaultInterval     = 15 * time.Minute
	defaultFullInterval = 24 * time.Hour
)

// Config is what a sync is made of. Integration, Source and Mirror are
// required. Account and Anonymous of the integration are found out by asking.
type Config struct {
	Integration guard.Integration
	Spaces      []string // keys; empty: all of type global, knowledge_base and collaboration
	BlogPosts   bool
	BaseURL     string // what a person opens, where the source cannot tell; may be empty
	Source      Source
	Mirror      Mirror
	Now         func() time.Time
	Logger      *slog.Logger

	// HonourSuperGroup: on Data Center, members of confluence-administrators see
	// everything. Elsewhere no group does.
	HonourSuperGroup bool

	Interval     time.Duration // between passes; 0: 15 minutes
	FullInterval time.Duration // between full ones; 0: 24 hours
	// Changed is told that content was committed: an index has something to
	// read. It must return at once; nil is told nothing.
	Changed func()
}

// Sync keeps the mirror of one integration up to date. Safe for concurrent use.
type Sync struct {
	cfg  Config
	room *room

	mu     sync.Mutex
	job    *job // under way
	next   *job // waits for the one under way
	state  state
	parked map[string]*sweep  // sweeps that did not end, by space
	kept   map[string]clauses // of pages that the listing left out in the last sweep, by space
	lost   map[string]int     // how many passes in a row a space was not there
	asked  map[string]time.Time
	shown  guard.Integration    // the rule as the mirror was told last
	groups map[string]bool      // that this process made known to the mirror
	names  map[string]bool      // accounts that pages and restrictions name
	absent map[string]time.Time // accounts Confluence did not know, and when
	asking singleflight.Group
	closed bool
}

// New judges the configuration and makes a sync. It asks nothing. Kind Invalid
// for a missing part.
func New(cfg Config) (*Sync, error) {
	if cfg.Integration.ID <= 0 || cfg.Integration.Name == "" || cfg.Source == nil || cfg.Mirror == nil {
		return nil, &confluence.Error{Kind: confluence.Invalid, Op: "configure sync", Message: "a sync needs an integration, a source and a mirror"}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.FullInterval <= 0 {
		cfg.FullInterval = defaultFullInterval
	}
	return &Sync{cfg: cfg, shown: cfg.Integration, room: newRoom(), parked: map[string]*sweep{}, kept: map[string]clauses{}, lost: map[string]int{}, asked: map[string]time.Time{}, groups: map[string]bool{}, names: map[string]bool{}, absent: map[string]time.Time{}}, nil
}

// Run makes a first pass at once and others by the interval, a tenth more or
// less, full ones when the full interval is over. It ends with ctx, after what
// was under way has stopped.
func (s *Sync) Run(ctx context.Context) error {
	for {
		full, err := s.fullIsDue(ctx)
		if err == nil {
			_, err = s.Now(ctx, full, nil)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := s.pause(err)
		s.schedule(s.cfg.Now().Add(wait))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// pause is how long to wait for the next pass: at least what Confluence asked
// for.
func (s *Sync) pause(err error) time.Duration {
	wait := s.cfg.Interval
	wait += time.Duration((rand.Float64() - 0.5) / 5 * float64(wait)) //nolint:gosec // spreads load, guards nothing
	if e := asError(err); e != nil && e.RetryAfter > wait {
		wait = e.RetryAfter
	}
	return wait
}

// job is one pass and everybody who waits for it.
type job struct {
	full    bool
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int // under Sync.mu
	report  Report
	err     error

	telling  sync.Mutex // one after the other, and none who has left
	watchers map[int]func(Progress)
	mu       sync.Mutex
	progress Progress
}

// Now makes a pass, or joins the one under way; when that one is not full and
// full is wanted, it joins the one that comes right after. progress, if not
// nil, is told how it goes, never by two goroutines at once. The pass stops
// when nobody waits for it any more. The report is of use with an error too.
func (s *Sync) Now(ctx context.Context, full bool, progress func(Progress)) (Report, error) {
	j := s.join(ctx, full)
	watcher := j.watch(progress)
	select {
	case <-j.done:
		j.unwatch(watcher)
		s.leave(j)
		return j.report, j.err
	case <-ctx.Done():
	}
	j.unwatch(watcher)
	if s.leave(j) {
		<-j.done // stopped, and nothing of it runs on
	}
	return Report{}, ctx.Err()
}

func (s *Sync) join(ctx context.Context, full bool) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job
	switch {
	case s.closed:
		j = newJob(full)
		j.end(closed())
	case j == nil:
		j = newJob(full)
		s.job = j
		s.start(ctx, j)
	case j.waiting == 0 || full && !j.full: // stopping, or less than is wanted
		if s.next == nil {
			s.next = newJob(false)
		}
		j = s.next
		j.full = j.full || full
	}
	j.waiting++
	return j
}

func closed() error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: "sync.closed", Op: "sync", Message: "the integration is not connected any more, or its settings changed", Next: "Try again."}
}

// end ends a job that was never begun.
func (j *job) end(err error) {
	j.err = err
	close(j.done)
}

// Close stops what is under way, refuses what comes after, and waits: no pass
// writes anything when it returns.
func (s *Sync) Close() {
	s.mu.Lock()
	s.closed = true
	j := s.job
	if j != nil {
		j.cancel()
	}
	s.mu.Unlock()
	if j != nil {
		<-j.done
	}
}

func newJob(full bool) *job {
	return &job{full: full, done: make(chan struct{}), watchers: map[int]func(Progress){}}
}

// start runs a job beside the callers. Locked.
func (s *Sync) start(ctx context.Context, j *job) {
	ctx, j.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer j.cancel()
		j.report, j.err = s.pass(ctx, j)
		s.mu.Lock()
		s.job, s.next = s.next, nil
		if s.job != nil && s.closed {
			s.job.end(closed())
			s.job = nil
		}
		if s.job != nil && s.job.waiting == 0 {
			close(s.job.done)
			s.job = nil
		}
		if s.job != nil {
			s.start(ctx, s.job)
		}
		s.mu.Unlock()
		close(j.done)
	}()
}

// leave says that one waits no more, and reports whether nobody does.
func (s *Sync) leave(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.waiting--
	if j.waiting > 0 || j != s.job {
		return false
	}
	j.cancel()
	return true
}

func (j *job) watch(progress func(Progress)) int {
	j.telling.Lock()
	defer j.telling.Unlock()
	n := len(j.watchers)
	for j.watchers[n] != nil {
		n++
	}
	if progress != nil {
		j.watchers[n] = progress
		progress(j.now())
	}
	return n
}

func (j *job) unwatch(n int) {
	j.telling.Lock()
	defer j.telling.Unlock()
	delete(j.watchers, n)
}

// now is how far the job is.
func (j *job) now() Progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.progress
}

// tell changes the progress and passes it on.
func (j *job) tell(change func(*Progress)) {
	j.telling.Lock()
	defer j.telling.Unlock()
	j.mu.Lock()
	change(&j.progress)
	p := j.progress
	j.mu.Unlock()
	for _, w := range j.watchers {
		w(p)
	}
}
