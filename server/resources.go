package server

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/tools"
)

// Pages are resources too: confluence://page/{id} is what [pageTool] answers
// for that id, through the same gate, so that there is nothing to be seen by
// one name that is hidden under the other. There is no list of them: clients
// find pages with the search tool.
const (
	pageTool      = "confluence_get_page"
	pagePrefix    = "confluence://page/"
	pageResource  = pagePrefix + "{id}"
	resourceChars = 100_000 // of one resource; a resource has no cursor
)

// offerResources adds the template, where the catalogue has pages to read.
func (s *Server) offerResources() {
	if !s.tools[pageTool] {
		return
	}
	s.mcp.AddResourceTemplate(mcp.NewResourceTemplate(pageResource, "page",
		mcp.WithTemplateDescription("A Confluence page or blog post as Markdown, as the caller may see it."),
		mcp.WithTemplateMIMEType("text/markdown")), s.readResource)
}

// hideResources keeps the template from callers who may not read pages.
func (s *Server) hideResources(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, out *mcp.ListResourceTemplatesResult) {
	if s.readsPages(ctx) {
		return
	}
	out.ResourceTemplates = slices.DeleteFunc(out.ResourceTemplates, func(t mcp.ResourceTemplate) bool {
		return t.URITemplate != nil && t.URITemplate.Raw() == pageResource
	})
}

func (s *Server) readsPages(ctx context.Context) bool {
	return slices.ContainsFunc(s.cfg.Catalog.Tools(exchangeOf(ctx).caller), func(t tools.Tool) bool { return t.Name == pageTool })
}

func (s *Server) readResource(ctx context.Context, req mcp.ReadResourceRequest) (contents []mcp.ResourceContents, err error) {
	x := exchangeOf(ctx)
	defer func() {
		if cause := recover(); cause != nil {
			contents, err = nil, x.answerInstead(ctx, tools.Failure(&confluence.Error{Kind: confluence.Internal, Ref: s.logPanic(cause, "resources/read")}))
		}
	}()
	args, err := json.Marshal(map[string]any{"page_id": strings.TrimPrefix(req.Params.URI, pagePrefix), "max_chars": resourceChars})
	if err != nil {
		return nil, err
	}
	result, known := s.cfg.Catalog.Call(ctx, x.caller, pageTool, args, nil)
	if !known {
		result = tools.Failure(&confluence.Error{Kind: confluence.NotFound, Message: "There is no such resource.", Next: "List the resource templates again."})
	}
	if result.IsError {
		return nil, x.answerInstead(ctx, result)
	}
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "text/markdown", Text: result.Text}}, nil
}

// answerInstead makes a tool's failure what the client is told: the library
// has one code and one sentence for whatever a resource fails with.
func (x *exchange) answerInstead(ctx context.Context, failure tools.Result) error {
	var shown struct {
		Error struct {
			Kind      string `json:"kind"`
			Message   string `json:"message"`
			Next      string `json:"next"`
			Retryable bool   `json:"retryable"`
		} `json:"error"`
	}
	if err := json.Unmarshal(failure.Structured, &shown); err != nil {
		return err
	}
	code := mcp.INTERNAL_ERROR
	switch {
	case shown.Error.Kind == confluence.NotFound.String() && !mcp.IsModernProtocol(mcpserver.RequestProtocolVersion(ctx)):
		code = mcp.RESOURCE_NOT_FOUND
	case shown.Error.Kind == confluence.NotFound.String(), strings.HasPrefix(shown.Error.Kind, "input."):
		code = mcp.INVALID_PARAMS
	}
	x.instead = &refusal{code: code, err: &confluence.Error{Message: shown.Error.Message, Next: shown.Error.Next}, data: shown.Error}
	return errors.New(shown.Error.Kind)
}
