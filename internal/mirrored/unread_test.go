package mirrored_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
)

// Of a site nothing was read of yet, a caller without a credential is told so; he
// is not told that there is nothing. Confluence is asked nothing for him.
func TestNothingReadIsNotNothingThere(t *testing.T) {
	for _, mode := range []guard.Mode{guard.Public, guard.Synced, guard.OwnerOnly} {
		w := newWorld(t)
		w.site.Mode, w.complete = mode, false
		w.own["u-ann"] = true
		require.NoError(t, w.m.Writer().DropIntegration(w.ctx, 1))
		callers := []identity.Caller{nobody("group-A")}
		if mode != guard.Synced { // where rights are synced, Confluence answers whom nobody knows as an anonymous visitor
			callers = append(callers, nobody(), user("u-bob"), user("zzz"))
		}
		asked := w.asked(func() {
			for _, c := range callers {
				_, err := w.Sites.For(w.ctx, c)
				var e *confluence.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "store.unread", e.StableCode())
				assert.True(t, e.Retryable())
				assert.Contains(t, e.Message, "Nothing of this site was read")
			}
		})
		assert.Empty(t, asked)
		p, err := w.as(user("u-ann")).Page(w.ctx, "1001", storage)
		require.NoError(t, err, "who has a credential is answered by Confluence")
		assert.Equal(t, "Runbook", p.Title)
	}
}
