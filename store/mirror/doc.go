// Package mirror keeps a copy of Confluence in SQLite (mirror.db) and gives of it
// exactly what the caller may see. It can always be read again from Confluence,
// so a damaged one is put aside and rebuilt.
//
// Every read takes the caller. Rows are found by SQL and shown by package guard:
// a read pins one state of the database and the snapshot of rights that belongs
// to it, so that no text is shown by the rights of another moment. What a caller
// may not see is answered like what does not exist.
//
// A [Writer] is for what fills the mirror; its [Pass] holds the order in which
// rights and content may appear: tighten, put, loosen. A batch is one
// transaction: rows, rights, the change log and the place where to go on. A
// [Follower] reads the change log, unfiltered, for an index, and is nothing else.
//
// The package refuses to know REST, policy and the index. Start reading with
// [Open], [Mirror.Page] and [Pass].
package mirror
