package mirrored_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

var storage = confluence.PageOptions{Format: confluence.Storage}

func everything[T any](t *testing.T, list func(confluence.Paging) (confluence.List[T], error), limit int) []T {
	t.Helper()
	var out []T
	p := confluence.Paging{Limit: limit}
	for range 100 {
		l, err := list(p)
		require.NoError(t, err)
		out = append(out, l.Items...)
		if p.Cursor = l.Next; p.Cursor == "" {
			return out
		}
	}
	require.Fail(t, "the listing does not end")
	return nil
}

func idsOf[T any](items []T, id func(T) string) []string {
	out := []string{}
	for _, one := range items {
		out = append(out, id(one))
	}
	slices.Sort(out)
	return out
}

func nodeIDs(nodes []confluence.Node) []string {
	return idsOf(nodes, func(n confluence.Node) string { return n.ID })
}

func pageIDs(pages []confluence.Page) []string {
	return idsOf(pages, func(p confluence.Page) string { return p.ID })
}

func hitIDs(hits []confluence.Hit) []string {
	return idsOf(hits, func(h confluence.Hit) string { return h.ID })
}

func isNotFound(t *testing.T, err error, name string) {
	t.Helper()
	require.Error(t, err, name)
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err), "%s: %v", name, err)
}

// A caller without a credential of his own reads from the mirror, and Confluence
// hears nothing of it.
func TestWhatTheMirrorHasIsAskedOfNobody(t *testing.T) {
	w := newWorld(t)
	w.advance(time.Minute)
	bob := w.as(user("u-bob"))
	asked := w.asked(func() {
		p, err := bob.Page(w.ctx, "1001", storage)
		require.NoError(t, err)
		assert.Equal(t, "Runbook", p.Title)
		assert.Equal(t, "ENG", p.SpaceKey)
		assert.Equal(t, 3, p.Version.Number)
		assert.Contains(t, p.Body, "Restart the pump")
		assert.Equal(t, time.Minute, w.clock().Sub(p.ReadAt))
		p, err = bob.Page(w.ctx, "1001", confluence.PageOptions{})
		require.NoError(t, err)
		assert.Empty(t, p.Body)

		labels, err := bob.Labels(w.ctx, "1001", confluence.TypePage)
		require.NoError(t, err)
		assert.Equal(t, []string{"ops", "runbook"}, idsOf(labels, func(l confluence.Label) string { return l.Name }))

		sp, err := bob.Space(w.ctx, "eng")
		require.NoError(t, err)
		assert.Equal(t, time.Minute, w.clock().Sub(sp.ReadAt))
		pages := everything(t, func(p confluence.Paging) (confluence.List[confluence.Page], error) {
			return bob.Pages(w.ctx, confluence.PageFilter{SpaceID: sp.ID, Status: confluence.StatusCurrent}, p)
		}, 2)
		assert.Equal(t, []string{"1000", "1001", "1005", "1006"}, pageIDs(pages), "1011 is below a folder nobody can judge")
		found, err := bob.Pages(w.ctx, confluence.PageFilter{SpaceID: sp.ID, Title: "Runbook"}, confluence.Paging{})
		require.NoError(t, err)
		assert.Equal(t, []string{"1001"}, pageIDs(found.Items))

		kids := everything(t, func(p confluence.Paging) (confluence.List[confluence.Node], error) {
			return bob.Children(w.ctx, "1000", confluence.TypePage, p)
		}, 2)
		assert.Equal(t, []string{"1001", "1005", "1006"}, nodeIDs(kids))
		cid := w.as(user("u-cid"))
		below := everything(t, func(p confluence.Paging) (confluence.List[confluence.Node], error) {
			return cid.Descendants(w.ctx, "1000", 2, p)
		}, 2)
		assert.Equal(t, []string{"1001", "1002", "1003", "1005", "1006"}, nodeIDs(below))
		for _, n := range below {
			assert.Equal(t, map[bool]int{true: 2, false: 1}[n.ID == "1003"], n.Depth, n.ID)
		}
		up, err := cid.Ancestors(w.ctx, "1003")
		require.NoError(t, err)
		assert.Equal(t, []string{"1000", "1002"}, nodeIDs(up))

		spaces := everything(t, func(p confluence.Paging) (confluence.List[confluence.Space], error) {
			return bob.Spaces(w.ctx, confluence.SpaceFilter{Status: "current"}, p)
		}, 2)
		assert.Equal(t, []string{"ENG", "HR", "S2"}, idsOf(spaces, func(s confluence.Space) string { return s.Key }))
		files := everything(t, func(p confluence.Paging) (confluence.List[confluence.Attachment], error) {
			return bob.Attachments(w.ctx, "1001", confluence.TypePage, p)
		}, 1)
		assert.Equal(t, []string{"att6001", "att6002"}, idsOf(files, func(a confluence.Attachment) string { return a.ID }))
		file, err := bob.Attachment(w.ctx, "att6002")
		require.NoError(t, err)
		assert.Equal(t, "checklist.txt", file.Title)

		hits, err := bob.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "pump"}})
		require.NoError(t, err)
		require.Equal(t, []string{"1001"}, hitIDs(hits.Items))
		assert.True(t, hits.Exact)
		assert.Equal(t, 1, hits.Total)
		assert.NotEmpty(t, hits.Items[0].HeadingPath)
		assert.Contains(t, hits.Items[0].Anchor, "#")
		assert.Equal(t, time.Minute, w.clock().Sub(hits.Items[0].ReadAt))
		assert.NotEmpty(t, hits.Facets)
	})
	assert.Empty(t, asked)
}

