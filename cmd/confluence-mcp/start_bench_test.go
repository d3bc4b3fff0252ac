package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"syscall"
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
// the operating system counts them, medians over the runs.
func BenchmarkStart(b *testing.B) {
	binary := buildProduct(b)
	var cpu, rss []float64
	for b.Loop() {
		c, m := startOnce(b, binary)
		cpu, rss = append(cpu, c), append(rss, m)
	}
	b.ReportMetric(median(cpu), "cpu-ms")
	b.ReportMetric(median(rss), "MiB")
	fmt.Fprintf(b.Output(), "start to first tools/list: %.1f ms CPU (bar 50), %.1f MiB (bar 40), medians of %d\n", median(cpu), median(rss), len(cpu))
}

func startOnce(b *testing.B, binary string) (cpuMillis, mebibytes float64) {
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
	require.NoError(b, in.Close())
	require.NoError(b, c.Wait())
	used := c.ProcessState.SysUsage().(*syscall.Rusage)
	return float64(c.ProcessState.UserTime()+c.ProcessState.SystemTime()) / float64(time.Millisecond), float64(used.Maxrss) / 1024
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
