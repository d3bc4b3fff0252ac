package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

// pipe is one client of ServeStream.
type pipe struct {
	t       *testing.T
	catalog *fakeCatalog
	server  *server.Server
	logs    *planted.Log
	in      *io.PipeWriter
	out     chan map[string]any
	raw     *planted.Log // everything the server wrote
	done    chan error
	cancel  context.CancelFunc
}

func local() identity.Caller {
	return identity.Caller{Agent: "local", Kind: identity.Service, Profile: "read-only", Transport: identity.Stdio}
}

func newStreamServer(t *testing.T, change func(*server.Config)) (*server.Server, *fakeCatalog, *planted.Log) {
	t.Helper()
	catalog, logs := newFakeCatalog(), &planted.Log{}
	cfg := config(t, catalog, logs)
	if change != nil {
		change(&cfg)
	}
	s, err := server.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, catalog, logs
}

func stream(t *testing.T, change func(*server.Config)) *pipe {
	t.Helper()
	s, catalog, logs := newStreamServer(t, change)
	p := connect(t, s, local())
	p.catalog, p.logs = catalog, logs
	return p
}

func connect(t *testing.T, s *server.Server, caller identity.Caller) *pipe {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &pipe{t: t, server: s, in: inW, out: make(chan map[string]any, 1000), raw: &planted.Log{}, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	p.cancel = cancel
	go func() {
		err := s.ServeStream(ctx, inR, outW, caller)
		_ = outW.Close()
		p.done <- err
	}()
	go func() {
		defer close(p.out)
		lines := bufio.NewReader(io.TeeReader(outR, p.raw))
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil {
				p.out <- m
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = inW.Close() })
	return p
}

func (p *pipe) send(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		_, err := io.WriteString(p.in, l+"\n")
		require.NoError(p.t, err)
	}
}

func (p *pipe) next() map[string]any {
	p.t.Helper()
	select {
	case m, ok := <-p.out:
		require.True(p.t, ok, "the stream ended")
		return m
	case <-time.After(time.Minute): // ten megabytes under the race detector take their time
		require.Fail(p.t, "no message came")
		return nil
	}
}

func legacyCall(id int, tool, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, args)
}

func modernLine(id int, method, params string) string {
	if params != "" {
		params = "," + params
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s%s}}`, id, method, meta2026, params)
}

func TestStreamServesBothEras(t *testing.T) {
	p := stream(t, nil)
	p.send(initialize, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	result, _ := p.next()["result"].(map[string]any)
	assert.Equal(t, "2025-11-25", result["protocolVersion"])
	result, _ = p.next()["result"].(map[string]any)
	assert.Len(t, result["tools"], 4)
	assert.NotContains(t, result, "cacheScope", "older clients get what they know")

	p.send(modernLine(2, "server/discover", ""))
	result, _ = p.next()["result"].(map[string]any)
	assert.Contains(t, result["supportedVersions"], "2026-07-28")
	p.send(modernLine(3, "tools/list", ""))
	result, _ = p.next()["result"].(map[string]any)
	assert.Equal(t, "private", result["cacheScope"])
	p.send(modernLine(4, "tools/call", `"name":"confluence_echo","arguments":{"text":"x"}`))
	assert.Equal(t, 4.0, p.next()["id"])
	assert.Equal(t, local(), p.catalog.lastCaller(t))
}

func TestStreamAnswersGarbage(t *testing.T) {
	p := stream(t, nil)
	for name, c := range map[string]struct {
		line string
		code float64
	}{
		"no JSON":         {"hello", -32700},
		"cut off":         {`{"jsonrpc":"2.0"`, -32700},
		"binary":          {"\xff\xfe\x00", -32700},
		"a batch":         {`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, -32600},
		"duplicate keys":  {`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, -32600},
		"NAME":            {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"confluence_echo"}}`, -32600},
		"too deep":        {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`, -32600},
		"unknown method":  {`{"jsonrpc":"2.0","id":1,"method":"no/such"}`, -32601},
		"unknown tool":    {legacyCall(1, "confluence_nothing", `{}`), -32602},
		"hidden tool":     {legacyCall(1, "confluence_delete", `{}`), -32602},
		"naming a caller": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_echo","_meta":{"accessSettings":{"externalUserId":"u-bob"}}}}`, -31403},
	} {
		t.Run(name, func(t *testing.T) {
			p.send(c.line)
			m := p.next()
			e, _ := m["error"].(map[string]any)
			require.NotNil(t, e, "%v", m)
			assert.Equal(t, c.code, e["code"])
			assertNoGo(t, e["message"].(string))
		})
	}
	p.send("", "   ", legacyCall(9, "confluence_echo", `{}`))
	assert.Equal(t, 9.0, p.next()["id"], "it goes on, and empty lines are nothing")
	assert.Equal(t, 1, p.catalog.calls())
}

