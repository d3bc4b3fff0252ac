package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// allowAll is a policy that stops nothing, to see what the other layers do.
type allowAll struct{}

func (allowAll) Decide(policy.Request) policy.Decision {
	return policy.Decision{Effect: policy.Allow, Reason: "test"}
}
func (allowAll) Visible(string, policy.Group, policy.Action) bool { return true }
func (allowAll) NeedsResource(_, _ string, _ policy.Group, _ policy.Action) bool {
	return false
}

// destroys is what no method may be called.
var destroys = regexp.MustCompile(`(?i)(delete|remove|archive|purge|trash|wipe).*space|space.*(delete|remove|archive|purge)|purge|redact|adminkey|(set|add|update|delete|put|grant|revoke|create|remove).*(permission|role|restriction)`)

// TestG01_NoMethodDestroys: what does not exist cannot be called by mistake.
func TestG01_NoMethodDestroys(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[tools.Site](), reflect.TypeFor[*rest.Client]()} {
		require.Greater(t, typ.NumMethod(), 20)
		for i := range typ.NumMethod() {
			assert.NotRegexp(t, destroys, typ.Method(i).Name, typ.String())
		}
	}
	for _, name := range []string{"DeleteSpace", "PurgePage", "SetRestrictions", "SpaceArchive", "AddSpaceRole"} {
		assert.Regexp(t, destroys, name)
	}
}

// TestG01_ToolsAndGuardHoldWithoutPolicy: with a policy that allows everything,
// every tool given every hostile text destroys no space, purges nothing and
// changes no permission.
func TestG01_ToolsAndGuardHoldWithoutPolicy(t *testing.T) {
	site := emulatortest.Start(t)
	e := openOn(t, site.URL, "")
	defer func() { assert.NoError(t, e.close()) }()
	catalog, err := tools.New(tools.Config{Sites: e.sites, Policy: allowAll{}, Log: e.precious, Logger: e.logger, Now: time.Now,
		Limits: tools.Limits{CallsPerMinute: 1 << 20}})
	require.NoError(t, err)
	caller, err := e.localCaller("full-access", "")
	require.NoError(t, err)
	calls := 0
	for _, tool := range catalog.All() {
		var s schemaNode
		require.NoError(t, json.Unmarshal(tool.InputSchema, &s))
		for field := range s.Properties {
			for _, text := range hostile {
				if !strings.ContainsAny(text, "/?&%\r\x00") && text != "trashed" && text != "purge" && text != "DELETE" {
					continue
				}
				args := map[string]any{}
				for _, name := range s.Required {
					if known := plausible[name]; known != nil {
						args[name] = known[0]
					} else {
						args[name] = "x"
					}
				}
				args[field] = text
				raw, err := json.Marshal(args)
				require.NoError(t, err)
				catalog.Call(context.Background(), caller, tool.Name, raw, nil)
				calls++
			}
		}
	}
	for _, r := range site.Requests(0) {
		line := r.Method + " " + r.Path
		assert.False(t, ruinous.MatchString(line) && !allowedCheck.MatchString(line), "reached Confluence: %s", line)
	}
	assert.Greater(t, calls, 500)
	assert.NotEmpty(t, site.Requests(0))
	assertSpacesStand(t, site)
}

const broad = "groups:\n  pages: {level: read_write, allow_delete: true}\n  spaces: {level: read_write, allow_delete: true}\n  search: {level: read_only}\n  attachments: {level: read_write, allow_delete: true}\n  users: {level: read_only}\n"

