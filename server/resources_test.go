package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policy"
	"confluence-mcp/server"
	"confluence-mcp/tools"
)

// library is a catalogue with pages: 1 can be read, 2 panics, no other exists.
type library struct{ *fakeCatalog }

func (l library) All() []tools.Tool {
	return append(l.fakeCatalog.All(), fakeTool("confluence_get_page", policy.Read))
}

func (l library) Tools(c identity.Caller) []tools.Tool {
	if c.Profile == "nothing" {
		return nil
	}
	return l.All()
}

func (l library) Call(ctx context.Context, c identity.Caller, name string, args json.RawMessage, progress tools.Progress) (tools.Result, bool) {
	_, _ = l.fakeCatalog.Call(ctx, c, "confluence_echo", args, progress)
	switch {
	case name != "confluence_get_page" || c.Profile == "nothing":
		return tools.Result{}, false
	case strings.Contains(string(args), `"page_id":"2"`):
		panic(canary)
	case !strings.Contains(string(args), `"page_id":"1"`):
		return tools.Failure(&confluence.Error{Kind: confluence.NotFound, Message: "There is no such page.", Next: "Search for it."}), true
	}
	return tools.Result{Text: "# A page"}, true
}

func serveLibrary(t *testing.T) *rig {
	return serve(t, func(c *server.Config) { c.Catalog = library{newFakeCatalog()} })
}

func readResource(key, uri string) ask {
	return modern(key, "resources/read", "", `"uri":"`+uri+`"`)
}

func TestPagesAreResources(t *testing.T) {
	r := serveLibrary(t)
	a := r.do(modern(annKey, "resources/templates/list", "", ""))
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, `"uriTemplate":"confluence://page/{id}"`)

	ask := readResource(annKey, "confluence://page/1")
	ask.header["Mcp-Name"] = "confluence://page/1"
	a = r.do(ask)
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, `"text":"# A page"`)
	assert.Contains(t, a.body, `"mimeType":"text/markdown"`)
}

func TestResourcesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		uri     string
		code    float64
		message string
	}{
		"not there":         {"confluence://page/3", -32602, "There is no such page."},
		"of another scheme": {"file:///etc/passwd", -32602, ""},
		"a panic":           {"confluence://page/2", -32603, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := serveLibrary(t)
			ask := readResource(annKey, c.uri)
			ask.header["Mcp-Name"] = c.uri
			a := r.do(ask)
			assert.NotContains(t, a.body, canary)
			e, _ := a.result(t)["error"].(map[string]any)
			require.NotNil(t, e, a.body)
			assert.Equal(t, c.code, e["code"], a.body)
			assert.Contains(t, e["message"], c.message)
		})
	}
	t.Run("of a caller who may not read pages", func(t *testing.T) {
		r := serveLibrary(t)
		r.keys.keys["blind"] = server.Agent{Name: "blind", Authority: "key", Owner: "blind", Profile: "nothing"}
		a := r.do(modern("blind", "resources/templates/list", "", ""))
		assert.NotContains(t, a.body, "confluence://")
		ask := readResource("blind", "confluence://page/1")
		ask.header["Mcp-Name"] = "confluence://page/1"
		assert.Contains(t, r.do(ask).body, "There is no such resource.")
	})
	t.Run("initialize-based", func(t *testing.T) {
		r := serveLibrary(t)
		a := r.do(ask{key: annKey, header: session(r.handshake(annKey)), body: `{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"confluence://page/3"}}`})
		e, _ := a.result(t)["error"].(map[string]any)
		require.NotNil(t, e, a.body)
		assert.EqualValues(t, -32002, e["code"], a.body)
	})
}
