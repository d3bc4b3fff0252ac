package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

const tokenPath = "/oauth/token"

// tokenCalls is how often the token endpoint was asked since a mark.
func (r *rig) tokenCalls(since int) int {
	return r.asked(since, tokenPath) - r.asked(since, tokenPath+"/")
}

func (r *rig) state(id int64) oauth.Grant {
	r.t.Helper()
	g, _, err := r.store.Grant(r.t.Context(), id)
	require.NoError(r.t, err)
	return g
}

func TestTokenIsRefreshedBeforeItsEnd(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	first, err := s.Token(t.Context())
	require.NoError(t, err)
	mark := r.mark()
	r.clock.advance(57 * time.Minute)
	same, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, same)
	assert.Equal(t, mark, r.mark())
	r.clock.advance(2 * time.Minute)
	next, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first, next)
	assert.True(t, r.works(next, cloudB))
	assert.Equal(t, 1, r.tokenCalls(mark))
	now := r.state(g.ID)
	assert.EqualValues(t, 2, now.Generation)
	assert.True(t, now.Intent.IsZero())
	assert.Equal(t, r.clock.now(), now.Refreshed)
}

func TestManyCallersShareOneRefresh(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	for range 5 {
		r.clock.advance(time.Hour)
		mark := r.mark()
		var wg sync.WaitGroup
		tokens := make([]seal.Secret, 16)
		for i := range tokens {
			wg.Go(func() {
				var err error
				tokens[i], err = s.Token(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Equal(t, 1, r.tokenCalls(mark))
		for _, token := range tokens {
			assert.Equal(t, tokens[0], token)
		}
	}
}

// Fault row 17: the access token ends although its time is not over.
func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	old, err := s.Token(t.Context())
	require.NoError(t, err)
	r.clock.advance(10 * time.Minute)
	r.apply(`{"kind":"oauth","expire_access_tokens":true}`)
	mark := r.mark()
	for range 3 { // every caller whose request was refused asks
		next, err := s.Renew(t.Context(), old)
		require.NoError(t, err)
		assert.True(t, r.works(next, cloudB))
	}
	assert.Equal(t, 1, r.tokenCalls(mark))
}

// Fault row 18.
func TestRevokedGrantNeedsAReconnection(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	old, err := s.Token(t.Context())
	require.NoError(t, err)
	r.clock.advance(2 * time.Minute)
	r.apply(`{"kind":"oauth","revoke_user":"u-ann"}`)
	mark := r.mark()
	for range 5 {
		_, err = s.Renew(t.Context(), old)
		requireCode(t, err, confluence.Expired, "auth.reconnect")
		_, err = s.Token(t.Context())
		requireCode(t, err, confluence.Expired, "auth.reconnect")
	}
	assert.Equal(t, 1, r.tokenCalls(mark), "no loop")
	now := r.state(g.ID)
	assert.Equal(t, oauth.NeedsReconnect, now.State)
	assert.NotEmpty(t, now.Reason)
	r.open()
	s, err = r.grants.Service(t.Context(), 1)
	require.NoError(t, err, "expired is not empty")
	_, err = s.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.reconnect")
	r.connected()
}

func TestGrantUnusedForNinetyDaysEnds(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	r.clock.advance(91 * 24 * time.Hour)
	_, err := s.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.reconnect")
}

// Fault row 19: the answer of a refresh is lost, the request was executed.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	for name, action := range map[string]string{"reset": `{"reset":true,"after":true}`, "cut": `{"truncate_at":20,"after":true}`, "garbled": `{"status":200,"body":"<html>","after":true}`, "unavailable": `{"status":503,"after":true}`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s, g := r.connected()
			for round := range 10 {
				r.clock.advance(time.Hour)
				r.apply(`{"kind":"fault","match":"POST /oauth/token","action":` + action + `,"times":1}`)
				mark := r.mark()
				token, err := s.Token(t.Context())
				require.NoError(t, err)
				assert.True(t, r.works(token, cloudB))
				assert.Equal(t, 2, r.tokenCalls(mark))
				assert.EqualValues(t, round+2, r.state(g.ID).Generation)
			}
		})
	}
}

func TestLostAnswerAndNoneForAWhile(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	r.clock.advance(time.Hour)
	r.apply(`{"kind":"fault","match":"POST /oauth/token","action":{"reset":true,"after":true},"times":3}`)
	_, err := s.Token(t.Context())
	requireCode(t, err, confluence.Unavailable, "net.unavailable")
	assert.Equal(t, r.clock.now(), r.state(g.ID).Intent)
	r.clock.advance(9 * time.Minute)
	token, err := s.Token(t.Context())
	require.NoError(t, err, "inside the leeway")
	assert.True(t, r.works(token, cloudB))

	r.clock.advance(time.Hour)
	r.apply(`{"kind":"fault","match":"POST /oauth/token","action":{"reset":true,"after":true},"times":3}`)
	_, err = s.Token(t.Context())
	require.Error(t, err)
	r.clock.advance(11 * time.Minute)
	mark := r.mark()
	for range 3 {
		_, err = s.Token(t.Context())
		requireCode(t, err, confluence.Expired, "auth.reconnect")
	}
	assert.Contains(t, err.Error(), "was lost on", "outside of it the reason is told")
	assert.Equal(t, 1, r.tokenCalls(mark))
}

