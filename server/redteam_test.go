package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/server"
)

// The names of these tests are the ids of the red-team list.

func TestA01Origin(t *testing.T) {
	r := serve(t, func(c *server.Config) { c.AllowedOrigins = []string{"https://app.example"} })
	cases := map[string]struct {
		origin string
		want   int
	}{
		"absent":            {"", 200},
		"allowed":           {"https://app.example", 200},
		"our own page":      {r.url, 200},
		"foreign":           {"https://evil.example", 403},
		"null":              {"null", 403},
		"looks like ours":   {"http://localhost.evil.example", 403},
		"ours, other port":  {"http://127.0.0.1:1", 403},
		"allowed and more":  {"https://app.example.evil.example", 403},
		"allowed, no https": {"http://app.example", 403},
		"malformed":         {"::::", 403},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := call(annKey, "confluence_echo", `{}`)
			if c.origin != "" {
				a.header["Origin"] = c.origin
			}
			before := r.catalog.calls()
			got := r.do(a)
			assert.Equal(t, c.want, got.status, got.body)
			if c.want == 403 {
				assert.Equal(t, "auth.origin", got.kind(t))
				assert.Equal(t, before, r.catalog.calls(), "it went no further")
			}
		})
	}
	t.Run("the body stays unread", func(t *testing.T) {
		conn := dial(t, r)
		_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Length: 900000\r\n\r\n")
		require.NoError(t, err)
		assert.Contains(t, firstLine(t, conn), "403")
	})
}

func TestA02Host(t *testing.T) {
	public, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	require.NoError(t, err)
	for bind, on := range map[string]func(func(*server.Config)) *rig{
		"loopback": func(change func(*server.Config)) *rig { return serve(t, change) },
		"public":   func(change func(*server.Config)) *rig { return serveOn(t, public, change) },
	} {
		t.Run(bind, func(t *testing.T) { hosts(t, on) })
	}
}

// hosts holds which names a server answers to, whatever address it listens on.
func hosts(t *testing.T, on func(func(*server.Config)) *rig) {
	r := on(func(c *server.Config) {
		c.AllowedHosts = []string{"mcp.example", "other.example:8080"}
		c.ResourceURL = "https://public.example/mcp"
	})
	for host, want := range map[string]int{
		"localhost": 200, "127.0.0.1:9": 200, "[::1]:9": 200, "mcp.example": 200, "MCP.example:443": 200, "public.example": 200, "other.example:8080": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "mcp.example.evil.example": 403, "other.example:8081": 403, "0.0.0.0": 403,
	} {
		t.Run(host, func(t *testing.T) {
			a := call(annKey, "confluence_echo", `{}`)
			a.host = host
			before := r.catalog.calls()
			got := r.do(a)
			assert.Equal(t, want, got.status)
			if want == 403 {
				assert.Equal(t, "auth.host", got.kind(t))
				assert.Equal(t, before, r.catalog.calls(), "it went no further")
			}
		})
	}
}

func TestA03BodySize(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		c.MaxBody = 1 << 20
		c.ToolBodies = map[string]int64{"confluence_upload_attachment": 3 << 20}
	})
	text := func(n int) string { return `{"text":"` + strings.Repeat("x", n) + `"}` }
	cases := map[string]struct {
		ask  ask
		want int
	}{
		"below the cap":                    {call(bobKey, "confluence_echo", text(1<<20-1000)), 200},
		"above the cap":                    {call(bobKey, "confluence_echo", text(1<<20)), 413},
		"an upload":                        {call(bobKey, "confluence_upload_attachment", text(2<<20)), 200},
		"an upload above its own cap":      {call(bobKey, "confluence_upload_attachment", text(3<<20)), 413},
		"another tool posing as an upload": {renamed(call(bobKey, "confluence_echo", text(2<<20))), 413},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := r.catalog.calls()
			got := r.do(c.ask)
			assert.Equal(t, c.want, got.status)
			if c.want == 413 {
				assert.Equal(t, "limit.too_large", got.kind(t))
				assert.Equal(t, before, r.catalog.calls(), "it went no further")
			}
		})
	}
	t.Run("an upload of an initialize-based client, which has no header for the tool", func(t *testing.T) {
		id := r.handshake(bobKey)
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_upload_attachment","arguments":` + text(2<<20) + `}}`
		assert.Equal(t, 200, r.do(ask{key: bobKey, body: body, header: session(id)}).status)
	})
	t.Run("an endless body costs no memory", func(t *testing.T) {
		conn := dial(t, r)
		_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", annKey)
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			chunk := "10000\r\n" + strings.Repeat("[", 0x10000) + "\r\n"
			for range 1000 {
				if _, err := io.WriteString(conn, chunk); err != nil {
					return
				}
			}
		}()
		assert.Contains(t, firstLine(t, conn), "413")
		require.NoError(t, conn.Close())
		<-sent
		runtime.ReadMemStats(&after)
		t.Logf("%d KiB", (after.TotalAlloc-before.TotalAlloc)>>10)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "of 64 MiB the first is read")
	})
	t.Run("a length that lies", func(t *testing.T) {
		a := dial(t, r)
		_, err := fmt.Fprintf(a, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: 99999999\r\n\r\n", annKey)
		require.NoError(t, err)
		assert.Contains(t, firstLine(t, a), "413")
	})
}

