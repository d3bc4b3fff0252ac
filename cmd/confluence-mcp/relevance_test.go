package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRelevanceMeasuresAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"docs.jsonl": `{"id":"1","title":"Apples","body":"apples are red"}
{"id":"2","title":"Pears","body":"pears are green, and apples are not"}
{"id":"3","title":"Plums","body":"plums are blue"}
`,
		"queries.jsonl": `{"id":"a","text":"red apples"}
{"id":"b","text":"pears"}
{"id":"unjudged","text":"plums"}
`,
		"qrels.tsv": "query_id\tdoc_id\tgain\na\t2\t1\nb\t2\t1\nb\t3\t1\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var out, errOut bytes.Buffer
	p := program{out: &out, errOut: &errOut, getenv: func(string) string { return "" }, now: time.Now}
	c := p.relevanceCommand()
	c.SetArgs([]string{dir, "--json"})
	require.NoError(t, c.ExecuteContext(t.Context()), errOut.String())
	var r relevance
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	assert.Equal(t, 3, r.Documents)
	assert.Equal(t, 2, r.Questions)
	// a: the one relevant page is second; b: one of two, first.
	assert.InDelta(t, (1/1.58496+1/(1+1/1.58496))/2, r.NDCG, 1e-3)
	assert.InDelta(t, 0.75, r.Recall, 1e-9)
}

func TestRelevanceNamesWhatIsMissing(t *testing.T) {
	p := program{out: &bytes.Buffer{}, now: time.Now}
	c := p.relevanceCommand()
	c.SetArgs([]string{t.TempDir()})
	c.SilenceUsage, c.SilenceErrors = true, true
	assert.ErrorContains(t, c.ExecuteContext(t.Context()), "qrels.tsv")
}
