package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// Confused deputies: the account of the integration sees and may do everything
// here, and those who ask through it do not.

// deputy is a served site on which bob may not see the page P with all that
// hangs on it, and everybody may see X.
func deputy(t *testing.T, settings string) *accepting {
	t.Helper()
	a := serveAccepting(t, settings, nil)
	for _, n := range []node{{onP, top, "S", "group:A"}, {onC, onP, "S", ""}, {onX, top, "S", ""}, {onG, top, "S", ""}} {
		a.site.Apply(a.line(n)...)
	}
	a.site.Apply(`{"kind":"content","id":"`+a.page(onP)+`","version":2,"title":"Zeppelin plans","labels":["zeppelin"],"storage":"<h1>Airship</h1><p>A zeppelin by autumn.</p>"}`,
		`{"kind":"content","id":"`+a.page(onX)+`","version":2,"title":"Open page","labels":["open"],"storage":"<p>Nothing to hide.</p>"}`)
	a.synced()
	a.comes(asker{1, "u-ann", nil}, "zeppelin", func(ids []string) bool { return len(ids) > 0 }, "ann finds it")
	return a
}

// whichPage are the questions that only Confluence can answer: which pages have
// a title or fit a raw condition, and which page a file belongs to.
var whichPage = regexp.MustCompile(`^/wiki/(api/v2/spaces/\d+/(pages|blogposts)\?[^/]*title=[^/]*|rest/api/search\?cql=[^/]*|api/v2/attachments/att\d+)$`)

// hidden does what must not show a page, and holds that Confluence was asked for
// nothing but which page is meant: not for the page, nor for anything on it.
func (a *accepting) hidden(about string, fn func() toolAnswer) toolAnswer {
	a.t.Helper()
	mark := markOf(a.site)
	got := fn()
	asked := a.site.Requests(mark)
	for _, r := range asked {
		assert.True(a.t, r.Method == http.MethodGet && whichPage.MatchString(r.Path), "%s%s", about, shownRequests(asked))
	}
	return got
}

