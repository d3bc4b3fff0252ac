package tools_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

const withMacros = `<h1>Start</h1><p>Turn the <strong>key</strong>. Say hello.</p><ac:structured-macro ac:name="drawio" ac:macro-id="1"><ac:parameter ac:name="diagramName">Map</ac:parameter></ac:structured-macro><p>Bye.</p>`

func macroPage() *fake {
	site := newFake()
	site.put(page("11", "ENG", "10", "Guide", withMacros))
	return site
}

func TestUpdateRefusesAStaleBase(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, a := range []args{{"title": "x"}, {"body": "x"}, {"undo": true}, {"restore_version": 1}, {"edits": []args{{"op": "append", "markdown": "x"}}}} {
		a["page_id"], a["base_version"] = "11", 2
		e := d.fails("conflict", "update_page", a)
		assert.Contains(t, e.Message, "at version 3, not at 2")
		assert.Contains(t, e.Next, "base_version 3")
	}
	site.before = func(m string) error { // somebody saves between our read and our write
		if m == "UpdatePage" {
			return denied(confluence.Conflict, "")
		}
		return nil
	}
	d.fails("conflict", "update_page", args{"page_id": "11", "base_version": 3, "title": "x"})
}

func TestEditLeavesAllElseByteForByte(t *testing.T) {
	site := macroPage()
	d := newDesk(t, site)
	_, out := d.ok("update_page", args{"page_id": "11", "base_version": 3, "message": "typo", "edits": []args{{"op": "replace_text", "find": "hello", "replace": "good morning"}}})
	assert.Equal(t, strings.Replace(withMacros, "hello", "good morning", 1), site.pages["11"].Body)
	assert.Equal(t, "typo", site.pages["11"].Version.Message)
	assert.Equal(t, float64(1), out["added_lines"])
	assert.Equal(t, float64(1), out["removed_lines"])
}

func TestBadEditsSayWhatIsWrong(t *testing.T) {
	site := macroPage()
	d := newDesk(t, site)
	for kind, edit := range map[string]args{
		"input.not_found":         {"op": "replace_text", "find": "nowhere", "replace": "x"},
		"input.invalid":           {"op": "explode"},
		"input.missing":           {"find": "x"},
		"input.unknown_argument":  {"op": "append", "text": "x"},
		"input.type":              {"op": "set_task", "handle": "b2222222a", "done": "yes"},
		"input.forbidden_content": {"op": "append", "markdown": "[x](javascript:alert(1))"},
	} {
		e := d.fails(kind, "update_page", args{"page_id": "11", "base_version": 3, "edits": []args{edit}})
		assert.NotEmpty(t, e.Next)
	}
	assert.Empty(t, site.writes())
}

func TestWholeBodyKeepsWhatItDidNotTouch(t *testing.T) {
	site := macroPage()
	d := newDesk(t, site)
	_, out := d.ok("get_page", args{"page_id": "11"})
	shown := out["content"].(string)
	shown = shown[strings.IndexByte(shown, '\n')+1 : strings.LastIndexByte(shown, '\n')]
	_, out = d.ok("update_page", args{"page_id": "11", "base_version": 3, "body": shown})
	assert.Contains(t, out["summary"], "Nothing was changed")
	assert.Empty(t, site.writes())

	_, _ = d.ok("update_page", args{"page_id": "11", "base_version": 3, "body": strings.Replace(shown, "Bye.", "Farewell.", 1)})
	assert.Equal(t, strings.Replace(withMacros, "Bye.", "Farewell.", 1), site.pages["11"].Body)

	e := d.fails("input.loss", "update_page", args{"page_id": "11", "base_version": 4, "body": "# Start\n\nTurn the **key**. Say hello.\n\nFarewell."})
	assert.Contains(t, e.Message+e.Next, "drawio")
	_, out = d.ok("update_page", args{"page_id": "11", "base_version": 4, "body": "# Start\n\nTurn the **key**. Say hello.\n\nFarewell.", "allow_loss": []string{"drawio"}})
	assert.Contains(t, out["notes"].([]any)[0], "drawio")
	assert.NotContains(t, site.pages["11"].Body, "drawio")
}

