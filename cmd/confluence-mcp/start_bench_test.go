package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/seal"
)

// settingsForNobody configure a site that is never asked.
func settingsForNobody(dir string) config.Config {
	return config.Config{DataDir: dir, Integrations: []config.Integration{{Name: "default", BaseURL: "http://127.0.0.1:1/wiki", Username: "a@b.test", Token: seal.NewSecret("t")}}}
}

// BenchmarkOpen is what a start costs inside the process: the data folder, the
// profiles, the catalogue.
func BenchmarkOpen(b *testing.B) {
	p := program{errOut: io.Discard, now: time.Now, getenv: func(string) string { return "" }}
	for b.Loop() {
		e, err := p.open(context.Background(), settingsForNobody(b.TempDir()))
		require.NoError(b, err)
		caller, err := e.localCaller(defaultProfile, "")
		require.NoError(b, err)
		require.NotEmpty(b, e.catalog.Tools(caller))
		require.NoError(b, e.close())
	}
}

const opening = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`

// BenchmarkStart is a whole process from exec to the end of the first
// tools/list over stdio, on an empty data folder: CPU time and peak memory as
// the operating system counts them, medians over the runs. The time includes the
// process's end, the memory ends with the answer. In turns with it runs
// the same binary that only says its version: a busy or slower machine makes
// both dearer and leaves their ratio, a dearer start does not.
func BenchmarkStart(b *testing.B) {
	binary := buildProduct(b)
	var cpu, rss, own, least, ratio []float64
	for b.Loop() {
		base := versionOnce(b, binary)
		c, m := startOnce(b, binary)
		cpu, least, ratio = append(cpu, c), append(least, base), append(ratio, c/base)
		rss, own = append(rss, m.peak), append(own, m.own)
	}
	b.ReportMetric(median(cpu), "cpu-ms")
	b.ReportMetric(median(rss), "MiB")
	b.ReportMetric(median(ratio), "x-version")
	fmt.Fprintf(b.Output(), "start to first tools/list: %.1f ms CPU (bar 50), %.1f MiB (bar 40; %.1f its own, the rest pages of the binary), %.2f times %.1f ms of the version alone, medians of %d\n",
		median(cpu), median(rss), median(own), median(ratio), median(least), len(cpu))
}

// versionOnce is what any run of the program costs before it does anything.
func versionOnce(b *testing.B, binary string) (cpuMillis float64) {
	b.Helper()
	c := exec.Command(binary, "version")
	require.NoError(b, c.Run())
	return cpuOf(c)
}

func cpuOf(c *exec.Cmd) (millis float64) {
	return float64(c.ProcessState.UserTime()+c.ProcessState.SystemTime()) / float64(time.Millisecond)
}

func startOnce(b *testing.B, binary string) (cpuMillis float64, m resident) {
	b.Helper()
	c := exec.Command(binary, "serve", "--data-dir", b.TempDir())
	c.Env = []string{"CONFLUENCE_URL=http://127.0.0.1:1/wiki", "CONFLUENCE_USERNAME=a@b.test", "CONFLUENCE_API_TOKEN=t"}
	in, err := c.StdinPipe()
	require.NoError(b, err)
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	_, err = io.WriteString(in, opening)
	require.NoError(b, err)
	answers := json.NewDecoder(out)
	for range 2 {
		var answer map[string]any
		require.NoError(b, answers.Decode(&answer))
		require.NotContains(b, answer, "error")
	}
	m = memoryOf(b, c.Process.Pid)
	require.NoError(b, in.Close())
	require.NoError(b, c.Wait())
	return cpuOf(c), m
}

// resident is what a process had in MiB: at most, and of its own at the end. The
// rest is what the kernel mapped of the binary, a little more or less with how
// the file lies in its cache.
type resident struct{ peak, own float64 }

// memoryOf asks a process that runs. What wait tells of an ended child will not
// do: Linux counts in what the parent had when it started it.
func memoryOf(b *testing.B, pid int) resident {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err, "the benchmark runs on Linux")
	mebibytes := func(field string) float64 {
		_, rest, found := strings.Cut(string(status), field)
		require.True(b, found)
		kibibytes, err := strconv.Atoi(strings.Fields(rest)[0])
		require.NoError(b, err)
		return float64(kibibytes) / 1024
	}
	return resident{peak: mebibytes("VmHWM:"), own: mebibytes("RssAnon:")}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
