package rest_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/seal"
)

var ctx = context.Background()

// as connects to the emulator as one of its users, by API token.
func as(t *testing.T, e *emulatortest.Emulator, user string) *rest.Client {
	return newClient(t, rest.Config{Name: "acme", BaseURL: e.URL, Auth: rest.Basic, Username: e.Email(user), Token: seal.NewSecret(e.Token(user))})
}

func ids[T any](items []T, id func(T) string) []string {
	out := []string{}
	for _, item := range items {
		out = append(out, id(item))
	}
	return out
}

func pageID(p confluence.Page) string { return p.ID }
func nodeID(n confluence.Node) string { return n.ID }

func TestReadingPagesOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")

	page, err := c.Page(ctx, "1001", confluence.PageOptions{Format: confluence.Storage})
	require.NoError(t, err)
	assert.Equal(t, "Runbook", page.Title)
	assert.Equal(t, "ENG", page.SpaceKey)
	assert.Equal(t, "1000", page.ParentID)
	assert.Equal(t, 3, page.Version.Number)
	assert.Equal(t, "2026-02-03T04:05:06Z", page.Version.CreatedAt.Format("2006-01-02T15:04:05Z07:00"))
	assert.Contains(t, page.Body, `<ac:structured-macro ac:name="code">`)
	assert.True(t, strings.HasPrefix(page.WebURL, e.URL+"/"), page.WebURL)

	post, err := c.Page(ctx, "1100", confluence.PageOptions{})
	require.NoError(t, err)
	assert.Equal(t, confluence.TypeBlogPost, post.Type)
	assert.Empty(t, post.Body)

	_, err = c.Page(ctx, "2001", confluence.PageOptions{})
	code(t, err, confluence.NotFound, "not_found")
	_, err = c.Page(ctx, "999999", confluence.PageOptions{})
	code(t, err, confluence.NotFound, "not_found")

	l, err := c.Pages(ctx, confluence.PageFilter{SpaceID: "100"}, confluence.Paging{Limit: 250})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"1000", "1001", "1002", "1005", "1006", "1011"}, ids(l.Items, pageID))
	l, err = c.Pages(ctx, confluence.PageFilter{SpaceID: "100", Title: "runbook"}, confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, []string{"1001"}, ids(l.Items, pageID))
	l, err = c.Pages(ctx, confluence.PageFilter{SpaceID: "100", Type: confluence.TypeBlogPost}, confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, []string{"1100"}, ids(l.Items, pageID))
}

func TestWalkingTheTreeOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	children, err := c.Children(ctx, "1000", confluence.TypePage, confluence.Paging{})
	require.NoError(t, err)
	assert.Contains(t, ids(children.Items, nodeID), "1010", "folders are children too")
	inFolder, err := c.Children(ctx, "1010", confluence.TypeFolder, confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, []string{"1011"}, ids(inFolder.Items, nodeID))
	below, err := c.Descendants(ctx, "1000", 5, confluence.Paging{Limit: 250})
	require.NoError(t, err)
	assert.Contains(t, ids(below.Items, nodeID), "1011")
	chain, err := c.Ancestors(ctx, "1011")
	require.NoError(t, err)
	assert.Equal(t, []string{"1000", "1010"}, ids(chain, nodeID))
	chain, err = c.Ancestors(ctx, "1010")
	require.NoError(t, err, "a folder has ancestors as well")
	assert.Equal(t, []string{"1000"}, ids(chain, nodeID))
	chain, err = c.Ancestors(ctx, "1100")
	require.NoError(t, err)
	assert.Empty(t, chain)
	_, err = c.Ancestors(ctx, "999999")
	code(t, err, confluence.NotFound, "not_found")
	types, err := c.ConvertIDs(ctx, []string{"1001", "1010", "1100", "2001", "999999"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"1001": "page", "1010": "folder", "1100": "blogpost"}, types)
}

func TestPagingThroughTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bot")
	var got []string
	calls := 0
	for page, err := range rest.All(ctx, func(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Page], error) {
		calls++
		p.Limit = 2
		return c.Pages(ctx, confluence.PageFilter{}, p)
	}) {
		require.NoError(t, err)
		got = append(got, page.ID)
	}
	assert.Greater(t, calls, 3)
	assert.Len(t, got, len(unique(got)))
	assert.Contains(t, got, "1001")
	assert.Contains(t, got, "2000")
}

