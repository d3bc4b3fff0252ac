package server

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/prometheus/client_golang/prometheus"

	"confluence-mcp/tools"
)

// Defaults of a [Config], with their units.
const (
	defaultMaxBody      = 1 << 20          // bytes; every tool argument but a file fits many times over
	defaultUploadBody   = 16 << 20         // bytes; a file of about 10 MiB in base64
	defaultPageBody     = 4 << 20          // bytes; a page of 2 MB, escaped
	defaultMaxLine      = 100 << 20        // bytes of one message over standard streams
	defaultRate         = 50               // requests a second of one payer
	defaultBurst        = 100              // requests at once of one payer
	defaultDrain        = 8 * time.Second  // what running calls get at shutdown
	defaultHeaderTime   = 5 * time.Second  // to send all request headers
	defaultBodyTime     = 10 * time.Second // to send each MiB of a body
	defaultIdle         = 2 * time.Minute  // between two requests of one connection
	defaultSessionIdle  = 30 * time.Minute // before an unused session ends
	defaultRecheck      = 2 * time.Second  // how often credentials of a running request are looked at again
	heartbeat           = 30 * time.Second // on GET streams: proxies drop silent ones
	maxHeaderBytes      = 64 << 10
	maxSessionsPerAgent = 1000
	maxStreamsPerAgent  = 1000
)

// Config is everything a [Server] needs. Catalog, Logger and Now are required,
// and one of Authenticator and NoAuth; every zero number means its default.
type Config struct {
	Catalog      Catalog
	Version      string // of the product, shown to clients
	Instructions string // shown to models; a few hundred bytes
	Logger       *slog.Logger
	Now          func() time.Time

	// Authenticator judges bearer keys. NoAuth serves every HTTP request
	// that brings none as this agent; Serve then refuses to listen on
	// anything but loopback.
	Authenticator Authenticator
	NoAuth        *Agent

	// Proxies may name people in a header; none by default. They do not go
	// together with NoAuth.
	Proxies []Proxy

	// AllowedOrigins are exact origins (scheme://host[:port]) a browser may
	// call from; none by default. AllowedHosts are the names, with or without
	// a port, a request may be addressed to, besides loopback names.
	AllowedOrigins []string
	AllowedHosts   []string

	// ResourceURL is the canonical URL of /mcp, without a trailing slash. When
	// empty it is made from the request's Host. AuthorizationServers are the
	// issuers named in the metadata document (RFC 9728), Scopes what a client
	// should ask them for.
	ResourceURL          string
	AuthorizationServers []string
	Scopes               []string

	MaxBody    int64            // bytes of a request body, default 1 MiB
	ToolBodies map[string]int64 // larger caps by tool name; default: 16 MiB for uploads, 4 MiB for pages
	MaxLine    int64            // bytes of one message over streams, default 100 MiB

	Rate  float64 // requests a second of one payer, default 50; an agent's payers together have 20 times as much
	Burst int     // at once, default 100

	Drain         time.Duration // running calls at shutdown, default 8 s, at most 9 s
	HeaderTimeout time.Duration // default 5 s
	BodyTimeout   time.Duration // for each MiB, default 10 s
	SessionIdle   time.Duration // default 30 min
	Recheck       time.Duration // of credentials while a request runs, default 2 s

	// Ready says whether the server can do its work, with details that hold no
	// secrets; nil means always. Metrics receives the server's own metrics and
	// is what /metrics shows; nil means a registry of its own.
	Ready   func() (ready bool, detail any)
	Metrics *prometheus.Registry

	// Routes adds handlers by pattern of http.ServeMux, such as "GET /api/agents".
	// They stand behind the Host and Origin gates, and find out who asks with
	// [Server.Caller] or [Server.Agent]. What none of them takes under /api/ is
	// answered here.
	Routes map[string]http.Handler

	// Confirm takes a person's own word for a change where that is enough; nil:
	// nobody is asked through their client.
	Confirm Confirmer

	// ClientNeeds names the client capabilities a tool cannot work without, by
	// tool name; a 2026-07-28 call that lacks one is refused with -32021.
	ClientNeeds map[string][]string

	// Extend adds to the protocol server before it starts. Only the
	// conformance fixture uses it: what it adds bypasses the catalogue.
	Extend func(*mcpserver.MCPServer)
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Catalog == nil:
		return c, errors.New("server: Catalog is missing")
	case c.Logger == nil:
		return c, errors.New("server: Logger is missing")
	case c.Now == nil:
		return c, errors.New("server: Now is missing")
	case c.Drain > 9*time.Second:
		return c, errors.New("server: Drain is over 9 s")
	}
	if c.ResourceURL != "" {
		if u, err := url.Parse(c.ResourceURL); err != nil || u.Host == "" || u.Fragment != "" || u.RawQuery != "" {
			return c, errors.New("server: ResourceURL must be a plain absolute URL")
		}
	}
	if err := c.checkProxies(); err != nil {
		return c, err
	}
	if slices.Contains(c.AllowedOrigins, "null") {
		return c, errors.New("server: the origin null cannot be allowed")
	}
	c.MaxBody = or(c.MaxBody, defaultMaxBody)
	c.MaxLine = or(c.MaxLine, defaultMaxLine)
	c.Rate = or(c.Rate, defaultRate)
	c.Burst = or(c.Burst, defaultBurst)
	c.Drain = or(c.Drain, defaultDrain)
	c.HeaderTimeout = or(c.HeaderTimeout, defaultHeaderTime)
	c.BodyTimeout = or(c.BodyTimeout, defaultBodyTime)
	c.SessionIdle = or(c.SessionIdle, defaultSessionIdle)
	c.Recheck = or(c.Recheck, defaultRecheck)
	if c.ToolBodies == nil {
		c.ToolBodies = map[string]int64{
			tools.Prefix + "upload_attachment": defaultUploadBody,
			tools.Prefix + "create_page":       defaultPageBody,
			tools.Prefix + "update_page":       defaultPageBody,
		}
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return c, nil
}

func or[T ~int | ~int64 | ~float64](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}
