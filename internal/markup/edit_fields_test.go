package markup_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

func TestAnEditTakesTheFieldsOfItsOperation(t *testing.T) {
	const base = "<h1>A</h1><p>One.</p>"
	for _, x := range []markup.Edit{
		{Op: "append", Markdown: "x", After: "A"},
		{Op: "replace_text", Find: "One", Replace: "Two", Heading: "A", Row: "1"},
		{Op: "delete", Section: "A", Markdown: "x"},
		{Op: "move", Handle: "A", After: "A", To: "page"},
	} {
		_, err := markup.ApplyEdits(base, []markup.Edit{x}, markup.Options{})
		var e *markup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "markup.invalid", e.Code)
		assert.Contains(t, e.Message, x.Op+" takes no ")
		assert.Contains(t, e.Next, "It takes ")
	}
	_, err := markup.ApplyEdits(base, []markup.Edit{{Op: "append", Markdown: "x"}, {Op: "replace_text", Find: "One", Replace: "Two", Heading: "A", Row: "1"}}, markup.Options{})
	assert.ErrorContains(t, err, "edit 2 (replace_text): replace_text takes no heading and no row")
}
