package markup_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

// partners are the Markdown sources of corpus documents.
func partners(t *testing.T) map[string]string {
	out := corpus(t, ".md")
	for name := range out {
		if strings.HasPrefix(name, "adf") || strings.HasPrefix(name, "README") {
			delete(out, name)
		}
	}
	return out
}

// settles tells whether written Markdown reads back as Markdown that writes the
// same storage: nothing drifts however often a page is read and written.
func settles(t *testing.T, name, md string) bool {
	opt := markup.Options{Space: "X"}
	s, err := markup.FromMarkdown(md, opt)
	if !assert.NoError(t, err, name) || !assert.NoError(t, markup.Validate(s, ""), name) {
		return false
	}
	first := shown(t, s)
	if strings.Contains(first, "```confluence b") { // stands for a macro of its own page
		r, err := markup.WriteMarkdown(s, first+"\nmore\n", opt)
		return assert.NoError(t, err, name) && strings.Replace(r.Storage, "<p>more</p>", "", 1) == s
	}
	again, err := markup.FromMarkdown(first, opt)
	return assert.NoError(t, err, name) && shown(t, again) == first
}

func TestWrittenMarkdownIsValidAndSettles(t *testing.T) {
	ok, all := 0, partners(t)
	for name, md := range all {
		if settles(t, name, md) {
			ok++
		} else {
			t.Log("drifts:", name)
		}
	}
	assert.Equal(t, len(all), ok)
}

// knownDrifts are the pages whose Markdown changes once more when it is written
// again. Most have raw HTML, which is taken over as it stands and shown as
// Markdown where it can be: then a blank before the first word of a cell, a
// table without a header row, and an address that was no link are read as
// Markdown has them. In the others an address ends a run of _emphasis_: Markdown
// sees none there, and does in the *emphasis* that is shown.
func knownDrifts() []string {
	return strings.Fields(`100036 100052 100055 100056 100058 100094 100095 100133 100135 100156 100232 100266 100364 100537
		100540 100543 100771 101183 101190 101195 101198 101201 101217 101294`)
}

func TestEveryWikiPageIsValidAndSettles(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "wiki", "pages.jsonl.gz"))
	if err != nil {
		t.Skip("LOUD: ../shared/corpus/wiki is absent, no wiki page was checked")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(make([]byte, 1<<20), 1<<23)
	all, drifts := 0, []string{}
	for lines.Scan() {
		var page struct{ ID, Body string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &page))
		all++
		if !settles(t, page.ID, page.Body) {
			drifts = append(drifts, page.ID)
		}
	}
	require.NoError(t, lines.Err())
	assert.Equal(t, 2465, all)
	assert.Equal(t, knownDrifts(), drifts)
}
