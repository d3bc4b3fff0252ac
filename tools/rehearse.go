package tools

import (
	"context"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/policy"
)

// lent is a [Site] that knows whether another account writes for the caller, who
// has no credential of his own.
type lent interface {
	Site
	// Lent reports whether another account writes.
	Lent() bool
	// Author is the account Confluence names as the author of what is written.
	Author(ctx context.Context) (confluence.User, error)
	// Rehearsal gives, where another account writes, the same site with writes
	// that are judged and not made: each ends with an error. would says by whom
	// and for whom one would be made, nothing when none would.
	Rehearsal() (judge Site, would func() string)
}

// rehearse finds out whether a change that another account would make for the
// caller may be made for him at all: before a person is asked about it, before he
// is told what it would do, and once more before an approved one begins. Any
// other is judged where it is made, which every one is.
func (k *call) rehearse(ctx context.Context) error {
	if k.plan == nil || k.plan.noop || !k.dryRun && k.decision.Effect != policy.RequireApproval {
		return nil
	}
	on, lends := k.lender()
	if !lends {
		return nil
	}
	judge, would := on.Rehearsal()
	k.site = judge
	_, err := k.plan.commit(ctx)
	k.site = on
	if note := would(); note != "" {
		k.plan.notes, err = append(k.plan.notes, note), nil
	}
	return err
}

// lender gives the site of a call where another account writes for the caller.
func (k *call) lender() (lent, bool) {
	on, ok := k.site.(lent)
	return on, ok && on.Lent()
}

// author is the account Confluence names as the author of what the call writes.
func (k *call) author(ctx context.Context) (confluence.User, error) {
	if on, lends := k.lender(); lends {
		return on.Author(ctx)
	}
	return k.me(ctx)
}