func TestUndoIsForOnesOwnLastWrite(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	before := site.pages["11"].Body
	d.fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 3, "undo": true})
	d.ok("update_page", args{"page_id": "11", "base_version": 3, "title": "Other", "edits": []args{{"op": "append", "markdown": "More."}}})
	bob := *d
	bob.who.AccountID = "u-bob"
	bob.fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	_, out := d.ok("update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	assert.Equal(t, "Guide", out["title"])
	assert.Equal(t, before, site.pages["11"].Body)
	assert.Equal(t, 5, site.pages["11"].Version.Number)
	bob.ok("update_page", args{"page_id": "11", "base_version": 5, "title": "Bob's"})
	d.fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 6, "undo": true})
	d.fails("input.version", "update_page", args{"page_id": "11", "base_version": 6, "restore_version": 6})
}

// memory is Changes that outlive a catalogue, and can fail.
type memory struct {
	changes map[string]audit.Change
	err     error
}

func (m *memory) NoteChange(_ context.Context, c audit.Change) error {
	m.changes[c.ID] = c
	return m.err
}

func (m *memory) Change(_ context.Context, principal, site, id string) (audit.Change, bool, error) {
	c, ok := m.changes[id]
	return c, ok && c.Principal == principal && c.Site == site, m.err
}

func (m *memory) MarkUndone(_ context.Context, id string, at time.Time) error {
	c := m.changes[id]
	c.Undone = at
	m.changes[id] = c
	return m.err
}

func (m *memory) ChangeThatMade(_ context.Context, v audit.Version) (audit.Change, bool, error) {
	for _, c := range m.changes {
		if c.Principal == v.Principal && c.Site == v.Site && c.Tool == v.Tool && c.On == v.On && c.Version == v.Number {
			return c, true, m.err
		}
	}
	return audit.Change{}, false, m.err
}

func TestUndoOutlivesTheCatalogue(t *testing.T) {
	site, changes := newFake(), &memory{changes: map[string]audit.Change{}}
	kept := func(c *tools.Config) { c.Changes = changes }
	before := site.pages["11"].Body
	newDesk(t, site, kept).ok("update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "append", "markdown": "More."}}})
	newDesk(t, site).fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 4, "undo": true})

	d := newDesk(t, site, kept)
	old := site.old["11"][3]
	rewritten := old
	rewritten.Body = "<p>Another one's.</p>"
	site.old["11"][3] = rewritten
	e := d.fails("conflict.undo", "update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	assert.Contains(t, e.Message, "its history was changed")
	site.old["11"][3] = old
	changes.err = errBroken
	d.fails("internal", "update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	changes.err = nil
	d.ok("update_page", args{"page_id": "11", "base_version": 4, "undo": true})
	assert.Equal(t, before, site.pages["11"].Body)
	changes.err = errBroken
	d.ok("update_page", args{"page_id": "11", "base_version": 5, "title": "Other"}) // what can't be noted is made all the same
}

func TestCreateChecksItsSurroundings(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	e := d.fails("input.title_taken", "create_page", args{"space_key": "ENG", "title": "guide"})
	assert.Contains(t, e.Message, "page 11")
	d.fails("not_found", "create_page", args{"space_key": "NONE", "title": "x"})
	e = d.fails("input.id", "create_page", args{"space_key": "ENG", "title": "x", "parent_id": "12"})
	assert.Contains(t, e.Message, "space HR")
	d.fails("not_found", "create_page", args{"space_key": "ENG", "title": "x", "copy_from": "999"})
	assert.Empty(t, site.writes())

	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "From a template", "template_id": "7", "labels": []string{"a", "b"}})
	id := out["id"].(string)
	assert.Equal(t, "<p>Fill me in.</p>", site.pages[id].Body)
	assert.Equal(t, []string{"a", "b"}, site.labels[id])
	_, out = d.ok("create_page", args{"space_key": "ENG", "title": "Copy", "copy_from": "11"})
	assert.Equal(t, "10", site.pages[out["id"].(string)].ParentID)

	site.before = func(m string) error {
		if m == "AddLabels" {
			return denied(confluence.Denied, "")
		}
		return nil
	}
	_, out = d.ok("create_page", args{"space_key": "ENG", "title": "Unlabelled", "labels": []string{"a"}})
	assert.Contains(t, out["notes"].([]any)[0], "its labels were not")
}

