package markup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

// Throughput must not fall with size: 60k, 400k and 1.5 MB are the same page
// repeated.
func BenchmarkMarkdown(b *testing.B) {
	docs := corpus(b, ".xml")
	for _, name := range []string{"large-60k", "large-400k", "large-1500k"} {
		s := docs["synthetic/"+name+".xml"]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			var text string
			for b.Loop() {
				d, err := markup.Parse(s)
				require.NoError(b, err)
				text = d.Markdown(markup.View{}).Text
			}
			require.Greater(b, len(text), len(s)/4, "the whole page")
		})
	}
}

func BenchmarkPatch(b *testing.B) {
	s := corpus(b, ".xml")["synthetic/large-1500k.xml"]
	s = strings.Replace(s, "reviewed", "uniquely-reviewed", 1)
	edits := []markup.Edit{{Op: "replace_text", Find: "uniquely-reviewed", Replace: "changed"}}
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	var patched markup.Result
	for b.Loop() {
		var err error
		patched, err = markup.ApplyEdits(s, edits, markup.Options{})
		require.NoError(b, err)
	}
	require.Contains(b, patched.Storage, "changed")
}