func TestStreamCapsALine(t *testing.T) {
	p := stream(t, func(c *server.Config) { c.MaxLine = 1 << 20 })
	p.send(`{"jsonrpc":"2.0","id":1,"method":"`+strings.Repeat("x", 2<<20)+`"}`, legacyCall(2, "confluence_echo", `{}`))
	e, _ := p.next()["error"].(map[string]any)
	data, _ := e["data"].(map[string]any)
	assert.Equal(t, "limit.too_large", data["kind"])
	assert.Equal(t, 2.0, p.next()["id"], "the next line is read as if nothing had been")
	p.send(legacyCall(3, "confluence_echo", `{"text":"`+strings.Repeat("x", 1<<20-200)+`"}`))
	assert.Equal(t, 3.0, p.next()["id"])
}

func TestStreamTakesTenMegabytes(t *testing.T) {
	p := stream(t, nil)
	p.send(legacyCall(1, "confluence_echo", `{"text":"`+strings.Repeat("x", 10<<20)+`"}`))
	result, _ := p.next()["result"].(map[string]any)
	assert.Nil(t, result["isError"])
}

func TestStreamRunsCallsSideBySide(t *testing.T) {
	p := stream(t, nil)
	for i := range 5 {
		p.send(legacyCall(i, "confluence_slow", `{}`))
	}
	for range 5 {
		<-p.catalog.started
	}
	p.send(legacyCall(99, "confluence_echo", `{}`))
	assert.Equal(t, 99.0, p.next()["id"], "a quick one overtakes")
	close(p.catalog.release)
	for range 5 {
		assert.Contains(t, p.next(), "result")
	}
}

