package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/madeup"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// go test -run '^$' -bench MirrorLife -benchtime 1x ./cmd/confluence-mcp -args -pages 100000 -json figures.json
var (
	lifePages  = flag.Int("pages", 10_000, "pages of the site that BenchmarkMirrorLife mirrors")
	lifeWords  = flag.Float64("words", 400, "words of such a page in the mean")
	lifeJSON   = flag.String("json", "", "file its figures are written to")
	lifeOthers = flag.Bool("others", true, "measure stock bleve and FTS5 too")
)

// life is the product over an emulator that is a process of its own.
type life struct {
	b      *testing.B
	site   lifeSite
	emu    *lifeEmulator
	cfg    config.Config
	engine *engine
	open   *copied
	report lifeReport
}

// BenchmarkMirrorLife goes through the life of a mirror with the product's own
// parts: the first sync with its index, passes with little to do, questions of
// callers who see 1 %, 50 %, 99 % and all of it, a tree that is closed, a cold
// start. Beside them, in the same minutes, stock bleve and FTS5 of the same
// SQLite do what of this they can, without any filter.
func BenchmarkMirrorLife(b *testing.B) {
	for b.Loop() {
		l := &life{b: b, site: lifeSite{pages: *lifePages, words: madeup.New(*lifeWords)}}
		l.report = lifeReport{Pages: l.site.pages, Words: *lifeWords}
		l.emu = l.site.serve(b)
		l.cfg = config.Config{DataDir: b.TempDir(), Sync: config.Sync{BlogPosts: true}, Integrations: []config.Integration{{Name: "default", BaseURL: l.emu.url,
			Username: "bot@acme.test", Token: seal.NewSecret("bot-token"), AccessRightsSync: true}}}
		l.start()
		l.firstSync()
		l.laterSyncs()
		l.fresh()
		l.rebuild()
		l.search()
		l.closeTree()
		l.coldStart()
		if *lifeOthers {
			l.others()
		}
		require.NoError(b, l.engine.close())
		l.report.finish(l.emu.stop(b))
		l.report.print(b, *lifeJSON)
	}
}

func (l *life) start() {
	p := program{errOut: io.Discard, now: time.Now, getenv: func(string) string { return "" }}
	var err error
	l.engine, err = p.open(l.b.Context(), l.cfg)
	require.NoError(l.b, err)
	require.NoError(l.b, l.engine.openCopy(l.b.Context(), time.Now, true))
	l.open = l.engine.copy.copy.Load()
}

// sync is one pass and the index after it; took is of both, pass of the first.
func (l *life) sync(full bool) (r ingest.Report, pass, took time.Duration) {
	l.b.Helper()
	at := time.Now()
	r, err := l.engine.sites.Sync(l.b.Context(), "", full, nil)
	require.NoError(l.b, err)
	require.True(l.b, r.Complete, "%+v", r)
	pass = time.Since(at)
	require.NoError(l.b, l.open.index.Follow(l.b.Context()))
	return r, pass, time.Since(at)
}

func (l *life) firstSync() {
	peaks := watchMemory(l.b)
	own, emu := processNow(l.b, "self"), l.emu.now(l.b)
	r, pass, took := l.sync(true)
	require.Equal(l.b, l.site.pages, r.Read)
	ownAfter, emuAfter := processNow(l.b, "self"), l.emu.now(l.b)
	pages := float64(l.site.pages)
	rows := &l.report
	rows.add(figure{What: "first sync, pages read", Unit: "pages/s", Seen: pages / pass.Seconds()})
	rows.add(figure{What: "first sync, until all is found", Unit: "pages/s", Bar: 400, Seen: pages / took.Seconds()})
	rows.add(figure{What: "CPU of the product", Unit: "ms/page", Seen: ms(ownAfter.cpu-own.cpu) / pages})
	rows.add(figure{What: "CPU of the emulator", Unit: "ms/page", Seen: ms(emuAfter.cpu-emu.cpu) / pages})
	rows.add(figure{What: "requests", Unit: "requests", Seen: float64(l.emu.requests(l.b))})
	l.report.memory("the first sync", peaks)
	l.measureText()
	l.report.index("index ÷ text, just caught up", l.open.index.Status().Bytes)
	l.settle()
	l.report.index("index ÷ text, settled", l.open.index.Status().Bytes)
}

// measureText sums what there is to index.
func (l *life) measureText() {
	pages := 0
	for chunk := range l.chunks() {
		for i := range chunk {
			l.report.TextBytes += int64(len(chunk[i].Title) + len(chunk[i].Text))
		}
		pages += len(chunk)
	}
	require.Equal(l.b, l.site.pages, pages)
}

