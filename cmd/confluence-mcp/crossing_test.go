package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/identity"
	"confluence-mcp/internal/retrieve"
)

// shared is a server that lives on while its site, its grants and its callers
// change, beside what it takes to begin anew.
type shared struct {
	t       *testing.T
	site    *emulatortest.Emulator
	e       *engine
	at      atomic.Int64 // of the clock of every server
	granted map[string]bool
}

func (s *shared) now() time.Time { return time.Unix(s.at.Add(1), 0) } // each look is a second later: rates do not count

// question is a call as one of the callers, and whether it goes to /api/query.
type question struct {
	who  identity.Caller
	tool string // empty: /api/query
	args map[string]any
}

// crossers are callers who see different things.
func crossers() []identity.Caller {
	var out []identity.Caller
	for _, c := range matrixCallers() {
		c.who.Profile = "read-only"
		out = append(out, c.who)
	}
	for _, access := range [][]string{{"group-A"}, {"group-staff"}, {"user-u-ann", "group-staff"}} {
		c := out[6] // the same agent as anonymous
		c.Agent, c.Integration, c.Access = "runtime", "acme", access
		out = append(out, c)
	}
	return out
}

func drawQuestion(rt *rapid.T) question {
	page := rapid.SampledFrom([]string{"1001", "1002", "1003", "1005", "1006", "2001", "3001", "3002"}).Draw(rt, "page")
	word := rapid.SampledFrom([]string{"pump", "zeppelin", "airship", "Salaries", "Readable", "*"}).Draw(rt, "word")
	calls := []struct {
		tool string
		args map[string]any
	}{
		{"get_page", map[string]any{"page_id": page}},
		{"get_page", map[string]any{"page_id": page, "fresh": true}},
		{"get_page", map[string]any{"page_id": page, "mode": "rendered"}},
		{"get_comments", map[string]any{"page_id": page}},
		{"get_attachments", map[string]any{"page_id": page}},
		{"get_page_history", map[string]any{"page_id": page}},
		{"download_attachment", map[string]any{"attachment_id": "6003"}},
		{"list_pages", map[string]any{"parent_id": page}},
		{"list_pages", map[string]any{"space_key": "ENG", "limit": 3}},
		{"search", map[string]any{"query": word, "limit": 25}},
		{"search", map[string]any{"query": "*", "cql": `type = page AND text ~ "plans"`}},
		{"list_spaces", map[string]any{}},
		{"get_space", map[string]any{"space_key": "HR"}},
		{"get_user", map[string]any{}},
		{"search_user", map[string]any{"query": "Ann"}},
		{"", map[string]any{"query": word}},
	}
	c := rapid.SampledFrom(calls).Draw(rt, "call")
	return question{rapid.SampledFrom(crossers()).Draw(rt, "caller"), c.tool, c.args}
}

// answer is what a server says, without what differs between two good answers:
// ages, and what is made of random numbers.
func (s *shared) answer(e *engine, q question) string {
	var said string
	if q.tool == "" {
		found, err := (gated{e.catalog, e.copy}).Query(context.Background(), q.who, retrieve.Question{Text: q.args["query"].(string), Limit: 50})
		slices.SortFunc(found.Results, func(a, b retrieve.Result) int { return strings.Compare(a.PageID+a.Anchor, b.PageID+b.Anchor) })
		for i := range found.Results {
			found.Results[i].Rank = 0 // among equals it goes by which space was read first, and they are read side by side
		}
		raw, jerr := json.Marshal(found)
		require.NoError(s.t, jerr)
		said = fmt.Sprint(string(raw), err)
	} else {
		r := callTool(s.t, e, q.who, q.tool, q.args)
		said = r.Text + "\n" + string(r.Structured)
		if q.tool == "search" {
			lines := strings.Split(regexp.MustCompile(`(?m)^\d+\. `).ReplaceAllString(r.Text, ""), "\n")
			slices.Sort(lines)
			said = strings.Join(lines, "\n")
		}
	}
	for _, varies := range []string{`"(next_cursor|Next|nonce|Nonce)":"[^"]*"`, `cursor [^\s"\\]+`, `"[a-z_]*age_seconds":\d+`, `(read|changed) (just now|[^\n),]* ago)`, `"(ReadAt|read_at|Read)":"[^"]*"`, `"AgeSeconds":\d+`, `[0-9a-f]{12,}`} {
		said = regexp.MustCompile(varies).ReplaceAllString(said, "~")
	}
	return said
}