// TestG02_G03_G06_ABadProfileStartsNothing: the product does not serve under
// rules it does not understand.
func TestG02_G03_G06_ABadProfileStartsNothing(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	for name, text := range map[string]string{
		"G02 a key that would permit it":  "version: 1\nname: bad\nallow_space_delete: true\n" + broad,
		"G02 a key in a group":            "version: 1\nname: bad\n" + strings.Replace(broad, "allow_delete: true}", "allow_delete: true, allow_space_delete: true}", 1),
		"G02 an action of that name":      "version: 1\nname: bad\n" + broad + "rules:\n  - {id: r, match: {actions: [delete_space]}, effect: deny}\n",
		"G03 a rule that allows":          "version: 1\nname: bad\n" + broad + "rules:\n  - {id: r, effect: allow}\n",
		"G06 half a file":                 "version: 1\nname: bad\ngroups:\n  pages: {level: read_wr",
		"G06 anchors":                     "version: 1\nname: bad\ngroups:\n  pages: &a {level: read_write}\n  spaces: *a\n",
		"G06 ten megabytes":               "version: 1\nname: bad\n" + broad + "# " + strings.Repeat("x", 10<<20),
		"G06 a duplicate key":             "version: 1\nname: bad\nname: bad\n" + broad,
		"G06 the name of a shipped one":   "version: 1\nname: full-access\nname: x\n" + broad,
		"G04 a rule that cannot be typed": "version: 1\nname: bad\n" + broad + "rules:\n  - {id: r, when: 'resource.title + 1 > 2', effect: deny}\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := &product{t: t, dir: productFolder(t, text), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			code := p.program("").run(ctx, []string{"serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", "127.0.0.1:0"})
			assert.NotEqual(t, exitOK, code)
			assert.Empty(t, urlIn(p.errOut.String()), "it never listened")
			assert.Less(t, len(p.errOut.String()), 4000)
		})
	}
	assert.Empty(t, site.Requests(0))
}

// TestI04_WhoReadRestrictedContentIsKeptFromWriting: a profile can keep what
// was read in confidence from being written elsewhere, whichever tool showed it.
func TestI04_WhoReadRestrictedContentIsKeptFromWriting(t *testing.T) {
	careful := "version: 1\nname: careful\n" + broad + "rules:\n  - {id: no-spill, match: {actions: [create, update]}, when: context.read_restricted, effect: deny, message: You read restricted pages.}\n"
	for tool, args := range map[string]map[string]any{
		"get_page": {"page_id": "1003"}, "search": {"query": "Plans"}, "list_pages": {"space_key": "ENG"}, "get_page_history": {"page_id": "1003"},
	} {
		t.Run(tool, func(t *testing.T) {
			site := emulatortest.Start(t, siteWith(botToken))
			p := &product{t: t, dir: productFolder(t, careful), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
			conf := filepath.Join(p.dir, "c.yaml")
			require.NoError(t, os.WriteFile(conf, []byte(strings.Replace(productFile, "profile: full-access", "profile: careful", 1)), 0o600))
			p.start()
			spill := map[string]any{"space_key": "S2", "title": "For everybody", "body": "What I read."}
			got := p.call(annKey, "create_page", spill).tool(t)
			assert.False(t, got.IsError, "before anything restricted was read: %s", got.Text)
			got = p.call(annKey, tool, args).tool(t)
			require.False(t, got.IsError, got.Text)
			if tool != "get_page_history" { // names no page
				require.Contains(t, got.Text, "1003", "it shows the restricted page")
			}
			assertKeptFromWriting(p, site, spill)
		})
	}
}

func assertKeptFromWriting(p *product, site *emulatortest.Emulator, spill map[string]any) {
	spill["title"] = "For everybody, again"
	since := len(site.Requests(0))
	got := p.call(annKey, "create_page", spill).tool(p.t)
	assert.True(p.t, got.IsError, got.Text)
	assert.Contains(p.t, got.Text, "no-spill")
	for _, r := range site.Requests(since) {
		assert.NotEqual(p.t, "POST", r.Method, r.Path)
	}
	log := p.audit()
	last := log[len(log)-1].Entry
	assert.Equal(p.t, "deny", last.Effect)
	assert.Equal(p.t, "confluence_create_page", last.Tool)
}

// TestG09_MassDeletionIsStopped: the profile's own limit of deletions counts,
// not only the server's.
func TestG09_MassDeletionIsStopped(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	few := "version: 1\nname: few\n" + broad + "limits: {writes_per_minute: 100, deletes_per_day: 2}\n"
	p := &product{t: t, dir: productFolder(t, few), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(strings.Replace(productFile, "profile: full-access", "profile: few", 1)), 0o600))
	p.start()
	for i, id := range []string{"1005", "1006", "1011", "3001", "3002"} {
		got := p.call(annKey, "delete_page", map[string]any{"page_id": id}).tool(t)
		if i < 2 {
			assert.False(t, got.IsError, got.Text)
			continue
		}
		assert.Equal(t, "limit.destructive", got.Kind, got.Text)
	}
	deleted := 0
	for _, r := range site.Requests(0) {
		if r.Method == "DELETE" {
			deleted++
		}
	}
	assert.Equal(t, 2, deleted)
	assert.Len(t, p.audit(), 5)
}
