package approval

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"confluence-mcp/internal/confluence"
)

// Execute makes an approved change, once, whoever else tries: it works the
// change out anew, claims the request and commits. The request it gives is as
// it stands then; an error means that nothing was started.
func (s *Service) Execute(ctx context.Context, id string) (Request, error) {
	if s.executor == nil {
		return Request{}, refuse(confluence.Unavailable, "approval.no_executor", "This process cannot make changes.", "The server makes it.")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout) // who approved may hang up
	defer cancel()
	r, err := s.Show(ctx, id)
	if err != nil || r.State != Approved || s.now().Before(r.Retry) {
		return r, err
	}
	if no, err := s.stillRight(ctx, r); err != nil || no.Word != "" {
		if err != nil {
			return r, err
		}
		return s.moved(ctx, r, no)
	}
	commit, refusal := s.prepare(ctx, r)
	if refusal.Word == Outdate || refusal.Word == Deny {
		return s.moved(ctx, r, refusal)
	}
	attempt := token()
	s.own(attempt, true)
	defer s.own(attempt, false)
	claimed, err := s.take(ctx, r, Event{Word: Claim, Right: true, Attempt: attempt})
	if err != nil {
		return s.lost(ctx, r, err)
	}
	if commit != nil {
		refusal = s.commit(ctx, commit)
	}
	refusal.Attempt = attempt
	if refusal.Word == Undone && refusal.Retry.IsZero() {
		refusal.Retry = s.now().Add(backoff(claimed.Attempts))
	}
	return s.take(ctx, claimed, refusal)
}

// backoff is the pause before the next attempt: 15 s, 30 s, 1, 2, 4 min.
func backoff(attempts int) time.Duration { return 15 * time.Second << max(0, attempts-1) }

// stillRight asks once more whether the approver may approve and the requester
// may ask.
func (s *Service) stillRight(ctx context.Context, r Request) (Event, error) {
	may, err := s.cfg.Rights.MayApprove(ctx, r.Decider)
	if err != nil {
		return Event{}, err
	}
	if !may {
		return Event{Word: Deny, Code: "approval.right", Reason: "Who approved it may not decide approvals any more."}, nil
	}
	if may, err = s.cfg.Rights.MayAsk(ctx, r.Private.Caller); err != nil {
		return Event{}, err
	}
	if !may {
		return Event{Word: Deny, Code: "auth.credentials", Reason: "Who asked for it is not a caller of this server any more."}, nil
	}
	return Event{}, nil
}

// prepare keeps a panic in: nothing was started by it. The log learns where it
// happened, and not what it said, which may hold anything.
func (s *Service) prepare(ctx context.Context, r Request) (commit func(context.Context) Event, refusal Event) {
	defer func() {
		if cause := recover(); cause != nil {
			s.cfg.Logger.Error("approval: preparing panicked", "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			commit, refusal = nil, Event{Word: Fail, Code: "internal", Reason: "Something went wrong inside the server. Nothing was changed."}
		}
	}()
	return s.executor.Prepare(ctx, r)
}

// commit makes the change. After a panic nobody knows how far it got.
func (s *Service) commit(ctx context.Context, commit func(context.Context) Event) (e Event) {
	defer func() {
		if cause := recover(); cause != nil {
			s.cfg.Logger.Error("approval: committing panicked", "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			e = Event{Word: Lose, Reason: "Something went wrong inside the server while the change was made."}
		}
	}()
	return commit(ctx)
}

// moved ends a request before its start, or gives what somebody else made of it.
func (s *Service) moved(ctx context.Context, r Request, e Event) (Request, error) {
	next, err := s.take(ctx, r, e)
	if err != nil {
		return s.lost(ctx, r, err)
	}
	return next, nil
}

// lost gives the current request when somebody else took the step.
func (s *Service) lost(ctx context.Context, r Request, err error) (Request, error) {
	if confluence.KindOf(err) != confluence.Conflict && confluence.KindOf(err) != confluence.Limited {
		return r, err
	}
	return s.Show(ctx, r.ID)
}

func (s *Service) own(attempt string, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if yes {
		s.mine[attempt] = true
	} else {
		delete(s.mine, attempt)
	}
}

func (s *Service) isMine(attempt string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine[attempt]
}
