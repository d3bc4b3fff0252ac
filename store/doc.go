// Package store keeps what must outlive the process, in SQLite.
//
// There are two files by design. The precious one ([Precious], precious.db)
// holds what nobody can give back: integrations' ids, agents' key digests, the
// chained audit log, approvals and what undo needs; it is written with full
// syncs. The mirror of Confluence gets a file of its own, because it can always
// be built again.
//
// The package refuses to know policy and REST: it stores and finds, it does
// not decide. Start reading with [OpenPrecious].
package store
