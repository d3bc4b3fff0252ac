package cql_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/emulator/cql"
)

// doc is a document as a map; values are lower-cased already.
type doc struct {
	fields map[string][]string
	times  map[string]time.Time
}

func (d doc) Has(field, value string) bool {
	if field == "title" {
		return d.Plain("title") == value
	}
	return slices.Contains(d.fields[field], value)
}
func (d doc) Plain(field string) string         { return strings.Join(d.fields[field], " ") }
func (d doc) Time(field string) time.Time       { return d.times[field] }
func at(s string) time.Time                     { t, _ := time.Parse("2006-01-02 15:04:05", s); return t }
func env() cql.Env                              { return cql.Env{User: "U-Ann", Now: at("2026-03-04 12:00:00")} }
func page(id, title, body string) (string, doc) { return id, newDoc("page", "eng", id, title, body) }

func newDoc(typ, space, id, title, body string) doc {
	return doc{fields: map[string][]string{
		"type": {typ}, "space": {space}, "id": {id}, "title": {title}, "text": {title + "\n" + body},
		"space.title": {"engineering"}, "space.type": {"global"}, "creator": {"u-ann"},
	}, times: map[string]time.Time{"created": at("2026-01-02 03:04:05"), "lastmodified": at("2026-03-04 09:30:30")}}
}

func library() map[string]doc {
	docs := map[string]doc{}
	add := func(id string, d doc) doc { docs[id] = d; return d }
	d := add(page("10", "deploy runbook", "how we are deploying the blue server on fridays"))
	d.fields["label"] = []string{"runbook", "ops"}
	d.fields["ancestor"] = []string{"1", "2"}
	d.fields["parent"] = []string{"2"}
	d = add(page("11", "canteen", "monday: soup with bread; the server is friendly"))
	d.fields["creator"] = []string{"u-bob"}
	d.fields["contributor"] = []string{"u-bob", "u-ann"}
	d.times["lastmodified"] = at("2025-12-31 23:59:59")
	add("12", newDoc("blogpost", "hr", "12", "サーバーの再起動", "夜間に再起動します"))
	d = add("att13", newDoc("attachment", "eng", "att13", "plan.pdf", ""))
	d.fields["container"] = []string{"10"}
	return docs
}

func find(t *testing.T, text string) []string {
	t.Helper()
	q, err := cql.Parse(text, env())
	require.NoError(t, err)
	got := []string{}
	for id, d := range library() {
		if q.Match(d) {
			got = append(got, id)
		}
	}
	slices.Sort(got)
	return got
}

