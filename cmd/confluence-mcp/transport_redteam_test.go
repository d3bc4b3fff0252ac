package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/tools"
)

// asksNothing holds that what fn does sends Confluence, and who signs people in
// there, no request.
func asksNothing(t *testing.T, site *emulatortest.Emulator, about string, fn func()) {
	t.Helper()
	mark := markOf(site)
	fn()
	asked := site.Requests(mark)
	assert.Empty(t, asked, "%s: Confluence was asked%s", about, shownRequests(asked))
}

// session opens an initialize-based session.
func (p *product) session(key string) map[string]string {
	p.t.Helper()
	got := p.send(http.MethodPost, "/mcp", key, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, nil)
	require.Equal(p.t, http.StatusOK, got.status, got.body)
	return map[string]string{"Mcp-Session-Id": got.header.Get("Mcp-Session-Id"), "MCP-Protocol-Version": "2025-11-25"}
}

// TestA01_A02_A04_A05_A07_A08_A09_A11_B01_B05_B08_C02_RefusedRequestsReachNothing
// sends the whole product what it must not serve: it answers as it should, asks
// Confluence nothing, and has decided nothing.
func TestA01_A02_A04_A05_A07_A08_A09_A11_B01_B05_B08_C02_RefusedRequestsReachNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	settled := len(site.Requests(0))
	anns, ended := p.session(annKey), p.session(annKey)
	require.Equal(t, http.StatusOK, p.send(http.MethodDelete, "/mcp", annKey, "", ended).status)
	invented := map[string]string{"Mcp-Session-Id": "mcp-session-0b9f7c1e-5e0a-4a8b-9d53-0f3f1c2b7a61", "MCP-Protocol-Version": "2025-11-25"}
	const inSession = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1001","fresh":true}}}`
	good := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + statelessMeta + `,"name":"confluence_get_page","arguments":{"page_id":"1001","fresh":true}}}`
	headers := func(name, value string) map[string]string {
		h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page"}
		if name != "" {
			h[name] = value
		}
		return h
	}
	for _, c := range []struct {
		name, key, path, body string
		header                map[string]string
		status                int
	}{
		{"A01 foreign origin", annKey, "/mcp", good, headers("Origin", "https://evil.example"), 403},
		{"A01 null origin", annKey, "/mcp", good, headers("Origin", "null"), 403},
		{"A01 look-alike origin", annKey, "/mcp", good, headers("Origin", "http://localhost.evil.example"), 403},
		{"A04 duplicate id", annKey, "/mcp", strings.Replace(good, `"id":1`, `"id":1,"id":2`, 1), headers("", ""), 400},
		{"A04 duplicate key, deep", annKey, "/mcp", strings.Replace(good, `"page_id":"1001"`, `"page_id":"1001","x":{"y":{"z":1,"z":2}}`, 1), headers("", ""), 400},
		{"A04 duplicate key", annKey, "/mcp", strings.Replace(good, `"page_id":"1001"`, `"page_id":"1001","page_id":"1002"`, 1), headers("", ""), 400},
		{"A04 duplicate arguments", annKey, "/mcp", strings.Replace(good, `"arguments":`, `"arguments":{},"arguments":`, 1), headers("", ""), 400},
		{"A04 key in capitals", annKey, "/mcp", strings.Replace(good, `"name":`, `"NAME":`, 1), headers("", ""), 400},
		{"A04 key with NUL", annKey, "/mcp", strings.Replace(good, `"page_id":`, `"a\u0000":1,"page_id":`, 1), headers("", ""), 400},
		{"A05 too deep", annKey, "/mcp", strings.Replace(good, `"1001"`, strings.Repeat("[", 62)+strings.Repeat("]", 62), 1), headers("", ""), 400},
		{"A05 too wide", annKey, "/mcp", strings.Replace(good, `"1001"`, "["+strings.Repeat("1,", 99_999)+"1]", 1), headers("", ""), 400},
		{"A07 another caller's session", bobKey, "/mcp", inSession, anns, 404},
		{"A08 invented session", annKey, "/mcp", inSession, invented, 404},
		{"A08 ended session", annKey, "/mcp", inSession, ended, 404},
		{"A09 another name in the header", annKey, "/mcp", good, headers("Mcp-Name", "confluence_search"), 400},
		{"A09 another version in the header", annKey, "/mcp", good, headers("MCP-Protocol-Version", "2025-11-25"), 400},
		{"A11 key in the URL", "", "/mcp?access_token=" + annKey, good, headers("", ""), 401},
		{"A11 key in the URL besides the header", annKey, "/mcp?access_token=" + annKey, good, headers("", ""), 401},
		{"B01 no key", "", "/mcp", good, headers("", ""), 401},
		{"B01 empty bearer", "", "/mcp", good, headers("Authorization", "Bearer "), 401},
		{"B01 Basic", "", "/mcp", good, headers("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bot@acme.test:"+botToken))), 401},
		{"B05 the token of Confluence", botToken, "/mcp", good, headers("", ""), 401},
		{"B05 another token of Confluence", wrongToken, "/mcp", good, headers("", ""), 401},
		{"B08 a wrong key", "cmk_canary-ann_ffffffffffff", "/mcp", good, headers("", ""), 401},
		{"B08 one byte off", annKey[:len(annKey)-1] + "0", "/mcp", good, headers("", ""), 401},
		{"B08 a shortened key", annKey[:len(annKey)-1], "/mcp", good, headers("", ""), 401},
		{"B08 a longer key", annKey + "0", "/mcp", good, headers("", ""), 401},
		{"C02 another user", annKey, "/mcp", strings.Replace(good, `"_meta":{`, `"_meta":{"accessSettings":{"integrationId":1,"externalUserId":"u-ann"},`, 1), headers("", ""), 403},
		{"C02 another user's groups", annKey, "/mcp", strings.Replace(good, `"_meta":{`, `"_meta":{"accessControlAttributes":["group-A"],`, 1), headers("", ""), 403},
		{"C02 another user in a header", annKey, "/mcp", good, headers("X-Access-User", "u-ann"), 403},
		{"C02 another user by REST", annKey, "/api/query", `{"query":"pump","accessSettings":{"integrationId":1,"externalUserId":"u-ann"}}`, nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := p.send(http.MethodPost, c.path, c.key, c.body, c.header)
			assert.Equal(t, c.status, got.status, got.body)
			assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
			if c.status == 401 {
				assert.Contains(t, got.header.Get("WWW-Authenticate"), "resource_metadata=")
			}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		assert.Equal(t, http.StatusNotFound, p.send(method, "/mcp", bobKey, "", anns).status, "A07 another caller's session: %s", method)
	}
	t.Run("A02 foreign host", func(t *testing.T) {
		conn := p.dial()
		_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", annKey, len(good), good)
		require.NoError(t, err)
		line := make([]byte, 64)
		n, err := conn.Read(line)
		require.NoError(t, err)
		assert.Contains(t, string(line[:n]), " 403 ")
	})
	assert.Len(t, site.Requests(0), settled, "nothing reached Confluence")
	assert.Equal(t, http.StatusOK, p.send(http.MethodPost, "/mcp", annKey, good, headers("", "")).status, "the same request, unspoilt")
	assert.Equal(t, http.StatusOK, p.send(http.MethodPost, "/mcp", annKey, inSession, anns).status, "the session, by its owner")
	reached := site.Requests(0)[settled:]
	require.NotEmpty(t, reached)
	for _, r := range reached {
		assert.Equal(t, "u-bot", r.User, "Confluence is asked with its own credential, never with the caller's")
	}
	assert.NotContains(t, p.errOut.String(), "access_token", "A11: the query is not logged")
	assert.Len(t, p.audit(), 2, "two calls were decided")
}

