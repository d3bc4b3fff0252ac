package markup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

// A picture takes its caption with it, so taking it out names both.
func TestACaptionIsNotLostUnnamed(t *testing.T) {
	const picture = `<ac:image><ri:attachment ri:filename="pump.png" /><ac:caption><p>The old pump</p></ac:caption></ac:image>`
	const base = `<p>Before.</p>` + picture + `<p>After.</p>`
	md := shownWith(t, base, markup.View{}).Text
	lines := strings.Split(md, "\n\n")
	require.Len(t, lines, 4, md)
	without := lines[0] + "\n\n" + lines[2] + "\n\n" + lines[3]
	for name, allow := range map[string][]string{"nothing": nil, "the picture": {"image", "attachment"}} {
		_, err := markup.WriteMarkdown(base, without, markup.Options{AllowLoss: allow})
		var e *markup.Error
		require.ErrorAs(t, err, &e, name)
		assert.Contains(t, strings.Join(e.Candidates, "; "), "caption (1)", name)
	}
	r, err := markup.WriteMarkdown(base, without, markup.Options{AllowLoss: []string{"image", "attachment", "caption"}})
	require.NoError(t, err)
	assert.NotContains(t, r.Storage, "pump.png")

	r, err = markup.WriteMarkdown(base, strings.Replace(md, "old", "new", 1), markup.Options{})
	require.NoError(t, err, "what a caption says may change")
	assert.Equal(t, strings.Replace(base, "old", "new", 1), r.Storage)
	assert.Empty(t, markup.Losses(base, strings.Replace(base, picture, `<ac:image><ri:attachment ri:filename="pump.png" /><ac:caption><p>Other</p></ac:caption></ac:image>`, 1)))
}
