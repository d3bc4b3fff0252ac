// Package storage reads Confluence storage format into a tree over the
// original bytes.
//
// The value of a page body is an XML fragment whose ac:, ri: and at: prefixes
// are never declared, whose text uses the HTML 4 entity names and whose code
// bodies sit in CDATA sections. A general XML or HTML library either refuses
// it or rewrites it. This package keeps prefixes literal and remembers where
// every node begins and ends, so that whoever edits a page can splice bytes
// and leave the rest exactly as it was.
//
// Reading never fails: broken markup yields the tree a tolerant reader would
// see plus a [Fault] that says where the first mistake is. A tree with a fault
// may be shown, and must not be edited.
package storage
