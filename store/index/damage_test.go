package index_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"

	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// some pages whose number is in their text, so that each can be asked for.
func some(n int) []mirror.Page {
	out := make([]mirror.Page, n)
	for i := range out {
		out[i] = page(uint32(i+1), fmt.Sprintf("Page %d", i+1), fmt.Sprintf("common word, own%dk word", i+1))
	}
	return out
}

func sound(t *testing.T, x *index.Index) {
	t.Helper()
	r, err := x.Check(t.Context())
	require.NoError(t, err)
	assert.True(t, r.Sound(), "%+v", r)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	}))
	return out
}

// TestFaultRow50DamagedFilesAreFoundAndBuiltAgain is row 50 of the fault matrix: each
// file of an index cut, flipped, removed or replaced.
func TestFaultRow50DamagedFilesAreFoundAndBuiltAgain(t *testing.T) {
	log := newPages(some(60)...)
	v := newRights(t, 60).view("ann")
	whole := t.TempDir()
	x, err := index.Open(t.Context(), index.Config{Dir: whole, Log: log, Now: noon})
	require.NoError(t, err)
	require.NoError(t, x.Follow(t.Context()))
	log.put(some(20)...)
	log.remove(33)
	require.NoError(t, x.Follow(t.Context()))
	require.NoError(t, x.Close())

	r := rand.New(rand.NewPCG(1, 2))
	harm := map[string]func([]byte) []byte{
		"removed":  func([]byte) []byte { return nil },
		"empty":    func([]byte) []byte { return []byte{} },
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"replaced": func(b []byte) []byte { return bytes.Repeat([]byte("not an index\n"), len(b)/13+1) },
	}
	for i := range 12 {
		harm[fmt.Sprintf("flipped %d", i)] = func(b []byte) []byte {
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
			}
			return b
		}
	}
	for _, path := range files(t, whole) {
		name, err := filepath.Rel(whole, path)
		require.NoError(t, err)
		for how, harm := range harm {
			t.Run(filepath.Base(name)+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
				damageFile(t, filepath.Join(dir, name), harm)
				recovers(t, log, dir, v)
			})
		}
	}
}

func damageFile(t *testing.T, path string, harm func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	if b = harm(b); b == nil {
		require.NoError(t, os.Remove(path))
		return
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// recovers holds that a damaged folder ends as a sound index of 59 pages.
func recovers(t *testing.T, log *pages, dir string, v *guard.View) {
	t.Helper()
	x := open(t, log, dir)
	if _, err := x.Search(t.Context(), v, index.Query{Text: "common"}); err != nil {
		require.Equal(t, confluence.Unavailable, confluence.KindOf(err))
	}
	require.NoError(t, x.Follow(t.Context()))
	if report, err := x.Check(t.Context()); err != nil || !report.Sound() {
		require.NoError(t, x.Rebuild(t.Context()), "damage that shows only in the comparison")
	}
	sound(t, x)
	assert.Len(t, found(t, x, v, index.Query{Text: "common", Limit: 100}), 59)
}

func TestAnIndexOfAnotherVersionIsBuiltAgain(t *testing.T) {
	log := newPages(some(10)...)
	dir := t.TempDir()
	x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(t, err)
	require.NoError(t, x.Follow(t.Context()))
	require.NoError(t, index.Forge(t.Context(), x))
	require.NoError(t, x.Close())
	x = open(t, log, dir)
	assert.True(t, x.Status().Rebuilding)
	require.NoError(t, x.Follow(t.Context()))
	assert.False(t, x.Status().Rebuilding)
	sound(t, x)
}

func TestAnIndexThatDoesNotFitTheLogIsBuiltAgain(t *testing.T) {
	for name, log := range map[string]*pages{
		"ahead of the log":  newPages(some(3)...),
		"behind its start":  func() *pages { p := newPages(some(40)...); require.NoError(t, p.Trim(t.Context(), 39)); return p }(),
		"an emptied mirror": newPages(),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: newPages(some(20)...), Now: noon})
			require.NoError(t, err)
			require.NoError(t, x.Follow(t.Context()))
			require.NoError(t, x.Close())
			x = open(t, log, dir)
			assert.True(t, x.Status().Rebuilding)
			require.NoError(t, x.Follow(t.Context()))
			sound(t, x)
		})
	}
}

func TestAPageOfAnotherSpaceIsStale(t *testing.T) {
	log := newPages(some(3)...)
	x := followed(t, log)
	moved := log.of[2]
	moved.SpaceKey = "HR"
	log.of[2] = moved
	r, err := x.Check(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []uint32{2}, r.Stale)
	assert.False(t, r.Sound())
}

