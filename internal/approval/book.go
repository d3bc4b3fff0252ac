package approval

import (
	"context"
	"time"

	"confluence-mcp/internal/identity"
)

// Book keeps requests. Each method is one durable transaction;
// *store.Precious is one.
type Book interface {
	// AddApproval keeps a new request, or gives the principal's open one with
	// the same digest; Kind Limited over [MaxPending].
	AddApproval(ctx context.Context, r Request) (kept Request, made bool, err error)
	// StepApproval replaces from by to when nobody else took a step first,
	// together with its line in the audit log; Kind Conflict otherwise.
	StepApproval(ctx context.Context, from, to Request, e Event) error
	// Approval and LatestApproval find one whole request, Kind NotFound.
	Approval(ctx context.Context, id string) (Request, error)
	LatestApproval(ctx context.Context, callID string) (Request, error)
	// Approvals lists newest first, without what is private.
	Approvals(ctx context.Context, f Filter) ([]Request, error)
	// ForgetApprovals removes what is private of requests ended before then.
	ForgetApprovals(ctx context.Context, then time.Time) (int, error)
	// ApprovalClock is the latest time of any step.
	ApprovalClock(ctx context.Context) (time.Time, error)
}

// Executor makes changes that were approved; *tools.Catalog is one.
type Executor interface {
	// Prepare works the change out again, as the requester, and asks policy
	// anew. It changes nothing. The word of a refusal is Outdate (it is not
	// the same change any more), Deny (policy says no), Fail (Confluence would
	// refuse it) or Undone (try again later); commit is set when there is
	// none, and makes the change.
	Prepare(ctx context.Context, r Request) (commit func(context.Context) Event, refusal Event)
	// Landed looks whether the attempt of a request in doubt had its effect:
	// Find, Miss or Unclear.
	Landed(ctx context.Context, r Request) Event
}

// Rights says who may still do what: keys are revoked while requests wait.
type Rights interface {
	// MayApprove reports whether a decider has the right to decide, now.
	MayApprove(ctx context.Context, who Person) (bool, error)
	// MayAsk reports whether a requester is still a caller of this server,
	// under the profile of the request.
	MayAsk(ctx context.Context, c identity.Caller) (bool, error)
}
