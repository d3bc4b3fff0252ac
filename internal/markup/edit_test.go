package markup_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/markup"
)

const runbook = `<h1>Guide</h1><p>Intro with <strong>bold</strong> and <ac:inline-comment-marker ac:ref="c1">comment</ac:inline-comment-marker>.</p>` +
	`<h2>Steps</h2><p>Call the team.</p><ul><li><p>first</p></li><li><p>second</p></li></ul>` +
	`<h2>Data</h2><table><tbody><tr><th><p>Name</p></th><th><p>Port</p></th></tr><tr><td><p>api</p></td><td><p>80</p></td></tr><tr><td><p>db</p></td><td><p>5432</p></td></tr></tbody></table>` +
	`<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>buy milk</ac:task-body></ac:task></ac:task-list>` +
	`<p>State <ac:structured-macro ac:name="status" ac:schema-version="1" ac:macro-id="m1"><ac:parameter ac:name="title">OPEN</ac:parameter><ac:parameter ac:name="colour">Red</ac:parameter></ac:structured-macro> now.</p>` +
	`<ac:structured-macro ac:name="details" ac:schema-version="1"><ac:rich-text-body><table><tbody><tr><th><p>Owner</p></th><td><p>Ann</p></td></tr></tbody></table></ac:rich-text-body></ac:structured-macro>`

// handleOf finds the handle of the block that shows a text.
func handleOf(t *testing.T, storage, kind, text string) string {
	t.Helper()
	d, err := markup.Parse(storage)
	require.NoError(t, err)
	for _, b := range d.Markdown(markup.View{}).Blocks {
		if b.Kind == kind && strings.Contains(b.Text, text) {
			return b.Handle
		}
	}
	t.Fatalf("no %s with %q", kind, text)
	return ""
}

func TestEdits(t *testing.T) {
	h := func(kind, text string) string { return handleOf(t, runbook, kind, text) }
	for _, c := range []struct{ name, edits, old, new string }{
		{"replace_text across marks keeps them", `[{"op":"replace_text","find":"Intro with bold and comment","replace":"Intro with bold and remark"}]`, ">comment<", ">remark<"},
		{"replace_text inside a mark", `[{"op":"replace_text","find":"bold","replace":"strong"}]`, "<strong>bold", "<strong>strong"},
		{"replace_text with Markdown signs", `[{"op":"replace_text","find":"with **bold** and","replace":"with *bold* and"}]`, "<strong>bold</strong>", "<em>bold</em>"},
		{"replace_text within a section", `[{"op":"replace_text","find":"the","replace":"our","within":"Steps"}]`, "Call the", "Call our"},
		{"replace_section keeps its heading", `[{"op":"replace_section","heading":"Steps","markdown":"Call the team.\n\n- first\n- third"}]`, "<p>second</p>", "<p>third</p>"},
		{"append to the page", `[{"op":"append","markdown":"The end."}]`, "", "<p>The end.</p>"},
		{"append to a section", `[{"op":"append","to":"Steps","markdown":"Done."}]`, "<h2>Data", "<p>Done.</p><h2>Data"},
		{"insert before a heading", `[{"op":"insert","before":"Data","markdown":"## Extra"}]`, "<h2>Data", "<h2>Extra</h2><h2>Data"},
		{"insert an item", `[{"op":"insert","after":"` + h("item", "") + `","markdown":"- between"}]`, "<li><p>second", "<li><p>between</p></li><li><p>second"},
		{"delete a block", `[{"op":"delete","handle":"` + h("paragraph", "Call the") + `"}]`, "<p>Call the team.</p>", ""},
		{"set_cell", `[{"op":"set_cell","table":"Data","row":"db","column":"Port","markdown":"5433"}]`, "5432", "5433"},
		{"add_row", `[{"op":"add_row","table":"Data","markdown":"| cache | 6379 |"}]`, "</p></td></tr></tbody></table><ac:task-list>", "</p></td></tr><tr><td><p>cache</p></td><td><p>6379</p></td></tr></tbody></table><ac:task-list>"},
		{"set_task", `[{"op":"set_task","handle":"` + h("task", "") + `","done":true}]`, "incomplete", "complete"},
		{"set_status", `[{"op":"set_status","handle":"` + h("paragraph", "State") + `","title":"DONE","colour":"Green"}]`, `title">OPEN</ac:parameter><ac:parameter ac:name="colour">Red`, `title">DONE</ac:parameter><ac:parameter ac:name="colour">Green`},
		{"set_property", `[{"op":"set_property","key":"Owner","markdown":"Bob"}]`, ">Ann<", ">Bob<"},
		{"set_property adds a line", `[{"op":"set_property","key":"Team","markdown":"Blue"}]`, "Ann</p></td></tr>", "Ann</p></td></tr><tr><th><p>Team</p></th><td><p>Blue</p></td></tr>"},
		{"several at once", `[{"op":"replace_text","find":"team","replace":"crew"},{"op":"set_cell","table":"Data","row":"2","column":"1","markdown":"dbs"}]`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var edits []markup.Edit
			require.NoError(t, json.Unmarshal([]byte(c.edits), &edits))
			r, err := markup.ApplyEdits(runbook, edits, markup.Options{})
			require.NoError(t, err)
			assert.True(t, r.Changed)
			assert.NotEmpty(t, r.Diff)
			assert.Contains(t, r.Storage, c.new)
			switch {
			case c.name == "append to the page":
				assert.Equal(t, runbook+c.new, r.Storage)
			case c.name == "several at once":
				assert.Equal(t, strings.NewReplacer("team", "crew", ">db<", ">dbs<").Replace(runbook), r.Storage)
			default:
				assert.Equal(t, strings.Replace(runbook, c.old, c.new, 1), r.Storage)
			}
		})
	}
}

