package wiki_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wiki"
)

// line is what the tests look at in a line of a site file.
type line struct {
	Kind, ID, Type, Key, Space, Parent, Title, Storage string
	Labels, Read, Update                               []string
	Version                                            int
}

// small is a corpus of the test's own: two spaces, five pages.
func small(t *testing.T) fstest.MapFS {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, `{"id":"101","parent":null,"space":"AA","title":"Home","labels":[],"body":"Welcome to [details](wiki:102#part) and [nowhere](wiki:999).\n"}
{"id":"102","parent":"101","space":"AA","title":"Details & more","labels":["one"],"body":"# Part\n\nSome *words* and **strong** ones, `+"`a<b`"+`.\n\n- [ ] open\n- [x] done\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n`+"```go\\nif a < b { return \\\"]]>\\\" }\\n```"+`\n"}
{"id":"103","parent":"102","space":"AA","title":"Deep","labels":[],"body":"Paragraph number one speaks about machinery.\n\nParagraph number two mentions something different.\n\n1. first\n2. second\n   - nested\n\n> quoted\n\n---\n\n![alt](x.png) <b>raw</b> &copy; done\n"}
{"id":"201","parent":null,"space":"BB","title":"Home","labels":[],"body":"Other space\n"}
{"id":"202","parent":"201","space":"BB","title":"Last","labels":[],"body":"<div>html <em>block</em></div>\n"}
`)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return fstest.MapFS{"spaces.json": {Data: []byte(`[{"key":"AA","name":"First"},{"key":"BB","name":"Second"}]`)},
		"pages.jsonl.gz": {Data: zipped.Bytes()}}
}

func convert(t *testing.T, dir fs.FS, g wiki.Growth) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, wiki.Convert(&out, dir, g))
	return out.Bytes()
}

func parse(t *testing.T, raw []byte) []line {
	t.Helper()
	var out []line
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var l line
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, l)
	}
}

func pages(lines []line) []line {
	var out []line
	for _, l := range lines {
		if l.Type == "page" {
			out = append(out, l)
		}
	}
	return out
}

// wellFormed tells what is wrong with storage as XML.
func wellFormed(storage string) error {
	d := xml.NewDecoder(strings.NewReader("<x>" + storage + "</x>"))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func loads(t *testing.T, raw []byte) *site.Site {
	t.Helper()
	s := site.New(site.Config{Now: time.Now})
	require.NoError(t, s.Load(bytes.NewReader(raw)))
	return s
}

func TestMarkdownBecomesStorage(t *testing.T) {
	got := pages(parse(t, convert(t, small(t), wiki.Growth{})))
	require.Len(t, got, 5)
	assert.Equal(t, `<p>Welcome to <ac:link ac:anchor="part"><ri:page ri:space-key="AA" ri:content-title="Details &amp; more" /><ac:link-body>details</ac:link-body></ac:link> and <a href="wiki:999">nowhere</a>.</p>`, got[0].Storage)
	assert.Equal(t, `<h1>Part</h1><p>Some <em>words</em> and <strong>strong</strong> ones, <code>a&lt;b</code>.</p>`+
		`<ul><li>[ ] open</li><li>[x] done</li></ul>`+
		`<table><tbody><tr><th><p>A</p></th><th><p>B</p></th></tr><tr><td><p>1</p></td><td><p>2</p></td></tr></tbody></table>`+
		`<ac:structured-macro ac:name="code" ac:schema-version="1"><ac:parameter ac:name="language">go</ac:parameter><ac:plain-text-body><![CDATA[if a < b { return "]]]]><![CDATA[>" }]]></ac:plain-text-body></ac:structured-macro>`, got[1].Storage)
	assert.Equal(t, `<p>Paragraph number one speaks about machinery.</p><p>Paragraph number two mentions something different.</p>`+
		`<ol><li>first</li><li>second<ul><li>nested</li></ul></li></ol><blockquote><p>quoted</p></blockquote><hr />`+
		`<p><ac:image ac:alt="alt"><ri:url ri:value="x.png" /></ac:image> raw © done</p>`, got[2].Storage)
	assert.Equal(t, "<p>html block</p>", got[4].Storage)
	for _, p := range got {
		assert.NoError(t, wellFormed(p.Storage))
	}
}

func TestConversionIsDeterministicAndLoads(t *testing.T) {
	dir := small(t)
	g := wiki.Growth{Pages: 300, Seed: 7}
	first := convert(t, dir, g)
	assert.Equal(t, first, convert(t, dir, g))
	assert.NotEqual(t, first, convert(t, dir, wiki.Growth{Pages: 300, Seed: 8}))
	s := loads(t, first)
	u, ok := s.Authenticate("sync@wiki.test", "sync-token")
	require.True(t, ok)
	assert.True(t, u.Admin)
}

// mix is SplitMix64, written a second time from its definition.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	x ^= x >> 31
	return x
}

