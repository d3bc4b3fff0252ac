package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

// TestD04_LocationIsJoinedBeforeItIsJudged: what a Location means is known only
// together with the address that sent it.
func TestD04_LocationIsJoinedBeforeItIsJudged(t *testing.T) {
	evil, hits, _ := trap(t)
	foreign := strings.TrimPrefix(evil.URL, "http:") // //host:port
	t.Run("from Confluence nowhere but to the media host", func(t *testing.T) {
		for _, location := range []string{
			"/wiki/rest/api/content/8/child/attachment/att8/download", "wiki/x", "../../../../x", "?x=1", "#x", "//evil.example/x", `\\evil.example\x`, "/\\evil.example/x",
			"///evil.example/x", "//169.254.169.254/", "//[::ffff:169.254.169.254]/", "//user@evil.example/",
		} {
			f := newFake(t, redirecting(func() string { return location }))
			_, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
			code(t, err, confluence.Denied, "net.redirect_blocked")
			assert.Len(t, f.requests(), 1, location)
		}
	})
	t.Run("within the media host", func(t *testing.T) {
		var paths []string
		media := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.Path)
			assert.Empty(t, r.Header.Get("Authorization"))
			if r.URL.Path == "/a/first" {
				w.Header().Set("Location", "../b/second")
				w.WriteHeader(302)
				return
			}
			_, _ = io.WriteString(w, "bytes of the file")
		}))
		t.Cleanup(media.Close)
		f := newFake(t, redirecting(func() string { return media.URL + "/a/first" }))
		stream, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
		require.NoError(t, err)
		raw, err := io.ReadAll(stream)
		require.NoError(t, err)
		require.NoError(t, stream.Close())
		assert.Equal(t, "bytes of the file", string(raw))
		assert.Equal(t, []string{"/a/first", "/b/second"}, paths)
	})
	t.Run("from the media host back with a scheme-less address", func(t *testing.T) {
		var back, forth string
		f := newFake(t, redirecting(func() string { return forth }))
		media := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", back+"/wiki/rest/api/space/ENG")
			w.WriteHeader(302)
		}))
		t.Cleanup(media.Close)
		back, forth = strings.TrimPrefix(f.URL, "http:"), media.URL
		_, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
		code(t, err, confluence.Denied, "net.redirect_blocked")
		assert.Len(t, f.requests(), 1, "it was not asked a second time")
	})
	t.Run("an API call in any form", func(t *testing.T) {
		for _, location := range []string{foreign + "/wiki/api/v2/pages/7", "/wiki/api/v2/pages/8", "8", "?purge=true"} {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(302)
			})
			_, err := f.client(t).Page(context.Background(), "7", confluence.PageOptions{})
			code(t, err, confluence.Denied, "net.redirect_blocked")
			assert.Len(t, f.requests(), 1, location)
		}
	})
	assert.Zero(t, hits.Load())
}

// TestD06_LinksOfAnAttachmentAreNotFollowed: where a file is, is never taken from
// what Confluence says about it.
func TestD06_LinksOfAnAttachmentAreNotFollowed(t *testing.T) {
	evil, hits, _ := trap(t)
	for _, link := range []string{evil.URL + "/x", strings.TrimPrefix(evil.URL, "http:") + "/x", "https://evil.example/x", "http://169.254.169.254/", "/../../x"} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/download") {
				reply(w, 200, `{}`)
				return
			}
			reply(w, 200, `{"id":"att7","pageId":"7","title":"a.txt","mediaType":"text/plain","fileSize":2,"downloadLink":"`+link+`","version":{"number":1},"_links":{"base":"`+evil.URL+`","download":"`+link+`","webui":"`+link+`"}}`)
		})
		stream, err := f.client(t).Download(context.Background(), confluence.Attachment{ID: "att7"}, 0, 0)
		require.NoError(t, err, link)
		require.NoError(t, stream.Close())
		last := f.requests()[len(f.requests())-1]
		assert.Equal(t, "/wiki/rest/api/content/7/child/attachment/att7/download", last.URL.Path, link)
	}
	assert.Zero(t, hits.Load())
}

