//go:build unix

package oauth_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// Names of the variables that make this test binary another process of the
// product: the folder, Atlassian's address, and the step it dies at.
const (
	envFolder  = "OAUTH_TEST_FOLDER"
	envGateway = "OAUTH_TEST_GATEWAY"
	envDies    = "OAUTH_TEST_DIES"
)

func TestMain(m *testing.M) {
	if os.Getenv(envFolder) != "" {
		if err := another(os.Stdin, os.Stdout); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(planted.Watch(m).Run())
}

// another is a process that gives a token for every line it reads. A line is
// the time.
func another(in io.Reader, out io.Writer) error {
	c := &clock{at: time.Unix(0, 0)}
	ctx := context.Background()
	dir, gateway := os.Getenv(envFolder), os.Getenv(envGateway)
	db, err := store.OpenPrecious(ctx, dir, c.now)
	if err != nil {
		return err
	}
	provider, err := seal.Choice{File: filepath.Join(dir, "seal.key")}.Open()
	if err != nil {
		return err
	}
	ring, err := seal.OpenRing(ctx, provider, db)
	if err != nil {
		return err
	}
	die := death{at: os.Getenv(envDies)}
	if slices.Contains(stepsOfRotation, die.at) {
		fmt.Fprintln(out, "ready")
		ring, err = seal.OpenRing(ctx, provider, mortalKeys{db, die})
		if err == nil {
			_, err = ring.Rotate(ctx, mortalProvider{provider, die})
		}
		return err
	}
	grants, err := oauth.New(oauth.Config{Ring: ring, Vault: mortalVault{db, die}, Now: c.now, Transport: mortalWire{die},
		App: oauth.App{ClientID: "emulator-client", ClientSecret: seal.NewSecret("emulator-secret"), RedirectURL: redirect, AuthURL: gateway, APIURL: gateway}})
	if err != nil {
		return err
	}
	source, err := grants.Service(ctx, 1)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		nano, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.at = time.Unix(0, nano)
		c.mu.Unlock()
		token, err := source.Token(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, token.Reveal())
	}
	return nil
}

// death ends the process with SIGKILL at one step of a refresh.
type death struct{ at string }

func (d death) step(name string) {
	if d.at == name {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

// stepsOfRefresh are all places a process can die at that differ.
var stepsOfRefresh = []string{"before the lock", "locked", "read again", "intent written", "answered", "before it is stored", "stored", "unlocked"}

type mortalVault struct {
	*store.Precious
	death
}

func (v mortalVault) LockGrant(ctx context.Context, id int64) (func() error, error) {
	v.step("before the lock")
	unlock, err := v.Precious.LockGrant(ctx, id)
	v.step("locked")
	return func() error { err := unlock(); v.step("unlocked"); return err }, err
}

func (v mortalVault) SaveGrant(ctx context.Context, g oauth.Grant, tokens []byte) (bool, error) {
	if tokens == nil {
		v.step("read again")
	} else {
		v.step("before it is stored")
	}
	moved, err := v.Precious.SaveGrant(ctx, g, tokens)
	if tokens == nil {
		v.step("intent written")
	} else {
		v.step("stored")
	}
	return moved, err
}

type mortalWire struct{ death }

func (w mortalWire) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(q)
	w.step("answered")
	return res, err
}

// stepsOfRotation are all places a rotation of keys can die at that differ.
var stepsOfRotation = []string{"master key made", "in the middle of the records", "records sealed anew", "before the old master key goes"}

type mortalKeys struct {
	*store.Precious
	death
}

func (k mortalKeys) Reseal(ctx context.Context, key seal.Key, change func(seal.Place, []byte) ([]byte, error)) (int, error) {
	seen := 0
	n, err := k.Precious.Reseal(ctx, key, func(at seal.Place, sealed []byte) ([]byte, error) {
		if seen++; seen == 2 {
			k.step("in the middle of the records")
		}
		return change(at, sealed)
	})
	k.step("records sealed anew")
	return n, err
}

type mortalProvider struct {
	seal.KeyProvider
	death
}

func (p mortalProvider) Renew(ctx context.Context) error {
	err := p.KeyProvider.Renew(ctx)
	p.step("master key made")
	return err
}

func (p mortalProvider) Forget(ctx context.Context, but string) error {
	p.step("before the old master key goes")
	return p.KeyProvider.Forget(ctx, but)
}

// child is a started process.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func (r *rig) start(dies string) *child {
	r.t.Helper()
	exe, err := os.Executable()
	require.NoError(r.t, err)
	c := &child{cmd: &exec.Cmd{Path: exe, Args: []string{exe}, Env: []string{envFolder + "=" + r.dir, envGateway + "=" + r.e.Gateway(), envDies + "=" + dies}, Stderr: os.Stderr}}
	c.in, err = c.cmd.StdinPipe()
	require.NoError(r.t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(r.t, err)
	c.lines = bufio.NewScanner(out)
	require.NoError(r.t, c.cmd.Start())
	r.t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // it may have ended already
	require.True(r.t, c.lines.Scan())
	require.Equal(r.t, "ready", c.lines.Text())
	return c
}

func (c *child) ask(t *testing.T, now time.Time) {
	t.Helper()
	_, err := fmt.Fprintln(c.in, now.UnixNano())
	require.NoError(t, err)
}

// rounds is a number from the environment: short in every run, long on demand.
func rounds(t *testing.T, variable, short string) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(variable), short))
	require.NoError(t, err)
	return n
}

