package index_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the other engine

	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// go test -bench . -benchtime 1x -args -pages 100000 -json figures.json
var (
	benchPages  = flag.Int("pages", 20_000, "pages of the benchmarks' corpus")
	benchJSON   = flag.String("json", "", "file the benchmarks' figures are written to")
	benchOthers = flag.Bool("others", true, "measure stock bleve and FTS5 too")
)

// figure is one cell of the table: times in milliseconds, and how many times
// longer others took for the same questions.
type figure struct {
	Kind     string  `json:"kind"`
	Percent  float64 `json:"caller_sees_percent"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	CPU      float64 `json:"mean_cpu_ms"` // what a busy machine does not change much
	Found    int     `json:"mean_found"`
	Cut      int     `json:"cut"`
	BleveP50 float64 `json:"stock_bleve_unfiltered_p50_ms"`
	BleveP99 float64 `json:"stock_bleve_unfiltered_p99_ms"`
	FTSP50   float64 `json:"fts5_unfiltered_p50_ms"`
	FTSP99   float64 `json:"fts5_unfiltered_p99_ms"`
}

type benched struct {
	Pages       int      `json:"pages"`
	TextBytes   int      `json:"text_bytes"`
	IndexBytes  int64    `json:"index_bytes"`
	ToText      float64  `json:"index_to_text"`
	PerSecond   float64  `json:"pages_per_second"`
	CPUPerPage  float64  `json:"cpu_ms_per_page"`
	PeakRSS     int      `json:"peak_rss_mb"`
	Heap        uint64   `json:"heap_mb_after_searches"`
	Open        float64  `json:"open_ms"`
	FirstAnswer float64  `json:"first_answer_ms"`
	Load        string   `json:"load"`
	Bleve       float64  `json:"stock_bleve_pages_per_second"`
	FTS         float64  `json:"fts5_pages_per_second"`
	Search      []figure `json:"search"`
}

var kinds = []string{"term1", "term3", "and3", "phrase", "prefix", "near"}

const (
	warmUp    = 20
	questions = 200
)

// BenchmarkSearch indexes a corpus, asks every kind of question as callers who
// see 1 %, 50 %, 99 % and all of it, and asks stock bleve and FTS5 the same
// without any filter, in the same minutes.
func BenchmarkSearch(b *testing.B) {
	for b.Loop() {
		z := newZipf()
		r := benched{Pages: *benchPages}
		log := &madeUpPages{zipf: z, pages: r.Pages}
		x := r.build(b, b.TempDir(), log)
		for _, percent := range []float64{1, 50, 99, 100} {
			v := share(b, r.Pages, percent)
			for _, kind := range kinds {
				r.Search = append(r.Search, r.ask(b, x, v, z, kind, percent))
			}
		}
		r.Heap = heap()
		require.NoError(b, x.Close())
		if *benchOthers {
			r.baseline(b, z, log)
		}
		r.print(b)
	}
}

func (r *benched) build(b *testing.B, dir string, log *madeUpPages) *index.Index {
	b.Helper()
	x, err := index.Open(b.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(b, err)
	runtime.GC()
	at, cpu, before := time.Now(), cpuTime(b), nowRSS(b)
	require.NoError(b, x.Follow(b.Context()))
	r.PerSecond = float64(r.Pages) / time.Since(at).Seconds()
	r.CPUPerPage = ms(cpuTime(b)-cpu) / float64(r.Pages)
	r.PeakRSS = peakRSS(b) - before
	require.NoError(b, x.Close())
	at = time.Now()
	x, err = index.Open(b.Context(), index.Config{Dir: dir, Log: log, Now: noon})
	require.NoError(b, err)
	r.Open = ms(time.Since(at))
	v := share(b, r.Pages, 50)
	at = time.Now()
	_, err = x.Search(b.Context(), v, index.Query{Text: "word"})
	require.NoError(b, err)
	r.FirstAnswer = r.Open + ms(time.Since(at))
	r.IndexBytes, r.TextBytes = x.Status().Bytes, log.text
	r.ToText = float64(r.IndexBytes) / float64(r.TextBytes)
	r.Load = loadNow()
	return x
}

func (r *benched) ask(b *testing.B, x *index.Index, v *guard.View, z *zipf, kind string, percent float64) figure {
	b.Helper()
	f := figure{Kind: kind, Percent: percent}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime(b)
	f.P50, f.P99 = timed(z, kind, func(text string) {
		a, err := x.Search(b.Context(), v, index.Query{Text: text})
		require.NoError(b, err)
		f.Found += a.Total
		if a.Cut {
			f.Cut++
		}
	})
	f.Found /= questions + warmUp
	f.CPU = ms(threadTime(b)-began) / (questions + warmUp)
	return f
}

// timed asks the questions of a kind, the same for whoever is asked.
func timed(z *zipf, kind string, ask func(string)) (p50, p99 float64) {
	r := rand.New(rand.NewPCG(3, 3))
	var took []time.Duration
	for i := range questions + warmUp {
		text := z.question(kind, r)
		at := time.Now()
		ask(text)
		if i >= warmUp {
			took = append(took, time.Since(at))
		}
	}
	slices.Sort(took)
	return ms(took[len(took)/2]), ms(took[len(took)*99/100])
}

// baseline asks others for kinds they know; near words are left out.
func (r *benched) baseline(b *testing.B, z *zipf, log *madeUpPages) {
	b.Helper()
	bleveAsk, done := r.stockBleve(b, log)
	ftsAsk, doneToo := r.fts5(b, log)
	defer done()
	defer doneToo()
	for i := range r.Search {
		f := &r.Search[i]
		if f.Percent != 100 || f.Kind == "near" {
			continue
		}
		f.BleveP50, f.BleveP99 = timed(z, f.Kind, bleveAsk)
		f.FTSP50, f.FTSP99 = timed(z, f.Kind, ftsAsk)
	}
	for i := range r.Search {
		same := slices.IndexFunc(r.Search, func(f figure) bool { return f.Percent == 100 && f.Kind == r.Search[i].Kind })
		from := r.Search[same]
		r.Search[i].BleveP50, r.Search[i].BleveP99, r.Search[i].FTSP50, r.Search[i].FTSP99 = from.BleveP50, from.BleveP99, from.FTSP50, from.FTSP99
	}
}

func (r *benched) stockBleve(b *testing.B, log *madeUpPages) (ask func(string), done func()) {
	b.Helper()
	m := bleve.NewIndexMapping()
	m.DefaultAnalyzer = "en"
	x, err := bleve.New(filepath.Join(b.TempDir(), "stock"), m)
	require.NoError(b, err)
	at := time.Now()
	for pages := range log.chunks(1000) {
		batch := x.NewBatch()
		for i := range pages {
			require.NoError(b, batch.Index(strconv.Itoa(int(pages[i].Index)), map[string]any{"body": pages[i].Title + "\n" + pages[i].Text}))
		}
		require.NoError(b, x.Batch(batch))
	}
	r.Bleve = float64(log.pages) / time.Since(at).Seconds()
	return func(text string) {
		_, err := x.Search(bleve.NewSearchRequestOptions(bleveQuery(text), 10, 0, false))
		require.NoError(b, err)
	}, func() { require.NoError(b, x.Close()) }
}

func bleveQuery(text string) query.Query {
	switch {
	case strings.HasPrefix(text, `"`):
		q := bleve.NewMatchPhraseQuery(strings.Trim(text, `"`))
		q.SetField("body")
		return q
	case strings.HasSuffix(text, "*"):
		q := bleve.NewPrefixQuery(strings.TrimSuffix(text, "*"))
		q.SetField("body")
		return q
	}
	q := bleve.NewMatchQuery(strings.ReplaceAll(text, "+", ""))
	q.SetField("body")
	if strings.HasPrefix(text, "+") {
		q.SetOperator(query.MatchQueryOperatorAnd)
	}
	return q
}

