package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/seal"
)

func TestAnswersThatAreNoSuccess(t *testing.T) {
	const html, json = "text/html;charset=UTF-8", "application/json"
	for name, tc := range map[string]struct {
		status      int
		contentType string
		body        string
		kind        confluence.Kind
		code        string
		says        string
	}{
		"400":              {400, json, `{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER","title":"Provided value is bad","detail":"x"}]}`, confluence.Invalid, "input.invalid", "Provided value is bad: x"},
		"400 v1":           {400, json, `{"statusCode":400,"message":"com.atlassian.confluence.api.service.exceptions.BadRequestException: too bad"}`, confluence.Invalid, "input.invalid", "request: too bad"},
		"400 version":      {400, json, `{"message":"Version must be incremented on update. Current version is: 4"}`, confluence.Conflict, "conflict", "changed"},
		"401 scope":        {401, json, `{"code":401,"message":"Unauthorized; scope does not match"}`, confluence.Denied, "auth.scope", "scope"},
		"401":              {401, json, `{"message":"no"}`, confluence.Expired, "auth.credentials", "credentials"},
		"401 tomcat":       {401, html, `<!doctype html><html><body>HTTP Status 401</body></html>`, confluence.Expired, "auth.credentials", "refused the token"},
		"403 credentials":  {403, json, `{"statusCode":403,"message":"com.atlassian.confluence.api.service.exceptions.PermissionException: Current user not permitted to use Confluence"}`, confluence.Expired, "auth.credentials", "403 from v1"},
		"403":              {403, json, `{"statusCode":403,"message":"You do not have permission"}`, confluence.Denied, "auth.forbidden", "may not"},
		"404":              {404, json, `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Cannot find a page with id [7]","detail":null}]}`, confluence.NotFound, "not_found", "not visible"},
		"404 HTML":         {404, html, `<html>`, confluence.Unavailable, "net.not_confluence", "HTML"},
		"405":              {405, json, `{}`, confluence.Invalid, "input.invalid", "refused"},
		"431 HTML":         {431, html, `<html>Request header is too large</html>`, confluence.Invalid, "input.invalid", "refused"},
		"410":              {410, json, `{}`, confluence.NotFound, "not_found", ""},
		"409":              {409, json, `{}`, confluence.Conflict, "conflict", "changed"},
		"413":              {413, json, `{"statusCode":413,"message":"RequestEntityTooLarge"}`, confluence.Limited, "limit.too_large", "larger"},
		"429":              {429, "text/plain", `slow down`, confluence.Limited, "limit.rate", "rate"},
		"500":              {500, json, `{"message":"NullPointerException"}`, confluence.Unavailable, "net.unavailable", "500"},
		"500 HTML":         {500, html, `<html>`, confluence.Unavailable, "net.unavailable", "500"},
		"503":              {503, json, `{}`, confluence.Unavailable, "net.unavailable", "503"},
		"200 login page":   {200, html, `<!doctype html><title>Log in</title>`, confluence.Unavailable, "net.not_confluence", "HTML"},
		"200 HTML as JSON": {200, json, `<!doctype html><title>Log in</title>`, confluence.Unavailable, "net.not_confluence", "HTML"},
		"200 text":         {200, "text/plain", `{}`, confluence.Unavailable, "net.not_confluence", ""},
		"200 broken JSON":  {200, json, `{"id":`, confluence.Unavailable, "net.not_confluence", "not valid JSON"},
		"200 empty":        {200, json, ``, confluence.Unavailable, "net.not_confluence", ""},
		"200 wrong form":   {200, json, `[1]`, confluence.Unavailable, "net.not_confluence", "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := f.client(t).Versions(ctx, "7", "", confluence.Paging{})
			e := code(t, err, tc.kind, tc.code)
			assert.Contains(t, e.Message, tc.says)
			assert.NotContains(t, e.Message, "com.atlassian")
			assert.Equal(t, "list versions", e.Op)
		})
	}
}

