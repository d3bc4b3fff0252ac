package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// undoing is a desk on the emulator, another user's beside it, and something
// that was made for the tests.
type undoing struct {
	*desk
	other *desk
	site  *emulatortest.Emulator
	page  string // a page of two versions below 1000, with a neighbour in front and behind
	blog  string
	said  string // a comment on it
	file  string
}

func newUndoing(t *testing.T, change ...func(*tools.Config)) *undoing {
	t.Helper()
	many := func(c *tools.Config) { c.Limits = tools.Limits{CallsPerMinute: 1e6} }
	d, e := emulated(t, "u-ops", append(change, many)...)
	u := &undoing{desk: d, site: e, other: deskOn(t, e, "u-ann", many)}
	id := func(tool string, in args) string {
		t.Helper()
		_, out := u.other.ok(tool, in)
		return out["id"].(string)
	}
	id("create_page", args{"space_key": "ENG", "title": "In front", "body": "x", "parent_id": "1001"})
	u.page = id("create_page", args{"space_key": "ENG", "title": "Mine", "body": "First words.", "parent_id": "1001", "labels": []string{"old"}})
	id("create_page", args{"space_key": "ENG", "title": "Behind", "body": "x", "parent_id": "1001"})
	u.blog = id("create_page", args{"space_key": "ENG", "title": "News", "body": "Some news.", "type": "blogpost"})
	u.said = id("add_comment", args{"page_id": u.page, "body": "I said so."})
	u.file = id("upload_attachment", args{"page_id": u.page, "filename": "notes.txt", "content": "first"})
	return u
}

// state is what everybody sees of the page and what belongs to it, without
// versions and times.
func (u *undoing) state() string {
	u.t.Helper()
	pick := func(tool string, in args, fields ...string) string {
		r := u.other.call(tool, in)
		if r.IsError {
			return "none"
		}
		var out map[string]any
		require.NoError(u.t, json.Unmarshal(r.Structured, &out))
		var picked []any
		for _, f := range fields {
			picked = append(picked, out[f])
		}
		return fmt.Sprintf("%s %v\n", tool, picked)
	}
	all := ""
	for _, page := range []string{u.page, u.blog} {
		all += pick("get_page", args{"page_id": page, "mode": "storage"}, "title", "content", "labels", "space_key")
	}
	for _, tool := range []string{"get_comments", "get_attachments"} {
		r := u.other.call(tool, args{"page_id": u.page})
		var out struct {
			Comments []struct {
				CommentID  string `json:"comment_id"`
				Body       string `json:"body"`
				Resolution string `json:"resolution"`
			} `json:"comments"`
			Attachments []struct {
				ID   string `json:"attachment_id"`
				Size int    `json:"size"`
			} `json:"attachments"`
		}
		require.NoError(u.t, json.Unmarshal(r.Structured, &out))
		all += fmt.Sprintf("%s %+v\n", tool, out)
	}
	r := u.other.call("list_pages", args{"parent_id": "1001"})
	var out struct {
		Pages []struct {
			Title string `json:"title"`
		} `json:"pages"`
	}
	require.NoError(u.t, json.Unmarshal(r.Structured, &out))
	all += fmt.Sprintf("below %v\n", out)
	all += "posts " + u.get("/api/v2/blogposts?status=current&limit=250") + "\n"
	file := u.other.call("download_attachment", args{"attachment_id": u.file})
	var text struct {
		Size int `json:"size"`
	}
	require.NoError(u.t, json.Unmarshal(file.Structured, &text))
	return all + fmt.Sprint(file.IsError, text.Size) + pick("get_space", args{"space_key": "ENG"}, "name", "description", "homepage_id")
}

func (u *undoing) writes() int {
	n := 0
	for _, r := range u.site.Requests(0) {
		if r.Method != "GET" && r.Status < 300 && !strings.HasSuffix(r.Path, "/users-bulk") {
			n++
		}
	}
	return n
}

