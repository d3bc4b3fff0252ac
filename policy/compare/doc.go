// Package compare says what a change of a profile means: which calls it
// allows that were not allowed before, and which the other way round. It
// compares decisions, not text: a rewritten rule that decides the same is no
// difference.
//
// Per cell it finds values that represent every way the rules of both
// profiles can tell calls apart, and judges every combination by both. Where
// that is not possible (a pattern, arithmetic, too many combinations) it
// judges a sample and [Result] says so. Start reading with [Profiles].
package compare
