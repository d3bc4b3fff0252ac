// Package cql reads and evaluates the Confluence Query Language as Confluence
// Cloud's v1 search does, quirks included: there is no status field, an
// unknown space matches nothing, siteSearch as the middle one of three AND
// clauses is dropped, and an empty siteSearch breaks the server.
//
// [Parse] turns text into a [Query]; a Query is asked document by document.
// The package knows nothing of a site: what is searched is a [Document],
// anything that can answer for its fields. Who may see a document, and that
// drafts, trash and archived content are never searched, is the caller's
// business.
package cql
