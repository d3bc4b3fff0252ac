package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator"
	v1 "confluence-mcp/internal/emulator/v1"
	v2 "confluence-mcp/internal/emulator/v2"
	"confluence-mcp/internal/emulator/wire"
)

// hiddenSite is a site in which every text that begins with "qzx" stands in
// something that u-out may not see and u-in may: below a restricted page, in a
// space without a grant, in a draft, in the trash, in an old version.
const hiddenSite = `{"kind":"site","name":"Hidden","anonymous":true}
{"kind":"group","id":"g-all","name":"all"}
{"kind":"group","id":"g-in","name":"in"}
{"kind":"user","id":"u-in","username":"in","email":"in@x.test","groups":["all","in"],"admin":true,"token":"in-token"}
{"kind":"user","id":"u-out","username":"out","email":"out@x.test","groups":["all"],"token":"out-token"}
{"kind":"space","id":"1","key":"OPEN","name":"Open","grants":[{"to":"group:all","op":"write"},{"to":"anonymous","op":"read"}]}
{"kind":"space","id":"2","key":"SHUT","name":"qzxspace","description":"qzxdescription","grants":[{"to":"group:in","op":"write"}]}
{"kind":"template","id":"31","space":"SHUT","name":"qzxtemplate","storage":"<p>qzxtemplatebody</p>"}
{"kind":"content","id":"10","type":"page","space":"OPEN","title":"Home","author":"u-in","storage":"<p>home</p>"}
{"kind":"content","id":"11","type":"page","space":"OPEN","parent":"10","title":"qzxoldtitle","author":"u-in","storage":"<p>qzxoldbody</p>","read":["group:in"]}
{"kind":"content","id":"12","type":"page","space":"OPEN","parent":"11","title":"qzxchild","author":"u-in","storage":"<p>qzxchildbody</p>","labels":["qzxchildlabel"]}
{"kind":"content","id":"13","type":"folder","space":"OPEN","parent":"11","title":"qzxfolder","author":"u-in"}
{"kind":"content","id":"14","type":"page","space":"OPEN","parent":"13","title":"qzxinfolder","author":"u-in","storage":"<p>qzxinfolderbody</p>"}
{"kind":"content","id":"15","type":"page","space":"OPEN","parent":"11","title":"qzxtrash","status":"trashed","author":"u-in","storage":"<p>qzxtrashbody</p>"}
{"kind":"content","id":"16","type":"page","space":"OPEN","parent":"11","title":"qzxarchive","status":"archived","author":"u-in","storage":"<p>qzxarchivebody</p>"}
{"kind":"content","id":"17","type":"page","space":"OPEN","parent":"10","title":"qzxdraft","status":"draft","author":"u-in","storage":"<p>qzxdraftbody</p>"}
{"kind":"content","id":"18","type":"blogpost","space":"OPEN","title":"qzxblog","author":"u-in","storage":"<p>qzxblogbody</p>","labels":["qzxbloglabel"],"read":["group:in"]}
{"kind":"content","id":"19","type":"page","space":"SHUT","title":"qzxhome","author":"u-in","storage":"<p>qzxhomebody</p>"}
{"kind":"content","id":"21","type":"comment","parent":"11","author":"u-in","storage":"<p>qzxcomment</p>"}
{"kind":"content","id":"22","type":"comment","parent":"21","author":"u-in","storage":"<p>qzxreply</p>"}
{"kind":"content","id":"23","type":"comment","parent":"18","author":"u-in","storage":"<p>qzxblogcomment</p>"}
{"kind":"content","id":"att24","type":"attachment","parent":"11","title":"qzxfile.txt","author":"u-in","media_type":"text/plain","data":"cXp4ZGF0YQ==","labels":["qzxfilelabel"]}
{"kind":"content","id":"att25","type":"attachment","parent":"18","title":"qzxblogfile.txt","author":"u-in","data":"cXp4"}
{"kind":"content","id":"26","type":"page","space":"OPEN","parent":"11","title":"Moved out","author":"u-in","storage":"<p>m</p>"}
{"kind":"content","id":"27","type":"page","space":"OPEN","parent":"10","title":"qzxwasopen","author":"u-in","storage":"<p>qzxwasopenbody</p>"}
{"kind":"content","id":"28","type":"comment","parent":"27","author":"u-in","storage":"<p>qzxwasopencomment</p>"}
{"kind":"content","id":"29","type":"page","space":"OPEN","parent":"10","title":"Visible","author":"u-in","storage":"<p>v</p><ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\">Inner</ac:parameter></ac:structured-macro><ac:structured-macro ac:name=\"excerpt-include\"><ac:parameter ac:name=\"\">Inner</ac:parameter></ac:structured-macro>"}
{"kind":"content","id":"att30","type":"attachment","parent":"29","title":"visible.txt","author":"u-in","data":"dg=="}
{"kind":"content","id":"33","type":"page","space":"OPEN","parent":"11","title":"Inner","author":"u-in","storage":"<p>qzxincluded</p><ac:structured-macro ac:name=\"excerpt\"><ac:parameter ac:name=\"hidden\">true</ac:parameter><ac:rich-text-body><p>qzxexcerpt</p></ac:rich-text-body></ac:structured-macro>"}
{"kind":"content","id":"32","type":"page","space":"OPEN","parent":"11","title":"qzxlong","author":"u-in"}`

