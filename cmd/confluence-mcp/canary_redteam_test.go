package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/store/mirror"
)

const (
	botToken   = "ATATT3xFfGF0-canary-bot-2b8e61f7d904"
	wrongToken = "ATATT3xFfGF0-canary-wrong-e19a55c03d72"
	inClear    = "plain-canary-in-a-file-6d0b91"
	pageText   = "canary page text a1c4e7"
	queryText  = "canaryquery77ab"
)

// siteWith is the small site with another token for its bot.
func siteWith(token string) string {
	return strings.Replace(emulatortest.SmallSite, `"bot-token"`, `"`+token+`"`, 1)
}

// echoing makes Confluence answer with what it was sent, as broken proxies do.
func echoing(site *emulatortest.Emulator, match string, status int, contentType, form string) {
	secret := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("bot@acme.test:"+botToken)) + " password " + botToken
	body, _ := json.Marshal(strings.ReplaceAll(form, "SECRET", secret)) // strings always marshal
	fault := map[string]any{"kind": "fault", "match": match, "times": 50,
		"action": map[string]any{"status": status, "headers": map[string]string{"Content-Type": contentType, "X-Echo": secret}, "body": json.RawMessage(body)}}
	line, _ := json.Marshal(fault) // as above
	site.Apply(string(line))
}

// TestK01_NoSecretLeavesTheProduct runs the product through everything that
// goes right and wrong, with secrets found nowhere else, and then looks for
// them wherever it wrote.
func TestK01_NoSecretLeavesTheProduct(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	var said []string // everything callers were told
	tell := func(r reply) {
		said = append(said, r.body)
		for name, values := range r.header {
			said = append(said, name+": "+strings.Join(values, " "))
		}
	}
	useProduct(p, site, tell)
	p.sweepCommands()
	metrics := p.send(http.MethodGet, "/metrics", opsKey, "", nil)
	require.Equal(t, http.StatusOK, metrics.status)
	tell(metrics)
	p.stop()

	made := p.makeAgent() // a key made by the product itself, which is shown once
	secrets := []string{botToken, wrongToken, annKey, bobKey, opsKey, appSecret, inClear, made}
	assertNowhere(t, "answers", strings.Join(said, "\n"), secrets)
	assertNowhere(t, "standard output", strings.ReplaceAll(p.out.String(), made+"\n", ""), secrets)
	assertNowhere(t, "standard error", p.errOut.String(), append(secrets, pageText, queryText))
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(p.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		mayNot := append(slices.Clone(secrets), queryText)
		if !strings.HasPrefix(d.Name(), mirror.File) { // which has the pages, when a sync was fast enough
			mayNot = append(mayNot, pageText)
		}
		assertNowhere(t, path, string(raw), mayNot)
		files++
		return err
	}))
	assert.Positive(t, files)
	assert.Positive(t, len(site.Requests(0)), "the calls did reach Confluence")
}

