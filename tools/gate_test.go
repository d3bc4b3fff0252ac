package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

const asking = `
version: 1
name: asking
groups:
  pages: {level: read_write, allow_delete: true, require_approval: true}
  search: {level: read_only}
`

const ruled = `
version: 1
name: ruled
groups:
  pages: {level: read_write, allow_delete: true}
  spaces: {level: read_write}
  search: {level: read_only}
  attachments: {level: read_write}
rules:
  - id: hr-closed
    match: {groups: [pages, search, attachments]}
    when: resource.space_key == "HR" || change.target_space_key == "HR"
    effect: deny
    message: HR is closed.
  - id: big-change
    match: {groups: [pages], actions: [update]}
    when: change.removed_ratio > 0.5
    effect: require_approval
  - id: labels
    match: {groups: [pages], actions: [delete]}
    when: '"keep" in resource.labels'
    effect: deny
`

func rules(t *testing.T) func(*tools.Config) {
	return func(c *tools.Config) { c.Policy = shipped(t, asking, ruled) }
}

// A14: a tool that is hidden, misspelt or not there gets the same answer, and
// nothing is asked or recorded.
func TestA14_HiddenToolAnswersLikeAnUnknownOne(t *testing.T) {
	site := newFake()
	d := newDesk(t, site).as(readOnly)
	for _, name := range []string{"confluence_delete_page", "confluence_nothing", "Confluence_get_page", "confluence_get_page ", "confluence_get_раge", "", "confluence_delete_space"} {
		r, known := d.cat.Call(context.Background(), d.who, name, json.RawMessage(`{"page_id":"11"}`), nil)
		assert.False(t, known, name)
		assert.Equal(t, tools.Result{}, r, name)
	}
	assert.Empty(t, site.calls)
	assert.Empty(t, d.log.entries)
}

func TestNobodyGetsNothing(t *testing.T) {
	d := newDesk(t, newFake())
	_, known := d.cat.Call(context.Background(), identity.Caller{Profile: fullAccess}, "confluence_get_page", json.RawMessage(`{"page_id":"11"}`), nil)
	assert.False(t, known)
}