// What a caller reads through the mirror is what Confluence shows him.
func TestTheMirrorAnswersLikeConfluence(t *testing.T) {
	w := newWorld(t)
	w.apply(`{"kind":"content","id":"1010","type":"folder","space":"ENG","title":"Guides","status":"trashed"}`) // opaque to the mirror
	w.sync()
	for _, who := range []string{"u-ann", "u-bob", "u-cid", "u-dan", "u-eve", "u-gus", "u-hal", "u-ops"} {
		w.own[who] = true
		own := w.client(who)
		delete(w.own, who)
		copied := w.as(user(who))
		for _, id := range []string{"1000", "1001", "1002", "1003", "1004", "1005", "1006", "1007", "1008", "1009", "2000", "2001", "3000", "3001", "3002", "4000", "777"} {
			_, want := own.Page(w.ctx, id, storage)
			_, got := copied.Page(w.ctx, id, storage)
			hides := slices.Contains([]string{"1007", "1008", "1009", "4000"}, id) // not mirrored
			if hides || who == "u-eve" && strings.HasPrefix(id, "3") {             // a deactivated user cannot log in, but is somebody
				continue
			}
			assert.Equal(t, want == nil, got == nil, "%s, page %s: %v, %v", who, id, want, got)
		}
	}
}

// Everything that belongs to a hidden page is like what does not exist: the same
// error for both, to the letter.
func TestHiddenIsLikeAbsent(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	live := bob.(interface{ Live() tools.Site }).Live()
	for name, site := range map[string]tools.Site{"mirror": bob, "live": live} {
		for what, ask := range map[string]func(id string) error{
			"page": func(id string) error { _, err := site.Page(w.ctx, id, storage); return err },
			"rendered": func(id string) error {
				_, err := site.Page(w.ctx, id, confluence.PageOptions{Format: confluence.ExportView})
				return err
			},
			"version":  func(id string) error { _, err := site.Page(w.ctx, id, confluence.PageOptions{Version: 1}); return err },
			"history":  func(id string) error { _, err := site.Versions(w.ctx, id, "page", confluence.Paging{}); return err },
			"children": func(id string) error { _, err := site.Children(w.ctx, id, "page", confluence.Paging{}); return err },
			"below":    func(id string) error { _, err := site.Descendants(w.ctx, id, 3, confluence.Paging{}); return err },
			"above":    func(id string) error { _, err := site.Ancestors(w.ctx, id); return err },
			"labels":   func(id string) error { _, err := site.Labels(w.ctx, id, "page"); return err },
			"files":    func(id string) error { _, err := site.Attachments(w.ctx, id, "page", confluence.Paging{}); return err },
			"comments": func(id string) error {
				_, err := site.Comments(w.ctx, id, "page", confluence.CommentFooter, confluence.Paging{})
				return err
			},
			"clauses": func(id string) error { _, err := site.Restrictions(w.ctx, id); return err },
		} {
			var hidden, absent error
			asked := w.asked(func() { hidden, absent = ask("1002"), ask("1999") })
			isNotFound(t, hidden, name+" "+what)
			assert.Equal(t, strings.ReplaceAll(absent.Error(), "1999", "1002"), hidden.Error(), "%s %s", name, what)
			assert.Empty(t, asked, "%s %s: Confluence need not hear of it", name, what)
		}
		for what, ask := range map[string]func(hidden bool) error{
			"comment": func(h bool) error {
				_, err := site.Comment(w.ctx, map[bool]string{true: "5003", false: "5999"}[h])
				return err
			},
			"replies": func(h bool) error {
				_, err := site.Replies(w.ctx, map[bool]string{true: "5003", false: "5999"}[h], confluence.CommentFooter, confluence.Paging{})
				return err
			},
			"file": func(h bool) error {
				_, err := site.Attachment(w.ctx, map[bool]string{true: "att6003", false: "att6999"}[h])
				return err
			},
			"bytes": func(h bool) error {
				_, err := site.Download(w.ctx, confluence.Attachment{ID: map[bool]string{true: "att6003", false: "att6999"}[h], PageID: "1001"}, 0, 10)
				return err
			},
			"space": func(h bool) error {
				_, err := w.as(user("u-ann")).Space(w.ctx, map[bool]string{true: "HR", false: "XX"}[h])
				return err
			},
		} {
			hidden, absent := ask(true), ask(false)
			isNotFound(t, hidden, name+" "+what)
			assert.Equal(t, strings.NewReplacer("5999", "5003", "6999", "6003", "XX", "HR").Replace(absent.Error()), hidden.Error(), "%s %s", name, what)
		}
	}
}