func (r *benched) fts5(b *testing.B, log *madeUpPages) (ask func(string), done func()) {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "fts.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	require.NoError(b, err)
	_, err = db.Exec(`CREATE VIRTUAL TABLE page USING fts5(title, body, content='', tokenize='porter', prefix='3 4')`)
	require.NoError(b, err)
	at := time.Now()
	for pages := range log.chunks(1000) {
		tx, err := db.Begin()
		require.NoError(b, err)
		for i := range pages {
			_, err := tx.Exec("INSERT INTO page(rowid, title, body) VALUES (?, ?, ?)", pages[i].Index, pages[i].Title, pages[i].Text)
			require.NoError(b, err)
		}
		require.NoError(b, tx.Commit())
	}
	r.FTS = float64(log.pages) / time.Since(at).Seconds()
	return func(text string) {
		rows, err := db.Query("SELECT rowid FROM page WHERE page MATCH ? ORDER BY bm25(page, 5.0, 1.0) LIMIT 10", ftsQuery(text))
		require.NoError(b, err)
		for rows.Next() {
			var id int64
			require.NoError(b, rows.Scan(&id))
		}
		require.NoError(b, rows.Close())
	}, func() { require.NoError(b, db.Close()) }
}

func ftsQuery(text string) string {
	switch {
	case strings.HasPrefix(text, "+"):
		return strings.Join(strings.Fields(strings.ReplaceAll(text, "+", "")), " AND ")
	case strings.HasPrefix(text, `"`), strings.HasSuffix(text, "*"):
		return text
	}
	return strings.Join(strings.Fields(text), " OR ")
}

