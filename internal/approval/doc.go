// Package approval lets a person stand between a caller and a change. A call
// that policy wants approved becomes a [Request]: a digest of exactly that
// change, a snapshot of its arguments and the diff a person sees. It is
// decided by somebody else, executed once, and what came of it is kept.
//
// [Request.Apply] is the whole state machine, pure: a request and an event give
// the next request or a refusal. [Service] drives it over a [Book] that makes
// every step durable, and has an [Executor] make the change.
//
// The package knows neither MCP nor Confluence's API. A write is never started
// twice: it starts only from a claim that one process won, and a write whose
// outcome is unknown is looked for, never repeated.
package approval
