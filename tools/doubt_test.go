package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/emulator/emulatortest"
)

// settled looks for a change in doubt for some minutes.
func (a *approving) settled(r approval.Request) approval.Request {
	a.t.Helper()
	for range 3 {
		a.svc.Sweep(context.Background())
		a.clock.Add(int64(61 * time.Second))
	}
	r, err := a.svc.Show(context.Background(), r.ID)
	require.NoError(a.t, err)
	return r
}

// edited has Ann save a page some times.
func (a *approving) edited(page string, times int) {
	a.t.Helper()
	ann := deskOn(a.t, a.site, "u-ann")
	for i := range times {
		_, now := ann.ok("get_page", args{"page_id": page})
		ann.ok("update_page", args{"page_id": page, "base_version": now["version"], "edits": []args{{"op": "append", "markdown": fmt.Sprint("Later ", i)}}})
	}
}

// doubt is a change whose answer is lost, what was there before, and what
// others do before anybody looks. Who asks acts as u-ops.
type doubt struct {
	tool      string
	in        args
	before    string // a line of the emulator
	meanwhile func(a *approving)
	unclear   bool // it cannot be told
}

func doubts() map[string]doubt {
	comment := args{"page_id": "1001", "body": "As I said."}
	post := args{"space_key": "ENG", "title": "News", "body": "Some news.", "type": "blogpost"}
	made := func(kind, rest string, ago time.Duration) string {
		at := emulatortest.Epoch().Add(-ago).Format(time.RFC3339)
		return `{"kind":"content","id":"7001","type":"` + kind + `","space":"ENG","author":"u-ops","created":"` + at + `","updated":"` + at + `",` + rest + `}`
	}
	same, other := `"title":"News","storage":"<p>Some news.</p>"`, `"title":"News","storage":"<p>Older news.</p>"`
	said := `"parent":"1001","storage":"<p>As I said.</p>"`
	return map[string]doubt{
		"a page that many edit": {tool: "update_page", in: rename("Runbook of pumps"), meanwhile: func(a *approving) { a.edited("1001", 25) }},
		"a comment that is changed again": {tool: "update_comment", in: args{"comment_id": "5001", "body": "Now it is otherwise."}, meanwhile: func(a *approving) {
			deskOn(a.t, a.site, "u-ann").ok("update_comment", args{"comment_id": "5001", "body": "No, it is not."})
		}},
		"a file that is replaced again": {tool: "upload_attachment", in: args{"page_id": "1001", "filename": "checklist.txt", "content": "one"}, meanwhile: func(a *approving) {
			deskOn(a.t, a.site, "u-ann").ok("upload_attachment", args{"page_id": "1001", "filename": "checklist.txt", "content": "two"})
		}},
		"a comment said long ago":       {tool: "add_comment", in: comment, before: made("comment", said, 48*time.Hour)},
		"a comment said shortly before": {tool: "add_comment", in: comment, before: made("comment", said, 30*time.Minute), unclear: true},
		"a post published long ago":     {tool: "create_page", in: post, before: made("blogpost", same, 48*time.Hour)},
		"a post of other text":          {tool: "create_page", in: post, before: made("blogpost", other, 30*time.Minute)},
		"a post published a moment ago": {tool: "create_page", in: post, before: made("blogpost", same, 30*time.Minute), unclear: true},
		"a post that is edited at once": {tool: "create_page", in: post, meanwhile: func(a *approving) {
			ann := deskOn(a.t, a.site, "u-ann")
			_, out := ann.ok("search", args{"query": "*", "cql": `type = blogpost and title = "News"`})
			for _, hit := range out["results"].([]any) {
				a.edited(hit.(map[string]any)["page_id"].(string), 1)
			}
		}},
	}
}

// What was there before and what others do meanwhile hides no change whose
// answer was lost, and makes none out of what never came there. Only what is
// the same in author, title and text and was made within the hour before is
// left to a person, where the change did not land.
func TestH12_DoubtsEndWhateverOthersDo(t *testing.T) {
	for name, c := range doubts() {
		for _, lose := range []string{"before", "after"} {
			t.Run(name+", lost "+lose, func(t *testing.T) {
				a := newApproving(t)
				if c.before != "" {
					a.site.Apply(c.before)
				}
				a.shaky.lose = lose
				r := a.approve(a.ask(c.tool, c.in))
				require.Equal(t, approval.InDoubt, r.State, r.Reason)
				if c.meanwhile != nil {
					c.meanwhile(a)
				}
				r = a.settled(r)
				want := map[string]approval.State{"before": approval.Failed, "after": approval.Executed}[lose]
				if c.unclear && lose == "before" {
					want = approval.InDoubt
				}
				assert.Equal(t, want, r.State, r.Reason)
			})
		}
	}
}

