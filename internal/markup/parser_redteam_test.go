package markup_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

// The names of these tests are the ids of the red-team list: whatever a page
// or a caller sends, reading and writing it is quick, small and never panics.

const (
	mostTime   = time.Second
	mostMemory = 64 << 20
)

// heap is the memory of live objects and garbage at this moment.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// bounded runs one step and holds its time, and the growth of the heap while
// it ran.
func bounded(t *testing.T, what string, step func()) {
	t.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, spent := time.Now(), processorTime(t)
	require.NotPanics(t, step, what)
	took := min(time.Since(began), processorTime(t)-spent) // others may keep the processors busy
	assert.Less(t, took, mostTime*raceFactor, "%s took too long", what)
	runtime.ReadMemStats(&after)
	if after.TotalAlloc-before.TotalAlloc > mostMemory {
		peak := peakOf(step)
		for range 2 { // a collector that gets no time to run counts garbage in: the least is nearest
			if peak >= mostMemory*raceFactor {
				peak = min(peak, peakOf(step))
			}
		}
		assert.Less(t, peak, uint64(mostMemory*raceFactor), "%s took too much memory", what)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakOf is by how much the heap grows while a step runs, with next to no
// garbage in it.
func peakOf(step func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(15))
	runtime.GC()
	before, peak := heap(), uint64(0)
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, heap())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	step()
	close(done)
	<-watched
	return max(peak, before) - before
}

// readAll does with a storage value everything the product does when a page
// holds it, and gives what a reader sees.
func readAll(t *testing.T, value string) (text string, fault error) {
	t.Helper()
	var doc *markup.Document
	bounded(t, "parsing", func() { doc, fault = markup.Parse(value) })
	bounded(t, "showing", func() { text = doc.Markdown(markup.View{}).Text })
	bounded(t, "the outline", func() { doc.Outline(markup.View{}) })
	bounded(t, "the passages", func() { doc.Passages(markup.View{}) })
	bounded(t, "the check before a write", func() { _ = markup.Validate(value, "") }) // only its cost counts here
	bounded(t, "writing back", func() {
		r, err := markup.WriteMarkdown(value, text+"\nAppended.\n", markup.Options{})
		if fault != nil {
			assert.Error(t, err, "a page that is not understood is not written")
			return
		}
		_, _ = r, err // accepted or refused, in bounds
	})
	bounded(t, "an edit", func() {
		_, err := markup.ApplyEdits(value, []markup.Edit{{Op: "append", Markdown: "Appended."}}, markup.Options{})
		if fault != nil {
			assert.Error(t, err)
		}
	})
	assert.True(t, utf8.ValidString(text), "what is shown is text")
	return text, fault
}

func codeOf(t *testing.T, err error) string {
	t.Helper()
	var e *markup.Error
	require.True(t, errors.As(err, &e), "%T %v", err, err)
	assert.NotEmpty(t, e.Message)
	assert.NotEmpty(t, e.Next)
	return e.Code
}

// nested puts text below n levels of open and close.
func nested(n int, open, text, end string) string {
	return "<p>before</p>" + strings.Repeat(open, n) + text + strings.Repeat(end, n) + "<p>behind</p>"
}

// containers are what nests in storage.
func containers() map[string][2]string {
	macro := `<ac:structured-macro ac:name="panel"><ac:rich-text-body>`
	return map[string][2]string{
		"div": {"<div>", "</div>"}, "quote": {"<blockquote>", "</blockquote>"}, "list": {"<ul><li>", "</li></ul>"}, "numbers": {"<ol><li>", "</li></ol>"},
		"bold": {"<strong>", "</strong>"}, "mixed marks": {"<strong><em>", "</em></strong>"}, "table": {"<table><tbody><tr><td>", "</td></tr></tbody></table>"},
		"macro": {macro, "</ac:rich-text-body></ac:structured-macro>"}, "layout": {"<ac:layout><ac:layout-section><ac:layout-cell>", "</ac:layout-cell></ac:layout-section></ac:layout>"},
		"unknown": {"<x:y>", "</x:y>"}, "tasks": {"<ac:task-list><ac:task><ac:task-body>", "</ac:task-body></ac:task></ac:task-list>"}, "links": {`<a href="https://a.example">`, "</a>"},
	}
}