// What is Confluence's alone is read through the connecting account, for pages
// the caller sees.
func TestASharedAccountReadsWhatTheCallerSees(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	c, err := bob.Comments(w.ctx, "1001", "page", confluence.CommentFooter, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, c.Items, 1)
	r, err := bob.Replies(w.ctx, "5001", confluence.CommentFooter, confluence.Paging{})
	require.NoError(t, err)
	assert.Len(t, r.Items, 1)
	one, err := bob.Comment(w.ctx, "5001")
	require.NoError(t, err)
	assert.Equal(t, "1001", one.PageID)
	v, err := bob.Versions(w.ctx, "1001", "page", confluence.Paging{})
	require.NoError(t, err)
	assert.NotEmpty(t, v.Items)
	old, err := bob.Page(w.ctx, "1001", confluence.PageOptions{Format: confluence.Storage, Version: 3})
	require.NoError(t, err)
	assert.Equal(t, 3, old.Version.Number)
	file, err := bob.Attachment(w.ctx, "att6002")
	require.NoError(t, err)
	body, err := bob.Download(w.ctx, file, 0, 6)
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, "1. sea", string(text))
	require.NoError(t, body.Close())
	me, err := bob.CurrentUser(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, "u-bob", me.ID)
	assert.Equal(t, "bob@acme.test", me.Email)
	ann, err := bob.User(w.ctx, "u-ann")
	require.NoError(t, err)
	assert.Equal(t, "Ann Arbor", ann.Name)
	assert.Empty(t, ann.Email)
	_, err = w.as(nobody("group-A")).User(w.ctx, "u-ann")
	isNotFound(t, err, "user for nobody")
}

