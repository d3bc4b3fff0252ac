// Package index is the full-text index of the mirror: it finds nodes by words
// and shows a caller exactly those he may see.
//
// The index is a cache of the mirror. It follows the change log, keeps the
// number it has read up to inside itself, in the same commit as the documents,
// and is thrown away and built anew when it is damaged or does not fit the
// log. A document is a node's number; no text that could be shown and no right
// is in it. Rights are asked of a [guard.View] for every match, inside the
// search, so that totals, facets and pages are the caller's own.
//
// Segments, their merging and their safety are bleve's (scorch). The words are
// cut by the package itself (see words.go), the score is BM25F over bleve's
// postings: one field of weighted frequencies, with the true mean length.
//
// The package refuses to know Confluence, SQL and passages. Start reading with
// [Open], [Index.Follow] and [Index.Search].
package index