func TestJ01_DeepStorage(t *testing.T) {
	for name, c := range containers() {
		t.Run(name+" within the limit", func(t *testing.T) {
			levels := 250 / strings.Count(c[0], "<")
			text, fault := readAll(t, nested(levels, c[0], "the heart", c[1]))
			require.NoError(t, fault)
			assert.Contains(t, text, "behind")
		})
		t.Run(name+" beyond it", func(t *testing.T) {
			text, fault := readAll(t, nested(100_001, c[0], "the heart", c[1]))
			assert.Equal(t, "markup.too_large", codeOf(t, fault))
			assert.Contains(t, text, "before", "the page is kept as far as it can be read")
		})
		t.Run(name+" never closed", func(t *testing.T) {
			text, fault := readAll(t, "<p>before</p>"+strings.Repeat(c[0], 100_001))
			assert.Contains(t, []string{"markup.too_large", "markup.malformed"}, codeOf(t, fault))
			assert.Contains(t, text, "before")
		})
		t.Run(name+" only closed", func(t *testing.T) {
			text, fault := readAll(t, "<p>before</p>"+strings.Repeat(c[1], 100_001))
			assert.Equal(t, "markup.malformed", codeOf(t, fault))
			assert.Contains(t, text, "before")
		})
	}
}

func TestJ02_EntityBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE bomb [<!ENTITY e0 "ha">`)
	for i := range 30 {
		fmt.Fprintf(&b, `<!ENTITY e%d "&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;">`, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	b.WriteString(`]><p>before &e30; behind</p>`)
	text, fault := readAll(t, b.String())
	assert.Equal(t, "markup.malformed", codeOf(t, fault))
	assert.Contains(t, text, "behind")
	assert.NotContains(t, text, "haha", "nothing is expanded")
	assert.Less(t, len(text), 2*b.Len())
}

func TestJ03_EntitiesAndCDATA(t *testing.T) {
	for name, value := range map[string]string{
		"unknown": "<p>before &nope; behind</p>", "no name": "<p>before &; behind</p>", "unfinished": "<p>before &amp behind</p>", "beyond Unicode": "<p>before &#xFFFFFFFF; behind</p>",
		"zero": "<p>before &#0; behind</p>", "surrogate": "<p>before &#xD800; behind</p>", "huge number": "<p>before &#" + strings.Repeat("9", 100_000) + "; behind</p>",
		"a million ampersands": "<p>before " + strings.Repeat("&", 1_000_000) + " behind</p>", "a million numbers": "<p>before " + strings.Repeat("&#1;", 250_000) + " behind</p>",
		"end of CDATA in text": "<p>before ]]> behind</p>", "CDATA never closed": "<p>before behind</p><![CDATA[ <p>x</p>", "many CDATA never closed": "<p>before behind</p>" + strings.Repeat("<![CDATA[", 100_000),
		"comments never closed": "<p>before behind</p>" + strings.Repeat("<!--", 100_000), "instructions never closed": "<p>before behind</p>" + strings.Repeat("<?x ", 100_000),
		"tags never closed": "<p>before behind</p>" + strings.Repeat("<", 200_000), "attributes without end": "<p>before behind</p><a " + strings.Repeat(`b="c" `, 200_000),
		"the same attribute a lot": "<p>before behind</p><a " + strings.Repeat(`b="c" `, 100_000) + ">x</a>", "quotes never closed": "<p>before behind</p>" + strings.Repeat(`<a b="`, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := readAll(t, value)
			assert.Contains(t, text, "before")
			assert.Contains(t, text, "behind")
		})
	}
	t.Run("markup in CDATA stays text", func(t *testing.T) {
		code := `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[<script>1</script> ]]]]><![CDATA[> &nope; end]]></ac:plain-text-body></ac:structured-macro>`
		text, fault := readAll(t, code)
		require.NoError(t, fault)
		assert.Contains(t, text, "<script>1</script> ]]> &nope; end")
		assert.NoError(t, markup.Validate(code, ""), "code that speaks of scripts is no script")
	})
	t.Run("a script does not hide in CDATA", func(t *testing.T) {
		for _, value := range []string{"<p><![CDATA[x]]><script>1</script></p>", "<p><![CDATA[ ]]]]><script>1</script>", `<p><![CDATA[<!--]]><script>1</script><!-- --></p>`} {
			assert.Error(t, markup.Validate(value, ""), value)
		}
	})
}

