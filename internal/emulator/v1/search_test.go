package v1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/site"
	"confluence-mcp/internal/emulator/wire"
)

func found(q string) string { return "content/search?limit=200&cql=" + url.QueryEscape(q) }

func ids(list ...any) []any { return list }

func TestContentSearchFindsOnlyWhatTheUserMayRead(t *testing.T) {
	b := start(t)
	for _, c := range []struct {
		user, cql string
		want      []any
	}{
		{"u-ann", `text ~ zeppelin and type = page`, ids("1002")},
		{"u-bob", `text ~ zeppelin and type = page`, ids()},
		{"u-dan", `type = page and space = ENG`, ids()},
		{"", `type = page`, ids("3000", "3001")},
		{"u-cid", `text ~ airship`, ids("1003")},
		{"u-ann", `text ~ airship`, ids()},
		{"u-bob", `text ~ "named bob"`, ids()},
		{"u-ann", `title = "old notes"`, ids()},    // archived
		{"u-ann", `title = "Mistake"`, ids()},      // trashed
		{"u-ann", `title = "Drafted idea"`, ids()}, // draft
		{"u-ann", `label = runbook`, ids("1001")},
		{"u-ann", `parent = 1010`, ids("1011")},
		{"u-ann", `ancestor = 1010 and type = page`, ids("1011")},
		{"u-ann", `type = folder`, ids("1010")},
		{"u-ann", `type = blogpost`, ids("1100")},
		{"u-ann", `type = comment and container = 1001`, ids("5001", "5002")},
		{"u-bob", `type = attachment`, ids("att6001", "att6002")},
		{"u-ann", `type = attachment`, ids("att6001", "att6002", "att6003")},
		{"u-ann", `creator = currentUser() and type = page and space = ENG`, ids("1001", "1002", "1005", "1006")},
		{"u-ann", `macro = code`, ids("1001")},
		{"u-ann", `space.type = personal`, ids("4000")},
		{"u-ann", `type = page and space = S2 order by title desc`, ids("3000", "3001", "3002")},
		{"u-ann", `space = NONE`, ids()},
		{"u-ann", `siteSearch ~ "pump" order by id desc`, ids("att6001", "5001", "1001")},
		{"u-ann", `lastmodified >= "2026-02-03" and type = page and space = ENG and lastmodified < "2026-02-11"`, ids("1001", "1011")},
	} {
		t.Run(c.user+" "+c.cql, func(t *testing.T) {
			got := b.ok(c.user, "GET", found(c.cql), "").column("id")
			assert.ElementsMatch(t, c.want, got)
		})
	}
}

// Search, reading by id and the permission check must draw the same line for
// everybody.
func TestSearchReadAndCheckAgreeOnWhoSees(t *testing.T) {
	b := start(t)
	everything := regexp.MustCompile(`"kind":"content","id":"(\d+)","type":"(page|blogpost|folder)"`).FindAllStringSubmatch(emulatortest.SmallSite, -1)
	require.Greater(t, len(everything), 15)
	for _, user := range []string{"u-ann", "u-bob", "u-cid", "u-dan", "u-gus", "u-hal", "u-ops", "u-bot", ""} {
		hits := b.ok(user, "GET", found("type in (page, blogpost, folder)"), "").column("id")
		for _, c := range everything {
			one := b.get(user, "content/"+c[1])
			readable := one.status == http.StatusOK
			assert.Equal(t, readable && one.at("status") == "current", slices.Contains(hits, any(c[1])), "search: %s %s", user, c[1])
			if user == "" || !readable && b.get(user, "content/"+c[1]+"?status=any").status == http.StatusOK {
				continue // nobody checks for anonymous; trash is readable when asked for
			}
			check := b.ok("u-ops", "POST", "content/"+c[1]+"/permission/check", `{"subject":{"type":"user","identifier":"`+user+`"},"operation":"read"}`)
			assert.Equal(t, readable, check.at("hasPermission"), "check: %s %s", user, c[1])
		}
	}
}

func TestOrderOfContentSearch(t *testing.T) {
	b := start(t)
	assert.Equal(t, ids("3000", "3001", "3002"), b.ok("u-ann", "GET", found(`type = page and space = S2 order by title desc`), "").column("id"))
	assert.Equal(t, ids("3002", "3001", "3000"), b.ok("u-ann", "GET", found(`type = page and space = S2 order by title`), "").column("id"))
	b.ok("u-ann", "GET", found(`siteSearch ~ runbook`), "")
	assert.Equal(t, "1001", b.ok("u-ann", "GET", found(`siteSearch ~ "pump runbook"`), "").at("results", 0, "id"))
}

