package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// Cloud ids of the three sites.
const (
	cloudA = "aaaaaaaa-1111-4111-8111-111111111111"
	cloudB = "bbbbbbbb-2222-4222-8222-222222222222"
	cloudC = "cccccccc-3333-4333-8333-333333333333"
)

// linkedSite is a site whose pages say its name: one for staff, one for ann.
func linkedSite(name, cloud string) string {
	lines := strings.Replace(emulatortest.SmallSite, "11111111-1111-4111-8111-111111111111", cloud, 1)
	return lines + fmt.Sprintf(`{"kind":"content","id":"1900","type":"page","space":"ENG","parent":"1000","title":"Beacon of %[1]s","storage":"<p>lighthouse %[1]s</p>","author":"u-ann"}
{"kind":"content","id":"1901","type":"page","space":"ENG","parent":"1000","title":"Private of %[1]s","storage":"<p>lighthouse secret %[1]s</p>","author":"u-ann","read":["user:u-ann","user:u-bot"]}
`, name)
}

const linkedFile = `data_dir: ./data
listen: %[1]s
oauth: {client_id: emulator-client, client_secret: "${APP_SECRET}", redirect_url: "http://%[1]s/oauth/callback", auth_url: "%[2]s", api_url: "%[2]s"}
integrations:
  - {name: acme, baseUrl: "https://acme.atlassian.net/wiki", enableAccessRightsSync: true}
agents:
  - {name: ops, key: "${OPS_KEY}", profile: full-access, admin: true, act_for_users: true}
  - {name: ann, key: "${ANN_KEY}", profile: full-access, identity: {integration: acme, user: u-ann}}
  - {name: bob, key: "${BOB_KEY}", profile: full-access, identity: {integration: acme, user: u-bob}}
`

// linked is a product without any token, beside three sites.
func linked(t *testing.T) (*product, *emulatortest.Emulator) {
	t.Helper()
	sites := emulatortest.Start(t, linkedSite("A", cloudA), linkedSite("B", cloudB), linkedSite("C", cloudC))
	address := ownAddress(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.yaml"), fmt.Appendf(nil, linkedFile, address, sites.Gateway), 0o600))
	p := &product{t: t, dir: dir, env: productEnv("", ""), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["APP_SECRET"] = "emulator-secret"
	p.url = "http://" + address
	return p, sites
}

// ownAddress is an address to listen at later. Its port is below those that the
// system gives to who asks for any, so nobody gets it until then.
func ownAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if free, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, free.Close())
			return address
		}
	}
	require.FailNow(t, "a hundred ports are taken")
	return ""
}

// serveLinked runs the server at the callback address.
func (p *product) serveLinked() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- p.program("").run(ctx, []string{"serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", ""})
	}()
	stopped := false
	p.stop = func() int {
		if stopped {
			return 0
		}
		stopped = true
		cancel()
		return <-done
	}
	p.t.Cleanup(func() { p.stop() })
	eventually(p.t, func() bool { return urlIn(p.errOut.String()) != "" || len(done) > 0 }, "%s", p.errOut)
	require.Equal(p.t, p.url, urlIn(p.errOut.String()), p.errOut.String())
}

// linking is a command that waits for a consent.
type linking struct {
	p     *product
	lines *bufio.Scanner
	errs  *planted.Log
	code  chan int
}

// linkCommand starts connect or reconnect and gives the address it prints.
func (p *product) linkCommand(args ...string) (*linking, string) {
	p.t.Helper()
	r, w := io.Pipe()
	l := &linking{p: p, lines: bufio.NewScanner(r), errs: &planted.Log{}, code: make(chan int, 1)}
	q := p.program("")
	q.out, q.errOut = w, l.errs
	go func() {
		l.code <- q.run(context.Background(), append(args, "--json", "--config", filepath.Join(p.dir, "c.yaml")))
		_ = w.Close() // a pipe does not fail
	}()
	first := l.next()
	require.NotNil(p.t, first, "%s", l.errs)
	assert.Contains(p.t, first["notice"], "unverified")
	assert.Contains(p.t, first["scopes"], "read:page:confluence")
	address, _ := first["authorize_url"].(string)
	return l, address
}

// next is the next JSON line, nil at the end.
func (l *linking) next() map[string]any {
	l.p.t.Helper()
	if !l.lines.Scan() {
		return nil
	}
	out := map[string]any{}
	require.NoError(l.p.t, json.Unmarshal(l.lines.Bytes(), &out))
	return out
}

