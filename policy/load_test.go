package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
)

func TestShippedProfiles(t *testing.T) {
	set, err := policy.Load(policies.FS)
	require.NoError(t, err)
	assert.Equal(t, []string{"documentation-manager", "full-access", "read-only"}, set.Names())

	caller := identity.Caller{Kind: identity.User, AccountID: "u-ann", Profile: "full-access"}
	d := set.Decide(policy.Request{Tool: "confluence_update_page", Group: policy.Pages, Action: policy.Update, Caller: caller})
	assert.Equal(t, policy.Allow, d.Effect)
	assert.Equal(t, "full-access", d.Profile)
	assert.Len(t, d.Revision, 12)
	assert.True(t, set.Visible("documentation-manager", policy.Pages, policy.Create))
	assert.False(t, set.Visible("documentation-manager", policy.Pages, policy.Delete))
	assert.False(t, set.Visible("nobody", policy.Pages, policy.Read))
	assert.False(t, set.NeedsResource("full-access", "confluence_update_page", policy.Pages, policy.Update))
}