// settle waits until the index's folder has been of one size for a while.
func (l *life) settle() {
	const steps = 20
	size, same := l.open.index.Status().Bytes, 0
	for range time.Tick(100 * time.Millisecond) {
		now := l.open.index.Status().Bytes
		if same++; now != size {
			size, same = now, 0
		}
		if same == steps || l.b.Context().Err() != nil {
			return
		}
	}
}

func (l *life) laterSyncs() {
	before := l.emu.requests(l.b)
	_, _, took := l.sync(false)
	l.report.add(figure{What: "pass, nothing changed", Unit: "s", Seen: took.Seconds()})
	l.report.add(figure{What: "its requests", Unit: "requests", Seen: float64(l.emu.requests(l.b) - before)})

	changed := max(1, l.site.pages/100)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(l.site.pages)[:changed] {
		l.emu.apply(l.b, fmt.Sprintf(`{"kind":"content","id":"%d","version":2,"storage":"<p>einprozent</p>%s"}`, l.site.id(i), l.site.words.Page(uint32(i+1)).Storage()))
	}
	_, _, took = l.sync(false)
	l.report.add(figure{What: "pass, 1 % changed", Unit: "s", Bar: 3, Seen: took.Seconds(), BarIs: "for 1,000 pages"})
	require.Equal(l.b, changed, l.total("u-100", retrieve.Question{Text: "einprozent"}))

	_, _, took = l.sync(true)
	l.report.add(figure{What: "full pass, nothing changed", Unit: "s", Seen: took.Seconds()})
}

func (l *life) rebuild() {
	peaks := watchMemory(l.b)
	at, cpu := time.Now(), processNow(l.b, "self").cpu
	require.NoError(l.b, l.open.index.Rebuild(l.b.Context()))
	took, after := time.Since(at), processNow(l.b, "self")
	l.report.add(figure{What: "index built anew from the mirror", Key: keyIndexing, Unit: "pages/s", Bar: 1000, Seen: float64(l.site.pages) / took.Seconds()})
	l.report.add(figure{What: "its CPU", Unit: "ms/page", Seen: ms(after.cpu-cpu) / float64(l.site.pages)})
	l.report.memory("building it", peaks)
	l.report.index("index ÷ text, built anew", l.open.index.Status().Bytes)
}

func (l *life) caller(id string) identity.Caller {
	return identity.Caller{Agent: "bench", Kind: identity.User, Integration: "default", AccountID: id, Transport: identity.HTTP}
}

func (l *life) total(who string, q retrieve.Question) int {
	l.b.Helper()
	a, err := l.open.retrieve.Query(l.b.Context(), l.caller(who), q)
	require.NoError(l.b, err)
	return a.Total
}

const (
	lifeWarmUp    = 20
	lifeQuestions = 200
)