func TestJ05_TablesOfAbsurdSize(t *testing.T) {
	row := func(cells int) string { return "<tr>" + strings.Repeat("<td>x</td>", cells) + "</tr>" }
	table := func(rows, cells int) string {
		return "<table><tbody>" + strings.Repeat(row(cells), rows) + "</tbody></table><p>behind</p>"
	}
	wide := "<table><tbody><tr>" + strings.Repeat(`<td colspan="1000000000" rowspan="1000000000">x</td>`, 200) + "</tr>" + row(200) + "</tbody></table><p>behind</p>"
	for name, value := range map[string]string{
		"wide": table(3, 10_000), "long": table(10_000, 3), "square": table(173, 173), "spans without measure": wide,
		"spans that overlap":   "<table><tbody>" + strings.Repeat(`<tr><td rowspan="65534" colspan="1000">x</td></tr>`, 2_000) + "</tbody></table><p>behind</p>",
		"negative spans":       `<table><tbody><tr><td colspan="-5" rowspan="0">x</td><td colspan="99999999999999999999">y</td></tr></tbody></table><p>behind</p>`,
		"empty tables":         strings.Repeat("<table></table>", 50_000) + "<p>behind</p>",
		"one row that widens":  "<table><tbody>" + strings.Repeat("<tr><td>x</td></tr>", 5_000) + row(5_000) + "</tbody></table><p>behind</p>",
		"line breaks in cells": "<table><tbody><tr>" + strings.Repeat("<td>"+strings.Repeat("x<br/>", 100)+"</td>", 300) + "</tr></tbody></table><p>behind</p>",
	} {
		t.Run(name, func(t *testing.T) {
			text, fault := readAll(t, value)
			require.NoError(t, fault)
			assert.Contains(t, text, "behind")
		})
	}
	t.Run("a million cells", func(t *testing.T) {
		text, fault := readAll(t, "<p>before</p>"+table(1000, 1000))
		assert.Equal(t, "markup.too_large", codeOf(t, fault))
		assert.Contains(t, text, "before")
	})
}

func TestJ06_BrokenEncoding(t *testing.T) {
	for name, bad := range map[string]string{
		"invalid byte": "\xff", "half a character": "\xe2\x82", "lone surrogate": "\xed\xa0\x80", "overlong": "\xc0\xaf", "NUL": "\x00", "control": "\x01", "beyond Unicode": "\xf5\x80\x80\x80",
		"not a character": "\uffff", "a lot of it": strings.Repeat("\xff", 500_000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, value := range []string{"<p>before " + bad + " behind</p>", "<p title=\"" + bad + "\">before behind</p>", `<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[` + bad + "]]></ac:plain-text-body></ac:structured-macro><p>before behind</p>"} {
				text, fault := readAll(t, value)
				assert.Contains(t, text, "before")
				assert.Contains(t, text, "behind")
				if fault != nil {
					assert.Equal(t, "markup.malformed", codeOf(t, fault))
				}
				assert.NotContains(t, text, "\x00")
			}
			if name != "not a character" {
				_, err := markup.FromMarkdown("a "+bad+" b", markup.Options{})
				if err == nil {
					out, _ := markup.FromMarkdown("a "+bad+" b", markup.Options{})
					assert.NoError(t, markup.Validate(out, ""), "what is written is valid, or it is not written: %.80q", out)
				}
			}
		})
	}
}

func TestJ07_ExternalEntities(t *testing.T) {
	const canary = "CANARY-5b01-external"
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(canary), 0o600))
	var hits atomic.Int64
	host := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer host.Close()
	for name, value := range map[string]string{
		"a file":         `<!DOCTYPE x [<!ENTITY e SYSTEM "file://` + file + `">]><p>before &e; behind</p>`,
		"a host":         `<!DOCTYPE x [<!ENTITY e SYSTEM "` + host.URL + `">]><p>before &e; behind</p>`,
		"a parameter":    `<!DOCTYPE x [<!ENTITY % e SYSTEM "` + host.URL + `/x.dtd"> %e;]><p>before behind</p>`,
		"a public DTD":   `<!DOCTYPE html PUBLIC "x" "` + host.URL + `/x.dtd"><p>before behind</p>`,
		"an inclusion":   `<p>before behind</p><xi:include href="file://` + file + `" parse="text"/>`,
		"a style sheet":  `<?xml-stylesheet href="` + host.URL + `"?><p>before behind</p>`,
		"a schema":       `<p xsi:schemaLocation="x ` + host.URL + `">before behind</p>`,
		"an old include": `<p>before behind</p><ac:structured-macro ac:name="include"><ac:parameter ac:name=""><ri:url ri:value="` + host.URL + `"/></ac:parameter></ac:structured-macro>`,
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := readAll(t, value)
			assert.Contains(t, text, "behind")
			assert.NotContains(t, text, canary)
		})
	}
	assert.Zero(t, hits.Load(), "nothing is fetched")
}