// TestD10_NoProxyOfTheEnvironment: nobody else's proxy carries what is sent to a
// site or to a host that an answer named. The environment counts from the start
// of a process on and never for loopback, so the client is tried in a process of
// its own, for hosts that are elsewhere.
func TestD10_NoProxyOfTheEnvironment(t *testing.T) {
	if os.Getenv("D10_CHILD") != "" {
		throughNoProxy(t)
		return
	}
	proxy, hits, _ := trap(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(exe, "-test.run=^TestD10_NoProxyOfTheEnvironment$", "-test.v")
	child.Env = append(os.Environ(), "D10_CHILD=1", "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "NO_PROXY=",
		"http_proxy="+proxy.URL, "https_proxy="+proxy.URL, "all_proxy="+proxy.URL, "no_proxy=")
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestD10_NoProxyOfTheEnvironment")
	assert.Equal(t, int64(1), hits.Load(), "only the request that was to show that the proxy is there")
}

// throughNoProxy makes one request that does use the proxy, and then those of a
// client whose site and media host nobody knows: it looks them up itself, which
// nobody does who leaves that to a proxy.
func throughNoProxy(t *testing.T) {
	var lookedUp atomic.Int64
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		lookedUp.Add(1)
		return nil, errors.New("no names are known here")
	}}
	plain := http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	res, err := plain.Get("http://site.invalid/")
	require.NoError(t, err, "the environment counts in this process")
	require.NoError(t, res.Body.Close())
	require.Zero(t, lookedUp.Load())
	never := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	c := newClient(t, rest.Config{BaseURL: "https://site.invalid", Auth: rest.Bearer, Token: seal.NewSecret(fakeToken), Sleep: never})
	_, err = c.Page(context.Background(), "7", confluence.PageOptions{})
	require.Error(t, err)
	site := lookedUp.Load()
	assert.Positive(t, site)
	require.Error(t, rest.AskMediaHost(c, "https://api.media.invalid/"))
	assert.Greater(t, lookedUp.Load(), site)
}

// TestK01_EchoedCredentialsAreWithheld: an answer that repeats what it was sent
// does not carry the credential to the caller or into a log.
func TestK01_EchoedCredentialsAreWithheld(t *testing.T) {
	for name, echo := range map[string]func(*http.Request) string{
		"the header": func(r *http.Request) string { return "Bad header Authorization: " + r.Header.Get("Authorization") },
		"its value": func(r *http.Request) string {
			return "Got " + strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
		},
		"the token":     func(*http.Request) string { return "Unknown token " + fakeToken },
		"another token": func(*http.Request) string { return "Unknown token ATATT3xFfGF0abc" },
		"a JWT":         func(*http.Request) string { return "Unknown token eyJhbGciOiJub25lIn0.e30." },
	} {
		t.Run(name, func(t *testing.T) {
			for _, status := range []int{400, 401, 403, 404, 409, 422, 500} {
				f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
					reply(w, status, `{"message":"`+echo(r)+`","errors":[{"status":400,"code":"X","title":"`+echo(r)+`","detail":"`+echo(r)+`"}]}`)
				})
				_, err := f.client(t).Page(context.Background(), "7", confluence.PageOptions{})
				e := problem(t, err)
				said := fmt.Sprintf("%v %s %s %v %+v", e, e.Message, e.Next, e.Err, errors.Unwrap(e))
				for _, secret := range []string{fakeToken, basicHeader(), strings.TrimPrefix(basicHeader(), "Basic "), "ATATT3xFfGF0abc", "eyJhbGci"} {
					assert.NotContains(t, said, secret, status)
				}
			}
		})
	}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 400, `{"message":"The basic authentication of spaces is unclear"}`)
	})
	_, err := f.client(t).Page(context.Background(), "7", confluence.PageOptions{})
	assert.Contains(t, problem(t, err).Message, "of spaces is unclear", "other sentences are passed on")
}
