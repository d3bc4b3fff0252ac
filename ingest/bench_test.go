package ingest_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/confluence/rest"
)

var (
	benchPages = flag.Int("pages", 2_000, "how many pages the site of the benchmark has")
	benchWords = flag.Int("words", 400, "how many words each of them has")
)

// memory is the resident size of this process now and at its most, in MiB.
func memory() (now, peak float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(f[1], 64) // other lines hold words
		switch f[0] {
		case "VmRSS:":
			now = kb / 1024
		case "VmHWM:":
			peak = kb / 1024
		}
	}
	return now, peak
}

// BenchmarkSync is what passes cost without an index: the first one, passes with
// nothing and 1 % changed, and a full one. The emulator answers from the same
// process, so that its work and memory are in the figures. With the index, and an
// emulator of its own: BenchmarkMirrorLife of cmd/confluence-mcp.
func BenchmarkSync(b *testing.B) {
	e := startLarge(b, bigSite(*benchPages, *benchWords))
	x := boxOf(b, e, e.url, func(c *ingest.Config, rc *rest.Config) { c.Now, rc.Now = time.Now, time.Now })
	before, _ := memory()
	run := func(name string, full bool, prepare func()) {
		b.Run(name, func(b *testing.B) {
			x.t = b
			pages, requests := 0, 0
			for b.Loop() {
				b.StopTimer()
				if prepare != nil {
					prepare()
				}
				asked := len(e.Requests(0))
				b.StartTimer()
				r, err := x.sync.Now(b.Context(), full, nil)
				require.NoError(b, err)
				require.True(b, r.Complete)
				pages += r.Read
				requests += len(e.Requests(asked))
			}
			b.ReportMetric(float64(pages)/float64(b.N), "bodies/op")
			b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
			b.ReportMetric(float64(*benchPages*b.N)/b.Elapsed().Seconds(), "pages/s")
			now, peak := memory()
			b.ReportMetric(now-before, "MiB-more")
			b.ReportMetric(peak, "MiB-peak")
		})
	}
	began := time.Now()
	r, err := x.sync.Now(b.Context(), true, nil)
	require.NoError(b, err)
	took := time.Since(began)
	_, peak := memory()
	fmt.Printf("first pass: %d pages in %v, %.0f pages/s, %d requests; the emulator alone has %.0f MiB, peak %.0f MiB\n", r.Read, took.Round(time.Millisecond),
		float64(r.Read)/took.Seconds(), len(e.Requests(0)), before, peak)
	round := 1
	random := rand.New(rand.NewPCG(1, 2))
	run("nothing changed", false, nil)
	run("1 % changed", false, func() {
		round++
		var lines []string
		for range max(1, *benchPages/100) {
			lines = append(lines, line(`{"kind":"content","id":"%d","version":%d,"storage":"<p>Words of round %d.</p>"}`, 10_000+random.IntN(*benchPages), round, round))
		}
		e.Apply(lines...)
	})
	run("full, nothing changed", true, nil)

	// What a sync takes by itself: three passes of a process of its own.
	alone := &box{t: b, site: e, URL: e.url, dir: b.TempDir()}
	said, _ := alone.killed("never", 0)
	fmt.Println("a process of its own (complete, bodies, peak MiB):", said)
}
