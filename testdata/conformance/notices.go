package main

import (
	"context"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/server"
)

// beat is the distance the scenarios want between two notifications.
const beat = 50 * time.Millisecond

// pause waits a beat, or until the call is cancelled.
func pause(ctx context.Context) {
	t := time.NewTimer(beat)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func addNotices(m *mcpserver.MCPServer) {
	addProgress(m)
	addLogging(m)
	trigger(m, "test_trigger_tool_change", mcp.MethodNotificationToolsListChanged)
	trigger(m, "test_trigger_prompt_change", mcp.MethodNotificationPromptsListChanged)
}

func addProgress(m *mcpserver.MCPServer) {
	m.AddTool(tool("test_tool_with_progress", "Reports its progress", noArguments), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i, done := range []int{0, 50, 100} {
			if i > 0 {
				pause(ctx)
			}
			if r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
				continue
			}
			params := map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": done, "total": 100}
			if err := server.Notify(ctx, "notifications/progress", params); err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
		}
		return mcp.NewToolResultText("done"), nil
	})
}

func addLogging(m *mcpserver.MCPServer) {
	m.AddTool(tool("test_tool_with_logging", "Logs while it runs", noArguments), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			if i > 0 {
				pause(ctx)
			}
			if err := server.Notify(ctx, "notifications/message", map[string]any{"level": "info", "data": text}); err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
		}
		return mcp.NewToolResultText("logged"), nil
	})
	m.AddTool(tool("test_logging_tool", "Logs only when the request asks for it", noArguments), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.LogLevel != "" {
			if err := server.Notify(ctx, "notifications/message", map[string]any{"level": string(info.LogLevel), "data": "asked for"}); err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
		}
		return mcp.NewToolResultText("ok"), nil
	})
}

func trigger(m *mcpserver.MCPServer, name, notification string) {
	m.AddTool(tool(name, "Tells every listener that a list changed", noArguments), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		m.SendNotificationToAllClients(notification, nil)
		return mcp.NewToolResultText("told"), nil
	})
}