// consentAs plays the person at Atlassian and gives the page it ends on.
func consentAs(t testing.TB, address, user string, sites ...string) (int, string) {
	t.Helper()
	address += "&emulator_user=" + user
	for _, s := range sites {
		address += "&emulator_site=" + url.QueryEscape(s)
	}
	res, err := http.Get(address)
	require.NoError(t, err)
	defer func() { assert.NoError(t, res.Body.Close()) }()
	page, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(page)
}

// found are the titles a person finds by a word.
func (p *product) found(user string) []string {
	p.t.Helper()
	r := p.send(http.MethodPost, "/api/query", opsKey, `{"query":"lighthouse","accessSettings":{"integrationId":"acme","externalUserId":"`+user+`"}}`, nil)
	if r.status != http.StatusOK {
		return nil
	}
	var out struct{ Results []struct{ Title string } }
	require.NoError(p.t, json.Unmarshal([]byte(r.body), &out))
	titles := []string{}
	for _, one := range out.Results {
		titles = append(titles, one.Title)
	}
	return titles
}

func (p *product) finds(user string, titles ...string) {
	p.t.Helper()
	var now []string
	eventually(p.t, func() bool { now = p.found(user); return len(now) == len(titles) }, "%s finds %v: %s", user, titles, p.errOut)
	assert.ElementsMatch(p.t, titles, now)
}

// The story of issue 6: connect, pick one of three sites, sync, expire, refresh,
// reconnect to another site, disconnect.
func TestConnectionFromBeginToEnd(t *testing.T) {
	p, sites := linked(t)
	connect, address := p.linkCommand("connect", "--integration", "acme")
	status, page := consentAs(t, address, "u-bot")
	assert.Equal(t, http.StatusOK, status, page)
	assert.Contains(t, page, cloudB)
	waits := connect.next()
	require.NotNil(t, waits, "%s", connect.errs)
	assert.Equal(t, "choosing", waits["state"])
	assert.Len(t, waits["sites"], 3)
	assert.Equal(t, exitFailed, <-connect.code)
	assert.Contains(t, connect.errs.String(), "--site CLOUD-ID")

	out, errOut, code := p.command("connect", "--integration", "acme", "--site", cloudB)
	require.Equal(t, exitOK, code, errOut)
	assert.Contains(t, out, "acme is connected as Sync Bot to Acme")

	out, errOut, code = p.command("doctor")
	assert.Equal(t, exitOK, code, "%s %s", out, errOut)
	assert.Contains(t, out, "answers as Sync Bot (u-bot)")

	p.serveLinked()
	p.finds("u-ann", "Beacon of B", "Private of B")
	p.finds("u-bob", "Beacon of B")

	p.settle() // a pass that is under way would be joined
	sites.Apply(`{"kind":"oauth","expire_access_tokens":true}`)
	sites.ApplyTo(1, `{"kind":"content","id":"1902","type":"page","space":"ENG","parent":"1000","title":"Later of B","storage":"<p>lighthouse later</p>","author":"u-ann"}`)
	status, body := p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync?full=true", "")
	require.Contains(t, []int{200, 202}, status, body)
	p.finds("u-bob", "Beacon of B", "Later of B")

	again, address := p.linkCommand("reconnect", "--integration", "acme", "--site", cloudC)
	status, page = consentAs(t, address, "u-bot")
	assert.Equal(t, http.StatusOK, status, page)
	done := again.next()
	require.NotNil(t, done, "%s", again.errs)
	assert.Equal(t, "connected", done["state"])
	assert.Equal(t, exitOK, <-again.code)
	for _, title := range p.found("u-ann") {
		assert.NotContains(t, title, "of B", "what was mirrored of the other site is unreachable at once")
	}
	p.finds("u-ann", "Beacon of C", "Private of C")

	out, errOut, code = p.command("disconnect", "--integration", "acme")
	require.Equal(t, exitOK, code, errOut)
	assert.Contains(t, out, "https://id.atlassian.com/manage-profile/apps")
	assert.Empty(t, p.found("u-ann"))
	last := sites.Requests(0)
	mark := last[len(last)-1].N
	p.call(annKey, "get_page", map[string]any{"page_id": "1900"})
	p.call(opsKey, "search", map[string]any{"query": "lighthouse"})
	assert.Empty(t, sites.Requests(mark), "nothing is asked of Atlassian any more")
	p.stop()
	out, _, code = p.command("doctor")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "connect --integration acme")
	assert.NotContains(t, p.errOut.String(), "emu-")
	assert.NotContains(t, p.errOut.String(), "emulator-secret")
}
