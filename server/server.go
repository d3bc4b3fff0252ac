package server

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// Server serves one catalogue to any number of HTTP clients and streams. Make
// one with [New]; it is safe for concurrent use.
type Server struct {
	cfg      Config
	mcp      *mcpserver.MCPServer
	http     *mcpserver.StreamableHTTPServer
	tools    map[string]bool // names that come from the catalogue
	sessions *sessions
	rates    *rates
	bodies   bodies
	crowd    crowd // of notification streams over HTTP
	metrics  *metrics
	states   *states
	draining atomic.Bool

	streams    context.Context // of open notification streams; ends first at shutdown
	endStreams context.CancelFunc
}

// New checks cfg and makes a server that serves nothing yet: see [Server.Serve]
// and [Server.ServeStream].
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		bodies:   make(bodies, keptBodies),
		sessions: newSessions(cfg.Now, cfg.SessionIdle),
		crowd:    crowd{open: map[string]int{}},
		rates:    newRates(cfg.Now, cfg.Rate, cfg.Burst),
		states:   newStates(cfg.Now),
	}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	if s.metrics, err = newMetrics(cfg.Metrics, s.sessions.count); err != nil {
		return nil, err
	}
	hooks := &mcpserver.Hooks{}
	hooks.AddAfterListResourceTemplates(s.hideResources)
	s.mcp = mcpserver.NewMCPServer("confluence-mcp", cfg.Version,
		mcpserver.WithTitle("Confluence"),
		mcpserver.WithInstructions(cfg.Instructions),
		mcpserver.WithToolCapabilities(true),
		mcpserver.WithResourceCapabilities(false, false),
		mcpserver.WithHooks(hooks),
		mcpserver.WithPromptCapabilities(false),
		mcpserver.WithCacheHints(0, mcp.CacheScopePrivate),
		mcpserver.WithToolFilter(s.visible),
		mcpserver.WithToolHandlerMiddleware(s.guard),
	)
	s.register()
	s.offerResources()
	if cfg.Extend != nil {
		cfg.Extend(s.mcp)
	}
	s.http = mcpserver.NewStreamableHTTPServer(s.mcp,
		mcpserver.WithSessionIdManagerResolver(s.sessions),
		mcpserver.WithSessionIdleTTL(cfg.SessionIdle),
		mcpserver.WithHeartbeatInterval(heartbeat),
		mcpserver.WithDisableLocalhostProtection(true),                    // addressed is stricter, and knows proxies on this machine
		mcpserver.WithStreamableHTTPLogger(slog.New(slog.DiscardHandler)), // it logs session ids and panic texts
	)
	return s, nil
}

// ToolsChanged tells every client that its list of tools may be another one,
// as after a change of a profile.
func (s *Server) ToolsChanged() {
	s.mcp.SendNotificationToAllClients(mcp.MethodNotificationToolsListChanged, nil)
}