func TestMoveTakesTheBytesAlong(t *testing.T) {
	edits := []markup.Edit{{Op: "move", Handle: "Data", Before: "Steps"}}
	r, err := markup.ApplyEdits(runbook, edits, markup.Options{})
	require.NoError(t, err)
	assert.Len(t, r.Storage, len(runbook))
	assert.Less(t, strings.Index(r.Storage, "<h2>Data"), strings.Index(r.Storage, "<h2>Steps"))
}

func TestEditsAreRefused(t *testing.T) {
	twice := `<h2>A</h2><p>same text</p><h2>B</h2><p>same text</p><h2>B</h2><ac:structured-macro ac:name="drawio"><ac:parameter ac:name="diagramName">Map</ac:parameter></ac:structured-macro>`
	for _, c := range []struct{ name, edits, code string }{
		{"unknown operation", `[{"op":"explode"}]`, "markup.invalid"},
		{"nothing to do", `[]`, "markup.invalid"},
		{"text that is not there", `[{"op":"replace_text","find":"nowhere","replace":"x"}]`, "markup.not_found"},
		{"ambiguous text", `[{"op":"replace_text","find":"same text","replace":"x"}]`, "markup.ambiguous"},
		{"ambiguous heading", `[{"op":"replace_section","heading":"B","markdown":"x"}]`, "markup.ambiguous"},
		{"unknown handle", `[{"op":"delete","handle":"baaaaaaaa"}]`, "markup.not_found"},
		{"two edits of one place", `[{"op":"replace_text","find":"same","replace":"x","occurrence":1},{"op":"delete","section":"A"}]`, "markup.overlap"},
		{"two edits of one word", `[{"op":"replace_text","find":"same","replace":"x","occurrence":1},{"op":"replace_text","find":"same","replace":"y","occurrence":1}]`, "markup.overlap"},
		{"a section with a diagram", `[{"op":"delete","section":"` + handleOf(t, twice, "heading", "B") + `"},{"op":"replace_section","heading":"zzz","markdown":""}]`, "markup.not_found"},
		{"a forbidden macro", "[{\"op\":\"append\",\"markdown\":\"```confluence-storage\\n<ac:structured-macro ac:name=\\\"html\\\"/>\\n```\"}]", "markup.refused"},
		{"a raw fence that does not parse", "[{\"op\":\"append\",\"markdown\":\"```confluence-storage\\n<p>x\\n```\"}]", "markup.malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var edits []markup.Edit
			require.NoError(t, json.Unmarshal([]byte(c.edits), &edits))
			r, err := markup.ApplyEdits(twice, edits, markup.Options{})
			var e *markup.Error
			require.True(t, errors.As(err, &e), "%v %s", err, r.Storage)
			assert.Equal(t, c.code, e.Code, e.Error())
			assert.Empty(t, r.Storage)
		})
	}
}

