package rest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/seal"
)

func TestFaultsOfTheEmulator(t *testing.T) {
	slept := []time.Duration{}
	connect := func(e *emulatortest.Emulator) *rest.Client {
		return newClient(t, rest.Config{
			BaseURL: e.URL, Auth: rest.Basic, Username: e.Email("u-ann"), Token: seal.NewSecret(e.Token("u-ann")),
			Sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
		})
	}
	t.Run("429 with Retry-After", func(t *testing.T) {
		e := emulatortest.Start(t)
		e.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages*","action":{"status":429,"headers":{"Retry-After":"1"}},"times":3}`)
		_, err := connect(e).Page(ctx, "1001", confluence.PageOptions{})
		require.NoError(t, err)
		assert.Len(t, slept, 3)
	})
	t.Run("a save whose answer is lost", func(t *testing.T) {
		e := emulatortest.Start(t)
		c := connect(e)
		before, err := c.Page(ctx, "1001", confluence.PageOptions{Format: confluence.Storage})
		require.NoError(t, err)
		e.Apply(`{"kind":"fault","match":"PUT /wiki/api/v2/pages/1001","action":{"reset":true},"times":1}`)
		_, err = c.UpdatePage(ctx, confluence.PageUpdate{ID: "1001", Title: before.Title, Body: before.Body + "<p>more</p>", Version: before.Version.Number + 1})
		after, readErr := c.Page(ctx, "1001", confluence.PageOptions{Format: confluence.Storage})
		require.NoError(t, readErr)
		if err == nil {
			assert.Equal(t, before.Version.Number+1, after.Version.Number)
			return
		}
		code(t, err, confluence.Unavailable, "net.unavailable")
		assert.Equal(t, before.Version.Number, after.Version.Number, "what is reported is what is true")
	})
	t.Run("truncated listing", func(t *testing.T) {
		e := emulatortest.Start(t)
		e.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/spaces/100/pages*","action":{"truncate_at":50},"times":1}`)
		l, err := connect(e).Pages(ctx, confluence.PageFilter{SpaceID: "100"}, confluence.Paging{})
		require.NoError(t, err)
		assert.Len(t, l.Items, 6)
	})
	t.Run("login page", func(t *testing.T) {
		e := emulatortest.Start(t)
		e.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/spaces/100/pages*","action":{"status":200,"headers":{"Content-Type":"text/html"},"body":"<html>Log in</html>"},"times":1}`)
		_, err := connect(e).Pages(ctx, confluence.PageFilter{SpaceID: "100"}, confluence.Paging{})
		code(t, err, confluence.Unavailable, "net.not_confluence")
	})
}