// A15: a panic shows a reference and nothing of itself.
func TestA15_PanicShowsNothingButAReference(t *testing.T) {
	var logged bytes.Buffer
	site := newFake()
	site.before = func(string) error { panic("canary-7719") }
	d := newDesk(t, site, func(c *tools.Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	r := d.call("get_page", args{"page_id": "11"})
	e := failed(t, "internal", r)
	assert.NotContains(t, r.Text+string(r.Structured), "canary")
	assert.Regexp(t, `reference: [0-9a-f]{12}\.`, e.Next)
	assert.NotContains(t, logged.String(), "canary", "what it said may hold anything")
	assert.Contains(t, logged.String(), "type=string")
	assert.Contains(t, logged.String(), "runtime/debug.Stack")
	_, out := d.log.last(t)
	assert.Equal(t, audit.Failed, out.Result)

	site.before = func(m string) error {
		if m == "UpdatePage" {
			panic("canary-7719")
		}
		return nil
	}
	failed(t, "internal", d.call("update_page", args{"page_id": "11", "base_version": 3, "title": "New"}))
	entry, out := d.log.last(t)
	assert.True(t, entry.Write)
	assert.Equal(t, "internal", out.ErrorCode)
}

func TestUnclassifiedErrorsAreNotShown(t *testing.T) {
	site := newFake()
	site.before = func(string) error { return errBroken }
	d := newDesk(t, site)
	r := d.call("get_page", args{"page_id": "11"})
	failed(t, "internal", r)
	assert.NotContains(t, r.Text+string(r.Structured), "canary")
}

// Every kind of error that comes from below reaches the model as that kind.
func TestErrorsFromBelowKeepTheirKind(t *testing.T) {
	for kind, code := range map[confluence.Kind]string{
		confluence.NotFound: "not_found", confluence.Expired: "auth.credentials", confluence.Unavailable: "net.unavailable",
		confluence.Limited: "limit.rate", confluence.Conflict: "conflict", confluence.Denied: "policy.denied",
	} {
		site := newFake()
		d := newDesk(t, site)
		site.before = func(string) error {
			return &confluence.Error{Kind: kind, RetryAfter: 3 * time.Second, Err: errBroken}
		}
		e := d.fails(code, "get_page", args{"page_id": "11"})
		assert.Equal(t, kind == confluence.Unavailable || kind == confluence.Limited, e.Retryable, code)
		assert.Equal(t, 3, e.RetryAfter)
	}
}

func TestWriteIsRecordedBeforeItRuns(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	site.before = func(m string) error {
		if m == "UpdatePage" {
			e, _ := d.log.last(t)
			assert.Equal(t, "confluence_update_page", e.Tool)
			assert.Empty(t, d.log.outcomes)
		}
		return nil
	}
	d.ok("update_page", args{"page_id": "11", "base_version": 3, "title": "New"})
	e, out := d.log.last(t)
	assert.Equal(t, audit.Entry{
		Time: now, DecisionID: e.DecisionID, PolicyRevision: e.PolicyRevision, Profile: fullAccess, Principal: "local|acme|user|u-ann", Kind: "user", Transport: "stdio",
		Tool: "confluence_update_page", Group: "pages", Action: "update", Site: "acme", ResourceType: "page", ResourceID: "11", SpaceKey: "ENG",
		Effect: "allow", Reason: "allowed", ArgsSHA256: e.ArgsSHA256, Write: true, Facts: e.Facts,
	}, e)
	assert.Equal(t, 3, e.Facts.Version)
	assert.Positive(t, e.Facts.BodyBytes)
	assert.Equal(t, "ENG", e.Facts.TargetSpaceKey)
	assert.Len(t, e.DecisionID, 32)
	assert.Len(t, e.ArgsSHA256, 64)
	assert.Len(t, e.PolicyRevision, 12)
	assert.Equal(t, audit.OK, out.Result)
	assert.Equal(t, 4, out.Version)
}

func TestWriteThatCannotBeRecordedDoesNotRun(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	d.log.err = errBroken
	for tool, a := range everyWrite() {
		r := d.call(tool, a)
		failed(t, "audit.unavailable", r)
		assert.NotContains(t, r.Text, "canary")
	}
	assert.Empty(t, site.writes())
	_, _ = d.ok("get_page", args{"page_id": "11"}) // reads go on
}

func TestReadsAndRefusalsAreRecorded(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, rules(t))
	d.ok("get_page", args{"page_id": "11"})
	e, out := d.log.last(t)
	assert.False(t, e.Write)
	assert.Equal(t, audit.OK, out.Result)
	assert.Positive(t, out.Bytes)

	d.fails("input.unknown_argument", "get_page", args{"page": "11"})
	_, out = d.log.last(t)
	assert.Equal(t, audit.NotExecuted, out.Result)
	assert.Equal(t, "input.unknown_argument", out.ErrorCode)

	d.as("ruled").fails("policy.rule_denied", "delete_page", args{"page_id": "12"})
	e, out = d.log.last(t)
	assert.Equal(t, "deny", e.Effect)
	assert.Equal(t, []string{"hr-closed"}, e.RulesMatched)
	assert.Equal(t, audit.NotExecuted, out.Result)
	b, err := json.Marshal(d.log.entries)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "Guide", "no titles in the record")
}

func TestApprovalIsRefusedUntilSomebodyCanApprove(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, rules(t)).as("asking")
	for _, tool := range []string{"update_page", "delete_page", "add_label"} {
		e := d.fails("approval.required", tool, everyWrite()[tool])
		assert.Contains(t, e.Next, "Nothing was changed")
	}
	assert.Empty(t, site.writes())
	_, out := d.ok("delete_page", args{"page_id": "11", "dry_run": true})
	assert.Equal(t, "require_approval", out["effect"])
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", out["digest"])
}

func TestRulesSeeTheResourceAndTheChange(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, rules(t)).as("ruled")
	e := d.fails("policy.rule_denied", "get_page", args{"page_id": "12"})
	assert.Contains(t, e.Message, "HR is closed.")
	d.fails("policy.rule_denied", "create_page", args{"space_key": "HR", "title": "x"})
	d.fails("policy.rule_denied", "get_attachments", args{"page_id": "12"})
	d.ok("get_page", args{"page_id": "11"})
	d.fails("approval.required", "update_page", args{"page_id": "11", "base_version": 3, "body": "# Start\n\nGone."})
	site.labels["11"] = []string{"keep"}
	d.fails("policy.rule_denied", "delete_page", args{"page_id": "11"})
	assert.Empty(t, site.writes())
}

