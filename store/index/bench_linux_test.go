package index_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/madeup"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// go test -run '^$' -bench Search -benchtime 1x ./store/index -args -pages 100000
var (
	benchPages = flag.Int("pages", 20_000, "pages of the benchmark's corpus")
	benchWords = flag.Float64("words", 400, "words of such a page in the mean")
)

const (
	warmUp    = 20
	questions = 200
)

// BenchmarkSearch is the index alone: made-up pages from memory are indexed,
// then every kind of question is asked as callers who see 1 %, 50 %, 99 % and all
// of them. What others take is in BenchmarkMirrorLife of cmd/confluence-mcp.
func BenchmarkSearch(b *testing.B) {
	for b.Loop() {
		made := madeup.New(*benchWords)
		x := built(b, b.TempDir(), &madeUpPages{words: made, pages: *benchPages})
		fmt.Println("kind    sees    p50 ms   p99 ms  mean cpu    found  cut")
		for _, percent := range []float64{1, 50, 99, 100} {
			v := share(b, *benchPages, percent)
			for _, kind := range madeup.Kinds() {
				ask(b, x, v, made.Questions(kind, warmUp+questions), fmt.Sprintf("%-7s %3.0f %%", kind, percent))
			}
		}
		fmt.Printf("heap after searches %d MB\n", heap())
		require.NoError(b, x.Close())
	}
}

// built indexes and opens again, and tells what that took.
func built(b *testing.B, dir string, log *madeUpPages) *index.Index {
	b.Helper()
	x, err := index.Open(b.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(b, err)
	runtime.GC()
	at, cpu, before := time.Now(), cpuTime(b), nowRSS(b)
	require.NoError(b, x.Follow(b.Context()))
	perSecond := float64(log.pages) / time.Since(at).Seconds()
	perPage := ms(cpuTime(b)-cpu) / float64(log.pages)
	peak, caughtUp := peakRSS(b)-before, x.Status().Bytes
	require.NoError(b, x.Close())
	at = time.Now()
	x, err = index.Open(b.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(b, err)
	opened := time.Since(at)
	_, err = x.Search(b.Context(), share(b, log.pages, 50), index.Query{Text: "word"})
	require.NoError(b, err)
	toText := func(bytes int64) float64 { return float64(bytes) / float64(log.text) }
	fmt.Printf("\n%d pages, %d MB of text; load %s\n", log.pages, log.text>>20, loadNow())
	fmt.Printf("indexing %.0f pages/s, %.2f CPU-ms a page, peak RSS %d MB more than before\n", perSecond, perPage, peak)
	fmt.Printf("index ÷ text %.2f when it had caught up, %.2f opened again; open %.0f ms\n\n", toText(caughtUp), toText(x.Status().Bytes), ms(opened))
	b.ReportMetric(perSecond, "pages/s")
	b.ReportMetric(toText(caughtUp), "index/text")
	return x
}

func ask(b *testing.B, x *index.Index, v *guard.View, asked []string, name string) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	found, cut := 0, 0
	var took []time.Duration
	var began time.Duration
	for i, text := range asked {
		if i == warmUp {
			began = threadTime(b)
		}
		at := time.Now()
		a, err := x.Search(b.Context(), v, index.Query{Text: text})
		require.NoError(b, err)
		took = append(took, time.Since(at))
		found += a.Total
		if a.Cut {
			cut++
		}
	}
	cpu := ms(threadTime(b)-began) / questions
	took = took[warmUp:]
	slices.Sort(took)
	fmt.Printf("%s %8.3f %8.3f %9.3f %8d %4d\n", name, ms(took[len(took)/2]), ms(took[len(took)*99/100]), cpu, found/len(asked), cut)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}

// madeUpPages is a log of pages that are made when they are read: what makes
// them counts as indexing, for all who are measured.
type madeUpPages struct {
	words *madeup.Words
	pages int
	text  int
}

func (m *madeUpPages) Changes(context.Context, int64, int) ([]mirror.Change, error) { return nil, nil }
func (m *madeUpPages) Page(context.Context, uint32) (p mirror.Page, there bool, err error) {
	return p, false, nil
}
func (m *madeUpPages) Range(context.Context) (before, last int64, err error) { return 1, 1, nil }
func (m *madeUpPages) Trim(context.Context, int64) error                     { return nil }

func (m *madeUpPages) All(_ context.Context, after uint32, limit int) ([]mirror.Page, error) {
	var out []mirror.Page
	for idx := after + 1; int(idx) <= m.pages && len(out) < limit; idx++ {
		p := madeUpPage(m.words, idx)
		m.text += len(p.Title) + len(p.Text)
		out = append(out, p)
	}
	return out, nil
}
