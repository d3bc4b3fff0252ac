package tools_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/tools"
)

// asks are, for each write tool, calls that differ in one thing each. inline is
// the id of an inline comment.
func asks(inline string) map[string][]args {
	long := strings.Repeat("word ", 100)
	return map[string][]args{
		"create_page": vary(args{"space_key": "ENG", "title": "Gateway", "body": "Turn the key."},
			"title", "Gateway 2", "body", "Turn the key!", "body", long, "body", long+"x", "type", "blogpost", "labels", []string{"a"}, "labels", []string{"a", "b"},
			"parent_id", "1001", "body", "Turn <U+200B>", "body", "Turn \u200b"),
		"update_page": vary(rename("Runbook of pumps"), "edits", replacing("Wait\u200b"), "edits", replacing("Wait&lt;U+200B&gt;"), "message", "tidy", "minor", true,
			"allow_loss", []string{"task"}, "edits", replacing("Wait two minutes"), "edits", replacing(long), "edits", replacing(long+"x")),
		"move_page":      vary(args{"page_id": "1011", "target_id": "1001"}, "target_id", "1006", "position", "append", "position", "before"),
		"delete_page":    {{"page_id": "1011"}, {"page_id": "1001"}},
		"add_label":      {{"page_id": "1001", "name": "howto"}, {"page_id": "1001", "name": "secret"}, {"page_id": "1011", "name": "howto"}},
		"remove_label":   {{"page_id": "1001", "name": "ops"}, {"page_id": "1001", "name": "runbook"}},
		"add_comment":    vary(args{"page_id": "1001", "body": "Is this so?"}, "body", long, "body", long+"x", "inline_text", "Wait a minute", "parent_id", "5001"),
		"update_comment": {{"comment_id": "5001", "body": "Now it is otherwise."}, {"comment_id": "5001", "body": "Now it is."}, {"comment_id": inline, "resolved": true}, {"comment_id": inline, "resolved": false}},
		"upload_attachment": vary(args{"page_id": "1001", "filename": "notes.txt", "content": "one"}, "content", "two", "content", long, "content", long+"x",
			"comment", "first", "encoding", "text", "filename", "pump.png"),
		"delete_attachment": {{"attachment_id": "6001"}, {"attachment_id": "att6001"}},
		"create_space":      vary(args{"key": "NEW", "name": "New things"}, "name", "Newer", "description", "d", "description", long, "description", long+"x"),
		"update_space":      vary(args{"space_key": "ENG", "name": "Engineers"}, "name", "Engineering!", "description", long, "homepage_id", "1001"),
		"delete_comment":    {{"comment_id": "5001"}, {"comment_id": "5002"}},
	}
}

func replacing(by string) []args {
	return []args{{"op": "replace_text", "find": "Wait a minute", "replace": by}}
}

// commented adds an inline comment and gives its id.
func (a *approving) commented() string {
	_, out := a.as(fullAccess).ok("add_comment", args{"page_id": "1001", "body": "Which?", "inline_text": "Call the person"})
	return out["id"].(string)
}

// vary are a call and the same call with one argument another each.
func vary(base args, pairs ...any) []args {
	out := []args{base}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, with(base, pairs[i].(string), pairs[i+1]))
	}
	return out
}

func with(in args, key string, v any) args {
	out := args{}
	for k, x := range in {
		out[k] = x
	}
	out[key] = v
	return out
}

// H09: whatever an approval binds to, its approver is shown: no two changes of
// different digests look the same.
func TestH09_AnotherDigestIsShownAsAnother(t *testing.T) {
	for _, tool := range newApproving(t).cat.All() {
		name := strings.TrimPrefix(tool.Name, tools.Prefix)
		if tool.ReadOnly || name == "undo" { // which becomes one of the others
			continue
		}
		t.Run(name, func(t *testing.T) {
			a := newApproving(t)
			calls := asks(a.commented())[name]
			require.NotEmpty(t, calls, "a write without calls here")
			before := a.written()
			shown := map[string]string{} // digest by text
			digests := map[string]bool{}
			for _, in := range calls {
				r := a.ask(name, in)
				digests[r.Digest] = true
				assert.Empty(t, shown[r.Private.Diff], "%v looks like another call:\n%s", in, r.Private.Diff)
				shown[r.Private.Diff] = r.Digest
			}
			assert.Len(t, digests, len(calls))
			assert.Equal(t, before, a.written())
		})
	}
}