func TestRuledListingsLeaveRowsOut(t *testing.T) {
	site := newFake()
	site.hits = []confluence.Hit{{ID: "11", Type: "page", Title: "Guide", SpaceKey: "ENG"}, {ID: "12", Type: "page", Title: "Rules", SpaceKey: "HR"}}
	d := newDesk(t, site, rules(t)).as("ruled")
	r, out := d.ok("search", args{"query": "key"})
	assert.Len(t, out["results"], 1)
	assert.NotContains(t, r.Text, "Rules")
	r, _ = d.ok("list_pages", args{"label": "x"})
	assert.NotContains(t, r.Text, "Rules")
}

// A rule on labels or restrictions holds for rows of a listing as well, though
// no listing shows them; what cannot be loaded is hidden.
func TestRuledListingsLookAtEveryRow(t *testing.T) {
	const secret = `
version: 1
name: secret
groups:
  pages: {level: read_only}
  search: {level: read_only}
  spaces: {level: read_only}
rules:
  - id: secret
    match: {actions: [read]}
    when: '"secret" in resource.labels || resource.restricted || resource.space_key == "HR"'
    effect: deny
`
	site := newFake()
	site.put(page("13", "ENG", "10", "Labelled", "<p>x</p>"))
	site.put(page("14", "ENG", "10", "Restricted", "<p>x</p>"))
	site.put(page("15", "ENG", "14", "Below restricted", "<p>x</p>"))
	site.labels["13"], site.readers["14"] = []string{"secret"}, []string{"u-ann"}
	for _, id := range []string{"11", "13", "14", "15", "99"} {
		site.hits = append(site.hits, confluence.Hit{ID: id, Type: "page", Title: "Page " + id, SpaceKey: "ENG", Excerpt: "key"})
	}
	site.hits = append(site.hits, confluence.Hit{ID: "31", Type: "comment", Title: "Comment", SpaceKey: "ENG"})
	d := newDesk(t, site, withProfile(t, secret)).as("secret")
	_, out := d.ok("search", args{"query": "key"})
	require.Len(t, out["results"], 1)
	assert.Equal(t, "11", out["results"].([]any)[0].(map[string]any)["page_id"])
	r, _ := d.ok("list_pages", args{"space_key": "ENG"})
	assert.NotRegexp(t, "Labelled|Restricted|restricted", r.Text)
	assert.Contains(t, r.Text, "Guide")
	_, out = d.ok("list_spaces", args{})
	assert.Len(t, out["spaces"], 1)
}

// G08: what amounts to more than an update is judged as that.
func TestG08_MovesAreJudgedAtBothEnds(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, rules(t)).as("ruled")
	d.fails("policy.rule_denied", "move_page", args{"page_id": "11", "target_id": "12"})
	d.fails("policy.rule_denied", "move_page", args{"page_id": "12", "target_id": "11"})
	d.fails("policy.space_delete_blocked", "move_page", args{"page_id": "10", "target_id": "11"})
	d.fails("input.unknown_argument", "update_page", args{"page_id": "11", "base_version": 3, "status": "trashed"})
	d.fails("input.invalid", "update_page", args{"page_id": "11", "base_version": 3, "body": " "})
	trashed := site.pages["11"]
	trashed.Status = "trashed"
	site.pages["11"] = trashed
	for _, tool := range []string{"update_page", "delete_page", "add_label", "move_page"} {
		d.fails("policy.blocked_operation", tool, everyWrite()[tool])
	}
	assert.Empty(t, site.writes())
}

// changing is a policy that narrows in the middle of a call.
type changing struct {
	*policy.Set
	after int
	asked int
}

func (c *changing) Decide(r policy.Request) policy.Decision {
	c.asked++
	if c.asked > c.after {
		return policy.Decision{Effect: policy.Deny, Reason: "read_only", Profile: r.Caller.Profile}
	}
	return c.Set.Decide(r)
}

// G07: a write asks policy again right before it happens.
func TestG07_PolicyThatNarrowsInTheMiddleStopsTheWrite(t *testing.T) {
	for tool, a := range everyWrite() {
		site := newFake()
		d := newDesk(t, site, func(c *tools.Config) { c.Policy = &changing{Set: shipped(t), after: 2} })
		d.fails("policy.read_only", tool, a)
		assert.Empty(t, site.writes(), tool)
		_, out := d.log.last(t)
		assert.Equal(t, audit.NotExecuted, out.Result, tool)
	}
}

