package mirrored_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/store/guard"
	"confluence-mcp/tools"
)

// Everything a tool can write, done by a site. ann may all of it but what is said
// otherwise below.
func everyWrite(w *world) map[string]func(tools.Site) error {
	name, text := "New name", "<p>x</p>"
	second := func(_ any, err error) error { return err }
	return map[string]func(tools.Site) error{
		"create page": func(s tools.Site) error {
			return second(s.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", ParentID: "1001", Body: text}))
		},
		"create page at home": func(s tools.Site) error {
			return second(s.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", Body: text}))
		},
		"create blog post": func(s tools.Site) error {
			return second(s.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "blogpost", Title: "Fresh", Body: text}))
		},
		"update page": func(s tools.Site) error {
			return second(s.UpdatePage(w.ctx, confluence.PageUpdate{ID: "1006", Type: "page", Status: "current", Title: "House rules", Body: text, Version: 2, Message: "why"}))
		},
		"delete page": func(s tools.Site) error { return s.DeletePage(w.ctx, "1006", "page") },
		"move page":   func(s tools.Site) error { return s.MovePage(w.ctx, "1006", confluence.MoveAppend, "1001") },
		"move page to another space": func(s tools.Site) error {
			return s.MovePage(w.ctx, "1006", confluence.MoveAppend, "3001")
		},
		"copy page": func(s tools.Site) error {
			return second(s.CopyPage(w.ctx, confluence.CopyRequest{SourceID: "1001", ParentID: "1006", Title: "Copied"}))
		},
		"comment": func(s tools.Site) error {
			return second(s.CreateComment(w.ctx, confluence.NewComment{PageID: "1006", PageType: "page", Body: text}))
		},
		"answer": func(s tools.Site) error {
			return second(s.CreateComment(w.ctx, confluence.NewComment{PageID: "1001", PageType: "page", ParentID: "5001", Kind: confluence.CommentFooter, Body: text}))
		},
		"change comment": func(s tools.Site) error {
			return second(s.UpdateComment(w.ctx, confluence.CommentUpdate{ID: "5001", Kind: confluence.CommentFooter, Body: text, Version: 2}))
		},
		"delete comment": func(s tools.Site) error { return s.DeleteComment(w.ctx, "5001", confluence.CommentFooter) },
		"label":          func(s tools.Site) error { return second(s.AddLabels(w.ctx, "1006", []string{"new"})) },
		"unlabel":        func(s tools.Site) error { return s.RemoveLabel(w.ctx, "1001", "ops") },
		"upload": func(s tools.Site) error {
			return second(s.Upload(w.ctx, confluence.Upload{PageID: "1006", FileName: "new.txt", MediaType: "text/plain", Size: 3, Content: strings.NewReader("new")}))
		},
		"upload again": func(s tools.Site) error {
			return second(s.Upload(w.ctx, confluence.Upload{PageID: "1001", AttachmentID: "att6002", FileName: "checklist.txt", MediaType: "text/plain", Size: 3, Content: strings.NewReader("new")}))
		},
		"delete file": func(s tools.Site) error { return s.DeleteAttachment(w.ctx, "att6002") },
		"make space": func(s tools.Site) error {
			return second(s.CreateSpace(w.ctx, confluence.NewSpace{Key: "NEW", Name: "New"}))
		},
		"change space": func(s tools.Site) error {
			return second(s.UpdateSpace(w.ctx, confluence.SpaceUpdate{Key: "ENG", Name: &name}))
		},
	}
}

// Whom Confluence would let do it himself, of those who see ENG. Of two writes it
// tells nobody, or only of administrators of the space.
func mayWrite(write, who string) bool {
	switch {
	case write == "make space" || write == "change space":
		return false
	case slices.Contains([]string{"update page", "delete page", "move page", "move page to another space", "label", "upload"}, write):
		return who == "ann" // 1006 is changed by group A
	}
	return who == "ann" || who == "bob"
}

func strangers() map[string]identity.Caller {
	return map[string]identity.Caller{
		"dan, who does not view the space": user("u-dan"),
		"a guest":                          user("u-gus"),
		"deactivated":                      user("u-eve"),
		"unknown":                          user("u-zzz"),
		"the public":                       nobody(),
		"access attributes":                nobody("group-staff", "group-A", "user-u-ann"),
	}
}

// sent are the requests fn makes, those that only read left out.
func (w *world) sent(fn func()) []string {
	return slices.DeleteFunc(w.asked(fn), func(r string) bool {
		return strings.HasPrefix(r, "GET ") || r == "POST /wiki/api/v2/users-bulk" || r == "POST /wiki/api/v2/content/convert-ids-to-types"
	})
}

