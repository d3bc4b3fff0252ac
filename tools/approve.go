package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
)

// Approver keeps changes that wait for a person; *approval.Service is one.
type Approver interface {
	// Ask keeps a request, or gives the open one for the same change.
	Ask(ctx context.Context, r approval.Request) (approval.Request, error)
	// Latest finds the newest request of a call, Kind NotFound when none.
	Latest(ctx context.Context, callID string) (approval.Request, error)
	// Wait gives the principal's own request, when it has ended or after d.
	Wait(ctx context.Context, principal, id string, d time.Duration) (approval.Request, error)
	// Outdate ends a request that was not started. Kind Conflict when it was.
	Outdate(ctx context.Context, id, reason string) error
}

// repeat answers a call that was asked for before: with what came of it when
// it was executed, with its state while it is under way, with the reason when
// it was rejected.
func (k *call) repeat(ctx context.Context) error {
	if k.tool.ReadOnly || k.dryRun || k.catalog.cfg.Approver == nil {
		return nil
	}
	r, err := k.catalog.cfg.Approver.Latest(ctx, k.callID())
	if confluence.KindOf(err) == confluence.NotFound && err != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an earlier approval: %w", err)
	}
	k.earlier = &r
	k.request = policy.Request{Action: policy.Action(r.Action), Resource: policy.Resource{SpaceKey: r.SpaceKey}} // for the record, until it is described
	k.decision = policy.Decision{Effect: policy.RequireApproval, Reason: "approval_" + string(r.State), Profile: r.Profile, Revision: r.Revision}
	late := r.Late(k.started)
	switch {
	case r.State == approval.Executed && !late:
		k.approvalID, k.answered = r.ID, made(r)
	case r.State == approval.Rejected && !late:
		return k.rejected(r)
	case r.State == approval.Approved, r.State == approval.Executing, r.State == approval.InDoubt:
		return k.waits(r)
	}
	return nil
}

// made is what a change that was executed answers. Of one that a person found
// afterwards there is no more than the request tells.
func made(r approval.Request) *answer {
	if res := r.Private.Result; len(res.Structured) > 0 {
		return &answer{text: res.Text, structured: res.Structured}
	}
	found := found(r)
	return &answer{text: found.text(), structured: found}
}

func found(r approval.Request) receipt {
	kind, id, _ := strings.Cut(r.Resource, " ")
	note := "The details are not kept any more."
	if r.Resolver != (approval.Person{}) {
		note = "The answer of Confluence was lost; a person found that the change was made: " + stopped(line(r.Reason))
	}
	return receipt{ID: id, Type: kind, SpaceKey: r.SpaceKey, Summary: r.Summary, Notes: []string{note}}
}

// callID names the call, whatever it meets in Confluence.
func (k *call) callID() string {
	return sumOf(k.caller.Principal(), k.info.ID, k.asked.Name, string(withoutDryRun(k.args)))
}

func withoutDryRun(args []byte) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(args, &m) != nil {
		return args
	}
	delete(m, "dry_run")
	b, err := json.Marshal(m)
	if err != nil {
		return args
	}
	return b
}

// approve stops a write that needs a person: it becomes a request, or finds the
// one that is open. A dry run goes on and shows what is needed, and so does a
// call that would change nothing.
func (k *call) approve(ctx context.Context) error {
	if k.plan == nil || k.dryRun || k.approved != nil {
		return nil
	}
	if k.decision.Effect != policy.RequireApproval || k.plan.noop {
		return k.outdateEarlier(ctx, "The change does not need an approval any more.")
	}
	if k.catalog.cfg.Approver == nil {
		return &confluence.Error{Kind: confluence.Waiting, Message: cmp.Or(k.decision.Message, "This change needs an approval, and no approver is connected to this server."),
			Next: "Nothing was changed. Tell the person you work for what you wanted to change; repeating the call does not help."}
	}
	r, err := k.asRequest(ctx)
	if err != nil {
		return err
	}
	if e := k.earlier; e != nil && (e.State == approval.Stale || e.State == approval.Pending) && e.Digest != r.Digest {
		r.Replaces = e.ID
		if err := k.outdateEarlier(ctx, "What it would change has changed; it was asked for again."); err != nil {
			return err
		}
	}
	kept, err := k.catalog.cfg.Approver.Ask(ctx, r)
	if err != nil {
		return fmt.Errorf("ask for approval: %w", err)
	}
	return k.waits(kept)
}

// outdateEarlier ends the pending request of the same call, so that it cannot
// be executed beside what happens now.
func (k *call) outdateEarlier(ctx context.Context, reason string) error {
	if k.earlier == nil || k.earlier.State != approval.Pending {
		return nil
	}
	return k.catalog.cfg.Approver.Outdate(ctx, k.earlier.ID, reason)
}

// asRequest is the call as something a person can decide about.
func (k *call) asRequest(ctx context.Context) (approval.Request, error) {
	digest, err := k.digest(k.decision.Revision)
	if err != nil {
		return approval.Request{}, err
	}
	who, err := k.requester(ctx)
	if err != nil {
		return approval.Request{}, err
	}
	res := k.request.Resource
	r := approval.Request{
		Digest: digest, CallID: k.callID(), Tool: k.asked.Name, Group: string(k.tool.Group), Action: string(k.request.Action), Summary: k.plan.summary,
		Requester: who, Profile: k.caller.Profile, Site: k.info.Name, SpaceKey: cmp.Or(res.SpaceKey, k.request.Change.TargetSpaceKey),
		BaseVersion: res.Version, BaseSHA256: sumOf(k.plan.base),
		Revision: k.decision.Revision, RuleID: k.decision.RuleID, Because: k.decision.Message,
		Private: approval.Private{Args: withoutDryRun(k.args), Diff: k.whole(), Caller: k.caller},
	}
	if res.ID != "" {
		r.Resource = res.Type + " " + res.ID
	}
	if k.on.page != nil {
		r.Private.Page = k.on.page.ID
	}
	return r, nil
}