// TestB08_B12_ARevokedKeyReachesNothing: with the product's own settings, a key
// that is revoked ends its streams within five seconds and opens nothing more.
func TestB08_B12_ARevokedKeyReachesNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	_, made := p.api(opsKey, http.MethodPost, "/api/agents", `{"name":"fresh","profile":"read-only"}`)
	key, _ := made["key"].(string)
	require.NotEmpty(t, key)
	h := p.session(key)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/mcp", nil)
	require.NoError(t, err)
	for name, value := range map[string]string{"Authorization": "Bearer " + key, "Accept": "text/event-stream", "Mcp-Session-Id": h["Mcp-Session-Id"], "MCP-Protocol-Version": h["MCP-Protocol-Version"]} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { assert.NoError(t, res.Body.Close()) }()
	require.Equal(t, http.StatusOK, res.StatusCode)
	asksNothing(t, site, "a revoked key", func() {
		require.Equal(t, http.StatusNoContent, p.send(http.MethodDelete, "/api/agents/fresh", opsKey, "", nil).status)
		at := time.Now()
		_, err := io.ReadAll(res.Body)
		require.NoError(t, err, "the server ends it")
		assert.LessOrEqual(t, time.Since(at), 5*time.Second)
		for _, got := range []reply{
			p.call(key, "get_page", map[string]any{"page_id": "1001", "fresh": true}),
			p.send(http.MethodPost, "/mcp", key, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1001","fresh":true}}}`, h),
			p.send(http.MethodPost, "/api/query", key, `{"query":"pump"}`, nil),
		} {
			assert.Equal(t, http.StatusUnauthorized, got.status, got.body)
		}
	})
}

