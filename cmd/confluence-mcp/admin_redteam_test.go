package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// operation is one route of the REST surface with values for its names.
type operation struct{ method, pattern, path string }

// operations are all routes that the document, which equals the routes, names.
func operations(t *testing.T) []operation {
	t.Helper()
	raw, err := openapi()
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	fill := strings.NewReplacer("{id}", "1", "{name}", "read-only", "{key}", "1", "{account}", "u-ann")
	var out []operation
	for pattern, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			out = append(out, operation{method, method + " " + pattern, fill.Replace(pattern)})
		}
	}
	require.Greater(t, len(out), 20)
	for _, o := range out {
		require.NotContains(t, o.path, "{", "a name that the test knows no value for")
	}
	return out
}

// movesOn is when a key was last used and how long a process runs: what reading
// moves on.
var movesOn = regexp.MustCompile(`,?"(last_used|uptime|age|next|since)[a-z_]*":("[^"]*"|[0-9.]+)`)

// stateOf is what an administrator can see of the state of the product, and
// what it has sent to Confluence that changes anything.
func stateOf(p *product, site *emulatortest.Emulator) string {
	out := ""
	for _, path := range []string{"/api/integrations", "/api/agents", "/api/profiles", "/api/approvals", "/api/audit"} {
		got := p.send(http.MethodGet, path, opsKey, "", nil)
		require.Equal(p.t, http.StatusOK, got.status, path)
		out += got.body
	}
	for _, r := range site.Requests(0) {
		if r.Method != http.MethodGet {
			out += fmt.Sprintln(r.Method, r.Path)
		}
	}
	return movesOn.ReplaceAllString(out, "")
}

// TestL01_L08_OtherPagesChangeNothing sends every operation as a page of another
// site would, with the key of an administrator even, and as another method than
// it has.
func TestL01_L08_OtherPagesChangeNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	began := time.Now()
	p := &product{t: t, dir: productFolder(t), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{},
		clock: func() time.Time { return began.Add(20 * time.Since(began)) }} // on which one key earns enough for all these requests
	p.start()
	before := stateOf(p, site)
	for _, o := range operations(t) {
		for header, values := range map[string][]string{"Origin": {"https://evil.example", "null", "http://127.0.0.1.evil.example"}, "Sec-Fetch-Site": {"cross-site", "same-site"}} {
			for _, value := range values {
				if header == "Sec-Fetch-Site" && o.method == http.MethodGet {
					continue // following a link; without the key it gives nothing
				}
				got := p.send(o.method, o.path, opsKey, `{}`, map[string]string{header: value})
				assert.Equal(t, http.StatusForbidden, got.status, "%s with %s: %s", o.pattern, header, value)
				assert.Empty(t, got.header.Get("Access-Control-Allow-Origin"), o.pattern)
			}
		}
		if o.method == http.MethodPost || o.method == http.MethodPut || o.method == http.MethodPatch {
			for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
				got := p.send(o.method, o.path, opsKey, "name=x&settings=y", map[string]string{"Content-Type": kind})
				assert.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusUnsupportedMediaType}, got.status, "%s as %s", o.pattern, kind)
			}
		}
		if o.method == http.MethodGet {
			plain := p.send(o.method, o.path, opsKey, "", nil)
			for _, override := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
				got := p.send(o.method, o.path, opsKey, "", map[string]string{override: http.MethodDelete})
				assert.Equal(t, plain.status, got.status, "%s with %s", o.pattern, override)
				got = p.send(o.method, o.path+"?_method=DELETE", opsKey, "", nil)
				assert.Contains(t, []int{plain.status, http.StatusBadRequest}, got.status, o.pattern)
			}
		}
		for _, verb := range []string{"TRACE", "PROPFIND", "MOVE", "delete"} {
			got := p.send(verb, o.path, opsKey, "", nil)
			assert.Contains(t, []int{http.StatusMethodNotAllowed, http.StatusNotFound, http.StatusBadRequest}, got.status, "%s %s", verb, o.path)
		}
	}
	assert.Equal(t, before, stateOf(p, site))
}

