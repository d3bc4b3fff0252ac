package rest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// hostileIDs are ids that would change the address they become part of.
func hostileIDs() []string {
	return []string{"", "123?purge=true", "123/../../space/KEY", "%2e%2e", "..", "123#", "-1", "123456789012345678901234567890", "12345678901234567890",
		"1 ", " 1", "1\n", "1\r\nX: y", "１２３", "0x1", "1e3", "att", "~", "1;a", "1/", "\x00"}
}

func TestF04_IDsThatAreNotDigitsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	f := newFake(t, onePage)
	c := f.client(t)
	ctx := context.Background()
	p := confluence.Paging{}
	for _, id := range hostileIDs() {
		for name, ask := range map[string]func() error{
			"page":        func() error { _, err := c.Page(ctx, id, confluence.PageOptions{}); return err },
			"children":    func() error { _, err := c.Children(ctx, id, "", p); return err },
			"descendants": func() error { _, err := c.Descendants(ctx, id, 1, p); return err },
			"ancestors":   func() error { _, err := c.Ancestors(ctx, id); return err },
			"versions":    func() error { _, err := c.Versions(ctx, id, "", p); return err },
			"template":    func() error { _, err := c.Template(ctx, id); return err },
			"update":      func() error { _, err := c.UpdatePage(ctx, confluence.PageUpdate{ID: id}); return err },
			"delete":      func() error { return c.DeletePage(ctx, id, "") },
			"move":        func() error { return c.MovePage(ctx, id, "append", "1") },
			"move target": func() error { return c.MovePage(ctx, "1", "append", id) },
			"copy":        func() error { _, err := c.CopyPage(ctx, confluence.CopyRequest{SourceID: id}); return err },
			"comments":    func() error { _, err := c.Comments(ctx, id, "", "footer", p); return err },
			"replies":     func() error { _, err := c.Replies(ctx, id, "footer", p); return err },
			"comment":     func() error { _, err := c.Comment(ctx, id); return err },
			"new comment": func() error { _, err := c.CreateComment(ctx, confluence.NewComment{PageID: id}); return err },
			"new page":    func() error { _, err := c.CreatePage(ctx, confluence.NewPage{SpaceID: id}); return err },
			"labels":      func() error { _, err := c.Labels(ctx, id, ""); return err },
			"add labels":  func() error { _, err := c.AddLabels(ctx, id, []string{"x"}); return err },
			"label off":   func() error { return c.RemoveLabel(ctx, id, "x") },
			"attachments": func() error { _, err := c.Attachments(ctx, id, "", p); return err },
			"attachment":  func() error { _, err := c.Attachment(ctx, id); return err },
			"file off":    func() error { return c.DeleteAttachment(ctx, id) },
			"download":    func() error { _, err := c.Download(ctx, confluence.Attachment{ID: id, PageID: "1"}, 0, 0); return err },
			"restriction": func() error { _, err := c.Restrictions(ctx, id); return err },
			"permission":  func() error { _, err := c.PermissionCheck(ctx, id, "u", "read"); return err },
			"space perms": func() error { _, err := c.SpacePermissions(ctx, id, p); return err },
			"roles of":    func() error { _, err := c.SpaceRoleAssignments(ctx, id, p); return err },
			"convert":     func() error { _, err := c.ConvertIDs(ctx, []string{"1", id}); return err },
			"upload":      func() error { _, err := c.Upload(ctx, confluence.Upload{PageID: id, FileName: "a"}); return err },
		} {
			code(t, ask(), confluence.Invalid, "input.id")
			require.Empty(t, f.requests(), "%s with %q", name, id)
		}
	}
}

func TestF05_SpaceKeysThatAreNotPlainAreRefused(t *testing.T) {
	f := newFake(t, onePage)
	c := f.client(t)
	ctx := context.Background()
	name := "x"
	for _, key := range []string{"", "A/B", "A?x=1", "~user", "~5570581234", "..", "A B", "A%2fB", "A\n", "Ä", strings.Repeat("A", 256), "A,B", "A;B", "A#"} {
		_, err := c.Space(ctx, key)
		code(t, err, confluence.Invalid, "input.space_key")
		_, err = c.Spaces(ctx, confluence.SpaceFilter{Keys: []string{"ENG", key}}, confluence.Paging{})
		code(t, err, confluence.Invalid, "input.space_key")
		_, err = c.CreateSpace(ctx, confluence.NewSpace{Key: key, Name: "x"})
		code(t, err, confluence.Invalid, "input.space_key")
		_, err = c.UpdateSpace(ctx, confluence.SpaceUpdate{Key: key, Name: &name})
		code(t, err, confluence.Invalid, "input.space_key")
	}
	assert.Empty(t, f.requests())
}

func TestF08_HeadersCannotBeInjected(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reply(w, 200, `{"results":[{"id":"att1","title":"x"}],"id":"7","spaceId":"1"}`)
	})
	c := f.client(t)
	ctx := context.Background()
	for _, name := range []string{"", ".", "..", "a\r\nX-Evil: 1", "a\nb", "a\x00b", "../../x", `a\b`, "/etc/passwd", strings.Repeat("x", 300), "\u202egnp.exe", "a\xffb", "a\u0085b"} {
		_, err := c.Upload(ctx, confluence.Upload{PageID: "7", FileName: name, Size: 1, Content: strings.NewReader("x")})
		code(t, err, confluence.Invalid, "input.file_name")
	}
	assert.Empty(t, f.requests())

	_, err := c.Upload(ctx, confluence.Upload{PageID: "7", FileName: `a"b.txt`, MediaType: "text/plain\r\nX-Evil: 1", Comment: "c\r\nX-Evil: 1", Size: 1, Content: strings.NewReader("x")})
	require.NoError(t, err)
	_, err = c.CreatePage(ctx, confluence.NewPage{SpaceID: "1", Title: "t\r\nX-Evil: 1"})
	require.NoError(t, err)
	for _, r := range f.requests() {
		assert.Empty(t, r.Header.Get("X-Evil"))
	}
}

func TestF01_QuotingKeepsAValueAValue(t *testing.T) {
	for value, want := range map[string]string{
		`x`:                       `"x"`,
		`x" OR space = "SECRET`:   `"x\" OR space = \"SECRET"`,
		`x\" OR space = "SECRET`:  `"x\\\" OR space = \"SECRET"`,
		`x\`:                      `"x\\"`,
		"a\x00b":                  `"ab"`,
		`“x” OR space = “SECRET”`: `"“x” OR space = “SECRET”"`,
	} {
		assert.Equal(t, want, confluence.QuoteCQL(value))
	}
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) { reply(w, 200, `{"results":[]}`) })
	_, err := f.client(t).FindUsers(context.Background(), `jo" OR type = "user`, confluence.Paging{})
	require.NoError(t, err)
	assert.Equal(t, `user.fullname ~ "jo\" OR type = \"user"`, f.requests()[0].URL.Query().Get("cql"))
}

func TestCQLThatCannotBeAskedIsRefused(t *testing.T) {
	f := newFake(t, onePage)
	for _, cql := range []string{"", "  ", "a\x00", strings.Repeat("x", 7000)} {
		_, err := f.client(t).Search(context.Background(), confluence.Search{CQL: cql})
		code(t, err, confluence.Invalid, "input.cql")
	}
	assert.Empty(t, f.requests())
}