func TestJ08_AbsurdMarkdown(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, 50_000) }
	flat := func(s string) string { return strings.Repeat(s, 20_000) } // of what makes a block each
	for name, md := range map[string]string{
		"quotes": many("> ") + "x", "quotes on lines": flat("> x\n"), "stars": many("*"), "opened emphasis": many("*a "), "closed emphasis": many("a* "), "mixed emphasis": many("*a_"), "bold and not": many("**a*"),
		"brackets": many("["), "closed brackets": many("]"), "nested links": many("[") + many("](x)"), "image marks": many("![["), "link starts": many("[a]("), "link starts in angles": many("[a](<b"),
		"backticks": many("`a``"), "growing backticks": growing('`', 300), "fences": many("```\n"), "tildes": many("~"), "angles": many("<"), "comments": many("<!--"), "instructions": many("<?"),
		"declarations": many("<!A "), "CDATA": many("<![CDATA["), "autolinks": many("<http:"), "mails": many("a@"), "bare links": many("http://a"), "www": many("www.a."), "entities": many("&"), "numbers": many("&#1;"),
		"lists": strings.Repeat("- ", 10_000) + "x", "indented lists": stairs("- x", 1_400), "numbered": flat("1. x\n"), "definitions": many("[a]: b\n"), "references": "[a]: /b\n\n" + many("[a] "), "footnotes": many("[^a]"),
		"headings": many("# "), "underlines": flat("a\n=\n"), "rules": flat("---\n"), "escapes": many(`\`), "pipes": many("|"), "table": "|a|b|\n|-|-|\n" + flat("|x|y|\n"), "wide table": "|" + strings.Repeat("a|", 5_000) + "\n|" + strings.Repeat("-|", 5_000) + "\n" + "|x|\n",
		"table of short rows": "|" + strings.Repeat("a|", 2_000) + "\n|" + strings.Repeat("-|", 2_000) + "\n" + many("|x|\n"), "tables without end": flat("|a|\n|-|\n"), "tasks": flat("- [ ] x\n"), "divs": many("<div>"), "details": many("<details><summary>x</summary>"), "spaces": many(" ") + "x", "tabs": many("\t") + "x", "line breaks": many("\\\n"), "returns": many("\r"),
		"macros": many("{x}"), "directives": many(":::"), "dollars": many("$a"), "raw HTML": many("<b>"),
	} {
		t.Run(name, func(t *testing.T) {
			var out string
			var err error
			bounded(t, "writing", func() { out, err = markup.FromMarkdown("before\n\n"+md+"\n\nbehind", markup.Options{}) })
			if err != nil {
				assert.NotEmpty(t, codeOf(t, err))
				return
			}
			bounded(t, "the check", func() { err = markup.Validate(out, "") })
			assert.NoError(t, err, "what is written is valid")
			bounded(t, "an edit", func() {
				_, _ = markup.ApplyEdits("<p>one</p>", []markup.Edit{{Op: "append", Markdown: md}}, markup.Options{}) // accepted or refused, in bounds
			})
			bounded(t, "a whole page", func() { _, _ = markup.WriteMarkdown("<p>one</p>", "one\n\n"+md, markup.Options{}) })
		})
	}
}

// growing is runs of a character, each longer than the one before.
func growing(c byte, runs int) string {
	var b strings.Builder
	for i := range runs {
		b.WriteString(strings.Repeat(string(c), i+1) + "a")
	}
	return b.String()
}

// stairs is a list whose items lie below each other.
func stairs(item string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + item + "\n")
	}
	return b.String()
}
