// Package ingest fills the mirror from Confluence, one integration each.
//
// A pass goes over every space that is mirrored. In each it reads who may see
// what, for every node and every time, compares that with the mirror, publishes
// what got stricter, fetches what changed, and publishes what got laxer last.
// Whatever would admit somebody is read twice before it counts: a change between
// the reading of a parent and of its child can look laxer than anything that
// ever was. A full pass reads every body again as well.
//
// What cannot be read is hidden and named in the report; a pass that cannot be
// finished publishes nothing that loosens. One bad page never stops a pass. A
// sweep that the rate limits forbid to finish goes on where it stopped.
//
// The package refuses to know REST, SQL and the index: it declares what it asks
// of a [Source] and of a [Mirror]. Start reading at New, then pass.go and
// space.go.
package ingest
