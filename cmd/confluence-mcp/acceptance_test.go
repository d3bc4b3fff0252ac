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
{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff","A"],"token":"t-ann"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob","email":"bob@acme.test","groups":["staff","B"],"token":"t-bob"}
{"kind":"user","id":"u-cid","username":"cid","name":"Cid","email":"cid@acme.test","groups":["staff","A","B"],"token":"t-cid"}
{"kind":"user","id":"u-dan","username":"dan","name":"Dan","email":"dan@acme.test","groups":["A"],"token":"t-dan"}
{"kind":"user","id":"u-eve","username":"eve","name":"Eve","email":"eve@acme.test","groups":["staff"],"active":false,"token":"t-eve"}
{"kind":"user","id":"u-fay","username":"fay","name":"Fay","email":"fay@acme.test","groups":["staff","A1"],"token":"t-fay"}
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

type acceptance struct {
	number string
	first  []node
	then   []string // lines, with page ids as {P} {C} {G} {X}; a second sync follows
	who    asker
	on     int
	sees   bool
}

func acceptanceCases() []acceptance {
	chain := func(p, c, g string) []node {
		return []node{{onP, top, "S", p}, {onC, onP, "S", c}, {onG, onC, "S", g}}
	}
	one := func(space, read string) []node { return []node{{onP, top, space, read}} }
	as := func(user string, attributes ...string) asker { return asker{1, user, attributes} }
	public := func(attributes ...string) asker { return asker{attributes: attributes} }
	open := []string{`{"kind":"site","name":"One","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":true}`}
	return []acceptance{
		{"1", chain("", "", ""), nil, as("u-ann"), onP, true},
		{"2", chain("", "", ""), nil, as("u-dan"), onP, false},
		{"3", chain("group:A", "", ""), nil, as("u-ann"), onP, true},
		{"3", chain("group:A", "", ""), nil, as("u-bob"), onP, false},
		{"4", chain("group:A", "group:B", ""), nil, as("u-bob"), onC, false},
		{"5", chain("group:A", "group:B", ""), nil, as("cid@acme.test"), onC, true},
		{"6", chain("group:A", "", "user:u-bob"), nil, as("u-bob"), onG, false},
		{"7", chain("group:A", "user:u-ann", ""), nil, as("u-ann"), onC, true},
		{"8", chain("group:A,user:u-bob", "", ""), nil, as("u-bob"), onP, true},
		{"9", chain("group:A", "", ""), nil, as("u-dan"), onP, false},
		{"10", chain("group:A", "group:B", ""), []string{`{"kind":"content","id":"{P}","read":[]}`}, as("u-bob"), onC, true},
		{"11", append(chain("group:A", "", ""), node{onX, top, "S", ""}), []string{`{"kind":"content","id":"{X}","parent":"{P}"}`}, as("u-bob"), onX, false},
		{"12", append(chain("group:A", "", ""), node{onX, onP, "S", ""}), []string{`{"kind":"content","id":"{X}","parent":""}`}, as("u-bob"), onX, true},
		{"13", chain("group:A", "", ""), []string{`{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff"],"token":"t-ann"}`}, as("u-ann"), onP, false},
		{"14", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"user:u-bot","op":"read"}]}`}, as("u-cid"), onP, false},
		{"15", one("S2", ""), open, public(), onP, true},
		{"16", one("S2", "group:A"), open, public(), onP, false},
		{"16", one("S2", "group:A"), open, as("u-ann"), onP, true},
		{"17", one("S2", ""), nil, public(), onP, false},
		{"18", chain("group:A", "", ""), nil, as("u-bob"), onC, false},
		{"20", chain("", "", ""), nil, as("u-bob"), onP, true},
		{"21", chain("user:u-stranger", "", ""), nil, as("u-ann"), onP, false},
		{"23", chain("", "", ""), open, as("zzz"), onP, false},
		{"23", one("S2", ""), open, as("zzz"), onP, true},
		{"23", one("S2", ""), open, asker{"nowhere", "u-ann", nil}, onP, true},
		{"24", chain("", "", ""), open, public(), onP, false},
		{"25", one("S3", ""), nil, as("u-eve", "group-A"), onP, false},
		{"26", chain("group:A", "", ""), nil, public("group-A"), onP, false},
		{"26", one("S3", "group:A"), nil, public("group-A"), onP, true},
		{"27", chain("group:A", "", ""), nil, public("1:group-A", "group-staff"), onP, true},
		{"27", chain("group:A", "", ""), nil, public("2:group-A", "group-staff"), onP, false},
		{"28", chain("group:A", "", ""), nil, asker{1, "bob@acme.test", nil}, onP, false},
		{"28", nil, nil, asker{"I2", "bob@acme.test", nil}, onT, true},
		{"33", chain("group:A", "", ""), nil, as("u-fay"), onP, true},
		{"35", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"class:all-licensed-users","op":"read"}]}`}, as("u-dan"), onP, true},
		{"35", chain("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"class:all-licensed-users","op":"read"}]}`}, as("u-gus"), onP, false},
	}
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
	require.Eventually(a.t, func() bool {
		status, out := a.api(opsKey, http.MethodPost, "/api/integrations/I1/sync", "")
		return status == http.StatusOK && out["state"] == "done"
	}, 30*time.Second, 10*time.Millisecond)
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
	status, out := a.api(opsKey, http.MethodPost, "/api/query", `{"query":"`+text+`","limit":100`+w.settings()+`}`)
	require.Equal(a.t, http.StatusOK, status, out)
	return idsIn(out["results"])
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
	uri := "confluence://page/" + id
	is("resource", strings.Contains(a.asks(c.who, "resources/read", uri, `"uri":"`+uri+`"`).body, "word"+id))
	if !c.sees {
		absent := a.tool(c.who, "get_page", `{"page_id":"88888888"}`)
		assert.Equal(a.t, strings.ReplaceAll(absent.Text, "88888888", id), got.Text, "case %s: hidden is like absent", c.number)
	}
}

// manyPages says that one answer does not hold every page any more.
func (a *accepting) manyPages() bool { return 4*a.n > 100 }

func TestTheAcceptanceCasesOverHTTP(t *testing.T) {
	site := emulatortest.Start(t, acceptPeople, acceptSecond)
	p := &product{t: t, dir: t.TempDir(), env: productEnv(site.Sites[0].URL, site.Token("u-bot")), out: &safeBuffer{}, errOut: &safeBuffer{}}
	p.env["SITE2"] = site.Sites[1].URL
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(acceptFile), 0o600))
	p.start()
	a := &accepting{product: p, site: site}
	bot := asker{1, "u-bot", nil}
	for n, c := range acceptanceCases() {
		a.n = n
		site.Apply(strings.Split(strings.TrimSpace(acceptPeople), "\n")...)
		for _, one := range c.first {
			site.Apply(a.line(one)...)
		}
		a.synced()
		if len(c.then) > 0 {
			ids := strings.NewReplacer("{P}", a.page(onP), "{C}", a.page(onC), "{G}", a.page(onG), "{X}", a.page(onX))
			for _, l := range c.then {
				site.Apply(ids.Replace(l))
			}
			a.synced()
		}
		if c.on == onT {
			bot.integration = 2
		}
		require.Eventually(t, func() bool { return slices.Contains(a.queried(bot, "word"+a.page(c.on)), a.page(c.on)) }, 20*time.Second, 100*time.Millisecond,
			"case %s: the index has the page", c.number)
		bot.integration = 1
		a.check(c)
	}
}