func TestBare404MeansBadCredentialsOnlyWhenV1SaysSo(t *testing.T) {
	bare := `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}`
	for name, tc := range map[string]struct {
		status int
		body   string
		kind   confluence.Kind
	}{
		"v1 refuses": {403, `{"statusCode":403,"message":"PermissionException: caller cannot access Confluence"}`, confluence.Expired},
		"v1 accepts": {200, `{"type":"known","accountId":"u","displayName":"Bot"}`, confluence.NotFound},
		"v1 is down": {500, `{}`, confluence.NotFound},
		"anonymous":  {200, `{"type":"anonymous","displayName":"Anonymous"}`, confluence.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wiki/rest/api/user/current" {
					reply(w, tc.status, tc.body)
					return
				}
				reply(w, 404, bare)
			})
			c := f.client(t)
			assert.Equal(t, tc.kind, problem(t, readSeven(c)).Kind)
			if tc.status == 200 && tc.kind == confluence.NotFound {
				asked := len(f.requests())
				assert.Equal(t, tc.kind, problem(t, readSeven(c)).Kind)
				assert.Equal(t, 2, len(f.requests())-asked, "the credential was just proven and is not asked about again")
			}
		})
	}
}

func TestNetworkFaults(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	plain := newFake(t, onePage)
	for name, tc := range map[string]struct{ base, code, says string }{
		"refused":         {"http://" + closed.Addr().String(), "net.unavailable", "refused"},
		"no such host":    {"https://" + strings.Repeat("a", 64) + ".invalid", "net.unavailable", "resolved"},
		"never answers":   {"http://" + silent.Addr().String(), "net.timeout", "in time"},
		"http, not https": {strings.Replace(plain.URL, "http:", "https:", 1), "net.tls", "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, rest.Config{
				BaseURL: tc.base, Auth: rest.Bearer, Token: seal.NewSecret(fakeToken), HeaderTimeout: 50 * time.Millisecond,
				Sleep: func(context.Context, time.Duration) error { return nil },
			})
			_, err := c.Probe(ctx)
			assert.Contains(t, code(t, err, confluence.Unavailable, tc.code).Message, tc.says)
			assert.Contains(t, code(t, readSeven(c), confluence.Unavailable, tc.code).Message, tc.says)
		})
	}
}

func TestCancelledCallEndsAtOnce(t *testing.T) {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, err := f.client(t).Page(short, "7", confluence.PageOptions{})
	e := code(t, err, confluence.Unavailable, "net.timeout")
	assert.ErrorIs(t, e, context.Canceled)
	assert.Len(t, f.requests(), 1)
}