// useProduct makes the calls that go right and those that go wrong.
func useProduct(p *product, site *emulatortest.Emulator, tell func(reply)) {
	round := func(tools ...string) {
		for _, tool := range tools {
			tell(p.call(annKey, tool, sweepArguments(tool)))
		}
	}
	some := []string{"get_page", "search", "create_page", "update_page", "delete_page", "upload_attachment"}
	round(append(some, "list_spaces", "search_user", "get_attachments", "download_attachment", "get_user")...)
	tell(p.call(bobKey, "get_page", sweepArguments("get_page")))
	const v1, v2 = `{"statusCode":400,"message":"SECRET","data":{"errors":[{"message":{"key":"SECRET"}}]}}`, `{"errors":[{"status":400,"code":"INVALID","title":"SECRET","detail":"SECRET"}]}`
	for _, fault := range []struct {
		status            int
		contentType, form string
	}{
		{400, "application/json", v1}, {400, "application/json", v2}, {403, "application/json", v1}, {401, "text/html", "<html>SECRET</html>"}, {409, "application/json", v1}, {500, "application/json", v2},
		{404, "application/json", v2}, {200, "text/html", "<title>SECRET</title>"}, {200, "application/json", `{"SECRET`}, {302, "text/plain", "SECRET"},
	} {
		echoing(site, "* /wiki/*", fault.status, fault.contentType, fault.form)
		if fault.status == 500 || fault.status == 200 {
			round("get_page") // it is tried again for a while
		} else {
			round(some...)
		}
		site.Apply(`{"kind":"fault","clear":true}`)
	}
	for _, key := range []string{botToken, wrongToken, annKey + "x", annKey[:20], ""} {
		tell(p.call(key, "get_user", map[string]any{}))
	}
	for _, path := range []string{"/mcp?access_token=" + annKey, "/metrics?token=" + opsKey, "/readyz?key=" + botToken, "/" + botToken, "/mcp/" + url.PathEscape(annKey)} {
		tell(p.send(http.MethodPost, path, "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil))
		tell(p.send(http.MethodGet, path, annKey+"x", "", nil))
	}
	tell(p.send(http.MethodPost, "/mcp", annKey, `{"broken`, map[string]string{"Cookie": "session=" + annKey, "X-Api-Key": annKey, "Mcp-Session-Id": annKey}))
	for _, path := range []string{"/healthz", "/readyz", "/.well-known/oauth-protected-resource"} {
		tell(p.send(http.MethodGet, path, "", "", nil))
	}
}

func sweepArguments(tool string) map[string]any {
	return map[string]map[string]any{
		"search": {"query": queryText}, "get_page": {"page_id": "1001"}, "search_user": {"query": queryText}, "get_attachments": {"page_id": "1001"}, "delete_page": {"page_id": "1005"},
		"create_page": {"space_key": "ENG", "title": "A page", "body": pageText}, "update_page": {"page_id": "1001", "base_version": 3, "body": pageText, "allow_loss": []string{"all"}},
		"download_attachment": {"attachment_id": "att6002"}, "upload_attachment": {"page_id": "1001", "filename": "a.txt", "content": pageText},
	}[tool]
}

// sweepCommands runs every command that prints, with a good configuration,
// with wrong tokens and with broken files.
func (p *product) sweepCommands() {
	p.t.Helper()
	config := filepath.Join(p.dir, "c.yaml")
	for _, args := range [][]string{
		{"doctor"}, {"doctor", "--json"}, {"agents", "list"}, {"agents", "list", "--json"}, {"config", "check"}, {"audit", "list"}, {"audit", "list", "--json"}, {"audit", "verify"}, {"audit", "export"},
		{"serve", "--listen", "127.0.0.1:0"}, {"policy", "check"}, {"policy", "matrix"}, {"version", "--json"},
	} {
		p.program("").run(context.Background(), append(args, "--config", config))
	}
	good := p.env
	p.env = productEnv(good["SITE"], wrongToken)
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}} {
		assert.Equal(p.t, exitFailed, p.program("").run(context.Background(), append(args, "--config", config)))
	}
	p.env = map[string]string{"CONFLUENCE_URL": good["SITE"], "CONFLUENCE_API_TOKEN": wrongToken}
	p.program("").run(context.Background(), []string{"doctor", "--data-dir", filepath.Join(p.dir, "data")})
	p.env = good
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, "secret"), []byte(inClear+"\n"), 0o600))
	for i, text := range []string{
		strings.Replace(productFile, `"${BOT_TOKEN}"`, inClear, 1), strings.Replace(productFile, `"${ANN_KEY}"`, inClear, 1), strings.Replace(productFile, `"${APP_SECRET}"`, `"`+inClear+`"`, 1),
		strings.Replace(productFile, "agents:", "tokn: "+inClear+"\nagents:", 1), strings.Replace(productFile, "${SITE}", "https://bot:"+inClear+"@acme.example/wiki", 1),
		strings.Replace(productFile, "${BOT_TOKEN}", "file:secret", 1), strings.Replace(productFile, "${BOT_TOKEN}", "file:"+inClear, 1) + "x", "token: [" + inClear, productFile + "\n" + inClear,
	} {
		file := filepath.Join(p.dir, "bad"+string(rune('a'+i))+".yaml")
		require.NoError(p.t, os.WriteFile(file, []byte(text), 0o600))
		for _, args := range [][]string{{"config", "check"}, {"doctor", "--json"}} {
			p.program("").run(context.Background(), append(args, "--config", file))
		}
	}
}

// makeAgent adds an agent and gives its key.
func (p *product) makeAgent() string {
	p.t.Helper()
	var out, errOut bytes.Buffer
	prog := p.program("")
	prog.out, prog.errOut = &out, &errOut
	require.Equal(p.t, exitOK, prog.run(context.Background(), []string{"agents", "add", "made", "--profile", "read-only", "--config", filepath.Join(p.dir, "c.yaml")}), errOut.String())
	key := strings.TrimSpace(out.String())
	require.Contains(p.t, key, "cmk_")
	assert.NotContains(p.t, errOut.String(), key)
	p.program("").run(context.Background(), []string{"agents", "list", "--config", filepath.Join(p.dir, "c.yaml")})
	p.program("").run(context.Background(), []string{"agents", "list", "--json", "--config", filepath.Join(p.dir, "c.yaml")})
	return key
}

// assertNowhere looks for secrets as they are and as they travel.
func assertNowhere(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		basic := base64.StdEncoding.EncodeToString([]byte("bot@acme.test:" + secret))
		for form, needle := range map[string]string{"as it is": secret, "in a Basic header": basic, "in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in a URL": url.QueryEscape(secret)} {
			if at := strings.Index(text, needle); at >= 0 {
				assert.Fail(t, "a secret leaked", "%s holds %.12s… %s: …%s…", where, secret, form, text[max(0, at-200):min(len(text), at+len(needle)+60)])
			}
		}
	}
}