func TestQueriesFindWhatTheySay(t *testing.T) {
	all := []string{"10", "11", "12", "att13"}
	for query, want := range map[string][]string{
		`type = page`:                                            {"10", "11"},
		`TYPE=PAGE`:                                              {"10", "11"},
		`type in (page, "blogpost")`:                             {"10", "11", "12"},
		`type not in (page, blogpost)`:                           {"att13"},
		`type != page`:                                           {"12", "att13"},
		`type = whiteboard`:                                      {},
		`text ~ "server AND blue"`:                               {"10"},
		`space = ENG and type = page`:                            {"10", "11"},
		`space.key = "eng" AND type != page`:                     {"att13"},
		`space = NOWHERE`:                                        {},
		`space = ~ann`:                                           {},
		`space.title ~ engin`:                                    {},
		`space.title ~ "engineering"`:                            all,
		`space.type = global`:                                    all,
		`title = "Deploy Runbook"`:                               {"10"},
		`title = "Deploy"`:                                       {},
		`title ~ "runbooks deploys"`:                             {"10"},
		`title ~ deployment`:                                     {"10"},
		`title !~ deploy`:                                        {"11", "12", "att13"},
		`text ~ "server blue"`:                                   {"10"},
		`text ~ server`:                                          {"10", "11"},
		`text ~ serv`:                                            {},
		`text ~ "serv*"`:                                         {"10", "11"},
		`text ~ "s?rver"`:                                        {"10", "11"},
		`text ~ "\"blue server\""`:                               {"10"},
		`text ~ "\"server blue\""`:                               {},
		`text ~ "\"soup with bread the\""`:                       {"11"},
		`text ~ 再起動`:                                             {"12"},
		`text !~ server`:                                         {"12", "att13"},
		`siteSearch ~ "server"`:                                  {"10", "11"},
		`label = runbook`:                                        {"10"},
		`label in (ops, hr)`:                                     {"10"},
		`label != runbook`:                                       {"11", "12", "att13"},
		`ancestor = 1`:                                           {"10"},
		`parent = 1`:                                             {},
		`parent = 2`:                                             {"10"},
		`creator = currentUser()`:                                {"10", "12", "att13"},
		`contributor = "u-ann"`:                                  {"11"},
		`id in (10, 12, 99)`:                                     {"10", "12"},
		`content = 10`:                                           {"10"},
		`container = 10`:                                         {"att13"},
		`created >= "2026-01-02"`:                                all,
		`created > "2026-01-02 03:05"`:                           {},
		`created = "2026-01-02"`:                                 all,
		`created = 2026/01/02`:                                   all,
		`created != "2026-01-02"`:                                {},
		`lastModified = "2026-03-04 09:30"`:                      {"10", "12", "att13"},
		`lastmodified < "2026-01-01"`:                            {"11"},
		`lastmodified <= "2025-12-31 23:59"`:                     {},
		`lastmodified >= now("-4h")`:                             {"10", "12", "att13"},
		`lastmodified >= now("-30m")`:                            {},
		`lastmodified >= startOfDay()`:                           {"10", "12", "att13"},
		`lastmodified >= startOfDay("+1d")`:                      {},
		`lastmodified < startOfYear()`:                           {"11"},
		`lastmodified <= endOfYear("-1y")`:                       {"11"},
		`created >= startOfMonth("-2M")`:                         all,
		`created >= startOfWeek(-9)`:                             all,
		`created >= startOfWeek("-8w")`:                          {},
		`mention = currentUser()`:                                {},
		`watcher = currentUser()`:                                {},
		`space in favouriteSpaces()`:                             {},
		`not type = page`:                                        {"12", "att13"},
		`type=page and not label=ops`:                            {"11"},
		`type=blogpost or type=page and id=10`:                   {"10", "12"},
		`(type=blogpost or type=page) and id=10`:                 {"10"},
		`type = page and siteSearch ~ "soup" and space = eng`:    {"10", "11"},
		`siteSearch ~ "soup" and type = page and space = eng`:    {"11"},
		`type = page and siteSearch ~ "soup"`:                    {"11"},
		`type = page AND text ~ soup ORDER BY title DESC, id`:    {"11"},
		`order by lastmodified`:                                  all,
		`id = 10 OR (id = 11 AND (NOT (NOT (title ~ canteen))))`: {"10", "11"},
	} {
		t.Run(query, func(t *testing.T) { assert.Equal(t, want, find(t, query)) })
	}
}

