package tools_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/seal"
	"confluence-mcp/tools"
)

// emulated is a desk whose calls go through the client to the emulator.
func emulated(t *testing.T, user string, change ...func(*tools.Config)) (*desk, *emulatortest.Emulator) {
	t.Helper()
	e := emulatortest.Start(t)
	return deskOn(t, e, user, change...), e
}

// deskOn is a desk of another user of the same emulator.
func deskOn(t *testing.T, e *emulatortest.Emulator, user string, change ...func(*tools.Config)) *desk {
	t.Helper()
	c, err := rest.New(rest.Config{Name: "acme", BaseURL: e.URL, Auth: rest.Basic, Username: e.Email(user), Token: seal.NewSecret(e.Token(user))})
	require.NoError(t, err)
	d := newDesk(t, c, change...)
	d.who.AccountID = user
	return d
}

func TestEveryReadToolOnTheEmulator(t *testing.T) {
	d, _ := emulated(t, "u-ann")

	r, out := d.ok("get_page", args{"page_id": "1001"})
	assert.Contains(t, r.Text, "# Restart the pump")
	assert.Contains(t, r.Text, "/wiki/spaces/ENG/pages/1001")
	assert.Equal(t, []any{"ops", "runbook"}, sorted(out["labels"]))
	assert.Equal(t, float64(3), out["version"])

	r, _ = d.ok("get_page", args{"title": "runbook", "space_key": "ENG", "mode": "outline"})
	assert.Contains(t, r.Text, "## Steps")
	r, _ = d.ok("get_page", args{"page_id": "1001", "mode": "section", "section": "Steps"})
	assert.Contains(t, r.Text, "Wait a minute")
	assert.NotContains(t, r.Text, "person on duty")
	_, out = d.ok("get_page", args{"page_id": "1001", "mode": "storage"})
	assert.Contains(t, out["content"], "<p>Call the person on duty, then restart the <strong>pump</strong>.</p>")
	_, url := d.ok("get_page", args{"url": out["url"], "mode": "blocks"})
	assert.Equal(t, "1001", url["page_id"])
	r, _ = d.ok("get_page", args{"page_id": "1001", "mode": "rendered"})
	assert.Contains(t, r.Text, "Restart the pump")
	assert.Contains(t, r.Text, "- [ ] Check the seal")
	assert.Contains(t, r.Text, "```bash\nsystemctl restart pump\n```")

	r, out = d.ok("search", args{"query": "pump"})
	require.NotEmpty(t, out["results"], r.Text)
	first := out["results"].([]any)[0].(map[string]any)
	assert.Equal(t, "1001", first["page_id"])
	assert.Equal(t, float64(3), first["version"])
	assert.NotEmpty(t, first["heading_path"])
	_, out = d.ok("search", args{"query": "*", "cql": `label = "release" order by lastmodified desc`})
	assert.Equal(t, "1100", out["results"].([]any)[0].(map[string]any)["page_id"])

	r, _ = d.ok("list_pages", args{"space_key": "ENG"})
	assert.Contains(t, r.Text, "Runbook")
	assert.NotContains(t, r.Text, "Old notes")
	r, _ = d.ok("list_pages", args{"parent_id": "1000"})
	assert.Contains(t, r.Text, "Guides (folder 1010)")
	r, _ = d.ok("list_pages", args{"parent_id": "1000", "depth": 3})
	assert.Contains(t, r.Text, "Setup guide")
	r, _ = d.ok("list_pages", args{"parent_id": "1010"})
	assert.Contains(t, r.Text, "Setup guide")
	r, _ = d.ok("list_pages", args{"label": "runbook"})
	assert.Contains(t, r.Text, "1001")
	_, _ = d.ok("list_pages", args{"changed_since": "4w", "space_key": "ENG"})

	_, out = d.ok("get_page_history", args{"page_id": "1001"})
	assert.NotEmpty(t, out["versions"])
	r, _ = d.ok("get_comments", args{"page_id": "1001"})
	assert.Contains(t, r.Text, "Works on the spare pump too.")
	assert.Contains(t, r.Text, "Thank you.")

	r, _ = d.ok("list_spaces", args{})
	assert.Contains(t, r.Text, "ENG: Engineering")
	_, out = d.ok("get_space", args{"space_key": "ENG"})
	assert.Equal(t, "1000", out["homepage_id"])

	_, out = d.ok("get_attachments", args{"page_id": "1001"})
	assert.Len(t, out["attachments"], 2)
	r, out = d.ok("download_attachment", args{"attachment_id": "6002"})
	assert.Contains(t, r.Text, "1. seal\n2. valve")
	assert.Equal(t, "text", out["encoding"])
	_, whole := d.ok("download_attachment", args{"attachment_id": "att6001", "range": "0-"})
	assert.NotEmpty(t, whole["content"], "to the end")
	_, prefixed := d.ok("download_attachment", args{"attachment_id": "att6001", "range": "bytes=0-7"})
	assert.Equal(t, "iVBORw0KGgo=", prefixed["content"])
	_, out = d.ok("download_attachment", args{"attachment_id": "att6001", "range": "0-7"})
	assert.Equal(t, "iVBORw0KGgo=", out["content"])
	assert.NotEmpty(t, out["next_range"])

	r, _ = d.ok("search_user", args{"query": "Ann"})
	assert.Contains(t, r.Text, "Ann Arbor")
	_, out = d.ok("get_user", args{"user_id": "u-bob"})
	assert.Equal(t, "Bob Bright", out["name"])
	_, out = d.ok("get_user", args{})
	assert.Equal(t, fullAccess, out["me"].(map[string]any)["profile"])
	d.fails("not_found", "get_approval", args{"approval_id": "a1"})
}

