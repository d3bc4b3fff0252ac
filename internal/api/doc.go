// Package api is REST for admins and backends: one question for a caller
// (query), and what is connected (integrations).
//
// Every request passes the same gate as /mcp: credentials, the caller, the rate;
// then a strict body, then one function that answers. A failure is the object a
// tool would answer with. The package knows HTTP and decides nothing: what it
// needs of the server, the mirror and the integrations are interfaces here.
// Start reading with [Routes].
package api