func renamed(a ask) ask {
	a.header["Mcp-Name"] = "confluence_upload_attachment"
	return a
}

func TestA04AmbiguousJSON(t *testing.T) {
	r := serve(t, nil)
	wrap := func(params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + meta2026 + `,` + params + `}}`
	}
	cases := map[string]string{
		"twice at depth 1":          `{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}`,
		"twice at depth 2":          wrap(`"name":"confluence_echo","arguments":{},"arguments":{"text":"x"}`),
		"twice at depth 3":          wrap(`"name":"confluence_echo","arguments":{"text":"a","text":"b"}`),
		"twice at depth 5":          wrap(`"name":"confluence_echo","arguments":{"a":{"b":{"c":1,"c":2}}}`),
		"twice inside a list":       wrap(`"name":"confluence_echo","arguments":{"a":[{"b":1,"b":2}]}`),
		"NAME alone":                wrap(`"NAME":"confluence_echo","arguments":{}`),
		"NAME beside name":          wrap(`"name":"confluence_echo","NAME":"confluence_delete","arguments":{}`),
		"Method":                    `{"jsonrpc":"2.0","id":1,"Method":"tools/list"}`,
		"the long s":                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"param\u017f\":{}}",
		"the Kelvin sign":           wrap("\"name\":\"x\",\"tas\u212a\":{}"),
		"case variant of a meta":    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"AccessSettings":{}}}}`,
		"a key with NUL":            wrap(`"name":"confluence_echo","arguments":{"a\u0000b":1}`),
		"invalid UTF-8":             wrap("\"name\":\"confluence_echo\",\"arguments\":{\"text\":\"\xff\"}"),
		"two messages":              `{"jsonrpc":"2.0","id":1,"method":"tools/list"}{}`,
		"a batch":                   `[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`,
		"not JSON":                  `{"jsonrpc":`,
		"a bare word":               `hello`,
		"nothing":                   ``,
		"another version":           `{"jsonrpc":"1.0","id":1,"method":"tools/list"}`,
		"an object as id":           `{"jsonrpc":"2.0","id":{},"method":"tools/list"}`,
		"a list as params":          `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}`,
		"a number as method":        `{"jsonrpc":"2.0","id":1,"method":7}`,
		"a list as name":            wrap(`"name":[],"arguments":{}`),
		"a number as meta":          `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":7}}`,
		"capabilities as a list":    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":[]}}}`,
		"a version that is no text": `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}`,
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			a := modern(annKey, "tools/call", "confluence_echo", "")
			a.body = body
			got := r.do(a)
			assert.Equal(t, http.StatusBadRequest, got.status, got.body)
			assert.Equal(t, "input.malformed", got.kind(t))
			assertNoGo(t, got.body)
			assert.Zero(t, r.catalog.calls())
		})
	}
}

