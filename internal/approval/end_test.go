package approval_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/confluence"
)

// A doubt nobody can settle by looking is ended by a person who did.
func TestADoubtIsEndedByHand(t *testing.T) {
	for _, landed := range []bool{true, false} {
		o := newOffice(t)
		r := o.ask("d")
		f := approval.Finding{ID: r.ID, By: ben, Landed: landed, Note: "Version 8 is ours."}
		_, err := o.Resolve(context.Background(), f)
		assert.Equal(t, "approval.state", code(t, err), "only what is in doubt")
		o.world.writing = func() { o.reopen(); o.Sweep(context.Background()) }
		_, _ = o.Approve(context.Background(), yes(r))
		require.Equal(t, approval.InDoubt, o.state(r.ID))
		for name, bad := range map[string]approval.Finding{
			"approval.right": {ID: r.ID, By: approval.Person{Principal: "n", Agent: "nobody"}, Note: "x"},
			"input.reason":   {ID: r.ID, By: ben, Note: "  "},
		} {
			_, err := o.Resolve(context.Background(), bad)
			assert.Equal(t, name, code(t, err))
		}
		made := o.world.count()
		end, err := o.Resolve(context.Background(), f)
		require.NoError(t, err)
		assert.Equal(t, map[bool]approval.State{true: approval.Executed, false: approval.Failed}[landed], end.State)
		assert.Equal(t, "Version 8 is ours.", end.Reason)
		assert.Equal(t, ben, end.Resolver)
		assert.Equal(t, made, o.world.count(), "nothing is made by it")
		_, err = o.Resolve(context.Background(), f)
		assert.Equal(t, "approval.state", code(t, err), "an end never changes")
	}
}

func TestWhoMayWithdraw(t *testing.T) {
	for name, c := range map[string]struct {
		w   approval.Withdrawal
		why string
	}{
		"the requester":    {approval.Withdrawal{By: agent}, "Cancelled by the requester."},
		"an administrator": {approval.Withdrawal{By: cat, Admin: true}, "Cancelled by an administrator."},
		"somebody else":    {approval.Withdrawal{By: cat}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			r := o.ask("d")
			c.w.ID = r.ID
			end, err := o.Cancel(context.Background(), c.w)
			if c.why == "" {
				assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
				assert.Equal(t, approval.Pending, o.state(r.ID))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, approval.Cancelled, end.State)
			assert.Equal(t, c.why, end.Reason)
			_, err = o.Approve(context.Background(), yes(r))
			assert.Equal(t, "approval.state", code(t, err))
			assert.Zero(t, o.world.count())
		})
	}
}