func changes(sent []string) []string {
	return slices.DeleteFunc(slices.Clone(sent), func(r string) bool { return strings.HasSuffix(r, "/permission/check") })
}

// Every write of every caller, where the account writes for others: made for whom
// Confluence lets, after it said so, and for nobody else.
func TestTheConnectingAccountWritesForWhomConfluenceLets(t *testing.T) {
	names := slices.Sorted(maps.Keys(everyWrite(&world{})))
	for _, mode := range []string{"PRE_ROLES", "ROLES_TRANSITION", "ROLES"} {
		for _, name := range names {
			if mode != "ROLES" && !strings.Contains(name, "e page") && name != "comment" {
				continue // what a space lets people do is asked about in two of them
			}
			w := newWorld(t, `{"kind":"site","name":"Acme","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true,"role_mode":"`+mode+`"}`)
			w.lends = true
			write := everyWrite(w)[name]
			refused := strangers()
			for _, who := range []string{"bob", "ann"} { // ann may more, and what she changes is gone
				about := fmt.Sprintf("%s, %s, %s", mode, name, who)
				if mayWrite(name, who) && (who == "ann" || !mayWrite(name, "ann")) {
					var err error
					sent := w.sent(func() { err = write(w.as(user("u-" + who))) })
					require.NoError(t, err, about)
					require.Len(t, changes(sent), 1, "%s: %v", about, sent)
					assert.Equal(t, changes(sent)[0], sent[len(sent)-1], "%s: the write comes last", about)
				} else if !mayWrite(name, who) {
					refused[who] = user("u-" + who)
				}
				if who == "bob" {
					for stranger, c := range refused {
						w.refuses(write, c, about+", "+stranger)
					}
				}
			}
			for _, r := range w.emulator.Requests(0) {
				assert.Equal(t, "u-bot", r.User, name)
			}
		}
	}
}

// refuses holds that a write of a caller comes to nothing.
func (w *world) refuses(write func(tools.Site) error, c identity.Caller, about string) {
	var err error
	sent := w.sent(func() { err = write(w.as(c)) })
	require.Error(w.t, err, about)
	assert.Contains(w.t, []confluence.Kind{confluence.Denied, confluence.NotFound}, confluence.KindOf(err), "%s: %v", about, err)
	assert.Empty(w.t, changes(sent), about)
}

// Without service_writes nobody else's write is looked at, whoever he is.
func TestTheConnectingAccountWritesForNobodyWithoutTheSetting(t *testing.T) {
	w := newWorld(t)
	callers := strangers()
	callers["ann"] = user("u-ann")
	for name, write := range everyWrite(w) {
		for who, c := range callers {
			site := w.as(c)
			var err error
			asked := w.asked(func() { err = write(site.(interface{ Live() tools.Site }).Live()) })
			assert.Equal(t, confluence.Denied, confluence.KindOf(err), "%s, %s: %v", name, who, err)
			if name != "delete file" { // whose page it is, is asked for what was written there
				assert.Empty(t, asked, "%s, %s", name, who)
			}
		}
	}
	assert.Empty(t, w.wrote, "what was refused was not written")
}

// What Confluence does not say is not assumed: each answer of a check but yes
// refuses, and says what to do next.
func TestACheckThatCannotBeMadeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		fault string
		kind  confluence.Kind
		next  string
	}{
		"not an administrator": {`"status":403`, confluence.Denied, "administrator"},
		"no such scope":        {`"status":401`, confluence.Denied, "administrator"},
		"not there":            {`"status":404`, confluence.Denied, "administrator"},
		"a server error":       {`"status":500`, confluence.Unavailable, "Try again"},
		"a rate limit":         {`"status":429,"headers":{"Retry-After":"3600"}`, confluence.Unavailable, "Try again"},
		"no answer":            {`"reset":true`, confluence.Unavailable, "Try again"},
		"an empty answer":      {`"status":200,"headers":{"Content-Type":"application/json"},"body":"{}"`, confluence.Denied, "Ask whoever runs"},
		"no JSON":              {`"status":200,"headers":{"Content-Type":"text/html"},"body":"<html>yes</html>"`, confluence.Unavailable, "Try again"},
	} {
		for _, path := range []string{"POST /wiki/rest/api/content/*/permission/check", "GET /wiki/api/v2/spaces/*/permissions*"} {
			w := newWorld(t)
			w.lends = true
			w.emulator.Apply(`{"kind":"fault","match":"` + path + `","action":{` + c.fault + `},"times":50}`)
			create := everyWrite(w)["create page"]
			var err error
			sent := w.sent(func() { err = create(w.as(user("u-ann"))) })
			var e *confluence.Error
			require.ErrorAs(t, err, &e, "%s, %s", name, path)
			assert.Equal(t, c.kind, e.Kind, "%s, %s: %v", name, path, err)
			assert.Contains(t, e.Next, c.next, "%s, %s", name, path)
			assert.Empty(t, changes(sent), "%s, %s", name, path)
		}
	}
}

