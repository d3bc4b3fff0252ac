package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
	"confluence-mcp/tools"
)

// waiting is a catalogue whose changes wait until somebody said yes, and that
// somebody: a [server.Confirmer].
type waiting struct {
	*fakeCatalog
	mu     sync.Mutex
	self   bool // the caller's own word is enough
	said   []string
	made   bool
	digest string
}

func (w *waiting) Call(ctx context.Context, c identity.Caller, name string, args json.RawMessage, p tools.Progress) (tools.Result, bool) {
	w.mu.Lock()
	made := w.made
	w.mu.Unlock()
	if name != "confluence_upload_attachment" || made {
		return w.fakeCatalog.Call(ctx, c, name, args, p)
	}
	return tools.Failure(&confluence.Error{Kind: confluence.Waiting, Op: "approval", Ref: "id-1", Message: "It waits.", Next: "Wait."}), true
}

func (w *waiting) Question(_ context.Context, _ identity.Caller, id string) (text, digest string, ok bool) {
	return "Change " + id + "?\n+ a line", "sha256:shown", w.self
}

func (w *waiting) Answer(_ context.Context, c identity.Caller, id, digest string, yes bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprint(c.Client, " ", id, " ", digest, " ", yes))
	w.made = yes
	return nil
}

func (w *waiting) answers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said
}

const upload = "confluence_upload_attachment"

func waitingStream(t *testing.T, self bool) (*waiting, *pipe) {
	t.Helper()
	w := &waiting{fakeCatalog: newFakeCatalog(), self: self}
	p := stream(t, func(c *server.Config) { c.Catalog, c.Confirm = w, w })
	return w, connect(t, p.server, identity.Caller{Agent: "local", Kind: identity.Service, Profile: "full", Transport: identity.Stdio})
}