func unique(list []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}

func TestWritingPagesOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	page, err := c.CreatePage(ctx, confluence.NewPage{SpaceID: "100", Title: "New", ParentID: "1000", Body: "<p>one</p>"})
	require.NoError(t, err)
	assert.Equal(t, "ENG", page.SpaceKey)
	assert.Equal(t, 1, page.Version.Number)

	_, err = c.CreatePage(ctx, confluence.NewPage{SpaceID: "100", Title: "new", Body: "<p>one</p>"})
	code(t, err, confluence.Conflict, "conflict.title")

	update := confluence.PageUpdate{ID: page.ID, Title: "New", Body: "<p>two</p>", Version: 2, Message: "second"}
	changed, err := c.UpdatePage(ctx, update)
	require.NoError(t, err)
	assert.Equal(t, 2, changed.Version.Number)
	_, err = c.UpdatePage(ctx, update)
	code(t, err, confluence.Conflict, "conflict")

	history, err := c.Versions(ctx, page.ID, confluence.TypePage, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, history.Items, 2)
	assert.Equal(t, "second", history.Items[0].Message)
	old, err := c.Page(ctx, page.ID, confluence.PageOptions{Format: confluence.Storage, Version: 1})
	require.NoError(t, err)
	assert.Equal(t, "<p>one</p>", old.Body)

	require.NoError(t, c.MovePage(ctx, page.ID, confluence.MoveAppend, "1001"))
	moved, err := c.Page(ctx, page.ID, confluence.PageOptions{})
	require.NoError(t, err)
	assert.Equal(t, "1001", moved.ParentID)

	twin, err := c.CopyPage(ctx, confluence.CopyRequest{SourceID: "1001", ParentID: "1000", Title: "Runbook copy"})
	require.NoError(t, err)
	assert.NotEqual(t, "1001", twin.ID)
	assert.Equal(t, "Runbook copy", twin.Title)

	require.NoError(t, c.DeletePage(ctx, page.ID, confluence.TypePage))
	gone, err := c.Page(ctx, page.ID, confluence.PageOptions{})
	require.NoError(t, err)
	assert.Equal(t, confluence.StatusTrashed, gone.Status)
	code(t, c.DeletePage(ctx, "1000", confluence.TypePage), confluence.Denied, "policy.blocked_operation")
}

func TestCopyOfARestrictedPageStaysRestricted(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	twin, err := c.CopyPage(ctx, confluence.CopyRequest{SourceID: "1002", ParentID: "1000", Title: "Plans copy"})
	require.NoError(t, err)
	_, err = as(t, e, "u-bob").Page(ctx, twin.ID, confluence.PageOptions{})
	code(t, err, confluence.NotFound, "not_found")
}

func TestCommentsOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	roots, err := c.Comments(ctx, "1001", confluence.TypePage, confluence.CommentFooter, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, roots.Items, 1)
	assert.Equal(t, "5001", roots.Items[0].ID)
	assert.Contains(t, roots.Items[0].Body, "spare pump")
	replies, err := c.Replies(ctx, "5001", confluence.CommentFooter, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, replies.Items, 1)
	assert.Equal(t, "5001", replies.Items[0].ParentID)

	footer, err := c.CreateComment(ctx, confluence.NewComment{PageID: "1001", Body: "<p>hello</p>"})
	require.NoError(t, err)
	reply, err := c.CreateComment(ctx, confluence.NewComment{PageID: "1001", ParentID: footer.ID, Kind: confluence.CommentFooter, Body: "<p>again</p>"})
	require.NoError(t, err)
	inline, err := c.CreateComment(ctx, confluence.NewComment{PageID: "1001", Body: "<p>which?</p>", Selection: "person on duty", MatchCount: 1})
	require.NoError(t, err)
	assert.Equal(t, confluence.CommentInline, inline.Kind)

	found, err := c.Comment(ctx, inline.ID)
	require.NoError(t, err)
	assert.Equal(t, confluence.CommentInline, found.Kind)
	assert.Equal(t, "person on duty", found.Selection)
	resolved := true
	done, err := c.UpdateComment(ctx, confluence.CommentUpdate{ID: inline.ID, Kind: confluence.CommentInline, Body: found.Body, Version: found.Version.Number + 1, Resolved: &resolved})
	require.NoError(t, err)
	assert.Equal(t, "resolved", done.Resolution)
	_, err = c.UpdateComment(ctx, confluence.CommentUpdate{ID: footer.ID, Kind: confluence.CommentFooter, Body: "<p>x</p>", Version: 9})
	code(t, err, confluence.Conflict, "conflict")

	require.NoError(t, c.DeleteComment(ctx, reply.ID, confluence.CommentFooter))
	_, err = c.Comment(ctx, reply.ID)
	code(t, err, confluence.NotFound, "not_found")
}

