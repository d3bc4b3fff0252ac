package owner_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/owner"
)

// TestMain lets a test start this binary as another process that claims a
// folder and waits to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("OWNER_TEST_CLAIM"); dir != "" {
		if _, err := owner.Claim(dir); err != nil {
			fmt.Println("refused:", err)
			os.Exit(1)
		}
		fmt.Println("claimed")
		select {}
	}
	os.Exit(m.Run())
}

func TestSecondClaimNamesTheOwner(t *testing.T) {
	dir := t.TempDir()
	o, err := owner.Claim(dir)
	require.NoError(t, err)
	_, err = owner.Claim(dir)
	var held *owner.Held
	require.ErrorAs(t, err, &held)
	assert.Equal(t, os.Getpid(), held.PID)
	require.NoError(t, o.Close())
	o, err = owner.Claim(dir)
	require.NoError(t, err)
	require.NoError(t, o.Close())
}

func TestKilledOwnersLockIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	other := exec.Command(exe)
	other.Env = append(os.Environ(), "OWNER_TEST_CLAIM="+dir)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "claimed\n", line)

	_, err = owner.Claim(dir)
	var held *owner.Held
	require.ErrorAs(t, err, &held)
	assert.Equal(t, other.Process.Pid, held.PID)

	require.NoError(t, other.Process.Kill())
	_ = other.Wait() // reports the kill
	o, err := owner.Claim(dir)
	require.NoError(t, err)
	require.NoError(t, o.Close())
}

func serve(t *testing.T, dir string, h owner.Handler) {
	t.Helper()
	o, err := owner.Claim(dir)
	require.NoError(t, err)
	l, err := o.Listen()
	require.NoError(t, err)
	h.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, l, time.Second) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
		assert.NoError(t, o.Close())
	})
}

func TestCommandRunsInTheOwner(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long-", 30))} {
		serve(t, dir, owner.Handler{Run: func(_ context.Context, c owner.Command, out, errOut io.Writer) int {
			fmt.Fprintln(out, "ran", c.Args, string(c.In))
			fmt.Fprintln(errOut, "warned")
			return 3
		}})
		var out, errOut bytes.Buffer
		code, err := owner.Run(context.Background(), dir, owner.Command{Args: []string{"agents", "list"}, In: []byte("given")}, &out, &errOut)
		require.NoError(t, err)
		assert.Equal(t, 3, code)
		assert.Equal(t, "ran [agents list] given\n", out.String())
		assert.Equal(t, "warned\n", errOut.String())
	}
}

func TestCancelledCommandEndsInTheOwner(t *testing.T) {
	dir := t.TempDir()
	ended := make(chan struct{})
	started := make(chan struct{})
	serve(t, dir, owner.Handler{Run: func(ctx context.Context, _ owner.Command, _, _ io.Writer) int {
		close(started)
		<-ctx.Done()
		close(ended)
		return 0
	}})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-started; cancel() }()
	_, err := owner.Run(ctx, dir, owner.Command{Args: []string{"sync"}}, io.Discard, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
}

func TestStreamCarriesBytesBothWays(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, owner.Handler{Stream: func(_ context.Context, args []string) (owner.Session, error) {
		if len(args) == 0 {
			return nil, errors.New("not for you")
		}
		return func(_ context.Context, rw io.ReadWriter) error {
			line, err := bufio.NewReader(rw).ReadString('\n')
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(rw, "%v %s", args, line)
			return err
		}, nil
	}})
	_, err := owner.Stream(context.Background(), dir, nil)
	var refused *owner.Refused
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "not for you", refused.Reason)
	s, err := owner.Stream(context.Background(), dir, []string{"--profile", "read-only"})
	require.NoError(t, err)
	_, err = io.WriteString(s, "hello\n")
	require.NoError(t, err)
	all, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "[--profile read-only] hello\n", string(all))
	require.NoError(t, s.Close())
}

