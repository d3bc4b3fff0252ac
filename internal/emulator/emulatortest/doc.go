// Package emulatortest starts an emulator for a test and holds every exchange
// with it against the official OpenAPI documents: a request that the documents
// do not know and the emulator accepts, or an answer of another shape, fails
// the test that caused it.
//
// The documents lie outside the project (../shared/spec seen from the
// repository's root) and nothing of them is kept here. Where that folder is
// absent the check is left out, with one loud line in the test's log.
// Operations that left the documents but still work, the OAuth endpoints and
// the switch board have no specification; [Emulator.Unspecified] counts those
// of the API.
//
// Start reading at [Start].
package emulatortest
