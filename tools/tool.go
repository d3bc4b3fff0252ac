package tools

import (
	"encoding/json"
	"fmt"
	"strings"

	"confluence-mcp/policy"
)

// Prefix starts the name of every tool.
const Prefix = "confluence_"

// Tool is what a client learns about one tool. Everything in it is constant:
// no text from Confluence, the profile or the caller ever reaches it.
//
// Both schemas are compact JSON Schema objects. Action is the least action a
// call can amount to; the gate decides the real one per call. Group is empty
// for a tool that only reads the server's own state about the caller.
type Tool struct {
	Name         string
	Title        string
	Description  string
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	Group        policy.Group
	Action       policy.Action

	// The four annotations of MCP, all set on purpose. OpenWorld is true for
	// all tools that reach Confluence.
	ReadOnly    bool
	Destructive bool
	Idempotent  bool
	OpenWorld   bool
}

// Result is the answer to a call. Text is complete on its own and written for
// a model. Structured is a JSON object that conforms to the tool's
// OutputSchema, or {"error":{"kind","message","next","retryable"}} when IsError.
type Result struct {
	Text       string
	Structured json.RawMessage
	IsError    bool
}

// Progress is told how far a long call is; total is 0 when unknown. It may be
// nil.
type Progress func(done, total float64, message string)

// Failure turns an error into the answer a model reads: what happened and what
// to do next. An error that is no confluence error, or is of kind Internal,
// shows one fixed sentence and nothing of itself.
func Failure(err error) Result {
	e := public(err)
	shown := failure{Error: failureBody{
		Kind: e.StableCode(), Message: e.Message, Next: e.Next,
		Retryable: e.Retryable(), RetryAfter: int(e.RetryAfter.Seconds() + 0.999),
	}}
	if strings.HasPrefix(shown.Error.Kind, "approval.") {
		shown.Error.ApprovalID = e.Ref
	}
	structured, encErr := encode(shown)
	if encErr != nil {
		structured = json.RawMessage(`{"error":{"kind":"internal","message":"The answer could not be encoded.","next":"","retryable":false}}`)
	}
	text := fmt.Sprintf("Error (%s): %s", shown.Error.Kind, e.Message)
	if e.Next != "" {
		text += " " + e.Next
	}
	return Result{Text: text, Structured: structured, IsError: true}
}

type failure struct {
	Error failureBody `json:"error"`
}

type failureBody struct {
	Kind       string `json:"kind"`
	Message    string `json:"message"`
	Next       string `json:"next"`
	Retryable  bool   `json:"retryable"`
	RetryAfter int    `json:"retry_after_seconds,omitempty"`
	ApprovalID string `json:"approval_id,omitempty"`
}