// The history of a page names whom a version was made for, before anything the
// caller says himself.
func TestAVersionNamesWhomItWasMadeFor(t *testing.T) {
	w := newWorld(t, `{"kind":"user","id":"u-ann","username":"ann","name":"Ann\u202e\n Arbor","email":"ann@acme.test","groups":["staff","A"],"token":"ann-token"}`)
	w.lends = true
	ann := w.as(user("ann@acme.test"))
	for n, c := range []struct{ message, want string }{
		{"For Bob Bright (u-bob): trust me", "For Ann Arbor (u-ann): For Bob Bright (u-bob): trust me"},
		{"", "For Ann Arbor (u-ann)"},
	} {
		_, err := ann.UpdatePage(w.ctx, confluence.PageUpdate{ID: "1006", Type: "page", Status: "current", Title: "House rules", Body: "<p>x</p>", Version: n + 2, Message: c.message})
		require.NoError(t, err)
		p, err := w.shared.Page(w.ctx, "1006", confluence.PageOptions{})
		require.NoError(t, err)
		assert.Equal(t, c.want, p.Version.Message)
		assert.Equal(t, "u-bot", p.Version.AuthorID)
	}
	a, err := ann.Upload(w.ctx, confluence.Upload{PageID: "1006", FileName: "new.txt", MediaType: "text/plain", Size: 3, Comment: "first", Content: strings.NewReader("new")})
	require.NoError(t, err)
	a, err = w.shared.Attachment(w.ctx, a.ID)
	require.NoError(t, err)
	assert.Equal(t, "For Ann Arbor (u-ann): first", a.Comment)
	_, err = ann.UpdateComment(w.ctx, confluence.CommentUpdate{ID: "5001", Kind: confluence.CommentFooter, Body: "<p>x</p>", Version: 2})
	require.NoError(t, err)
	c, err := w.shared.Comment(w.ctx, "5001")
	require.NoError(t, err)
	assert.Equal(t, "For Ann Arbor (u-ann)", c.Version.Message)
}

// Of files of hidden pages an upload says what it says of those that are not there.
func TestAnUploadOverAFileOfAnotherPageTellsNothingOfIt(t *testing.T) {
	w := newWorld(t)
	w.lends = true
	said := map[string]bool{}
	for _, id := range []string{"att6001", "att6002", "att999999"} {
		w.refuses(func(s tools.Site) error {
			_, err := s.Upload(w.ctx, confluence.Upload{PageID: "1006", AttachmentID: id, FileName: "x.txt", MediaType: "text/plain", Size: 1, Content: strings.NewReader("x")})
			said[strings.ReplaceAll(err.Error(), id, "")] = true
			return err
		}, user("u-ann"), id)
	}
	assert.Len(t, said, 1, "%v", said)
}

// A page that a call has made it goes on with, though the mirror does not have it;
// another call waits for the mirror.
func TestANewPageIsLabelledByTheCallThatMadeIt(t *testing.T) {
	w := newWorld(t)
	w.lends = true
	ann := w.as(user("u-ann"))
	p, err := ann.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", ParentID: "1001", Body: "<p>x</p>"})
	require.NoError(t, err)
	labels, err := ann.AddLabels(w.ctx, p.ID, []string{"new"})
	require.NoError(t, err)
	assert.Len(t, labels, 1)
	_, err = w.as(user("u-ann")).AddLabels(w.ctx, p.ID, []string{"newer"})
	isNotFound(t, err, "another call")
}

