package rest_test

import (
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
)

// arguments are what one call is made with: an id, a space key and any text.
type arguments struct{ id, att, key, text, kind, comment string }

// methods is every exported method of the client that sends something.
func methods() map[string]func(c *rest.Client, a arguments) error {
	all := pageMethods()
	maps.Copy(all, otherMethods())
	maps.Copy(all, syncMethods())
	return all
}

func pageMethods() map[string]func(c *rest.Client, a arguments) error {
	p := confluence.Paging{Limit: 10}
	return map[string]func(c *rest.Client, a arguments) error{
		"Probe": func(c *rest.Client, _ arguments) error { _, err := c.Probe(ctx); return err },
		"Page": func(c *rest.Client, a arguments) error {
			_, err := c.Page(ctx, a.id, confluence.PageOptions{Version: 1})
			return err
		},
		"Pages": func(c *rest.Client, a arguments) error {
			_, err := c.Pages(ctx, confluence.PageFilter{SpaceID: a.id, Type: a.kind, Title: a.text}, p)
			return err
		},
		"Children":    func(c *rest.Client, a arguments) error { _, err := c.Children(ctx, a.id, "folder", p); return err },
		"Descendants": func(c *rest.Client, a arguments) error { _, err := c.Descendants(ctx, a.id, 3, p); return err },
		"Ancestors":   func(c *rest.Client, a arguments) error { _, err := c.Ancestors(ctx, a.id); return err },
		"Versions":    func(c *rest.Client, a arguments) error { _, err := c.Versions(ctx, a.id, a.kind, p); return err },
		"Search": func(c *rest.Client, a arguments) error {
			_, err := c.Search(ctx, confluence.Search{CQL: "x" + a.text, Paging: p})
			return err
		},
		"Template": func(c *rest.Client, a arguments) error { _, err := c.Template(ctx, a.id); return err },
		"CreatePage": func(c *rest.Client, a arguments) error {
			_, err := c.CreatePage(ctx, confluence.NewPage{SpaceID: a.id, Type: a.kind, Title: a.text, Body: a.text})
			return err
		},
		"UpdatePage": func(c *rest.Client, a arguments) error {
			_, err := c.UpdatePage(ctx, confluence.PageUpdate{ID: a.id, Type: a.kind, Title: a.text, Body: a.text, Version: 2, Message: a.text})
			return err
		},
		"DeletePage": func(c *rest.Client, a arguments) error { return c.DeletePage(ctx, a.id, a.kind) },
		"MovePage":   func(c *rest.Client, a arguments) error { return c.MovePage(ctx, a.id, "before", a.id) },
		"CopyPage": func(c *rest.Client, a arguments) error {
			_, err := c.CopyPage(ctx, confluence.CopyRequest{SourceID: a.id, ParentID: a.id, Title: a.text})
			return err
		},
		"ConvertIDs": func(c *rest.Client, a arguments) error { _, err := c.ConvertIDs(ctx, []string{a.id}); return err },
	}
}