func TestInlineCommentsNeedAnUnambiguousPassage(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	_, out := d.ok("add_comment", args{"page_id": "11", "body": "Which?", "inline_text": "the key"})
	assert.Equal(t, "the key", site.comments[out["id"].(string)].Selection)
	e := d.fails("input.inline_text", "add_comment", args{"page_id": "11", "body": "x", "inline_text": "Turn"})
	assert.Contains(t, e.Message, "2 times")
	d.fails("input.inline_text", "add_comment", args{"page_id": "11", "body": "x", "inline_text": "not there"})
	d.fails("not_found", "add_comment", args{"page_id": "12", "body": "x", "parent_id": "31"})
	d.fails("input.invalid", "update_comment", args{"comment_id": "31", "resolved": true})
	inline := site.comments[out["id"].(string)]
	inline.Resolution = "dangling"
	site.comments[inline.ID] = inline
	d.fails("input.invalid", "update_comment", args{"comment_id": inline.ID, "resolved": true})
}

func TestThreadsAreShownWhole(t *testing.T) {
	site := newFake()
	for i, id := range []string{"32", "33", "34"} {
		site.comments[id] = confluence.Comment{ID: id, Kind: "footer", PageID: "11", ParentID: []string{"31", "32", "33"}[i], Body: "<p>Answer " + id + "</p>", Version: confluence.Version{Number: 1}}
	}
	site.comments["35"] = confluence.Comment{ID: "35", Kind: "inline", PageID: "11", Selection: "the key", Resolution: "open", Body: "<p>Inline</p>", Version: confluence.Version{Number: 1}}
	d := newDesk(t, site)
	r, out := d.ok("get_comments", args{"page_id": "11", "limit": 1})
	replies := out["comments"].([]any)[0].(map[string]any)["replies"].([]any)
	assert.Len(t, replies, 3)
	assert.Equal(t, float64(3), replies[2].(map[string]any)["level"])
	assert.Contains(t, r.Text, "Answer 34")
	r, _ = d.ok("get_comments", args{"page_id": "11", "limit": 1, "cursor": out["next_cursor"]})
	assert.Contains(t, r.Text, `on "the key"`)
	_, out = d.ok("get_comments", args{"page_id": "11"})
	assert.Len(t, out["comments"], 2)
	assert.Nil(t, out["next_cursor"])
}

func TestMoveStaysOutOfItsOwnSubtree(t *testing.T) {
	site := newFake()
	site.put(page("13", "ENG", "11", "Below", "<p>x</p>"))
	d := newDesk(t, site)
	d.fails("input.invalid", "move_page", args{"page_id": "11", "target_id": "13"})
	d.fails("input.invalid", "move_page", args{"page_id": "11", "target_id": "11"})
	d.fails("input.invalid", "move_page", args{"page_id": "11", "target_id": "10", "position": "after"})
	_, out := d.ok("delete_page", args{"page_id": "11", "dry_run": true})
	assert.Contains(t, out["notes"].([]any)[0], "children")
	assert.Empty(t, site.writes())
}

func TestLabelThatIsThereAlreadyIsNotWritten(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	d.ok("add_label", args{"page_id": "11", "name": "HowTo"})
	d.ok("remove_label", args{"page_id": "11", "name": "absent"})
	assert.Empty(t, site.writes())
}

// I04: who read restricted content lately is marked, for rules that ask.
func TestI04_ReadingRestrictedContentMarksTheCaller(t *testing.T) {
	const wary = `
version: 1
name: wary
groups:
  pages: {level: read_write}
rules:
  - id: look
    match: {groups: [pages], actions: [read]}
    when: resource.restricted && false
    effect: deny
  - id: no-leak
    match: {groups: [pages], actions: [create, update]}
    when: context.read_restricted
    effect: require_approval
`
	site := newFake()
	site.readers["12"] = []string{"u-ann"}
	d := newDesk(t, site, withProfile(t, wary)).as("wary")
	d.ok("create_page", args{"space_key": "ENG", "title": "Before"})
	d.ok("get_page", args{"page_id": "12"})
	d.fails("approval.required", "create_page", args{"space_key": "ENG", "title": "After"})
	same := *d
	same.who.Access = []string{"group-new"}
	same.fails("approval.required", "create_page", args{"space_key": "ENG", "title": "With attributes"})
	bob := *d
	bob.who.AccountID = "u-bob"
	bob.fails("approval.required", "create_page", args{"space_key": "ENG", "title": "Bob's"}) // the agent carries it over
	bob.who.Agent = "another"
	bob.ok("create_page", args{"space_key": "ENG", "title": "Bob's"})
}

