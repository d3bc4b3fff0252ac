// Package emulator is a fake Confluence for tests, demonstrations and load: it
// serves site files from memory over real loopback listeners and behaves as
// the real service does where that is known, its quirks included.
//
// This package is the shell. It finds out who calls (basic credentials, an
// OAuth token through the gateway, a scoped token, nobody), checks scopes,
// strips the gateway prefix, injects faults, keeps the clock and the journal,
// and hands the rest to the operations of packages v1 and v2, which see only a
// [wire.Call]. Package site is the state and who may see it; package rendered
// shows bodies to people, included pages by their rights; package oauth is
// the authorization server; package wiki makes large site files.
//
// Addresses: every site has a listener of its own. The first one is the main
// listener: besides its site it serves the gateway (/ex/confluence/{cloudId}),
// the OAuth endpoints and the account. Attachments are sent from one more
// listener, the media host, so that a client which takes its credentials along
// on a redirect is found out. Every listener serves /__emulator/, the switch
// board (control.go); what is posted there concerns the site of that listener.
//
// It imports nothing of the product: an emulator that shares code with the
// client proves nothing. Start reading at [New] and exchange.go.
package emulator