// latelyHidden happens while the search index is an hour behind: what it still
// shows of a page must not outlive the right to see it.
const latelyHidden = `{"kind":"cql_lag","seconds":3600}
{"kind":"content","id":"11","title":"qzxtitle","storage":"<p>qzxbody <ac:inline-comment-marker ac:ref=\"x\">qzxmarked</ac:inline-comment-marker></p>","labels":["qzxlabel"]}
{"kind":"content","id":"26","parent":"10"}
{"kind":"content","id":"27","read":["user:u-in"]}`

// hiddenWords is every text that the walk must find as u-in, so that it cannot
// pass by looking nowhere. The file's bytes are on the media host.
func hiddenWords() []string {
	words := regexp.MustCompile(`qzx[a-z]*`).FindAllString(hiddenSite+latelyHidden+" qzxinline qzxkey qzxvalue qzxblogvalue", -1)
	slices.Sort(words)
	return slices.Compact(words)
}

// inlineID is the id of the first content that a site makes by itself: the
// inline comment "qzxinline" that every walk begins with.
const inlineID = "900000001"

type hiddenWalk struct {
	t       *testing.T
	handler http.Handler
	login   string // empty is anonymous
	found   map[string]bool
	opened  map[string]bool // patterns that answered 2xx or 3xx
	asked   int
}

func newHiddenWalk(t *testing.T, login string) *hiddenWalk {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	e, err := emulator.New(emulator.Config{Now: func() time.Time { return now },
		Sites: []emulator.Source{{Name: "hidden", Lines: strings.NewReader(hiddenSite)}}})
	require.NoError(t, err)
	require.NoError(t, e.Apply(0, latelyHidden))
	w := &hiddenWalk{t: t, handler: e.Handler(), login: "in", found: map[string]bool{}, opened: map[string]bool{}}
	w.ask(wire.Route{Method: "POST"}, "/wiki/api/v2/inline-comments", `{"pageId":"11","body":{"representation":"storage","value":"<p>qzxinline</p>"},`+
		`"inlineCommentProperties":{"textSelection":"qzxbody","textSelectionMatchCount":1,"textSelectionMatchIndex":0}}`)
	w.ask(wire.Route{Method: "POST"}, "/wiki/rest/api/content/archive", `{"pages":[{"id":32}]}`)
	w.ask(wire.Route{Method: "POST"}, "/wiki/api/v2/pages/11/properties", `{"key":"qzxkey","value":"qzxvalue"}`)
	w.ask(wire.Route{Method: "POST"}, "/wiki/rest/api/content/18/property", `{"key":"key","value":"qzxblogvalue"}`)
	w.login, w.found = login, map[string]bool{}
	return w
}

