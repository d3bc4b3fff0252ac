// Package oauth plays auth.atlassian.com and the account parts of
// api.atlassian.com: the consent page, the token endpoint with rotating
// refresh tokens, the list of granted sites and the account itself.
//
// Tokens follow the published rules of the real service: an access token lives
// an hour; every refresh answers with a new pair and disables the sent one; the
// old pair goes on working for ten minutes so that a lost answer can be asked
// for again; after that the pair is dead, and sending its refresh token once
// more kills the whole family, so the person must consent again.
//
// The package knows no HTTP addresses of sites and no content: it is told who
// the people and sites are by a [Directory]. Start reading at [Provider].
package oauth
