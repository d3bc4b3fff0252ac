// Confluence-mcp gives AI agents a company's Confluence over MCP, as exactly
// the person who asks, under rules an admin can read and test.
//
// # A tour of the code
//
// This package reads flags, environment and clock and wires the rest; nobody
// imports it. A call comes in through package server, which finds out who is
// asking; package tools decodes it, asks package policy, writes it into the
// audit log of package store and runs the handler; the handler reads the mirror
// through internal/mirrored, or reaches Confluence through
// internal/confluence/rest, bound to the caller by internal/connections. A
// question over REST comes in through internal/api and passes the same gate.
// Package ingest fills the mirror. internal/emulator is a fake Confluence that
// tests and the demo run on.
//
// main.go holds the program as a value, one file a command holds the rest:
// serve.go and stdio.go (who owns the data folder), demo.go, doctor.go,
// agents*.go, keys*.go and vault.go (the master key), connect*.go (OAuth),
// sync.go, mirror.go, query.go, approvals*.go, audit.go, policy*.go, markup.go.
// Files that end in _api.go are the same over REST, which rest.go serves and
// openapi/ describes. engine.go is what a server is made of, mirroring.go its
// copy of Confluence.
package main
