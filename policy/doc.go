// Package policy decides what a caller may do. It is pure: profiles come from
// an fs.FS, the time is a field of the request, and the answer is a
// [Decision] value, never an error.
//
// A profile gives each of five groups a level and two switches; its rules can
// only narrow what the levels allow, because the result is the strictest of
// everything that matched (allow < require_approval < deny). Whatever cannot
// be judged is denied, each cause with its own reason.
//
// Start reading with [Request], [Decision] and [Profile].
package policy
