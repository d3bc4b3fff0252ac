// Package mirrored is Confluence as tools know it, answered from the mirror
// where the mirror can answer and from Confluence itself where it cannot.
//
// Three layers lie over one another, each a tools.Site:
//
//	site     pages, tree, spaces, labels, files and searches from the mirror,
//	         each with the time it was read (ReadAt)
//	writing  writes go to Confluence, and what was written is read there until
//	         the mirror has it
//	guarded  Confluence as the connecting account, for a caller who has no
//	         credential of his own: it gives him what his rights in the mirror
//	         admit and nothing else, and writes nothing
//
// A caller with a credential of his own has Confluence itself below: what the
// mirror does not have or does not show him he is answered by Confluence.
// Versions, comments, history, drafts and raw CQL always are.
//
// Start reading with [Sites.For].
package mirrored