// H09: what a call changes beside the text is in words, and a macro is shown
// with what it takes.
func TestH09_ApproverSeesWhatMarkdownDoesNot(t *testing.T) {
	a := newApproving(t)
	inline := a.commented()
	before := a.written()
	for _, c := range []struct {
		tool  string
		in    args
		shows []string
	}{
		{"update_comment", args{"comment_id": inline, "resolved": true}, []string{"resolved: true"}},
		{"upload_attachment", args{"page_id": "1001", "filename": "notes.txt", "content": "first\nsecond", "comment": "why"},
			[]string{"+first\n+second", "sha256 4252f8d56b4bb236", `comment: "why"`}},
		{"upload_attachment", args{"page_id": "1001", "filename": "notes.bin", "content": "AP8A", "encoding": "base64"}, []string{"3 bytes, ", "sha256 "}},
		{"create_page", args{"space_key": "ENG", "title": "Labelled", "body": "x", "labels": []string{"public"}}, []string{`labels: ["public"]`}},
		{"update_page", with(rename("New"), "message", "a word"), []string{`message: "a word"`}},
	} {
		r := a.ask(c.tool, c.in)
		for _, want := range c.shows {
			assert.Contains(t, r.Private.Diff, want)
		}
	}
	include := func(of string) string {
		a.site.Apply(`{"kind":"content","id":"1200","type":"page","space":"ENG","parent":"1000","title":"Part","storage":"<p>See</p><ac:structured-macro ac:name=\"excerpt-include\" ac:macro-id=\"1\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-title=\"` + of + `\" /></ac:link></ac:parameter></ac:structured-macro>"}`)
		return a.ask("create_page", args{"space_key": "ENG", "title": "Copy", "copy_from": "1200"}).Private.Diff
	}
	first, second := include("Salaries"), include("Holidays")
	assert.Contains(t, first, "Salaries")
	assert.Contains(t, second, "Holidays")
	plain := a.ask("create_page", args{"space_key": "ENG", "title": "Plain", "body": "# Head\n\nSome *plain* text."})
	assert.NotContains(t, plain.Private.Diff, "as stored", "Markdown tells all of it")
	assert.Equal(t, before, a.written())
}

// Of a file an approver is shown the text, as far as it is one and short; of
// others what names it.
func TestH09_AFileIsShownWhereItIsShortText(t *testing.T) {
	a := newApproving(t)
	before := a.written()
	shown := map[string]bool{}
	for _, c := range []struct {
		name, content string
		shows         string
	}{
		{"notes.txt", "first\nsecond", "+first\n+second"},
		{"notes.txt", strings.Repeat("x\n", 32<<10), "+x\n"},
		{"notes.txt", strings.Repeat("x\n", 32<<10) + "x", ""},
		{"notes.txt", strings.Repeat("\x00", 1<<20), ""},
		{"notes.txt", "first\x00second", ""},
		{"notes.bin", strings.Repeat("y\n", 100), ""},
	} {
		diff := a.ask("upload_attachment", args{"page_id": "1001", "filename": c.name, "content": base64.StdEncoding.EncodeToString([]byte(c.content)), "encoding": "base64"}).Private.Diff
		assert.False(t, shown[diff])
		shown[diff] = true
		assert.Contains(t, diff, fmt.Sprintf("(%d bytes, ", len(c.content)))
		assert.Contains(t, diff, "sha256 ")
		if c.shows == "" {
			assert.Less(t, len(diff), 2000, "%s of %d bytes", c.name, len(c.content))
			continue
		}
		assert.Contains(t, diff, c.shows)
	}
	assert.Equal(t, before, a.written())
}

// A word of a long page with a macro is shown as that word, and another word, or
// the same one elsewhere, looks otherwise.
func TestH09_ASmallEditOfALongPageIsShownSmall(t *testing.T) {
	a := newApproving(t)
	var rows strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&rows, "<tr><td><p>row %04d</p></td><td><p>same</p></td></tr>", i)
	}
	body, err := json.Marshal(`<ac:structured-macro ac:name="toc" ac:macro-id="1"><ac:parameter ac:name="maxLevel">2</ac:parameter></ac:structured-macro><table><tbody>` + rows.String() + "</tbody></table>")
	require.NoError(t, err)
	a.site.Apply(`{"kind":"content","id":"1200","type":"page","space":"ENG","parent":"1000","title":"Long","storage":` + string(body) + `}`)
	_, read := a.as(fullAccess).ok("get_page", args{"page_id": "1200"})
	a.who.Profile = "careful"
	digests, texts := map[string]bool{}, map[string]bool{}
	for _, c := range [][2]string{{"row 0003", "line 3"}, {"row 1000", "line 1000"}, {"row 1000", "line 1001"}, {"row 1999", "line 1999"}} {
		r := a.ask("update_page", args{"page_id": "1200", "base_version": read["version"], "edits": []args{{"op": "replace_text", "find": c[0], "replace": c[1]}}})
		assert.Less(t, len(r.Private.Diff), 4000)
		assert.Contains(t, r.Private.Diff, c[1])
		digests[r.Digest], texts[r.Private.Diff] = true, true
	}
	assert.Len(t, digests, 4)
	assert.Len(t, texts, 4)
}