func TestBadSearchesAreRefused(t *testing.T) {
	b := start(t)
	a := b.refused(http.StatusBadRequest, "u-ann", "GET", "search?cql=status%3Dcurrent", "")
	assert.Contains(t, a.at("message"), "BadRequestException: Could not parse cql : No field exists with the name: 'status'")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "search?cql=user.fullname%7Eann", "")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "search", "")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "search?cql=type%3Dpage&limit=x", "")
	b.refused(http.StatusBadRequest, "u-ann", "GET", "search?cql=type%3Dpage&cursor=zzz", "")
	b.refused(http.StatusInternalServerError, "u-ann", "GET", "search?cql="+url.QueryEscape(`siteSearch ~ ""`), "")
}

// large adds a space of n pages.
func large(n int) string {
	var s strings.Builder
	s.WriteString(`{"kind":"space","id":"700","key":"BIG","name":"Big","grants":[{"to":"group:staff","op":"write"}]}` + "\n")
	for i := range n {
		fmt.Fprintf(&s, `{"kind":"content","id":"%d","type":"page","space":"BIG","title":"Leaf %d","storage":"<p>needle %d of the stack</p>"}`+"\n", 70000+i, i, i)
	}
	return s.String()
}

func TestSearchPagesByCursorAndShortPagesAreNotTheEnd(t *testing.T) {
	b := start(t, large(230))
	path := "search?limit=100&excerpt=none&start=50&cql=" + url.QueryEscape(`text ~ needle and type = page`)
	seen, short := map[any]bool{}, false
	for path != "" {
		a := b.ok("u-ann", "GET", path, "")
		for _, id := range a.column("content", "id") {
			require.False(t, seen[id])
			seen[id] = true
		}
		assert.Greater(t, a.at("totalSize"), 230.0)
		next, _ := a.at("_links", "next").(string)
		short = short || next != "" && len(a.column()) < 100
		if path = next; path != "" {
			assert.Regexp(t, `^/rest/api/search\?next=true&cursor=[\w-]+&limit=100&cql=text`, next)
			assert.NotContains(t, next, "excerpt")
		}
	}
	assert.Len(t, seen, 230)
	assert.True(t, short)
}

func TestContentSearchNextMayLeadToAnEmptyPage(t *testing.T) {
	b := start(t, large(20))
	path, pages, n := "content/search?limit=10&expand=version&cql="+url.QueryEscape("space = BIG and type = page"), 0, 0
	for path != "" {
		a := b.ok("u-ann", "GET", path, "")
		pages, n = pages+1, n+len(a.column())
		if len(a.column()) > 0 {
			assert.EqualValues(t, 1, a.at("results", 0, "version", "number"))
		}
		path, _ = a.at("_links", "next").(string)
	}
	assert.Equal(t, 3, pages)
	assert.Equal(t, 20, n)
}

func TestRenderedBodiesCapTheLimit(t *testing.T) {
	b := start(t, large(30))
	path := "content/search?limit=100&cql=space%3DBIG&expand="
	assert.Len(t, b.ok("u-ann", "GET", path+"body.export_view", "").column(), 25)
	assert.Len(t, b.ok("u-ann", "GET", path+"body.storage", "").column(), 30)
}

