package approval

import (
	"strings"
	"time"
	"unicode/utf8"

	"confluence-mcp/internal/confluence"
)

// Word names what happens to a request.
type Word string

// What can happen.
const (
	Approve  Word = "approve"
	Reject   Word = "reject"
	Cancel   Word = "cancel"  // by the requester, or an administrator
	Expire   Word = "expire"  // the clock
	Outdate  Word = "outdate" // what it would change has changed
	Deny     Word = "deny"    // policy, or the approver's right, says no now
	Claim    Word = "claim"   // one process starts to make the change
	Done     Word = "done"    // the change was made
	Conflict Word = "conflict"
	Fail     Word = "fail"    // refused, certainly not made
	Undone   Word = "undone"  // not made for a passing reason
	Lose     Word = "lose"    // the outcome is unknown
	Find     Word = "find"    // the change is there after all
	Miss     Word = "miss"    // the change is not there
	Unclear  Word = "unclear" // it could not be found out
	Landed   Word = "landed"  // a person found that the change was made
	Missing  Word = "missing" // a person found that it was not
)

// Event is one thing that happens to a request, with what its guard looks at.
type Event struct {
	Word    Word
	At      time.Time
	By      Person // approve, reject, cancel, landed, missing
	Right   bool   // approve, reject, claim, landed, missing: the decider has the right to decide, now; cancel: is an administrator
	Self    bool   // approve: the requester's own confirmation is enough here
	Digest  string // approve: of what the decider saw
	Reason  string // reject, deny, outdate, fail, conflict, landed, missing: for the requester
	Code    string // deny, fail: stable code
	Attempt string // claim and all that comes after it
	Result  Result // done, find
	Retry   time.Time
}

// Apply gives the request after the event. Changed false without an error
// means that it had happened already. A refusal changes nothing and is a
// *confluence.Error: Denied approval.self and approval.right, Conflict
// approval.state, approval.digest, approval.expired and approval.claimed,
// Invalid input.reason.
func (r Request) Apply(e Event) (next Request, changed bool, err error) {
	e.At = e.At.UTC().Truncate(time.Microsecond)
	next = r
	switch e.Word {
	case Approve:
		changed, err = next.approve(e)
	case Reject:
		changed, err = next.reject(e)
	case Cancel, Expire, Outdate, Deny:
		changed, err = next.withdraw(e)
	case Claim:
		changed, err = next.claim(e)
	case Done, Conflict, Fail, Undone, Lose:
		changed, err = next.settle(e)
	case Find, Miss, Unclear:
		changed, err = next.reconcile(e)
	case Landed, Missing:
		changed, err = next.resolve(e)
	default:
		err = refuse(confluence.Internal, "", "unknown event", "")
	}
	if err != nil || !changed {
		return r, false, err
	}
	next.Seq++
	next.Changed = e.At
	return next, true, nil
}

func (r *Request) approve(e Event) (bool, error) {
	switch {
	case !e.Right:
		return false, refuse(confluence.Denied, "approval.right", "You may not decide approvals.", "Ask the administrator for the approver right.")
	case e.By.Is(r.Requester) && !e.Self:
		return false, refuse(confluence.Denied, "approval.self", "Who asked for a change cannot approve it.", "Somebody else with the approver right has to: another agent, of another owner, for another Confluence account.")
	case e.Digest != r.Digest:
		return false, refuse(confluence.Conflict, "approval.digest", "This is not what the request is about.", "Look at the request again.")
	case r.State != Pending && r.Decider == e.By && r.decidedYes():
		return false, nil
	case r.State != Pending:
		return false, r.wrongState()
	case r.Late(e.At):
		return false, refuse(confluence.Conflict, "approval.expired", "The request has expired.", "It has to be asked for again.")
	}
	r.State, r.Decider, r.Decided = Approved, e.By, e.At
	return true, nil
}

// decidedYes reports whether the request got to where it is by an approval.
func (r *Request) decidedYes() bool {
	return r.State == Approved || r.State == Executing || r.State == InDoubt || r.State == Executed
}

func (r *Request) reject(e Event) (bool, error) {
	reason := strings.TrimSpace(e.Reason)
	switch {
	case !e.Right:
		return false, refuse(confluence.Denied, "approval.right", "You may not decide approvals.", "Ask the administrator for the approver right.")
	case r.State == Rejected && r.Decider == e.By:
		return false, nil
	case r.State != Pending:
		return false, r.wrongState()
	case reason == "" || utf8.RuneCountInString(reason) > maxReason:
		return false, refuse(confluence.Invalid, "input.reason", "A rejection needs a reason of at most 500 characters.", "Say why; the agent reads it.")
	}
	r.State, r.Decider, r.Decided = Rejected, e.By, e.At
	r.Reason, r.Code = reason, "approval.rejected"
	return true, nil
}