func TestBodyThatTricklesIsGivenUp(t *testing.T) {
	stop := make(chan struct{})
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; ; i++ {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush() // the client may be gone
			select {
			case <-stop:
				return
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	defer close(stop)
	cfg := f.config()
	cfg.IdleTimeout = 60 * time.Millisecond
	e := code(t, readSeven(newClient(t, cfg)), confluence.Unavailable, "net.timeout")
	assert.Contains(t, e.Message, "in time")
	assert.Len(t, f.requests(), 5, "it is retried like any broken read")
}

func TestE04_AnswersStopAtTheirCap(t *testing.T) {
	bomb := func(w http.ResponseWriter, contentType string) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		block := []byte(strings.Repeat(" ", 1<<20))
		for range 1 << 10 {
			if _, err := z.Write(block); err != nil {
				return // the client has given up, as it should
			}
		}
		_ = z.Close() // nobody reads that far
	}
	t.Run("JSON", func(t *testing.T) {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { bomb(w, "application/json") })
		before := allocated()
		code(t, readSeven(f.client(t)), confluence.Limited, "limit.too_large")
		assert.Less(t, allocated()-before, uint64(300<<20), "all allocations of the call, the reader's growth included")
	})
	media := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			bomb(w, "image/png")
		case "/endless":
			for block := make([]byte, 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		case "/liar":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, "short")
		}
	})
	for path, want := range map[string]string{"/bomb": "limit.too_large", "/endless": "limit.too_large", "/liar": "net.unavailable"} {
		t.Run("download"+path, func(t *testing.T) {
			f := newFake(t, redirecting(func() string { return media.URL + path }))
			cfg := f.config()
			cfg.MaxDownload = 2 << 20
			before := allocated()
			stream, err := newClient(t, cfg).Download(ctx, sevenPNG, 0, 0)
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, stream)
			require.NoError(t, stream.Close())
			assert.Equal(t, want, problem(t, err).StableCode())
			assert.LessOrEqual(t, n, int64(2<<20))
			assert.Less(t, allocated()-before, uint64(10<<20), "cap plus 8 MiB")
		})
	}
	t.Run("more than the cap is not even asked for", func(t *testing.T) {
		f := newFake(t, onePage)
		_, err := f.client(t).Download(ctx, sevenPNG, 0, 1<<40)
		code(t, err, confluence.Limited, "limit.too_large")
		_, err = f.client(t).Upload(ctx, confluence.Upload{PageID: "7", FileName: "a", Size: 1 << 40})
		code(t, err, confluence.Limited, "limit.too_large")
		assert.Empty(t, f.requests())
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestDownloadRanges(t *testing.T) {
	const file = "0123456789"
	for name, honours := range map[string]bool{"range honoured": true, "range ignored": false} {
		t.Run(name, func(t *testing.T) {
			media := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if !honours {
					r.Header.Del("Range")
				}
				http.ServeContent(w, r, "f", time.Time{}, strings.NewReader(file))
			})
			c := newFake(t, redirecting(func() string { return media.URL + "/f" })).client(t)
			for _, tc := range []struct {
				offset, limit int64
				want          string
			}{{0, 0, file}, {3, 4, "3456"}, {3, 0, "3456789"}, {8, 9, "89"}, {0, 1, "0"}} {
				assert.Equal(t, tc.want, content(t, c, sevenPNG, tc.offset, tc.limit), "%d+%d", tc.offset, tc.limit)
			}
		})
	}
	t.Run("another range than asked", func(t *testing.T) {
		media := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-3/10")
			w.WriteHeader(206)
			_, _ = io.WriteString(w, "0123")
		})
		c := newFake(t, redirecting(func() string { return media.URL })).client(t)
		_, err := c.Download(ctx, sevenPNG, 4, 4)
		code(t, err, confluence.Unavailable, "net.unavailable")
	})
}

func TestUploadOfLessThanAnnouncedFails(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			reply(w, 200, `{"results":[{"id":"att1"}]}`)
		}
	})
	_, err := f.client(t).Upload(ctx, confluence.Upload{PageID: "7", FileName: "a", Size: 10, Content: strings.NewReader("short")})
	code(t, err, confluence.Invalid, "input.invalid")
}

func TestUploadLabelsItsTextAsUTF8(t *testing.T) {
	var parts []string
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "no-check", r.Header.Get("X-Atlassian-Token"))
		assert.Positive(t, r.ContentLength)
		form, err := r.MultipartReader()
		require.NoError(t, err)
		for {
			part, err := form.NextPart()
			if err != nil {
				break
			}
			raw, _ := io.ReadAll(part) // compared below
			parts = append(parts, fmt.Sprintf("%s|%s|%s|%s", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), raw))
		}
		reply(w, 200, `{"results":[{"id":"att1","title":"x","version":{"number":1},"extensions":{"mediaType":"text/plain","fileSize":5,"comment":"für"}}]}`)
	})
	a, err := f.client(t).Upload(ctx, confluence.Upload{PageID: "7", FileName: "grün.txt", MediaType: "text/plain", Comment: "für", Minor: true, Size: 5, Content: strings.NewReader("hello")})
	require.NoError(t, err)
	assert.Equal(t, []string{"minorEdit||text/plain; charset=UTF-8|true", "comment||text/plain; charset=UTF-8|für", "file|grün.txt|text/plain|hello"}, parts)
	assert.Equal(t, int64(5), a.Size)
	assert.Equal(t, "für", a.Comment)
}

func TestProbeTellsWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		handle http.HandlerFunc
		kind   confluence.Kind
		code   string
		says   string
	}{
		"a website": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>hello</html>")
		}, confluence.Unavailable, "net.not_confluence", "no Confluence answers"},
		"data center": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/rest/api/server-information" {
				reply(w, 200, `{"version":"9.2.0"}`)
				return
			}
			w.WriteHeader(404)
		}, confluence.Invalid, "input.edition", "Data Center 9.2.0, not Confluence Cloud This version connects with Confluence Cloud only"},
		"wrong token": {probing(403, `{"message":"Current user not permitted to use Confluence"}`), confluence.Expired, "auth.credentials", "403 from v1"},
		"no scope":    {probing(401, `{"code":401,"message":"Unauthorized; scope does not match"}`), confluence.Denied, "auth.scope", "scope"},
		"nobody":      {probing(200, `{"type":"anonymous"}`), confluence.Expired, "auth.credentials", "anonymous"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://new.example/", http.StatusMovedPermanently)
		}, confluence.Denied, "net.redirect_blocked", "redirect"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := newFake(t, tc.handle).client(t).Probe(ctx)
			e := code(t, err, tc.kind, tc.code)
			assert.Contains(t, e.Message+" "+e.Next, tc.says)
		})
	}
	t.Run("another site than before", func(t *testing.T) {
		f := newFake(t, probing(200, `{"type":"known","accountId":"u"}`))
		cfg := f.config()
		cfg.CloudID = "22222222-2222-4222-8222-222222222222"
		_, err := newClient(t, cfg).Probe(ctx)
		code(t, err, confluence.Invalid, "input.cloud_id")
	})
}

// probing is a Cloud site whose v1 answers the question who one is.
func probing(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/_edge/tenant_info":
			reply(w, 200, `{"cloudId":"11111111-1111-4111-8111-111111111111"}`)
		case "/wiki/rest/api/user/current":
			reply(w, status, body)
		default:
			onePage(w, r)
		}
	}
}

func TestMediaHostThatRefuses(t *testing.T) {
	for status, want := range map[int]string{401: "net.unavailable", 403: "net.unavailable", 404: "net.unavailable", 416: "input.range"} {
		media := newFake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		f := newFake(t, redirecting(func() string { return media.URL }))
		_, err := f.client(t).Download(ctx, sevenPNG, 5, 5)
		assert.Equal(t, want, problem(t, err).StableCode())
		assert.Len(t, f.requests(), 1, "a media host's 401 says nothing about the credential")
	}
}

func TestHiddenByDataSecurityPolicyIsSaid(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Atlassian-DataSecurityPolicy", "app_access_blocked")
		reply(w, 404, `{}`)
	})
	assert.Contains(t, code(t, readSeven(f.client(t)), confluence.NotFound, "not_found").Message, "data security policy")
}

func TestStaleCursorIsSaid(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 400, `{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER","title":"Provided cursor is invalid","detail":null}]}`)
	})
	_, err := f.client(t).Pages(ctx, confluence.PageFilter{}, confluence.Paging{Cursor: "old"})
	code(t, err, confluence.Invalid, "input.cursor")
}

func TestNothingSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	media := newFake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/download") {
			w.Header().Set("Location", media.URL+"/f?token=signed-"+fakeToken)
			w.WriteHeader(http.StatusFound)
			return
		}
		hangUp(w)
	})
	cfg := f.config()
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := newClient(t, cfg)
	for _, err := range []error{readSeven(c), createSeven(c), second(c.Download(ctx, sevenPNG, 0, 0))} {
		e := problem(t, err)
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), fmt.Sprint(e.Err)} {
			assert.NotContains(t, text, fakeToken)
		}
	}
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "config", cfg)
	assert.NotContains(t, log.String(), fakeToken)
	assert.NotContains(t, log.String(), basicHeader())
	assert.NotEmpty(t, log.String())
}

func second[T any](_ T, err error) error { return err }