func TestGoodTokenIsUsedWhileAtlassianIsDown(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	first, err := s.Token(t.Context())
	require.NoError(t, err)
	r.apply(`{"kind":"fault","match":"POST /oauth/token","action":{"status":503}}`)
	r.clock.advance(59 * time.Minute)
	same, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, same)
	r.clock.advance(time.Minute)
	_, err = s.Token(t.Context())
	requireCode(t, err, confluence.Unavailable, "net.unavailable")
	r.apply(`{"kind":"fault","clear":true}`)
	_, err = s.Token(t.Context())
	require.NoError(t, err)
}

// Fault row 20.
func TestAnswerWithoutRefreshTokenKeepsTheOldOne(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	r.apply(`{"kind":"oauth","omit_refresh_token":true}`)
	for range 3 {
		r.clock.advance(time.Hour)
		token, err := s.Token(t.Context())
		require.NoError(t, err)
		assert.True(t, r.works(token, cloudB))
	}
}

func TestSiteThatIsNoLongerGranted(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	token, err := s.Token(t.Context())
	require.NoError(t, err)
	index := 0
	for i, a := range r.e.Addresses() {
		if a.CloudID == cloudB {
			index = i
		}
	}
	require.NoError(t, r.e.Apply(index, `{"kind":"user","id":"u-ann","active":false}`))
	mark := r.mark()
	_, err = s.Renew(t.Context(), token)
	requireCode(t, err, confluence.Expired, "auth.reconnect")
	assert.Contains(t, err.Error(), "Site B")
	assert.Equal(t, oauth.NeedsReconnect, r.state(g.ID).State)
	assert.Zero(t, r.tokenCalls(mark), "a new token would not help")
}

func TestNewTokenThatIsRefusedIsNotRefreshed(t *testing.T) {
	r := newRig(t)
	s, _ := r.connected()
	token, err := s.Token(t.Context())
	require.NoError(t, err)
	mark := r.mark()
	for range 3 {
		_, err = s.Renew(t.Context(), token)
		requireCode(t, err, confluence.Expired, "auth.refused")
	}
	assert.Zero(t, r.tokenCalls(mark))
}

func TestClockThatWasSetBackOrForward(t *testing.T) {
	for _, wrong := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		r := newRig(t)
		r.connected()
		g := r.with(func(c *oauth.Config) { c.Now = func() time.Time { return r.clock.now().Add(wrong) } })
		s, err := g.Service(t.Context(), 1)
		require.NoError(t, err)
		mark := r.mark()
		token, err := s.Token(t.Context())
		require.NoError(t, err)
		r.apply(`{"kind":"oauth","expire_access_tokens":true}`)
		token, err = s.Renew(t.Context(), token)
		require.NoError(t, err)
		assert.True(t, r.works(token, cloudB))
		assert.LessOrEqual(t, r.tokenCalls(mark), 2)
	}
}

func TestWrongSecretLosesNoGrant(t *testing.T) {
	r := newRig(t)
	_, g := r.connected()
	bad := r.with(func(c *oauth.Config) { c.App.ClientSecret = seal.NewSecret("canary-secret") })
	s, err := bad.Service(t.Context(), 1)
	require.NoError(t, err)
	r.clock.advance(time.Hour)
	_, err = s.Token(t.Context())
	requireCode(t, err, confluence.Expired, "auth.client")
	assert.NotContains(t, err.Error()+r.logs.String(), "canary")
	assert.Equal(t, oauth.Connected, r.state(g.ID).State)
	s, err = r.grants.Service(t.Context(), 1)
	require.NoError(t, err)
	_, err = s.Token(t.Context())
	require.NoError(t, err)
}

func TestK04_K05_TamperedTokensNeedAReconnection(t *testing.T) {
	for name, change := range map[string]func(*rig, oauth.Grant) (oauth.Grant, []byte){
		"bit": func(r *rig, g oauth.Grant) (oauth.Grant, []byte) {
			_, sealed, err := r.store.Grant(r.t.Context(), g.ID)
			require.NoError(r.t, err)
			sealed[len(sealed)-1] ^= 1
			return g, sealed
		},
		"the tokens of another row": func(r *rig, g oauth.Grant) (oauth.Grant, []byte) {
			theirs := r.connect(oauth.Begin{Integration: 2, Role: oauth.Service, Site: cloudB, Only: true}, "u-ann", "emulator_site", cloudB)
			_, sealed, err := r.store.Grant(r.t.Context(), theirs.Grant.ID)
			require.NoError(r.t, err)
			return g, sealed
		},
		"another account in the row": func(_ *rig, g oauth.Grant) (oauth.Grant, []byte) { g.Account = "u-bob"; return g, nil },
		"another site in the row":    func(_ *rig, g oauth.Grant) (oauth.Grant, []byte) { g.CloudID = cloudA; return g, nil },
		"another role in the row":    func(_ *rig, g oauth.Grant) (oauth.Grant, []byte) { g.Role = oauth.Person; return g, nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, g := r.connected()
			moved, err := r.store.SaveGrant(t.Context(), first(change(r, g)), second(change(r, g)))
			require.NoError(t, err)
			require.True(t, moved)
			r.open()
			mark := r.mark()
			all, err := r.grants.List(t.Context(), 1)
			require.NoError(t, err)
			s, err := r.grants.Service(t.Context(), 1)
			if all[0].Role == oauth.Person {
				s, err = r.grants.Person(t.Context(), 1, "u-ann")
			}
			require.NoError(t, err)
			_, err = s.Token(t.Context())
			requireCode(t, err, confluence.Expired, "seal.record")
			assert.Equal(t, mark, r.mark(), "nothing went upstream")
			assert.Equal(t, oauth.NeedsReconnect, r.state(g.ID).State)
		})
	}
}

