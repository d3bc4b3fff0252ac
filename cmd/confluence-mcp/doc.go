// Confluence-mcp gives AI agents a company's Confluence over MCP, as exactly
// the person who asks, under rules an admin can read and test.
//
// # A tour of the code
//
// This package reads flags, environment and clock and wires the rest; nobody
// imports it. A call comes in through package server, which finds out who is
// asking; package tools decodes it, asks package policy, writes it into the
// audit log of package store and runs the handler; the handler reaches
// Confluence through internal/confluence/rest, bound to the caller by sites.go
// here. internal/emulator is a fake Confluence that tests and the demo run on.
//
// main.go holds the program as a value, one file a command holds the rest:
// serve.go and stdio.go (who owns the data folder), demo.go, agents.go,
// doctor.go, policy*.go, markup.go. engine.go is what a server is made of.
package main
