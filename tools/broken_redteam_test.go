package tools_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestJ03_ABrokenPageIsShownWithAMark: a reader learns that content has a fault
// and where, in the text as in the fields; sound content has no mark.
func TestJ03_ABrokenPageIsShownWithAMark(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	shown, out := d.ok("get_page", args{"page_id": "11"})
	assert.NotContains(t, out, "conversion_error")
	assert.NotContains(t, shown.Text, "Conversion error")

	page := site.pages["11"]
	page.Body = "<p>before</p>\n<p>&nosuch; <b>open</p>"
	site.pages["11"] = page
	for _, mode := range []string{"markdown", "storage", "blocks"} {
		shown, out = d.ok("get_page", args{"page_id": "11", "mode": mode})
		assert.Contains(t, shown.Text, "before", mode)
		assert.Contains(t, shown.Text, "Conversion error at line 2, column 4", mode)
		fault, _ := out["conversion_error"].(map[string]any)
		require.NotNil(t, fault, mode)
		assert.EqualValues(t, 2, fault["line"], mode)
		assert.EqualValues(t, 4, fault["column"], mode)
		assert.Equal(t, "The stored page is not well-formed.", fault["message"], "no words of the page outside its fence")
	}
}