func TestSearchRows(t *testing.T) {
	b := start(t, `{"kind":"content","id":"1200","type":"page","space":"ENG","parent":"1000","title":"Valves & <Pumps>","storage":"<p>A va<b>lv</b>e is <i>not</i> a tap &amp; 1 &lt; 2.</p>"}`)
	row := b.ok("u-ann", "GET", "search?cql="+url.QueryEscape(`title ~ valves and text ~ valve`), "").at("results", 0)
	assert.Equal(t, "@@@hl@@@Valves@@@endhl@@@ &amp; &lt;Pumps&gt;", at(row, "title"))
	assert.Equal(t, "Valves & <Pumps>", at(row, "content", "title"))
	assert.Equal(t, "A @@@hl@@@valve@@@endhl@@@ is not a tap &amp; 1 &lt; 2.", at(row, "excerpt"))
	assert.EqualValues(t, 0, at(row, "score"))
	assert.Equal(t, []any{}, at(row, "breadcrumbs"))
	assert.Equal(t, "content", at(row, "entityType"))
	assert.Equal(t, "/spaces/ENG", at(row, "resultGlobalContainer", "displayUrl"))
	assert.Equal(t, "/spaces/ENG/pages/1200/Valves+%26+%3CPumps%3E", at(row, "url"))

	for mode, want := range map[string]string{"none": "", "indexed": "A valve is not a tap &amp; 1 &lt; 2.",
		"indexed_unescaped": "A valve is not a tap & 1 < 2.", "highlight_unescaped": "A @@@hl@@@valve@@@endhl@@@ is not a tap & 1 < 2."} {
		a := b.ok("u-ann", "GET", "search?excerpt="+mode+"&cql="+url.QueryEscape(`id = 1200 and text ~ valve`), "")
		assert.Equal(t, want, a.at("results", 0, "excerpt"), mode)
	}

	space := b.ok("u-ann", "GET", "search?cql=type%3Dspace+and+space%3DENG", "").at("results", 0)
	assert.Nil(t, at(space, "content"))
	assert.Equal(t, "ENG", at(space, "space", "key"))
	assert.Nil(t, at(space, "space", "id"))
	assert.Empty(t, b.ok("u-dan", "GET", "search?cql=type%3Dspace+and+space%3DENG", "").column())
}

func TestArchivedSpacesAreSearchedOnlyWhenAsked(t *testing.T) {
	b := start(t)
	b.ok("u-bob", "PUT", "space/ENG", `{"status":"archived"}`)
	assert.Empty(t, b.ok("u-ann", "GET", "search?cql=space%3DENG", "").column())
	assert.NotEmpty(t, b.ok("u-ann", "GET", "search?includeArchivedSpaces=true&cql=space%3DENG+and+type%3Dpage", "").column())
}

func TestSearchLagsBehindTheSite(t *testing.T) {
	b := start(t)
	b.Apply(`{"kind":"cql_lag","seconds":60}`)
	b.ok("u-ann", "POST", "content/archive", `{"pages":[{"id":1001}]}`)
	assert.Len(t, b.ok("u-ann", "GET", found("id = 1001"), "").column(), 1)
	b.Apply(`{"kind":"clock","advance":"2m"}`)
	assert.Empty(t, b.ok("u-ann", "GET", found("id = 1001"), "").column())
}

func TestExpansion(t *testing.T) {
	b := start(t)
	a := b.ok("u-cid", "GET", found("id = 1003")+"&expand=body.storage,version,space,ancestors,metadata.labels,history.contributors.publishers.users,"+
		"restrictions.read.restrictions.user,restrictions.read.restrictions.group,children.comment", "")
	row := a.at("results", 0)
	assert.Contains(t, at(row, "body", "storage", "value"), "hangar")
	assert.Equal(t, ids("1000", "1002"), []any{at(row, "ancestors", 0, "id"), at(row, "ancestors", 1, "id")})
	assert.Equal(t, "B", at(row, "restrictions", "read", "restrictions", "group", "results", 0, "name"))
	assert.EqualValues(t, 0, at(row, "restrictions", "read", "restrictions", "user", "size"))
	assert.Equal(t, "u-cid", at(row, "history", "contributors", "publishers", "userAccountIds", 0))
	assert.Equal(t, []any{}, at(row, "metadata", "labels", "results"))
	assert.Equal(t, "ENG", at(row, "space", "key"))
	plain := b.ok("u-cid", "GET", found("id = 1003"), "").at("results", 0)
	for _, name := range []string{"body", "version", "space", "ancestors", "restrictions", "history"} {
		assert.Nil(t, at(plain, name), name)
		assert.Equal(t, "", at(plain, "_expandable", name), name)
	}
}

func TestAncestorsWithRestrictionsFailAsOne(t *testing.T) {
	b := start(t, `{"kind":"content","id":"1201","type":"page","space":"ENG","parent":"1008","title":"Below an archived page"}`)
	b.ok("u-ann", "GET", found("space = ENG and type = page")+"&expand=ancestors", "")
	b.refused(http.StatusNotFound, "u-ann", "GET", found("space = ENG and type = page")+"&expand=ancestors.restrictions.read.restrictions.user", "")
}

