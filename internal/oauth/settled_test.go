package oauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/oauth"
)

func TestGrantIsTakenIntoUseBeforeAnybodyIsToldOfIt(t *testing.T) {
	r := newRig(t)
	var seen []string
	var refuse error
	g := r.with(func(c *oauth.Config) {
		c.Settled = func(ctx context.Context, grant oauth.Grant) error {
			s, err := r.grants.Service(ctx, 1)
			require.NoError(t, err, "it is stored already")
			assert.Equal(t, grant.CloudID, s.Grant().CloudID)
			seen = append(seen, grant.CloudID)
			return refuse
		}
	})
	c, err := g.Begin(beginning())
	require.NoError(t, err)
	o, err, _ := r.callback(g, r.consent(c, "u-ann").String(), "")
	require.NoError(t, err)
	require.Equal(t, oauth.Choosing, o.Grant.State)
	assert.Empty(t, seen)
	_, err = g.Choose(t.Context(), 1, oauth.Service, "", cloudA)
	require.NoError(t, err)
	c, err = g.Begin(beginning())
	require.NoError(t, err)
	refuse = errors.New("it has no rights")
	_, err, page := r.callback(g, r.consent(c, "u-ann", "emulator_site", cloudB).String(), "")
	require.ErrorIs(t, err, refuse)
	assert.Contains(t, page, "Not connected")
	_, err = c.Wait(t.Context(), r.clock.now)
	require.ErrorIs(t, err, refuse)
	assert.Equal(t, []string{cloudA, cloudB}, seen)
}
