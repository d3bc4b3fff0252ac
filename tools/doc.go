// Package tools is the catalogue of MCP tools and the one gate every call
// passes.
//
// A tool is a literal: name, description, group, action and a typed handler.
// Schemas, annotations, snapshots and the README table are derived from it.
// [Catalog.Call] is the whole life of a call: decode strictly, describe as a
// policy request, hard blocks, policy, approval, record, run, complete the
// record. A handler cannot be reached around it.
//
// The package declares what it needs of Confluence ([Sites]), of policy and of
// the audit log as interfaces, so every handler runs on fakes. It knows
// neither MCP's wire format (package server) nor REST (internal/confluence/rest).
package tools