// TestC01_WhatIsHiddenReadsLikeWhatIsNot asks for a hidden page on every path
// there is: each answer is the one about a page that does not exist.
func TestC01_WhatIsHiddenReadsLikeWhatIsNot(t *testing.T) {
	a := deputy(t, "")
	id := a.page(onP)
	ann, bob := asker{1, "u-ann", nil}, asker{1, "u-bob", nil}
	type same struct{ tool, args string } // {ID}, {TITLE}, {WORD} and {LABEL} are filled in
	hidden := strings.NewReplacer("{ID}", id, "{FILE}", "9"+id, "{TITLE}", "Zeppelin plans", "{WORD}", "zeppelin", "{NEAR}", "zeppelim", "{LABEL}", "zeppelin", "{HEAD}", "Airship")
	absent := strings.NewReplacer("{ID}", "77777", "{FILE}", "977777", "{TITLE}", "Qwertzy plans", "{WORD}", "qwertzy", "{NEAR}", "qwertzx", "{LABEL}", "qwertzy", "{HEAD}", "Qwertz")
	back := strings.NewReplacer("977777", "9"+id, "77777", id, "Qwertzy plans", "Zeppelin plans", "qwertzy", "zeppelin", "qwertzx", "zeppelim", "Qwertz", "Airship")
	for path, c := range map[string]same{
		"id":              {"get_page", `{"page_id":"{ID}"}`},
		"id, fresh":       {"get_page", `{"page_id":"{ID}","fresh":true}`},
		"id, rendered":    {"get_page", `{"page_id":"{ID}","mode":"rendered"}`},
		"id, section":     {"get_page", `{"page_id":"{ID}","mode":"section","section":"{HEAD}"}`},
		"id, old version": {"get_page", `{"page_id":"{ID}","version":1}`},
		"title":           {"get_page", `{"title":"{TITLE}","space_key":"S"}`},
		"search":          {"search", `{"query":"{WORD}"}`},
		"search below":    {"search", `{"query":"page","ancestor_id":"{ID}"}`},
		"below":           {"list_pages", `{"parent_id":"{ID}"}`},
		"ancestor list":   {"search", `{"query":"*","cql":"ancestor = {ID}"}`},
		"attachments":     {"get_attachments", `{"page_id":"{ID}"}`},
		"an attachment":   {"download_attachment", `{"attachment_id":"{FILE}"}`},
		"comments":        {"get_comments", `{"page_id":"{ID}"}`},
		"label listing":   {"list_pages", `{"label":"{LABEL}"}`},
		"label search":    {"search", `{"query":"*","label":"{LABEL}"}`},
		"suggestion":      {"search", `{"query":"{NEAR}"}`},
		"excerpt":         {"search", `{"query":"*","cql":"text ~ \"{WORD}\""}`},
		"history":         {"get_page_history", `{"page_id":"{ID}"}`},
		"difference":      {"get_page_diff", `{"page_id":"{ID}","from_version":1}`},
	} {
		want := a.tool(bob, c.tool, absent.Replace(c.args))
		got := a.hidden(path, func() toolAnswer { return a.tool(bob, c.tool, hidden.Replace(c.args)) })
		assert.Equal(t, back.Replace(want.Text), got.Text, path)
		assert.Equal(t, want.Kind, got.Kind, path)
		assert.Equal(t, want.IsError, got.IsError, path)
		assert.NotContains(t, strings.ToLower(got.Text), "autumn", path)
		if seen := a.tool(ann, c.tool, hidden.Replace(c.args)); path != "suggestion" {
			assert.NotEqual(t, got.Text, seen.Text, "%s: ann is answered otherwise, or the question asks nothing", path)
		}
	}
	for _, w := range []string{"zeppelin", "Zeppelin plans", "airship", "autumn"} {
		var status int
		var out map[string]any
		asksNothing(t, a.site, w, func() {
			status, out = a.api(opsKey, http.MethodPost, "/api/query", `{"query":"`+w+`"`+bob.settings()+`}`)
		})
		require.Equal(t, http.StatusOK, status)
		assert.Equal(t, 0.0, out["total"], "count of %s", w)
		assert.NotContains(t, fmt.Sprint(out), id)
	}
}

// TestC03_WhatTheMirrorHasNotIsNotReadThrough: a page that came after the last
// pass is restricted, and nobody knows yet for whom.
func TestC03_WhatTheMirrorHasNotIsNotReadThrough(t *testing.T) {
	a := deputy(t, "")
	bob := asker{1, "u-bob", nil}
	a.site.Apply(`{"kind":"content","id":"55501","type":"page","space":"S","title":"Just made","storage":"<p>zeppelin sold</p>","read":["group:A","user:u-bot"]}`)
	absent := a.tool(bob, "get_page", `{"page_id":"77777"}`)
	ask := func(tool, args string) toolAnswer {
		return a.hidden(tool+" "+args, func() toolAnswer { return a.tool(bob, tool, args) })
	}
	for _, args := range []string{`{"page_id":"55501"}`, `{"page_id":"55501","fresh":true}`, `{"page_id":"55501","mode":"storage","fresh":true}`} {
		assert.Equal(t, strings.ReplaceAll(absent.Text, "77777", "55501"), ask("get_page", args).Text, args)
	}
	assert.True(t, ask("get_page", `{"title":"Just made","space_key":"S"}`).IsError)
	assert.NotContains(t, ask("search", `{"query":"*","cql":"text ~ \"sold\""}`).Text, "55501")
	assert.NotContains(t, ask("list_pages", `{"space_key":"S"}`).Text, "Just made")
}