// Fault row 21. OAUTH_ROUNDS=200 is the long run.
func TestManyProcessesAskOnceARound(t *testing.T) {
	for _, processes := range []int{2, 8} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			r := newRig(t)
			_, g := r.connected()
			children := make([]*child, processes)
			for i := range children {
				children[i] = r.start("")
			}
			n := rounds(t, "OAUTH_ROUNDS", "15")
			began := time.Now()
			mark := r.mark()
			for range n {
				r.clock.advance(time.Hour)
				for _, c := range children {
					c.ask(t, r.clock.now())
				}
				got := map[string]bool{}
				for _, c := range children {
					require.True(t, c.lines.Scan())
					got[c.lines.Text()] = true
				}
				require.Len(t, got, 1, "all have the same token")
			}
			assert.Equal(t, n, r.tokenCalls(mark), "one call of the token endpoint a round")
			now := r.state(g.ID)
			assert.EqualValues(t, n+1, now.Generation)
			assert.Equal(t, oauth.Connected, now.State)
			t.Logf("%d processes, %d rounds: %d token calls in %s", processes, n, r.tokenCalls(mark), time.Since(began).Round(time.Millisecond))
		})
	}
}

// Fault row 39. OAUTH_KILLS=100 is the long run.
func TestKilledAtEachStepOfARefresh(t *testing.T) {
	for _, step := range stepsOfRefresh {
		t.Run(step, func(t *testing.T) {
			r := newRig(t)
			s, _ := r.connected()
			n := rounds(t, "OAUTH_KILLS", "2")
			usable := 0
			for range n {
				r.clock.advance(time.Hour)
				r.killed(step)
				r.clock.advance(9 * time.Minute) // inside the leeway
				mark := r.mark()
				token, err := s.Token(t.Context())
				require.NoError(t, err)
				require.True(t, r.works(token, cloudB))
				require.LessOrEqual(t, r.tokenCalls(mark), 1)
				usable++
			}
			t.Logf("killed %d times %s: usable %d times", n, step, usable)
		})
	}
}

// killed runs a process until it dies at a step.
func (r *rig) killed(step string) {
	r.t.Helper()
	c := r.start(step)
	c.ask(r.t, r.clock.now())
	for c.lines.Scan() { // to the end of the stream
		require.NotContains(r.t, c.lines.Text(), "error")
	}
	err := c.cmd.Wait()
	var ended *exec.ExitError
	require.ErrorAs(r.t, err, &ended)
	require.Equal(r.t, syscall.SIGKILL, ended.Sys().(syscall.WaitStatus).Signal())
}

func TestKilledWhileKeysRotate(t *testing.T) {
	for _, step := range stepsOfRotation {
		t.Run(step, func(t *testing.T) {
			r := newRig(t)
			s, _ := r.connected()
			r.connect(oauth.Begin{Integration: 1, Role: oauth.Person, Account: "u-bob", Site: cloudB, Only: true}, "u-bob")
			bob, err := r.grants.Person(t.Context(), 1, "u-bob")
			require.NoError(t, err)
			for range rounds(t, "OAUTH_KILLS", "2") {
				c := r.start(step)
				require.Error(t, c.cmd.Wait())
				r.open() // as after a restart
				s, err = r.grants.Service(t.Context(), 1)
				require.NoError(t, err)
				for _, one := range []*oauth.Source{s, bob} {
					_, err = one.Token(t.Context())
					require.NoError(t, err)
				}
			}
			provider, err := seal.Choice{File: filepath.Join(r.dir, "seal.key")}.Open()
			require.NoError(t, err)
			n, err := r.ring.Rotate(t.Context(), provider)
			require.NoError(t, err)
			assert.Equal(t, 2, n)
			text, err := os.ReadFile(filepath.Join(r.dir, "seal.key"))
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(string(text), "\n"), "keys of what died are cleaned up")
		})
	}
}

func TestKilledAndLeftForLongerThanTheLeeway(t *testing.T) {
	for step, needs := range map[string]bool{"intent written": false, "answered": true, "before it is stored": true, "stored": false} {
		t.Run(step, func(t *testing.T) {
			r := newRig(t)
			s, g := r.connected()
			r.clock.advance(time.Hour)
			r.killed(step)
			r.clock.advance(time.Hour)
			mark := r.mark()
			for range 3 {
				token, err := s.Token(t.Context())
				if needs {
					requireCode(t, err, confluence.Expired, "auth.reconnect")
					continue
				}
				require.NoError(t, err)
				require.True(t, r.works(token, cloudB))
			}
			assert.LessOrEqual(t, r.tokenCalls(mark), 1, "no loop")
			assert.Equal(t, needs, r.state(g.ID).State == oauth.NeedsReconnect)
		})
	}
}

func TestKeysRotatedInAnotherProcessWhileOthersRefresh(t *testing.T) {
	r := newRig(t)
	r.connected()
	children := []*child{r.start(""), r.start("")}
	provider, err := seal.Choice{File: filepath.Join(r.dir, "seal.key")}.Open()
	require.NoError(t, err)
	for range 5 {
		r.clock.advance(time.Hour)
		for _, c := range children {
			c.ask(t, r.clock.now())
		}
		_, err := r.ring.Rotate(t.Context(), provider)
		require.NoError(t, err)
		for _, c := range children {
			require.True(t, c.lines.Scan())
			require.NotContains(t, c.lines.Text(), "error")
			assert.True(t, r.works(seal.NewSecret(c.lines.Text()), cloudB))
		}
	}
}