func TestC01_TheEmulatorHidesWhatTheCallerMayNotSee(t *testing.T) {
	d, _ := emulated(t, "u-bob")
	missing := d.fails("not_found", "get_page", args{"page_id": "999999"})
	hidden := d.fails("not_found", "get_page", args{"page_id": "1002"})
	assert.Equal(t, strings.ReplaceAll(missing.Message, "999999", "1002"), hidden.Message)
	r, _ := d.ok("search", args{"query": "zeppelin"})
	assert.NotContains(t, r.Text, "autumn")
	d.fails("not_found", "get_comments", args{"page_id": "1002"})
	d.fails("not_found", "get_attachments", args{"page_id": "1002"})
	d.fails("not_found", "download_attachment", args{"attachment_id": "6003"})
	d.fails("not_found", "get_page_history", args{"page_id": "1002"})
	r, _ = d.ok("list_pages", args{"parent_id": "1000", "depth": 5})
	assert.NotContains(t, r.Text, "Plans")
}

func TestEveryWriteToolOnTheEmulator(t *testing.T) {
	d, e := emulated(t, "u-ann")

	_, out := d.ok("create_page", args{"space_key": "ENG", "title": "Gateway", "body": "# Start\n\nTurn the key. Say hello.", "labels": []string{"gateway"}})
	id := out["id"].(string)
	r, got := d.ok("get_page", args{"page_id": id})
	assert.Contains(t, r.Text, "Turn the key.")
	assert.Equal(t, []any{"gateway"}, got["labels"])
	d.fails("input.title_taken", "create_page", args{"space_key": "ENG", "title": "gateway", "body": "x"})

	_, out = d.ok("update_page", args{"page_id": id, "base_version": 1, "edits": []args{{"op": "replace_text", "find": "the key", "replace": "the knob"}}})
	assert.Equal(t, float64(2), out["version"])
	stale := d.fails("conflict", "update_page", args{"page_id": id, "base_version": 1, "title": "Other"})
	assert.Contains(t, stale.Message, "version 2")
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 2, "body": "# Start\n\nTurn the knob slowly. Say hello."})
	assert.Equal(t, float64(3), out["version"])
	r, _ = d.ok("get_page_diff", args{"page_id": id, "from_version": 1})
	assert.Contains(t, r.Text, "+Turn the knob slowly.")
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 3, "undo": true})
	assert.Equal(t, float64(4), out["version"])
	r, _ = d.ok("get_page", args{"page_id": id})
	assert.Contains(t, r.Text, "Turn the knob. Say hello.")
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 4, "restore_version": 1, "minor": true})
	assert.Equal(t, float64(5), out["version"])
	_, out = d.ok("update_page", args{"page_id": id, "base_version": 5, "title": "Gateway guide"})
	assert.Equal(t, "Gateway guide", out["title"])

	_, out = d.ok("create_page", args{"space_key": "ENG", "title": "Runbook copy", "copy_from": "1001", "parent_id": "1000"})
	copied := out["id"].(string)
	_, files := d.ok("get_attachments", args{"page_id": copied})
	assert.Len(t, files["attachments"], 2)
	_, out = d.ok("create_page", args{"space_key": "ENG", "title": "News", "type": "blogpost", "body": "<p>All well.</p>", "format": "storage"})
	assert.Equal(t, "blogpost", out["type"])

	_, out = d.ok("add_comment", args{"page_id": id, "body": "Is **this** so?"})
	comment := out["id"].(string)
	_, _ = d.ok("add_comment", args{"page_id": id, "body": "It is.", "parent_id": comment})
	_, out = d.ok("update_comment", args{"comment_id": comment, "body": "Is this so, really?"})
	assert.Equal(t, float64(2), out["version"])
	_, out = d.ok("add_comment", args{"page_id": id, "body": "Which?", "inline_text": "the key"})
	inline := out["id"].(string)
	_, _ = d.ok("update_comment", args{"comment_id": inline, "resolved": true})
	r, _ = d.ok("get_comments", args{"page_id": id, "limit": 1})
	assert.Contains(t, r.Text, "It is.")
	_, _ = d.ok("delete_comment", args{"comment_id": inline})
	d.fails("not_found", "delete_comment", args{"comment_id": inline})

	_, _ = d.ok("add_label", args{"page_id": id, "name": "howto"})
	_, _ = d.ok("remove_label", args{"page_id": id, "name": "gateway"})
	_, got = d.ok("get_page", args{"page_id": id})
	assert.Equal(t, []any{"howto"}, got["labels"])

	_, _ = d.ok("move_page", args{"page_id": id, "target_id": "1001"})
	_, got = d.ok("get_page", args{"page_id": id})
	assert.Equal(t, "1001", got["parent_id"])

	_, out = d.ok("upload_attachment", args{"page_id": id, "filename": "notes.txt", "content": "one"})
	file := out["id"].(string)
	_, out = d.ok("upload_attachment", args{"page_id": id, "filename": "notes.txt", "content": "dHdv", "encoding": "base64"})
	assert.Equal(t, file, out["id"])
	assert.Equal(t, float64(2), out["version"])
	r, _ = d.ok("download_attachment", args{"attachment_id": file})
	assert.Contains(t, r.Text, "two")
	_, _ = d.ok("delete_attachment", args{"attachment_id": file})

	_, out = d.ok("delete_page", args{"page_id": id})
	assert.Contains(t, out["summary"], "trash")
	d.fails("policy.blocked_operation", "delete_page", args{"page_id": id})
	d.fails("policy.space_delete_blocked", "delete_page", args{"page_id": "1000"})

	for _, req := range e.Requests(0) {
		assert.NotContains(t, req.Path, "purge")
		assert.False(t, req.Method == "DELETE" && strings.Contains(req.Path, "/space"), req.Path)
	}
}