// TestC04_TheAccountWritesNothingTheCallerMayNot has callers write what they may
// not see, or may not change: the account could, and does not, whether it writes
// for nobody or for everybody who may.
func TestC04_TheAccountWritesNothingTheCallerMayNot(t *testing.T) {
	for settings, mayNot := range map[string][]string{"": {"auth.forbidden", "policy.denied"}, ", service_writes: true": {"policy.denied"}} {
		t.Run("settings"+settings, func(t *testing.T) { writesOfOthers(t, deputy(t, settings), mayNot) })
	}
}

func writesOfOthers(t *testing.T, a *accepting, mayNot []string) {
	a.site.Apply(`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"group:staff","op":"read"},{"to":"user:u-bot","op":"write"}]}`)
	a.synced()
	for page, kinds := range map[string][]string{a.page(onP): {"not_found"}, a.page(onX): mayNot} {
		for tool, args := range map[string]string{
			"update_page":       `{"page_id":"{ID}","base_version":2,"edits":[{"op":"append","markdown":"by bob"}]}`,
			"delete_page":       `{"page_id":"{ID}"}`,
			"add_comment":       `{"page_id":"{ID}","body":"by bob"}`,
			"add_label":         `{"page_id":"{ID}","name":"bob"}`,
			"upload_attachment": `{"page_id":"{ID}","filename":"b.txt","content":"bob"}`,
			"delete_attachment": `{"attachment_id":"9{ID}"}`,
			"move_page":         `{"page_id":"{ID}","target_id":"` + a.page(onG) + `"}`,
			"create_page":       `{"space_key":"S","parent_id":"{ID}","title":"By bob","body":"x"}`,
		} {
			mark := markOf(a.site)
			got := a.tool(asker{1, "u-bob", nil}, tool, strings.ReplaceAll(args, "{ID}", page))
			assert.Contains(t, kinds, got.Kind, "%s on %s: %s", tool, page, got.Text)
			asked := a.site.Requests(mark)
			for _, r := range asked {
				assert.True(t, reads(r), "%s on %s%s", tool, page, shownRequests(asked))
				if page == a.page(onP) {
					assert.NotRegexp(t, "/(pages|content|blogposts)/"+page, r.Path, "%s: a hidden page was asked for", tool)
				}
			}
		}
	}
}

// TestC05_OneCallersAnswerIsNotAnothers asks in turn for the same page.
func TestC05_OneCallersAnswerIsNotAnothers(t *testing.T) {
	a := deputy(t, "")
	ann, bob := asker{1, "u-ann", nil}, asker{1, "u-bob", nil}
	for range 3 {
		for _, args := range []string{`{"page_id":"` + a.page(onP) + `"}`, `{"page_id":"` + a.page(onP) + `","fresh":true}`, `{"page_id":"` + a.page(onP) + `","version":2}`} {
			assert.Contains(t, a.tool(ann, "get_page", args).Text, "autumn", args)
			denied := a.hidden(args, func() toolAnswer { return a.tool(bob, "get_page", args) })
			assert.Equal(t, "not_found", denied.Kind, args)
		}
		assert.Contains(t, a.queried(ann, "zeppelin"), a.page(onP))
		assert.Empty(t, a.queried(bob, "zeppelin"))
	}
}

