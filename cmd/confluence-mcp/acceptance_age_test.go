package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// R14 of permissions 4: what is shown by rights older than aclMaxAge is marked on
// every surface, and by rights older than aclHardMaxAge nothing is shown. A pass
// makes it good.
func TestOldRightsAreMarkedAndThenShowNothing(t *testing.T) {
	var ahead atomic.Int64
	a := serveAccepting(t, ", aclMaxAge: 2h, aclHardMaxAge: 5h", func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	c := acceptance{row: row{"R14", chain("group:A", "", ""), nil, as("u-ann"), onP, true}}
	a.run(0, c)
	for _, at := range []struct {
		after        time.Duration
		shown, stale bool
	}{{time.Hour, true, false}, {3 * time.Hour, true, true}, {6 * time.Hour, false, false}} {
		ahead.Store(int64(at.after))
		c.sees = at.shown
		a.check(c)
		if at.shown {
			a.marked(c, at.stale)
		}
	}
	a.synced()
	c.sees = true
	a.check(c)
	a.marked(c, false)
}

// marked asks every surface whether its answer is marked as stale.
func (a *accepting) marked(c acceptance, stale bool) {
	a.t.Helper()
	id := a.page(c.on)
	status, found := a.api(opsKey, http.MethodPost, "/api/query", `{"query":"word`+id+`"`+c.who.settings()+`}`)
	require.Equal(a.t, http.StatusOK, status, found)
	answers := map[string]any{"/api/query": first(found["results"])}
	for tool, args := range map[string]string{"get_page": `{"page_id":"` + id + `"}`, "list_pages": `{"parent_id":"` + id + `"}`, "list_spaces": `{}`,
		"get_space": `{"space_key":"S"}`, "get_attachments": `{"page_id":"` + id + `"}`} {
		answers[tool] = a.tool(c.who, tool, args).Structured
	}
	answers["get_page fresh"] = a.tool(c.who, "get_page", `{"page_id":"`+id+`","fresh":true}`).Structured
	answers["search"] = first(a.tool(c.who, "search", `{"query":"word`+id+`"}`).Structured["results"])
	answers["raw CQL"] = first(a.tool(c.who, "search", `{"query":"*","cql":"id = `+id+`"}`).Structured["results"])
	for how, answer := range answers {
		is, _ := answer.(map[string]any)["stale"].(bool)
		assert.Equal(a.t, stale, is, how)
	}
	uri := "confluence://page/" + id
	text := a.asks(c.who, "resources/read", uri, `"uri":"`+uri+`"`).body
	assert.Equal(a.t, stale, containsStale(text), text)
	assert.Equal(a.t, stale, containsStale(a.tool(c.who, "search", `{"query":"word`+id+`"}`).Text))
}

func containsStale(text string) bool { return strings.Contains(text, ", stale") }

func first(rows any) any {
	if list, _ := rows.([]any); len(list) > 0 {
		return list[0]
	}
	return map[string]any{}
}

// R9: what Confluence says of a caller counts for five minutes; one who is not
// shown anything below a folder has nothing asked, and so has everybody under the
// other policies.
func TestConfluenceIsAskedOnceInFiveMinutes(t *testing.T) {
	for settings, asks := range map[string]int{", opaqueAncestors: verify": 1, ", opaqueAncestors: trust": 0, "": 0} {
		t.Run(settings, func(t *testing.T) {
			var ahead atomic.Int64
			a := serveAccepting(t, settings, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
			a.site.Apply(a.lines([]string{folderF})...)
			for _, n := range chain("", "", "") {
				a.site.Apply(a.line(n)...)
			}
			a.site.Apply(a.lines([]string{`{"kind":"content","id":"{P}","parent":"{X}9"}`})...)
			a.synced()
			words := fmt.Sprintf("word%s word%s word%s", a.page(onP), a.page(onC), a.page(onG))
			seen := func(w asker) []string { return a.queried(w, words) }
			if settings != "" {
				a.comes(as("u-bot"), words, func(ids []string) bool { return len(ids) == 3 })
			}
			before := a.checked()
			for range 3 {
				assert.Equal(t, settings != "", len(seen(as("u-bob"))) == 3)
				assert.Empty(t, seen(as("u-dan")))
			}
			assert.Equal(t, asks, a.checked()-before, "three pages, one folder")
			a.site.Apply(a.lines([]string{`{"kind":"content","id":"{X}9","read":["group:A","user:u-bot"]}`})...)
			ahead.Store(int64(4 * time.Minute))
			assert.Equal(t, settings != "", len(seen(as("u-bob"))) == 3)
			ahead.Store(int64(6 * time.Minute))
			assert.Equal(t, asks == 0 && settings != "", len(seen(as("u-bob"))) == 3)
			assert.Equal(t, settings != "", len(seen(as("u-ann"))) == 3)
			a.site.Apply(`{"kind":"fault","match":"POST /wiki/rest/api/content/*/permission/check","action":{"status":403,"body":{"message":"no"}}}`)
			ahead.Store(int64(12 * time.Minute))
			assert.Equal(t, asks == 0 && settings != "", len(seen(as("u-ann"))) == 3, "not told is not allowed")
		})
	}
}

// checked is how often Confluence was asked what somebody may read.
func (a *accepting) checked() int {
	n := 0
	for _, r := range a.site.Requests(0) {
		if strings.HasSuffix(r.Path, "/permission/check") {
			n++
		}
	}
	return n
}