func TestBrokenStorageIsReadAndNotEdited(t *testing.T) {
	const broken = "<p>one</p>\n<p>two <b>three</p>"
	d, err := markup.Parse(broken)
	var e *markup.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, "markup.malformed", e.Code)
	assert.Equal(t, 2, e.Line)
	assert.Contains(t, d.Markdown(markup.View{}).Text, "two **three**")
	_, err = markup.WriteMarkdown(broken, "x", markup.Options{})
	assert.ErrorAs(t, err, &e)
	_, err = markup.ApplyEdits(broken, []markup.Edit{{Op: "append", Markdown: "x"}}, markup.Options{})
	assert.ErrorAs(t, err, &e)
}

func TestElisionIsRefused(t *testing.T) {
	md := shown(t, runbook)
	long := runbook + strings.Repeat("<p>many more words on this page</p>", 10)
	for _, edited := range []string{
		"# Guide\n\n... rest unchanged ...\n", "# Guide\n\n<!-- rest of the page unchanged -->\n", "# Guide\n\n[... existing content ...]\n", strings.Replace(md, "Call the team.", "(unchanged)", 1),
	} {
		_, err := markup.WriteMarkdown(runbook, edited, markup.Options{AllowLoss: []string{"macro", "comment", "task"}})
		var e *markup.Error
		require.True(t, errors.As(err, &e), edited)
		assert.Equal(t, "markup.elision", e.Code, edited)
	}
	_, err := markup.WriteMarkdown(long, "# Guide\n\nShort.\n", markup.Options{})
	var e *markup.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, "markup.elision", e.Code)
	assert.NotEmpty(t, e.Candidates)
}

// TestMissingSectionNamesTheHeadings holds that who names a heading that is not
// there is told which are, in a length that fits an error, and what to do.
func TestMissingSectionNamesTheHeadings(t *testing.T) {
	replace := []markup.Edit{{Op: "replace_section", Heading: "Nowhere", Markdown: "x"}}
	missing := func(page string) *markup.Error {
		_, err := markup.ApplyEdits(page, replace, markup.Options{})
		var e *markup.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "markup.not_found", e.Code)
		return e
	}
	e := missing("<h1>Guide</h1><h2>Steps</h2><p>a</p>")
	assert.Contains(t, e.Message, `no heading matches "Nowhere"; the page has`)
	require.Len(t, e.Candidates, 2)
	assert.Regexp(t, `^b[a-z0-9]+ Guide > Steps$`, e.Candidates[1])
	assert.Equal(t, "Name one of them, by its text or by the handle before it.", e.Next)

	handle, _, _ := strings.Cut(e.Candidates[1], " ")
	_, err := markup.ApplyEdits("<h1>Guide</h1><h2>Steps</h2><p>a</p>", []markup.Edit{{Op: "replace_section", Heading: handle, Markdown: "x"}}, markup.Options{})
	assert.NoError(t, err, "what the error names is accepted")

	e = missing("<p>just text</p>")
	assert.Empty(t, e.Candidates)
	assert.Contains(t, e.Message, "the page has no headings")

	e = missing(strings.Repeat("<h1>"+strings.Repeat("long ", 200)+"</h1><p>a</p>", 500))
	assert.Len(t, e.Candidates, 10)
	assert.Contains(t, e.Next, "the other 490")
	assert.Less(t, len(e.Error()), 2000)
}

func TestEditsAreAtMostSoMany(t *testing.T) {
	edits := make([]markup.Edit, markup.MaxEdits+1)
	for i := range edits {
		edits[i] = markup.Edit{Op: "append", Markdown: "x"}
	}
	_, err := markup.ApplyEdits("<p>a</p>", edits, markup.Options{})
	var e *markup.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "between 1 and 100 edits are possible, not 101", e.Message)
	_, err = markup.ApplyEdits("<p>a</p>", edits[:markup.MaxEdits], markup.Options{})
	require.NoError(t, err)
}
