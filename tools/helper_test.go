package tools_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	readOnly   = "read-only"
	manager    = "documentation-manager"
	fullAccess = "full-access"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// ann is a known caller with all rights a profile can give.
func caller(profile string) identity.Caller {
	return identity.Caller{Agent: "local", Kind: identity.User, Integration: "acme", AccountID: "u-ann", Profile: profile, Transport: identity.Stdio}
}

func ann() identity.Caller { return caller(fullAccess) }

// sites hands the same site to everybody it knows.
type sites struct {
	site tools.Site
	err  error
}

func (s sites) For(context.Context, identity.Caller) (tools.Site, error) { return s.site, s.err }

// record is an audit log in memory.
type record struct {
	mu       sync.Mutex
	entries  []audit.Entry
	outcomes map[int64]audit.Outcome
	err      error
}

func (r *record) Begin(_ context.Context, e audit.Entry) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	r.entries = append(r.entries, e)
	return int64(len(r.entries) - 1), nil
}

func (r *record) Finish(_ context.Context, id int64, o audit.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outcomes == nil {
		r.outcomes = map[int64]audit.Outcome{}
	}
	r.outcomes[id] = o
	return r.err
}

func (r *record) last(t *testing.T) (audit.Entry, audit.Outcome) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.entries)
	id := len(r.entries) - 1
	return r.entries[id], r.outcomes[int64(id)]
}

// shipped are the profiles of the product and, beside them, those of a test.
func shipped(t *testing.T, extra ...string) *policy.Set {
	t.Helper()
	own := fstest.MapFS{}
	for i, text := range extra {
		own[string(rune('a'+i))+".yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := policy.Load(policies.FS, own)
	require.NoError(t, err)
	return set
}

// desk is a catalogue on a site, with everything a test looks at.
type desk struct {
	t   *testing.T
	cfg tools.Config
	cat *tools.Catalog
	log *record
	who identity.Caller
}

func newDesk(t *testing.T, site tools.Site, change ...func(*tools.Config)) *desk {
	t.Helper()
	d := &desk{t: t, log: &record{}, who: ann()}
	cfg := tools.Config{Sites: sites{site: site}, Policy: shipped(t), Log: d.log, Now: func() time.Time { return now }}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	d.cfg = cfg
	d.cat, err = tools.New(cfg)
	require.NoError(t, err)
	return d
}

// with is the same desk under other rules and without limits.
func (d *desk) with(p tools.Decider) *desk {
	d.t.Helper()
	other := *d
	other.cfg.Policy, other.cfg.Limits = p, tools.Limits{CallsPerMinute: 1e6}
	var err error
	other.cat, err = tools.New(other.cfg)
	require.NoError(d.t, err)
	return &other
}

func (d *desk) as(profile string) *desk {
	other := *d
	other.who.Profile = profile
	return &other
}

type args map[string]any

func (d *desk) raw(tool, arguments string) tools.Result {
	d.t.Helper()
	r, known := d.cat.Call(context.Background(), d.who, "confluence_"+tool, json.RawMessage(arguments), nil)
	require.True(d.t, known, tool)
	conforms(d.t, d.cat, "confluence_"+tool, r.Structured)
	return r
}

func (d *desk) call(tool string, a args) tools.Result {
	d.t.Helper()
	b, err := json.Marshal(a)
	require.NoError(d.t, err)
	return d.raw(tool, string(b))
}

// ok calls and wants success; the structured answer comes back as a map.
func (d *desk) ok(tool string, a args) (tools.Result, map[string]any) {
	d.t.Helper()
	r := d.call(tool, a)
	require.False(d.t, r.IsError, r.Text)
	out := map[string]any{}
	require.NoError(d.t, json.Unmarshal(r.Structured, &out))
	return r, out
}

type shownError struct {
	Kind       string `json:"kind"`
	Message    string `json:"message"`
	Next       string `json:"next"`
	Retryable  bool   `json:"retryable"`
	RetryAfter int    `json:"retry_after_seconds"`
}

// fails calls and wants an error of that kind.
func (d *desk) fails(kind, tool string, a args) shownError {
	d.t.Helper()
	return failed(d.t, kind, d.call(tool, a))
}

func failed(t *testing.T, kind string, r tools.Result) shownError {
	t.Helper()
	require.True(t, r.IsError, "no error: %s", r.Text)
	var out struct {
		Error shownError `json:"error"`
	}
	require.NoError(t, json.Unmarshal(r.Structured, &out))
	assert.Equal(t, kind, out.Error.Kind, r.Text)
	assert.NotEmpty(t, out.Error.Message)
	assert.NotEmpty(t, out.Error.Next)
	assert.Contains(t, r.Text, out.Error.Message)
	assert.Contains(t, r.Text, out.Error.Next)
	return out.Error
}

// conforms holds a structured answer to the tool's own output schema.
func conforms(t *testing.T, c *tools.Catalog, name string, structured json.RawMessage) {
	t.Helper()
	for _, tool := range c.All() {
		if tool.Name == name {
			validate(t, tool.OutputSchema, structured)
			return
		}
	}
	t.Fatalf("no tool %s", name)
}

var errBroken = errors.New("broken on purpose: canary-7719")

func denied(kind confluence.Kind, code string) error {
	return &confluence.Error{Kind: kind, Code: code, Message: "Refused.", Next: "Stop."}
}

// sorted is a list of strings in order.
func sorted(v any) []any {
	list, _ := v.([]any)
	slices.SortFunc(list, func(a, b any) int { return cmp.Compare(a.(string), b.(string)) })
	return list
}

func withProfile(t *testing.T, text string) func(*tools.Config) {
	return func(c *tools.Config) { c.Policy = shipped(t, text) }
}