// TestL07_WhoIsNoAdministratorAdministersNothing asks every operation with the
// key of an ordinary agent: only what is its own is open to it.
func TestL07_WhoIsNoAdministratorAdministersNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	open := map[string]int{ // what an agent has for itself, with what it gets
		"POST /api/query":                 http.StatusBadRequest, // it sends no words
		"GET /api/openapi.json":           http.StatusOK,
		"GET /api/approvals":              http.StatusOK, // its own
		"GET /api/approvals/{id}":         http.StatusNotFound,
		"POST /api/approvals/{id}/cancel": http.StatusNotFound,
	}
	before := stateOf(p, site)
	for _, o := range operations(t) {
		want, ours := open[o.pattern]
		if !ours {
			want = http.StatusForbidden
		}
		for _, key := range []string{bobKey, annKey} {
			got := p.send(o.method, o.path, key, `{}`, nil)
			assert.Equal(t, want, got.status, "%s: %s", o.pattern, got.body)
			if !ours {
				assert.Regexp(t, `"kind":"(auth\.forbidden|approval\.right)"`, got.body, o.pattern)
			}
		}
		assert.Equal(t, http.StatusUnauthorized, p.send(o.method, o.path, "", `{}`, nil).status, "%s without a key", o.pattern)
		delete(open, o.pattern)
	}
	assert.Empty(t, open, "there are no such operations")
	assert.Equal(t, before, stateOf(p, site))
}

// TestL09_ReadingChangesNothing reads every route there is, as an administrator.
func TestL09_ReadingChangesNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	before := stateOf(p, site)
	for _, path := range append(readable(t), "/api/integrations/1?delete=true", "/api/integrations/1/sync", "/api/profiles/reload", "/api/approvals/1/approve") {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			p.send(method, path, opsKey, "", nil)
		}
	}
	assert.Equal(t, before, stateOf(p, site))
}

// readable are the paths that answer a GET, of every kind.
func readable(t *testing.T) []string {
	t.Helper()
	out := []string{"/", "/mcp", "/healthz", "/readyz", "/metrics", "/nope", "/oauth/callback", "/oauth/callback?error=access_denied&state=x", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}
	for _, o := range operations(t) {
		if o.method == http.MethodGet {
			out = append(out, o.path)
		}
	}
	return out
}

const activeSVG = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>`

// TestE06_L03_NothingIsAPage: a file that would act in a browser is handed out
// inside JSON only, and no answer at all may be guessed to be a page, run, or be
// framed.
func TestE06_L03_NothingIsAPage(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	site.Apply(`{"kind":"content","id":"6101","type":"attachment","space":"ENG","parent":"1001","title":"logo.svg","media_type":"image/svg+xml","data":"PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPjxzY3JpcHQ+YWxlcnQoZG9jdW1lbnQuZG9tYWluKTwvc2NyaXB0Pjwvc3ZnPg=="}`,
		`{"kind":"content","id":"6102","type":"attachment","space":"ENG","parent":"1001","title":"page.html","media_type":"text/html","data":"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="}`)
	p := serveProduct(t, site.URL, botToken)
	inert := func(what string, got reply, pages bool) {
		t.Helper()
		kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
		allowed := []string{"application/json", "text/event-stream", "text/plain", "application/x-ndjson", "application/jsonl", ""}
		if pages {
			allowed = append(allowed, "text/html")
		}
		assert.Contains(t, allowed, kind, what)
		assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), what)
		policy := got.header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", what)
		assert.Contains(t, policy, "frame-ancestors 'none'", what)
		assert.NotContains(t, policy, "script-src", what)
	}
	for id, content := range map[string]string{"6101": activeSVG, "6102": "<script>alert(1)</script>"} {
		got := p.call(annKey, "download_attachment", map[string]any{"attachment_id": id})
		inert("download", got, false)
		assert.NotContains(t, got.body, "<script>", "it stands there as data: %s", content)
		assert.False(t, got.tool(t).IsError, got.body)
	}
	for _, path := range readable(t) {
		for _, key := range []string{opsKey, ""} {
			inert(path, p.send(http.MethodGet, path, key, "", nil), strings.HasPrefix(path, "/oauth/callback"))
		}
	}
	for _, path := range []string{"/download/6101", "/wiki/download/attachments/1001/logo.svg", "/api/attachments/6101", "/attachments/6101", "/media/6101"} {
		assert.Equal(t, http.StatusNotFound, p.send(http.MethodGet, path, opsKey, "", nil).status, path)
	}
}