func TestUserSearch(t *testing.T) {
	b := start(t)
	path := "search/user?cql="
	assert.Equal(t, ids("u-ann"), b.ok("u-bob", "GET", path+url.QueryEscape(`user.fullname ~ "arb*"`), "").column("user", "accountId"))
	assert.Equal(t, ids("u-bob"), b.ok("u-bob", "GET", path+url.QueryEscape(`user = currentUser()`), "").column("user", "accountId"))
	a := b.ok("u-bob", "GET", path+"type%3Duser&limit=3&start=6", "")
	assert.Len(t, a.column(), 2) // eve is deactivated
	assert.EqualValues(t, 8, a.at("totalSize"))
	b.refused(http.StatusBadRequest, "u-bob", "GET", path+"title%3Dx", "")
}

func BenchmarkSearch100kPages(b *testing.B) {
	s := site.New(site.Config{Now: time.Now})
	filler := strings.Repeat("lorem ipsum dolor sit amet ", 60)
	var lines strings.Builder
	lines.WriteString(`{"kind":"user","id":"u","username":"u","name":"U","token":"t"}` + "\n" +
		`{"kind":"space","id":"1","key":"K","name":"K","grants":[{"to":"user:u","op":"write"}]}` + "\n")
	for i := range 100_000 {
		fmt.Fprintf(&lines, `{"kind":"content","id":"%d","type":"page","space":"K","title":"Page %d","storage":"<p>%s %d</p>"}`+"\n", 1000+i, i, filler, i)
	}
	require.NoError(b, s.Load(strings.NewReader(lines.String())))
	handle := handlerOf("/wiki/rest/api/search")
	get := func(cql string) *httptest.ResponseRecorder {
		req, w := httptest.NewRequest(http.MethodGet, "/wiki/rest/api/search?cql="+url.QueryEscape(cql), nil), httptest.NewRecorder()
		handle(w, req, wire.Call{Site: s, User: "u"})
		return w
	}
	get("text ~ warm")
	for _, q := range []string{`text ~ "99999"`, `type = page and space = K order by lastmodified desc`, `title ~ "777"`} {
		b.Run(q, func(b *testing.B) {
			var w *httptest.ResponseRecorder
			for b.Loop() {
				w = get(q)
			}
			require.Equal(b, http.StatusOK, w.Code, w.Body)
			require.Contains(b, w.Body.String(), `"title":"Page `)
		})
	}
}

func FuzzSearch(f *testing.F) {
	s := site.New(site.Config{Now: emulatortest.Epoch})
	require.NoError(f, s.Load(strings.NewReader(emulatortest.SmallSite)))
	handle := handlerOf("/wiki/rest/api/search")
	f.Add(`type = page and text ~ "pump re*"`, "content.body.view,content.history", "highlight", "", "50")
	f.Add(`type in (page, space) order by created desc`, "content.children.comment.ancestors.restrictions.read", "indexed", "e30", "0")
	f.Fuzz(func(t *testing.T, query, expand, excerpt, cursor, limit string) {
		q := url.Values{"cql": {query}, "expand": {expand}, "excerpt": {excerpt}, "cursor": {cursor}, "limit": {limit}}
		w := httptest.NewRecorder()
		handle(w, httptest.NewRequest(http.MethodGet, "/wiki/rest/api/search?"+q.Encode(), nil), wire.Call{Site: s, User: "u-bob"})
		require.True(t, json.Valid(w.Body.Bytes()))
		require.NotContains(t, w.Body.String(), "zeppelin by autumn", "bob does not see that page")
	})
}

func TestSearchesAndWritesRunSideBySide(t *testing.T) {
	b := start(t, large(50))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			assert.Equal(t, http.StatusOK, b.get("u-ann", found(`siteSearch ~ "needle" order by title`)).status)
			label := fmt.Sprintf(`{"prefix":"global","name":"l%d"}`, i)
			assert.Equal(t, http.StatusOK, b.do("u-bob", "POST", "content/70001/label", label, nil).status)
			assert.Equal(t, http.StatusAccepted, b.do("u-bob", "POST", "content/archive", fmt.Sprintf(`{"pages":[{"id":%d}]}`, 70010+i), nil).status)
			assert.Equal(t, http.StatusOK, b.get("u-bob", "longtask").status)
		})
	}
	wg.Wait()
	assert.Len(t, b.ok("u-bob", "GET", "content/70001/label", "").column(), 8)
	assert.Len(t, b.ok("u-bob", "GET", "longtask", "").column(), 8)
}