// changeID makes a change and gives its id.
func (u *undoing) changeID(tool string, in args) string {
	u.t.Helper()
	r, out := u.ok(tool, in)
	id, _ := out["change_id"].(string)
	require.Len(u.t, id, 32, r.Text)
	assert.Contains(u.t, r.Text, id)
	return id
}

// undoable is a write of each kind, and an edit of somebody else that stands in
// the way of undoing it.
func undoable(u *undoing) map[string]struct {
	tool  string
	in    args
	later func(made string)
} {
	edit := func(page string) func(string) {
		return func(made string) {
			if page == "" {
				page = made
			}
			_, now := u.other.ok("get_page", args{"page_id": page})
			u.other.ok("update_page", args{"page_id": page, "base_version": now["version"], "edits": []args{{"op": "append", "markdown": "Later."}}})
		}
	}
	return map[string]struct {
		tool  string
		in    args
		later func(made string)
	}{
		"create page": {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x", "parent_id": "1001"}, edit("")},
		"create page, commented": {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x", "parent_id": "1001"}, func(made string) {
			u.other.ok("add_comment", args{"page_id": made, "body": "Good."})
		}},
		"create page, with a file of another": {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x", "parent_id": "1001"}, func(made string) {
			u.other.ok("upload_attachment", args{"page_id": made, "filename": "photo.png", "content": "x"})
		}},
		"create page, built on": {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x", "parent_id": "1001"}, func(made string) {
			u.other.ok("create_page", args{"space_key": "ENG", "title": "Below", "body": "x", "parent_id": made})
		}},
		"create blog post": {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x", "type": "blogpost"}, edit("")},
		"copy page":        {"create_page", args{"space_key": "ENG", "title": "Fresh", "copy_from": "1001", "parent_id": "1001"}, edit("")},
		"change page":      {"update_page", args{"page_id": u.page, "base_version": 1, "body": "Other words."}, edit(u.page)},
		"rename page":      {"update_page", args{"page_id": u.page, "base_version": 1, "title": "Yours"}, edit(u.page)},
		"change blog post": {"update_page", args{"page_id": u.blog, "base_version": 1, "body": "Other news."}, edit(u.blog)},
		"move page":        {"move_page", args{"page_id": u.page, "target_id": "1000"}, edit(u.page)},
		"move page, moved on": {"move_page", args{"page_id": u.page, "target_id": "1000"}, func(string) {
			u.other.ok("move_page", args{"page_id": u.page, "target_id": "3000"})
		}},
		"move page elsewhere": {"move_page", args{"page_id": u.page, "target_id": "3000"}, edit(u.page)},
		"delete page":         {"delete_page", args{"page_id": u.page}, func(string) { u.takeBack(u.page) }},
		"delete blog post":    {"delete_page", args{"page_id": u.blog}, func(string) { u.takeBack(u.blog) }},
		"delete page, title taken": {"delete_page", args{"page_id": u.page}, func(string) {
			u.other.ok("create_page", args{"space_key": "ENG", "title": "Mine", "body": "x"})
		}},
		"comment": {"add_comment", args{"page_id": u.page, "body": "So do I."}, func(made string) {
			u.other.ok("add_comment", args{"page_id": u.page, "parent_id": made, "body": "Good."})
		}},
		"change comment": {"update_comment", args{"comment_id": u.said, "body": "I never said so."}, func(string) {
			u.other.ok("update_comment", args{"comment_id": u.said, "body": "What?"})
		}},
		"attach file": {"upload_attachment", args{"page_id": u.page, "filename": "new.txt", "content": "x"}, func(string) {
			u.other.ok("upload_attachment", args{"page_id": u.page, "filename": "new.txt", "content": "xyz"})
		}},
		"new version of file": {"upload_attachment", args{"page_id": u.page, "filename": "notes.txt", "content": "second version"}, func(string) {
			u.other.ok("upload_attachment", args{"page_id": u.page, "filename": "notes.txt", "content": "third"})
		}},
		"change space": {"update_space", args{"space_key": "ENG", "name": "Engineers", "description": "All of it."}, func(string) {
			u.other.ok("update_space", args{"space_key": "ENG", "name": "Somebody's"})
		}},
	}
}

