package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/owner"
)

// held is a site whose lists of pages are not answered until release.
type held struct {
	url     string
	reached chan struct{} // closed when one was asked for
	release func()
}

func holdPages(t *testing.T, site *emulatortest.Emulator) held {
	t.Helper()
	at, err := url.Parse(site.URL)
	require.NoError(t, err)
	at.Path = ""
	through := httputil.NewSingleHostReverseProxy(at)
	lists := regexp.MustCompile(`/pages$`)
	reached, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lists.MatchString(r.URL.Path) {
			once.Do(func() { close(reached) })
			select {
			case <-free:
			case <-r.Context().Done():
				return
			}
		}
		through.ServeHTTP(w, r)
	}))
	release := sync.OnceFunc(func() { close(free) })
	t.Cleanup(func() { release(); proxy.Close() })
	return held{proxy.URL + "/wiki", reached, release}
}

// TestOthersAreAnsweredBesideALongCommand: design 3, a command that owns the
// folder answers whoever else works on it; when it ends a client goes on.
func TestOthersAreAnsweredBesideALongCommand(t *testing.T) {
	slow := holdPages(t, emulatortest.Start(t))
	dir := t.TempDir()
	long := spawnWith(t, slow.url, nil, "sync", "--data-dir", dir)
	<-slow.reached

	for _, args := range [][]string{{"query", "*"}, {"agents", "list"}, {"approvals", "list"}, {"integrations", "list"}} {
		other := spawnWith(t, slow.url, nil, append(args, "--data-dir", dir)...)
		said, err := io.ReadAll(other.log)
		require.NoError(t, err)
		assert.NoError(t, other.cmd.Wait(), "%v: %s", args, said)
	}
	client := spawnWith(t, slow.url, nil, "serve", "--stdio", "--data-dir", dir)
	client.waitForLog("through the owner")
	client.open()
	me := `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"confluence_get_user","arguments":{}}}`
	client.say(strings.Replace(me, "%d", "2", 1))
	assert.Contains(t, string(client.hear().Result), "bot@acme.test")

	slow.release()
	said, err := io.ReadAll(long.log)
	require.NoError(t, err)
	require.NoError(t, long.cmd.Wait(), string(said))
	client.waitForLog("serving MCP over stdio\"")
	client.say(strings.Replace(me, "%d", "3", 1))
	a := client.hear()
	assert.Equal(t, 3, a.ID, "nothing was left unanswered")
	assert.Contains(t, string(a.Result), "bot@acme.test")
	require.NoError(t, client.in.Close())
	assert.NoError(t, client.cmd.Wait())
}

// stuck is output nobody reads until it is let go.
type stuck struct {
	planted.Log
	reached chan struct{}
	free    chan struct{}
	once    sync.Once
}

func (s *stuck) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.reached) })
	<-s.free
	return s.Log.Write(p)
}

// A command that needs no engine answers others all the same.
func TestOthersAreAnsweredBesideACommandOnTheDatabase(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	getenv := func(name string) string {
		return map[string]string{"CONFLUENCE_URL": site.URL, "CONFLUENCE_USERNAME": "bot@acme.test", "CONFLUENCE_API_TOKEN": "bot-token"}[name]
	}
	run := func(out io.Writer, args ...string) (int, string) {
		errOut := &planted.Log{}
		p := program{in: strings.NewReader(""), out: out, errOut: errOut, getenv: getenv, now: time.Now}
		return p.run(t.Context(), append(args, "--data-dir", dir)), errOut.String()
	}
	first := &stuck{reached: make(chan struct{}), free: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		code, _ := run(first, "agents", "list")
		ended <- code
	}()
	<-first.reached
	for _, args := range [][]string{{"query", "*"}, {"agents", "list"}, {"audit", "verify"}} {
		var out planted.Log
		code, said := run(&out, args...)
		assert.Zero(t, code, "%v: %s", args, said)
		assert.NotEmpty(t, out.String(), args)
	}
	close(first.free)
	assert.Zero(t, <-ended)
}