func TestSpacesAreWrittenOnTheEmulator(t *testing.T) {
	d, _ := emulated(t, "u-ops")
	_, out := d.ok("create_space", args{"key": "NEW", "name": "New things", "description": "Fresh."})
	assert.Equal(t, "NEW", out["space_key"])
	_, _ = d.ok("update_space", args{"space_key": "NEW", "name": "Newer things"})
	_, out = d.ok("get_space", args{"space_key": "NEW"})
	assert.Equal(t, "Newer things", out["name"])
}

// TestTimeoutsAreToldAndChangeNothing has Confluence stall: a read is asked
// again and given up in one sentence, a write is sent once and its outcome not
// guessed.
func TestTimeoutsAreToldAndChangeNothing(t *testing.T) {
	e := emulatortest.Start(t)
	c, err := rest.New(rest.Config{Name: "acme", BaseURL: e.URL, Auth: rest.Basic, Username: e.Email("u-ann"), Token: seal.NewSecret(e.Token("u-ann")),
		HeaderTimeout: 300 * time.Millisecond, Sleep: func(context.Context, time.Duration) error { return nil }})
	require.NoError(t, err)
	d := newDesk(t, c)
	d.who.AccountID = "u-ann"
	d.ok("get_page", args{"page_id": "1001"})

	e.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages/1001*","action":{"delay_ms":20000}}`)
	f := d.fails("net.timeout", "get_page", args{"page_id": "1001"})
	assert.Equal(t, "Confluence did not answer in time.", f.Message)
	assert.Equal(t, "Try again later, or ask for less at once.", f.Next)
	assert.True(t, f.Retryable)

	e.Apply(`{"kind":"fault","clear":true}`, `{"kind":"fault","match":"POST /wiki/api/v2/pages","action":{"delay_ms":2000,"status":504},"times":1}`)
	f = d.fails("net.timeout", "create_page", args{"space_key": "ENG", "title": "Stalled", "body": "x"})
	assert.Contains(t, f.Message, "whether the change was made is not known")
	assert.Equal(t, "Read the content again before you repeat the change.", f.Next)
	posts := 0
	for _, r := range e.Requests(0) {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/pages") {
			posts++
		}
	}
	assert.Equal(t, 1, posts, "a write whose outcome is not known is not sent again")
	_, out := d.ok("list_pages", args{"parent_id": "1000", "depth": 5})
	assert.NotContains(t, fmt.Sprint(out["pages"]), "Stalled")
}
