package approval

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"confluence-mcp/internal/confluence"
)

// Config is what a [Service] needs. Book, Rights and Now must be set; every
// zero number means its default.
type Config struct {
	Book   Book
	Rights Rights
	Now    func() time.Time
	Logger *slog.Logger
	// Tell is told of every step, with the request as it is then; it must not
	// block. Nil: nobody is told.
	Tell    func(Request)
	Life    time.Duration // of a request, default [DefaultLife], at most [MaxLife]
	Tick    time.Duration // how often the service looks for work, default 5 s
	Timeout time.Duration // of one execution, default 90 s
}

// Service takes requests from being asked for to their end. It is safe for
// concurrent use. Between [New] and [Service.Bind] nothing can be executed.
type Service struct {
	cfg      Config
	executor Executor

	mu      sync.Mutex
	high    time.Time            // the latest time seen: the clock does not run back
	changed chan struct{}        // closed and replaced at every step
	mine    map[string]bool      // attempts this process is making
	look    map[string]time.Time // in doubt: when to look again
	alarmed map[string]bool
}

// New makes a service that serves a book. It takes the time of the last step
// out of it, so that a clock that was set back revives nothing.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Book == nil || cfg.Rights == nil || cfg.Now == nil {
		return nil, errors.New("approval: Config.Book, Config.Rights and Config.Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Tell == nil {
		cfg.Tell = func(Request) {}
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 5 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 90 * time.Second
	}
	high, err := cfg.Book.ApprovalClock(ctx)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, high: high, changed: make(chan struct{}), mine: map[string]bool{}, look: map[string]time.Time{}, alarmed: map[string]bool{}}, nil
}

// Bind names who makes the changes. It is called once, before anything is
// approved.
func (s *Service) Bind(x Executor) { s.executor = x }

// now is the clock, which never runs back.
func (s *Service) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.cfg.Now(); t.After(s.high) {
		s.high = t
	}
	return s.high
}

// Ask keeps a new request, or gives the open one the requester has for the
// same change. Kind Limited when too many of the requester's are open.
func (s *Service) Ask(ctx context.Context, r Request) (Request, error) {
	kept, made, err := s.cfg.Book.AddApproval(ctx, Open(r, s.now(), s.cfg.Life))
	if err == nil && made {
		s.spread(kept)
	}
	return kept, err
}

// Latest is the newest request of a call, by its CallID. Kind NotFound.
func (s *Service) Latest(ctx context.Context, callID string) (Request, error) {
	r, err := s.cfg.Book.LatestApproval(ctx, callID)
	if err != nil {
		return r, err
	}
	return s.fresh(ctx, r)
}

// Show finds a request for somebody who decides. Kind NotFound.
func (s *Service) Show(ctx context.Context, id string) (Request, error) {
	r, err := s.cfg.Book.Approval(ctx, id)
	if err != nil {
		return r, err
	}
	return s.fresh(ctx, r)
}

// fresh ends a request whose time is over.
func (s *Service) fresh(ctx context.Context, r Request) (Request, error) {
	next, err := s.take(ctx, r, Event{Word: Expire})
	if confluence.KindOf(err) == confluence.Conflict {
		return s.cfg.Book.Approval(ctx, r.ID)
	}
	return next, err
}

// List gives requests, newest first, without what is private.
func (s *Service) List(ctx context.Context, f Filter) ([]Request, error) {
	return s.cfg.Book.Approvals(ctx, f)
}

// Wait gives the requester's own request as soon as it is decided and done, at
// the latest after d. Kind NotFound for everybody else's.
func (s *Service) Wait(ctx context.Context, principal, id string, d time.Duration) (Request, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		r, err := s.Show(ctx, id)
		if err == nil && r.Requester.Principal != principal {
			err = refuse(confluence.NotFound, "", "You have no approval with this id.", "Check the id.")
		}
		if err != nil || r.State.Ended() || d <= 0 {
			return r, err
		}
		select {
		case <-changed:
		case <-timer.C:
			d = 0
		case <-ctx.Done():
			return r, nil //nolint:nilerror // what is known so far is the answer
		}
	}
}

// Verdict is a person's decision about one request. Digest is that of what the
// person saw. Self says that the requester's own confirmation is enough.
type Verdict struct {
	ID     string
	Digest string
	By     Person
	Self   bool
	Reason string // of a rejection
}