// takeBack restores a page as a person would in Confluence.
func (u *undoing) takeBack(id string) {
	u.t.Helper()
	collection := map[string]string{u.page: "pages", u.blog: "blogposts"}[id]
	body := fmt.Sprintf(`{"id":"%s","status":"current","title":"x","body":{"representation":"storage","value":""},"version":{"number":2}}`, id)
	u.ask(http.MethodPut, "/api/v2/"+collection+"/"+id, body)
}

// get gives the titles of a list of Confluence itself.
func (u *undoing) get(path string) string {
	var list struct {
		Results []struct{ Title string }
	}
	require.NoError(u.t, json.Unmarshal(u.ask(http.MethodGet, path, ""), &list))
	return fmt.Sprint(list)
}

// ask is a request of Ann's to Confluence itself.
func (u *undoing) ask(method, path, body string) []byte {
	u.t.Helper()
	return u.askFor(http.StatusOK, method, path, body)
}

// askFor is such a request that is answered with a status.
func (u *undoing) askFor(status int, method, path, body string) []byte {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.site.URL+path, strings.NewReader(body))
	require.NoError(u.t, err)
	req.SetBasicAuth(u.site.Email("u-ann"), u.site.Token("u-ann"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(u.t, err)
	defer func() { assert.NoError(u.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(u.t, err)
	require.Equal(u.t, status, res.StatusCode, string(raw))
	return raw
}

// Every write that Confluence can put back is put back, once, by who made it.
func TestUndoPutsBackEveryWrite(t *testing.T) {
	names := undoable(&undoing{})
	for name := range names {
		t.Run(name, func(t *testing.T) {
			u := newUndoing(t)
			c := undoable(u)[name]
			before := u.state()
			id := u.changeID(c.tool, c.in)
			require.NotEqual(t, before, u.state(), "something was changed")
			wrote := u.writes()
			_, dry := u.ok("undo", args{"change_id": id, "dry_run": true})
			assert.NotEmpty(t, dry["digest"])
			bob := *u.desk
			bob.who.AccountID = "u-bob"
			bob.fails("not_found", "undo", args{"change_id": id})
			assert.Equal(t, wrote, u.writes(), "nobody else, and not by a dry run")

			r, out := u.ok("undo", args{"change_id": id})
			assert.Contains(t, out["summary"], "undo: ")
			assert.Equal(t, before, u.state(), r.Text)
			assert.Equal(t, wrote+1, u.writes())
			entry, _ := u.log.last(t)
			assert.Equal(t, id, entry.Facts.Undoes)
			assert.True(t, entry.Write)
			e := u.fails("conflict.undo", "undo", args{"change_id": id})
			assert.Contains(t, e.Message, "undone already")
			assert.Equal(t, wrote+1, u.writes(), "once")
		})
	}
}

// However many undo the same change at once, it is undone once.
func TestUndoIsMadeOnceHoweverManyAsk(t *testing.T) {
	names := undoable(&undoing{})
	for name := range names {
		t.Run(name, func(t *testing.T) {
			u := newUndoing(t)
			c := undoable(u)[name]
			before := u.state()
			id := u.changeID(c.tool, c.in)
			wrote := u.writes()
			var all sync.WaitGroup
			var made atomic.Int32
			for range 6 {
				all.Go(func() {
					if r := u.call("undo", args{"change_id": id}); !r.IsError {
						made.Add(1)
					}
				})
			}
			all.Wait()
			assert.EqualValues(t, 1, made.Load())
			assert.Equal(t, wrote+1, u.writes())
			assert.Equal(t, before, u.state())
		})
	}
}

// What somebody changed since is not undone.
func TestUndoGoesOverNobodysEdit(t *testing.T) {
	names := undoable(&undoing{})
	for name := range names {
		t.Run(name, func(t *testing.T) {
			u := newUndoing(t)
			c := undoable(u)[name]
			_, out := u.ok(c.tool, c.in)
			made, _ := out["id"].(string)
			c.later(made)
			after, wrote := u.state(), u.writes()
			r := u.call("undo", args{"change_id": out["change_id"]})
			require.True(t, r.IsError, r.Text)
			assert.Regexp(t, "conflict.undo|input.title_taken", r.Text)
			assert.Equal(t, after, u.state())
			assert.Equal(t, wrote, u.writes())
		})
	}
}

// Labels are there or not, whoever put them back.
func TestUndoOfLabels(t *testing.T) {
	u := newUndoing(t)
	before := u.state()
	for _, c := range []struct{ tool, name string }{{"add_label", "new"}, {"remove_label", "old"}} {
		id := u.changeID(c.tool, args{"page_id": u.page, "name": c.name})
		require.NotEqual(t, before, u.state())
		_, out := u.ok("undo", args{"change_id": id})
		assert.Equal(t, before, u.state())
		again, _ := out["change_id"].(string)
		_, out = u.ok("undo", args{"change_id": again})
		require.NotEqual(t, before, u.state(), "an undo can be undone")
		u.ok("undo", args{"change_id": out["change_id"]})
		assert.Equal(t, before, u.state())
	}
	id := u.changeID("add_label", args{"page_id": u.page, "name": "new"})
	u.other.ok("remove_label", args{"page_id": u.page, "name": "new"})
	wrote := u.writes()
	r, _ := u.ok("undo", args{"change_id": id})
	assert.Contains(t, r.Text, "Nothing was changed")
	assert.Equal(t, wrote, u.writes())
}

// What Confluence cannot put back is refused with the reason.
func TestUndoSaysWhatCannotBePutBack(t *testing.T) {
	for name, c := range map[string]struct {
		tool string
		in   func(u *undoing) args
		says string
	}{
		"delete comment":       {"delete_comment", func(u *undoing) args { return args{"comment_id": u.said} }, "A comment has no trash"},
		"delete file":          {"delete_attachment", func(u *undoing) args { return args{"attachment_id": u.file} }, "in the trash of the space"},
		"move out of a folder": {"move_page", func(*undoing) args { return args{"page_id": "1011", "target_id": "1001"} }, "alone in a folder"},
		"create space":         {"create_space", func(*undoing) args { return args{"key": "NEW", "name": "New"} }, "delete a space, which is not possible"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUndoing(t)
			id := u.changeID(c.tool, c.in(u))
			wrote := u.writes()
			e := u.fails("conflict.undo", "undo", args{"change_id": id})
			assert.Contains(t, e.Message, c.says)
			assert.Equal(t, wrote, u.writes())
		})
	}
	newUndoing(t).fails("not_found", "undo", args{"change_id": "00000000000000000000000000000000"})
}

// An undo is judged as the write it is: by cells, rules, approvals and the list
// of spaces.
func TestUndoIsJudgedAsTheWriteItIs(t *testing.T) {
	const keeps = `
version: 1
name: keeps
groups:
  pages: {level: read_write}
  attachments: {level: read_only}
rules:
  - {id: keep-labels, match: {groups: [pages], actions: [create]}, when: request.tool == "confluence_add_label", effect: deny}
`
	u := newUndoing(t, withProfile(t, keeps))
	kept := *u.desk
	kept.who.Profile = "keeps"
	page := u.changeID("create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x"})
	file := u.changeID("upload_attachment", args{"page_id": u.page, "filename": "new.txt", "content": "x"})
	label := u.changeID("remove_label", args{"page_id": u.page, "name": "old"})
	wrote := u.writes()
	e := failed(t, "policy.denied", kept.call("undo", args{"change_id": page}))
	assert.Contains(t, e.Message, "delete in pages")
	failed(t, "policy.denied", kept.call("undo", args{"change_id": file}))
	e = failed(t, "policy.rule_denied", kept.call("undo", args{"change_id": label}))
	assert.Contains(t, e.Message, "keep-labels")
	entry, out := kept.log.last(t)
	assert.Equal(t, "confluence_add_label", entry.Tool)
	assert.Equal(t, label, entry.Facts.Undoes)
	assert.Equal(t, "not_executed", out.Result)
	assert.Equal(t, wrote, u.writes())
	readers := *u.desk
	readers.who.Profile = readOnly
	_, known := readers.cat.Call(context.Background(), readers.who, "confluence_undo", json.RawMessage(`{"change_id":"x"}`), nil)
	assert.False(t, known, "who writes nothing knows no undo")
}

// tally is a budget that counts.
type tally struct{ spent []policy.Action }

func (b *tally) Spend(_ context.Context, _ identity.Caller, a policy.Action, _ time.Time) error {
	b.spent = append(b.spent, a)
	return nil
}

// Undoing a creation is a deletion to budgets as well.
func TestUndoIsCountedAsTheWriteItIs(t *testing.T) {
	b := &tally{}
	u := newUndoing(t, func(c *tools.Config) { c.Budget = b })
	page := u.changeID("create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x"})
	u.ok("undo", args{"change_id": page, "dry_run": true})
	u.ok("undo", args{"change_id": page})
	file := u.changeID("upload_attachment", args{"page_id": u.page, "filename": "new.txt", "content": "x"})
	u.ok("undo", args{"change_id": file})
	gone := u.changeID("delete_page", args{"page_id": u.page})
	u.ok("undo", args{"change_id": gone})
	assert.Equal(t, []policy.Action{policy.Create, policy.Delete, policy.Create, policy.Delete, policy.Delete, policy.Update}, b.spent)
}