func TestBadQueriesAreRefusedWithAReason(t *testing.T) {
	deep := strings.Repeat("(", 70) + "id=1" + strings.Repeat(")", 70)
	for query, says := range map[string]string{
		``:                                       "empty",
		`   `:                                    "empty",
		`type`:                                   "unexpected end",
		`type =`:                                 "unexpected end",
		`type = page and`:                        "unexpected end",
		`type = page space = x`:                  `unexpected "space"`,
		`(type = page`:                           "unexpected end",
		`type = "page`:                           "not closed",
		`type = "page\`:                          "backslash",
		`status = current`:                       "No field exists with the name: 'status'\nDid you mean one of : ancestor,",
		`user.fullname ~ ann`:                    "not supported by this search",
		`user = "u-ann"`:                         "not supported by this search",
		`type = spaceship`:                       "Unsupported value for type, got : spaceship, expected one of : [space, user, page",
		`type > page`:                            "operator > is not supported",
		`text = x`:                               "operator = is not supported",
		`type ~ page`:                            "operator ~ is not supported",
		`created ~ x`:                            "operator ~ is not supported",
		`created = "yesterday"`:                  "bad date",
		`created > now("4 fortnights")`:          "bad date increment",
		`created > startOfHour()`:                "unknown function",
		`creator = nobody()`:                     "unknown function",
		`type in (page`:                          "unexpected end",
		`type in (page page)`:                    "unexpected",
		`text ~ ""`:                              "something to search",
		`title = x order title`:                  "unexpected",
		`title = x order by label`:               "cannot order",
		`title = x order by nothing`:             "No field exists",
		`title = ""`:                             "is empty",
		`title = $x`:                             "unexpected character",
		deep:                                     "nested deeper",
		"id=1" + strings.Repeat(" or id=1", 600): "more than 512 clauses",
		`text ~ "` + strings.Repeat("a ", 100) + `"`:    "too many search terms",
		`id in (` + strings.Repeat("1,", 1500) + `1)`:   "more than 1000 values",
		`title = "` + strings.Repeat("x", 17<<10) + `"`: "longer than",
	} {
		name := query[:min(len(query), 40)]
		t.Run(name, func(t *testing.T) {
			_, err := cql.Parse(query, env())
			var bad *cql.Error
			require.ErrorAs(t, err, &bad)
			assert.True(t, strings.HasPrefix(bad.Reason, "Could not parse cql : "), bad.Reason)
			assert.Contains(t, bad.Reason, says)
		})
	}
}

func TestEmptySiteSearchCrashesTheServer(t *testing.T) {
	_, err := cql.Parse(`siteSearch ~ ""`, env())
	assert.ErrorIs(t, err, cql.ErrCrash)
}

func TestUserSearchKnowsOnlyUserFields(t *testing.T) {
	e := env()
	e.Users = true
	ann := doc{fields: map[string][]string{"type": {"user"}, "user": {"u-ann"}, "user.fullname": {"ann arbor"}}}
	for query, want := range map[string]bool{
		`user.fullname ~ "arb*"`: true, `user.fullname ~ ann`: true, `user.fullname ~ bob`: false,
		`user.accountid = "U-ANN"`: true, `type = user`: true, `user = currentUser()`: true, `user != currentUser()`: false,
	} {
		q, err := cql.Parse(query, e)
		require.NoError(t, err, query)
		assert.Equal(t, want, q.Match(ann), query)
	}
	_, err := cql.Parse(`title = x`, e)
	assert.ErrorContains(t, err, "Did you mean one of : type, user")
}

func TestOrderingAndRank(t *testing.T) {
	docs := library()
	q, err := cql.Parse(`type = page order by lastmodified desc, id`, env())
	require.NoError(t, err)
	assert.Negative(t, q.Compare(docs["10"], docs["11"]))
	assert.Zero(t, q.Compare(docs["10"], docs["10"]))
	assert.True(t, q.Ordered())

	q, err = cql.Parse(`id > 1`, env())
	assert.Error(t, err)
	assert.Nil(t, q)

	q, err = cql.Parse(`siteSearch ~ "Deploy server"`, env())
	require.NoError(t, err)
	assert.Equal(t, []string{"deploy", "server"}, q.Terms())
	assert.Greater(t, q.Rank(docs["10"]), q.Rank(docs["11"]))
	assert.False(t, q.Ordered())
	assert.True(t, q.Ranked())

	q, err = cql.Parse(`type in (page, space) and not type = comment`, env())
	require.NoError(t, err)
	assert.Equal(t, []string{"page", "space", "comment"}, q.Types())
	assert.False(t, q.Ranked())
}

func TestLiteralsAreReadInTheZone(t *testing.T) {
	e := env()
	e.Zone = time.FixedZone("east", 2*3600)
	d := library()["10"] // created 03:04:05 UTC, 05:04:05 there
	q, err := cql.Parse(`created = "2026-01-02 05:04"`, e)
	require.NoError(t, err)
	assert.True(t, q.Match(d))
}

// clause draws a valid clause without siteSearch, whose quirk breaks algebra.
func clause() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{
		`type = page`, `space != eng`, `title ~ deploy`, `text ~ "server"`, `label in (ops, x)`, `creator = currentUser()`,
		`lastmodified > now("-4h")`, `not id = 10`, `(id = 10 or id = 12)`, `text !~ soup`, `container = 10`,
	})
}

func TestAlgebra(t *testing.T) {
	docs := library()
	same := func(rt *rapid.T, a, b string) {
		x, err := cql.Parse(a, env())
		require.NoError(rt, err)
		y, err := cql.Parse(b, env())
		require.NoError(rt, err)
		for id, d := range docs {
			assert.Equal(rt, x.Match(d), y.Match(d), "%s: %s <> %s", id, a, b)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := clause().Draw(rt, "a"), clause().Draw(rt, "b")
		same(rt, a, "NOT NOT "+a)
		same(rt, a+" AND "+b, b+" AND "+a)
		same(rt, a+" OR "+b, b+" OR "+a)
		same(rt, "NOT ("+a+" AND "+b+")", "(NOT "+a+") OR NOT "+b)
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`type = page and text ~ "a \"b c\" d*"`, `created >= now("-4h") order by id desc`,
		`((`, `siteSearch ~ ""`, `space = ~x`, `id in (1,2`, "title ~ \"\x80*?\"", `not not not`} {
		f.Add(s)
	}
	d := library()["10"]
	f.Fuzz(func(t *testing.T, text string) {
		q, err := cql.Parse(text, env())
		if err == nil {
			q.Match(d)
			q.Rank(d)
			q.Compare(d, d)
		}
	})
}