// Whoever knows the id of a change in doubt, as who asked for it does, cannot
// have another change pass for it.
func TestH12_NobodyForgesTheMarkOfAChangeInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		in, forged args
	}{
		"update_page":       {rename("Runbook of pumps"), args{"page_id": "1001", "base_version": 3, "edits": []args{{"op": "append", "markdown": "Other."}}}},
		"upload_attachment": {args{"page_id": "1001", "filename": "checklist.txt", "content": "one"}, args{"page_id": "1001", "filename": "checklist.txt", "content": "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApproving(t)
			a.shaky.lose = "before"
			r := a.approve(a.ask(name, c.in))
			require.Equal(t, approval.InDoubt, r.State, r.Reason)
			mark := r.Mark()
			note := map[string]string{"update_page": "message", "upload_attachment": "comment"}[name]
			c.forged[note] = "As approved " + mark + mark[:4] + mark + mark[4:]
			deskOn(t, a.site, "u-ops").ok(name, c.forged)
			r = a.settled(r)
			assert.Equal(t, approval.Failed, r.State, r.Reason)
		})
	}
}

// That a comment or a file is not to be seen says nothing while its page is not
// to be seen either.
func TestH12_WhatIsOutOfSightWasNotDeleted(t *testing.T) {
	for tool, in := range map[string]args{"delete_comment": {"comment_id": "5001"}, "delete_attachment": {"attachment_id": "6001"}} {
		for _, lose := range []string{"before", "after"} {
			t.Run(tool+", lost "+lose, func(t *testing.T) {
				a := newApproving(t)
				a.shaky.lose = lose
				r := a.approve(a.ask(tool, in))
				require.Equal(t, approval.InDoubt, r.State, r.Reason)
				a.site.Apply(`{"kind":"content","id":"1001","type":"page","space":"ENG","parent":"1000","title":"Runbook","storage":"<p>x</p>","author":"u-ann","version":3,"read":["user:u-ann"]}`)
				r = a.settled(r)
				assert.Equal(t, approval.InDoubt, r.State, "a person has to look")
			})
		}
	}
}

// An undo whose answer was lost is found, or proved absent.
func TestH12_UndoInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		tool string
		in   args
	}{
		"create page":    {"create_page", args{"space_key": "ENG", "title": "Fresh", "body": "x"}},
		"update page":    {"update_page", rename("Runbook of pumps")},
		"move page":      {"move_page", args{"page_id": "1020", "target_id": "1001"}},
		"delete page":    {"delete_page", args{"page_id": "1011"}},
		"add label":      {"add_label", args{"page_id": "1001", "name": "howto"}},
		"add comment":    {"add_comment", args{"page_id": "1001", "body": "So it is."}},
		"update comment": {"update_comment", args{"comment_id": "5001", "body": "Now it is otherwise."}},
		"new file":       {"upload_attachment", args{"page_id": "1001", "filename": "new.txt", "content": "x"}},
		"new version":    {"upload_attachment", args{"page_id": "1001", "filename": "checklist.txt", "content": "x"}},
		"update space":   {"update_space", args{"space_key": "ENG", "name": "Engineers"}},
	} {
		for _, lose := range []string{"before", "after"} {
			t.Run(name+", lost "+lose, func(t *testing.T) {
				a := newApproving(t)
				a.site.Apply(`{"kind":"content","id":"1020","type":"page","space":"ENG","parent":"1000","title":"The last of the row","storage":"<p>x</p>"}`)
				r := a.approve(a.ask(c.tool, c.in))
				require.Equal(t, approval.Executed, r.State, r.Reason)
				var made struct {
					ChangeID string `json:"change_id"`
				}
				require.NoError(t, json.Unmarshal(r.Private.Result.Structured, &made))
				a.shaky.lose = lose
				r = a.approve(a.ask("undo", args{"change_id": made.ChangeID}))
				require.Equal(t, approval.InDoubt, r.State, r.Reason)
				written := a.written()
				r = a.settled(r)
				assert.Equal(t, map[string]approval.State{"before": approval.Failed, "after": approval.Executed}[lose], r.State, r.Reason)
				assert.Equal(t, written, a.written(), "looking changes nothing")
			})
		}
	}
}
