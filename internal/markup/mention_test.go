package markup_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

const mentionAnn, mentionBob = `<ac:link><ri:user ri:account-id="u-ann" /></ac:link>`, `<ac:link><ri:user ri:account-id="557:u b" /></ac:link>`

var people = markup.View{UserName: func(id string) string {
	return map[string]string{"u-ann": "Ann Arbor", "557:u b": "Bob_B [x]"}[id]
}}

// withPeople is a page with mentions wherever they can stand.
const withPeople = `<h2>For ` + mentionAnn + `</h2><p>Ask ` + mentionAnn + ` or ` + mentionBob + ` today.</p>` +
	`<ul><li><p>` + mentionBob + `</p></li><li><p><strong>` + mentionAnn + `</strong> twice ` + mentionAnn + mentionAnn + `</p></li></ul>` +
	`<table><tbody><tr><th><p>Who</p></th><th><p>What</p></th></tr><tr><td><p>` + mentionAnn + `</p></td><td><p>All</p></td></tr></tbody></table>` +
	`<table><tbody><tr><td colspan="2"><p>` + mentionAnn + `</p></td></tr><tr><td><p>a</p></td><td><p>b</p></td></tr></tbody></table><p>End.</p>`

func shownWith(t *testing.T, stored string, v markup.View) markup.Rendered {
	t.Helper()
	d, err := markup.Parse(stored)
	require.NoError(t, err)
	return d.Markdown(v)
}

// What is read with names is written by whoever does not know them, and the
// other way round; nothing of it changes the page.
func TestNamesOfPeopleAreNoPartOfAWrite(t *testing.T) {
	views := map[string]markup.View{"without": {}, "with": people}
	for read, from := range views {
		for write, to := range views {
			t.Run("read "+read+", written "+write, func(t *testing.T) {
				md := shownWith(t, withPeople, from).Text
				r, err := markup.WriteMarkdown(withPeople, md, markup.Options{View: to})
				require.NoError(t, err)
				assert.False(t, r.Changed, r.Diff)

				r, err = markup.WriteMarkdown(withPeople, strings.ReplaceAll(md, "today", "tomorrow"), markup.Options{View: to})
				require.NoError(t, err)
				assert.Equal(t, strings.ReplaceAll(withPeople, "today", "tomorrow"), r.Storage)

				r, err = markup.WriteMarkdown(withPeople, strings.ReplaceAll(md, "End.", "End, [@Ann \\[A\\]](confluence:user/u-ann)."), markup.Options{View: to})
				require.NoError(t, err)
				assert.Equal(t, strings.ReplaceAll(withPeople, "End.", "End, "+mentionAnn+"."), r.Storage)
			})
		}
	}
}

func TestNamesOfPeopleAreShown(t *testing.T) {
	md := shownWith(t, withPeople, people).Text
	assert.Contains(t, md, `Ask [@Ann Arbor](confluence:user/u-ann) or [@Bob\_B \[x\]](confluence:user/557:u%20b) today.`)
	assert.Contains(t, md, `| [@Ann Arbor](confluence:user/u-ann) | All |`)
	assert.Contains(t, md, `<a href="confluence:user/u-ann">@Ann Arbor</a>`)
}

func TestHandlesDoNotDependOnNames(t *testing.T) {
	plain, named := shownWith(t, withPeople, markup.View{}).Blocks, shownWith(t, withPeople, people).Blocks
	require.Len(t, named, len(plain))
	for i := range plain {
		assert.Equal(t, plain[i].Handle, named[i].Handle, "%v", named[i])
	}
}

// Another mention is another person, whatever name stands beside it.
func TestTheAccountOfAMentionCounts(t *testing.T) {
	md := shownWith(t, `<p>Ask `+mentionAnn+`.</p>`, people).Text
	r, err := markup.WriteMarkdown(`<p>Ask `+mentionAnn+`.</p>`, strings.ReplaceAll(md, "u-ann", "u-cid"), markup.Options{AllowLoss: []string{"mention"}})
	require.NoError(t, err)
	assert.Equal(t, `<p>Ask <ac:link><ri:user ri:account-id="u-cid" /></ac:link>.</p>`, r.Storage)
	_, err = markup.WriteMarkdown(`<p>Ask `+mentionAnn+`.</p>`, "Ask nobody.", markup.Options{})
	require.Error(t, err)
}

// Text around a mention is replaced with the mention in the searched text.
func TestReplaceTextAcrossAMention(t *testing.T) {
	base := `<p>Ask ` + mentionAnn + ` today, or <time datetime="2026-03-14" /> at last.</p>`
	for _, c := range []struct{ find, replace, want string }{
		{"Ask @Ann Arbor today", "Call @Ann Arbor now", `<p>Call ` + mentionAnn + ` now, or <time datetime="2026-03-14" /> at last.</p>`},
		{"or 2026-03-14 at last", "and 2026-03-14 too", `<p>Ask ` + mentionAnn + ` today, and <time datetime="2026-03-14" /> too.</p>`},
		{"Ask [@Ann Arbor](confluence:user/u-ann) today", "Call [@Ann Arbor](confluence:user/u-ann) now", `<p>Call ` + mentionAnn + ` now, or <time datetime="2026-03-14" /> at last.</p>`},
	} {
		r, err := markup.ApplyEdits(base, []markup.Edit{{Op: "replace_text", Find: c.find, Replace: c.replace}}, markup.Options{View: people})
		if assert.NoError(t, err, c.find) {
			assert.Equal(t, c.want, r.Storage)
		}
	}
}
