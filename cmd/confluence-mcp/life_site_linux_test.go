package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/madeup"
)

// lifeSite is a site of made-up pages in three spaces, half of them in the
// first. A space is its home page, one page below it, and all others below that
// one: groups of 50 under a page that one of 200 groups of people may read.
type lifeSite struct {
	pages int
	words *madeup.Words
}

const (
	bigSpace   = "BIG"
	lifeGroups = 200
	underOne   = 50
)

// lifeCallers are the shares of the groups that a caller is in, in per cent;
// the caller is called u-SHARE.
func lifeCallers() []int { return []int{1, 50, 99, 100} }

func (s lifeSite) big() int { return min(50_000, s.pages/2) }

func (s lifeSite) id(i int) int { return 100_000 + i }

// space gives the space of a page, and where in it the page is; from is the
// number of the space's first page.
func (s lifeSite) space(i int) (key string, from int) {
	rest := s.pages - s.big()
	switch {
	case i < s.big():
		return bigSpace, 0
	case i < s.big()+rest/2:
		return "MID", s.big()
	}
	return "END", s.big() + rest/2
}

// parent is the number of the page that a page stands below; a home page has
// none.
func (s lifeSite) parent(i int) int {
	_, from := s.space(i)
	switch below := i - from - 2; {
	case below < 0:
		return from
	case below%underOne == 0:
		return from + 1
	default:
		return i - below%underOne + (below%underOne-1)/7
	}
}

// closed reports whether a page says itself who may read it.
func (s lifeSite) closed(i int) bool {
	_, from := s.space(i)
	return i-from >= 2 && (i-from-2)%underOne == 0
}

// line is a page of the site file.
func (s lifeSite) line(i int, groups []int) string {
	key, from := s.space(i)
	made := s.words.Page(uint32(i + 1))
	read := ""
	if s.closed(i) {
		read = fmt.Sprintf(`,"read":["group:%d","group:sync"]`, groups[i/underOne%lifeGroups])
	}
	above := ""
	if parent := s.parent(i); i > from {
		above = fmt.Sprintf(`,"parent":"%d"`, s.id(parent))
	}
	return fmt.Sprintf(`{"kind":"content","id":"%d","type":"page","space":"%s","title":"%s %d"%s%s,"author":"u-100","labels":["%s"],"storage":"%s"}`,
		s.id(i), key, made.Title, i, above, read, made.Label, made.Storage())
}

// rootLine changes who may read the tree of the first space.
func (s lifeSite) rootLine(read string) string {
	return fmt.Sprintf(`{"kind":"content","id":"%d","read":%s}`, s.id(1), read)
}

func (s lifeSite) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintln(w, `{"kind":"site","name":"Life","cloud_id":"11111111-1111-4111-8111-111111111111"}`)
	fmt.Fprintln(w, `{"kind":"group","id":"g-staff","name":"staff"}`+"\n"+`{"kind":"group","id":"g-sync","name":"sync"}`)
	r := rand.New(rand.NewPCG(7, 7))
	for g := range lifeGroups {
		fmt.Fprintf(w, `{"kind":"group","id":"g-%d","name":"%d"}`+"\n", g, g)
	}
	fmt.Fprintln(w, `{"kind":"user","id":"u-bot","username":"bot","name":"Bot","email":"bot@acme.test","groups":["staff","sync"],"admin":true,"token":"bot-token"}`)
	for _, percent := range lifeCallers() {
		in := []string{`"staff"`}
		for _, g := range r.Perm(lifeGroups)[:lifeGroups*percent/100] {
			in = append(in, fmt.Sprintf(`"%d"`, g))
		}
		fmt.Fprintf(w, `{"kind":"user","id":"u-%d","username":"u%d","name":"U %d","email":"u%d@acme.test","groups":[%s],"token":"t-%d"}`+"\n", percent, percent, percent, percent, strings.Join(in, ","), percent)
	}
	for i, key := range []string{bigSpace, "MID", "END"} {
		fmt.Fprintf(w, `{"kind":"space","id":"%d","key":"%s","name":"%s","type":"global","grants":[{"to":"group:staff","op":"read"}]}`+"\n", i+1, key, key)
	}
	groups := r.Perm(lifeGroups)
	for i := range s.pages {
		fmt.Fprintln(w, s.line(i, groups))
	}
	return w.Flush()
}

// lifeEmulator is confluence-emulator as a process of its own.
type lifeEmulator struct {
	url string
	cmd *exec.Cmd
}

func (s lifeSite) serve(b *testing.B) *lifeEmulator {
	b.Helper()
	dir := b.TempDir()
	program, file := filepath.Join(dir, "confluence-emulator"), filepath.Join(dir, "site.jsonl")
	out, err := exec.Command("go", "build", "-o", program, "../confluence-emulator").CombinedOutput()
	require.NoError(b, err, string(out))
	f, err := os.Create(file)
	require.NoError(b, err)
	require.NoError(b, s.write(f))
	require.NoError(b, f.Close())
	e := &lifeEmulator{cmd: exec.CommandContext(b.Context(), program, "--site", file)}
	e.cmd.Stderr = os.Stderr
	stdout, err := e.cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, e.cmd.Start())
	var ready struct{ URL string }
	require.NoError(b, json.NewDecoder(stdout).Decode(&ready))
	e.url = ready.URL
	return e
}

func (e *lifeEmulator) control(name string) string {
	return strings.TrimSuffix(e.url, "/wiki") + "/__emulator/" + name
}

func (e *lifeEmulator) apply(b *testing.B, line string) {
	b.Helper()
	res, err := http.Post(e.control("apply"), "application/x-ndjson", strings.NewReader(line))
	require.NoError(b, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	require.NoError(b, res.Body.Close())
	require.Equal(b, http.StatusOK, res.StatusCode, string(text))
}

// requests counts what it was asked so far.
func (e *lifeEmulator) requests(b *testing.B) int {
	b.Helper()
	res, err := http.Get(e.control("requests"))
	require.NoError(b, err)
	defer res.Body.Close()
	var journal struct{ Requests []struct{} }
	require.NoError(b, json.NewDecoder(res.Body).Decode(&journal))
	return len(journal.Requests)
}

func (e *lifeEmulator) now(b *testing.B) used {
	b.Helper()
	return processNow(b, fmt.Sprint(e.cmd.Process.Pid))
}

// stop ends it and gives its peak of memory in MB and its CPU time.
func (e *lifeEmulator) stop(b *testing.B) (peak float64, cpu time.Duration) {
	b.Helper()
	peak = e.now(b).peak
	require.NoError(b, e.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(b, e.cmd.Wait())
	return peak, e.cmd.ProcessState.UserTime() + e.cmd.ProcessState.SystemTime()
}