// G01 at the tools: no tool deletes a space, and none comes close.
func TestG01_NoToolDeletesASpace(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	for _, tool := range d.cat.All() {
		assert.False(t, tool.Group == policy.Spaces && tool.Action == policy.Delete, tool.Name)
	}
	d.fails("policy.space_delete_blocked", "delete_page", args{"page_id": "10"})
	d.fails("input.unknown_argument", "update_space", args{"space_key": "ENG", "status": "archived"})
	d.fails("input.unknown_argument", "delete_page", args{"page_id": "11", "purge": true})
	for _, name := range []string{"confluence_delete_space", "confluence_remove_space", "confluence_purge_page", "confluence_raw_request"} {
		_, known := d.cat.Call(context.Background(), d.who, name, json.RawMessage(`{"key":"ENG"}`), nil)
		assert.False(t, known, name)
	}
	assert.Empty(t, site.writes())
}

// A13: one caller is slowed down, the others are not.
func TestA13_RatesArePerPrincipal(t *testing.T) {
	clock := now
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) {
		c.Limits = tools.Limits{CallsPerMinute: 5}
		c.Now = func() time.Time { return clock }
	})
	for range 5 {
		d.ok("get_space", args{"space_key": "ENG"})
	}
	before := len(site.calls)
	e := d.fails("limit.rate", "get_space", args{"space_key": "ENG"})
	assert.True(t, e.Retryable)
	assert.Equal(t, 12, e.RetryAfter)
	assert.Len(t, site.calls, before)
	other := *d
	other.who.AccountID = "u-bob"
	other.ok("get_space", args{"space_key": "ENG"})

	clock = clock.Add(time.Minute)
	d.ok("get_space", args{"space_key": "ENG"})
}

func TestCallEndsInTime(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) { c.Limits.Timeout = time.Millisecond })
	site.before = func(string) error { return fmt.Errorf("get: %w", context.DeadlineExceeded) }
	e := d.fails("net.timeout", "get_page", args{"page_id": "11"})
	assert.True(t, e.Retryable)
}

func TestDryRunChangesNothingAndNamesTheChange(t *testing.T) {
	site := newFake()
	d := newDesk(t, site)
	digests := map[string]string{}
	for tool, a := range everyWrite() {
		a["dry_run"] = true
		_, out := d.ok(tool, a)
		assert.Equal(t, true, out["dry_run"], tool)
		assert.Equal(t, "allow", out["effect"], tool)
		digest := out["digest"].(string)
		assert.Empty(t, digests[digest], tool)
		digests[digest] = tool
		_, again := d.ok(tool, a)
		assert.Equal(t, digest, again["digest"], tool)
		e, _ := d.log.last(t)
		assert.True(t, e.DryRun)
	}
	assert.Empty(t, site.writes())

	base := args{"page_id": "11", "base_version": 3, "title": "A", "dry_run": true}
	_, one := d.ok("update_page", base)
	other := *d
	other.who.AccountID = "u-bob"
	_, two := other.ok("update_page", base)
	assert.NotEqual(t, one["digest"], two["digest"], "another principal")
	p := site.pages["11"]
	p.Body += "<p>More.</p>"
	site.put(p)
	_, three := d.ok("update_page", base)
	assert.NotEqual(t, one["digest"], three["digest"], "another base")
}

