package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// The acceptance cases of permissions 5 over HTTP, as a backend sends them: one
// agent that names a user at every request.
const acceptFile = `data_dir: ./data
integrations:
  - {name: I1, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}", enableAccessRightsSync: true}
  - {name: I2, baseUrl: "${SITE2}", username: bot@acme.test, token: "${BOT_TOKEN}", enableAccessRightsSync: true}
agents:
  - {name: desk, key: "${OPS_KEY}", profile: full-access, admin: true, act_for_users: true}
`

// acceptPeople are the people and spaces of every case; each case begins with
// them.
const acceptPeople = `{"kind":"site","name":"One","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":false}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"group","id":"g-a","name":"A"}
{"kind":"group","id":"g-a1","name":"A1","parent":"A"}
{"kind":"group","id":"g-b","name":"B"}
{"kind":"group","id":"g-sup","name":"confluence-administrators"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff","A"],"token":"t-ann"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob","email":"bob@acme.test","groups":["staff","B"],"token":"t-bob"}
{"kind":"user","id":"u-cid","username":"cid","name":"Cid","email":"cid@acme.test","groups":["staff","A","B"],"token":"t-cid"}
{"kind":"user","id":"u-dan","username":"dan","name":"Dan","email":"dan@acme.test","groups":["A"],"token":"t-dan"}
{"kind":"user","id":"u-eve","username":"eve","name":"Eve","email":"eve@acme.test","groups":["staff"],"active":false,"token":"t-eve"}
{"kind":"user","id":"u-fay","username":"fay","name":"Fay","email":"fay@acme.test","groups":["staff","A1"],"token":"t-fay"}
{"kind":"user","id":"u-sue","username":"sue","name":"Sue","email":"sue@acme.test","groups":["staff","confluence-administrators"],"token":"t-sue"}
{"kind":"user","id":"u-gus","username":"gus","name":"Gus","email":"gus@guest.test","account":"guest","groups":[],"token":"t-gus"}
{"kind":"user","id":"u-bot","username":"bot","name":"Bot","email":"bot@acme.test","groups":["staff","A","B"],"admin":true,"token":"t-bot"}
{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"group:staff","op":"read"},{"to":"user:u-bot","op":"read"}]}
{"kind":"space","id":"20","key":"S2","name":"S2","type":"global","grants":[{"to":"anonymous","op":"read"}]}
{"kind":"space","id":"30","key":"S3","name":"S3","type":"global","grants":[{"to":"group:A","op":"read"},{"to":"user:u-bot","op":"read"}]}
`

const acceptSecond = `{"kind":"site","name":"Two","cloud_id":"22222222-2222-4222-8222-222222222222","anonymous":false}
{"kind":"group","id":"g2-a","name":"A"}
{"kind":"user","id":"u-b2","username":"b2","name":"Bob","email":"bob@acme.test","groups":["A"],"token":"t-b2"}
{"kind":"user","id":"u-bot","username":"bot","name":"Bot","email":"bot@acme.test","groups":["A"],"admin":true,"token":"t-bot"}
{"kind":"space","id":"10","key":"T","name":"T","type":"global","grants":[{"to":"group:A","op":"read"}]}
{"kind":"content","id":"990001","type":"page","space":"T","title":"Page 990001","storage":"<p>word990001</p>","read":["group:A"]}
{"kind":"content","id":"9990001","type":"attachment","space":"T","parent":"990001","title":"f990001.txt","media_type":"text/plain","data":"eA=="}
`

// on names the page of a case: P, C below it, G below that, a second one.
const (
	onP = iota
	onC
	onG
	onX
	onT // of the second site
)

// node is a page of a case. read is what restricts it beside the account.
type node struct {
	on, below int
	space     string
	read      string
}

const top = -1

// asker is a request's caller: a user of an integration, and attributes.
type asker struct {
	integration any
	user        string
	attributes  []string
}

// accepting is the product over the two sites.
type accepting struct {
	*product
	site *emulatortest.Emulator
	n    int
}

// page is the id of a page of the case under way.
func (a *accepting) page(on int) string {
	if on == onT {
		return "990001"
	}
	return fmt.Sprint(10_000 + 10*a.n + on)
}

func (a *accepting) line(n node) []string {
	id, parent, clause := a.page(n.on), "", "[]"
	if n.below != top {
		parent = a.page(n.below)
	}
	if n.read != "" {
		clause = `["` + strings.Join(append(strings.Split(n.read, ","), "user:u-bot"), `","`) + `"]`
	}
	return []string{
		fmt.Sprintf(`{"kind":"content","id":%q,"type":"page","space":%q,"parent":%q,"title":"Page %s","storage":"<p>word%s</p>","read":%s}`, id, n.space, parent, id, id, clause),
		fmt.Sprintf(`{"kind":"content","id":"9%s","type":"attachment","space":%q,"parent":%q,"title":"f%s.txt","media_type":"text/plain","data":"eA=="}`, id, n.space, id, id)}
}