func (p *product) dial() net.Conn {
	p.t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(p.t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestA12_EveryAnswerIsPrivate asks everything that lists or reads.
func TestA12_EveryAnswerIsPrivate(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	answers := map[string]reply{}
	for _, method := range []string{"tools/list", "server/discover", "resources/list", "resources/templates/list", "prompts/list"} {
		answers[method] = p.rpc(annKey, method, "", "")
	}
	answers["initialize"] = p.send(http.MethodPost, "/mcp", annKey, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, nil)
	args := map[string]map[string]any{"get_page": {"page_id": "1001"}, "search": {"query": "pump"}, "list_pages": {"space_key": "ENG"}, "get_page_history": {"page_id": "1001"}, "get_page_diff": {"page_id": "1001", "from_version": 1},
		"get_comments": {"page_id": "1001"}, "get_space": {"space_key": "ENG"}, "get_attachments": {"page_id": "1001"}, "download_attachment": {"attachment_id": "att6002"}, "search_user": {"query": "Ann"}, "get_approval": {"approval_id": "x"}}
	for _, tool := range tools.Every() {
		if tool.ReadOnly {
			name := strings.TrimPrefix(tool.Name, "confluence_")
			a := args[name]
			if a == nil {
				a = map[string]any{}
			}
			answers[tool.Name] = p.call(annKey, name, a)
			answers[tool.Name+" refused"] = p.call(annKey, name, map[string]any{"nope": 1})
		}
	}
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/.well-known/oauth-protected-resource", "/nothing", "/api/integrations", "/api/integrations/default", "/api/agents", "/api/profiles", "/api/approvals", "/api/audit", "/api/openapi.json", "/api/nothing"} {
		answers[path] = p.send(http.MethodGet, path, opsKey, "", nil)
	}
	answers["/api/query"] = p.send(http.MethodPost, "/api/query", annKey, `{"query":"pump"}`, nil)
	const uri = "confluence://page/1001"
	answers["resources/read"] = p.send(http.MethodPost, "/mcp", annKey, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{`+statelessMeta+`,"uri":"`+uri+`"}}`,
		map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "resources/read", "Mcp-Name": uri})
	require.Contains(t, answers["resources/read"].body, "Restart the pump")
	assert.Greater(t, len(answers), 30)
	for name, got := range answers {
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"), name)
		assert.NotContains(t, strings.ReplaceAll(got.body, " ", ""), `"cacheScope":"public"`, name)
		if got.status == http.StatusOK && strings.HasSuffix(name, "/list") || name == "server/discover" || name == "resources/read" {
			assert.Contains(t, got.body, `"cacheScope":"private"`, name)
		}
	}
}

// TestA13_AFloodDoesNotReachOthers: one caller sends far more than is served,
// another one notices nothing. The server's clock stands still meanwhile, so
// that nothing is earned back on a slow machine.
func TestA13_AFloodDoesNotReachOthers(t *testing.T) {
	const atOnce, sent = 100, 1000 // the server's default burst, and what is sent
	site := emulatortest.Start(t, siteWith(botToken))
	began := time.Now()
	p := &product{t: t, dir: productFolder(t), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}, clock: func() time.Time { return began }}
	p.start()
	var limited, served atomic.Int64
	var flood sync.WaitGroup
	for range 8 {
		flood.Go(func() {
			for range sent / 8 {
				switch got := p.rpc(annKey, "tools/list", "", ""); got.status {
				case http.StatusTooManyRequests:
					limited.Add(1)
					assert.Contains(t, got.body, "limit.rate")
					assert.NotEmpty(t, got.header.Get("Retry-After"))
				case http.StatusOK:
					served.Add(1)
				}
			}
		})
	}
	for range 20 {
		got := p.call(bobKey, "get_page", map[string]any{"page_id": "1001"})
		assert.False(t, got.tool(t).IsError, got.body)
	}
	flood.Wait()
	assert.Equal(t, int64(atOnce), served.Load())
	assert.Equal(t, int64(sent-atOnce), limited.Load())
	asksNothing(t, site, "calls above the rate", func() {
		for range 10 {
			assert.Equal(t, http.StatusTooManyRequests, p.call(annKey, "get_page", map[string]any{"page_id": "1001", "fresh": true}).status)
		}
	})
}

// TestA14_HiddenToolsTakeAsLongAsUnknownOnes compares the answers and their
// times.
func TestA14_HiddenToolsTakeAsLongAsUnknownOnes(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	settled := len(site.Requests(0))
	ask := func(name string) (string, time.Duration) {
		began := time.Now()
		got := p.rpc(bobKey, "tools/call", name, `"arguments":{"page_id":"1001"}`)
		took := time.Since(began)
		return fmt.Sprint(got.status, " ", strings.ReplaceAll(got.body, name, "NAME")), took
	}
	names := []string{"confluence_delete_wiki", "confluence_delete_page", "confluence_GET_PAGE"}
	times := map[string][]time.Duration{}
	first, _ := ask(names[0])
	for range 40 { // within what one caller may ask at once
		for _, name := range names[:2] {
			text, took := ask(name)
			assert.Equal(t, first, text, name)
			times[name] = append(times[name], took)
		}
	}
	text, _ := ask(names[2])
	assert.Equal(t, first, text, "another case is another name")
	unknown, hidden := middle(times[names[0]]), middle(times[names[1]])
	assert.Less(t, (unknown - hidden).Abs(), raceFactor*2*time.Millisecond+min(unknown, hidden), "unknown %s, hidden %s", unknown, hidden)
	assert.Len(t, site.Requests(0), settled)
	assert.Empty(t, p.audit(), "a tool nobody knows is not decided about")
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