// timed asks all questions and gives the median and the 99th of a hundred.
func timed(asked []string, ask func(text string)) (p50, p99 float64) {
	var took []time.Duration
	for i, text := range asked {
		at := time.Now()
		ask(text)
		if i >= lifeWarmUp {
			took = append(took, time.Since(at))
		}
	}
	slices.Sort(took)
	return ms(took[len(took)/2]), ms(took[len(took)*99/100])
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// wholeAnswers are questions of three words with everything a caller gets: ten
// passages from the mirror.
const wholeAnswers = madeup.Kind("answer")

func (l *life) questions(kind madeup.Kind) []string {
	if kind == wholeAnswers {
		kind = madeup.Term3
	}
	return l.site.words.Questions(kind, lifeWarmUp+lifeQuestions)
}

func (l *life) search() {
	ctx := l.b.Context()
	for _, percent := range lifeCallers() {
		who, err := l.open.retrieve.Resolve(ctx, l.caller(fmt.Sprintf("u-%d", percent)))
		require.NoError(l.b, err)
		require.True(l.b, who.Known())
		sees := 100 * float64(l.total(who.AccountID, retrieve.Question{Text: "*", Limit: 1})) / float64(l.site.pages)
		for _, kind := range append(madeup.Kinds(), wholeAnswers) {
			f := searched{Kind: string(kind), Percent: percent, Sees: sees}
			f.P50, f.P99 = timed(l.questions(kind), func(text string) {
				total, cut := l.ask(ctx, who, kind, text)
				f.Found += total
				f.Cut += cut
			})
			f.Found /= lifeQuestions + lifeWarmUp
			l.report.Search = append(l.report.Search, f)
		}
	}
	l.report.add(figure{What: "heap after questions", Unit: "MB", Bar: 100, Seen: heapNow()})
	l.report.add(figure{What: "RSS after questions", Unit: "MB", Seen: processNow(l.b, "self").rss})
}

func (l *life) ask(ctx context.Context, who identity.Caller, kind madeup.Kind, text string) (total, cut int) {
	l.b.Helper()
	var short bool
	if kind == wholeAnswers {
		a, err := l.open.retrieve.Query(ctx, who, retrieve.Question{Text: text, Limit: 10})
		require.NoError(l.b, err)
		total, short = a.Total, a.Cut
	} else {
		a, err := l.open.index.Search(ctx, l.open.mirror.View(who), index.Query{Text: text})
		require.NoError(l.b, err)
		total, short = a.Total, a.Cut
	}
	if short {
		cut = 1
	}
	return total, cut
}

// closeTree restricts the root of half of the site in Confluence, and asks while
// it is synced.
func (l *life) closeTree() {
	ctx, who := l.b.Context(), "u-99"
	pages := l.total(who, retrieve.Question{Text: "*", SpaceKey: bigSpace, Limit: 1})
	require.Greater(l.b, pages, l.site.big()*9/10)
	frequent := retrieve.Question{Text: madeup.Word(40), Limit: 1}
	inTree := frequent
	inTree.SpaceKey = bigSpace
	outside := l.total(who, frequent) - l.total(who, inTree)
	closed := func() bool { return l.total(who, frequent) <= outside+1 } // the home page stands above the tree
	require.False(l.b, closed())

	at := time.Now()
	l.emu.apply(l.b, l.site.rootLine(`["group:sync"]`))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := l.engine.sites.Sync(ctx, "", false, nil); err != nil {
			l.b.Error(err)
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !closed() {
		<-tick.C
	}
	first := time.Since(at)
	<-done
	require.Equal(l.b, 1, l.total(who, retrieve.Question{Text: "*", SpaceKey: bigSpace, Limit: 1}))
	name := fmt.Sprintf("root of %d pages restricted: ", l.site.big()-1)
	l.report.add(figure{What: name + "synced, first right answer", Unit: "s", Seen: first.Seconds()})
	l.report.add(figure{What: name + "the whole pass", Unit: "s", Seen: time.Since(at).Seconds()})

	l.emu.apply(l.b, l.site.rootLine(`[]`))
	l.sync(false)
	require.Equal(l.b, pages, l.total(who, retrieve.Question{Text: "*", SpaceKey: bigSpace, Limit: 1}), "opened again")
	l.closeInMirror(name, closed)
}

// closeInMirror is what of closing a tree is the product's alone: to publish it
// and to answer.
func (l *life) closeInMirror(name string, closed func() bool) {
	ctx := l.b.Context()
	p, err := l.open.mirror.Writer().Begin(ctx, 1, confluence.Space{ID: "1", Key: bigSpace, Name: bigSpace, Type: "global", Status: "current"})
	require.NoError(l.b, err)
	require.NoError(l.b, p.Observe(mirror.Node{ID: fmt.Sprint(l.site.id(1)), Type: confluence.TypePage, ParentID: fmt.Sprint(l.site.id(0)),
		Clause: guard.Clause{State: guard.Listed, Of: []guard.Principal{{Integration: 1, Kind: guard.Group, ID: "g-sync"}}}}))
	at := time.Now()
	_, err = p.Tighten(ctx, false)
	require.NoError(l.b, err)
	require.True(l.b, closed())
	l.report.add(figure{What: name + "publishing to first answer", Key: keyRestrict, Unit: "ms", Bar: 50, Seen: ms(time.Since(at))})
	require.NoError(l.b, p.End(ctx, "{}"))
}

func (l *life) coldStart() {
	require.NoError(l.b, l.engine.close())
	l.engine, l.open = nil, nil
	peaks := watchMemory(l.b)
	at := time.Now()
	l.start()
	opened := time.Since(at)
	require.Positive(l.b, l.total("u-50", retrieve.Question{Text: madeup.Word(40), Limit: 10}))
	l.report.add(figure{What: "cold start, data folder open", Unit: "ms", Seen: ms(opened)})
	l.report.add(figure{What: "cold start, first answer", Key: keyStart, Unit: "ms", Bar: 500, Seen: ms(time.Since(at))})
	l.report.add(figure{What: "heap after the first answer", Unit: "MB", Seen: heapNow()})
	l.report.memory("a cold start", peaks)
}

// chunks are the pages of the mirror, as an index reads them.
func (l *life) chunks() func(func([]mirror.Page) bool) {
	return func(yield func([]mirror.Page) bool) {
		after := uint32(0)
		for {
			pages, err := l.open.mirror.Follower().All(l.b.Context(), after, 500)
			require.NoError(l.b, err)
			if len(pages) == 0 {
				return
			}
			after = pages[len(pages)-1].Index
			if !yield(pages) {
				return
			}
		}
	}
}

// lifeText is what others index of a page.
func lifeText(p *mirror.Page) string { return strings.Join([]string{p.Title, p.Text}, "\n") }
