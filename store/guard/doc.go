// Package guard answers one question at memory speed: may this caller see this
// node? A node is anything in a content tree: a page, a blog post, a folder.
//
// The rule is Confluence's: the caller may view the node's space, and every
// read restriction on the path from the root to the node names the caller or a
// group of his. A restriction is a [Clause]; it belongs to one node and is
// never copied to what lies below. A node that has a clause is a guard, guards
// stand in a forest of their own, and every node points to the nearest guard at
// or above it; so a caller is judged once per guard, and a node by two look-ups.
//
// A [Forest] is changed by one writer and makes [Snapshot]s, which never change
// and share what is equal. [Cache.View] judges a caller on a snapshot.
//
// Whatever is unknown is closed: the zero [Clause] admits nobody, a node
// nobody put is hidden, a parent that is missing hides what is below it.
//
// The package knows no database, no Confluence and no clock. Start reading with
// [View.Check], then [Forest.Put].
package guard
