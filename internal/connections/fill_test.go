package connections_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/mirror"
)

// filled is a set over a mirror that is only filled on demand.
func filled(t *testing.T, specs ...connections.Spec) (*connections.Set, *mirror.Mirror) {
	t.Helper()
	m, err := mirror.Open(context.Background(), mirror.Config{Dir: t.TempDir(), Now: time.Now})
	require.NoError(t, err)
	s := connections.New(rest.Config{Now: time.Now})
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, m.Close())
	})
	for _, spec := range specs {
		require.NoError(t, s.Put(context.Background(), spec))
	}
	require.NoError(t, s.Fill(context.Background(), connections.Filler{Mirror: m, Passive: true}))
	return s, m
}

func acme(e *emulatortest.Emulator) connections.Spec {
	return connections.Spec{ID: 1, Name: "acme", BaseURL: e.URL, Username: e.Email("u-root"), Token: seal.NewSecret(e.Token("u-root")), Rights: true}
}

func sees(t *testing.T, m *mirror.Mirror, user string) bool {
	t.Helper()
	_, err := m.Page(context.Background(), identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: user}, mirror.Ref{ID: "1000"})
	if err != nil {
		require.Equal(t, confluence.NotFound, confluence.KindOf(err), "%v", err)
	}
	return err == nil
}

func TestTheMirrorIsFilledOnDemand(t *testing.T) {
	ctx := context.Background()
	s, m := filled(t, acme(emulatortest.Start(t, rightsSite)))
	assert.False(t, s.Complete(ctx, 1))
	report, err := s.Sync(ctx, "acme", false, nil)
	require.NoError(t, err)
	assert.True(t, report.Complete, "%+v", report)
	assert.True(t, s.Complete(ctx, 1))
	assert.True(t, sees(t, m, "u-ann"))
	assert.False(t, sees(t, m, "u-nobody"))
}

func TestWhatIsNotConnectedIsNotSeen(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, rightsSite)
	for name, change := range map[string]func(t *testing.T, s *connections.Set){
		"removed":            func(t *testing.T, s *connections.Set) { require.NoError(t, s.Remove(ctx, 1, false)) },
		"removed, rows kept": func(t *testing.T, s *connections.Set) { require.NoError(t, s.Remove(ctx, 1, true)) },
		"rights are not synced any more": func(t *testing.T, s *connections.Set) {
			spec := acme(e)
			spec.Rights = false
			require.NoError(t, s.Put(ctx, spec))
		},
		"another account": func(t *testing.T, s *connections.Set) {
			spec := acme(e)
			spec.Username, spec.Token = e.Email("u-ann"), seal.NewSecret(e.Token("u-ann"))
			require.NoError(t, s.Put(ctx, spec))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := filled(t, acme(e))
			_, err := s.Sync(ctx, "", false, nil)
			require.NoError(t, err)
			require.True(t, sees(t, m, "u-ann"))
			asked := e.Requests(0)
			change(t, s)
			assert.False(t, sees(t, m, "u-ann"))
			assert.Len(t, e.Requests(0), len(asked), "Confluence was not asked")
		})
	}
}

func TestWhatWasWrittenHereIsReadSoon(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, rightsSite)
	m, err := mirror.Open(ctx, mirror.Config{Dir: t.TempDir(), Now: time.Now})
	require.NoError(t, err)
	s := connections.New(rest.Config{Now: time.Now})
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, m.Close())
	})
	require.NoError(t, s.Put(ctx, acme(e)))
	require.NoError(t, s.Fill(ctx, connections.Filler{Mirror: m, Rhythm: connections.Rhythm{Interval: time.Hour, FullInterval: time.Hour}}))
	require.Eventually(t, func() bool { return s.Complete(ctx, 1) }, 20*time.Second, 10*time.Millisecond)
	e.Apply(`{"kind":"content","id":"1001","type":"page","space":"ENG","parent":"1000","title":"Fresh"}`)
	s.Wrote(1, "1001")
	s.Wrote(7, "1001") // of nobody
	require.Eventually(t, func() bool {
		_, err := m.Page(ctx, identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: "u-ann"}, mirror.Ref{ID: "1001"})
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
}
