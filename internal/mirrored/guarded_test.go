package mirrored_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/mirrored"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/tools"
)

// Confluence makes a rendered page with the rights of who asks: pages that are
// included, lists of pages, excerpts. The connecting account never asks for one.
func TestARenderedPageIsMadeForNobodyElse(t *testing.T) {
	taking := func(name, parameter string) string {
		return `<ac:structured-macro ac:name=\"` + name + `\"><ac:parameter ac:name=\"\">` + parameter + `</ac:parameter></ac:structured-macro>`
	}
	plans := `<ac:link><ri:page ri:content-title=\"Plans\"/></ac:link>`
	w := newWorld(t,
		`{"kind":"content","id":"1002","storage":"<p>a zeppelin by autumn</p><ac:structured-macro ac:name=\"excerpt\"><ac:rich-text-body><p>and an airship</p></ac:rich-text-body></ac:structured-macro>","version":2}`,
		`{"kind":"content","id":"1006","type":"page","space":"ENG","title":"House rules","parent":"1000","storage":"<p>rules</p>`+
			taking("include", plans)+taking("excerpt-include", plans)+`<p>see `+plans+`</p>"}`)
	sites := map[string]tools.Site{}
	for name, c := range map[string]identity.Caller{"bob": user("u-bob"), "attributes": nobody("group-staff"), "nobody": nobody()} {
		site := w.as(c)
		sites[name], sites[name+", live"] = site, site.(interface{ Live() tools.Site }).Live()
	}
	for name, site := range sites {
		for what, opt := range map[string]confluence.PageOptions{"rendered": {Format: confluence.ExportView}, "view": {Format: "view"}, "any": {Format: "atlas_doc_format"},
			"an earlier one": {Format: confluence.ExportView, Version: 1}, "a part": {Format: confluence.ExportView, Part: confluence.Part{Whole: 1, Size: 1}}} {
			for _, id := range []string{"1006", "3001", "1002", "1999"} {
				var p confluence.Page
				var err error
				assert.Empty(t, w.asked(func() { p, err = site.Page(w.ctx, id, opt) }), "%s, %s %s: Confluence heard of it", name, what, id)
				assert.Zero(t, p)
				if _, hidden := site.Page(w.ctx, id, storage); hidden != nil {
					isNotFound(t, err, name+", "+what)
					continue
				}
				refusedRendered(t, err, name+", "+what)
			}
			assert.Empty(t, w.asked(func() {
				_, err := site.Pages(w.ctx, confluence.PageFilter{SpaceID: "300", Format: opt.Format}, confluence.Paging{})
				refusedRendered(t, err, name+", list "+what)
			}), "%s, list %s", name, what)
		}
	}
	export := confluence.PageOptions{Format: confluence.ExportView}
	p, err := w.as(user("u-bot")).Page(w.ctx, "1006", export)
	require.NoError(t, err)
	for _, there := range []string{"zeppelin", "airship", "/pages/1002/"} {
		assert.Contains(t, p.Body, there, "what nobody else must get is in what Confluence renders for the account")
	}
	for name, site := range sites {
		p, err := site.Page(w.ctx, "1006", storage)
		if name == "nobody" || name == "nobody, live" {
			isNotFound(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Contains(t, p.Body, "rules", name)
		assert.NotContains(t, p.Body, "zeppelin", name)
	}
	w.own["u-bob"] = true
	bob := w.as(user("u-bob"))
	p, err = bob.Page(w.ctx, "1006", export)
	require.NoError(t, err, "with rights of his own")
	assert.Contains(t, p.Body, "rules")
	assert.Contains(t, p.Body, "The included page could not be found", "which are Confluence's to apply")
	for _, hidden := range []string{"zeppelin", "airship", "/pages/1002/"} {
		assert.NotContains(t, p.Body, hidden)
	}
	assert.True(t, p.ReadAt.IsZero())
}

func refusedRendered(t *testing.T, err error, about string) {
	t.Helper()
	var e *confluence.Error
	require.ErrorAs(t, err, &e, about)
	assert.Equal(t, confluence.Denied, e.Kind, about)
	assert.Equal(t, "auth.forbidden", e.StableCode(), about)
	assert.Equal(t, "A rendered page is made with the rights of the connecting account, which are not yours.", e.Message, about)
	assert.Equal(t, "Read it as markdown, or connect an account of your own.", e.Next, about)
}

// Raw CQL finds pages and blog posts only, whatever it asks for, and no hit costs
// a question: how long an answer takes tells nothing of comments and files.
func TestNoHitOfRawCQLCostsAQuestion(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	for cql, want := range map[string][]string{
		"type = comment":    {},
		"type = attachment": {},
		"type = space":      {},
		`text ~ "zeppelin"`: {}, // a hidden page and its comment
		`text ~ "pump"`:     {"1001"},
		`type = comment OR type = page AND label = "runbook"`:                          {"1001"},
		`title = "order by" OR label = runbook ORDER BY lastmodified DESC`:             {"1001"},
		"label = runbook order  by created":                                            {"1001"},
		`label = "runbook" AND NOT (title = "a) ORDER BY (b\"" OR title = 'ORDER BY')`: {"1001"},
	} {
		var l confluence.List[confluence.Hit]
		asked := w.asked(func() {
			var err error
			l, err = bob.Search(w.ctx, confluence.Search{CQL: cql})
			require.NoError(t, err, cql)
		})
		assert.Equal(t, want, hitIDs(l.Items), cql)
		assert.Equal(t, []string{"GET /wiki/rest/api/search"}, asked, cql)
		assert.Equal(t, -1, l.Total, cql)
		assert.True(t, l.Exact, cql)
	}
}

// What Confluence has against a query it says to the account; others hear one
// sentence.
func TestWhyAQueryIsNotAnsweredIsNotSaid(t *testing.T) {
	w := newWorld(t)
	bob := w.as(user("u-bob"))
	said := ""
	for cql, sent := range map[string]bool{
		"type = = page": true, "no_such_field = 1": true,
		"type = page) OR (type = comment": false, "type = page OR (label = a": false, `title = "a`: false, ")(": false, " ": false, "": false,
		`title = \" ) OR ( title ~ " \" "`: false, `type = page \`: false, // a backslash that may end what begins here
	} {
		asked := w.asked(func() {
			_, err := bob.Search(w.ctx, confluence.Search{CQL: cql})
			var e *confluence.Error
			require.ErrorAs(t, err, &e, cql)
			assert.Equal(t, confluence.Invalid, e.Kind, cql)
			assert.Equal(t, "input.cql", e.StableCode(), cql)
			if said == "" {
				said = e.Error() + e.Next
			}
			assert.Equal(t, said, e.Error()+e.Next, cql)
		})
		assert.Equal(t, sent, len(asked) > 0, "%s: %v", cql, asked)
	}
}

// crowd answers searches with hits of its own, a hundred at a time.
type crowd struct {
	tools.Site
	hits  []confluence.Hit
	asked []string
}

func (c *crowd) Search(_ context.Context, s confluence.Search) (confluence.List[confluence.Hit], error) {
	c.asked = append(c.asked, s.CQL)
	from, _ := strconv.Atoi(s.Cursor)
	to := min(from+100, len(c.hits))
	l := confluence.List[confluence.Hit]{Items: c.hits[from:to], Total: len(c.hits)}
	if to < len(c.hits) {
		l.Next = strconv.Itoa(to)
	}
	return l, nil
}

// A query is kept to what the caller sees before Confluence reads it: hits he may
// not see take no place, no request and no time, however many there are. Where a
// query cannot be kept so it is refused, whatever it asks for.
func TestHiddenHitsAreNotFoundAtAll(t *testing.T) {
	pages := func(n int, id, space, parent, read string) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(`{"kind":"content","id":"%s%03d","type":"page","space":"%s","parent":"%s","title":"Quux %s%d","version":1,"updated":"2026-03-01T09:00:00Z","storage":"<p>quux</p>","read":[%s]}`, id, i, space, parent, id, i, read))
		}
		return out
	}
	w := newWorld(t, append(pages(300, "51", "ENG", "1002", ""), pages(3, "52", "ENG", "1000", "")...)...) // 1002 is hidden from bob
	bob := w.as(user("u-bob"))
	ask := func(site tools.Site, s confluence.Search) (l confluence.List[confluence.Hit], asked []string) {
		t.Helper()
		asked = w.asked(func() {
			var err error
			l, err = site.Search(w.ctx, s)
			require.NoError(t, err)
		})
		return l, asked
	}
	for cql, want := range map[string][]string{
		`title ~ "quux" ORDER BY id`:               {"52000", "52001", "52002"},
		`ancestor = 1002`:                          {},
		`id in (51000, 51001, 52000)`:              {"52000"},
		`title ~ "nothing has this" OR id = 51007`: {},
	} {
		l, asked := ask(bob, confluence.Search{CQL: cql})
		assert.ElementsMatch(t, want, hitIDs(l.Items), cql)
		assert.Len(t, asked, 1, "300 hidden hits would be four")
		assert.True(t, l.Exact, cql)
		last := w.emulator.Requests(0)
		sent, err := url.QueryUnescape(last[len(last)-1].Path)
		require.NoError(t, err)
		all, err := w.shared.Search(w.ctx, confluence.Search{CQL: between(sent, "cql=", "&"), Paging: confluence.Paging{Limit: 100}})
		require.NoError(t, err)
		assert.Len(t, all.Items, len(want), "Confluence itself finds no more: %s", cql)
	}

	w.apply(pages(160, "53", "ENG", "1000", `"group:A"`)...)
	w.sync()
	for _, cql := range []string{`title ~ "quux"`, `title ~ "nothing has this"`, "id = 3001"} {
		asked := w.asked(func() {
			_, err := w.as(user("u-bob")).Search(w.ctx, confluence.Search{CQL: cql})
			var e *confluence.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "input.cql", e.StableCode())
			assert.Contains(t, e.Next, "space_key")
		})
		assert.Empty(t, asked, cql)
	}
	l, _ := ask(w.as(user("u-bob")), confluence.Search{CQL: `space = "S2" AND type = page`, SpaceKey: "s2"})
	assert.Equal(t, []string{"3000", "3001"}, hitIDs(l.Items))
	l, _ = ask(w.as(user("u-ann")), confluence.Search{CQL: `title ~ "quux"`, Paging: confluence.Paging{Limit: 5}})
	assert.Len(t, l.Items, 5, "nothing of these is hidden from her")

	l, asked := ask(w.as(user("u-bob")), confluence.Search{CQL: `title ~ "quux"`, SpaceKey: "nowhere"})
	assert.Equal(t, confluence.List[confluence.Hit]{Total: -1, Exact: true}, l)
	assert.Empty(t, asked, "who may view no space asks nothing")
}

// between is what stands behind one text and before another.
func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// A search that is cut where no more is looked through does not say that it has
// everything, nor how much there is.
func TestASearchThatIsCutIsNotExact(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		hidden int
		kind   string
		exact  bool
		shown  []string
	}{
		"everything was looked through":  {800, confluence.TypePage, true, []string{"1001"}},
		"hidden pages reach the bound":   {2500, confluence.TypePage, false, []string{}},
		"what no question was asked for": {300, "comment", true, []string{"1001"}},
		"files":                          {300, "attachment", true, []string{"1001"}},
		"nothing hidden":                 {0, "", true, []string{"1001"}},
	} {
		live := &crowd{}
		for range c.hidden {
			live.hits = append(live.hits, confluence.Hit{ID: "1002", Type: c.kind})
		}
		live.hits = append(live.hits, confluence.Hit{ID: "1001", Type: confluence.TypePage})
		sites, err := mirrored.New(mirrored.Config{Live: w, Mirror: w.m, Retrieve: w.engine, Now: w.clock, Complete: func(context.Context, int64) bool { return true },
			Shared: func(string) (tools.Site, error) { return live, nil }})
		require.NoError(t, err)
		bob, err := sites.For(w.ctx, user("u-bob"))
		require.NoError(t, err)
		l, err := bob.Search(w.ctx, confluence.Search{CQL: `text ~ "x" ORDER BY created`})
		require.NoError(t, err, name) // any other question would be a nil site's
		assert.Equal(t, c.shown, hitIDs(l.Items), name)
		assert.Equal(t, c.exact, l.Exact, name)
		assert.Equal(t, -1, l.Total, name)
		assert.Empty(t, l.Next, name)
		assert.LessOrEqual(t, len(live.asked), 10, name)
		for _, cql := range live.asked {
			assert.Equal(t, `(text ~ "x") AND type in (page, blogpost) AND space in ("ENG", "HR", "S2") AND id not in (1002, 1010, 2001, 3002) AND ancestor not in (1002, 1010, 2001, 3002) ORDER BY created`, cql, name)
		}
	}
}

// The directory is read by users the mirror knows as active, and as neither
// guests nor apps. Others are refused like the public, and Confluence hears
// nothing of it; who they are themselves the mirror knows.
func TestWhoReadsTheDirectory(t *testing.T) {
	w := newWorld(t, `{"kind":"user","id":"u-app","username":"app","name":"Some App","email":"app@acme.test","account":"app","groups":["staff"],"token":"app-token"}`,
		`{"kind":"content","id":"3009","type":"page","space":"S2","parent":"3000","title":"Duty","storage":"<p>Xylophone duty has <ac:link><ri:user ri:account-id=\"u-ann\"/></ac:link></p>"}`)
	for name, c := range map[string]struct {
		who   identity.Caller
		reads bool
	}{
		"a user":            {user("u-bob"), true},
		"by e-mail":         {user("bob@acme.test"), true},
		"deactivated":       {user("u-eve"), false},
		"a guest":           {user("u-gus"), false},
		"an app":            {user("u-app"), false},
		"unknown":           {user("u-zzz"), false},
		"public":            {nobody(), false},
		"access attributes": {nobody("group-staff", "user-u-bob"), false},
	} {
		found, err := w.engine.Query(w.ctx, c.who, retrieve.Question{Text: "xylophone"})
		require.NoError(t, err, name)
		require.Len(t, found.Results, 1, name)
		assert.Equal(t, c.reads, strings.Contains(found.Results[0].Text, "Ann Arbor"), "%s: %s", name, found.Results[0].Text)

		site := w.as(c.who)
		asked := w.asked(func() {
			ann, err := site.User(w.ctx, "u-ann")
			assert.Equal(t, c.reads, err == nil, "%s: %v", name, err)
			assert.Empty(t, ann.Email, name)
			if !c.reads {
				isNotFound(t, err, name)
				assert.Equal(t, "get user user u-ann: there is no such content, or you may not see it", err.Error(), name)
			}
			many, err := site.UsersByID(w.ctx, []string{"u-ann", "u-cid"})
			require.NoError(t, err, name)
			assert.Equal(t, map[bool]int{true: 2}[c.reads], len(many), name)
			l, err := site.FindUsers(w.ctx, "Ann", confluence.Paging{})
			require.NoError(t, err, name)
			assert.Equal(t, c.reads, len(l.Items) > 0, name)
		})
		assert.Equal(t, c.reads, len(asked) > 0, "%s: %v", name, asked)
	}
	for _, id := range []string{"u-eve", "u-gus", "u-app"} {
		assert.Empty(t, w.asked(func() {
			me, err := w.as(user(id)).User(w.ctx, id)
			require.NoError(t, err, id)
			assert.Equal(t, id, me.ID)
		}), id)
	}
	bot, err := w.engine.Query(w.ctx, identity.Caller{Agent: "local", Kind: identity.Service}, retrieve.Question{Text: "xylophone"})
	require.NoError(t, err)
	assert.Contains(t, bot.Results[0].Text, "Ann Arbor", "the connecting account")
}

// What belongs to a page is refused like the page: by where it stands now, for
// one question, and in the words of a page that does not exist.
func TestN10_WhatBelongsToAPageIsJudgedByWhereItStands(t *testing.T) {
	parts := map[string]func(w *world, s tools.Site) error{
		"page": func(w *world, s tools.Site) error { _, err := s.Page(w.ctx, "1001", storage); return err },
		"an old one": func(w *world, s tools.Site) error {
			_, err := s.Page(w.ctx, "1001", confluence.PageOptions{Format: confluence.Storage, Version: 3})
			return err
		},
		"history": func(w *world, s tools.Site) error {
			_, err := s.Versions(w.ctx, "1001", "page", confluence.Paging{})
			return err
		},
		"labels":  func(w *world, s tools.Site) error { _, err := s.Labels(w.ctx, "1001", "page"); return err },
		"clauses": func(w *world, s tools.Site) error { _, err := s.Restrictions(w.ctx, "1001"); return err },
		"files": func(w *world, s tools.Site) error {
			_, err := s.Attachments(w.ctx, "1001", "page", confluence.Paging{})
			return err
		},
		"file": func(w *world, s tools.Site) error { _, err := s.Attachment(w.ctx, "att6002"); return err },
		"bytes": func(w *world, s tools.Site) error {
			_, err := s.Download(w.ctx, confluence.Attachment{ID: "att6002"}, 0, 1)
			return err
		},
		"comment": func(w *world, s tools.Site) error { _, err := s.Comment(w.ctx, "5001"); return err },
		"replies": func(w *world, s tools.Site) error {
			_, err := s.Replies(w.ctx, "5001", confluence.CommentFooter, confluence.Paging{})
			return err
		},
		"comments": func(w *world, s tools.Site) error {
			_, err := s.Comments(w.ctx, "1001", "page", confluence.CommentFooter, confluence.Paging{})
			return err
		},
	}
	for state, c := range map[string]struct {
		line string
		sees bool
	}{
		"as it was":            {"", true},
		"below a visible page": {`{"kind":"content","id":"1001","type":"page","space":"ENG","title":"Runbook","parent":"1006"}`, true},
		"below a hidden page":  {`{"kind":"content","id":"1001","type":"page","space":"ENG","title":"Runbook","parent":"1002"}`, false},
		"in the trash":         {`{"kind":"content","id":"1001","type":"page","space":"ENG","title":"Runbook","parent":"1000","status":"trashed"}`, false},
		"archived":             {`{"kind":"content","id":"1001","type":"page","space":"ENG","title":"Runbook","parent":"1000","status":"archived"}`, false},
	} {
		w := newWorld(t)
		live := w.as(user("u-bob")).(interface{ Live() tools.Site }).Live()
		if c.line != "" {
			w.apply(c.line)
		}
		for part, ask := range parts {
			var err error
			asked := w.asked(func() { err = ask(w, live) })
			onTheWay := len(slices.DeleteFunc(slices.Clone(asked), func(a string) bool { return !strings.HasSuffix(a, "/restriction") }))
			most := 3
			if part == "clauses" {
				most++ // they are what is read, too
			}
			assert.LessOrEqual(t, onTheWay, most, "once a page on the way up: %s, %s: %v", state, part, asked)
			assert.LessOrEqual(t, len(asked)-onTheWay, 5, "%s, %s: %v", state, part, asked)
			if c.sees {
				assert.NoError(t, err, "%s, %s", state, part)
				continue
			}
			isNotFound(t, err, state+", "+part)
			assert.NotContains(t, err.Error(), "1002", "%s, %s", state, part)
			for _, one := range asked {
				assert.NotRegexp(t, `/1001/|/5001/|/att6002/|/download`, one, "%s, %s: nothing of it is read", state, part)
			}
		}
	}
}
