package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

func addResources(m *mcpserver.MCPServer) {
	texts := map[string]string{
		"test://static-text":      "This is the content of the static text resource.",
		"test://watched-resource": "This one can be watched.",
	}
	for uri, text := range texts {
		m.AddResource(mcp.NewResource(uri, strings.TrimPrefix(uri, "test://"), mcp.WithResourceDescription("A constant text"), mcp.WithMIMEType("text/plain")),
			func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
				return []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: "text/plain", Text: text}}, nil
			})
	}
	const binary = "test://static-binary"
	m.AddResource(mcp.NewResource(binary, "static-binary", mcp.WithResourceDescription("A constant picture"), mcp.WithMIMEType("image/png")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.BlobResourceContents{URI: binary, MIMEType: "image/png", Blob: picture}}, nil
		})
	m.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("One text an id"), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "test://template/"), "/data")
			text := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":%q}`, id, "Data for ID: "+id)
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, MIMEType: "application/json", Text: text}}, nil
		})
}

func addPrompts(m *mcpserver.MCPServer) {
	prompt(m, mcp.NewPrompt("test_simple_prompt", mcp.WithPromptDescription("One constant message")), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent("This is a simple prompt for testing.")}
	})
	prompt(m, mcp.NewPrompt("test_prompt_with_arguments", mcp.WithPromptDescription("A message with two arguments"),
		mcp.WithArgument("arg1", mcp.ArgumentDescription("First test argument"), mcp.RequiredArgument()),
		mcp.WithArgument("arg2", mcp.ArgumentDescription("Second test argument"), mcp.RequiredArgument())),
		func(args map[string]string) []mcp.Content {
			return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", args["arg1"], args["arg2"]))}
		})
	prompt(m, mcp.NewPrompt("test_prompt_with_embedded_resource", mcp.WithPromptDescription("A message that embeds a resource"),
		mcp.WithArgument("resourceUri", mcp.ArgumentDescription("Resource to embed"), mcp.RequiredArgument())),
		func(args map[string]string) []mcp.Content {
			return []mcp.Content{
				mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: args["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."}),
				mcp.NewTextContent("Please process the embedded resource above."),
			}
		})
	prompt(m, mcp.NewPrompt("test_prompt_with_image", mcp.WithPromptDescription("A message with a picture")), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(picture, "image/png"), mcp.NewTextContent("Please analyze the image above.")}
	})
	m.AddPrompt(mcp.NewPrompt("test_input_required_result_prompt", mcp.WithPromptDescription("Asks before it answers")),
		func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			if text := filled(r.Params.MultiRoundTripParams, "user_context", "context"); text != "" {
				return messages([]mcp.Content{mcp.NewTextContent("Context: " + text)}), nil
			}
			return mcpserver.NewInputRequestBuilder("").Elicit("user_context", form("What context should the prompt use?", contextForm)).PromptResult(), nil
		})
}

func prompt(m *mcpserver.MCPServer, p mcp.Prompt, say func(args map[string]string) []mcp.Content) {
	m.AddPrompt(p, func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return messages(say(r.Params.Arguments)), nil
	})
}

func messages(contents []mcp.Content) *mcp.GetPromptResult {
	out := &mcp.GetPromptResult{}
	for _, c := range contents {
		out.Messages = append(out.Messages, mcp.PromptMessage{Role: mcp.RoleUser, Content: c})
	}
	return out
}