// withdraw ends a request that has not been started.
func (r *Request) withdraw(e Event) (bool, error) {
	open := r.State == Pending || r.State == Approved
	switch e.Word {
	case Cancel:
		return r.cancel(e)
	case Expire:
		if !open || !r.Late(e.At) {
			return false, nil
		}
		r.State, r.Code, r.Reason = Expired, "approval.expired", "Nobody decided in time."
		return true, nil
	}
	if !open {
		return false, r.wrongState()
	}
	r.State, r.Code, r.Reason = Stale, "approval.stale", e.Reason
	if e.Word == Deny {
		r.State, r.Code = Cancelled, e.Code
	}
	return true, nil
}

func (r *Request) cancel(e Event) (bool, error) {
	own := e.By.Principal == r.Requester.Principal
	switch {
	case !own && !e.Right:
		return false, refuse(confluence.NotFound, "", "You have no approval with this id.", "Check the id.")
	case r.State != Pending:
		return false, r.wrongState()
	}
	r.State, r.Code, r.Reason = Cancelled, "approval.cancelled", "Cancelled by the requester."
	if !own {
		r.Reason = "Cancelled by an administrator."
	}
	return true, nil
}

func (r *Request) claim(e Event) (bool, error) {
	switch {
	case r.State != Approved:
		return false, r.wrongState()
	case e.Attempt == "":
		return false, refuse(confluence.Internal, "", "a claim without an attempt", "")
	case r.Late(e.At):
		return false, refuse(confluence.Conflict, "approval.expired", "The request has expired.", "It has to be asked for again.")
	case !e.Right:
		return false, refuse(confluence.Denied, "approval.right", "Who approved it may not decide approvals any more.", "It has to be asked for again.")
	case e.At.Before(r.Retry):
		return false, refuse(confluence.Limited, "approval.retry", "It is too early for another attempt.", "Wait.")
	}
	r.State, r.Attempt, r.Claimed = Executing, e.Attempt, e.At
	r.Attempts++
	return true, nil
}

// settle is what came of an attempt, said by who made it.
func (r *Request) settle(e Event) (bool, error) {
	if r.State != Executing || e.Attempt != r.Attempt {
		return false, r.wrongState()
	}
	switch e.Word {
	case Done:
		r.State, r.Private.Result = Executed, e.Result
	case Conflict:
		r.State, r.Code, r.Reason = Stale, "approval.stale", e.Reason
	case Fail:
		r.State, r.Code, r.Reason = Failed, e.Code, e.Reason
	case Lose:
		r.State, r.Reason = InDoubt, e.Reason
	case Undone:
		r.State, r.Retry, r.Reason = Approved, e.Retry, e.Reason
		if r.Late(e.At) {
			r.State, r.Code = Expired, "approval.expired"
		} else if r.Attempts >= MaxAttempts {
			r.State, r.Code = Failed, e.Code
		}
	}
	return true, nil
}

// reconcile is what somebody found who looked for the change afterwards.
func (r *Request) reconcile(e Event) (bool, error) {
	if r.State != InDoubt || e.Attempt != r.Attempt {
		return false, r.wrongState()
	}
	switch {
	case e.Word == Find:
		r.State, r.Private.Result, r.Reason = Executed, e.Result, ""
	case e.Word == Unclear && r.Gone.IsZero():
		return false, nil
	case e.Word == Unclear:
		r.Gone = time.Time{}
	case r.Gone.IsZero():
		r.Gone = e.At
	case e.At.Before(r.Gone.Add(AbsenceGap)):
		return false, nil
	default:
		r.State, r.Code = Failed, "approval.not_applied"
		r.Reason = "The change was not made, and is not tried again by itself. It is safe to ask for it again."
	}
	return true, nil
}

// resolve ends a request in doubt by the word of a person who looked in
// Confluence. Nothing is made or repeated by it.
func (r *Request) resolve(e Event) (bool, error) {
	note := strings.TrimSpace(e.Reason)
	switch {
	case !e.Right:
		return false, refuse(confluence.Denied, "approval.right", "You may not decide approvals.", "Ask the administrator for the approver right.")
	case r.State != InDoubt:
		return false, r.wrongState()
	case note == "" || utf8.RuneCountInString(note) > maxReason:
		return false, refuse(confluence.Invalid, "input.reason", "Ending a doubt needs a note of at most 500 characters.", "Say what was found in Confluence; the agent reads it.")
	}
	r.Resolver, r.Reason = e.By, note
	r.State, r.Code = Failed, "approval.not_applied"
	if e.Word == Landed {
		r.State, r.Code = Executed, ""
	}
	return true, nil
}

func (r *Request) wrongState() error {
	return refuse(confluence.Conflict, "approval.state", "The request is "+string(r.State)+".", "Look at it again; what has ended stays as it is.")
}

func refuse(kind confluence.Kind, code, message, next string) error {
	return &confluence.Error{Kind: kind, Code: code, Op: "approval", Message: message, Next: next}
}