// synced makes passes until one is over that began now.
func (a *accepting) synced() {
	a.t.Helper()
	var last string
	eventually(a.t, func() bool {
		r := a.send(http.MethodPost, "/api/integrations/I1/sync", opsKey, "", nil)
		last = r.body
		return r.status == http.StatusOK && strings.Contains(last, `"state":"done"`)
	}, "case %d: %s", a.n, lazily{&last})
}

// settings are the members that name the caller, "" for none.
func (w asker) settings() string {
	out := ""
	if w.user != "" {
		s, err := json.Marshal(map[string]any{"integrationId": w.integration, "externalUserId": w.user})
		if err != nil {
			panic(err)
		}
		out += `,"accessSettings":` + string(s)
	}
	if len(w.attributes) > 0 {
		out += `,"accessControlAttributes":["` + strings.Join(w.attributes, `","`) + `"]`
	}
	return out
}

// queried are the pages /api/query finds for a caller.
func (a *accepting) queried(w asker, text string) []string {
	a.t.Helper()
	status, out := a.api(opsKey, http.MethodPost, "/api/query", queryOf(w, text))
	require.Equal(a.t, http.StatusOK, status, out)
	return idsIn(out["results"])
}

// comes waits until what /api/query finds for a caller is as it should be. An
// answer that is no list, as one of an index that is being built, is not yet one.
func (a *accepting) comes(w asker, text string, right func(ids []string) bool, about ...any) {
	a.t.Helper()
	eventually(a.t, func() bool {
		status, out := a.api(opsKey, http.MethodPost, "/api/query", queryOf(w, text))
		return status == http.StatusOK && right(idsIn(out["results"]))
	}, about...)
}

func queryOf(w asker, text string) string {
	return `{"query":"` + text + `","limit":100` + w.settings() + `}`
}

// has is right for a list with one page in it, beside others.
func has(id string) func(ids []string) bool {
	return func(ids []string) bool { return slices.Contains(ids, id) }
}

func idsIn(rows any) []string {
	var out []string
	list, _ := rows.([]any)
	for _, r := range list {
		id, _ := r.(map[string]any)["page_id"].(string)
		out = append(out, id)
	}
	return out
}

