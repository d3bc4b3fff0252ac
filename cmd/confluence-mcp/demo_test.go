package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
)

// demoWithin is what the design allows from the start to the first result.
const demoWithin = 10 * time.Second * raceFactor

// serveDemo runs the demo over HTTP until the test ends.
func serveDemo(t *testing.T, args ...string) *product {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	p := &product{t: t, out: &planted.Log{}, errOut: &planted.Log{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- p.program("").run(ctx, append([]string{"demo", "--listen", "127.0.0.1:0"}, args...))
	}()
	p.stop = sync.OnceValue(func() int { cancel(); return <-done })
	t.Cleanup(func() { p.stop() })
	endpoint := regexp.MustCompile(`MCP endpoint +(\S+)/mcp`)
	eventually(t, func() bool {
		if m := endpoint.FindStringSubmatch(p.out.String()); m != nil {
			p.url = m[1]
		}
		return p.url != "" || len(done) > 0
	}, "%s", p.errOut)
	require.NotEmpty(t, p.url, p.errOut.String())
	return p
}

// TestTheDemoDoesWhatItSays: what it prints can be done as it stands there.
func TestTheDemoDoesWhatItSays(t *testing.T) {
	began := time.Now()
	p := serveDemo(t)
	byHand := regexp.MustCompile(`(?s)-d '(.*?)'`).FindStringSubmatch(p.out.String())
	require.NotNil(t, byHand, p.out.String())
	header := map[string]string{}
	for _, h := range regexp.MustCompile(`-H '([^:]+): ([^']+)'`).FindAllStringSubmatch(p.out.String(), -1) {
		header[h[1]] = h[2]
	}
	first := p.send(http.MethodPost, "/mcp", "", byHand[1], header).tool(t)
	assert.Less(t, time.Since(began), demoWithin)
	assert.NotEmpty(t, first.Structured["results"])
	for key, sees := range map[string][2]string{"demo-ann": {"Incident reviews", "March review"}, "demo-bob": {"March review", "Incident reviews"}} {
		header["Authorization"] = "Bearer " + key
		found := p.send(http.MethodPost, "/mcp", "", byHand[1], header).tool(t).Text
		assert.Contains(t, found, sees[0], key)
		assert.NotContains(t, found, sees[1], key)
		assert.Contains(t, p.out.String(), sees[0])
	}

	me := func(key string) string { return p.call(key, "get_user", nil).tool(t).Text }
	assert.Contains(t, me(""), "u-ann", "no key asks as ann")
	assert.Contains(t, me("demo-bob"), "u-bob")
	assert.Equal(t, http.StatusUnauthorized, p.call("demo-nobody", "get_user", nil).status)

	// The two callers see different things, and the same of what is nobody's own.
	restricted, people := map[string]any{"page_id": "1029"}, map[string]any{"page_id": "1057"}
	assert.Contains(t, p.call("demo-ann", "get_page", restricted).tool(t).Text, "Production access")
	assert.Equal(t, "not_found", p.call("demo-bob", "get_page", restricted).tool(t).Kind)
	assert.Contains(t, p.call("demo-bob", "get_page", people).tool(t).Text, "Compensation")
	assert.Equal(t, "not_found", p.call("demo-ann", "get_page", people).tool(t).Kind)
	spaces := map[string]any{}
	assert.Equal(t, p.call("demo-ann", "list_spaces", spaces).tool(t).Structured["spaces"], p.call("demo-bob", "list_spaces", spaces).tool(t).Structured["spaces"])

	// It is read-only, and tells nobody's token.
	assert.Contains(t, p.call("", "create_page", map[string]any{"space_key": "ENG", "title": "x", "body": "x"}).body, "was not found")
	assert.Zero(t, p.stop())
	for _, token := range []string{"ann-token", "mirror-token"} {
		assert.NotContains(t, p.out.String()+p.errOut.String(), token)
	}
}

// TestTheDemoCanBeWrittenTo under a profile that lets it.
func TestTheDemoCanBeWrittenTo(t *testing.T) {
	p := serveDemo(t, "--profile", "full-access")
	made := p.call("", "create_page", map[string]any{"space_key": "ENG", "title": "Written in the demo", "body": "A line about tidal gauges."}).tool(t)
	require.False(t, made.IsError, made.Text)
	read := p.call("demo-bob", "get_page", map[string]any{"page_id": made.Structured["id"]}).tool(t)
	assert.Contains(t, read.Text, "tidal gauges", "others see it at once")
	refused := p.call("demo-bob", "create_page", map[string]any{"space_key": "ENG", "title": "By bob", "body": "x"}).tool(t)
	assert.Equal(t, "not_found", refused.Kind, "which is how Confluence says that he may only read there")
	assert.Contains(t, refused.Text, "this account may not see or change it")
}

// TestTheDemoOverStdio: whoever is named asks; nobody else's name is taken.
func TestTheDemoOverStdio(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ask := func(in string, args ...string) (string, string, int) {
		p := &product{t: t, out: &planted.Log{}, errOut: &planted.Log{}}
		code := p.program(in).run(t.Context(), append([]string{"demo", "--stdio"}, args...))
		return p.out.String(), p.errOut.String(), code
	}
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + statelessMeta + `,"name":"confluence_search","arguments":{"query":"salary bands"}}}` + "\n"
	for who, sees := range map[string]bool{"ann": false, "bob": true, "bob@harbourpine.test": true} {
		out, errOut, code := ask(call, "--as", who)
		assert.Zero(t, code, errOut)
		assert.NoError(t, onlyProtocol([]byte(out)))
		assert.Equal(t, sees, strings.Contains(out, "Salary bands"), "%s: %s", who, out)
		assert.Contains(t, errOut, "serving the sample company over stdio")
	}
	for _, bad := range []struct{ args, says string }{
		{"--as nobody", `nobody called "nobody" works there`},
		{"--profile nope", "Known are"},
		{"--listen 127.0.0.1:0", "exclude each other"},
	} {
		out, errOut, code := ask("", strings.Fields(bad.args)...)
		assert.NotZero(t, code, bad.args)
		assert.Empty(t, out)
		assert.Contains(t, errOut, bad.says, fmt.Sprint(bad.args))
	}
}