// TestC06_ASiteIsReachedThroughItsOwnIntegration asks one integration for what
// the other has, and for sites nobody connected.
func TestC06_ASiteIsReachedThroughItsOwnIntegration(t *testing.T) {
	a := deputy(t, "")
	there := a.page(onT)
	a.comes(asker{2, "u-bot", nil}, "*", has(there))
	ann := asker{1, "u-ann", nil}
	absent := a.tool(ann, "get_page", `{"page_id":"77777"}`)
	ask := func(args string) toolAnswer {
		return a.hidden(args, func() toolAnswer { return a.tool(ann, "get_page", args) })
	}
	for _, args := range []string{`{"page_id":"` + there + `"}`, `{"page_id":"` + there + `","fresh":true}`} {
		assert.Equal(t, strings.ReplaceAll(absent.Text, "77777", there), ask(args).Text)
	}
	assert.True(t, ask(`{"url":"`+a.site.Sites[1].URL+`/spaces/T/pages/`+there+`"}`).IsError)
	assert.NotContains(t, a.queried(ann, "*"), there)
	for _, argument := range []string{"cloud_id", "cloudId", "site", "integration", "base_url"} {
		got := ask(`{"page_id":"` + there + `","` + argument + `":"22222222-2222-4222-8222-222222222222"}`)
		assert.Equal(t, "input.unknown_argument", got.Kind, argument)
	}
	for _, integration := range []any{3, "I3", "22222222-2222-4222-8222-222222222222", -1, ""} {
		var status int
		var out map[string]any
		asksNothing(t, a.site, fmt.Sprint(integration), func() {
			status, out = a.api(opsKey, http.MethodPost, "/api/query", `{"query":"*"`+asker{integration, "u-b2", nil}.settings()+`}`)
		})
		if status == http.StatusOK {
			assert.Empty(t, idsIn(out["results"]), "%v", integration)
			continue
		}
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, status, "%v", integration)
	}
}

// TestC07_NothingOfAnotherSiteIsServed points an integration at another site
// while the first one is read: from then on nothing of the first one is there,
// before, during and after the first pass, and it is not asked any more.
func TestC07_NothingOfAnotherSiteIsServed(t *testing.T) {
	site := emulatortest.Start(t, acceptPeople, acceptSecond)
	p := &product{t: t, dir: t.TempDir(), env: productEnv("", ""), out: &planted.Log{}, errOut: &planted.Log{}}
	_, agents, _ := strings.Cut(acceptFile, "agents:")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte("data_dir: ./data\nagents:"+agents), 0o600))
	a := &accepting{product: p, site: site}
	for _, n := range []node{{onP, top, "S2", ""}, {onX, top, "S2", ""}} {
		site.Apply(a.line(n)...)
	}
	a.startEmpty()
	settings := func(i int) string {
		return fmt.Sprintf(`"type":"confluence","baseUrl":%q,"username":"bot@acme.test","token":%q,"enableAccessRightsSync":true`, site.Sites[i].URL, site.Token("u-bot"))
	}
	status, made := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"I1","settings":{`+settings(0)+`}}`)
	require.Equal(t, http.StatusCreated, status, made)
	bot := asker{"I1", "u-bot", nil}
	a.synced()
	a.comes(bot, "*", func(ids []string) bool { return len(ids) == 2 })

	slow := `{"kind":"fault","match":"GET /wiki/api/v2/*","action":{"delay_ms":300}}`
	site.Apply(slow)
	site.ApplyTo(1, slow)
	mark, passed := markOf(site), make(chan struct{})
	go func() {
		defer close(passed)
		p.send(http.MethodPost, "/api/integrations/I1/sync?full=true", opsKey, "", nil)
	}()
	eventually(t, func() bool { return markOf(site) > mark }, "a pass over the first site has begun")
	status, out := p.api(opsKey, http.MethodPatch, "/api/integrations/I1", `{"settings":{`+settings(1)+`}}`)
	require.Equal(t, http.StatusOK, status, out)
	mark = markOf(site)
	a.comes(bot, "*", func(now []string) bool {
		for _, on := range []int{onP, onX} {
			require.NotContains(t, now, a.page(on))
			require.True(t, a.tool(bot, "get_page", `{"page_id":"`+a.page(on)+`"}`).IsError)
		}
		return slices.Contains(now, "990001")
	}, "the other site is read")
	<-passed
	a.synced()
	assert.Equal(t, []string{"990001"}, a.queried(bot, "*"))
	for _, r := range site.Requests(mark) {
		assert.Equal(t, site.Sites[1].CloudID, r.Site, "%s %s", r.Method, r.Path)
	}
}