func hello(caps string) string {
	return `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + caps + `,"clientInfo":{"name":"desk","version":"7\u202e"}}}`
}

func errorKind(m map[string]any) string {
	r, _ := m["result"].(map[string]any)
	s, _ := r["structuredContent"].(map[string]any)
	e, _ := s["error"].(map[string]any)
	k, _ := e["kind"].(string)
	return k
}

// A client of the protocol with a handshake is asked on its own stream.
func TestAClientIsAskedForItsPersonsWord(t *testing.T) {
	for name, c := range map[string]struct {
		answer string // %s is the id of the question
		kind   string // of the tool's error, "" for none
		said   []string
	}{
		"yes":             {`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"confirm":true}}}`, "", []string{"desk 7? id-1 sha256:shown true"}},
		"box not ticked":  {`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"confirm":false}}}`, "approval.declined", []string{"desk 7? id-1 sha256:shown false"}},
		"declined":        {`{"jsonrpc":"2.0","id":%s,"result":{"action":"decline"}}`, "approval.declined", []string{"desk 7? id-1 sha256:shown false"}},
		"closed":          {`{"jsonrpc":"2.0","id":%s,"result":{"action":"cancel"}}`, "approval.required", nil},
		"nothing in it":   {`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, "approval.required", nil},
		"an error":        {`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, "approval.required", nil},
		"somebody else's": {`{"jsonrpc":"2.0","id":"ask-x","result":{"action":"accept","content":{"confirm":true}}}` + "\n" + `{"jsonrpc":"2.0","id":%s,"result":{"action":"cancel"}}`, "approval.required", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := waitingStream(t, true)
			p.send(hello(`{"elicitation":{}}`))
			p.next()
			p.send(legacyCall(1, upload, `{"text":"x"}`))
			q := p.next()
			require.Equal(t, "elicitation/create", q["method"])
			params, _ := q["params"].(map[string]any)
			assert.Contains(t, params["message"], "+ a line", "the person sees the change")
			id, err := json.Marshal(q["id"])
			require.NoError(t, err)
			p.send(strings.Split(strings.Replace(c.answer, "%s", string(id), 1), "\n")...)
			got := p.next()
			assert.EqualValues(t, 1, got["id"])
			assert.Equal(t, c.kind, errorKind(got), got)
			assert.Equal(t, c.said, w.answers())
		})
	}
}

// Who can't be asked, or whose word is not enough, has the ordinary approval.
func TestNobodyIsAskedWithoutTheRightOrTheCapability(t *testing.T) {
	for name, c := range map[string]struct {
		self bool
		caps string
	}{"not enough": {false, `{"elicitation":{"form":{}}}`}, "no capability": {true, `{}`}, "addresses only": {true, `{"elicitation":{"url":{}}}`}} {
		t.Run(name, func(t *testing.T) {
			w, p := waitingStream(t, c.self)
			p.send(hello(c.caps))
			p.next()
			p.send(legacyCall(1, upload, `{}`))
			assert.Equal(t, "approval.required", errorKind(p.next()))
			assert.Empty(t, w.answers())
		})
	}
}

const askable = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"new","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}}`

func modernUpload(id int, args, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{%s,"name":%q,"arguments":%s%s}}`, id, askable, upload, args, more)
}

const yes = `,"inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}}},"requestState":%q`

// questionOf gives the state of a question of the stateless protocol.
func questionOf(t *testing.T, m map[string]any) string {
	t.Helper()
	r, _ := m["result"].(map[string]any)
	require.Equal(t, "input_required", r["resultType"], m)
	state, _ := r["requestState"].(string)
	require.NotEmpty(t, state)
	requests, _ := json.Marshal(r["inputRequests"])
	require.Contains(t, string(requests), "elicitation/create")
	require.Contains(t, string(requests), "+ a line")
	return state
}

func TestAStatelessClientAnswersWithItsNextCall(t *testing.T) {
	w, p := waitingStream(t, true)
	p.send(modernUpload(1, `{"text":"x"}`, ""))
	state := questionOf(t, p.next())
	p.send(modernUpload(2, `{"text":"x"}`, fmt.Sprintf(`,"requestState":%q`, state)))
	state = questionOf(t, p.next()) // a missing answer is asked for again
	p.send(modernUpload(3, `{"text":"x"}`, fmt.Sprintf(yes, state)))
	assert.Empty(t, errorKind(p.next()))
	assert.Equal(t, []string{"new 1 id-1 sha256:shown true"}, w.answers())
}

// A10: a state that was changed, is somebody else's, too old, used, or of other
// arguments does nothing.
func TestA10_RequestState(t *testing.T) {
	at := time.Now()
	w := &waiting{fakeCatalog: newFakeCatalog(), self: true}
	clock := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return at }
	s := stream(t, func(c *server.Config) { c.Catalog, c.Confirm, c.Now = w, w, clock }).server
	mine := identity.Caller{Agent: "local", Kind: identity.Service, Profile: "full", Transport: identity.Stdio}
	other := mine
	other.Agent = "other"
	p, q := connect(t, s, mine), connect(t, s, other)
	p.send(modernUpload(1, `{"text":"x"}`, ""))
	state := questionOf(t, p.next())
	flipped := []byte(state)
	flipped[4] ^= 1
	for name, c := range map[string]struct {
		to    *pipe
		args  string
		state string
	}{
		"flipped bit":     {p, `{"text":"x"}`, string(flipped)},
		"other principal": {q, `{"text":"x"}`, state},
		"other arguments": {p, `{"text":"y"}`, state},
		"empty":           {p, `{"text":"x"}`, ""},
		"no mac":          {p, `{"text":"x"}`, strings.Split(state, ".")[0]},
	} {
		c.to.send(modernUpload(2, c.args, fmt.Sprintf(yes, c.state)))
		e, _ := c.to.next()["error"].(map[string]any)
		assert.EqualValues(t, -32602, e["code"], name)
		assert.Contains(t, e["message"], "requestState", name)
	}
	w.mu.Lock()
	at = at.Add(10 * time.Minute)
	w.mu.Unlock()
	p.send(modernUpload(3, `{"text":"x"}`, fmt.Sprintf(yes, state)))
	assert.NotNil(t, p.next()["error"], "expired")
	assert.Empty(t, w.answers())
	assert.Zero(t, w.calls(), "nothing was carried out")

	p.send(modernUpload(4, `{"text":"x"}`, ""))
	state = questionOf(t, p.next())
	p.send(modernUpload(5, `{"text":"x"}`, fmt.Sprintf(yes, state)))
	assert.Nil(t, p.next()["error"])
	p.send(modernUpload(6, `{"text":"x"}`, fmt.Sprintf(yes, state)))
	assert.NotNil(t, p.next()["error"], "reused")
	assert.Len(t, w.answers(), 1)
	assert.Equal(t, 1, w.calls(), "it was carried out once")
}
