package index_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
)

// TestRealPages: of a real wiki in three languages the index is not larger than
// the text, and pages are found in each.
func TestRealPages(t *testing.T) {
	dir := shared(t, "corpus", "wiki")
	if dir == "" {
		t.Skip("LOUD: ../shared/corpus/wiki is absent, NO REAL PAGE WAS INDEXED")
	}
	var all []mirror.Page
	size := 0
	eachLine(t, filepath.Join(dir, "pages.jsonl.gz"), func(line []byte) {
		var d struct {
			Title, Body, Space string
			Labels             []string
		}
		require.NoError(t, json.Unmarshal(line, &d))
		p := page(uint32(len(all)+1), d.Title, d.Body, d.Labels...)
		p.SpaceKey = d.Space
		all = append(all, p)
		size += len(d.Title) + len(d.Body)
	})
	folder, log := t.TempDir(), newPages(all...)
	x, err := index.Open(t.Context(), index.Config{Dir: folder, Log: log, Now: noon})
	require.NoError(t, err)
	require.NoError(t, x.Follow(t.Context()))
	require.NoError(t, x.Close())
	x = open(t, log, folder) // what was merged is removed by now
	v := newRights(t, uint32(len(all))).view("ann")
	ratio := float64(x.Status().Bytes) / float64(size)
	t.Logf("%d pages, index ÷ text %.2f", len(all), ratio)
	assert.LessOrEqual(t, ratio, 1.0)

	first := 0
	for i := 0; i < len(all); i += 7 {
		hits := found(t, x, v, index.Query{Text: all[i].Title, SpaceKey: all[i].SpaceKey})
		for _, h := range hits[:min(3, len(hits))] {
			if all[h-1].Title == all[i].Title {
				first++
				break
			}
		}
	}
	share := float64(first) / float64((len(all)+6)/7)
	t.Logf("%.3f of the pages are among the first three for their title", share)
	assert.Greater(t, share, 0.9)
}