// A field of another operation is refused, and told apart from a wrong name.
func TestEditsTakeTheFieldsOfTheirOperation(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, c := range []struct {
		edit       args
		kind, says string
		next       string
	}{
		{args{"op": "append", "markdown": "x", "after": "Start"}, "input.unknown_argument", `"edits[0].after" is no field of append.`, "append takes markdown, to."},
		{args{"op": "append", "body": "x"}, "input.unknown_argument", `"edits[0].body" is no field of append.`, "append takes markdown, to."},
		{args{"op": "append", "markdown": "x", "position": "end"}, "input.unknown_argument", `"edits[0].position"`, "append takes markdown, to."},
		{args{"op": "replace_text", "find": "key", "markdown": "lock"}, "input.unknown_argument", `"edits[0].markdown"`, "replace_text takes find, replace, occurrence, all, within."},
		{args{"op": "delete", "heading": "End"}, "input.unknown_argument", `"edits[0].heading"`, "delete takes handle, section."},
		{args{"op": "set_task", "handle": "b1", "done": true, "title": "x"}, "input.unknown_argument", `"edits[0].title"`, "set_task takes handle, done."},
		{args{"op": "replace_section", "heading": "End", "handle": "b1", "markdown": "x"}, "input.invalid", "either heading or handle", ""},
		{args{"op": "paint", "colour": "red"}, "input.invalid", "is not one of replace_text", ""},
	} {
		e := d.fails(c.kind, "update_page", args{"page_id": "11", "base_version": 3, "edits": []args{c.edit}})
		assert.Contains(t, e.Message, c.says)
		assert.Contains(t, e.Next, c.next)
	}
	assert.Empty(t, site.writes())
}

// Receipts say what was done in words, and count lines of text only.
func TestReceiptsSayWhatWasDone(t *testing.T) {
	for _, c := range []struct {
		tool string
		args args
		says string
		text bool // it changes text, so lines are counted
	}{
		{"move_page", args{"page_id": "11", "target_id": "12"}, "move page 11 under page 12", false},
		{"move_page", args{"page_id": "11", "target_id": "12", "position": "before"}, "move page 11 before page 12", false},
		{"move_page", args{"page_id": "11", "target_id": "12", "position": "after"}, "move page 11 after page 12", false},
		{"add_label", args{"page_id": "11", "name": "new"}, "put label new on page 11", false},
		{"remove_label", args{"page_id": "11", "name": "howto"}, "take label howto off page 11", false},
		{"upload_attachment", args{"page_id": "11", "filename": "a.txt", "content": "a"}, "attach a.txt to page 11", false},
		{"delete_attachment", args{"attachment_id": "41"}, "move notes.txt to the trash", false},
		{"create_space", args{"key": "NEW", "name": "New"}, "create space NEW", false},
		{"update_space", args{"space_key": "ENG", "name": "New"}, "change space ENG", false},
		{"update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "replace_text", "find": "hello", "replace": "hi"}}}, "change page 11", true},
		{"update_page", args{"page_id": "11", "base_version": 3, "edits": []args{{"op": "replace_text", "find": "hello", "replace": "hi"}, {"op": "append", "markdown": "x"}}}, "change page 11 by 2 edits", true},
		{"delete_page", args{"page_id": "11"}, "move page 11 to the trash", true},
		{"add_comment", args{"page_id": "11", "body": "Fine."}, "comment on page 11", true},
	} {
		for _, dry := range []bool{true, false} {
			c.args["dry_run"] = dry
			r, out := newDesk(t, newFake()).ok(c.tool, c.args)
			assert.Equal(t, c.says, out["summary"])
			if c.text {
				assert.NotZero(t, out["added_lines"].(float64)+out["removed_lines"].(float64), c.says)
				assert.Contains(t, r.Text, "Lines: +")
			} else {
				assert.Zero(t, out["added_lines"].(float64)+out["removed_lines"].(float64), c.says)
				assert.NotContains(t, r.Text, "Lines: ")
			}
		}
	}
}
