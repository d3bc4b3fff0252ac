// Command conformance is the fixture that the official conformance suite runs
// against: the product's own package server, its HTTP stack and all its gates,
// with an empty catalogue and the specially named tools, resources and prompts
// that the suite's scenarios call. It is no part of the product.
//
// It prints the URL it serves as its first line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
	"confluence-mcp/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	s, err := server.New(server.Config{
		Catalog:     nothing{},
		Version:     "conformance",
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Now:         time.Now,
		NoAuth:      &server.Agent{Name: "conformance", Profile: "read-only"},
		Rate:        10_000,
		Burst:       10_000,
		ClientNeeds: map[string][]string{"test_missing_capability": {"sampling"}},
		Extend:      extend,
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/mcp\n", ln.Addr())
	return s.Serve(ctx, ln)
}

// nothing is a catalogue without tools.
type nothing struct{}

func (nothing) All() []tools.Tool                  { return nil }
func (nothing) Tools(identity.Caller) []tools.Tool { return nil }

func (nothing) Call(context.Context, identity.Caller, string, json.RawMessage, tools.Progress) (tools.Result, bool) {
	return tools.Result{}, false
}

// extend turns on what only the suite wants, logging and sampling among it,
// which the product leaves out because the protocol deprecated them.
func extend(m *mcpserver.MCPServer) {
	for _, option := range []mcpserver.ServerOption{
		mcpserver.WithResourceCapabilities(true, true), mcpserver.WithPromptCapabilities(true),
		mcpserver.WithCompletions(), mcpserver.WithLogging(), mcpserver.WithElicitation(),
	} {
		option(m)
	}
	m.EnableSampling()
	addContent(m)
	addNotices(m)
	addQuestions(m)
	addRounds(m)
	addResources(m)
	addPrompts(m)
}