func TestStreamCancels(t *testing.T) {
	for name, lines := range map[string][2]string{
		"legacy":    {legacyCall(7, "confluence_slow", `{}`), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`},
		"stateless": {modernLine(7, "tools/call", `"name":"confluence_slow","arguments":{}`), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{` + meta2026 + `,"requestId":7}}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := stream(t, nil)
			p.send(lines[0])
			<-p.catalog.started
			p.send(lines[1])
			assert.ErrorIs(t, <-p.catalog.ended, context.Canceled)
			p.send(legacyCall(8, "confluence_echo", `{}`))
			assert.Equal(t, 8.0, p.next()["id"], "a cancelled request gets no answer")
		})
	}
}

// TestAFullStreamIsReadOn: while as many calls run as may, others wait, what
// is beyond is refused, and a cancellation and the end are still seen.
func TestAFullStreamIsReadOn(t *testing.T) {
	p := stream(t, nil)
	for i := range 64 {
		p.send(legacyCall(i, "confluence_slow", `{}`))
		<-p.catalog.started
	}
	for i := range 128 {
		p.send(legacyCall(100+i, "confluence_slow", `{}`))
	}
	p.send(legacyCall(300, "confluence_echo", `{}`))
	refused := p.next()
	assert.Equal(t, 300.0, refused["id"])
	assert.Equal(t, "limit.rate", refused["error"].(map[string]any)["data"].(map[string]any)["kind"])

	p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	assert.ErrorIs(t, <-p.catalog.ended, context.Canceled)
	<-p.catalog.started // one that waited
	close(p.catalog.release)
	for range 63 + 128 {
		assert.Contains(t, p.next(), "result")
	}
}

// TestAStreamHoldsABoundedNumberOfBytes: few large requests are as many as many
// small ones; all that run or wait are together no larger than one may be.
func TestAStreamHoldsABoundedNumberOfBytes(t *testing.T) {
	p := stream(t, func(c *server.Config) { c.MaxLine = 1 << 20 })
	large := func(id int, tool string) string {
		return legacyCall(id, tool, `{"text":"`+strings.Repeat("x", 400<<10)+`"}`)
	}
	refusals := func(id int) {
		t.Helper()
		p.send(large(id, "confluence_echo"))
		m := p.next()
		assert.EqualValues(t, id, m["id"])
		assert.Equal(t, "limit.rate", m["error"].(map[string]any)["data"].(map[string]any)["kind"])
	}
	for i := range 2 {
		p.send(large(i, "confluence_slow"))
		<-p.catalog.started
	}
	for i := range 5 {
		refusals(10 + i)
	}
	p.send(legacyCall(20, "confluence_echo", `{}`))
	assert.Equal(t, 20.0, p.next()["id"], "a small one has room")
	p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	assert.ErrorIs(t, <-p.catalog.ended, context.Canceled)
	require.Eventually(t, func() bool {
		p.send(large(30, "confluence_echo"))
		return p.next()["result"] != nil
	}, time.Minute, 10*time.Millisecond, "a cancelled one gives its room back")
	close(p.catalog.release)
	assert.Equal(t, 0.0, p.next()["id"])
	require.Eventually(t, func() bool {
		p.send(legacyCall(40, "confluence_echo", `{"text":"`+strings.Repeat("x", 1000<<10)+`"}`))
		return p.next()["result"] != nil
	}, time.Minute, 10*time.Millisecond, "and so do answered ones: one as large as may be is served")
}

func TestStreamProgress(t *testing.T) {
	p := stream(t, nil)
	for i := range 20 {
		p.send(modernLine(i, "tools/call", `"name":"confluence_steps","arguments":{},"_meta2":0`))
		assert.Equal(t, float64(i), p.next()["id"], "nobody asked for progress")
		p.send(strings.Replace(modernLine(i, "tools/call", `"name":"confluence_steps","arguments":{}`), `"_meta":{`, `"_meta":{"progressToken":"t",`, 1))
		for want := 1.0; want <= 3; want++ {
			params, _ := p.next()["params"].(map[string]any)
			assert.Equal(t, want, params["progress"])
		}
		assert.Equal(t, float64(i), p.next()["id"])
	}
}

func TestStreamListeners(t *testing.T) {
	s, _, _ := newStreamServer(t, nil)
	p, other := connect(t, s, local()), connect(t, s, local())
	other.send(modernLine(1, "tools/list", ""))
	other.next()
	p.send(modernLine(5, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`))
	assert.Equal(t, "notifications/subscriptions/acknowledged", p.next()["method"])
	s.ToolsChanged()
	m := p.next()
	assert.Equal(t, "notifications/tools/list_changed", m["method"])
	params, _ := m["params"].(map[string]any)
	assert.Equal(t, 5.0, params["_meta"].(map[string]any)["io.modelcontextprotocol/subscriptionId"])

	other.send(initialize)
	other.next()
	other.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	assert.Equal(t, 2.0, other.next()["id"], "a client that did not ask hears nothing")
	s.ToolsChanged()
	assert.Equal(t, "notifications/tools/list_changed", other.next()["method"], "an initialize-based one hears changes")
	p.next()
	p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`, modernLine(6, "tools/list", ""))
	assert.Equal(t, 6.0, p.next()["id"])

	for i := range 9 {
		p.send(modernLine(100+i, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`))
	}
	for {
		m := p.next()
		if e, ok := m["error"].(map[string]any); ok {
			assert.Equal(t, "limit.rate", e["data"].(map[string]any)["kind"], "there is an end to listening")
			break
		}
	}
}

func TestStreamsOfOneServerAreApart(t *testing.T) {
	s, catalog, _ := newStreamServer(t, nil)
	ann, bob := local(), local()
	ann.AccountID, bob.AccountID = "ann", "bob"
	ann.Kind, bob.Kind, bob.Profile = identity.User, identity.User, "full"
	a, b := connect(t, s, ann), connect(t, s, bob)
	a.send(legacyCall(1, "confluence_slow", `{}`))
	<-catalog.started
	b.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, legacyCall(1, "confluence_delete", `{}`))
	assert.Contains(t, b.next(), "result", "bob may what ann may not")
	assert.Equal(t, "bob", catalog.lastCaller(t).AccountID)
	close(catalog.release)
	assert.NoError(t, <-catalog.ended, "bob does not cancel ann's call")
	assert.Contains(t, a.next(), "result")
}

