package rest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

// trap counts what reaches a host that must not be reached with credentials.
func trap(t *testing.T) (*httptest.Server, *atomic.Int64, *atomic.Int64) {
	var hits, credentials atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			credentials.Add(1)
		}
		reply(w, 200, `{}`)
	}))
	t.Cleanup(s.Close)
	return s, &hits, &credentials
}

func TestD03_RedirectOfAnAPICallIsNeverFollowed(t *testing.T) {
	evil, hits, _ := trap(t)
	for _, target := range []string{
		evil.URL + "/wiki/api/v2/pages/7", "http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/", "http://127.0.0.1:22/",
		"https://sub.conf.corp/", "file:///etc/passwd", "/wiki/api/v2/pages/8", "//evil.example/x", "",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", target)
				w.WriteHeader(status)
			})
			_, err := f.client(t).Page(context.Background(), "7", confluence.PageOptions{})
			code(t, err, confluence.Denied, "net.redirect_blocked")
			assert.Len(t, f.requests(), 1)
		}
	}
	assert.Zero(t, hits.Load())
}

func TestD08_WritesAreNeverRedirected(t *testing.T) {
	evil, hits, _ := trap(t)
	ctx := context.Background()
	for name, write := range map[string]func(*rest.Client) error{
		"POST": func(c *rest.Client) error {
			_, err := c.CreatePage(ctx, confluence.NewPage{SpaceID: "1", Title: "x"})
			return err
		},
		"PUT": func(c *rest.Client) error {
			_, err := c.UpdatePage(ctx, confluence.PageUpdate{ID: "7", Title: "x", Body: "<p>x</p>", Version: 4})
			return err
		},
		"DELETE": func(c *rest.Client) error { return c.DeleteComment(ctx, "5", confluence.CommentFooter) },
		"upload": func(c *rest.Client) error {
			_, err := c.Upload(ctx, confluence.Upload{PageID: "7", FileName: "a.txt", Size: 1, Content: strings.NewReader("x")})
			return err
		},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, location := range []string{evil.URL, ""} { // elsewhere, and to itself
				f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", orItself(location, r))
					w.WriteHeader(status)
				})
				code(t, write(f.client(t)), confluence.Denied, "net.redirect_blocked")
				assert.Len(t, f.requests(), 1, "%s, %d", name, status)
			}
		}
	}
	assert.Zero(t, hits.Load())
}

func orItself(location string, r *http.Request) string {
	if location == "" {
		return r.URL.RequestURI()
	}
	return location
}

// redirecting answers the download route with a redirect.
func redirecting(location func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/download") {
			w.Header().Set("Location", location())
			w.WriteHeader(302)
			return
		}
		reply(w, 404, `{}`)
	}
}

var sevenPNG = confluence.Attachment{ID: "att7", PageID: "7"}

func TestD06_DownloadFollowsToTheMediaHostWithoutCredentials(t *testing.T) {
	var seen http.Header
	media := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		_, _ = io.WriteString(w, "bytes of the file") // the client under test may be gone
	}))
	t.Cleanup(media.Close)
	f := newFake(t, redirecting(func() string { return media.URL + "/file?token=signed" }))
	stream, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
	require.NoError(t, err)
	raw, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	assert.Equal(t, "bytes of the file", string(raw))
	assert.Empty(t, seen.Get("Authorization"))
	assert.Empty(t, seen.Get("Cookie"))
	assert.Equal(t, basicHeader(), f.requests()[0].Header.Get("Authorization"))
}

func TestD03_DownloadIsNotRedirectedElsewhere(t *testing.T) {
	for _, target := range []string{
		"http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "https://sub.conf.corp/", "file:///etc/passwd", "//evil.example/x",
		"https://api.media.atlassian.com.evil.example/", "http://user@127.0.0.1/", "gopher://127.0.0.1/", "",
	} {
		f := newFake(t, redirecting(func() string { return target }))
		_, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
		e := problem(t, err)
		assert.Equal(t, "net.redirect_blocked", e.StableCode(), target)
		assert.Len(t, f.requests(), 1, target)
	}
}

func TestD08_DownloadStopsAfterThreeRedirects(t *testing.T) {
	for name, next := range map[string]func(hop int64) string{
		"a loop":        func(int64) string { return "/again" },
		"eleven places": func(hop int64) string { return fmt.Sprint("/", min(hop, 11)) },
	} {
		var hops, credentials atomic.Int64
		media := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				credentials.Add(1)
			}
			if hop := hops.Add(1); hop <= 11 {
				http.Redirect(w, r, next(hop), http.StatusFound)
			}
		}))
		t.Cleanup(media.Close)
		f := newFake(t, redirecting(func() string { return media.URL }))
		_, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
		code(t, err, confluence.Denied, "net.redirect_blocked")
		assert.Equal(t, int64(3), hops.Load(), name)
		assert.Zero(t, credentials.Load(), name)
		assert.Len(t, f.requests(), 1, name)
	}
}

