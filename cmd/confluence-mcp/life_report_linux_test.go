package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	nameBleve = "stock bleve"
	nameFTS   = "FTS5"

	keyIndexing = "indexing"
	keySize     = "size"
	keyStart    = "start"
	keyRestrict = "restrict"
)

// figure is one line of the table. Bar is the end that the issue sets, 0 where
// it sets none; rates must reach it, everything else stay within it.
type figure struct {
	What   string             `json:"what"`
	Key    string             `json:"-"` // what others are asked for the same
	Unit   string             `json:"unit"`
	Bar    float64            `json:"bar,omitempty"`
	BarIs  string             `json:"bar_is,omitempty"` // what it is said for, if not for this size
	Seen   float64            `json:"seen"`
	Others map[string]float64 `json:"others,omitempty"`
}

func (f figure) met() string {
	switch {
	case f.Bar == 0 || f.BarIs != "":
		return ""
	case f.better(f.Seen, f.Bar) >= 1:
		return "yes"
	}
	return "NO"
}

// better is how many times better one figure is than another.
func (f figure) better(a, b float64) float64 {
	if f.Unit == "pages/s" {
		return a / b
	}
	return b / a
}

// searched is one cell of the questions: times in milliseconds.
type searched struct {
	Kind    string                `json:"kind"`
	Percent int                   `json:"caller_is_in_percent_of_groups"`
	Sees    float64               `json:"caller_sees_percent"`
	P50     float64               `json:"p50_ms"`
	P99     float64               `json:"p99_ms"`
	Found   int                   `json:"mean_found"`
	Cut     int                   `json:"cut"`
	Others  map[string][2]float64 `json:"others_p50_p99_ms,omitempty"` // without a filter
}

type lifeReport struct {
	Pages     int        `json:"pages"`
	Words     float64    `json:"words_per_page"`
	TextBytes int64      `json:"text_bytes"`
	Load      string     `json:"load"`
	Figures   []figure   `json:"figures"`
	Search    []searched `json:"search"`
}

// add says a figure at once too: a run may take long.
func (r *lifeReport) add(f figure) {
	fmt.Printf("%s  %s: %.4g %s\n", time.Now().Format(time.TimeOnly), f.What, f.Seen, f.Unit)
	r.Figures = append(r.Figures, f)
}

// index is the size of the index's folder. Of few pages most is the dictionary,
// of 200,000 made-up words.
func (r *lifeReport) index(what string, bytes int64) {
	f := figure{What: what, Key: keySize, Unit: "×", Bar: 1, Seen: float64(bytes) / float64(r.TextBytes)}
	if r.Pages < 100_000 {
		f.BarIs = "for 100,000 pages"
	}
	r.add(f)
}

func (r *lifeReport) memory(of string, peaks func() (all, anonymous float64)) {
	all, anonymous := peaks()
	r.add(figure{What: "peak RSS of " + of, Unit: "MB", Bar: 500, Seen: all})
	r.add(figure{What: "of it no file that can be dropped", Unit: "MB", Seen: anonymous})
}

// other notes what another engine took for what has a key.
func (r *lifeReport) other(name, key string, seen float64) {
	fmt.Printf("%s  %s, %s: %.4g\n", time.Now().Format(time.TimeOnly), name, key, seen)
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Key == key {
			if f.Others == nil {
				f.Others = map[string]float64{}
			}
			f.Others[name] = seen
		}
	}
}

func (r *lifeReport) otherSearch(name, kind string, p50, p99 float64) {
	fmt.Printf("%s  %s, %s: p50 %.4g ms, p99 %.4g ms\n", time.Now().Format(time.TimeOnly), name, kind, p50, p99)
	for i := range r.Search {
		if s := &r.Search[i]; s.Kind == kind {
			if s.Others == nil {
				s.Others = map[string][2]float64{}
			}
			s.Others[name] = [2]float64{p50, p99}
		}
	}
}