// TestACommandOfAnotherConfigurationIsWaitedFor: one that owns the folder and
// knows no site neither empties the mirror for others nor turns them away.
func TestACommandOfAnotherConfigurationIsWaitedFor(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	env := map[string]string{"CONFLUENCE_URL": site.URL, "CONFLUENCE_USERNAME": "bot@acme.test", "CONFLUENCE_API_TOKEN": "bot-token"}
	plain := func(string) string { return "" }
	run := func(getenv func(string) string, now func() time.Time, in string, out io.Writer, args ...string) (int, string) {
		errOut := &planted.Log{}
		p := program{in: strings.NewReader(in), out: out, errOut: errOut, getenv: getenv, now: now}
		return p.run(t.Context(), append(args, "--data-dir", dir)), errOut.String()
	}
	configured := func(name string) string { return env[name] }
	code, said := run(configured, time.Now, "", io.Discard, "sync")
	require.Zero(t, code, said)

	const opening = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}` + "\n"
	for _, c := range []struct {
		args     []string
		in, says string
	}{
		{[]string{"query", "runbook"}, "", "Runbook"},
		{[]string{"serve", "--stdio"}, opening, "serverInfo"},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			other := &stuck{reached: make(chan struct{}), free: make(chan struct{})}
			release := sync.OnceFunc(func() { close(other.free) })
			defer release()
			otherEnded, ended := make(chan int, 1), make(chan int, 1)
			go func() {
				code, _ := run(plain, time.Now, "", other, "agents", "list")
				otherEnded <- code
			}()
			<-other.reached
			now, tried := waiting(time.Millisecond)
			var out planted.Log
			var said string
			go func() {
				var code int
				code, said = run(configured, now, c.in, &out, c.args...)
				ended <- code
			}()
			select {
			case <-tried:
			case code := <-ended:
				require.Fail(t, "it did not wait", "%d: %s", code, said)
			}
			release()
			assert.Zero(t, <-otherEnded)
			assert.Zero(t, <-ended, said)
			assert.Contains(t, out.String(), c.says)
		})
	}
}

// waiting is a clock that tells when it was looked at often: a command looks
// at it once for every time that the owner did not answer.
func waiting(step time.Duration) (now func() time.Time, tried <-chan struct{}) {
	var n atomic.Int64
	at, often := time.Now(), make(chan struct{})
	return func() time.Time {
		i := n.Add(1)
		if i == 3 {
			close(often)
		}
		return at.Add(time.Duration(i) * step)
	}, often
}

func TestAnOwnerThatIsJustStartingIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	own, err := owner.Claim(dir)
	require.NoError(t, err)
	defer func() { _ = own.Close() }()
	now, tried := waiting(time.Millisecond)
	var out, errOut planted.Log
	p := program{in: strings.NewReader(""), out: &out, errOut: &errOut, getenv: func(string) string { return "" }, now: now}
	ended := make(chan int, 1)
	go func() { ended <- p.run(t.Context(), []string{"agents", "list", "--data-dir", dir}) }()
	<-tried
	l, err := own.Listen()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- owner.Handler{Logger: slog.New(slog.DiscardHandler), Run: func(_ context.Context, _ owner.Command, out, _ io.Writer) int {
			_, _ = io.WriteString(out, "by the owner")
			return exitOK
		}}.Serve(ctx, l, time.Second)
	}()
	assert.Zero(t, <-ended, errOut.String())
	assert.Equal(t, "by the owner", out.String())
	stop()
	assert.NoError(t, <-served)
}

func TestAnOwnerThatNeverAnswersIsNamed(t *testing.T) {
	dir := t.TempDir()
	own, err := owner.Claim(dir)
	require.NoError(t, err)
	defer func() { _ = own.Close() }()
	now, _ := waiting(ownerPatience)
	var out, errOut planted.Log
	p := program{in: strings.NewReader(""), out: &out, errOut: &errOut, getenv: func(string) string { return "" }, now: now}
	assert.Equal(t, exitFailed, p.run(t.Context(), []string{"agents", "list", "--data-dir", dir}))
	assert.Contains(t, errOut.String(), "which does not answer")
	assert.Contains(t, errOut.String(), "next: Try again.")
}

func TestOthersAreAnsweredBesideTheDemoOverStdio(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	demo := spawn(t, site, "demo", "--stdio", "--data-dir", dir)
	demo.waitForLog("serving the sample company")
	demo.open() // it answers, so it listens or will
	other := spawn(t, site, "query", "review", "--as", "bob@harbourpine.test", "--data-dir", dir)
	said, err := io.ReadAll(other.log)
	require.NoError(t, err)
	require.NoError(t, other.cmd.Wait(), string(said))
	require.NoError(t, demo.in.Close())
	assert.NoError(t, demo.cmd.Wait())
}