func TestLabelsOfTheEmulator(t *testing.T) {
	c := as(t, emulatortest.Start(t), "u-ann")
	labels, err := c.Labels(ctx, "1001", confluence.TypePage)
	require.NoError(t, err)
	assert.Len(t, labels, 2)
	labels, err = c.AddLabels(ctx, "1001", []string{"urgent"})
	require.NoError(t, err)
	assert.Len(t, labels, 3)
	require.NoError(t, c.RemoveLabel(ctx, "1001", "urgent"))
	code(t, c.RemoveLabel(ctx, "1001", "urgent"), confluence.NotFound, "not_found")
}

func TestSpacesOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ops")
	space, err := c.Space(ctx, "eng")
	require.NoError(t, err)
	assert.Equal(t, "100", space.ID)
	assert.Equal(t, "1000", space.HomepageID)
	_, err = as(t, e, "u-ann").Space(ctx, "HR")
	code(t, err, confluence.NotFound, "not_found")

	made, err := c.CreateSpace(ctx, confluence.NewSpace{Key: "NEW", Name: "New space", Description: "for tests"})
	require.NoError(t, err)
	assert.Equal(t, "NEW", made.Key)
	name := "Renamed"
	changed, err := c.UpdateSpace(ctx, confluence.SpaceUpdate{Key: "NEW", Name: &name})
	require.NoError(t, err)
	assert.Equal(t, "Renamed", changed.Name)
	assert.Equal(t, "for tests", changed.Description)
}

func TestAttachmentsOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	l, err := c.Attachments(ctx, "1001", confluence.TypePage, confluence.Paging{})
	require.NoError(t, err)
	require.Len(t, l.Items, 2)

	file, err := c.Attachment(ctx, "att6002")
	require.NoError(t, err)
	assert.Equal(t, "checklist.txt", file.Title)
	assert.Equal(t, "1. seal\n2. valve\n", content(t, c, file, 0, 0))
	assert.Equal(t, "seal", content(t, c, file, 3, 4))

	up, err := c.Upload(ctx, confluence.Upload{PageID: "1001", FileName: "grün 日本.txt", MediaType: "text/plain", Comment: "für alle", Size: 5, Content: strings.NewReader("hello")})
	require.NoError(t, err)
	assert.Equal(t, "grün 日本.txt", up.Title)
	stored, err := c.Attachment(ctx, up.ID)
	require.NoError(t, err)
	assert.Equal(t, "für alle", stored.Comment)
	assert.Equal(t, int64(5), stored.Size)
	_, err = c.Upload(ctx, confluence.Upload{PageID: "1001", FileName: "grün 日本.txt", Size: 1, Content: strings.NewReader("x")})
	code(t, err, confluence.Conflict, "conflict.file_name")
	next, err := c.Upload(ctx, confluence.Upload{PageID: "1001", AttachmentID: up.ID, FileName: "grün 日本.txt", Size: 3, Content: strings.NewReader("bye")})
	require.NoError(t, err)
	assert.Equal(t, up.ID, next.ID)
	assert.Equal(t, 2, next.Version.Number)
	assert.Equal(t, "bye", content(t, c, stored, 0, 0))

	require.NoError(t, c.DeleteAttachment(ctx, up.ID))
	_, err = as(t, e, "u-bob").Attachment(ctx, "att6003")
	code(t, err, confluence.NotFound, "not_found")
	all, err := as(t, e, "u-bot").AllAttachments(ctx, confluence.Paging{Limit: 250})
	require.NoError(t, err)
	assert.Len(t, all.Items, 3)
}

