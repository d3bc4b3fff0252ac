package main

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// What the scenarios expect to be asked.
const (
	nameForm    = `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`
	confirmForm = `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`
	colorForm   = `{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}`
	contextForm = `{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}`
)

var errState = errors.New("the request state was changed")

// addRounds adds the tools that ask a 2026-07-28 client something by answering
// input_required. A fixed word stands for a signed state: it is all that a
// fixture needs to tell an echoed state from a changed one.
func addRounds(m *mcpserver.MCPServer) {
	round(m, "test_input_required_result_elicitation", askName)
	round(m, "test_input_required_result_sampling", askModel)
	round(m, "test_input_required_result_list_roots", askRoots)
	round(m, "test_input_required_result_request_state", confirm)
	round(m, "test_input_required_result_tampered_state", confirm)
	round(m, "test_input_required_result_multiple_inputs", askAll)
	round(m, "test_input_required_result_multi_round", askTwice)
	round(m, "test_input_required_result_capabilities", askWhatIsDeclared)
	round(m, "test_streaming_elicitation", askName)
}

type step func(ctx context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error)

func round(m *mcpserver.MCPServer, name string, next step) {
	m.AddTool(tool(name, "Asks for more before it answers", noArguments), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return next(ctx, r.Params.MultiRoundTripParams)
	})
}

// filled reads one accepted form field, "" when the answer is not there or not
// what was asked for.
func filled(p mcp.MultiRoundTripParams, id, field string) string {
	answer := mcpserver.ElicitationResponse(p.InputResponses, id)
	if answer == nil {
		return ""
	}
	content, _ := answer.Content.(map[string]any)
	value, _ := content[field].(string)
	return value
}

func askName(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	if name := filled(p, "user_name", "name"); name != "" {
		return mcp.NewToolResultText("Hello, " + name + "!"), nil
	}
	return mcpserver.NewInputRequestBuilder("").Elicit("user_name", form("What is your name?", nameForm)).ToolResult(), nil
}

func askModel(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	if answer := mcpserver.SamplingResponse(p.InputResponses, "capital_question"); answer != nil {
		return mcp.NewToolResultText(said(answer)), nil
	}
	return mcpserver.NewInputRequestBuilder("").Sample("capital_question", sampling("What is the capital of France?", 100)).ToolResult(), nil
}

func askRoots(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	answer := mcpserver.RootsResponse(p.InputResponses, "client_roots")
	if answer == nil {
		return mcpserver.NewInputRequestBuilder("").Roots("client_roots").ToolResult(), nil
	}
	text := "roots:"
	for _, root := range answer.Roots {
		text += " " + root.URI
	}
	return mcp.NewToolResultText(text), nil
}

func confirm(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	const state = "a state that is echoed"
	switch {
	case p.RequestState != "" && p.RequestState != state:
		return nil, errState
	case p.RequestState == state && len(p.InputResponses) > 0:
		return mcp.NewToolResultText("state-ok"), nil
	}
	return mcpserver.NewInputRequestBuilder(state).Elicit("confirm", form("Please confirm", confirmForm)).ToolResult(), nil
}

func askAll(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	const state = "all three are asked"
	if len(p.InputResponses) >= 3 && p.RequestState == state {
		return mcp.NewToolResultText("all answers arrived"), nil
	}
	return mcpserver.NewInputRequestBuilder(state).
		Elicit("user_name", form("What is your name?", nameForm)).
		Sample("greeting", sampling("Generate a greeting", 50)).
		Roots("client_roots").ToolResult(), nil
}

func askTwice(_ context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	const first, second = "after the first question", "after the second question"
	switch p.RequestState {
	case first:
		return mcpserver.NewInputRequestBuilder(second).Elicit("step2", form("Step 2: What is your favorite color?", colorForm)).ToolResult(), nil
	case second:
		return mcp.NewToolResultText("color " + filled(p, "step2", "color")), nil
	default:
		return mcpserver.NewInputRequestBuilder(first).Elicit("step1", form("Step 1: What is your name?", nameForm)).ToolResult(), nil
	}
}

func askWhatIsDeclared(ctx context.Context, p mcp.MultiRoundTripParams) (*mcp.CallToolResult, error) {
	if len(p.InputResponses) > 0 {
		return mcp.NewToolResultText("answered"), nil
	}
	ask := mcpserver.NewInputRequestBuilder("")
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil {
		if info.ClientCapabilities.Sampling != nil {
			ask.Sample("sample", sampling("Say hello", 50))
		}
		if info.ClientCapabilities.Elicitation != nil {
			ask.Elicit("name", form("What is your name?", nameForm))
		}
	}
	return ask.ToolResult(), nil
}