// A search Confluence answers for the connecting account is sifted: neither
// hits, nor a total, nor a cursor tell of what the caller does not see.
func TestRawCQLIsSifted(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	ask := func(site tools.Site, cql string, limit int) []confluence.Hit {
		return everything(t, func(p confluence.Paging) (confluence.List[confluence.Hit], error) {
			l, err := site.Search(w.ctx, confluence.Search{CQL: cql, Paging: p})
			if err == nil {
				assert.Equal(t, -1, l.Total)
				assert.True(t, l.Next == "" || len(l.Items) == limit, "no short page that goes on")
			}
			return l, err
		}, limit)
	}
	assert.Equal(t, []string{"1000", "1001", "1005", "1006", "1100", "2000", "3000", "3001"}, hitIDs(ask(bob, "type in (page, blogpost)", 3)))
	l, err := bob.Search(w.ctx, confluence.Search{CQL: `text ~ "zeppelin"`, Paging: confluence.Paging{Limit: 1}})
	require.NoError(t, err)
	assert.Equal(t, confluence.List[confluence.Hit]{Total: -1, Exact: true}, l)
}

func TestACallerWithoutCredentialWritesNothing(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	for name, write := range map[string]func() error{
		"create page": func() error {
			_, err := bob.CreatePage(w.ctx, confluence.NewPage{SpaceID: "100", Title: "x"})
			return err
		},
		"update page": func() error {
			_, err := bob.UpdatePage(w.ctx, confluence.PageUpdate{ID: "1001", Title: "x", Version: 4})
			return err
		},
		"delete page": func() error { return bob.DeletePage(w.ctx, "1001", "page") },
		"move page":   func() error { return bob.MovePage(w.ctx, "1001", confluence.MoveAppend, "1006") },
		"copy page": func() error {
			_, err := bob.CopyPage(w.ctx, confluence.CopyRequest{SourceID: "1001", ParentID: "1000", Title: "x"})
			return err
		},
		"comment": func() error {
			_, err := bob.CreateComment(w.ctx, confluence.NewComment{PageID: "1001", Body: "<p>x</p>"})
			return err
		},
		"answer": func() error {
			_, err := bob.UpdateComment(w.ctx, confluence.CommentUpdate{ID: "5001", Version: 2})
			return err
		},
		"uncomment": func() error { return bob.DeleteComment(w.ctx, "5001", confluence.CommentFooter) },
		"label":     func() error { _, err := bob.AddLabels(w.ctx, "1001", []string{"x"}); return err },
		"unlabel":   func() error { return bob.RemoveLabel(w.ctx, "1001", "ops") },
		"new space": func() error { _, err := bob.CreateSpace(w.ctx, confluence.NewSpace{Key: "X", Name: "X"}); return err },
		"space":     func() error { _, err := bob.UpdateSpace(w.ctx, confluence.SpaceUpdate{Key: "ENG"}); return err },
		"upload": func() error {
			_, err := bob.Upload(w.ctx, confluence.Upload{PageID: "1001", Content: strings.NewReader("")})
			return err
		},
		"unattach": func() error { return bob.DeleteAttachment(w.ctx, "att6002") },
	} {
		asked := w.asked(func() {
			var e *confluence.Error
			require.ErrorAs(t, write(), &e, name)
			assert.Equal(t, "auth.forbidden", e.StableCode(), name)
		})
		for _, one := range asked {
			assert.True(t, strings.HasPrefix(one, "GET "), "%s: %s", name, one)
		}
	}
}

// A page that stands elsewhere than the mirror knows is judged by where it
// stands now.
func TestALiveReadIsJudgedByWhereThePageStands(t *testing.T) {
	w := newWorld(t)
	live := w.as(user("u-bob")).(interface{ Live() tools.Site }).Live()
	p, err := live.Page(w.ctx, "1006", storage)
	require.NoError(t, err)
	assert.True(t, p.ReadAt.IsZero())
	w.apply(`{"kind":"content","id":"1006","type":"page","space":"ENG","title":"House rules","parent":"1002"}`)
	_, err = live.Page(w.ctx, "1006", storage)
	isNotFound(t, err, "moved below a hidden page")
	w.apply(`{"kind":"content","id":"1005","type":"page","space":"ENG","title":"Shared with bob","parent":"1000","status":"trashed"}`)
	_, err = live.Page(w.ctx, "1005", storage)
	isNotFound(t, err, "in the trash")
}