// changes of the site and of the grants. What a server copies it copies at once.
func (s *shared) change(rt *rapid.T) {
	some := func(of ...string) string {
		var out []string
		for _, one := range of {
			if rapid.Bool().Draw(rt, one) {
				out = append(out, `"`+one+`"`)
			}
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	switch rapid.IntRange(0, 4).Draw(rt, "change") {
	case 0:
		page := rapid.SampledFrom([]string{"1001", "1002", "1005", "3002"}).Draw(rt, "restricted")
		whom := some("group:A", "group:B", "user:u-bob")
		if whom != "[]" {
			whom = `["user:u-bot",` + whom[1:] // what the connecting account does not see is not mirrored
		}
		s.site.Apply(`{"kind":"content","id":"` + page + `","read":` + whom + `}`)
	case 1:
		name := rapid.SampledFrom([]string{"ann", "bob", "dan"}).Draw(rt, "moved")
		s.site.Apply(fmt.Sprintf(`{"kind":"user","id":"u-%[1]s","username":"%[1]s","name":"%[1]s","email":"%[1]s@acme.test","token":"%[1]s-token","groups":%[2]s}`, name, some("staff", "A", "B")))
		s.at.Add(int64((16 * time.Minute).Seconds())) // memberships may be older than a moment
	case 2:
		s.site.Apply(`{"kind":"space","id":"100","grants":[{"to":"user:u-bot","op":"write"},{"to":"group:` + rapid.SampledFrom([]string{"staff", "A", "B"}).Draw(rt, "space") + `","op":"read"}]}`)
	default:
		s.grants(rapid.SampledFrom([]string{"u-ann", "u-bob"}).Draw(rt, "person"))
	}
	mirrorAll(s.t, s.e)
}

// grants connects a person's own account, or disconnects it.
func (s *shared) grants(person string) {
	who := crossers()[0]
	who.Agent, who.AccountID = "runtime", person
	if s.granted[person] = !s.granted[person]; s.granted[person] {
		connectOwn(s.t, s.e, who)
		return
	}
	i, err := s.e.registry.Find("acme")
	require.NoError(s.t, err)
	_, err = s.e.links.disconnectOwn(context.Background(), who, i)
	require.NoError(s.t, err)
}

// anew answers as a server does that has never answered anybody.
func (s *shared) anew(q question) string {
	e, end := matrixEngine(s.t, s.site, matrixMode{}, s.now)
	defer end()
	for person, granted := range s.granted {
		if granted {
			who := q.who
			who.Kind, who.AccountID, who.Integration, who.Access = identity.User, person, "acme", nil
			connectOwn(s.t, e, who)
		}
	}
	require.NoError(s.t, e.openCopy(s.t.Context(), s.now, true))
	mirrorAll(s.t, e)
	return s.answer(e, q)
}

// TestN12_NoAnswerCrossesCallers asks one server as many callers, while restrictions,
// groups, space grants and people's own accounts come and go: whatever it has
// remembered of others, it answers as one that remembers nothing, and shows a
// page to exactly whom Confluence shows it.
func TestN12_NoAnswerCrossesCallers(t *testing.T) {
	s := &shared{t: t, site: emulatortest.Start(t), granted: map[string]bool{}}
	s.at.Store(emulatortest.Epoch().Unix())
	var end func()
	s.e, end = matrixEngine(t, s.site, matrixMode{}, s.now)
	t.Cleanup(end)
	require.NoError(t, s.e.openCopy(t.Context(), s.now, true))
	mirrorAll(t, s.e)
	calls, compared, hidden := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if raceFactor > 1 && compared >= 25 {
			return // all of them without the race detector
		}
		if rapid.Bool().Draw(rt, "changes") {
			s.change(rt)
		}
		last := drawQuestion(rt)
		for range rapid.IntRange(1, 6).Draw(rt, "others") {
			other := drawQuestion(rt)
			if rapid.Bool().Draw(rt, "same question") {
				other.tool, other.args = last.tool, last.args
			}
			s.answer(s.e, other)
			calls++
		}
		assert.Equal(rt, s.anew(last), s.answer(s.e, last), "%+v", last)
		compared++
		page := rapid.SampledFrom([]string{"1001", "1002", "1005", "3002"}).Draw(rt, "shown")
		for _, who := range []string{"u-ann", "u-bob", "u-dan", "u-bot"} {
			if !s.shows(rt, who, page) {
				hidden++
			}
			compared++
		}
	})
	t.Logf("%d calls in between, %d answers compared, %d of them of hidden pages", calls, compared, hidden)
	assert.Positive(t, hidden)
}

// shows reports whether the server shows a page to somebody, which must be what
// Confluence does.
func (s *shared) shows(rt *rapid.T, who, page string) bool {
	res := s.site.Do(who, http.MethodGet, "/wiki/api/v2/pages/"+page, "")
	require.NoError(s.t, res.Body.Close())
	at := slices.IndexFunc(crossers(), func(c identity.Caller) bool { return c.AccountID == who })
	shown := !callTool(s.t, s.e, crossers()[at], "get_page", map[string]any{"page_id": page}).IsError
	assert.Equal(rt, res.StatusCode == http.StatusOK, shown, "%s, %s", who, page)
	return shown
}