// TestDoneCutsNothingShort: an owner that would go ends what others began, then
// tells streams that nothing more is read.
func TestDoneCutsNothingShort(t *testing.T) {
	dir := t.TempDir()
	o, err := owner.Claim(dir)
	require.NoError(t, err)
	defer func() { assert.NoError(t, o.Close()) }()
	l, err := o.Listen()
	require.NoError(t, err)
	started, finish, done := make(chan string, 2), make(chan struct{}), make(chan struct{})
	served := make(chan error, 1)
	h := owner.Handler{Logger: slog.New(slog.DiscardHandler), Done: done,
		Run: func(ctx context.Context, c owner.Command, out, _ io.Writer) int {
			started <- c.Args[0]
			if c.Args[0] == "long" {
				<-finish
			}
			fmt.Fprint(out, c.Args[0], ctx.Err())
			return 0
		},
		Stream: func(context.Context, []string) (owner.Session, error) {
			return func(ctx context.Context, rw io.ReadWriter) error {
				word := make([]byte, 4)
				if _, err := io.ReadFull(rw, word); err != nil {
					return err
				}
				started <- string(word)
				rest, err := io.ReadAll(rw)
				fmt.Fprintf(rw, "heard %s%s, %t, %v", word, rest, errors.Is(err, os.ErrDeadlineExceeded), ctx.Err())
				return err
			}, nil
		}}
	go func() { served <- h.Serve(t.Context(), l, time.Minute) }()
	s, err := owner.Stream(t.Context(), dir, nil)
	require.NoError(t, err)
	_, err = io.WriteString(s, "word")
	require.NoError(t, err)
	require.Equal(t, "word", <-started)
	run := func(name string, out io.Writer) error {
		_, err := owner.Run(t.Context(), dir, owner.Command{Args: []string{name}}, out, io.Discard)
		return err
	}
	var long, short bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- run("long", &long) }()
	require.Equal(t, "long", <-started)

	close(done)
	require.NoError(t, run("short", &short), "as long as one runs, others may")
	assert.Equal(t, "short<nil>", short.String())
	close(finish)
	require.NoError(t, <-ended)
	assert.Equal(t, "long<nil>", long.String())
	answer, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "heard word, true, <nil>", string(answer), "a stream answers what it has read, and knows that more may have been meant")
	require.NoError(t, s.Close())
	require.NoError(t, <-served)
	var away *owner.Away
	assert.ErrorAs(t, run("late", io.Discard), &away)
}

// A command that owns the folder turns nobody away for good: whom it cannot
// serve comes again.
func TestACommandTurnsNobodyAway(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, owner.Handler{Config: "this", Done: make(chan struct{}),
		Run: func(_ context.Context, c owner.Command, out, _ io.Writer) int {
			fmt.Fprint(out, "ran for ", c.Config)
			return 0
		},
		Stream: func(context.Context, []string) (owner.Session, error) { return nil, errors.New("not for you") }})
	var away *owner.Away
	for config, ran := range map[string]string{"this": "ran for this", "": "ran for ", "other": ""} {
		var out bytes.Buffer
		_, err := owner.Run(t.Context(), dir, owner.Command{Config: config}, &out, io.Discard)
		assert.Equal(t, ran, out.String())
		if ran == "" {
			require.ErrorAs(t, err, &away)
			assert.EqualError(t, away, "it works with another configuration")
		}
	}
	_, err := owner.Stream(t.Context(), dir, nil)
	require.ErrorAs(t, err, &away)
	assert.EqualError(t, away, "not for you")
}

// A client that says nothing more still waits for answers.
func TestAStreamOutlivesWhatIsSaid(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, owner.Handler{Stream: func(context.Context, []string) (owner.Session, error) {
		return func(ctx context.Context, rw io.ReadWriter) error {
			all, err := io.ReadAll(rw)
			fmt.Fprintf(rw, "heard %s, %v, %v", all, err, ctx.Err())
			return err
		}, nil
	}})
	s, err := owner.Stream(t.Context(), dir, nil)
	require.NoError(t, err)
	_, err = io.WriteString(s, "word")
	require.NoError(t, err)
	half, ok := s.(interface{ CloseWrite() error })
	require.True(t, ok)
	require.NoError(t, half.CloseWrite())
	answer, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "heard word, <nil>, <nil>", string(answer))
	require.NoError(t, s.Close())
}

func TestNobodyAtHome(t *testing.T) {
	_, err := owner.Run(context.Background(), t.TempDir(), owner.Command{}, io.Discard, io.Discard)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestSocketIsTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, owner.Handler{})
	s, err := os.Stat(filepath.Join(dir, "owner.sock"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), s.Mode().Perm())
}

// A folder of the temporary one may have been put there by anybody.
func TestSocketFolderMustBeOwn(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	folder := filepath.Join(temp, fmt.Sprintf("confluence-mcp-%d", os.Getuid()))
	listen := func(t *testing.T) error {
		o, err := owner.Claim(filepath.Join(t.TempDir(), strings.Repeat("long-", 30)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = o.Close() })
		l, err := o.Listen()
		if err == nil {
			require.NoError(t, l.Close())
		}
		return err
	}
	t.Run("a link to elsewhere", func(t *testing.T) {
		require.NoError(t, os.Symlink(t.TempDir(), folder))
		assert.ErrorContains(t, listen(t), "is not a folder")
		require.NoError(t, os.Remove(folder))
	})
	t.Run("open to others", func(t *testing.T) {
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.Chmod(folder, 0o777))
		require.NoError(t, listen(t))
		at, err := os.Stat(folder)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), at.Mode().Perm(), "it is closed before it is used")
	})
}
