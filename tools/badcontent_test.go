package tools_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const twiceTable = `<h1>Start</h1><p>Turn the key. Turn it back.</p><h1>End</h1><p>Wait.</p><table><tbody><tr><th>Name</th><th>State</th></tr><tr><td>pump</td><td>on</td></tr></tbody></table>`

func withPage(t *testing.T, storage string) (*desk, func() int) {
	t.Helper()
	d, e := emulated(t, "u-ann")
	line, err := json.Marshal(map[string]any{"kind": "content", "id": "7001", "type": "page", "space": "ENG", "parent": "1000", "title": "Bad input", "storage": storage, "author": "u-ann"})
	require.NoError(t, err)
	e.Apply(string(line))
	return d, func() int { return writesTo(e) }
}

func edit(edits ...args) args { return args{"edits": edits} }

// Whatever is wrong with an edit is one error that names the place, and
// nothing is sent.
func TestBadEditsNameThePlaceAndSendNothing(t *testing.T) {
	d, writes := withPage(t, twiceTable)
	body := func(md string) args { return args{"body": md} }
	for _, c := range []struct {
		name string
		args args
		kind string
		says string
	}{
		{"unknown handle", edit(args{"op": "delete", "handle": "baaaaaaaa"}), "input.not_found", "baaaaaaaa"},
		{"unknown heading", edit(args{"op": "replace_section", "heading": "Middle", "markdown": "x"}), "input.not_found", "Middle"},
		{"unknown place to insert", edit(args{"op": "insert", "after": "baaaaaaaa", "markdown": "x"}), "input.not_found", "baaaaaaaa"},
		{"handle of no task", edit(args{"op": "set_task", "handle": "baaaaaaaa", "done": true}), "input.not_found", "baaaaaaaa"},
		{"ambiguous text", edit(args{"op": "replace_text", "find": "Turn", "replace": "x"}), "input.ambiguous", "1: …Turn the key. Turn it back.…; 2:"},
		{"occurrence beyond", edit(args{"op": "replace_text", "find": "Turn", "replace": "x", "occurrence": 3}), "input.not_found", "2 times, not 3"},
		{"text that is not there", edit(args{"op": "replace_text", "find": "key of it", "replace": "x"}), "input.not_found", "key of it"},
		{"overlapping edits", edit(args{"op": "replace_text", "find": "the key", "replace": "a"}, args{"op": "replace_text", "find": "key. Turn", "replace": "b"}), "input.overlap", "dit 2"},
		{"second of two", edit(args{"op": "append", "markdown": "x"}, args{"op": "replace_text", "find": "nowhere", "replace": "b"}), "input.not_found", "dit 2 (replace_text)"},
		{"no such row", edit(args{"op": "set_cell", "row": "valve", "column": "State", "markdown": "off"}), "input.not_found", "pump"},
		{"no such column", edit(args{"op": "set_cell", "row": "pump", "column": "Colour", "markdown": "off"}), "input.not_found", "State"},
		{"row too wide", edit(args{"op": "add_row", "markdown": "| a | b | c |"}), "input.invalid", "2 columns"},
		{"no such table", edit(args{"op": "add_row", "table": "4", "markdown": "| a | b |"}), "input.not_found", "the page has 1"},
		{"no page properties", edit(args{"op": "set_property", "key": "Owner", "markdown": "ann"}), "input.not_found", "page properties"},
		{"move into nothing", edit(args{"op": "move", "handle": "baaaaaaaa", "after": "End"}), "input.not_found", "baaaaaaaa"},
		{"storage that does not parse", edit(args{"op": "append", "markdown": "```confluence-storage\n<p>open</div>\n```"}), "input.malformed", "line 1, column"},
		{"active content in storage", edit(args{"op": "append", "markdown": "```confluence-storage\n<script>x</script>\n```"}), "input.forbidden_content", "script"},
		{"unknown placeholder", edit(args{"op": "append", "markdown": "```confluence baaaaaaaa drawio\n```"}), "input.not_found", "baaaaaaaa"},
		{"deep quotes", edit(args{"op": "append", "markdown": strings.Repeat("> ", 5000) + "x"}), "limit.too_large", "nested too deep"},
		{"emphasis bomb", body(strings.Repeat("*a _b ", 100_000)), "limit.too_large", "line 1"},
		{"bracket bomb", edit(args{"op": "append", "markdown": strings.Repeat("[", 150_000)}), "limit.too_large", "line 1"},
		{"a table of 1e6 cells", body("|" + strings.Repeat("a|", 1000) + "\n|" + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("|"+strings.Repeat("a|", 900)+"\n", 1000)), "limit.too_large", "line"},
		{"a body beyond all measure", body(strings.Repeat("word ", 500_000)), "input.invalid", "body"},
		{"a gap", body("# Start\n\n... rest of the page unchanged ..."), "input.elision", "line 3"},
		{"a macro that runs code", edit(args{"op": "append", "markdown": "```confluence new html\n```"}), "input.forbidden_content", "html"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.t = t
			c.args["page_id"], c.args["base_version"] = "7001", 1
			e := d.fails(c.kind, "update_page", c.args)
			assert.Contains(t, e.Message, c.says)
			assert.Less(t, len(e.Message), 1500)
			c.args["dry_run"] = true
			d.fails(c.kind, "update_page", c.args)
		})
	}
	d.t = t
	for _, raw := range []string{"{\"page_id\":\"7001\",\"base_version\":1,\"body\":\"\xff\"}", `{"page_id":"7001","base_version":1,"body":"a\u0000b"}`} {
		failed(t, "input.malformed", d.raw("update_page", raw))
	}
	assert.Zero(t, writes())
	assert.Equal(t, twiceTable, d.stored("7001").Body)
}

// A page that is not well-formed is shown and not edited.
func TestABrokenPageIsReadAndNotEdited(t *testing.T) {
	d, writes := withPage(t, "<p>Fine.</p>\n<p>Not <strong>closed.</p>")
	r, _ := d.ok("get_page", args{"page_id": "7001"})
	assert.Contains(t, r.Text, "Fine.")
	assert.Contains(t, r.Text, "closed.")
	for _, a := range []args{edit(args{"op": "replace_text", "find": "Fine", "replace": "Good"}), {"body": "Good."}} {
		a["page_id"], a["base_version"] = "7001", 1
		e := d.fails("input.malformed", "update_page", a)
		assert.Contains(t, e.Message, "(line 2, column ")
	}
	assert.Zero(t, writes())
}

// A page that shrinks by more than half says what would go, unless it is named.
func TestAPageDoesNotShrinkUnasked(t *testing.T) {
	long := "<h1>One</h1><p>" + strings.Repeat("word ", 40) + "</p><h1>Two</h1><p>Short.</p>"
	d, writes := withPage(t, long)
	a := args{"page_id": "7001", "base_version": 1, "body": "# Two\n\nShort."}
	e := d.fails("input.elision", "update_page", a)
	assert.Contains(t, e.Message, "# One")
	assert.Contains(t, e.Next, "allow_loss")
	assert.Zero(t, writes())
	a["allow_loss"] = []string{"elision"}
	d.ok("update_page", a)
	assert.Equal(t, "<h1>Two</h1><p>Short.</p>", d.stored("7001").Body)
}