func (r *benched) print(b *testing.B) {
	b.Helper()
	fmt.Printf("\n%d pages, %d MB of text; load %s\n", r.Pages, r.TextBytes>>20, r.Load)
	fmt.Printf("indexing %.0f pages/s (stock bleve %.0f, FTS5 %.0f), %.2f CPU-ms a page, peak RSS %d MB more than before, index ÷ text %.2f\n", r.PerSecond, r.Bleve, r.FTS, r.CPUPerPage, r.PeakRSS, r.ToText)
	fmt.Printf("open %.0f ms, first answer after %.0f ms, heap after searches %d MB\n\n", r.Open, r.FirstAnswer, r.Heap)
	fmt.Println("kind    sees    p50 ms   p99 ms  mean cpu    found  cut   bleve÷p50  bleve÷p99  FTS5÷p50  FTS5÷p99   (others see all, no filter)")
	for _, f := range r.Search {
		fmt.Printf("%-7s %3.0f %% %8.3f %8.3f %9.3f %8d %4d   %9.1f  %9.1f  %8.1f  %8.1f\n", f.Kind, f.Percent, f.P50, f.P99, f.CPU, f.Found, f.Cut,
			f.BleveP50/f.P50, f.BleveP99/f.P99, f.FTSP50/f.P50, f.FTSP99/f.P99)
		b.ReportMetric(f.P50, fmt.Sprintf("%s-%.0f%%-p50-ms", f.Kind, f.Percent))
	}
	if *benchJSON != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(*benchJSON, append(text, '\n'), 0o600))
	}
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
	zipf  *zipf
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
		p := m.zipf.page(idx)
		m.text += len(p.Title) + len(p.Text)
		out = append(out, p)
	}
	return out, nil
}

func (m *madeUpPages) chunks(size int) iter.Seq[[]mirror.Page] {
	return func(yield func([]mirror.Page) bool) {
		for after := 0; after < m.pages; after += size {
			if pages, err := m.All(context.Background(), uint32(after), size); err != nil || !yield(pages) {
				return
			}
		}
	}
}