func content(t *testing.T, c *rest.Client, a confluence.Attachment, offset, limit int64) string {
	stream, err := c.Download(ctx, a, offset, limit)
	require.NoError(t, err)
	raw, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	return string(raw)
}

func TestPeopleOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bot")
	me, err := c.CurrentUser(ctx)
	require.NoError(t, err)
	assert.Equal(t, "u-bot", me.ID)
	ann, err := c.User(ctx, "u-ann")
	require.NoError(t, err)
	assert.Equal(t, "Ann Arbor", ann.Name)
	_, err = c.User(ctx, "u-nobody")
	code(t, err, confluence.NotFound, "not_found")
	found, err := c.FindUsers(ctx, "ann", confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, []string{"u-ann"}, ids(found.Items, func(u confluence.User) string { return u.ID }))
	users, err := c.UsersByID(ctx, []string{"u-ann", "u-eve", "u-nobody"})
	require.NoError(t, err)
	assert.Len(t, users, 2)
	assert.False(t, users["u-eve"].Active)
	groups, err := c.GroupsOf(ctx, "u-ann", confluence.Paging{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"staff", "A"}, ids(groups.Items, func(g confluence.Group) string { return g.Name }))
	members, err := c.GroupMembers(ctx, "g-hr", confluence.Paging{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"u-hal", "u-bot"}, ids(members.Items, func(u confluence.User) string { return u.ID }))
}

func TestRightsOnTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bot")
	list, err := c.Restrictions(ctx, "1005")
	require.NoError(t, err)
	readers := confluence.Restriction{}
	for _, r := range list {
		if r.Operation == "read" {
			readers = r
		}
	}
	assert.Equal(t, []string{"u-bob"}, readers.UserIDs)
	require.Len(t, readers.Groups, 1)
	assert.Equal(t, "A", readers.Groups[0].Name)
	open, err := c.Restrictions(ctx, "1001")
	require.NoError(t, err)
	assert.Len(t, open, 2)

	for account, want := range map[string]bool{"u-ann": true, "u-bob": false} {
		may, err := c.PermissionCheck(ctx, "1002", account, "read")
		require.NoError(t, err)
		assert.Equal(t, want, may, account)
	}
	perms, err := c.SpacePermissions(ctx, "300", confluence.Paging{})
	require.NoError(t, err)
	assert.NotEmpty(t, perms.Items)
	if mode, err := c.RoleMode(ctx); err == nil {
		assert.Contains(t, []string{confluence.PreRoles, confluence.RolesTransition, confluence.Roles}, mode)
	}
	_, err = c.SpaceRoleAssignments(ctx, "300", confluence.Paging{})
	require.NoError(t, err)
	_, err = c.SpaceRoles(ctx, "300", confluence.Paging{})
	require.NoError(t, err)
}

func TestSearchOnTheEmulator(t *testing.T) {
	c := as(t, emulatortest.Start(t), "u-ann")
	l, err := c.Search(ctx, confluence.Search{CQL: `text ~ "pump" AND type = page`, Excerpts: true})
	require.NoError(t, err)
	require.Len(t, l.Items, 1)
	hit := l.Items[0]
	assert.Equal(t, "1001", hit.ID)
	assert.Equal(t, "ENG", hit.SpaceKey)
	assert.Equal(t, "Runbook", hit.Title)
	assert.NotContains(t, hit.Excerpt, "@@@")
	assert.NotContains(t, hit.Excerpt, "&")

	var all []string
	for hit, err := range rest.All(ctx, func(ctx context.Context, p confluence.Paging) (confluence.List[confluence.Hit], error) {
		p.Limit = 2
		return c.Search(ctx, confluence.Search{CQL: "space = ENG AND type = page", Paging: p})
	}) {
		require.NoError(t, err)
		all = append(all, hit.ID)
	}
	assert.ElementsMatch(t, []string{"1000", "1001", "1002", "1005", "1006", "1011"}, all)

	_, err = c.Search(ctx, confluence.Search{CQL: `type = = page`})
	code(t, err, confluence.Invalid, "input.cql")
}

func TestProbeOfTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ann")
	found, err := c.Probe(ctx)
	require.NoError(t, err)
	assert.Equal(t, "u-ann", found.User.ID)
	assert.Equal(t, e.CloudID, found.Site.ID)
	assert.Equal(t, e.URL, found.Site.BaseURL)

	t.Run("wrong token", func(t *testing.T) {
		c := newClient(t, rest.Config{BaseURL: e.URL, Auth: rest.Basic, Username: "ann@acme.test", Token: seal.NewSecret(fakeToken)})
		_, err := c.Probe(ctx)
		code(t, err, confluence.Expired, "auth.credentials")
		_, err = c.Page(ctx, "1001", confluence.PageOptions{})
		assert.Contains(t, code(t, err, confluence.Expired, "auth.credentials").Message, "404")
	})
	t.Run("anonymous", func(t *testing.T) {
		c := newClient(t, rest.Config{BaseURL: e.URL, Auth: rest.Anonymous})
		_, err := c.Probe(ctx)
		require.NoError(t, err)
		page, err := c.Page(ctx, "3001", confluence.PageOptions{})
		require.NoError(t, err)
		assert.Equal(t, "Open page", page.Title)
		_, err = c.Page(ctx, "1001", confluence.PageOptions{})
		code(t, err, confluence.NotFound, "not_found")
	})
	t.Run("gateway", func(t *testing.T) {
		token, _ := e.Grant("u-ann", "read:page:confluence", "read:space:confluence", "read:confluence-user")
		c := newClient(t, rest.Config{BaseURL: e.Gateway + "/ex/confluence/" + e.CloudID, Auth: rest.Bearer, Token: seal.NewSecret(token)})
		found, err := c.Probe(ctx)
		require.NoError(t, err)
		assert.Equal(t, e.CloudID, found.Site.ID)
		assert.Equal(t, e.URL, found.Site.BaseURL, "learned from an answer")
		page, err := c.Page(ctx, "1001", confluence.PageOptions{})
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(page.WebURL, e.URL), page.WebURL)
		_, err = c.Search(ctx, confluence.Search{CQL: "type = page"})
		code(t, err, confluence.Denied, "auth.scope")
		l, err := c.Pages(ctx, confluence.PageFilter{}, confluence.Paging{Limit: 2})
		require.NoError(t, err)
		_, err = c.Pages(ctx, confluence.PageFilter{}, confluence.Paging{Limit: 2, Cursor: l.Next})
		require.NoError(t, err)
	})
}

func TestG01_NothingDestructiveReachesTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-ops")
	status := "archived"
	_, err := c.UpdateSpace(ctx, confluence.SpaceUpdate{Key: "ENG/../ENG", Name: &status})
	require.Error(t, err)
	_ = c.DeletePage(ctx, "1001", confluence.TypePage)
	for _, r := range e.Requests(0) {
		assert.False(t, r.Method == "DELETE" && strings.Contains(r.Path, "/space"), "%s %s", r.Method, r.Path)
		assert.NotContains(t, r.Path, "purge")
	}
}

func TestResolvingACommentKeepsItsText(t *testing.T) {
	c := as(t, emulatortest.Start(t), "u-ann")
	inline, err := c.CreateComment(ctx, confluence.NewComment{PageID: "1001", Body: "<p>which?</p>", Selection: "person on duty", MatchCount: 1})
	require.NoError(t, err)
	resolved := true
	done, err := c.UpdateComment(ctx, confluence.CommentUpdate{ID: inline.ID, Kind: confluence.CommentInline, Version: 2, Resolved: &resolved})
	require.NoError(t, err)
	assert.Equal(t, "resolved", done.Resolution)
	now, err := c.Comment(ctx, inline.ID)
	require.NoError(t, err)
	assert.Equal(t, "<p>which?</p>", now.Body)
}
