package markup_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
	"confluence-mcp/internal/markup/storage"
)

// seeds are small documents of every kind the parser and renderer tell apart.
func seeds() []string {
	return []string{
		"", "text", "<p>a</p>", "<p>a<br/>b</p>", runbook,
		"<p>a &amp; b &nbsp;c &hellip; <strong>x </strong>y</p><h2>H<br/>i</h2>",
		"<ul><li>a<ul><li>b</li></ul></li></ul><ol start=\"3\"><li><p>c</p></li></ol>",
		`<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">go</ac:parameter><ac:plain-text-body><![CDATA[a ]]]]><![CDATA[> b]]></ac:plain-text-body></ac:structured-macro>`,
		`<ac:layout><ac:layout-section><ac:layout-cell><p>x</p></ac:layout-cell></ac:layout-section></ac:layout>`,
		`<p><ac:inline-comment-marker ac:ref="r">w<strong>o</strong></ac:inline-comment-marker><strong>rd</strong></p>`,
		`<table><tbody><tr><th>a</th></tr><tr><td rowspan="2"><p>b</p><ul><li>c</li></ul></td></tr></tbody></table>`,
		`<p><ac:link><ri:user ri:account-id="u"/></ac:link> <time datetime="2026-01-01"/> <ac:emoticon ac:name="tick"/></p><hr/><blockquote>q</blockquote>`,
		`<ac:structured-macro ac:name="x"><ac:rich-text-body><p>in</p></ac:rich-text-body></ac:structured-macro><ac:structured-macro ac:name="toc"/>`,
		"<p>open<b>never</p>", "<p>&bad;</p>", "<!DOCTYPE x>", "<![CDATA[", "\xff", "<a b='c'>", "<p\u200b>zero\u200bwidth</p>",
	}
}

// Every node lies inside its parent and after its elder brother, whatever was read.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tree := storage.Parse(s)
		var walk func(n *storage.Node)
		walk = func(n *storage.Node) {
			require.True(t, n.Start <= n.OpenEnd && n.OpenEnd <= n.CloseStart && n.CloseStart <= n.End, "%+v", n)
			at := n.OpenEnd
			for k := n.First; k != nil; k = k.Next {
				require.True(t, k.Start >= at && k.End <= n.End && k.Parent == n, "%+v in %+v", k, n)
				at = k.End
				walk(k)
			}
		}
		walk(tree.Root)
	})
}

// What is shown is valid text, and writing it back unchanged changes nothing.
func FuzzRender(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := markup.Parse(s)
		md := d.Markdown(markup.View{})
		require.True(t, utf8.ValidString(md.Text))
		for _, b := range md.Blocks {
			require.True(t, 0 <= b.Start && b.Start <= b.End && b.End <= len(md.Text))
		}
		if err != nil {
			return
		}
		r, err := markup.WriteMarkdown(s, md.Text, markup.Options{})
		require.NoError(t, err)
		require.False(t, r.Changed)
	})
}

// An edit is refused or gives valid storage that holds the new words.
func FuzzEdit(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, "a", "new words")
	}
	f.Fuzz(func(t *testing.T, s, find, replace string) {
		r, err := markup.ApplyEdits(s, []markup.Edit{{Op: "replace_text", Find: find, Replace: replace, All: true}}, markup.Options{})
		if err == nil {
			require.NoError(t, markup.Validate(r.Storage, s))
		}
	})
}

// Whatever Markdown is written onto whatever page is refused or gives valid
// storage, and no comment marker is lost without a word.
func FuzzApply(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, "# New\n\n- [ ] task\n\n> [!NOTE]\n> text\n\n| a | b |\n| --- | --- |\n| c | `d` |\n")
		f.Add(s, "a **b** [@u](confluence:user/u)\n\n```confluence-storage\n<p>x</p>\n```\n\n<details>\n<summary>t</summary>\n\nx\n\n</details>\n")
	}
	f.Fuzz(func(t *testing.T, s, md string) {
		if out, err := markup.FromMarkdown(md, markup.Options{}); err == nil {
			require.NoError(t, markup.Validate(out, ""))
		}
		r, err := markup.WriteMarkdown(s, md, markup.Options{AllowLoss: []string{"elision"}})
		if err == nil {
			require.NoError(t, markup.Validate(r.Storage, s))
			require.Empty(t, markup.Losses(s, r.Storage))
		}
	})
}
