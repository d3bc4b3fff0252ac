package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/tools"
)

// Catalog is the tools as this package calls them; *tools.Catalog is one.
type Catalog interface {
	// All lists every tool there is, Tools the ones a caller may know of.
	All() []tools.Tool
	Tools(caller identity.Caller) []tools.Tool
	// Call runs a tool; known is false when the caller may not know of it.
	Call(ctx context.Context, caller identity.Caller, name string, args json.RawMessage, progress tools.Progress) (result tools.Result, known bool)
}

// notifyPause is how long an answer waits behind the last notification of its
// call. Over HTTP the library loses a notification sent right before the
// answer in half of all runs; with 20 ms in none of 45.
const notifyPause = 20 * time.Millisecond

// register gives the protocol server every tool. The catalogue validates the
// arguments and decides; the filter only hides.
func (s *Server) register() {
	known := map[string]bool{}
	for _, t := range s.cfg.Catalog.All() {
		known[t.Name] = true
		s.mcp.AddTool(wireTool(t), s.runTool)
	}
	s.tools = known
}

func wireTool(t tools.Tool) mcp.Tool {
	return mcp.Tool{
		Name: t.Name, Title: t.Title, Description: t.Description,
		RawInputSchema: t.InputSchema, RawOutputSchema: t.OutputSchema,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint: &t.ReadOnly, DestructiveHint: &t.Destructive,
			IdempotentHint: &t.Idempotent, OpenWorldHint: &t.OpenWorld,
		},
	}
}

// visible keeps the tools the caller may know of, in the order given. What did
// not come from the catalogue ([Config.Extend]) stays.
func (s *Server) visible(ctx context.Context, all []mcp.Tool) []mcp.Tool {
	allowed := map[string]bool{}
	for _, t := range s.cfg.Catalog.Tools(exchangeOf(ctx).caller) {
		allowed[t.Name] = true
	}
	kept := make([]mcp.Tool, 0, len(all))
	for _, t := range all {
		if allowed[t.Name] || !s.tools[t.Name] {
			kept = append(kept, t)
		}
	}
	return kept
}

func (s *Server) runTool(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	args := req.Params.RawArguments
	if args == nil {
		args = json.RawMessage("{}")
	}
	caller := exchangeOf(ctx).caller
	caller.Client = clientOf(ctx)
	done, asked, err := s.answered(ctx, req, caller)
	if err != nil {
		return nil, err
	}
	if done != nil {
		return wireResult(*done), nil
	}
	result, known := s.cfg.Catalog.Call(ctx, caller, req.Params.Name, args, s.progress(ctx, req))
	if !known {
		result = tools.Failure(&confluence.Error{Kind: confluence.NotFound, Message: "There is no such tool.", Next: "List the tools again."})
	}
	if question := s.ask(ctx, req, caller, result); question != nil && !asked {
		return question, nil
	}
	return wireResult(result), nil
}

func wireResult(result tools.Result) *mcp.CallToolResult {
	out := &mcp.CallToolResult{
		Content: []mcp.Content{mcp.NewTextContent(result.Text)},
		IsError: result.IsError,
	}
	if len(result.Structured) > 0 {
		out.StructuredContent = result.Structured
	}
	return out
}

// progress reports to a caller who asked for it, and is nil for others.
func (s *Server) progress(ctx context.Context, req mcp.CallToolRequest) tools.Progress {
	if req.Params.Meta == nil || req.Params.Meta.ProgressToken == nil {
		return nil
	}
	token, last := req.Params.Meta.ProgressToken, -1.0
	return func(done, total float64, message string) {
		if done <= last {
			return // the protocol wants it strictly increasing
		}
		last = done
		params := map[string]any{"progressToken": token, "progress": done, "message": message}
		if total > 0 {
			params["total"] = total
		}
		_ = Notify(ctx, "notifications/progress", params) // progress is lost silently, the answer is not
	}
}

// Notify sends a notification on the stream of the call that ctx belongs to,
// and makes the call's answer wait a moment behind it. An error means that the
// client takes no notifications now; the call goes on without.
func Notify(ctx context.Context, method string, params map[string]any) error {
	exchangeOf(ctx).notified.Store(true)
	return mcpserver.ServerFromContext(ctx).SendNotificationToClient(ctx, method, params)
}

// guard is around every tool: a panic becomes a neutral answer, and the answer
// waits behind the last notification.
func (s *Server) guard(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (result *mcp.CallToolResult, err error) {
		x := exchangeOf(ctx)
		defer func() {
			if cause := recover(); cause != nil {
				result, err = s.panicked(cause, req.Params.Name), nil
			}
			if result != nil && result.IsError {
				x.failure = "tool_error"
			}
			if x.notified.Load() {
				_ = confluence.Pause(ctx, notifyPause) // the answer is given all the same when the context ends
			}
		}()
		return next(ctx, req)
	}
}

// panicked turns a panic into the answer of the call.
func (s *Server) panicked(cause any, tool string) *mcp.CallToolResult {
	failure := tools.Failure(&confluence.Error{Kind: confluence.Internal, Ref: s.logPanic(cause, tool)})
	return &mcp.CallToolResult{
		Content: []mcp.Content{mcp.NewTextContent(failure.Text)}, StructuredContent: failure.Structured, IsError: true,
	}
}

// logPanic logs where it happened under a reference, but not what the panic
// said: its text may hold anything.
func (s *Server) logPanic(cause any, where string) (ref string) {
	ref = rand.Text()[:10]
	s.cfg.Logger.Error("panic", "where", where, "ref", ref, "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
	return ref
}