func TestCallersWithACredentialHaveConfluenceBelow(t *testing.T) {
	w := newWorld(t)
	w.own["u-ann"] = true
	ann := w.as(user("u-ann"))
	assert.Empty(t, w.asked(func() { _, err := ann.Page(w.ctx, "1002", storage); require.NoError(t, err) }), "the mirror has it")
	for _, id := range []string{"1008", "1011", "4000"} { // an archived page, one below a folder, a personal space
		_, err := ann.Page(w.ctx, id, storage)
		assert.NoError(t, err, id)
	}
	_, err := ann.Page(w.ctx, "1003", storage)
	isNotFound(t, err, "Confluence hides it")
	hits, err := ann.Search(w.ctx, confluence.Search{CQL: `type = page AND space = "~ann"`, Terms: &confluence.Terms{Text: "*", SpaceKey: "~ann"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"4000"}, hitIDs(hits.Items), "a space that is not mirrored")
	hits, err = ann.Search(w.ctx, confluence.Search{CQL: "type = page AND ancestor = 1010", Terms: &confluence.Terms{Text: "*", AncestorID: "1010"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"1011"}, hitIDs(hits.Items), "below what the mirror does not show")
	bot := w.as(identity.Caller{Agent: "local", Kind: identity.Service})
	_, err = bot.Page(w.ctx, "1003", storage)
	assert.NoError(t, err)
}

func TestWhoIsUnknownSeesWhatIsPublic(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]identity.Caller{"nobody": nobody(), "unknown user": user("zzz"), "unknown integration": {Kind: identity.User, Integration: "nowhere", AccountID: "u-cid"},
		"deactivated, with attributes": {Kind: identity.User, Integration: "acme", AccountID: "u-eve", Access: []string{"group-A"}}} {
		site := w.as(c)
		_, err := site.Page(w.ctx, "3001", storage)
		require.NoError(t, err, name)
		for _, id := range []string{"1001", "3002", "2000", "999"} {
			_, err = site.Page(w.ctx, id, storage)
			isNotFound(t, err, name+" "+id)
		}
		hits, err := site.Search(w.ctx, confluence.Search{Terms: &confluence.Terms{Text: "*"}})
		require.NoError(t, err)
		assert.Equal(t, []string{"3000", "3001"}, hitIDs(hits.Items), name)
		spaces, err := site.Spaces(w.ctx, confluence.SpaceFilter{}, confluence.Paging{})
		require.NoError(t, err)
		assert.Len(t, spaces.Items, 1, name)
	}
	_, err := w.Sites.For(w.ctx, identity.Caller{})
	assert.Error(t, err, "a caller nobody made")
	site := w.as(nobody("group-A", "group-staff"))
	_, err = site.Page(w.ctx, "1002", storage)
	require.NoError(t, err)
	c, err := site.Comments(w.ctx, "1002", "page", confluence.CommentFooter, confluence.Paging{})
	require.NoError(t, err, "attributes count for live reads too")
	assert.Len(t, c.Items, 1)
}

// Until all was read once, spaces and searches are asked of Confluence.
func TestBeforeTheFirstSyncConfluenceAnswers(t *testing.T) {
	w := newWorld(t)
	w.complete = false
	w.own["u-bob"] = true
	bob := w.as(user("u-bob"))
	hits, err := bob.Search(w.ctx, confluence.Search{CQL: `siteSearch ~ "pump" AND type = page`, Terms: &confluence.Terms{Text: "pump"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"1001"}, hitIDs(hits.Items))
	assert.True(t, hits.ReadAt.IsZero())
	l, err := bob.Spaces(w.ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 1})
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(l.Next, "l:"))
	w.complete = true
	rest, err := bob.Spaces(w.ctx, confluence.SpaceFilter{}, confluence.Paging{Cursor: l.Next, Limit: 1})
	require.NoError(t, err, "a listing goes on where it began")
	assert.NotEqual(t, l.Items[0].Key, rest.Items[0].Key)

	w.complete = false
	shared := w.as(user("u-hal"))
	hits, err = shared.Search(w.ctx, confluence.Search{CQL: "type = page", Terms: &confluence.Terms{Text: "*"}})
	require.NoError(t, err)
	assert.NotContains(t, hitIDs(hits.Items), "1002")
}
