package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
)

// Prepare implements approval.Executor: it takes an approved call through the
// gate again, as its requester, with the arguments that were approved. Policy
// may deny it now; a change that is not the approved one any more is outdated.
func (c *Catalog) Prepare(ctx context.Context, r approval.Request) (func(context.Context) approval.Event, approval.Event) {
	k, err := c.again(r)
	if err != nil {
		return nil, unprepared(err)
	}
	for _, step := range []func(context.Context) error{k.decode, k.connect, k.become, k.describe, k.forbid, k.decide, k.prepare, k.rehearse} {
		if err := step(ctx); err != nil {
			return nil, unprepared(err)
		}
	}
	digest, err := k.digest(r.Revision)
	if err != nil {
		return nil, unprepared(err)
	}
	if digest != r.Digest {
		return nil, approval.Event{Word: approval.Outdate, Reason: "What it would change has changed since it was asked for."}
	}
	return k.carryOut, approval.Event{}
}

// again is the call of a request, as its requester made it.
func (c *Catalog) again(r approval.Request) (*call, error) {
	t := c.byName[r.Tool]
	if t == nil || t.plan == nil || !c.visible(r.Private.Caller, t) {
		return nil, &confluence.Error{Kind: confluence.Denied, Code: "policy.denied", Message: "The requester's profile does not allow this tool any more."}
	}
	return &call{catalog: c, tool: t, asked: t, caller: r.Private.Caller, raw: r.Private.Args, started: c.cfg.Now(), approved: &r, approvalID: r.ID}, nil
}

// unprepared says what an error before the start means for the request. The
// arguments were good when they were approved, so when they are not now it is
// Confluence that changed.
func unprepared(err error) approval.Event {
	e := public(err)
	out := approval.Event{Word: approval.Undone, Code: e.StableCode(), Reason: e.Message}
	switch e.Kind {
	case confluence.Denied:
		out.Word = approval.Fail
		if strings.HasPrefix(e.StableCode(), "policy.") {
			out.Word = approval.Deny
		}
	case confluence.Conflict, confluence.NotFound, confluence.Invalid:
		out.Word = approval.Outdate
	}
	return out
}

// carryOut makes the approved change: it is recorded first, like every write.
func (k *call) carryOut(ctx context.Context) approval.Event {
	ctx, k.trail = confluence.Follow(ctx)
	if err := k.record(ctx); err != nil {
		e := public(err)
		return approval.Event{Word: approval.Undone, Code: e.StableCode(), Reason: e.Message}
	}
	out, err := k.execute(ctx)
	result := k.finish(ctx, out, err)
	if err != nil {
		return k.cameToNothing(err)
	}
	return approval.Event{Word: approval.Done, Result: approval.Result{Text: result.Text, Structured: result.Structured, Version: out.version}}
}

// cameToNothing says what is known after an error of the write itself. What
// Confluence refused was not made; a rate limit refuses before it looks; after
// anything else the change may be there.
func (k *call) cameToNothing(err error) approval.Event {
	e := public(err)
	out := approval.Event{Word: approval.Lose, Code: e.StableCode(), Reason: e.Message}
	passing := e.Kind == confluence.Limited && e.StableCode() != "limit.too_large"
	switch {
	case passing:
		out.Word = approval.Undone
		if e.RetryAfter > 0 {
			out.Retry = k.catalog.cfg.Now().Add(e.RetryAfter)
		}
	case !k.ran:
		out.Word = approval.Fail
	case e.Kind == confluence.Conflict:
		out.Word = approval.Conflict
	case e.Kind == confluence.Invalid, e.Kind == confluence.Denied, e.Kind == confluence.NotFound, e.Kind == confluence.Expired:
		out.Word = approval.Fail
	}
	return out
}

// marked adds the mark of the approval a change is made under, by which it is
// found again when the answer of Confluence was lost. What the caller wrote has
// no mark.
func (k *call) marked(message string) string {
	message = approval.Unmarked(message)
	if k.approved == nil {
		return message
	}
	return strings.TrimSpace(clip(message, 200) + " " + k.approved.Mark())
}

// Landed implements approval.Executor: it looks whether a change whose outcome
// was lost is there. It changes nothing.
func (c *Catalog) Landed(ctx context.Context, r approval.Request) approval.Event {
	found, err := c.landed(ctx, r)
	switch {
	case errors.Is(err, errUnclear):
		return approval.Event{Word: approval.Unclear}
	case err != nil:
		c.cfg.Logger.WarnContext(ctx, "a change in doubt could not be looked for", "tool", r.Tool, "err", err)
		return approval.Event{Word: approval.Unclear}
	case found == nil:
		return approval.Event{Word: approval.Miss}
	}
	found.Summary = r.Summary
	found.Notes = append(found.Notes, "The answer of Confluence was lost; the change was found afterwards.")
	structured, err := json.Marshal(found)
	if err != nil {
		return approval.Event{Word: approval.Unclear}
	}
	return approval.Event{Word: approval.Find, Result: approval.Result{Text: found.text(), Structured: structured, Version: found.Version}}
}

// errUnclear says that a look at Confluence does not tell.
var errUnclear = errors.New("it cannot be told")

func (c *Catalog) landed(ctx context.Context, r approval.Request) (*receipt, error) {
	k, err := c.again(r)
	if err != nil {
		return nil, err
	}
	k.looking = true
	for _, step := range []func(context.Context) error{k.decode, k.connect, k.become} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("look for a change in doubt: %w", err)
		}
	}
	return k.landed(ctx)
}

// landed looks for the change of a call, each kind where it would be.
func (k *call) landed(ctx context.Context) (*receipt, error) {
	switch in := k.in.(type) {
	case updatePageIn:
		return k.landedUpdate(ctx, in)
	case createPageIn:
		return k.landedCreate(ctx, in)
	case deletePageIn:
		return k.landedDelete(ctx, in)
	case movePageIn:
		return k.landedMove(ctx, in)
	case labelIn:
		return k.landedLabel(ctx, in)
	case uploadIn:
		return k.landedUpload(ctx, in)
	case addCommentIn:
		return k.landedComment(ctx, in)
	case deleteCommentIn:
		_, err := k.site.Comment(ctx, in.CommentID)
		return k.deleted(ctx, receipt{ID: in.CommentID, Type: onComment}, err)
	case deleteAttachmentIn:
		return k.landedFileDeletion(ctx, in)
	case updateCommentIn:
		return k.landedCommentChange(ctx, in)
	case createSpaceIn:
		return k.landedSpace(ctx, in)
	case updateSpaceIn:
		return k.landedSpaceChange(ctx, in)
	}
	return k.landedBack(ctx)
}

// deleted is what is known of a deletion for good: what is not there was
// deleted, unless its page is not to be seen either. Then it says nothing that
// neither is.
func (k *call) deleted(ctx context.Context, r receipt, err error) (*receipt, error) {
	if err == nil {
		return nil, nil
	}
	if confluence.KindOf(err) != confluence.NotFound {
		return nil, err
	}
	p, err := k.site.Page(ctx, k.approved.Private.Page, confluence.PageOptions{})
	if err != nil || p.Status != "" && p.Status != confluence.StatusCurrent {
		return nil, errUnclear
	}
	return &r, nil
}