// TestSearchesGoOnWhileTheIndexIsBuilt: an answer during a rebuilding is the
// old one, never an error or a part.
func TestSearchesGoOnWhileTheIndexIsBuilt(t *testing.T) {
	log := newPages(some(300)...)
	v := newRights(t, 300).view("ann")
	x := followed(t, log)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := x.Search(t.Context(), v, index.Query{Text: "common -missing", Facets: true})
				if !assert.NoError(t, err) || !assert.Equal(t, 300, a.Total) {
					return
				}
			}
		})
	}
	for range 3 {
		require.NoError(t, x.Rebuild(t.Context()))
		log.put(some(50)...)
		require.NoError(t, x.Follow(t.Context()))
	}
	close(stop)
	group.Wait()
	sound(t, x)
}

// TestAFileThatChangesUnderTheProgramIsDamage: a mapped file cut short faults
// where it is read; the program lives and builds the index again.
func TestAFileThatChangesUnderTheProgramIsDamage(t *testing.T) {
	log := newPages(some(200)...)
	v := newRights(t, 200).view("ann")
	dir := t.TempDir()
	x := open(t, log, dir)
	require.NoError(t, x.Follow(t.Context()))
	for _, path := range files(t, dir) {
		if filepath.Ext(path) == ".zap" {
			require.NoError(t, os.Truncate(path, 0))
		}
	}
	_, err := x.Search(t.Context(), v, index.Query{Text: `"own7k word"`})
	require.Error(t, err)
	assert.Equal(t, confluence.Unavailable, confluence.KindOf(err))
	assert.True(t, x.Status().Rebuilding)
	require.NoError(t, x.Follow(t.Context()))
	assert.Equal(t, []uint32{7}, found(t, x, v, index.Query{Text: `"own7k word"`}))
	sound(t, x)
}

func TestAFailingLogChangesNothing(t *testing.T) {
	log := newPages(some(30)...)
	v := newRights(t, 30).view("ann")
	x := followed(t, log)
	log.put(page(7, "Changed", "changed"))
	log.mu.Lock()
	log.failing = &confluence.Error{Kind: confluence.Unavailable, Op: "follow", Message: "no"}
	log.mu.Unlock()
	require.Error(t, x.Follow(t.Context()))
	assert.Equal(t, []uint32{7}, found(t, x, v, index.Query{Text: "own7k"}))
	log.mu.Lock()
	log.failing = nil
	log.mu.Unlock()
	require.NoError(t, x.Follow(t.Context()))
	assert.Empty(t, found(t, x, v, index.Query{Text: "own7k common", Label: "x"}))
	assert.Equal(t, []uint32{7}, found(t, x, v, index.Query{Text: "changed"}))
	sound(t, x)
}

// The environment variable tells the test binary to be the writer that is killed.
const killedWriter = "INDEX_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedWriter); dir != "" {
		writeUntilKilled(dir)
		return
	}
	os.Exit(m.Run())
}

// endless is a log of n changes over 500 nodes; change n says n in its page.
func endless(changes int) *pages {
	p := newPages()
	for i := range changes {
		idx := uint32(i%500 + 1)
		if i%11 == 10 {
			p.remove(idx)
			continue
		}
		p.put(page(idx, fmt.Sprintf("Change %d", i), strings.Repeat(fmt.Sprintf("word%dk ", i), 1+i%300)))
	}
	return p
}

func writeUntilKilled(dir string) {
	log := endless(4000)
	x, err := index.Open(context.Background(), index.Config{Dir: dir, Log: log, Now: noon})
	if err == nil {
		fmt.Println("begun")
		for err == nil {
			if err = x.Follow(context.Background()); err == nil {
				err = x.Rebuild(context.Background())
			}
		}
	}
	fmt.Println(err)
	os.Exit(3)
}

// TestKilledWriters: SIGKILL at random moments of following and rebuilding;
// afterwards the index opens, and documents are rows.
func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	log := endless(4000)
	v := newRights(t, 500).view("ann")
	kept, seed := 0, rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 20 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), killedWriter+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line := make([]byte, 16)
		n, err := out.Read(line)
		require.NoError(t, err)
		require.Contains(t, string(line[:n]), "begun")
		wait := time.NewTimer(time.Duration(r.IntN(250)) * time.Millisecond)
		<-wait.C
		require.NoError(t, cmd.Process.Kill())
		assert.Error(t, cmd.Wait())

		x, err := index.Open(t.Context(), index.Config{Dir: dir, Log: log, Now: noon})
		require.NoError(t, err)
		st := x.Status()
		assert.Empty(t, st.Damage, "kill %d", i)
		if !st.Rebuilding {
			kept++
		}
		if i%5 == 4 {
			require.NoError(t, x.Follow(t.Context()))
			sound(t, x)
			assert.Len(t, found(t, x, v, index.Query{Text: "*", Limit: 1000}), x.Status().Documents)
		}
		require.NoError(t, x.Close())
	}
	t.Logf("20 kills, %d left a complete index behind", kept)
}
