package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/emulator"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
	"confluence-mcp/internal/seal"
	"confluence-mcp/tools"
)

// matrixMode is how the site is connected.
type matrixMode struct {
	oauth, writes bool // by OAuth, else an API token; service_writes
}

func (m matrixMode) String() string {
	return fmt.Sprintf("oauth %t, service_writes %t", m.oauth, m.writes)
}

// matrixCaller is one column of the matrix. own is the account whose credential
// serves the caller, empty where the server has none of theirs.
type matrixCaller struct {
	name, own string
	who       identity.Caller
}

func matrixCallers() []matrixCaller {
	as := func(kind identity.Kind, agent, account string, access ...string) identity.Caller {
		return identity.Caller{Agent: agent, Owner: agent, Kind: kind, Integration: "acme", AccountID: account, Access: access, Profile: "full-access", Transport: identity.HTTP}
	}
	keyOnly := identity.Public("bare", "full-access", identity.HTTP)
	anonymous := identity.Public("runtime", "full-access", identity.HTTP)
	anonymous.Integration = "acme"
	return []matrixCaller{
		{"owner", "u-bot", as(identity.User, "desk", "u-bot")},
		{"connecting account", "u-bot", as(identity.Service, "local", "")},
		{"with a grant", "u-ann", as(identity.User, "runtime", "u-ann")},
		{"without a grant", "", as(identity.User, "runtime", "u-bob")},
		{"other person", "", as(identity.User, "runtime", "u-dan")},
		{"anonymous", "", anonymous},
		{"key only", "", keyOnly},
		{"attributes", "", as(identity.Nobody, "runtime", "", "group-staff", "group-A", "user-u-ann")},
	}
}

// callerMatrix is the product over one site, without a sync of its own: what reaches
// Confluence was asked by a caller.
type callerMatrix struct {
	t     *testing.T
	mode  matrixMode
	site  *emulatortest.Emulator
	e     *engine
	next  int // of the next target
	pages []matrixPage
}

// matrixPage is content of its own for one cell.
type matrixPage struct{ kind, page, comment, file string }

// Kinds of a target, by what group A and staff may.
const (
	openPage   = "open"   // staff edits it
	keptPage   = "kept"   // staff reads it, group A edits it
	hiddenPage = "hidden" // group A only
)

const matrixAt = "2026-01-05T00:00:00Z"

// lines are the site file of n targets of each kind.
func matrixLines(n int) (lines []string, pages []matrixPage) {
	id := 20_000
	for _, kind := range []string{openPage, keptPage, hiddenPage} {
		clause := map[string]string{openPage: "", keptPage: `,"update":["group:A"]`, hiddenPage: `,"read":["group:A"]`}[kind]
		for range n {
			id += 10
			p := matrixPage{kind, fmt.Sprint(id), fmt.Sprint(id + 1), fmt.Sprint(id + 2)}
			lines = append(lines,
				fmt.Sprintf(`{"kind":"content","id":"%s","type":"page","space":"ENG","parent":"1000","title":"Target word%s","storage":"<p>body of %s</p>","labels":["cell"],"author":"u-ann","version":2,"created":"%s","updated":"%s"%s}`, p.page, p.page, p.page, matrixAt, matrixAt, clause),
				fmt.Sprintf(`{"kind":"content","id":"%s","type":"comment","space":"ENG","parent":"%s","storage":"<p>said</p>","author":"u-ann"}`, p.comment, p.page),
				fmt.Sprintf(`{"kind":"content","id":"%s","type":"attachment","space":"ENG","parent":"%s","title":"cell.txt","media_type":"text/plain","data":"c2VjcmV0","author":"u-ann"}`, p.file, p.page))
			pages = append(pages, p)
		}
	}
	return lines, pages
}

func newMatrix(t *testing.T, mode matrixMode, targets int) *callerMatrix {
	lines, pages := matrixLines(targets)
	m := &callerMatrix{t: t, mode: mode, pages: pages, site: emulatortest.Start(t, emulatortest.SmallSite+strings.Join(lines, "\n")+"\n")}
	e, end := matrixEngine(t, m.site, mode, time.Now)
	t.Cleanup(end)
	m.e = e
	connectOwn(t, e, matrixCallers()[2].who)
	m.fill()
	return m
}

// matrixEngine is a product in front of a site, connected as u-bot, and how it
// ends. Nothing is mirrored yet.
func matrixEngine(t *testing.T, site *emulatortest.Emulator, mode matrixMode, now func() time.Time) (e *engine, end func()) {
	t.Helper()
	callback, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "matrix-")
	require.NoError(t, err)
	in := config.Integration{Name: "acme", BaseURL: site.URL, AccessRightsSync: true, ServiceWrites: mode.writes}
	if !mode.oauth {
		in.Username, in.Token = site.Email("u-bot"), seal.NewSecret(site.Token("u-bot"))
	}
	p := program{errOut: nothing{}, now: now, getenv: func(string) string { return "" }}
	e, err = p.open(t.Context(), config.Config{DataDir: dir, Integrations: []config.Integration{in},
		OAuth: &config.OAuth{ClientID: "emulator-client", ClientSecret: seal.NewSecret("emulator-secret"), RedirectURL: "http://" + callback.Addr().String() + oauth.CallbackPath, AuthURL: site.Gateway, APIURL: site.Gateway}})
	require.NoError(t, err)
	stop := e.links.answer(callback)
	if mode.oauth {
		consentTo(t, e, "u-bot", func(i registry.Integration) (oauth.Consent, error) {
			return e.links.begin(t.Context(), i, linkRequest{Profiles: []string{"full-access"}})
		})
	}
	return e, func() {
		stop()
		assert.NoError(t, e.close())
		assert.NoError(t, os.RemoveAll(dir))
	}
}