// Approve records the decision and has the change made. The request it gives
// is as it stands then: executed, or why not. Approving again what one has
// approved changes nothing. Refusals are those of [Request.Apply].
func (s *Service) Approve(ctx context.Context, v Verdict) (Request, error) {
	r, err := s.decide(ctx, v, Approve)
	if err != nil || r.State != Approved {
		return r, err
	}
	r, err = s.Execute(ctx, r.ID)
	if err == nil && r.State == Executing { // the sweep was quicker to take it
		return s.Wait(ctx, r.Requester.Principal, r.ID, takenElsewhere)
	}
	return r, err
}

// takenElsewhere is how long Approve waits for a change that another goroutine
// of this process makes.
const takenElsewhere = 30 * time.Second

// Reject ends a request with a reason the requester reads.
func (s *Service) Reject(ctx context.Context, v Verdict) (Request, error) {
	return s.decide(ctx, v, Reject)
}

// decide takes a person's step. One that is refused changes nothing and is told
// in the log.
func (s *Service) decide(ctx context.Context, v Verdict, word Word) (Request, error) {
	r, err := s.verdict(ctx, v, word)
	var no *confluence.Error
	if errors.As(err, &no) {
		s.cfg.Logger.WarnContext(ctx, "approval verdict refused", "approval", v.ID, "verdict", word, "by", v.By.Principal, "refusal", no.StableCode())
	}
	return r, err
}

// verdict takes a person's step; when somebody else was faster, on what that
// one left.
func (s *Service) verdict(ctx context.Context, v Verdict, word Word) (Request, error) {
	right, err := s.cfg.Rights.MayApprove(ctx, v.By)
	if err != nil {
		return Request{}, err
	}
	e := Event{Word: word, By: v.By, Right: right, Self: v.Self, Digest: v.Digest, Reason: v.Reason}
	if !right { // before looking, so that nobody learns which ids exist
		_, _, err := Request{State: Pending}.Apply(e)
		return Request{}, err
	}
	r, err := s.Show(ctx, v.ID)
	if err != nil {
		return r, err
	}
	next, err := s.take(ctx, r, e)
	var lost *confluence.Error
	if errors.As(err, &lost) && lost.Code == "approval.claimed" {
		if r, err = s.Show(ctx, v.ID); err != nil {
			return r, err
		}
		return s.take(ctx, r, e)
	}
	return next, err
}

// Withdrawal is a wish to end a request nobody has decided about. Admin says
// that By administers the server.
type Withdrawal struct {
	ID    string
	By    Person
	Admin bool
}

// Cancel ends a pending request: the requester's own, or any for an
// administrator. Kind NotFound for everybody else.
func (s *Service) Cancel(ctx context.Context, w Withdrawal) (Request, error) {
	r, err := s.Show(ctx, w.ID)
	if err != nil {
		return r, err
	}
	return s.take(ctx, r, Event{Word: Cancel, By: w.By, Right: w.Admin})
}

// Finding is what a person saw in Confluence of a change whose outcome was
// lost. Note is for the requester, and for the record.
type Finding struct {
	ID     string
	By     Person
	Landed bool // the change is there
	Note   string
}

// Resolve ends a request in doubt by hand. Only who may decide approvals can;
// a change that was not made is not repeated, it may be asked for again.
func (s *Service) Resolve(ctx context.Context, f Finding) (Request, error) {
	word := Missing
	if f.Landed {
		word = Landed
	}
	return s.decide(ctx, Verdict{ID: f.ID, By: f.By, Reason: f.Note}, word)
}

// Outdate ends a request whose ground has changed.
func (s *Service) Outdate(ctx context.Context, id, reason string) error {
	r, err := s.Show(ctx, id)
	if err != nil || r.State.Ended() {
		return err
	}
	_, err = s.take(ctx, r, Event{Word: Outdate, Reason: reason})
	return err
}

// take is one step: the state machine's answer, made durable, then told.
func (s *Service) take(ctx context.Context, r Request, e Event) (Request, error) {
	e.At = s.now()
	next, changed, err := r.Apply(e)
	if err != nil || !changed {
		return r, err
	}
	if err := s.cfg.Book.StepApproval(ctx, r, next, e); err != nil {
		return r, err
	}
	s.cfg.Logger.InfoContext(ctx, "approval", "from", r.State, "to", next.State, "tool", r.Tool, "requester", r.Requester.Principal, "by", e.By.Principal)
	s.spread(next)
	return next, nil
}

// spread wakes who waits and tells who listens.
func (s *Service) spread(r Request) {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	if r.State.Ended() {
		delete(s.look, r.ID)
		delete(s.alarmed, r.ID)
	}
	s.mu.Unlock()
	s.cfg.Tell(r)
}
