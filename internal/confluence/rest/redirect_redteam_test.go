package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
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
		f := newFake(t, nil)
		back := strings.TrimPrefix(f.URL, "http:")
		media := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", back+"/wiki/rest/api/space/ENG")
			w.WriteHeader(302)
		}))
		t.Cleanup(media.Close)
		f.Config.Handler = redirecting(func() string { return media.URL })
		_, err := f.client(t).Download(context.Background(), sevenPNG, 0, 0)
		code(t, err, confluence.Denied, "net.redirect_blocked")
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