func TestMixIsSplitMix64(t *testing.T) {
	assert.Equal(t, uint64(0xe220a8397b1dcdaf), mix(0), "first output of the published generator with seed 0")
}

func TestGrowthFollowsTheRules(t *testing.T) {
	const n, base, seed = 23, 5, 9
	got := pages(parse(t, convert(t, small(t), wiki.Growth{Pages: n, Seed: seed})))
	require.Len(t, got, n)
	for k, p := range got {
		r, b := k/base, got[k%base]
		if r == 0 {
			continue
		}
		assert.Equal(t, strconv.Itoa(1_000_000+k), p.ID)
		assert.Equal(t, fmt.Sprintf("%s %d", b.Title, r), p.Title)
		assert.Equal(t, fmt.Sprintf("%s%d", b.Space, r), p.Space)
		assert.Equal(t, b.Labels, p.Labels)
		if b.Parent == "" {
			assert.Empty(t, p.Parent)
		} else {
			parent := map[string]int{"101": 0, "102": 1, "201": 3}[b.Parent]
			assert.Equal(t, strconv.Itoa(1_000_000+r*base+parent), p.Parent)
		}
		assert.Contains(t, p.Storage, fmt.Sprintf("Ref zq%x.", mix(seed^uint64(k))))
	}
}

func TestRightsAndVersionsFollowFromTheID(t *testing.T) {
	read, update := 0, 0
	all := pages(parse(t, convert(t, small(t), wiki.Growth{Pages: 2000})))
	for _, p := range all {
		id, err := strconv.ParseUint(p.ID, 10, 64)
		require.NoError(t, err)
		h := mix(id)
		require.Equal(t, h%100 < 3, len(p.Read) == 1, p.ID)
		require.Equal(t, h%100 >= 3 && h%100 < 8, len(p.Update) == 1, p.ID)
		zeros := 0
		for h&1 == 0 {
			h, zeros = h>>1, zeros+1
		}
		require.Equal(t, 1+zeros, p.Version, p.ID)
		read, update = read+len(p.Read), update+len(p.Update)
	}
	assert.InDelta(t, 0.03*2000, read, 30)
	assert.InDelta(t, 0.05*2000, update, 40)
}

func TestSeasoningByPosition(t *testing.T) {
	all := pages(parse(t, convert(t, small(t), wiki.Growth{Pages: 400})))
	for k, p := range all {
		at := func(every int) bool { return (k+1)%every == 0 }
		require.Equal(t, at(7), strings.Contains(p.Storage, `ac:name="toc"`), k)
		require.Equal(t, at(11), strings.Contains(p.Storage, `ac:name="children"`), k)
		require.Equal(t, at(13), strings.Contains(p.Storage, `ac:name="details"`), k)
		require.Equal(t, at(17) && strings.Contains(p.Storage, `ac:name="code"`), strings.Contains(p.Storage, `ac:name="expand"`), k)
		require.NoError(t, wellFormed(p.Storage), p.ID)
	}
	assert.Contains(t, string(convert(t, small(t), wiki.Growth{Pages: 400})), "<ac:task-list>")
}

func TestCutKeepsTheReference(t *testing.T) {
	for k, p := range pages(parse(t, convert(t, small(t), wiki.Growth{Pages: 50, Cut: 40}))) {
		require.NoError(t, wellFormed(p.Storage))
		if k >= 5 {
			require.Contains(t, p.Storage, fmt.Sprintf("Ref zq%x.", mix(uint64(k))))
		}
	}
}

func TestBadCorpusIsRefused(t *testing.T) {
	dir := small(t)
	delete(dir, "spaces.json")
	assert.ErrorIs(t, wiki.Convert(io.Discard, dir, wiki.Growth{}), fs.ErrNotExist)
	dir = small(t)
	dir["pages.jsonl.gz"].Data = []byte("not gzip")
	assert.Error(t, wiki.Convert(io.Discard, dir, wiki.Growth{}))
	assert.Error(t, wiki.Convert(broken{}, small(t), wiki.Growth{}), "a full disk is noticed")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestTheCorpus holds the real corpus to the rules, where it is there.
func TestTheCorpus(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpus", "wiki")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("LOUD: ../shared/corpus/wiki is absent, THE CORPUS IS NOT CHECKED")
	}
	raw := convert(t, os.DirFS(dir), wiki.Growth{Pages: corpusPages})
	all := pages(parse(t, raw))
	assert.Len(t, all, corpusPages)
	for _, p := range all {
		require.NoError(t, wellFormed(p.Storage), p.ID)
		assert.NotContains(t, p.Storage, `href="wiki:`, p.ID)
	}
	loads(t, raw)
}
