package mirrored_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/mirrored"
	"confluence-mcp/internal/retrieve"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
	"confluence-mcp/store/index"
	"confluence-mcp/store/mirror"
	"confluence-mcp/tools"
)

// stage is the product between emulated sites and a caller, without the server:
// connections, sync, mirror, index, retrieval and the sites tools get.
type stage struct {
	t      testing.TB
	ctx    context.Context
	e      *emulatortest.Emulator
	set    *connections.Set
	m      *mirror.Mirror
	x      *index.Index
	engine *retrieve.Engine
	sites  *mirrored.Sites
	begin  time.Time
}

func (s *stage) now() time.Time { return emulatortest.Epoch().Add(time.Since(s.begin)) }

func newStage(t testing.TB, sites ...string) *stage {
	s := &stage{t: t, ctx: context.Background(), e: emulatortest.Start(t, sites...), begin: time.Now()}
	s.set = connections.New(rest.Config{Now: s.now, RateBudget: time.Second, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	dir := t.TempDir()
	var err error
	s.m, err = mirror.Open(s.ctx, mirror.Config{Dir: dir, Now: s.now, Verify: s.set.MayRead})
	require.NoError(t, err)
	s.x, err = index.Open(s.ctx, index.Config{Dir: dir, Now: s.now, Log: s.m.Follower(), SlowTime: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.set.Close()
		assert.NoError(t, s.x.Close())
		assert.NoError(t, s.m.Close())
	})
	for n := range sites {
		require.NoError(t, s.set.Put(s.ctx, connections.Spec{ID: int64(n + 1), Name: fmt.Sprintf("I%d", n+1), BaseURL: s.e.Sites[n].URL, Username: s.e.Email("u-bot"), Token: seal.NewSecret(s.e.Token("u-bot")), Rights: true}))
	}
	require.NoError(t, s.set.Fill(s.ctx, connections.Filler{Mirror: s.m, Passive: true, Rhythm: connections.Rhythm{BlogPosts: true}}))
	s.engine, err = retrieve.New(retrieve.Config{Mirror: s.m, Index: s.x, Integrations: s.set.Integrations, Refresh: s.set.Refresh, Now: s.now})
	require.NoError(t, err)
	s.sites, err = mirrored.New(mirrored.Config{Live: s.set, Shared: s.set.Shared, Mirror: s.m, Retrieve: s.engine, Complete: s.set.Complete, Now: s.now})
	require.NoError(t, err)
	return s
}

func (s *stage) sync() {
	s.t.Helper()
	for _, name := range s.set.Names() {
		_, err := s.set.Sync(s.ctx, name, false, nil)
		require.NoError(s.t, err)
	}
	require.NoError(s.t, s.x.Follow(s.ctx))
}

// The people of the acceptance cases (permissions 5). The connecting account is
// named in every restriction: what it does not see is not mirrored.
const people = `{"kind":"site","name":"One","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":false}
{"kind":"group","id":"g-staff","name":"staff"}
{"kind":"group","id":"g-a","name":"A"}
{"kind":"group","id":"g-a1","name":"A1","parent":"A"}
{"kind":"group","id":"g-b","name":"B"}
{"kind":"group","id":"g-sup","name":"supers"}
{"kind":"user","id":"u-ann","username":"ann","name":"Ann","email":"ann@acme.test","groups":["staff","A"],"token":"t-ann"}
{"kind":"user","id":"u-bob","username":"bob","name":"Bob","email":"bob@acme.test","groups":["staff","B"],"token":"t-bob"}
{"kind":"user","id":"u-cid","username":"cid","name":"Cid","email":"cid@acme.test","groups":["staff","A","B"],"token":"t-cid"}
{"kind":"user","id":"u-dan","username":"dan","name":"Dan","email":"dan@acme.test","groups":["A"],"token":"t-dan"}
{"kind":"user","id":"u-eve","username":"eve","name":"Eve","email":"eve@acme.test","groups":["staff"],"active":false,"token":"t-eve"}
{"kind":"user","id":"u-fay","username":"fay","name":"Fay","email":"fay@acme.test","groups":["staff","A1"],"token":"t-fay"}
{"kind":"user","id":"u-sue","username":"sue","name":"Sue","email":"sue@acme.test","groups":["staff","supers"],"token":"t-sue"}
{"kind":"user","id":"u-gus","username":"gus","name":"Gus","email":"gus@guest.test","account":"guest","groups":[],"token":"t-gus"}
{"kind":"user","id":"u-bot","username":"bot","name":"Bot","email":"bot@acme.test","groups":["staff","A","B"],"admin":true,"token":"t-bot"}
{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"group:staff","op":"read"},{"to":"user:u-bot","op":"read"}]}
{"kind":"space","id":"20","key":"S2","name":"S2","type":"global","grants":[{"to":"anonymous","op":"read"}]}
{"kind":"space","id":"30","key":"S3","name":"S3","type":"global","grants":[{"to":"group:A","op":"read"},{"to":"user:u-bot","op":"read"}]}
`

// second is the other integration: b2 and the account are in a group A of it.
const second = `{"kind":"site","name":"Two","cloud_id":"22222222-2222-4222-8222-222222222222","anonymous":false}
{"kind":"group","id":"g2-a","name":"A"}
{"kind":"user","id":"u-b2","username":"b2","name":"Bob","email":"bob@acme.test","groups":["A"],"token":"t-b2"}
{"kind":"user","id":"u-bot","username":"bot","name":"Bot","email":"bot@acme.test","groups":["A"],"admin":true,"token":"t-bot"}
{"kind":"space","id":"10","key":"T","name":"T","type":"global","grants":[{"to":"group:A","op":"read"}]}
{"kind":"content","id":"7001","type":"page","space":"T","title":"Page 7001","storage":"<p>word7001</p>","read":["group:A"]}
{"kind":"content","id":"97001","type":"attachment","space":"T","parent":"7001","title":"f7001.txt","media_type":"text/plain","data":"eA=="}
`

// The pages of the cases: P, C below it, G below that; a second page in S, one
// in each other space, a folder and a page in it.
const (
	pP, pC, pG, pX, pS2, pS3, pBelow, pOther = "1001", "1002", "1003", "1004", "2001", "3001", "1006", "7001"
	folder                                   = "1005"
)

// page is a line of a page. read is what its restriction names beside the
// account, "" for none.
func page(id, space, parent, read string) string {
	storage := "<p>word" + id + "</p>"
	clause := `"read":[]`
	if read != "" {
		clause = `"read":["` + strings.Join(append(strings.Split(read, ","), "user:u-bot"), `","`) + `"]`
	}
	return fmt.Sprintf(`{"kind":"content","id":%q,"type":"page","space":%q,"parent":%q,"title":"Page %s","storage":%q,%s}`, id, space, parent, id, storage, clause)
}

func file(page, space string) string {
	id := "9" + page
	return fmt.Sprintf(`{"kind":"content","id":%q,"type":"attachment","space":%q,"parent":%q,"title":"f%s.txt","media_type":"text/plain","data":"eA=="}`, id, space, page, page)
}

// fileOf is the id of the file of a page.
func fileOf(page string) string {
	return "att9" + page
}

// tree is P, C and G with their restrictions.
func tree(p, c, g string) []string {
	return []string{page(pP, "S", "", p), page(pC, "S", pP, c), page(pG, "S", pC, g)}
}

func openTo(anonymous bool) string {
	return fmt.Sprintf(`{"kind":"site","name":"One","cloud_id":"11111111-1111-4111-8111-111111111111","anonymous":%t}`, anonymous)
}

func member(id, groups string) string {
	return fmt.Sprintf(`{"kind":"user","id":"u-%s","username":%q,"name":%q,"email":"%s@acme.test","groups":[%s],"token":"t-%s"}`, id, id, id, id, groups, id)
}

type ask struct {
	who  identity.Caller
	page string
	sees bool
}

func i1(id string, access ...string) identity.Caller {
	return identity.Caller{Agent: "desk", Kind: identity.User, Integration: "I1", AccountID: id, Access: access, Transport: identity.HTTP}
}

func i2(id string) identity.Caller {
	c := i1(id)
	c.Integration = "2"
	return c
}

// TestAcceptanceCases are the numbered cases of permissions 5 through all that
// answers. Each step is a change of the site and a sync. Elsewhere: 36 (package
// ingest: which roles read), 37 where an answer is cut off (package guard), 38 and 39
// (below and TestHiddenIsLikeAbsent), 40 (package registry).
func TestAcceptanceCases(t *testing.T) {
	yes := func(who identity.Caller, page string) ask { return ask{who, page, true} }
	no := func(who identity.Caller, page string) ask { return ask{who, page, false} }
	steps := func(s ...[]string) [][]string { return s }
	inS2 := page(pS2, "S2", "", "")
	for _, c := range []struct {
		number string
		steps  [][]string
		after  func(s *stage)
		asks   []ask
	}{
		{"1", steps(tree("", "", "")), nil, []ask{yes(i1("u-ann"), pP), yes(i1("ann@acme.test"), pG)}},
		{"2", steps(tree("", "", "")), nil, []ask{no(i1("u-dan"), pP)}},
		{"3", steps(tree("group:A", "", "")), nil, []ask{yes(i1("u-ann"), pP), no(i1("u-bob"), pP)}},
		{"4", steps(tree("group:A", "group:B", "")), nil, []ask{no(i1("u-bob"), pC), no(i1("u-ann"), pC), no(i1("u-bob"), pG)}},
		{"5", steps(tree("group:A", "group:B", "")), nil, []ask{yes(i1("u-cid"), pC), yes(i1("u-cid"), pG)}},
		{"6", steps(tree("group:A", "", "user:u-bob")), nil, []ask{no(i1("u-bob"), pG)}},
		{"7", steps(tree("group:A", "user:u-ann", "")), nil, []ask{yes(i1("u-ann"), pC)}},
		{"8", steps(tree("group:A,user:u-bob", "", "")), nil, []ask{yes(i1("u-bob"), pP)}},
		{"9", steps(tree("group:A", "", "")), nil, []ask{no(i1("u-dan"), pP)}},
		{"10", steps(tree("group:A", "group:B", ""), tree("", "group:B", "")), nil, []ask{yes(i1("u-bob"), pC), no(i1("u-ann"), pC)}},
		{"11", steps(append(tree("group:A", "", ""), page(pX, "S", "", "")), []string{page(pX, "S", pP, "")}), nil, []ask{no(i1("u-bob"), pX), yes(i1("u-ann"), pX)}},
		{"12", steps(append(tree("group:A", "", ""), page(pX, "S", "", "")), []string{page(pX, "S", pP, "")}, []string{page(pX, "S", "", "")}), nil, []ask{yes(i1("u-bob"), pX)}},
		{"13", steps(tree("group:A", "", ""), []string{member("ann", `"staff"`)}), nil, []ask{no(i1("u-ann"), pP)}},
		{"14", steps(tree("", "", ""), []string{`{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"user:u-ann","op":"read"},{"to":"user:u-bot","op":"read"}]}`}), nil,
			[]ask{no(i1("u-cid"), pP), yes(i1("u-ann"), pP)}},
		{"15", steps([]string{openTo(true), inS2}), nil, []ask{yes(nobody(), pS2)}},
		{"16", steps([]string{openTo(true), page(pS2, "S2", "", "group:A")}), nil, []ask{no(nobody(), pS2), yes(i1("u-ann"), pS2)}},
		{"17", steps([]string{inS2}), nil, []ask{no(nobody(), pS2)}},
		{"18", steps(tree("group:A", "", "")), nil, []ask{no(i1("u-bob"), pC), yes(i1("u-ann"), pC)}},
		{"19", steps([]string{strings.Replace(page(pP, "S", "", ""), `"read":[]`, `"update":["group:A"]`, 1)}), nil, []ask{yes(i1("u-bob"), pP)}},
		{"20", steps(tree("", "", "")), nil, []ask{yes(i1("u-bob"), pP)}},
		{"21", steps(tree("user:u-stranger", "", "")), nil, []ask{no(i1("u-ann"), pP)}},
		{"22", steps(tree("group:A", "", ""), []string{member("ann", `"staff"`)}, tree("", "", "")), nil, []ask{yes(i1("u-ann"), pP)}},
		{"23", steps(append(tree("", "", ""), openTo(true), inS2)), nil, []ask{no(i1("zzz"), pP), yes(i1("zzz"), pS2)}},
		{"24", steps(append(tree("", "", ""), openTo(true), inS2)), nil, []ask{no(nobody(), pP), yes(nobody(), pS2)}},
		{"25", steps(append(tree("group:A", "", ""), page(pS3, "S3", "", ""))), nil, []ask{no(i1("u-eve", "group-A", "group-staff"), pP), no(i1("u-eve", "group-A"), pS3), no(nobody("user-u-eve", "group-A"), pS3)}},
		{"26", steps(append(tree("group:A", "", ""), page(pS3, "S3", "", "group:A"))), nil, []ask{no(nobody("group-A"), pP), yes(nobody("group-A"), pS3)}},
		{"27", steps(tree("group:A", "", "")), nil, []ask{yes(nobody("group-A", "group-staff"), pP), yes(nobody("1:group-A", "group-staff"), pP), no(nobody("2:group-A", "group-staff"), pP)}},
		{"28", steps(tree("group:A", "", "")), nil, []ask{no(i1("u-bob"), pP), no(i1("bob@acme.test"), pP), yes(i2("u-b2"), pOther), yes(i2("bob@acme.test"), pOther), no(i2("u-b2"), pP)}},
		{"30", steps(tree("group:A", "", ""), []string{`{"kind":"fault","match":"GET /wiki/rest/api/group/g-a/*","action":{"status":503}}`}), nil, []ask{yes(i1("u-ann"), pP)}},
		{"31 forbidden", steps(append(tree("", "", ""), unreadable(403))), nil, []ask{no(i1("u-ann"), pP), no(i1("u-ann"), pC), no(i1("u-cid"), pG)}},
		{"31 broken", steps(append(tree("", "", ""), unreadable(500))), nil, []ask{no(i1("u-ann"), pP), no(i1("u-ann"), pG)}},
		{"32", steps([]string{fmt.Sprintf(`{"kind":"content","id":%q,"type":"folder","space":"S","title":"Folder"}`, folder), page(pBelow, "S", folder, "")}), nil, []ask{no(i1("u-ann"), pBelow)}},
		{"32 trust", steps([]string{fmt.Sprintf(`{"kind":"content","id":%q,"type":"folder","space":"S","title":"Folder"}`, folder), page(pBelow, "S", folder, "")}),
			func(s *stage) { s.rule(func(i *guard.Integration) { i.Opaque = guard.TrustOpaque }) }, []ask{yes(i1("u-ann"), pBelow), no(i1("u-dan"), pBelow)}},
		{"32 verify", steps([]string{folderOf("group:A"), page(pBelow, "S", folder, "")}), verifying, []ask{yes(i1("u-ann"), pBelow), yes(i1("u-cid"), pBelow), no(i1("u-bob"), pBelow), no(i1("u-dan"), pBelow), no(nobody("group-A", "group-staff"), pBelow)}},
		{"32 verify, opened", steps([]string{folderOf(""), page(pBelow, "S", folder, "user:u-bob")}), verifying, []ask{yes(i1("u-bob"), pBelow), no(i1("u-ann"), pBelow)}},
		{"33", steps(tree("group:A", "", "")), nil, []ask{yes(i1("u-fay"), pP)}},
		{"34 off", steps(tree("user:u-ann", "", "")), nil, []ask{no(i1("u-sue"), pP)}},
		{"34 on", steps(tree("user:u-ann", "", "")), func(s *stage) { s.rule(func(i *guard.Integration) { i.SuperGroup = "g-sup" }) }, []ask{yes(i1("u-sue"), pP), no(i1("u-bob"), pP)}},
		{"35", steps(append(tree("", "", ""), `{"kind":"space","id":"10","key":"S","name":"S","type":"global","grants":[{"to":"class:all-licensed-users","op":"read"}]}`)), nil,
			[]ask{yes(i1("u-dan"), pP), no(i1("u-gus"), pP), no(nobody("group-staff"), pP)}},
		{"37 where the list goes on", steps([]string{`{"kind":"legacy_v1","status":404}`, page(pP, "S", "", many(250))}), nil, []ask{yes(i1("u-ann"), pP), no(i1("u-cid"), pP)}},
	} {
		t.Run(c.number, func(t *testing.T) {
			s := newStage(t, people, second)
			for _, step := range c.steps {
				s.apply(step)
				s.sync()
			}
			if c.after != nil {
				c.after(s)
			}
			for _, a := range c.asks {
				s.check(a)
			}
		})
	}
}

// folderOf is the folder, with what its restriction names beside the account.
func folderOf(read string) string {
	return strings.Replace(page(folder, "S", "", read), `"type":"page"`, `"type":"folder"`, 1)
}

func verifying(s *stage) { s.rule(func(i *guard.Integration) { i.Opaque = guard.VerifyOpaque }) }

// What Confluence says of a page that was moved out of a folder since the last
// pass says nothing of what stands in it.
func TestAMovedPageVouchesForNoOther(t *testing.T) {
	s := newStage(t, people, second)
	s.apply([]string{folderOf("group:A"), page(pBelow, "S", folder, ""), page(pX, "S", folder, "")})
	s.sync()
	verifying(s)
	s.e.Apply(page(pX, "S", "", ""))
	for _, id := range []string{pX, pBelow} {
		s.check(ask{i1("u-bob"), id, false})
	}
	s.sync()
	verifying(s) // the pass has told the mirror the rule of the settings again
	s.check(ask{i1("u-bob"), pX, true})
	s.check(ask{i1("u-bob"), pBelow, false})
	s.check(ask{i1("u-ann"), pBelow, true})
}

// apply changes the first site; every page gets a file.
func (s *stage) apply(lines []string) {
	s.t.Helper()
	s.e.Apply(lines...)
	for _, l := range lines {
		for _, id := range []string{pP, pC, pG, pX, pS2, pS3, pBelow} {
			if strings.Contains(l, `"id":"`+id+`"`) && strings.Contains(l, `"page"`) {
				s.e.Apply(file(id, l[strings.Index(l, `"space":"`)+9:][:strings.Index(l[strings.Index(l, `"space":"`)+9:], `"`)]))
			}
		}
	}
}

func unreadable(status int) string {
	return fmt.Sprintf(`{"kind":"legacy_v1","status":404}`+"\n"+`{"kind":"fault","match":"GET /wiki/rest/api/content/%s/restriction*","action":{"status":%d,"body":{"message":"no"}}}`, pP, status)
}

// many are subjects of which ann is the last.
func many(n int) string {
	var out []string
	for i := range n - 1 {
		out = append(out, fmt.Sprintf("user:u-aa%d", i))
	}
	return strings.Join(append(out, "user:u-ann"), ",")
}

// rule changes how the mirror shows the first integration.
func (s *stage) rule(change func(*guard.Integration)) {
	s.t.Helper()
	i, err := s.m.Writer().Integration(s.ctx, 1)
	require.NoError(s.t, err)
	change(&i)
	require.NoError(s.t, s.m.Writer().SetIntegration(s.ctx, i))
}

// check asks all that answers whether a caller sees a page.
func (s *stage) check(a ask) {
	s.t.Helper()
	about := fmt.Sprintf("%s %q %v, page %s", a.who.Kind, a.who.AccountID, a.who.Access, a.page)
	seen := func(how string, got bool) { s.t.Helper(); assert.Equal(s.t, a.sees, got, "%s: %s", about, how) }

	found, err := s.engine.Query(s.ctx, a.who, retrieve.Question{Text: "word" + a.page})
	require.NoError(s.t, err, about)
	seen("search", hasResult(found, a.page))
	assert.Len(s.t, found.Results, found.Total, "%s: total", about)
	every, err := s.engine.Query(s.ctx, a.who, retrieve.Question{Text: "*", Limit: 100})
	require.NoError(s.t, err, about)
	seen("everything", hasResult(every, a.page))

	site, err := s.sites.For(s.ctx, a.who)
	require.NoError(s.t, err, about)
	hits, err := site.Search(s.ctx, confluence.Search{CQL: "type = page", Terms: &confluence.Terms{Text: "word" + a.page}})
	require.NoError(s.t, err, about)
	seen("search tool", slices.Contains(hitIDs(hits.Items), a.page))
	for how, from := range map[string]tools.Site{"mirror": site, "live": liveOf(site)} {
		_, err = from.Page(s.ctx, a.page, storage)
		seen("page, "+how, err == nil)
		_, err = from.Attachments(s.ctx, a.page, confluence.TypePage, confluence.Paging{})
		seen("files, "+how, err == nil)
		_, err = from.Attachment(s.ctx, fileOf(a.page))
		seen("file, "+how, err == nil)
		seen("list, "+how, s.listed(from, a.page))
	}
	raw, err := site.Search(s.ctx, confluence.Search{CQL: `type = page AND text ~ "word` + a.page + `"`})
	require.NoError(s.t, err, about)
	seen("raw CQL", slices.Contains(hitIDs(raw.Items), a.page))
}

func hasResult(a retrieve.Answer, page string) bool {
	return slices.ContainsFunc(a.Results, func(r retrieve.Result) bool { return r.PageID == page })
}

// liveOf is the site with every question asked of Confluence.
func liveOf(site tools.Site) tools.Site {
	if c, ok := site.(interface{ Live() tools.Site }); ok {
		return c.Live()
	}
	return site
}

// listed lists every space the caller has, and reports whether a page is there.
func (s *stage) listed(site tools.Site, page string) bool {
	s.t.Helper()
	spaces, err := site.Spaces(s.ctx, confluence.SpaceFilter{}, confluence.Paging{Limit: 50})
	require.NoError(s.t, err)
	for _, sp := range spaces.Items {
		l, err := site.Pages(s.ctx, confluence.PageFilter{SpaceID: sp.ID, Status: confluence.StatusCurrent}, confluence.Paging{Limit: 100})
		require.NoError(s.t, err)
		if slices.Contains(pageIDs(l.Items), page) {
			return true
		}
	}
	return false
}

// Case 29: a group is its id; its name is what attributes say.
func TestAcceptanceCase29RenamedGroup(t *testing.T) {
	s := newStage(t, people, second)
	s.apply(tree("group:A", "", ""))
	s.sync()
	s.check(ask{nobody("group-A", "group-staff"), pP, true})
	require.NoError(t, s.m.Writer().SetGroups(s.ctx, []guard.Membership{{Integration: 1, ID: "g-a", Name: "A2"}}))
	for _, a := range []ask{{i1("u-ann"), pP, true}, {nobody("group-A", "group-staff"), pP, false}, {nobody("group-A2", "group-staff"), pP, true}} {
		s.check(a)
	}
}

// Case 38: a cursor shows nothing that was closed since it was made.
func TestAcceptanceCase38TightenedBetweenTwoPages(t *testing.T) {
	s := newStage(t, people, second)
	s.apply(tree("", "", ""))
	s.sync()
	q := retrieve.Question{Text: "*", Limit: 1, Integration: "I1"}
	first, err := s.engine.Query(s.ctx, i1("u-cid"), q)
	require.NoError(t, err)
	assert.Equal(t, 3, first.Total)
	s.apply([]string{page(pP, "S", "", "user:u-ann")})
	s.sync()
	q.Cursor = first.Next
	next, err := s.engine.Query(s.ctx, i1("u-cid"), q)
	require.NoError(t, err)
	assert.Empty(t, next.Results)
	assert.Zero(t, next.Total)
}
