// Package confluence holds the nouns of Confluence that every other package
// speaks in (Space, Page, Comment, Attachment, User, Group, Restriction) and
// the one error type whose kinds decide retries, refusals and what a model
// reads.
//
// The words are Confluence's own. The package does no I/O and knows neither
// REST nor SQLite nor MCP; package rest fills these types, package tools shows
// them. Start reading with [Page] and [Error].
package confluence