// finish adds what can be said at the end only.
func (r *lifeReport) finish(emulatorPeak float64, emulatorCPU time.Duration) {
	r.Load = loadNow()
	for _, s := range r.Search {
		if s.Kind != "term3" {
			continue
		}
		r.add(figure{What: fmt.Sprintf("term3 p50, caller of %d %%", s.Percent), Key: keySearch(s, 0), Unit: "ms", Bar: 1, Seen: s.P50})
		r.add(figure{What: fmt.Sprintf("term3 p99, caller of %d %%", s.Percent), Key: keySearch(s, 1), Unit: "ms", Bar: 10, Seen: s.P99})
		for name, o := range s.Others {
			r.other(name, keySearch(s, 0), o[0])
			r.other(name, keySearch(s, 1), o[1])
		}
	}
	r.add(figure{What: "filtered ÷ unfiltered, term3 p50, the worst", Unit: "×", Bar: 1.5, Seen: r.filterCost()})
	r.add(figure{What: "peak RSS of the emulator", Unit: "MB", Seen: emulatorPeak})
	r.add(figure{What: "CPU of the emulator, all in all", Unit: "s", Seen: emulatorCPU.Seconds()})
}

func keySearch(s searched, at int) string { return fmt.Sprintf("%s %d %d", s.Kind, s.Percent, at) }

// filterCost is how much longer than somebody who sees all the worst caller waits.
func (r *lifeReport) filterCost() float64 {
	worst, all := 0.0, 1.0
	for _, s := range r.Search {
		if s.Kind == "term3" && s.Percent == 100 {
			all = s.P50
		} else if s.Kind == "term3" {
			worst = max(worst, s.P50)
		}
	}
	return worst / all
}

func (r *lifeReport) print(b *testing.B, file string) {
	b.Helper()
	fmt.Printf("\n%d pages of %.0f words, %d MB of text; load %s\n", r.Pages, r.Words, r.TextBytes>>20, r.Load)
	fmt.Printf("%-62s %10s %12s %-8s %-4s %12s %8s   (times better than others of the same run, who filter nothing)\n", "", "bar", "seen", "", "met", nameBleve, nameFTS)
	for _, f := range r.Figures {
		bar := ""
		if f.Bar != 0 {
			bar = fmt.Sprintf("%.4g", f.Bar)
		}
		fmt.Printf("%-62s %10s %12.4g %-8s %-4s %12s %8s   %s\n", f.What, bar, f.Seen, f.Unit, f.met(), f.than(nameBleve), f.than(nameFTS), f.BarIs)
	}
	fmt.Printf("\n%-8s %6s %9s %9s %8s %4s %12s %8s %12s %8s\n", "question", "sees", "p50 ms", "p99 ms", "found", "cut", nameBleve, "", nameFTS, "")
	for _, s := range r.Search {
		fmt.Printf("%-8s %4.0f %% %9.3f %9.3f %8d %4d", s.Kind, s.Sees, s.P50, s.P99, s.Found, s.Cut)
		for _, name := range []string{nameBleve, nameFTS} {
			if o, ok := s.Others[name]; ok {
				fmt.Printf(" %12.1f %8.1f", o[0]/s.P50, o[1]/s.P99)
			}
		}
		fmt.Println()
	}
	if file != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(file, append(text, '\n'), 0o600))
	}
	missed := slices.DeleteFunc(slices.Clone(r.Figures), func(f figure) bool { return f.met() != "NO" })
	var names []string
	for _, f := range missed {
		names = append(names, f.What)
	}
	fmt.Printf("\nbars missed: %d%s\n", len(missed), strings.Join(append([]string{""}, names...), "\n  "))
	b.ReportMetric(float64(len(missed)), "bars-missed")
}

func (f figure) than(name string) string {
	o, ok := f.Others[name]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.3g", f.better(f.Seen, o))
}

func heapNow() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
