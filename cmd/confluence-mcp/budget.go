package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/policy/budget"
	"confluence-mcp/policy/reload"
	"confluence-mcp/policy/taint"
	"confluence-mcp/store"
)

// allowance holds callers to the limits of their profile.
type allowance struct {
	book     *budget.Book
	profiles *reload.Reloader
}

// Spend counts one write of a caller, or refuses it with kind Limited.
func (a allowance) Spend(ctx context.Context, c identity.Caller, action policy.Action, now time.Time) error {
	p, ok := a.profiles.Set().Profile(c.Profile)
	if !ok { // it went away since the call was judged
		return &confluence.Error{Kind: confluence.Denied, Code: "policy.unknown_profile", Message: "There is no profile " + c.Profile + " any more."}
	}
	limits := p.File().Limits.Effective()
	answer, err := a.book.Spend(ctx, c.Payer(), action, limits, now)
	switch {
	case err != nil:
		return &confluence.Error{Kind: confluence.Unavailable, Code: "store.unavailable", Op: "count write", Err: err,
			Message: "The change could not be counted, because the data folder cannot be written, so it was not made.", Next: "Nothing was changed. Tell the administrator; try again later."}
	case answer.OK:
		return nil
	}
	what := fmt.Sprintf("writes (%d a minute)", *limits.WritesPerMinute)
	if answer.Code == "limit.destructive" {
		what = fmt.Sprintf("deletions (%d a day)", *limits.DeletesPerDay)
	}
	wait := time.Duration(math.Ceil(answer.RetryAfter.Seconds())) * time.Second
	next := fmt.Sprintf("Wait %s, then call again.", wait)
	if wait == 0 {
		next = "Waiting does not help; ask the administrator for another profile."
	}
	return &confluence.Error{Kind: confluence.Limited, Code: answer.Code, RetryAfter: wait, Next: next,
		Message: fmt.Sprintf("Your %s under the profile %s are used up.", what, c.Profile)}
}

// spendings keeps a budget's uses in the precious database.
type spendings struct{ store *store.Precious }

// Record keeps one use.
func (s spendings) Record(ctx context.Context, u budget.Use) error {
	return s.store.NoteSpent(ctx, u.Principal, u.Delete, u.At)
}

// Since gives the uses from a time on.
func (s spendings) Since(ctx context.Context, from time.Time) ([]budget.Use, error) {
	var out []budget.Use
	err := s.store.SpentSince(ctx, from, func(principal string, deletion bool, when time.Time) {
		out = append(out, budget.Use{Principal: principal, Delete: deletion, At: when})
	})
	return out, err
}

// marks keeps who read restricted content in the precious database.
type marks struct{ store *store.Precious }

// Keep keeps marks.
func (m marks) Keep(ctx context.Context, list []taint.Mark, oldest time.Time) error {
	rows := make([]store.Taint, len(list))
	for i, one := range list {
		rows[i] = store.Taint(one)
	}
	return m.store.NoteTaints(ctx, oldest, rows...)
}

// Since gives the marks that still count.
func (m marks) Since(ctx context.Context, oldest time.Time) (out []taint.Mark, err error) {
	err = m.store.TaintsSince(ctx, oldest, func(t store.Taint) { out = append(out, taint.Mark(t)) })
	return out, err
}
