// Package retrieve answers one question for one caller from the mirror: which
// passages of which pages, in which order, how many there are in all, and how to
// go on.
//
// The index finds, the mirror shows. A search runs under the caller's rights
// inside the index, so totals, facets and pages are his; every hit is read again
// from the mirror under his rights of that moment, and dropped when it is gone,
// hidden or no longer what was asked for. Who a caller is, is settled once, by
// [Engine.Resolve]: a user nobody knows sees what is public, and no answer tells
// that he is unknown.
//
// The package reads no Confluence and decides no policy. Start reading with
// [Engine.Query].
package retrieve
