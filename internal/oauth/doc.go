// Package oauth connects accounts of Atlassian by OAuth 2.0 (3LO) and keeps
// their tokens so that they are neither lost nor lent.
//
// A [Grant] is one account's consent for one integration: the service grant,
// which the integration syncs and serves with, or a person's own. [Grants] is
// where they are made and used:
//
//	Begin  -> the address of the consent page, the scopes it will ask for and
//	          how to wait for the end. Show scopes and [Notice] before anybody
//	          is sent there.
//	Finish -> what /oauth/callback does: state, code, sites, account. With
//	          several sites the grant waits for [Grants.Choose].
//	Service, Person -> a [Source] of access tokens for a REST client.
//	Disconnect -> the tokens are erased, not marked.
//
// State is 256 random bits, used up by the first callback that knows it,
// forgotten after ten minutes, bound to who began and, for a browser, to its
// cookie. It lives in memory: the process that began a connection must be the
// one that is called back.
//
// Refresh tokens are single use. A refresh happens under a lock that dies with
// its process; the row is read again under it, an intent is written, the token
// endpoint is asked, and the new pair is stored by compare-and-swap on the
// row's generation before anybody gets the access token. Whoever dies on the
// way, or loses the answer, has the old refresh token in the row, which
// Atlassian takes again for ten minutes. Only a clear refusal makes a grant
// need a reconnection; its row stays, because what is expired is not empty.
//
// # For whoever mounts the HTTP surface
//
// [Grants.CallbackHandler] is GET /oauth/callback. It needs no key: the state
// is the proof. [Grants.Begin], [Grants.Sites], [Grants.Choose] and
// [Grants.Disconnect] are the bodies of POST /api/integrations/{id}/connect and
// reconnect, GET …/sites, PUT …/site and POST …/disconnect; what stands in
// front of them (the caller's key, admin rights, the audit line) is the
// mounter's. When the caller is a browser, set [BrowserCookie] to a random value
// on the answer of connect and give its value in Begin.Browser.
//
// The package knows neither SQL nor HTTP servers nor the REST client: a [Vault]
// keeps its bytes. Start reading with [Grants], then refresh.go.
package oauth
