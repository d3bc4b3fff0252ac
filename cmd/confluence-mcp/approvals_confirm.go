package main

import (
	"context"
	"fmt"
	"unicode/utf8"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// maxQuestion is the longest change a person is asked about in their client,
// in characters. What is longer is looked at with: approvals show.
const maxQuestion = 12_000

// confirmer takes the word of the person at a client for changes of their own:
// over standard streams, where the configuration says that it is enough. It
// implements server.Confirmer.
type confirmer struct{ e *engine }

// Question implements server.Confirmer.
func (c confirmer) Question(ctx context.Context, caller identity.Caller, id string) (text, digest string, ok bool) {
	r, err := c.own(ctx, caller, id)
	if err != nil || r.State != approval.Pending || utf8.RuneCountInString(r.Private.Diff) > maxQuestion {
		return "", "", false
	}
	text = "An agent asks to make this change in Confluence, as you:\n\n" + r.Private.Diff
	if r.Because != "" {
		text = plain(r.Because) + "\n\n" + text
	}
	return text, r.Digest, true
}

// Answer implements server.Confirmer.
func (c confirmer) Answer(ctx context.Context, caller identity.Caller, id, digest string, yes bool) error {
	r, err := c.own(ctx, caller, id)
	if err != nil {
		return err
	}
	by := approval.PersonOf(caller)
	if !yes {
		_, err := c.e.desk.Cancel(ctx, approval.Withdrawal{ID: id, By: by})
		return err
	}
	r, err = c.e.desk.Approve(ctx, approval.Verdict{ID: id, Digest: digest, By: by, Self: true})
	if err != nil || r.State == approval.Executed {
		return err
	}
	return &confluence.Error{Kind: confluence.Conflict, Code: "approval." + string(r.State), Op: "approval", Ref: id,
		Message: fmt.Sprintf("The change was confirmed and is %s. %s", r.State, r.Reason), Next: "Look with confluence_get_approval."}
}

// own finds a request that the caller may confirm alone.
func (c confirmer) own(ctx context.Context, caller identity.Caller, id string) (approval.Request, error) {
	none := &confluence.Error{Kind: confluence.Denied, Code: "approval.self", Op: "approval", Ref: id,
		Message: "Who asked for a change cannot approve it.", Next: "Somebody else with the approver right has to."}
	if !c.e.cfg.SelfConfirm || caller.Transport != identity.Stdio {
		return approval.Request{}, none
	}
	r, err := c.e.desk.Show(ctx, id)
	if err == nil && (r.Requester.Principal != caller.Principal() || r.Private.Caller.Transport != identity.Stdio) {
		err = none
	}
	return r, err
}