// connectOwn connects a person's own account.
func connectOwn(t *testing.T, e *engine, who identity.Caller) {
	t.Helper()
	consentTo(t, e, who.AccountID, func(i registry.Integration) (oauth.Consent, error) {
		return e.links.beginOwn(t.Context(), i, who, linkRequest{By: who})
	})
}

// consentTo plays somebody at Atlassian.
func consentTo(t *testing.T, e *engine, user string, begin func(registry.Integration) (oauth.Consent, error)) {
	t.Helper()
	i, err := e.registry.Find("acme")
	require.NoError(t, err)
	c, err := begin(i)
	require.NoError(t, err)
	status, page := consentAs(t, c.URL, user)
	require.Equal(t, http.StatusOK, status, page)
}

// mirrorAll reads the whole site now.
func mirrorAll(t *testing.T, e *engine) {
	t.Helper()
	_, err := e.sites.Sync(t.Context(), "acme", true, nil)
	require.NoError(t, err)
	require.NoError(t, e.copy.copy.Load().index.Follow(t.Context()))
}

// fill reads the site once, and who each caller is.
func (m *callerMatrix) fill() {
	m.t.Helper()
	require.NoError(m.t, m.e.openCopy(m.t.Context(), time.Now, true))
	mirrorAll(m.t, m.e)
	for _, c := range matrixCallers() {
		m.call(c, "get_user", map[string]any{})
		m.call(c, "list_spaces", map[string]any{})
	}
}

func (m *callerMatrix) call(c matrixCaller, tool string, args map[string]any) tools.Result {
	m.t.Helper()
	return callTool(m.t, m.e, c.who, tool, args)
}

func callTool(t *testing.T, e *engine, who identity.Caller, tool string, args map[string]any) tools.Result {
	t.Helper()
	raw, err := json.Marshal(args)
	require.NoError(t, err)
	r, known := e.catalog.Call(context.Background(), who, tools.Prefix+tool, raw, nil)
	require.True(t, known, tool)
	return r
}

// target is content nobody has touched.
func (m *callerMatrix) target(kind string) matrixPage {
	m.t.Helper()
	at := slices.IndexFunc(m.pages, func(p matrixPage) bool { return p.kind == kind })
	require.GreaterOrEqual(m.t, at, 0, "more targets are needed")
	p := m.pages[at]
	m.pages = slices.Delete(m.pages, at, at+1)
	return p
}

// asked are the requests of a call, but those for tokens.
func (m *callerMatrix) asked(fn func()) []emulator.Request {
	mark := markOf(m.site)
	fn()
	return slices.DeleteFunc(m.site.Requests(mark), func(r emulator.Request) bool { return r.Via == "oauth" })
}

// reads are requests that change nothing.
func reads(r emulator.Request) bool {
	path := strings.SplitN(r.Path, "?", 2)[0]
	return r.Method == http.MethodGet || strings.HasSuffix(path, "/permission/check") || strings.HasSuffix(path, "/users-bulk") || strings.HasSuffix(path, "/convert-ids-to-types")
}

func shownRequests(all []emulator.Request) string {
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "\n%s %s as %q: %d (%s)", r.Method, r.Path, r.User, r.Status, r.Via)
	}
	return b.String()
}

// TestMatrix calls every tool as everybody, on everything, however the site is
// connected: each request to Confluence carries the credential of the caller it
// serves, or that of the connecting account: for a read of what the caller sees,
// or for a write after Confluence has said that the caller may.
func TestMatrix(t *testing.T) {
	cells, requests := 0, 0
	modes := []matrixMode{{false, false}, {false, true}, {true, false}, {true, true}}
	for _, mode := range modes[:len(modes)/min(raceFactor, 2)] { // all of them without the race detector
		m := newMatrix(t, mode, 190)
		left := map[string]bool{}
		for _, tool := range m.e.catalog.All() {
			left[strings.TrimPrefix(tool.Name, tools.Prefix)] = !tool.ReadOnly
		}
		for _, c := range matrixCallers() {
			for tool, writes := range left {
				calls := matrixCalls()[tool]
				require.NotEmpty(t, calls, "%s: no call of it is in the matrix", tool)
				for n, kind := range []string{openPage, keptPage, hiddenPage} {
					for variant, args := range calls {
						cell := crossing{m: m, caller: c, tool: tool, kind: kind, about: fmt.Sprintf("%s, %s, %s (%d) on %s", mode, c.name, tool, variant, kind)}
						if !mode.writes && (writes && variant > 0 || c.own != "" && kind != openPage) {
							continue // the setting is nothing to own credentials, and a refusal comes before what it is about
						}
						if writes {
							cells, requests = cells+1, requests+cell.write(args)
						} else if n == variant%2 || kind == hiddenPage {
							cells, requests = cells+1, requests+cell.read(args)
						}
					}
				}
			}
		}
	}
	t.Logf("%d cells, %d requests to Confluence, each with the credential it must carry", cells, requests)
}
