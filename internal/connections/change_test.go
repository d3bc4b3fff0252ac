package connections_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/mirror"
)

// anybody reports whether a caller without a name sees the page.
func anybody(t *testing.T, m *mirror.Mirror) bool {
	t.Helper()
	_, err := m.Page(context.Background(), identity.Public("t", "p", identity.HTTP), mirror.Ref{ID: "1000"})
	return err == nil
}

func public(e *emulatortest.Emulator) connections.Spec {
	spec := acme(e)
	spec.Rights, spec.Public = false, true
	return spec
}

// TestWhatIsRemovedWhileNothingRunsIsUnseen: a start over a mirror that has rows
// of an integration that is not there any more, or not connected.
func TestWhatIsRemovedWhileNothingRunsIsUnseen(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, rightsSite)
	for name, known := range map[string][]int64{"forgotten": nil, "not connected": {1}} {
		t.Run(name, func(t *testing.T) {
			s, m := filled(t, public(e))
			_, err := s.Sync(ctx, "acme", false, nil)
			require.NoError(t, err)
			require.True(t, anybody(t, m))
			later := connections.New(rest.Config{Now: time.Now})
			require.NoError(t, later.Fill(ctx, connections.Filler{Mirror: m, Passive: true, Known: known}))
			assert.False(t, anybody(t, m))
		})
	}
}

// TestPassesDoNotOutliveTheirIntegration: passes under way and waiting when an
// integration is removed, or shown to fewer, write nothing afterwards.
func TestPassesDoNotOutliveTheirIntegration(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(s *connections.Set, spec connections.Spec) error{
		"removed": func(s *connections.Set, _ connections.Spec) error { return s.Remove(ctx, 1, false) },
		"shown to one": func(s *connections.Set, spec connections.Spec) error {
			spec.Public = false
			return s.Put(ctx, spec)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := emulatortest.Start(t, rightsSite)
			s, m := filled(t, public(e))
			e.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/spaces*","action":{"delay_ms":300},"times":9}`)
			ended := make(chan error, 2)
			for _, full := range []bool{false, true} { // one runs, the other waits for it
				go func() {
					_, err := s.Sync(ctx, "acme", full, nil)
					ended <- err
				}()
			}
			require.Eventually(t, func() bool { return len(e.Requests(0)) > 0 }, 20*time.Second, time.Millisecond)
			require.NoError(t, change(s, public(e)))
			for range 2 {
				<-ended
			}
			assert.False(t, anybody(t, m))
			_, err := s.Sync(ctx, "acme", false, nil)
			if name == "removed" {
				assert.Error(t, err)
			} else {
				assert.NoError(t, err)
			}
			assert.False(t, anybody(t, m))
		})
	}
}

// TestAChangeThatFailedIsMadeAgain: settings that could not be put into force
// are not taken for those in force.
func TestAChangeThatFailedIsMadeAgain(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, rightsSite)
	s, m := filled(t, public(e))
	_, err := s.Sync(ctx, "acme", false, nil)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	spec := public(e)
	spec.Public = false
	require.Error(t, s.Put(ctx, spec))
	require.Error(t, s.Put(ctx, spec), "the same again is not nothing to do")
	require.Error(t, s.Remove(ctx, 1, false))
}