func otherMethods() map[string]func(c *rest.Client, a arguments) error {
	p := confluence.Paging{Limit: 10}
	return map[string]func(c *rest.Client, a arguments) error{
		"Comments": func(c *rest.Client, a arguments) error {
			_, err := c.Comments(ctx, a.id, a.kind, a.comment, p)
			return err
		},
		"Replies": func(c *rest.Client, a arguments) error { _, err := c.Replies(ctx, a.id, a.comment, p); return err },
		"Comment": func(c *rest.Client, a arguments) error { _, err := c.Comment(ctx, a.id); return err },
		"CreateComment": func(c *rest.Client, a arguments) error {
			_, err := c.CreateComment(ctx, confluence.NewComment{PageID: a.id, PageType: a.kind, Body: a.text, Selection: a.text})
			return err
		},
		"UpdateComment": func(c *rest.Client, a arguments) error {
			_, err := c.UpdateComment(ctx, confluence.CommentUpdate{ID: a.id, Kind: a.comment, Body: a.text, Version: 2, Resolved: new(bool)})
			return err
		},
		"DeleteComment": func(c *rest.Client, a arguments) error { return c.DeleteComment(ctx, a.id, a.comment) },
		"Labels":        func(c *rest.Client, a arguments) error { _, err := c.Labels(ctx, a.id, a.kind); return err },
		"AddLabels": func(c *rest.Client, a arguments) error {
			_, err := c.AddLabels(ctx, a.id, []string{"x" + a.text})
			return err
		},
		"RemoveLabel": func(c *rest.Client, a arguments) error { return c.RemoveLabel(ctx, a.id, "x"+a.text) },
		"Spaces": func(c *rest.Client, a arguments) error {
			_, err := c.Spaces(ctx, confluence.SpaceFilter{Keys: []string{a.key}, Type: a.text, Status: "current"}, p)
			return err
		},
		"Space": func(c *rest.Client, a arguments) error { _, err := c.Space(ctx, a.key); return err },
		"CreateSpace": func(c *rest.Client, a arguments) error {
			_, err := c.CreateSpace(ctx, confluence.NewSpace{Key: a.key, Name: a.text, Description: a.text})
			return err
		},
		"UpdateSpace": func(c *rest.Client, a arguments) error {
			_, err := c.UpdateSpace(ctx, confluence.SpaceUpdate{Key: a.key, Name: &a.text, Description: &a.text, HomepageID: &a.id})
			return err
		},
		"Attachments":      func(c *rest.Client, a arguments) error { _, err := c.Attachments(ctx, a.id, a.kind, p); return err },
		"AllAttachments":   func(c *rest.Client, _ arguments) error { _, err := c.AllAttachments(ctx, p); return err },
		"Attachment":       func(c *rest.Client, a arguments) error { _, err := c.Attachment(ctx, a.att); return err },
		"DeleteAttachment": func(c *rest.Client, a arguments) error { return c.DeleteAttachment(ctx, a.att) },
		"Download": func(c *rest.Client, a arguments) error {
			stream, err := c.Download(ctx, confluence.Attachment{ID: a.att, PageID: a.id}, 0, 0)
			if err == nil {
				_ = stream.Close() // only the request matters here
			}
			return err
		},
		"Upload": func(c *rest.Client, a arguments) error {
			_, err := c.Upload(ctx, confluence.Upload{PageID: a.id, FileName: "f" + a.text, Comment: a.text, Size: 1, Content: strings.NewReader("x")})
			return err
		},
		"CurrentUser": func(c *rest.Client, _ arguments) error { _, err := c.CurrentUser(ctx); return err },
		"User":        func(c *rest.Client, a arguments) error { _, err := c.User(ctx, "u"+a.id); return err },
		"PagesByID": func(c *rest.Client, a arguments) error {
			_, err := c.PagesByID(ctx, []string{a.id}, a.kind)
			return err
		},
		"UsersByID":    func(c *rest.Client, a arguments) error { _, err := c.UsersByID(ctx, []string{"u" + a.id}); return err },
		"FindUsers":    func(c *rest.Client, a arguments) error { _, err := c.FindUsers(ctx, "x"+a.text, p); return err },
		"GroupsOf":     func(c *rest.Client, a arguments) error { _, err := c.GroupsOf(ctx, "u"+a.id, p); return err },
		"GroupMembers": func(c *rest.Client, a arguments) error { _, err := c.GroupMembers(ctx, "g"+a.id, p); return err },
		"Restrictions": func(c *rest.Client, a arguments) error { _, err := c.Restrictions(ctx, a.id); return err },
		"PermissionCheck": func(c *rest.Client, a arguments) error {
			_, err := c.PermissionCheck(ctx, a.id, "u"+a.id, "read")
			return err
		},
		"SpacePermissions":     func(c *rest.Client, a arguments) error { _, err := c.SpacePermissions(ctx, a.id, p); return err },
		"SpaceRoleAssignments": func(c *rest.Client, a arguments) error { _, err := c.SpaceRoleAssignments(ctx, a.id, p); return err },
		"SpaceRoles":           func(c *rest.Client, a arguments) error { _, err := c.SpaceRoles(ctx, a.id, p); return err },
		"RoleMode":             func(c *rest.Client, _ arguments) error { _, err := c.RoleMode(ctx); return err },
	}
}