func TestSpaceLimitHoldsForEveryTool(t *testing.T) {
	site := newFake()
	site.comments["32"] = confluence.Comment{ID: "32", Kind: "footer", PageID: "12", Body: "<p>x</p>"}
	site.files["att42"] = confluence.Attachment{ID: "att42", PageID: "12", Title: "x.txt"}
	site.hits = []confluence.Hit{{ID: "12", Type: "page", Title: "Rules", SpaceKey: "HR"}, {ID: "13", Type: "page", Title: "No space"}}
	d := newDesk(t, site, func(c *tools.Config) { c.Spaces = boundTo("ENG") })
	for tool, a := range map[string]args{
		"get_page": {"page_id": "12"}, "get_page_history": {"page_id": "12"}, "get_comments": {"page_id": "12"}, "get_attachments": {"page_id": "12"},
		"get_page_diff": {"page_id": "12", "from_version": 1}, "download_attachment": {"attachment_id": "42"}, "get_space": {"space_key": "HR"}, "list_pages": {"space_key": "HR"},
		"create_page": {"space_key": "HR", "title": "x"}, "update_page": {"page_id": "12", "base_version": 3, "title": "x"}, "delete_page": {"page_id": "12"},
		"move_page": {"page_id": "11", "target_id": "12"}, "add_label": {"page_id": "12", "name": "x"}, "add_comment": {"page_id": "12", "body": "x"},
		"update_comment": {"comment_id": "32", "body": "x"}, "delete_comment": {"comment_id": "32"}, "delete_attachment": {"attachment_id": "42"},
		"upload_attachment": {"page_id": "12", "filename": "x.txt", "content": "x"}, "update_space": {"space_key": "HR", "name": "x"},
	} {
		d.fails("not_found", tool, a)
	}
	d.fails("not_found", "create_page", args{"space_key": "ENG", "title": "x", "copy_from": "12"})
	d.fails("not_found", "get_page", args{"title": "Rules", "space_key": "HR"})
	d.fails("policy.denied", "create_space", args{"key": "NEW", "name": "x"})
	_, out := d.ok("search", args{"query": "rules"})
	assert.Empty(t, out["results"])
	assert.True(t, strings.HasSuffix(site.cql[0], `AND (space in ("ENG"))`), site.cql[0])
	_, out = d.ok("list_spaces", args{})
	assert.Len(t, out["spaces"], 1)
	assert.Empty(t, site.writes())
}

// everyWrite is one good call of every tool that writes.
func everyWrite() map[string]args {
	return map[string]args{
		"create_page":       {"space_key": "ENG", "title": "Fresh", "body": "Hello."},
		"update_page":       {"page_id": "11", "base_version": 3, "title": "Guidebook"},
		"move_page":         {"page_id": "11", "target_id": "12"},
		"delete_page":       {"page_id": "11"},
		"add_comment":       {"page_id": "11", "body": "Nice."},
		"update_comment":    {"comment_id": "31", "body": "Nicer."},
		"delete_comment":    {"comment_id": "31"},
		"add_label":         {"page_id": "11", "name": "new"},
		"remove_label":      {"page_id": "11", "name": "howto"},
		"create_space":      {"key": "NEW", "name": "New"},
		"update_space":      {"space_key": "ENG", "name": "Engineers"},
		"upload_attachment": {"page_id": "11", "filename": "a.txt", "content": "a"},
		"delete_attachment": {"attachment_id": "41"},
	}
}

func TestEveryWriteIsInTheTable(t *testing.T) {
	table := everyWrite()
	for _, tool := range newDesk(t, newFake()).cat.All() {
		if tool.Name == tools.Prefix+"undo" {
			continue // it is one of the others, and the tests of undoing go through all of them
		}
		assert.Equal(t, !tool.ReadOnly, table[strings.TrimPrefix(tool.Name, tools.Prefix)] != nil, tool.Name)
	}
}

func TestEveryWriteRunsOnceAndEchoesNoBody(t *testing.T) {
	for tool, a := range everyWrite() {
		site := newFake()
		d := newDesk(t, site)
		r, out := d.ok(tool, a)
		assert.Len(t, site.writes(), 1, tool)
		assert.NotContains(t, r.Text, "Hello.", tool)
		assert.NotEmpty(t, out["summary"], tool)
	}
}

// purse is a budget that is spent.
type purse struct{ err error }

func (p purse) Spend(context.Context, identity.Caller, policy.Action, time.Time) error { return p.err }

// G09: what a profile lets one principal write is asked last, before the write.
func TestG09_BudgetOfTheProfile(t *testing.T) {
	site := newFake()
	d := newDesk(t, site, func(c *tools.Config) { c.Budget = purse{denied(confluence.Limited, "limit.destructive")} })
	for tool, a := range everyWrite() {
		d.fails("limit.destructive", tool, a)
		_, out := d.log.last(t)
		assert.Equal(t, audit.NotExecuted, out.Result)
	}
	d.ok("delete_page", args{"page_id": "11", "dry_run": true})
	d.ok("get_page", args{"page_id": "11"})
	assert.Empty(t, site.writes())
	site = newFake()
	newDesk(t, site, func(c *tools.Config) { c.Budget = purse{} }).ok("delete_page", args{"page_id": "11"})
	assert.Len(t, site.writes(), 1)
}

// boundTo bounds the site acme to some spaces.
func boundTo(keys ...string) func(string) ([]string, bool) {
	return func(integration string) ([]string, bool) { return keys, integration == "acme" }
}