func TestA05DepthAndWidth(t *testing.T) {
	r := serve(t, nil)
	nested := func(n int) string { return `{"text":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	wide := func(n int) string { return `{"text":[` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + `]}` }
	for name, c := range map[string]struct {
		args string
		want int
	}{
		"64 deep":          {nested(64 - 3), 200},
		"65 deep":          {nested(65 - 3), 400},
		"5,000 deep":       {nested(5000), 400},
		"10,000 elements":  {wide(10_000), 200},
		"10,001 elements":  {wide(10_001), 400},
		"100,000 elements": {wide(100_000), 400},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.catalog.calls()
			got := r.do(call(annKey, "confluence_echo", c.args))
			assert.Equal(t, c.want, got.status)
			if c.want == 400 {
				assert.Equal(t, "input.malformed", got.kind(t))
				assert.Equal(t, before, r.catalog.calls(), "it went no further")
			}
		})
	}
}

func TestA06SlowClients(t *testing.T) {
	r := serve(t, func(c *server.Config) { c.HeaderTimeout, c.BodyTimeout = 700*time.Millisecond, 700*time.Millisecond })
	t.Run("slow headers", func(t *testing.T) {
		conns := make([]net.Conn, 100)
		for i := range conns {
			conns[i] = dial(t, r)
			_, err := io.WriteString(conns[i], "POST /mcp HTTP/1.1\r\nHo")
			require.NoError(t, err)
		}
		assert.Equal(t, 200, r.do(call(annKey, "confluence_echo", `{}`)).status, "a healthy caller meanwhile")
		for _, conn := range conns {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
			_, err := io.ReadAll(conn)
			require.NoError(t, err, "the server must have closed it")
		}
	})
	t.Run("slow body", func(t *testing.T) {
		conn := dial(t, r)
		_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", annKey)
		require.NoError(t, err)
		assert.Contains(t, firstLine(t, conn), "408")
	})
	t.Run("a body that trickles", func(t *testing.T) {
		conn := dial(t, r)
		began := time.Now()
		_, err := fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", annKey)
		require.NoError(t, err)
		for time.Since(began) < 5*time.Second*raceFactor {
			if _, err = io.WriteString(conn, " "); err != nil {
				break
			}
			<-time.After(100 * time.Millisecond)
		}
		require.Error(t, err, "bytes that come in one by one are no progress")
		assert.Less(t, time.Since(began), 3*time.Second*raceFactor)
	})
	assert.Equal(t, 1, r.catalog.calls(), "of all that, only what the healthy caller asked")
	t.Run("an answer may take longer than a request", func(t *testing.T) {
		done := make(chan answer, 1)
		go func() { done <- r.do(call(annKey, "confluence_slow", `{}`)) }()
		<-r.catalog.started
		select {
		case got := <-done:
			t.Fatalf("ended early: %v", got)
		case <-time.After(1800 * time.Millisecond): // more than what a request may take
		}
		close(r.catalog.release)
		assert.Equal(t, 200, (<-done).status)
	})
}

func TestA07ForeignSession(t *testing.T) {
	r := serve(t, nil)
	id := r.handshake(annKey)
	for name, a := range map[string]ask{
		"POST":   {key: bobKey, body: plainCall, header: session(id)},
		"GET":    {key: bobKey, method: http.MethodGet, header: session(id)},
		"DELETE": {key: bobKey, method: http.MethodDelete, header: session(id)},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, http.StatusNotFound, r.status(a)) })
	}
	assert.Zero(t, r.catalog.calls(), "none of them went further")
	assert.Equal(t, 200, r.do(ask{key: annKey, body: plainCall, header: session(id)}).status, "its owner is not disturbed")
	assert.Equal(t, "ann", r.catalog.lastCaller(t).Agent)
}

// plainCall is a call as initialize-based clients send it.
const plainCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_echo","arguments":{}}}`

func TestA08InventedSession(t *testing.T) {
	r := serve(t, nil)
	ended := r.handshake(annKey)
	require.Equal(t, 200, r.do(ask{key: annKey, method: http.MethodDelete, header: session(ended)}).status)
	for name, id := range map[string]string{"invented": "mcp-session-0b9f7c1e-5e0a-4a8b-9d53-0f3f1c2b7a61", "ended": ended, "odd": "../x"} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			t.Run(name+" "+method, func(t *testing.T) {
				assert.Equal(t, http.StatusNotFound, r.status(ask{key: annKey, method: method, body: plainCall, header: session(id)}))
			})
		}
	}
	assert.Zero(t, r.catalog.calls(), "none of them went further")
}

func TestA09HeadersAndBodyAgree(t *testing.T) {
	r := serve(t, nil)
	cases := map[string]func(*ask){
		"another tool":          func(a *ask) { a.header["Mcp-Name"] = "confluence_slow" },
		"no tool":               func(a *ask) { delete(a.header, "Mcp-Name") },
		"another method":        func(a *ask) { a.header["Mcp-Method"] = "tools/list" },
		"method in other case":  func(a *ask) { a.header["Mcp-Method"] = "TOOLS/CALL" },
		"no version":            func(a *ask) { delete(a.header, "MCP-Protocol-Version") },
		"another version":       func(a *ask) { a.header["MCP-Protocol-Version"] = "2025-11-25" },
		"a version to come":     func(a *ask) { a.header["MCP-Protocol-Version"] = "2027-01-01" },
		"header without a body": func(a *ask) { a.body = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			a := call(annKey, "confluence_echo", `{}`)
			change(&a)
			got := r.do(a)
			assert.Equal(t, http.StatusBadRequest, got.status, got.body)
			assert.Zero(t, r.catalog.calls())
		})
	}
}

