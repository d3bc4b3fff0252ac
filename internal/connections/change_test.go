package connections_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
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
			require.Eventually(t, func() bool { return len(e.Requests(0)) > 0 }, time.Minute, time.Millisecond)
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

// twoAccounts is a site with two accounts whose tokens are personal access
// tokens; each may read a page the other may not.
const twoAccounts = rightsSite + `
{"kind":"user","id":"u-two","username":"two","name":"Two","email":"two@acme.test","groups":["staff"],"admin":true,"token":"two-token"}
{"kind":"content","id":"2001","type":"page","space":"ENG","parent":"1000","title":"Of root","read":["user:u-root"]}
{"kind":"content","id":"2002","type":"page","space":"ENG","parent":"1000","title":"Of two","read":["user:u-two"]}
`

// bearing is a site in front of e that takes a personal access token for the
// account it is of.
func bearing(t *testing.T, e *emulatortest.Emulator, emails map[string]string) string {
	t.Helper()
	target, err := url.Parse(e.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			r.SetBasicAuth(emails[token], token)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL + target.Path
}

// TestATokenOfAnotherAccount: a personal access token does not say whose it is.
// With another one, rows are nobody's until Confluence has said so; those of
// another account are dropped then, and those of the same account are kept.
func TestATokenOfAnotherAccount(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, twoAccounts)
	at := bearing(t, e, map[string]string{"root-token": "root@acme.test", "second-of-root": "root@acme.test", "two-token": "two@acme.test"})
	as := func(token string) connections.Spec {
		return connections.Spec{ID: 1, Name: "acme", BaseURL: at, Token: seal.NewSecret(token)}
	}
	reads := func(m *mirror.Mirror, account, page string) bool {
		_, err := m.Page(ctx, identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: account}, mirror.Ref{ID: page})
		return err == nil
	}
	e.Apply(`{"kind":"user","id":"u-root","username":"root","name":"Root","email":"root@acme.test","groups":["staff"],"admin":true,"token":"root-token"}`)
	for name, c := range map[string]struct {
		token string
		kept  bool
	}{
		"of the same account":   {"second-of-root", true},
		"of another account":    {"two-token", false},
		"the same token":        {"root-token", true},
		"that nobody can judge": {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := filled(t, as("root-token"))
			_, err := s.Sync(ctx, "acme", false, nil)
			require.NoError(t, err)
			require.True(t, reads(m, "u-root", "2001"))
			token := c.token
			if token == "second-of-root" { // an account may have several tokens; the emulator knows one
				e.Apply(`{"kind":"user","id":"u-root","username":"root","name":"Root","email":"root@acme.test","groups":["staff"],"admin":true,"token":"second-of-root"}`)
				defer e.Apply(`{"kind":"user","id":"u-root","username":"root","name":"Root","email":"root@acme.test","groups":["staff"],"admin":true,"token":"root-token"}`)
			}
			if token == "" {
				token = "of nobody"
			}
			require.NoError(t, s.Put(ctx, as(token)))
			doubted := token != "root-token"
			assert.Equal(t, !doubted, reads(m, "u-root", "2001"), "until it is known whose the token is, rows are nobody's")
			assert.Equal(t, !doubted, len(s.Integrations()) == 1)
			assert.Equal(t, !doubted, s.Complete(ctx, 1))

			later := connections.New(rest.Config{Now: time.Now}) // a restart does not settle it
			require.NoError(t, later.Put(ctx, as(token)))
			require.NoError(t, later.Fill(ctx, connections.Filler{Mirror: m, Passive: true}))
			assert.Equal(t, !doubted, reads(m, "u-root", "2001"))

			report, err := s.Sync(ctx, "acme", false, nil)
			if token == "of nobody" {
				require.Error(t, err)
				assert.False(t, reads(m, "u-root", "2001"))
				return
			}
			require.NoError(t, err)
			assert.True(t, s.Complete(ctx, 1))
			assert.Equal(t, c.kept, reads(m, "u-root", "2001"))
			assert.Equal(t, !c.kept, reads(m, "u-two", "2002"))
			assert.Equal(t, !c.kept, report.Read > 0, "what is kept is not read again")
		})
	}
}

// TestRightsSettingsHoldAtOnce: what an admin says about synced rights is true
// when the change is saved, before any pass.
func TestRightsSettingsHoldAtOnce(t *testing.T) {
	ctx := context.Background()
	e := emulatortest.Start(t, rightsSite+`{"kind":"content","id":"2000","type":"folder","space":"ENG","title":"Folder"}
{"kind":"content","id":"1001","type":"page","space":"ENG","parent":"2000","title":"Below"}
`)
	spec := acme(e)
	s, m := filled(t, spec)
	_, err := s.Sync(ctx, "acme", false, nil)
	require.NoError(t, err)
	below := func() bool {
		_, err := m.Page(ctx, identity.Caller{Agent: "t", Kind: identity.User, Integration: "acme", AccountID: "u-ann"}, mirror.Ref{ID: "1001"})
		return err == nil
	}
	assert.False(t, below())
	spec.Opaque = guard.TrustOpaque
	require.NoError(t, s.Put(ctx, spec))
	assert.True(t, below())
	require.True(t, sees(t, m, "u-ann"))
	spec.HardMaxAge = time.Nanosecond
	require.NoError(t, s.Put(ctx, spec))
	assert.False(t, sees(t, m, "u-ann"))
	spec.HardMaxAge, spec.Opaque = 0, guard.SealOpaque
	require.NoError(t, s.Put(ctx, spec))
	assert.True(t, sees(t, m, "u-ann"))
	assert.False(t, below())
}
