package index_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// How large the corpus of benchmarks is: go test -bench . -args -pages 100000
var benchPages = flag.Int("pages", 20_000, "pages of the benchmarks' corpus")

func BenchmarkSearch(b *testing.B) {
	z := newZipf()
	log := &generated{z, *benchPages}
	dir := os.Getenv("KEEP")
	if dir == "" {
		dir = b.TempDir()
	}
	x, err := index.Open(b.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(b, err)
	defer x.Close()
	began := time.Now()
	require.NoError(b, x.Follow(b.Context()))
	fmt.Printf("indexed %d in %v: %.0f/s, %d MB\n", *benchPages, time.Since(began), float64(*benchPages)/time.Since(began).Seconds(), x.Status().Bytes>>20)
	for _, kind := range []string{"term1", "term3", "and3", "phrase", "prefix", "near"} {
		for _, percent := range []float64{1, 50, 99, 100} {
			v := share(b, *benchPages, percent)
			r := rand.New(rand.NewPCG(3, 3))
			var took []time.Duration
			total, cut := 0, 0
			for i := range 220 {
				q := index.Query{Text: z.question(kind, r)}
				at := time.Now()
				a, err := x.Search(b.Context(), v, q)
				require.NoError(b, err)
				if i >= 20 {
					took = append(took, time.Since(at))
					total += a.Total
					if a.Cut {
						cut++
					}
				}
			}
			slices.Sort(took)
			fmt.Printf("%-7s %4.0f%%  p50 %8.3f ms  p99 %8.3f ms  mean hits %d cut %d\n", kind, percent, ms(took[len(took)/2]), ms(took[len(took)*99/100]), total/len(took), cut)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func BenchmarkIndex(b *testing.B) {
	z := newZipf()
	all := make([]mirror.Page, *benchPages)
	text := 0
	for i := range all {
		all[i] = z.page(uint32(i + 1))
		text += len(all[i].Title) + len(all[i].Text)
	}
	for b.Loop() {
		dir := b.TempDir()
		x, err := index.Open(b.Context(), index.Config{Dir: dir, Log: &kept{all}, Now: noon})
		require.NoError(b, err)
		began := time.Now()
		require.NoError(b, x.Follow(b.Context()))
		took := time.Since(began)
		fmt.Printf("indexed %d in %v: %.0f/s, %d MB text, ÷ text %.2f\n", len(all), took, float64(len(all))/took.Seconds(), text>>20, float64(x.Status().Bytes)/float64(text))
		time.Sleep(3 * time.Second)
		fmt.Printf("later ÷ text %.2f\n", float64(x.Status().Bytes)/float64(text))
		require.NoError(b, x.Close())
	}
}

// kept is a log of pages that are in memory.
type kept struct{ pages []mirror.Page }

func (k *kept) Changes(context.Context, int64, int) ([]mirror.Change, error) { return nil, nil }
func (k *kept) Page(_ context.Context, idx uint32) (mirror.Page, bool, error) {
	return k.pages[idx-1], true, nil
}
func (k *kept) Range(context.Context) (before, last int64, err error) {
	return 1, 1, nil
}
func (k *kept) Trim(context.Context, int64) error { return nil }
func (k *kept) All(_ context.Context, after uint32, limit int) ([]mirror.Page, error) {
	return slices.Clone(k.pages[after:min(int(after)+limit, len(k.pages))]), nil
}
