package markup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

func shown(t testing.TB, storage string) string {
	t.Helper()
	d, err := markup.Parse(storage)
	require.NoError(t, err)
	return d.Markdown(markup.View{}).Text
}

func TestUnchangedMarkdownWritesTheSameBytes(t *testing.T) {
	for name, s := range corpus(t, ".xml") {
		d, err := markup.Parse(s)
		if err != nil {
			continue
		}
		r, err := markup.WriteMarkdown(s, d.Markdown(markup.View{}).Text, markup.Options{})
		require.NoError(t, err, name)
		assert.False(t, r.Changed, name)
		assert.True(t, s == r.Storage, name)
	}
}

func TestAddingAParagraphLeavesEveryOtherByteAlone(t *testing.T) {
	for name, s := range corpus(t, ".xml") {
		d, err := markup.Parse(s)
		if err != nil || strings.Contains(name, "large-") {
			continue
		}
		md := d.Markdown(markup.View{}).Text
		r, err := markup.WriteMarkdown(s, md+"\nAn appended paragraph.\n", markup.Options{})
		if !assert.NoError(t, err, name) {
			continue
		}
		assert.True(t, s == strings.Replace(r.Storage, "<p>An appended paragraph.</p>", "", 1), name)
	}
}

// A bold line before a fence is the title of the code where it names a file, and
// nothing else.
func TestTheTitleOfACodeBlock(t *testing.T) {
	for md, title := range map[string]string{
		"**main.go**\n\n```go\nx\n```\n":              "main.go",
		"**See (`main.go`):**\n\n```go\nx\n```\n":     "",
		"**例（`otel.sampler=x`）:**\n\n```go\nx\n```\n": "",
		"***main.go***\n\n```go\nx\n```\n":            "",
		"**main.go** is it\n\n```go\nx\n```\n":        "",
	} {
		s, err := markup.FromMarkdown(md, markup.Options{})
		require.NoError(t, err)
		if title == "" {
			assert.NotContains(t, s, `ac:name="title"`, md)
			assert.Contains(t, s, "<strong>", md)
			continue
		}
		assert.Contains(t, s, `<ac:parameter ac:name="title">`+title+"<", md)
	}
}