func TestA11KeyInURL(t *testing.T) {
	r := serve(t, nil)
	for _, path := range []string{"/mcp?access_token=" + annKey, "/mcp?token=" + annKey, "/metrics?access_token=" + opsKey} {
		for _, key := range []string{"", opsKey} {
			a := call(key, "confluence_echo", `{}`)
			a.path = path
			if strings.HasPrefix(path, "/metrics") {
				a.method = http.MethodGet
			}
			assert.Equal(t, http.StatusUnauthorized, r.do(a).status, path)
		}
	}
	assert.Zero(t, r.catalog.calls(), "none of them went further")
	assert.NotContains(t, r.logs.String(), "access_token")
	assert.NotContains(t, r.logs.String(), annKey)
}

func TestA12NothingIsCached(t *testing.T) {
	r := serve(t, nil)
	for _, method := range []string{"tools/list", "server/discover"} {
		got := r.do(modern(annKey, method, "", ""))
		require.Equal(t, 200, got.status, got.body)
		result, _ := got.result(t)["result"].(map[string]any)
		assert.Equal(t, "private", result["cacheScope"], method)
		assert.Contains(t, result, "ttlMs")
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	}
	for name, a := range map[string]ask{
		"a call": call(annKey, "confluence_echo", `{}`), "a stream": progressing(annKey), "a refusal": {body: "x"}, "a malformed one": {key: annKey, body: "x"},
	} {
		assert.Equal(t, "no-store", r.do(a).header.Get("Cache-Control"), name)
	}
}

func TestA13RateLimit(t *testing.T) {
	now := time.Now()
	r := serve(t, func(c *server.Config) {
		c.Rate, c.Burst = 1, 5
		c.Now = func() time.Time { return now }
	})
	limited := 0
	for range 20 {
		got := r.do(call(annKey, "confluence_echo", `{}`))
		if got.status == http.StatusTooManyRequests {
			limited++
			assert.Equal(t, "limit.rate", got.kind(t))
			assert.Equal(t, "1", got.header.Get("Retry-After"))
		}
	}
	assert.Equal(t, 15, limited)
	assert.Equal(t, 5, r.catalog.calls())
	assert.Equal(t, 200, r.do(call(bobKey, "confluence_echo", `{}`)).status, "others are not affected")
}

func TestA14HiddenToolsDoNotExist(t *testing.T) {
	r := serve(t, nil)
	shape := func(name string) string {
		got := r.do(call(annKey, name, `{}`))
		assert.Equal(t, http.StatusBadRequest, got.status)
		return strings.ReplaceAll(got.body, name, "X")
	}
	unknown := shape("confluence_no_such_tool")
	assert.Contains(t, unknown, "-32602")
	assert.Contains(t, unknown, `"kind":"input.unknown_tool"`)
	assert.Contains(t, unknown, "List the tools again", "it says what to do")
	for _, name := range []string{"confluence_delete", "CONFLUENCE_ECHO", "confluence_echo ", "confluence_ech\u043e", "confluence_upload_attachment"} {
		a := call(annKey, name, `{}`)
		a.header["Mcp-Name"] = headerValue(name)
		got := r.do(a)
		assert.Equal(t, unknown, strings.ReplaceAll(got.body, name, "X"), name)
	}
	assert.Zero(t, r.catalog.calls())
	assert.Equal(t, 200, r.do(call(bobKey, "confluence_delete", `{}`)).status, "it is there for who may see it")
}

func TestA15PanicTellsNothing(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		c.Routes = map[string]http.Handler{"/api/x": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(canary) })}
	})
	got := r.do(call(annKey, "confluence_panic", `{}`))
	assert.Equal(t, 200, got.status)
	assert.NotContains(t, got.body, canary)
	result, _ := got.result(t)["result"].(map[string]any)
	assert.Equal(t, true, result["isError"])

	got = r.do(ask{key: annKey, path: "/api/x"})
	assert.Equal(t, http.StatusInternalServerError, got.status)
	assert.NotContains(t, got.body, canary)

	assert.Equal(t, 200, r.do(call(annKey, "confluence_echo", `{}`)).status, "the server goes on")
	assert.NotContains(t, r.logs.String(), canary)
	assert.Contains(t, r.logs.String(), `"msg":"panic"`)
}

// assertNoGo holds that no text of the Go runtime or its libraries gets out.
func assertNoGo(t *testing.T, body string) {
	t.Helper()
	for _, sign := range []string{"json:", "unmarshal", "goroutine", "runtime error", "strconv", "%!", ".go:"} {
		assert.NotContains(t, body, sign)
	}
}

func dial(t *testing.T, r *rig) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func firstLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return line
}
