package rest_test

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// TestJ04_DeepDocuments has Confluence answer with the editor's JSON nested
// absurdly deep. No tool asks for that format; where it comes all the same it is
// read past or refused, in bounds.
func TestJ04_DeepDocuments(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat(`{"type":"doc","content":[`, depth) + strings.Repeat(`]}`, depth)
	}
	with := func(members string) string {
		return strings.Replace(pageSeven, `"status":"current",`, `"status":"current",`+members+",", 1)
	}
	for name, tc := range map[string]struct {
		answer string
		fails  bool
	}{
		"a document in a string, as Confluence sends it": {with(`"adf":` + strconv.Quote(nested(10_001))), false},
		"a document beside the storage":                  {with(`"adf":` + nested(1_000)), false},
		"deeper than is read":                            {with(`"adf":` + nested(10_001)), true},
		"deeper by far":                                  {with(`"adf":` + nested(100_001)), true},
		"in the place of a title":                        {with(`"title":` + nested(10_001)), true},
		"without an end":                                 {`{"id":"7","adf":` + strings.Repeat("[", 1_000_000), true},
		"of nothing but openings":                        {strings.Repeat(`{"a":`, 1_000_000), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/pages/7") {
					reply(w, 200, tc.answer)
					return
				}
				onePage(w, r)
			})
			c := f.client(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			p, err := c.Page(ctx, "7", confluence.PageOptions{})
			assert.Less(t, time.Since(began), time.Minute, "a level is not read again for each above it")
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "five attempts together")
			for _, r := range f.requests() {
				assert.NotContains(t, r.URL.RawQuery, "atlas_doc_format")
			}
			if !tc.fails {
				require.NoError(t, err)
				assert.Equal(t, "Seven", p.Title)
				return
			}
			e := problem(t, err)
			assert.Contains(t, []string{"net.not_confluence", "limit.too_large"}, e.StableCode(), e.Message)
			assert.NotEmpty(t, e.Next)
			assert.Less(t, len(e.Error()), 1000, "the document is not in the error")
		})
	}
}
