package tools_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/tools"
)

// stored is the page as Confluence keeps it, past the tools.
func (d *desk) stored(id string) confluence.Page {
	d.t.Helper()
	site, err := d.cfg.Sites.For(context.Background(), d.who)
	require.NoError(d.t, err)
	p, err := site.Page(context.Background(), id, confluence.PageOptions{Format: confluence.Storage})
	require.NoError(d.t, err)
	return p
}

// writesTo counts the requests that would change something.
func writesTo(e *emulatortest.Emulator) int {
	n := 0
	for _, r := range e.Requests(0) {
		if r.Method != "GET" && r.Method != "HEAD" && !strings.HasSuffix(r.Path, "/users-bulk") {
			n++
		}
	}
	return n
}

// meanwhile runs something between the moment a change was worked out and the
// moment it is made.
type meanwhile struct {
	record
	do func()
}

func (m *meanwhile) Begin(ctx context.Context, e audit.Entry) (int64, error) {
	if do := m.do; do != nil && e.Write {
		m.do = nil
		do()
	}
	return m.record.Begin(ctx, e)
}

// An inline comment changes the body without a new version. It survives an
// edit next to it, whether it was there before or came in between.
func TestAnInlineCommentSurvivesAnEditNextToIt(t *testing.T) {
	log := &meanwhile{}
	d, _ := emulated(t, "u-ann", func(c *tools.Config) { c.Log = log })
	body := "# Start\n\nTurn the key twice. Say hello.\n\nWait for the lamp."
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Gateway", "body": body})
	id := out["id"].(string)
	_, out = d.ok("add_comment", args{"page_id": id, "body": "Which?", "inline_text": "the key"})
	first := out["id"].(string)
	require.Equal(t, 1, d.stored(id).Version.Number, "a comment makes no version")
	require.Contains(t, d.stored(id).Body, ">the key</ac:inline-comment-marker>")

	log.do = func() {
		d.ok("add_comment", args{"page_id": id, "body": "How long?", "inline_text": "the lamp"})
	}
	_, _ = d.ok("update_page", args{"page_id": id, "base_version": 1, "edits": []args{{"op": "replace_text", "find": "key twice", "replace": "key once"}, {"op": "replace_text", "find": "Wait for", "replace": "Watch"}}})
	_, _ = d.ok("update_page", args{"page_id": id, "base_version": 2, "body": strings.NewReplacer("key twice", "key slowly", "hello", "good morning", "Wait for", "Look at").Replace(body)})
	is := d.stored(id).Body
	assert.Contains(t, is, ">the key</ac:inline-comment-marker> slowly")
	assert.Contains(t, is, "Look at <ac:inline-comment-marker")
	assert.Contains(t, is, ">the lamp</ac:inline-comment-marker>")
	_, out = d.ok("get_comments", args{"page_id": id})
	open := map[string]any{}
	for _, c := range out["comments"].([]any) {
		row := c.(map[string]any)
		open[fmt.Sprint(row["comment_id"])] = row["resolution"]
	}
	assert.Len(t, open, 2)
	assert.Equal(t, "open", open[first])

	e := d.fails("input.loss", "update_page", args{"page_id": id, "base_version": 3, "edits": []args{{"op": "delete", "section": "Start"}}})
	assert.Contains(t, e.Message, "comment")
	d.ok("update_page", args{"page_id": id, "base_version": 3, "edits": []args{{"op": "append", "markdown": "Done."}}})
	d.ok("add_comment", args{"page_id": id, "body": "Really?", "inline_text": "Done"})
	e = d.fails("input.loss", "update_page", args{"page_id": id, "base_version": 4, "undo": true})
	assert.Contains(t, e.Message, "1 inline comments")
	d.ok("update_page", args{"page_id": id, "base_version": 4, "undo": true, "allow_loss": []string{"comment"}})
	assert.Equal(t, is, d.stored(id).Body)
}