func TestStreamEnds(t *testing.T) {
	within := func(t *testing.T, p *pipe) error {
		t.Helper()
		began := time.Now()
		select {
		case err := <-p.done:
			assert.Less(t, time.Since(began), 3*time.Second*raceFactor) // a second, and what a busy machine adds
			return err
		case <-time.After(time.Minute):
			require.Fail(t, "the stream goes on")
			return nil
		}
	}
	t.Run("at the end of its input", func(t *testing.T) {
		p := stream(t, nil)
		require.NoError(t, p.in.Close())
		assert.NoError(t, within(t, p))
	})
	t.Run("answers under way still come", func(t *testing.T) {
		p := stream(t, nil)
		p.send(legacyCall(1, "confluence_slow", `{}`))
		<-p.catalog.started
		_, err := io.WriteString(p.in, legacyCall(2, "confluence_echo", `{}`)) // the last line has no line feed
		require.NoError(t, err)
		require.NoError(t, p.in.Close())
		assert.Equal(t, 2.0, p.next()["id"])
		close(p.catalog.release)
		assert.Equal(t, 1.0, p.next()["id"])
		assert.NoError(t, within(t, p))
	})
	t.Run("with a call and a listener that do not end", func(t *testing.T) {
		p := stream(t, nil)
		p.send(legacyCall(1, "confluence_slow", `{}`), modernLine(2, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`))
		<-p.catalog.started
		require.NoError(t, p.in.Close())
		assert.NoError(t, within(t, p))
		assert.Len(t, p.catalog.ended, 1, "the call has ended, and could say so, before the stream did")
		assert.ErrorIs(t, <-p.catalog.ended, context.Canceled)
	})
	t.Run("on a signal, with an answer under way", func(t *testing.T) {
		p := stream(t, nil)
		p.send(legacyCall(1, "confluence_slow", `{}`))
		<-p.catalog.started
		p.cancel()
		close(p.catalog.release)
		assert.Equal(t, 1.0, p.next()["id"])
		assert.NoError(t, within(t, p))
		assert.NoError(t, <-p.catalog.ended)
	})
	t.Run("on a signal, with a call that does not end", func(t *testing.T) {
		p := stream(t, nil)
		p.send(legacyCall(1, "confluence_slow", `{}`))
		<-p.catalog.started
		p.cancel()
		assert.NoError(t, within(t, p))
		assert.Len(t, p.catalog.ended, 1)
		assert.ErrorIs(t, <-p.catalog.ended, context.Canceled)
	})
	t.Run("on a signal, while nothing comes in", func(t *testing.T) {
		p := stream(t, nil)
		p.cancel()
		assert.NoError(t, within(t, p))
	})
	t.Run("when nobody reads", func(t *testing.T) {
		s, _, _ := newStreamServer(t, nil)
		in := strings.NewReader(initialize + "\n" + legacyCall(1, "confluence_echo", `{}`) + "\n")
		assert.ErrorIs(t, s.ServeStream(t.Context(), in, closed{}, local()), io.ErrClosedPipe)
	})
	t.Run("when its input breaks", func(t *testing.T) {
		s, _, _ := newStreamServer(t, nil)
		broken := errors.New("cable cut")
		in := io.MultiReader(strings.NewReader(initialize+"\n"+`{"jsonrpc":"2.0","id":7,`), iotest.ErrReader(broken))
		var out planted.Log
		assert.ErrorIs(t, s.ServeStream(t.Context(), in, &out, local()), broken)
		assert.Equal(t, 1, strings.Count(out.String(), "\n"), "half a line is not answered: %s", &out)
		assert.Contains(t, out.String(), "serverInfo")
	})
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStreamWritesProtocolOnly(t *testing.T) {
	p := stream(t, nil)
	p.send(initialize)
	p.next()
	for i := range 100 {
		p.send(legacyCall(i, []string{"confluence_echo", "confluence_panic", "confluence_steps", "confluence_nothing"}[i%4], `{"text":"x"}`), "garbage {")
	}
	for range 200 {
		p.next()
	}
	for line := range strings.Lines(p.raw.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		assert.Equal(t, "2.0", m["jsonrpc"])
	}
	assert.NotContains(t, p.raw.String(), canary)
	assert.NotContains(t, p.logs.String(), canary)
}

func TestStreamRateLimit(t *testing.T) {
	now := time.Now()
	p := stream(t, func(c *server.Config) {
		c.Rate, c.Burst = 1, 3
		c.Now = func() time.Time { return now }
	})
	limited := 0
	for i := range 10 {
		p.send(legacyCall(i, "confluence_echo", `{}`))
		if e, ok := p.next()["error"].(map[string]any); ok {
			limited++
			assert.Equal(t, "limit.rate", e["data"].(map[string]any)["kind"])
		}
	}
	assert.Equal(t, 7, limited)
}
