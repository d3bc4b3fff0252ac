package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

// Confirmer lets the person at the other end of a client confirm a change of
// their own, where that is enough. It decides and records; this package only
// carries question and answer.
type Confirmer interface {
	// Question is what a person has to be shown before confirming the caller's
	// request, whole, with the digest of what it covers; ok is false when this
	// caller's own word is not enough for it.
	Question(ctx context.Context, c identity.Caller, approvalID string) (text, digest string, ok bool)
	// Answer takes the person's word. A nil error after a yes says that the
	// change was made; after a no that the request has ended.
	Answer(ctx context.Context, c identity.Caller, approvalID, digest string, yes bool) error
}

const (
	confirmID  = "confirm"        // names the question in a call's exchange
	confirmFor = 10 * time.Minute // how long a question may be answered
	maxStates  = 10_000           // answered questions that are remembered
)

// confirmSchema is the form a client shows: one box to tick.
func confirmSchema() any {
	return map[string]any{"type": "object", "required": []string{confirmID}, "properties": map[string]any{
		confirmID: map[string]any{"type": "boolean", "title": "Make this change", "description": "Yes makes exactly the change shown, once.", "default": false},
	}}
}

// states makes and checks the token a client carries from a question to its
// answer: who was asked about what, until when, once.
type states struct {
	now func() time.Time
	key []byte

	mu   sync.Mutex
	used map[string]time.Time // answered, by nonce, until they would be too late anyway
}

func newStates(now func() time.Time) *states {
	s := &states{now: now, key: make([]byte, 32), used: map[string]time.Time{}}
	_, _ = rand.Read(s.key) // crypto/rand never fails
	return s
}

type stateOf struct {
	ApprovalID string `json:"a"`
	Digest     string `json:"d"`
	Nonce      string `json:"n"`
	Until      int64  `json:"u"` // Unix seconds
}

// callName is the call a state belongs to; it can't be answered in another. A
// client may write the same arguments in another order.
func callName(c identity.Caller, req mcp.CallToolRequest) string {
	dec := json.NewDecoder(bytes.NewReader(req.Params.RawArguments))
	dec.UseNumber()
	args := []byte(req.Params.RawArguments)
	var v any
	if dec.Decode(&v) == nil {
		if sorted, err := json.Marshal(v); err == nil {
			args = sorted
		}
	}
	sum := sha256.Sum256(args)
	return c.Principal() + "\x00" + req.Params.Name + "\x00" + string(sum[:])
}

func (s *states) mac(payload, call string) []byte {
	m := hmac.New(sha256.New, s.key)
	fmt.Fprintf(m, "%d:%s%s", len(payload), payload, call)
	return m.Sum(nil)
}

func (s *states) issue(approvalID, digest, call string) string {
	payload, _ := json.Marshal(stateOf{approvalID, digest, rand.Text(), s.now().Add(confirmFor).Unix()}) // strings and a number
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(s.mac(string(payload), call))
}

// open reads a state of this very call that is in time and was not answered.
func (s *states) open(token, call string) (stateOf, bool) {
	var st stateOf
	first, second, _ := strings.Cut(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(first)
	sum, err2 := base64.RawURLEncoding.DecodeString(second)
	if errors.Join(err, err2) != nil || !hmac.Equal(sum, s.mac(string(payload), call)) || json.Unmarshal(payload, &st) != nil {
		return st, false
	}
	return st, s.now().Unix() < st.Until && !s.isUsed(st.Nonce)
}

func (s *states) isUsed(nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, used := s.used[nonce]
	return used
}

// use spends a state; false when another answer did. A full memory refuses:
// the ordinary approval is still there.
func (s *states) use(st stateOf) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for nonce, until := range s.used {
		if now.After(until) {
			delete(s.used, nonce)
		}
	}
	if _, used := s.used[st.Nonce]; used || len(s.used) >= maxStates {
		return false
	}
	s.used[st.Nonce] = time.Unix(st.Until, 0)
	return true
}

// errState is what the library is told of a state that is not ours; it reaches
// the client as the refusal of noSuchState.
var errState = errors.New("request state refused")

// noSuchState is our answer to a state that is not good; nil for every other
// sentence.
func noSuchState(text string) *refusal {
	if text != errState.Error() {
		return nil
	}
	f := refuse(400, "state", "input.state", "The requestState is not one of this call, is too old or was answered already.", "Make the call again without it.")
	f.code = -32602
	return f
}

// ask turns the answer of a call that waits for an approval into a question to
// the person at the client, where their own word is enough and the client can
// ask; nil otherwise.
func (s *Server) ask(ctx context.Context, req mcp.CallToolRequest, c identity.Caller, r tools.Result) *mcp.CallToolResult {
	if s.cfg.Confirm == nil || !r.IsError || !canAsk(ctx) {
		return nil
	}
	var shown struct {
		Error struct {
			Kind       string `json:"kind"`
			ApprovalID string `json:"approval_id"`
		} `json:"error"`
	}
	if json.Unmarshal(r.Structured, &shown) != nil || shown.Error.Kind != "approval.required" || shown.Error.ApprovalID == "" {
		return nil
	}
	text, digest, ok := s.cfg.Confirm.Question(ctx, c, shown.Error.ApprovalID)
	if !ok {
		return nil
	}
	state := s.states.issue(shown.Error.ApprovalID, digest, callName(c, req))
	return mcpserver.NewInputRequestBuilder(state).Elicit(confirmID, mcp.ElicitationParams{Mode: mcp.ElicitationModeForm, Message: text, RequestedSchema: confirmSchema()}).ToolResult()
}