// requester is the caller as who may not decide: by the id of the account the
// change would be made for, whatever name the account goes by in the call.
func (k *call) requester(ctx context.Context) (approval.Person, error) {
	who := approval.PersonOf(k.caller)
	if k.caller.Kind == identity.Nobody {
		return who, nil
	}
	u, err := k.site.CurrentUser(ctx)
	if err != nil {
		return who, fmt.Errorf("find out who asks: %w", err)
	}
	if u.ID == "" {
		return who, &confluence.Error{Kind: confluence.Denied, Code: "approval.self", Op: "ask for approval",
			Message: "Confluence knows no account of the name this call is made for, so it can't be told who approves a change of their own.",
			Next:    "Nothing was changed. Name the user by the account id."}
	}
	who.Account = u.ID
	return who, nil
}

// waits is what a caller reads while its change is not decided and done.
func (k *call) waits(r approval.Request) error {
	k.approvalID = r.ID
	message := "This change needs an approval: " + r.Summary + "."
	if r.Because != "" {
		message += " " + stopped(line(r.Because))
	}
	switch r.State {
	case approval.Pending:
		message += " Nothing was changed yet; somebody else with the approver right decides until " + stamp(r.Expires) + "."
	case approval.InDoubt:
		message += " It was approved and started, and whether it was made is being found out."
	default:
		message += " It was approved and is about to be made."
	}
	return &confluence.Error{Kind: confluence.Waiting, Op: "approval", Ref: r.ID, Message: message,
		Next: "Wait for it with confluence_get_approval, approval_id " + r.ID + ", wait_seconds 30. Once approved the server makes the change by itself; repeating the same call then gives its result."}
}

func (k *call) rejected(r approval.Request) error {
	k.approvalID = r.ID
	return &confluence.Error{Kind: confluence.Denied, Code: r.Code, Op: "approval", Ref: r.ID,
		Message: "This change was rejected: " + stopped(line(r.Reason)), Next: "Nothing was changed. Do not repeat the call; change what you ask for, or tell the person you work for."}
}

type getApprovalIn struct {
	ApprovalID  string `json:"approval_id" is:"user,min=1"`
	WaitSeconds int    `json:"wait_seconds,omitempty" is:"min=0,max=30"`

	short
}

type approvalOut struct {
	ID      string   `json:"id"`
	State   string   `json:"state"`
	Tool    string   `json:"tool,omitempty"`
	Summary string   `json:"summary,omitempty"`
	Expires string   `json:"expires,omitempty"`
	Code    string   `json:"code,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Result  *receipt `json:"result,omitempty"` // when executed
}

func getApproval(ctx context.Context, k *call, in getApprovalIn) (approvalOut, string, error) {
	if k.catalog.cfg.Approver == nil {
		return approvalOut{}, "", noApproval(in.ApprovalID)
	}
	r, err := k.catalog.cfg.Approver.Wait(ctx, k.caller.Principal(), in.ApprovalID, time.Duration(in.WaitSeconds)*time.Second)
	if confluence.KindOf(err) == confluence.NotFound && err != nil {
		return approvalOut{}, "", noApproval(in.ApprovalID)
	}
	if err != nil {
		return approvalOut{}, "", err
	}
	k.approvalID = r.ID
	out := approvalOut{ID: r.ID, State: string(r.State), Tool: r.Tool, Summary: r.Summary, Expires: stamp(r.Expires), Code: r.Code, Reason: line(r.Reason)}
	switch {
	case r.State != approval.Executed:
	case len(r.Private.Result.Structured) == 0:
		by := found(r)
		out.Result = &by
	default:
		if err := json.Unmarshal(r.Private.Result.Structured, &out.Result); err != nil {
			return approvalOut{}, "", fmt.Errorf("read the result: %w", err)
		}
	}
	text, rest := in.cut(approvalText(r))
	return out, text + rest, nil
}

func noApproval(id string) error {
	return &confluence.Error{Kind: confluence.NotFound, Op: "find approval", Ref: id, Message: "You have no approval with this id.",
		Next: "Take the id from the answer of the call that needs the approval."}
}

func approvalText(r approval.Request) string {
	text := fmt.Sprintf("Approval %s is %s: %s.", r.ID, r.State, r.Summary)
	switch {
	case r.State == approval.Executed:
		return text + "\n" + made(r).text
	case r.Reason != "":
		text += "\nReason: " + stopped(line(r.Reason))
	}
	switch {
	case r.State == approval.InDoubt:
		text += "\nWhether the change was made is being found out. Do not ask for it again."
	case !r.State.Ended():
		text += "\nNothing was changed yet. Ask again with wait_seconds 30; until " + stamp(r.Expires) + " it can be decided."
	case r.State == approval.Stale:
		text += "\nNothing was changed. Read the page again and repeat the change on what it is now."
	default:
		text += "\nNothing was changed."
	}
	return text
}
