package retrieve_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/retrieve"
)

// BenchmarkQuery is a whole answer of ten results, from pages of about 6 kB.
func BenchmarkQuery(b *testing.B) {
	x := fresh(b)
	var docs []doc
	for i := range 500 {
		var s strings.Builder
		for h := range 8 {
			fmt.Fprintf(&s, "<h2>Part %d of %d</h2>", h, i)
			for range 4 {
				fmt.Fprintf(&s, "<p>The <strong>pump</strong> number %d is restarted by the <a href=\"https://acme.test/x\">operator</a> on duty, then its seal and valve are checked twice before the line runs again.</p>", i)
			}
		}
		docs = append(docs, doc{id: fmt.Sprint(1000 + i), title: fmt.Sprintf("Pump %d", i), storage: s.String(), clause: free})
	}
	x.sync(1, eng, staff, docs...)
	b.ResetTimer()
	for b.Loop() {
		a, err := x.Query(x.ctx, caller("bob"), retrieve.Question{Text: "restart pump valve", Limit: 10})
		require.NoError(b, err)
		require.Len(b, a.Results, 10)
	}
}
