package markup

import "confluence-mcp/internal/markup/storage"

// kind is what a block is, for the tree of a rendered page as for the tree of
// parsed Markdown: both sides of a write speak the same kinds.
type kind uint8

const (
	kRoot    kind = iota
	kText         // paragraph (level 0) or heading (1..6)
	kCode         // verbatim body in a fence
	kFence        // placeholder fence of what Markdown cannot say
	kRaw          // fence with raw storage, in written Markdown only
	kHTML         // table that GFM cannot express, shown as HTML
	kRule         // thematic break
	kList         // bullet or ordered
	kItem         // list item or task
	kQuote        // quote or callout
	kDetails      // expand
	kMacro        // rich body between two comment lines
	kTable        // GFM table
	kRow          // its row
	kCell         // its cell
)

var kindNames = [...]string{"page", "paragraph", "code", "macro", "storage", "table", "rule", "list", "item", "quote", "expand", "section", "table", "row", "cell"}

// task is the state of a list item.
type task uint8

const (
	noTask task = iota
	openTask
	doneTask
)

// block is one node of what a page shows, tied to the bytes it came from and
// to the Markdown it became.
type block struct {
	kind    kind
	task    task
	ordered bool
	broken  bool // a text run cut by a block inside its paragraph
	level   int8
	start   int           // number of the first item of an ordered list
	tag     string        // callout, macro or language
	title   string        // callout or expand title
	handle  string        // of placeholders and macro sections
	node    *storage.Node // element it is; nil: a run of inline nodes without own element
	inner   *storage.Node // element that holds its content; nil: node itself

	src, srcEnd int32 // bytes of storage
	md, mdEnd   int32 // bytes of Markdown

	pieces, piecesEnd int32 // range in page.pieces, leaves only
	parent            *block
	kids              []*block
}

func (b *block) leaf() bool {
	switch b.kind {
	case kText, kCode, kFence, kRaw, kHTML, kRule, kCell:
		return true
	}
	return false
}

// pieceKind says how a piece of Markdown relates to its bytes of storage.
type pieceKind uint8

const (
	pSame  pieceKind = iota // the same bytes on both sides
	pChar                   // one character, spelled differently
	pSpace                  // white space, shown as one blank
	pBreak                  // <br />
	pAtom                   // an element Markdown shows as one thing
	pFake                   // shown, but stands for no byte of storage
)

// piece ties a run of Markdown bytes to a run of storage bytes.
type piece struct {
	md, mdEnd, src, srcEnd int32
	kind                   pieceKind
}

// page is a rendered document.
type page struct {
	tree   *storage.Tree
	text   string
	root   *block
	pieces []piece
	hidden int
}
