package index_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// shared finds what stands beside the repository, empty where it is not there.
func shared(t testing.TB, names ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(append([]string{dir, "..", "shared"}, names...)...)
			if _, err := os.Stat(path); err == nil {
				return path
			}
			return ""
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

func eachLine(t testing.TB, path string, each func([]byte)) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		r, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 8<<20)
	for s.Scan() {
		each(s.Bytes())
	}
	require.NoError(t, s.Err())
}

// TestTheRankingIsGood guards against regressions: nothing was tuned on the
// test half, whose figure is the bar.
func TestTheRankingIsGood(t *testing.T) {
	dir := shared(t, "relevance", "scifact")
	if dir == "" {
		t.Skip("LOUD: ../shared/relevance is absent, THE RANKING WAS NOT MEASURED")
	}
	var all []mirror.Page
	ids := map[string]uint32{}
	eachLine(t, filepath.Join(dir, "docs.jsonl.gz"), func(line []byte) {
		var d struct{ ID, Title, Body string }
		require.NoError(t, json.Unmarshal(line, &d))
		ids[d.ID] = uint32(len(all) + 1)
		all = append(all, page(ids[d.ID], d.Title, d.Body))
	})
	x := followed(t, newPages(all...))
	v := newRights(t, uint32(len(all))).view("ann")
	train := judged(t, x, v, dir, "-train", ids)
	test := judged(t, x, v, dir, "", ids)
	t.Logf("nDCG@10: train %.4f, test %.4f", train, test)
	assert.GreaterOrEqual(t, test, 0.685)
}

func judged(t *testing.T, x *index.Index, v *guard.View, dir, half string, ids map[string]uint32) float64 {
	t.Helper()
	gains := map[string]map[uint32]float64{}
	eachLine(t, filepath.Join(dir, "qrels"+half+".tsv"), func(line []byte) {
		f := strings.Split(string(line), "\t")
		gain, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return
		}
		if gains[f[0]] == nil {
			gains[f[0]] = map[uint32]float64{}
		}
		gains[f[0]][ids[f[1]]] = gain
	})
	var sum float64
	n := 0
	eachLine(t, filepath.Join(dir, "queries"+half+".jsonl"), func(line []byte) {
		var q struct{ ID, Text string }
		require.NoError(t, json.Unmarshal(line, &q))
		var got, best float64
		for i, idx := range found(t, x, v, index.Query{Text: q.Text}) {
			got += gains[q.ID][idx] / math.Log2(float64(i)+2)
		}
		var ideal []float64
		for _, g := range gains[q.ID] {
			ideal = append(ideal, g)
		}
		slices.Sort(ideal)
		slices.Reverse(ideal)
		for i, g := range ideal[:min(10, len(ideal))] {
			best += g / math.Log2(float64(i)+2)
		}
		sum += got / best
		n++
	})
	return sum / float64(n)
}
