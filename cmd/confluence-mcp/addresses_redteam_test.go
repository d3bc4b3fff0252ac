package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// TestD01_NothingACallerSendsNamesAServer: headers that name another server are
// not looked at, and arguments that do are refused.
func TestD01_NothingACallerSendsNamesAServer(t *testing.T) {
	var lured atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Add(1) }))
	t.Cleanup(lure.Close)
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + statelessMeta + `,"name":"confluence_get_page","arguments":{"page_id":"1001","fresh":true}}}`
	host := strings.TrimPrefix(lure.URL, "http://")
	for header, value := range map[string]string{
		"X-Atlassian-Confluence-Url": lure.URL, "X-Atlassian-Url": lure.URL + "/wiki", "X-Confluence-Base-Url": lure.URL, "X-Base-Url": lure.URL, "X-Original-Url": lure.URL, "X-Rewrite-Url": lure.URL,
		"X-Forwarded-Host": host, "Forwarded": "host=" + host, "X-Atlassian-Cloud-Id": "22222222-2222-4222-8222-222222222222", "Referer": lure.URL,
	} {
		mark := markOf(site)
		got := p.send(http.MethodPost, "/mcp", annKey, body, map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page", header: value})
		assert.Contains(t, got.tool(t).Text, "Restart the pump", header)
		assert.NotEmpty(t, site.Requests(mark), "%s: the site was asked, as ever", header)
	}
	for argument, c := range map[string]struct{ value, kind string }{
		"base_url": {lure.URL, "input.unknown_argument"}, "baseUrl": {lure.URL, "input.unknown_argument"}, "host": {host, "input.unknown_argument"}, "site": {lure.URL, "input.unknown_argument"},
		"integration": {"other", "input.unknown_argument"}, "cloud_id": {"22222222-2222-4222-8222-222222222222", "input.unknown_argument"},
		"url": {lure.URL + "/wiki/spaces/ENG/pages/1001", "input.url"},
	} {
		asksNothing(t, site, argument, func() {
			args := map[string]any{"page_id": "1001", "fresh": true, argument: c.value}
			if argument == "url" {
				delete(args, "page_id")
			}
			assert.Equal(t, c.kind, p.call(annKey, "get_page", args).tool(t).Kind, argument)
		})
	}
	assert.Zero(t, lured.Load())
}

// TestD02_D09_AddressesThatAreNoSite: whoever configures such an address, in the
// file or over REST, is refused before anything is asked of it.
func TestD02_D09_AddressesThatAreNoSite(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	for n, address := range []string{
		"file:///etc/passwd", "gopher://127.0.0.1/", "https://bot@acme.example/wiki", "https://bot:pw@acme.example/wiki", "https://acme.example/wiki#x", "http://acme.example/wiki", "http://169.254.169.254/",
		"https://x.atlassian.net.attacker.com", "https://atlassian.net@evil.example", "atlassian.net@evil",
	} {
		t.Run(address, func(t *testing.T) {
			asksNothing(t, site, address, func() {
				for _, credential := range []string{fmt.Sprintf(`,"username":"bot@acme.test","token":%q`, botToken), ""} { // and one that waits for OAuth
					settings := fmt.Sprintf(`"type":"confluence","baseUrl":%q`, address) + credential
					status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"more","settings":{`+settings+`}}`)
					assert.Equal(t, http.StatusBadRequest, status, out)
					assert.True(t, strings.HasPrefix(codeOf(out), "input."), out)
				}
				file := filepath.Join(p.dir, fmt.Sprint("bad", n, ".yaml"))
				text := strings.Replace(strings.Replace(productFile, "${SITE}", address, 1), "./data", fmt.Sprint("./data", n), 1)
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				for _, command := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"config", "check"}, {"sync"}, {"doctor"}} {
					said, errOut, code := p.offline(append(command, "--config", file)...)
					assert.Equal(t, exitFailed, code, "%v: %s%s", command, said, errOut)
				}
			})
		})
	}
	assert.NotContains(t, p.send(http.MethodGet, "/api/integrations", opsKey, "", nil).body, `"name":"more"`, "nothing was kept")
}
