// Package server speaks MCP: over standard streams and over streamable HTTP,
// in both protocol eras (initialize-based revisions up to 2025-11-25, and the
// stateless 2026-07-28), on one endpoint.
//
// Every request passes the same gates before the protocol library sees it:
// Host and Origin, credentials, size, strict JSON, the caller's identity and a
// rate limit. Who is asking comes from the request alone, never from an MCP
// session; it is unpacked from the context in one place ([exchangeOf]) and
// handed to the catalogue as a parameter. What the library would say in its
// own words (Go error texts, panics) never leaves the process.
//
// The package knows no Confluence and decides nothing about tools: listing and
// calling both ask the [Catalog]. Start reading at [New], then mcp.go.
package server