func TestD12_UntrustedCertificateIsRefused(t *testing.T) {
	var hits atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := newClient(t, rest.Config{BaseURL: s.URL, Auth: rest.Bearer, Token: seal.NewSecret(fakeToken)})
	_, err := c.Page(context.Background(), "7", confluence.PageOptions{})
	e := code(t, err, confluence.Unavailable, "net.tls")
	assert.Contains(t, e.Message, "unknown certificate authority")
	assert.Zero(t, hits.Load())
}

func TestD07_NextLinkThatLeadsElsewhereIsRefused(t *testing.T) {
	evil, hits, _ := trap(t)
	for _, next := range []string{
		evil.URL + "/wiki/api/v2/pages?cursor=x", strings.TrimPrefix(evil.URL, "http:") + "/wiki/api/v2/pages?cursor=x",
		"https://evil.example/wiki/api/v2/pages?cursor=x", "//evil.example/wiki/api/v2/pages?cursor=x", "/wiki/api/v2/pages/../spaces?cursor=x",
		"/wiki/api/v2/blogposts?cursor=x", "/wiki/rest/api/space/ENG?cursor=x", "/wiki/api/v2/%2e%2e/pages?cursor=x", "http://u@HOST/wiki/api/v2/pages?cursor=x",
		"/wiki/api/v2/pages", "/wiki/api/v2/pages?cursor=", "/wiki/api/v2/pages?cursor=a%0d%0ab", "javascript:alert(1)", "%zz",
	} {
		t.Run(next, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				reply(w, 200, `{"results":[],"_links":{"next":"`+strings.ReplaceAll(next, "HOST", r.Host)+`"}}`)
			})
			_, err := f.client(t).Pages(context.Background(), confluence.PageFilter{}, confluence.Paging{})
			code(t, err, confluence.Denied, "net.redirect_blocked")
			assert.Len(t, f.requests(), 1)
		})
	}
	assert.Zero(t, hits.Load())
}

func TestNextLinkFormsThatAreAccepted(t *testing.T) {
	for _, next := range []string{
		"/wiki/api/v2/pages?limit=9&cursor=abc%3D%3D&purge=true", "/api/v2/pages?cursor=abc%3D%3D", "http://HOST/wiki/api/v2/pages?cursor=abc%3D%3D",
	} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("cursor") != "" {
				reply(w, 200, `{"results":[],"_links":{}}`)
				return
			}
			reply(w, 200, `{"results":[],"_links":{"next":"`+strings.ReplaceAll(next, "HOST", r.Host)+`"}}`)
		})
		c := f.client(t)
		l, err := c.Pages(context.Background(), confluence.PageFilter{}, confluence.Paging{Limit: 5})
		require.NoError(t, err)
		assert.Equal(t, "abc==", l.Next)
		_, err = c.Pages(context.Background(), confluence.PageFilter{}, confluence.Paging{Limit: 5, Cursor: l.Next})
		require.NoError(t, err)
		asked := f.requests()[1].URL
		assert.Equal(t, "/wiki/api/v2/pages", asked.Path)
		assert.Equal(t, "abc==", asked.Query().Get("cursor"))
		assert.Equal(t, "5", asked.Query().Get("limit"), "our own parameters are repeated, the link's are not")
		assert.Empty(t, asked.Query().Get("purge"))
	}
}

func TestF09_CursorThatWasNotGivenOutIsRefused(t *testing.T) {
	f := newFake(t, onePage)
	c := f.client(t)
	for _, cursor := range []string{"a b", "a\r\nb", "ü", strings.Repeat("x", 5000), "a\x00"} {
		_, err := c.Pages(context.Background(), confluence.PageFilter{}, confluence.Paging{Cursor: cursor})
		code(t, err, confluence.Invalid, "input.cursor")
	}
	for _, cursor := range []string{"x", "-1", "1e9", "99999999999", "1&limit=9"} {
		_, err := c.GroupMembers(context.Background(), "g", confluence.Paging{Cursor: cursor})
		code(t, err, confluence.Invalid, "input.cursor")
	}
	assert.Empty(t, f.requests())
}