var hiddenWord = regexp.MustCompile(`(?i)qzx[a-z]*`)

// ask sends one request and notes which hidden words come back.
func (w *hiddenWalk) ask(r wire.Route, path, body string) {
	req := httptest.NewRequest(r.Method, path, strings.NewReader(body))
	if w.login != "" {
		req.SetBasicAuth(w.login+"@x.test", w.login+"-token")
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	w.asked++
	if rec.Code < 400 {
		w.opened[r.Method+" "+r.Pattern] = true
	}
	answer := rec.Body.String()
	for name, values := range rec.Header() {
		answer += "\n" + name + ": " + strings.Join(values, ", ")
	}
	for _, word := range hiddenWord.FindAllString(answer, -1) {
		w.found[strings.ToLower(word)] = true
		if w.login != "in" {
			w.t.Errorf("%s %s shows %q to %q: %.300s", r.Method, path, word, w.login, answer)
		}
	}
}

// values is what stands for a name in a path. A name that is not here fails
// the test: a new route says what the walk has to put there.
func (w *hiddenWalk) values(name string) []string {
	known := map[string][]string{
		"id": {"1", "2", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "21", "22", "23", "att24", "24", "att25",
			"26", "27", "28", "29", "att30", "31", "32", "33", inlineID, "7000000"},
		"att": {"att24", "att25", "att30"}, "number": {"1", "2"}, "key": {"SHUT", "shut", "OPEN", "k"}, "op": {"read", "update"},
		"type": {"page", "folder", "comment", "attachment"}, "group": {"g-in"}, "groupId": {"g-in"}, "name": {"visible.txt"},
		"label": {"absent"}, "position": {"append", "before"}, "target": {"10", "11", "12"}, "property": {"key", "900000002", "900000003"},
	}
	require.Contains(w.t, known, name, "no value for {%s}: add it to this walk", name)
	return known[name]
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// paths fills in a pattern in every way.
func (w *hiddenWalk) paths(pattern string) []string {
	m := placeholder.FindStringSubmatch(pattern)
	if m == nil {
		return []string{pattern}
	}
	var out []string
	for _, value := range w.values(m[1]) {
		out = append(out, w.paths(strings.Replace(pattern, m[0], value, 1))...)
	}
	return out
}

// queries are the ways to ask a read for as much as it has.
func queries(pattern string) []string {
	const everything = "expand=body.storage,body.view,version,space.permissions,space.homepage,ancestors,container,metadata.labels,history.lastUpdated," +
		"history.previousVersion,history.contributors,restrictions.read.restrictions.user,operations,childTypes,children.page,children.folder," +
		"children.comment,children.attachment,page,folder,comment,attachment,homepage,description,permissions,restrictions.user,lastUpdated," +
		"previousVersion&limit=200"
	if strings.HasPrefix(pattern, "/wiki/api/v2") {
		return []string{"", "limit=250&body-format=storage&status=current,archived,trashed&description-format=plain",
			"body-format=view&include-labels=true&include-properties=true&include-operations=true&include-versions=true&include-likes=true" +
				"&include-direct-children=true&include-permissions=true&include-role-assignments=true&description-format=view&get-draft=true",
			"status=any&get-draft=true&body-format=storage", "version=1&body-format=export_view", "depth=10&limit=250",
			"sort=-title&limit=250", "keys=SHUT", "id=11,12,17,27&status=current,archived", "status=trashed&limit=250"}
	}
	if strings.HasSuffix(pattern, "/search") {
		return searches(everything)
	}
	return []string{"", everything, "status=any&accountId=u-in&" + everything, "status=trashed&" + everything, "version=1&" + everything,
		"depth=all&" + everything, "type=blogpost&status=any&" + everything, "type=comment&status=any&expand=container&" + everything,
		"type=attachment&status=any&" + everything, "spaceKey=SHUT", "accountId=u-in", "id=g-in", "query=i", "cql=type=user"}
}

func searches(everything string) []string {
	var out []string
	for _, cql := range []string{"type+in+(page,blogpost,folder,comment,attachment,space)", "type=space", "space=SHUT", "ancestor=11", "parent=11",
		"id+in+(11,12,27,28,att24)", "container=11", "creator=\"u-in\"", "lastmodified>now(\"-9999d\")+order+by+title"} {
		out = append(out, "cql="+cql+"&includeArchivedSpaces=true&excerpt=indexed&"+everything,
			"cql="+cql+"&expand=content."+strings.ReplaceAll(strings.TrimPrefix(everything, "expand="), ",", ",content."))
	}
	return out
}

func (w *hiddenWalk) walk() {
	for _, r := range slices.Concat(v1.Routes(), v2.Routes()) {
		if r.Method != http.MethodGet {
			continue
		}
		ways := queries(r.Pattern)
		switch strings.Count(r.Pattern, "{") { // what is precise has less to choose from
		case 0:
		case 1:
			ways = ways[:6]
		default:
			ways = ways[:3]
		}
		for _, path := range w.paths(r.Pattern) {
			for _, q := range ways {
				w.ask(r, path+"?"+q, "")
			}
		}
	}
	for _, r := range slices.Concat(v1.Routes(), v2.Routes()) {
		if r.Method != http.MethodGet {
			w.write(r)
		}
	}
}

// write sends what a write or a question by POST could answer with.
func (w *hiddenWalk) write(r wire.Route) {
	for _, path := range w.paths(r.Pattern) {
		if r.Method == http.MethodDelete && strings.HasSuffix(path, "/space/OPEN") {
			continue // it works, and then nothing is left to ask for
		}
		if w.login == "in" && !strings.HasSuffix(r.Pattern, "convert-ids-to-types") {
			continue // u-in would succeed and take the site apart
		}
		for _, body := range []string{`{}`, `{"contentIds":["11","12","17","27"],"accountIds":["u-in"],"subject":{"type":"user","identifier":"u-out"},"operation":"read"}`,
			`{"id":"` + lastID(path) + `","status":"current","title":"New","body":{"representation":"storage","value":"<p>n</p>"},"version":{"number":3},` +
				`"type":"page","spaceId":"2","parentId":"11","pageId":"11","space":{"key":"SHUT"},"destination":{"type":"parent_page","value":"29"}}`} {
			w.ask(r, path, body)
		}
	}
}

func lastID(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// TestWhatAUserMayNotSeeIsNowhere walks every route of both generations over
// everything there is: nothing of a hidden page, its versions, labels,
// comments, files and space comes back to those who may not see it, however
// it is asked for. The same walk as somebody who may see it finds all of it.
func TestWhatAUserMayNotSeeIsNowhere(t *testing.T) {
	in := newHiddenWalk(t, "in")
	in.walk()
	for _, word := range hiddenWords() {
		assert.True(t, in.found[word], "the walk never comes across %q", word)
	}
	for _, r := range slices.Concat(v1.Routes(), v2.Routes()) {
		if r.Method == http.MethodGet && r.Handle != nil && !strings.HasPrefix(r.Pattern, "/wiki/download/") {
			assert.True(t, in.opened["GET "+r.Pattern], "the walk never gets an answer from %s", r.Pattern)
		}
	}
	for _, login := range []string{"out", ""} {
		w := newHiddenWalk(t, login)
		w.walk()
		t.Logf("%d requests as %q", w.asked, login)
		w.login = "in" // nothing hidden was changed
		for _, id := range []string{"11", "12", "14", "27"} {
			req := httptest.NewRequest("GET", "/wiki/api/v2/pages/"+id, nil)
			req.SetBasicAuth("in@x.test", "in-token")
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, req)
			assert.Equal(t, http.StatusOK, rec.Code)
			assert.Contains(t, rec.Body.String(), `"status":"current"`, "page %s", id)
		}
	}
}
