package approval_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
)

// TestRefusedVerdictsAreTold: a verdict that is refused changes nothing, makes
// nothing, and stands in the log with who tried and why not.
func TestRefusedVerdictsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *office, v *approval.Verdict)
		code   string
	}{
		"without the right": {func(o *office, _ *approval.Verdict) { o.who.approve.Store(false) }, "approval.right"},
		"one's own":         {func(_ *office, v *approval.Verdict) { v.By = agent }, "approval.self"},
		"of another change": {func(_ *office, v *approval.Verdict) { v.Digest = "other" }, "approval.digest"},
		"too late":          {func(o *office, _ *approval.Verdict) { o.pass(30 * 24 * time.Hour) }, "approval."},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			v := yes(o.ask("d"))
			c.change(o, &v)
			_, err := o.Approve(context.Background(), v)
			require.Error(t, err)
			assert.Contains(t, o.logs.String(), "approval verdict refused")
			assert.Contains(t, o.logs.String(), "refusal="+c.code)
			assert.Contains(t, o.logs.String(), v.By.Principal)
			assert.Zero(t, o.world.count())
		})
	}
}
