package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"confluence-mcp/internal/emulator"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// destructive is what must never be asked of Confluence, whoever asks: the end
// of a space, a purge, a change of rights.
func destructive(r emulator.Request) bool {
	path, query, _ := strings.Cut(strings.ToLower(r.Path), "?")
	if strings.Contains(path, "purge") || regexp.MustCompile(`(^|&)(purge|_method)=`).MatchString(query) { // a title may say purge
		return true
	}
	if r.Method == "GET" {
		return false
	}
	if regexp.MustCompile(`permission|restriction|role|admin-key|redact|classification|invite|/version/\d+$|pagetree|archive`).MatchString(path) {
		return true
	}
	return r.Method == "DELETE" && regexp.MustCompile(`/spaces?(/[^/]*)?/?$`).MatchString(path)
}

func drawProfile(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("version: 1\nname: drawn\ngroups:\n")
	for _, g := range []string{"pages", "spaces", "search", "attachments", "users"} {
		level := rapid.SampledFrom([]string{"disabled", "read_only", "read_write", "read_write"}).Draw(t, g)
		fmt.Fprintf(&b, "  %s: {level: %s, allow_delete: %v, require_approval: %v}\n", g, level, rapid.Bool().Draw(t, "delete"), rapid.IntRange(0, 3).Draw(t, "approve") == 0)
	}
	return b.String()
}

// drawArgs gives arguments that are often good: names of the tool's own schema
// and of things that do not exist, values of the sample site and hostile ones.
func drawArgs(t *rapid.T, tool tools.Tool) string {
	var in schema
	if err := json.Unmarshal(tool.InputSchema, &in); err != nil {
		t.Fatal(err)
	}
	texts := []string{"1000", "1001", "2000", "3000", "5001", "6001", "att6002", "ENG", "HR", "S2", "new", "Runbook", "1001?purge=true", "../../space/ENG", "trashed", "append", "page", "markdown", "x.txt", "# Hi"}
	out := map[string]any{}
	for name, p := range in.Properties {
		if !rapid.Bool().Draw(t, name) && !slices.Contains(in.Required, name) {
			continue
		}
		switch p.Type {
		case "integer":
			out[name] = rapid.IntRange(0, 5).Draw(t, name)
		case "boolean":
			out[name] = rapid.Bool().Draw(t, name)
		case "array":
			out[name] = []any{}
		default:
			out[name] = rapid.SampledFrom(texts).Draw(t, name)
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "extra") == 0 {
		out[rapid.SampledFrom([]string{"purge", "status", "permissions", "method", "_method", "path"}).Draw(t, "name")] = "DELETE"
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whatever the profile, the tool and the arguments: nothing destructive reaches
// Confluence, and the spaces and their home pages are still there afterwards.
func TestG01_NothingDestructiveReachesConfluence(t *testing.T) {
	d, e := emulated(t, "u-ops")
	all := append(d.cat.All(), tools.Tool{Name: "confluence_delete_space", InputSchema: json.RawMessage(`{"type":"object","properties":{"space_key":{"type":"string"}},"required":["space_key"]}`)})
	var live swappable
	d = d.with(&live)
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		profile, err := policy.Parse("drawn.yaml", []byte(drawProfile(rt)))
		if err != nil {
			return // a profile that is not valid is never loaded
		}
		live.profile = profile
		who := d.who
		who.Profile = "drawn"
		for range 8 {
			tool := rapid.SampledFrom(all).Draw(rt, "tool")
			since := len(e.Requests(0))
			r, _ := d.cat.Call(context.Background(), who, tool.Name, json.RawMessage(drawArgs(rt, tool)), nil)
			if !r.IsError && r.Text != "" && !tool.ReadOnly {
				ran++
			}
			for _, req := range e.Requests(0)[since:] {
				if destructive(req) {
					rt.Fatalf("%s sent %s %s", tool.Name, req.Method, req.Path)
				}
			}
		}
	})
	assert.Positive(t, ran, "some writes went through")
	for _, key := range []string{"ENG", "HR", "S2"} {
		res := e.Get("u-bot", "/wiki/api/v2/spaces?keys="+key)
		require.Equal(t, 200, res.StatusCode)
		var found struct {
			Results []struct{ HomepageID string }
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&found))
		require.Len(t, found.Results, 1, key)
		home := found.Results[0].HomepageID // another one, if update_space made it so
		require.Equal(t, 200, e.Get("u-bot", "/wiki/api/v2/pages/"+home+"?status=current").StatusCode, home)
	}
}

// swappable is one profile that a test exchanges between calls.
type swappable struct{ profile *policy.Profile }

func (s *swappable) Decide(r policy.Request) policy.Decision { return s.profile.Decide(r) }

func (s *swappable) Visible(_ string, g policy.Group, a policy.Action) bool {
	return s.profile.Visible(g, a)
}

func (s *swappable) NeedsResource(_, tool string, g policy.Group, a policy.Action) bool {
	return s.profile.NeedsResource(tool, g, a)
}

func TestDestructiveIsWhatItSays(t *testing.T) {
	for request, want := range map[string]bool{
		"DELETE /wiki/api/v2/pages/1?purge=true": true, "DELETE /wiki/api/v2/pages/1?a=b&PURGE=1": true, "GET /x?_method=DELETE": true,
		"DELETE /wiki/rest/api/space/ENG": true, "PUT /wiki/rest/api/content/1/restriction": true,
		"GET /wiki/api/v2/pages?title=1001%3Fpurge%3Dtrue": false, "DELETE /wiki/api/v2/pages/1": false,
	} {
		method, path, _ := strings.Cut(request, " ")
		assert.Equal(t, want, destructive(emulator.Request{Method: method, Path: path}), request)
	}
}
