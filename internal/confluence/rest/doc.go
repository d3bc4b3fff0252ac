// Package rest speaks to Confluence over HTTP as one credential.
//
// A [Client] is Confluence Cloud: v2 where v2 can, v1 for what v2 lacks. What
// it knows of the API is in files named after the nouns (pages.go, spaces.go,
// comments.go, …); what every edition of Confluence shares is the wire below
// it: one HTTP client factory, authentication, pacing, retry, size caps,
// content checks and the translation of failures to confluence.Error. A Data
// Center is told apart by [Client.Probe] and refused.
//
// From the outside in, a call passes retry (by error kind), pacing (rate
// limits, five at a time), one exchange, authentication (this host only) and
// [Guard], an allowlist of methods, paths, queries and bodies that knows
// nothing of the client above it. No space can be deleted, nothing purged and
// no access changed through it, whatever is asked.
//
// The package refuses to know who the caller is, what a policy says and what
// the mirror holds. Start reading at [New], then exchange.go and guard.go.
package rest