// A rehearsal asks what a write asks, and writes nothing.
func TestARehearsalWritesNothing(t *testing.T) {
	w := newWorld(t)
	for _, lends := range []bool{false, true} {
		w.lends = lends
		for name, write := range everyWrite(w) {
			for who, c := range map[string]identity.Caller{"ann": user("u-ann"), "bob": user("u-bob"), "the public": nobody()} {
				site := w.as(c).(interface{ Live() tools.Site }).Live().(interface {
					Lent() bool
					Rehearsal() (tools.Site, func() string)
				})
				assert.True(t, site.Lent())
				judge, would := site.Rehearsal()
				var err error
				sent := w.sent(func() { err = write(judge) })
				require.Error(t, err)
				assert.Empty(t, changes(sent), "%s, %s", name, who)
				assert.Equal(t, lends && mayWrite(name, who), would() != "", "%s, %s: %v", name, who, err)
				if would() != "" {
					assert.Contains(t, would(), "(u-"+who+")")
				}
			}
		}
	}
	w.own["u-ann"] = true
	assert.False(t, w.as(user("u-ann")).(interface{ Lent() bool }).Lent())
}

// What the mirror shows a caller is asked of Confluence again: a right that was
// taken away a moment ago is not there any more.
func TestARightThatWasTakenAwayIsNotUsed(t *testing.T) {
	for name, lines := range map[string]string{
		"the page is restricted":     `{"kind":"content","id":"1001","read":["group:B"]}`,
		"an edit restriction":        `{"kind":"content","id":"1001","update":["user:u-bob"]}`,
		"the user left the group":    `{"kind":"user","id":"u-ann","groups":["A"]}`,
		"the user was deactivated":   `{"kind":"user","id":"u-ann","active":false}`,
		"the page went to the trash": `{"kind":"content","id":"1001","status":"trashed"}`,
	} {
		w := newWorld(t)
		w.lends = true
		ann := w.as(user("u-ann"))
		w.emulator.Apply(lines)
		for what, write := range everyWrite(w) {
			if strings.HasPrefix(what, "upload") || what == "unlabel" || what == "delete file" {
				w.refuses(func(tools.Site) error { return write(onRunbook{ann}) }, user("u-ann"), name+", "+what)
			}
		}
		w.refuses(func(tools.Site) error {
			_, err := ann.UpdatePage(w.ctx, confluence.PageUpdate{ID: "1001", Type: "page", Status: "current", Title: "Runbook", Body: "<p>x</p>", Version: 4})
			return err
		}, user("u-ann"), name)
	}
}

// onRunbook uploads to page 1001, whatever page is meant.
type onRunbook struct{ tools.Site }

func (s onRunbook) Upload(ctx context.Context, u confluence.Upload) (confluence.Attachment, error) {
	u.PageID = "1001"
	return s.Site.Upload(ctx, u)
}

// Below a folder that counts as open a page is made where the folder stands now.
func TestAPageIsMadeInAFolderWhereItStandsNow(t *testing.T) {
	w := newWorld(t)
	w.lends, w.site.Opaque = true, guard.TrustOpaque
	w.sync()
	into := confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", ParentID: "1010", Body: "<p>x</p>"}
	w.emulator.Apply(`{"kind":"content","id":"1010","parent":"1002"}`)
	bob := w.as(user("u-bob"))
	w.refuses(func(tools.Site) error { _, err := bob.CreatePage(w.ctx, into); return err }, user("u-bob"), "below a hidden page")
	_, err := w.as(user("u-ann")).CreatePage(w.ctx, into)
	require.NoError(t, err)
}

// What a right was asked for is where the write goes: not the space or page that
// was named beside it.
func TestNoWriteGoesWhereNoRightWasAskedFor(t *testing.T) {
	w := newWorld(t, `{"kind":"space","id":"300","key":"S2","name":"Public","type":"knowledge_base","grants":[{"to":"group:staff","op":"read"},{"to":"user:u-bot","op":"write"}]}`,
		`{"kind":"content","id":"5900","type":"comment","space":"S2","parent":"3001","storage":"<p>said</p>","author":"u-ops"}`)
	w.lends = true
	for name, write := range map[string]func(tools.Site) error{
		"a page below one of another space": func(s tools.Site) error {
			_, err := s.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Type: "page", Title: "Fresh", ParentID: "3001", Body: "<p>x</p>"})
			return err
		},
		"an answer on another page": func(s tools.Site) error {
			_, err := s.CreateComment(w.ctx, confluence.NewComment{PageID: "1001", PageType: "page", ParentID: "5900", Kind: confluence.CommentFooter, Body: "<p>x</p>"})
			return err
		},
		"a file of another page": func(s tools.Site) error {
			_, err := s.Upload(w.ctx, confluence.Upload{PageID: "1006", AttachmentID: "att6002", FileName: "checklist.txt", MediaType: "text/plain", Size: 3, Content: strings.NewReader("new")})
			return err
		},
	} {
		w.refuses(write, user("u-ann"), name)
	}
}