// An undo that needs a person waits for one, and is made once.
func TestUndoWaitsForAPerson(t *testing.T) {
	a := newApproving(t)
	r := a.approve(a.ask("create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x"}))
	require.Equal(t, approval.Executed, r.State, r.Reason)
	var made struct {
		ChangeID string `json:"change_id"`
	}
	require.NoError(t, json.Unmarshal(r.Private.Result.Structured, &made))
	wrote := a.written()
	undo := a.ask("undo", args{"change_id": made.ChangeID})
	assert.Equal(t, "confluence_undo", undo.Tool)
	assert.Equal(t, "delete", undo.Action)
	assert.Contains(t, undo.Private.Diff, "undo: ")
	assert.Equal(t, wrote, a.written())
	undo = a.approve(undo)
	assert.Equal(t, approval.Executed, undo.State, undo.Reason)
	assert.Equal(t, wrote+1, a.written())
	again, _ := a.ok("undo", args{"change_id": made.ChangeID})
	assert.Contains(t, again.Text, "undo: ", "what came of it")
	assert.Equal(t, wrote+1, a.written())

	r = a.approve(a.ask("create_page", args{"space_key": "ENG", "title": "Again", "body": "x"}))
	require.NoError(t, json.Unmarshal(r.Private.Result.Structured, &made))
	undo = a.ask("undo", args{"change_id": made.ChangeID})
	var page struct{ ID string }
	require.NoError(t, json.Unmarshal(r.Private.Result.Structured, &page))
	deskOn(t, a.site, "u-ann").ok("update_page", args{"page_id": page.ID, "base_version": 1, "body": "Later."})
	wrote = a.written()
	undo = a.approve(undo)
	assert.Equal(t, approval.Stale, undo.State, "somebody edited it meanwhile")
	assert.Equal(t, wrote, a.written())
}