// asks sends an MCP request as a caller.
func (a *accepting) asks(w asker, method, name, params string) reply {
	a.t.Helper()
	meta := strings.TrimSuffix(statelessMeta, "}") + w.settings() + "}"
	h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": name}
	return a.send(http.MethodPost, "/mcp", opsKey, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{`+meta+","+params+"}}", h)
}

func (a *accepting) tool(w asker, tool, args string) toolAnswer {
	a.t.Helper()
	return a.asks(w, "tools/call", "confluence_"+tool, `"name":"confluence_`+tool+`","arguments":`+args).tool(a.t)
}

// check asks every surface whether the caller sees the page.
func (a *accepting) check(c acceptance) {
	a.t.Helper()
	id := a.page(c.on)
	is := func(how string, got bool) {
		a.t.Helper()
		assert.Equal(a.t, c.sees, got, "case %s, %+v: %s", c.number, c.who, how)
	}
	is("/api/query", slices.Contains(a.queried(c.who, "word"+id), id))
	is("/api/query *", slices.Contains(a.queried(c.who, "*"), id) || c.sees && c.on != onT && a.manyPages())
	is("search", slices.Contains(idsIn(a.tool(c.who, "search", `{"query":"word`+id+`"}`).Structured["results"]), id))
	is("raw CQL", slices.Contains(idsIn(a.tool(c.who, "search", `{"query":"*","cql":"id = `+id+`"}`).Structured["results"]), id))
	got := a.tool(c.who, "get_page", `{"page_id":"`+id+`"}`)
	is("get_page", !got.IsError)
	fresh := a.tool(c.who, "get_page", `{"page_id":"`+id+`","fresh":true}`)
	is("get_page fresh", !fresh.IsError)
	is("get_attachments", !a.tool(c.who, "get_attachments", `{"page_id":"`+id+`"}`).IsError)
	is("download", !a.tool(c.who, "download_attachment", `{"attachment_id":"9`+id+`"}`).IsError)
	is("history", !a.tool(c.who, "get_page_history", `{"page_id":"`+id+`"}`).IsError)
	is("list_pages below", !a.tool(c.who, "list_pages", `{"parent_id":"`+id+`"}`).IsError)
	is("list_pages", a.listed(c.who, c.space(), id))
	uri := "confluence://page/" + id
	is("resource", strings.Contains(a.asks(c.who, "resources/read", uri, `"uri":"`+uri+`"`).body, "word"+id))
	if !c.sees {
		absent := a.tool(c.who, "get_page", `{"page_id":"88888888"}`)
		assert.Equal(a.t, strings.ReplaceAll(absent.Text, "88888888", id), got.Text, "case %s: hidden is like absent", c.number)
	}
}

// space is the key of the space of the page that a case asks about.
func (c acceptance) space() string {
	for _, n := range c.first {
		if n.on == c.on {
			return n.space
		}
	}
	return "T"
}

// manyPages says that one answer does not hold every page any more.
func (a *accepting) manyPages() bool { return 4*a.n > 100 }

// lines replaces the names of pages in lines.
func (a *accepting) lines(of []string) []string {
	ids := strings.NewReplacer("{P}", a.page(onP), "{C}", a.page(onC), "{G}", a.page(onG), "{X}", a.page(onX))
	out := make([]string, 0, len(of))
	for _, l := range of {
		out = append(out, ids.Replace(l))
	}
	return out
}

// serveAccepting serves the two sites with further settings of the first one.
func serveAccepting(t *testing.T, settings string, clock func() time.Time) *accepting {
	t.Helper()
	site := emulatortest.Start(t, acceptPeople, acceptSecond)
	p := &product{t: t, dir: t.TempDir(), env: productEnv(site.Sites[0].URL, site.Token("u-bot")), out: &planted.Log{}, errOut: &planted.Log{}, clock: clock}
	p.env["SITE2"] = site.Sites[1].URL
	file := strings.Replace(acceptFile, "enableAccessRightsSync: true", "enableAccessRightsSync: true"+settings, 1)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(file), 0o600))
	p.start()
	eventually(t, func() bool { return strings.Count(p.errOut.String(), "sync pass ended") >= 2 },
		"the first passes are over: one that began before a change does not see it")
	return &accepting{product: p, site: site}
}

// run makes the site of a case, in the steps the case says, and asks.
func (a *accepting) run(n int, c acceptance) {
	a.t.Helper()
	a.n = n
	a.site.Apply(strings.Split(strings.TrimSpace(acceptPeople), "\n")...)
	for _, one := range c.first {
		a.site.Apply(a.line(one)...)
	}
	a.site.Apply(a.lines(c.before)...)
	a.synced()
	if len(c.then) > 0 {
		a.found(c)
		a.site.Apply(a.lines(c.then)...)
		a.synced()
	}
	a.found(c)
	a.check(c)
	if c.more != nil {
		c.more(a, c)
	}
	a.site.Apply(append([]string{`{"kind":"fault","clear":true}`}, c.undo...)...)
}

// found waits until the index has the page of a case, and what was read with it.
func (a *accepting) found(c acceptance) {
	a.t.Helper()
	bot, on := asker{1, "u-bot", nil}, c.on
	switch {
	case c.on == onT:
		bot.integration = 2
	case c.closed: // not even the account finds it
		on = onX
	}
	a.comes(bot, "word"+a.page(on), has(a.page(on)), "case %s: the index has the page; %s", c.number, a.errOut)
}

func TestN01_N02_N05_N06_N07_N08_N11_TheAcceptanceCasesOverHTTP(t *testing.T) {
	bySettings := map[string][]acceptance{}
	for _, c := range acceptanceCases() {
		bySettings[c.settings] = append(bySettings[c.settings], c)
	}
	for settings, cases := range bySettings {
		a := serveAccepting(t, settings, nil)
		for n, c := range cases {
			if raceFactor > 1 && n%3 != 0 {
				continue // all of them without the race detector
			}
			if c.whole != nil {
				c.whole(t)
			} else {
				a.run(n, c)
			}
		}
		a.stop()
	}
}

// Each case of permissions 5 is asked over HTTP.
func TestEveryAcceptanceCaseIsAskedOverHTTP(t *testing.T) {
	asked := map[string]bool{}
	for _, c := range acceptanceCases() {
		number, _, _ := strings.Cut(c.number, " ")
		asked[number] = true
	}
	for n := 1; n <= 40; n++ {
		assert.True(t, asked[fmt.Sprint(n)], "case %d of permissions 5 is in no row", n)
		delete(asked, fmt.Sprint(n))
	}
	assert.Empty(t, asked, "there are no such cases")
}