func first(g oauth.Grant, _ []byte) oauth.Grant { return g }
func second(_ oauth.Grant, b []byte) []byte     { return b }

func TestKeysRotateUnderUse(t *testing.T) {
	r := newRig(t)
	s, g := r.connected()
	provider, err := seal.Choice{File: filepath.Join(r.dir, "seal.key")}.Open()
	require.NoError(t, err)
	elsewhere, err := seal.OpenRing(t.Context(), provider, r.store)
	require.NoError(t, err)
	for range 3 {
		_, err = elsewhere.Rotate(t.Context(), provider)
		require.NoError(t, err)
		r.clock.advance(time.Hour)
		token, err := s.Token(t.Context())
		require.NoError(t, err)
		assert.True(t, r.works(token, cloudB))
	}
	assert.EqualValues(t, 4, r.state(g.ID).Generation)
}

// slow is a transport that waits for the test in the middle of a refresh.
type slow struct{ sent, resume chan struct{} }

func (s slow) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(q)
	s.sent <- struct{}{}
	<-s.resume
	return res, err
}

func TestCallerThatGivesUpLosesNoToken(t *testing.T) {
	r := newRig(t)
	r.connected()
	wire := slow{make(chan struct{}), make(chan struct{})}
	g := r.with(func(c *oauth.Config) { c.Transport = wire })
	s, err := g.Service(t.Context(), 1)
	require.NoError(t, err)
	r.clock.advance(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := s.Token(ctx)
		gaveUp <- err
	}()
	<-wire.sent // Atlassian has answered; nobody has read it
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	wire.resume <- struct{}{}
	require.Eventually(t, func() bool { return r.state(s.Grant().ID).Generation == 2 }, time.Minute, time.Millisecond)
}

func TestDisconnectDuringARefresh(t *testing.T) {
	r := newRig(t)
	r.connected()
	wire := slow{make(chan struct{}), make(chan struct{})}
	g := r.with(func(c *oauth.Config) { c.Transport = wire })
	s, err := g.Service(t.Context(), 1)
	require.NoError(t, err)
	r.clock.advance(time.Hour)
	ended := make(chan error)
	go func() {
		_, err := s.Token(t.Context())
		ended <- err
	}()
	<-wire.sent
	_, err = g.Disconnect(t.Context(), 1, oauth.Service, "")
	require.NoError(t, err)
	wire.resume <- struct{}{}
	requireCode(t, <-ended, confluence.Expired, "auth.not_connected")
	r.noGrants()
}

// A Vault that loses a compare-and-swap once: another process was faster.
type raced struct {
	*store.Precious
	other func()
	once  sync.Once
}

func (v *raced) SaveGrant(ctx context.Context, g oauth.Grant, tokens []byte) (bool, error) {
	if tokens != nil {
		v.once.Do(v.other)
	}
	return v.Precious.SaveGrant(ctx, g, tokens)
}

func TestFasterProcessWins(t *testing.T) {
	r := newRig(t)
	_, g := r.connected()
	r.clock.advance(time.Hour)
	vault := &raced{Precious: r.store}
	vault.other = func() { // as if the lock did not hold, on a network drive
		grant, sealed, err := r.store.Grant(t.Context(), g.ID)
		require.NoError(t, err)
		plain, err := r.ring.Open(t.Context(), place(g), sealed)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(plain.Reveal()), &fields))
		fields["access"] = "theirs"
		raw, err := json.Marshal(fields)
		require.NoError(t, err)
		theirs, err := r.ring.Seal(place(g), seal.NewSecret(string(raw)))
		require.NoError(t, err)
		grant.Expires = r.clock.now().Add(time.Hour)
		moved, err := r.store.SaveGrant(t.Context(), grant, theirs)
		require.NoError(t, err)
		require.True(t, moved)
	}
	s, err := r.with(func(c *oauth.Config) { c.Vault = vault }).Service(t.Context(), 1)
	require.NoError(t, err)
	token, err := s.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "theirs", token.Reveal())
}

func place(g oauth.Grant) seal.Place {
	return seal.Place{Table: "oauth_grant", Row: string(rune('0' + g.ID)), Column: "tokens"}
}