// obliging answers every question with something that fits everywhere.
func obliging(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // so that the connection can be used again
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "convert-ids-to-types"):
		reply(w, 200, `{"results":{"7":"page"}}`)
	case strings.HasSuffix(r.URL.Path, "/restriction"):
		reply(w, 200, `{"results":[{"operation":"read","restrictions":{}}]}`)
	default:
		reply(w, 200, `{"id":"7","spaceId":"1","key":"ENG","title":"x","type":"known","accountId":"u","cloudId":"c","body":{},"version":{"number":2},
			"results":[],"_links":{}}`)
	}
}

func TestEveryMethodPassesTheGuard(t *testing.T) {
	table := methods()
	typ := reflect.TypeFor[*rest.Client]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		if name == "Describe" || name == "As" || name == "With" {
			continue // sends nothing
		}
		act, ok := table[name]
		require.True(t, ok, "the client's method %s is not in this test's table", name)
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{confluence.TypePage, confluence.TypeBlogPost} {
				for _, comment := range []string{confluence.CommentFooter, confluence.CommentInline} {
					f := newFake(t, obliging)
					err := act(f.client(t), arguments{id: "7", att: "att7", key: "ENG", text: "text&purge=true?draft=true", kind: kind, comment: comment})
					assert.NotEmpty(t, f.requests())
					if err != nil {
						assert.NotContains(t, problem(t, err).StableCode(), "policy.")
					}
				}
			}
		})
	}
}

// TestNoArgumentMakesTheClientDestroyASpace calls every method with whatever
// text, hostile or not: what arrives deletes single things only.
func TestNoArgumentMakesTheClientDestroyASpace(t *testing.T) {
	t.Run("guarded", func(t *testing.T) {
		f := newFake(t, obliging)
		destroysNothing(t, f, f.client(t))
	})
	t.Run("without the guard", func(t *testing.T) {
		f := newFake(t, obliging)
		destroysNothing(t, f, rest.Unguarded(f.client(t)))
		assert.NotEmpty(t, f.requests())
	})
}

func destroysNothing(t *testing.T, f *fake, c *rest.Client) {
	t.Helper()
	table := methods()
	var names []string
	for name := range table {
		names = append(names, name)
	}
	hostile := append(hostileIDs(), "7", "att7", "ENG", "removespace", "purge", "true", "trashed", "archived", `","status":"archived`, "draft=true", "../../../rest/api/space/ENG")
	single := regexp.MustCompile(`^/wiki/(api/v2/(pages|blogposts|footer-comments|inline-comments)/\d{1,19}|api/v2/attachments/att\d{1,19}|rest/api/content/\d{1,19}/label)$`)
	text := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())
	rapid.Check(t, func(rt *rapid.T) {
		a := arguments{
			id: text.Draw(rt, "id"), att: text.Draw(rt, "att"), key: text.Draw(rt, "key"), text: text.Draw(rt, "text"),
			kind: rapid.SampledFrom([]string{"", "page", "blogpost", "space"}).Draw(rt, "kind"), comment: rapid.SampledFrom([]string{"footer", "inline", "space"}).Draw(rt, "comment"),
		}
		before := len(f.requests())
		_ = table[rapid.SampledFrom(names).Draw(rt, "method")](c, a) // most are refused
		for _, r := range f.requests()[before:] {
			assert.NotContains(rt, r.URL.Query(), "purge")
			assert.NotContains(rt, r.URL.Query(), "draft")
			if r.Method == http.MethodDelete {
				assert.Regexp(rt, single, r.URL.EscapedPath())
			}
			assert.NotRegexp(rt, `(?i)/(restriction|role-assignments|permission|permissions|admin-key|redact|archive|pageTree)`, strings.TrimSuffix(onlyWrites(r), "/permission/check"))
		}
	})
}

func onlyWrites(r *http.Request) string {
	if r.Method == http.MethodGet {
		return ""
	}
	return r.URL.EscapedPath()
}