// canAsk reports whether the client of this request said that it shows forms.
func canAsk(ctx context.Context) bool {
	var caps *mcp.ClientCapabilities
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		caps = info.ClientCapabilities
	} else if session, ok := mcpserver.ClientSessionFromContext(ctx).(mcpserver.SessionWithClientInfo); ok {
		known := session.GetClientCapabilities()
		caps = &known
	}
	return caps != nil && caps.Elicitation != nil && (caps.Elicitation.Form != nil || caps.Elicitation.URL == nil)
}

// answered takes the answer to a question, if the call brings one. done is nil
// when the call is to go on as any other: it then gives what came of the
// change, or that it waits. asked says not to ask again now.
func (s *Server) answered(ctx context.Context, req mcp.CallToolRequest, c identity.Caller) (done *tools.Result, asked bool, err error) {
	if req.Params.RequestState == "" && len(req.Params.InputResponses) == 0 {
		return nil, false, nil
	}
	st, ok := s.states.open(req.Params.RequestState, callName(c, req))
	if !ok || s.cfg.Confirm == nil {
		return nil, false, errState
	}
	said := mcpserver.ElicitationResponse(req.Params.InputResponses, confirmID)
	if said == nil { // the client repeats the call without an answer
		return nil, false, nil
	}
	if !s.states.use(st) {
		return nil, false, errState
	}
	return s.decided(ctx, c, st, said.ElicitationResponse), true, nil
}

func (s *Server) decided(ctx context.Context, c identity.Caller, st stateOf, said mcp.ElicitationResponse) *tools.Result {
	content, _ := said.Content.(map[string]any)
	yes, ticked := content[confirmID].(bool)
	switch said.Action {
	case mcp.ElicitationResponseActionAccept:
		if !ticked {
			return nil
		}
	case mcp.ElicitationResponseActionDecline:
		yes = false
	default: // closed without a word: it goes on waiting
		return nil
	}
	err := s.cfg.Confirm.Answer(ctx, c, st.ApprovalID, st.Digest, yes)
	if err == nil && !yes {
		err = &confluence.Error{Kind: confluence.Denied, Code: "approval.declined", Op: "approval", Ref: st.ApprovalID,
			Message: "The person at this client declined the change.", Next: "Nothing was changed. Do not repeat the call; ask what should be different."}
	}
	if err != nil {
		r := tools.Failure(err)
		return &r
	}
	return nil
}

// asking is the questions a stream has sent and that were not answered.
type asking struct {
	mu   sync.Mutex
	open map[string]chan json.RawMessage // by id, as the client has to send it back
}

// RequestElicitation implements the library's SessionWithElicitation for
// clients of the protocol with a handshake. No answer in time is a cancel.
func (s *streamSession) RequestElicitation(ctx context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	id, err := json.Marshal("ask-" + rand.Text())
	if err != nil {
		return nil, err
	}
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(id), "method": mcp.MethodElicitationCreate, "params": req.Params})
	if err != nil {
		return nil, fmt.Errorf("encode a question: %w", err)
	}
	answer := s.stream.asked.expect(string(id))
	defer s.stream.asked.forget(string(id))
	s.stream.write(message)
	timer := time.NewTimer(confirmFor)
	defer timer.Stop()
	closed := &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionCancel}}
	select {
	case raw := <-answer:
		var said struct {
			Result *mcp.ElicitationResult `json:"result"`
		}
		if json.Unmarshal(raw, &said) != nil || said.Result == nil {
			return closed, nil
		}
		return said.Result, nil
	case <-timer.C:
		return closed, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *asking) expect(id string) <-chan json.RawMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[string]chan json.RawMessage{}
	}
	a.open[id] = make(chan json.RawMessage, 1)
	return a.open[id]
}

func (a *asking) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, id)
}

// take hands an answer to who asked; one that nobody waits for is dropped.
func (a *asking) take(id string, raw []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.open[id]; ok {
		c <- json.RawMessage(raw)
		delete(a.open, id)
	}
}

// clientOf is what the client calls itself, for the record; nothing hangs on it.
func clientOf(ctx context.Context) string {
	var client mcp.Implementation
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		if info.ClientInfo != nil {
			client = *info.ClientInfo
		}
	} else if session, ok := mcpserver.ClientSessionFromContext(ctx).(mcpserver.SessionWithClientInfo); ok {
		client = session.GetClientInfo()
	}
	return plainName(strings.TrimSpace(client.Name + " " + client.Version))
}

// plainName keeps of a name what can't be mistaken for anything else.
func plainName(s string) string {
	const most = 80
	out := make([]rune, 0, most)
	for _, r := range s {
		if len(out) == most {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
