// Package oidc judges the access tokens of identity providers: whether a JWT
// was made by an issuer the admin named, for this server, is in date, and
// which configured agent and which Confluence account it stands for.
//
// What cannot be proved is refused: there is no default audience, no default
// algorithm beyond a short list, no claim that becomes an account unless the
// admin said which. A person whose account cannot be told for certain is a
// person without account, who sees public content only.
//
// The package fetches two documents and nothing else: an issuer's
// configuration and its keys, from the issuer's own host, as seldom as
// possible however many tokens ask for it. It never sends a token anywhere.
// Start reading at [Judge.Judge].
package oidc