// What two people do to different blocks both stands; the same block is a
// conflict that names it, and nothing is lost.
func TestTwoEditorsOfOnePage(t *testing.T) {
	d, e := emulated(t, "u-ann")
	body := "# One\n\nThe first paragraph is here.\n\n# Two\n\nThe second paragraph is there."
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Shared", "body": body})
	id := out["id"].(string)
	edit := func(find, replace string) args {
		return args{"page_id": id, "base_version": 1, "edits": []args{{"op": "replace_text", "find": find, "replace": replace}}}
	}
	d.ok("update_page", edit("first", "very first"))
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 1, "body": strings.Replace(body, "second", "last", 1)})
	assert.Equal(t, float64(3), out["version"])
	assert.Contains(t, out["notes"].([]any)[0], "from version 1 to 2")
	assert.Equal(t, "<h1>One</h1><p>The very first paragraph is here.</p><h1>Two</h1><p>The last paragraph is there.</p>", d.stored(id).Body)

	before := writesTo(e)
	was := d.stored(id)
	for _, a := range []args{edit("first", "initial"), {"page_id": id, "base_version": 1, "body": strings.Replace(body, "first", "initial", 1)}} {
		stale := d.fails("conflict", "update_page", a)
		assert.Contains(t, stale.Message, "The first paragraph is here.")
		assert.Contains(t, stale.Next, "at version 3 now")
	}
	ahead := d.fails("conflict", "update_page", args{"page_id": id, "base_version": 9, "edits": []args{{"op": "append", "markdown": "x"}}})
	assert.NotContains(t, ahead.Next, "diff", "a version that is not there has no diff")
	assert.Contains(t, ahead.Next, "There is no version 9 yet")
	assert.Equal(t, was, d.stored(id))
	same, _ := d.ok("update_page", args{"page_id": id, "base_version": 3, "title": was.Title})
	assert.NotContains(t, same.Text, "Done", "nothing was done")
	assert.Equal(t, before, writesTo(e))

	_, out = d.ok("update_page", args{"page_id": id, "base_version": 1, "dry_run": true, "edits": []args{{"op": "append", "markdown": "More."}}})
	assert.Equal(t, float64(4), out["new_version"])
	assert.Equal(t, before, writesTo(e))
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 1, "undo": false, "edits": []args{{"op": "append", "markdown": "More."}}})
	_, out = d.ok("update_page", args{"page_id": id, "base_version": out["version"], "undo": true})
	assert.Equal(t, was.Body, d.stored(id).Body, "only the own change was taken back")
}

// Editors who save at the same moment, each a paragraph of their own.
func TestEditorsWhoSaveAtOnce(t *testing.T) {
	d, _ := emulated(t, "u-ann")
	const editors = 4
	var body strings.Builder
	for i := range editors {
		fmt.Fprintf(&body, "Paragraph of editor%d.\n\n", i)
	}
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Crowded", "body": body.String()})
	id := out["id"].(string)
	results := make([]tools.Result, editors)
	var all sync.WaitGroup
	for i := range editors {
		all.Go(func() {
			results[i] = d.call("update_page", args{"page_id": id, "base_version": 1, "edits": []args{{"op": "replace_text", "find": fmt.Sprintf("editor%d", i), "replace": fmt.Sprintf("writer%d", i)}}})
		})
	}
	all.Wait()
	for i, r := range results {
		assert.False(t, r.IsError, "%d: %s", i, r.Text)
	}
	p := d.stored(id)
	assert.Equal(t, 1+editors, p.Version.Number)
	for i := range editors {
		assert.Contains(t, p.Body, fmt.Sprintf("<p>Paragraph of writer%d.</p>", i))
	}
}

// A page that was renamed on both sides is a conflict; renamed on one side the
// other's change goes on.
func TestARenameAndAnEdit(t *testing.T) {
	d, _ := emulated(t, "u-ann")
	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Old name", "body": "One.\n\nTwo."})
	id := out["id"].(string)
	d.ok("update_page", args{"page_id": id, "base_version": 1, "title": "New name"})
	d.ok("update_page", args{"page_id": id, "base_version": 1, "edits": []args{{"op": "replace_text", "find": "One", "replace": "1"}}})
	assert.Equal(t, "New name", d.stored(id).Title)
	d.fails("conflict", "update_page", args{"page_id": id, "base_version": 1, "title": "Third name", "edits": []args{{"op": "replace_text", "find": "Two", "replace": "2"}}})
	d.fails("conflict", "update_page", args{"page_id": id, "base_version": 1, "title": "Third name"})
}
