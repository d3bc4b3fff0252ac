// Package connections runs the integrations a server is connected with: for
// each its clients, the account behind them, its sync, and what became of it.
//
// A [Set] is where a caller turns into a credential. The connecting account
// serves itself and nobody else, a caller with an own credential gets exactly
// that one, and a caller without identity gets none and sees what the site
// shows to anonymous visitors. Integrations come and go while the server runs;
// what is no longer connected is unreachable at once, its rows too.
//
// The package refuses to know who declared an integration (the file, REST, the
// command line) and what a tool does. Start reading with [Set.Put] and
// [Set.For].
package connections
