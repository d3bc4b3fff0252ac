// Package markup turns Confluence storage format into Markdown and back
// without losing what Markdown cannot say.
//
// A page is parsed into a tree over its bytes (package storage), rendered into
// Markdown together with a map from every piece of text to the bytes it came
// from, and changed by splices on those bytes. Nothing is ever written out
// from the tree: a page nobody edited is the same page by construction, and an
// edit can't reach beyond the words it names.
//
//	storage ──Parse──> Document ──Markdown──> text + map
//	edits or edited Markdown ──plan──> splices ──loss guard──> new storage
//
// The package is pure: no clock, no network, no files. What arrives from a
// page or a caller is data, bounded in size and depth, and never trusted.
package markup
