package server

import (
	"encoding/json"
	"net/http"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// Caller says who asks by a request of [Config.Routes], as the gates of /mcp
// would: its agent, or the user whom the body (accessSettings and
// accessControlAttributes, as they were sent; nil: absent) or the X-Access
// headers name. It takes one request from the agent's rate.
//
// Kind Expired without usable credentials, Denied for an agent that names a user
// without the right to, Invalid for what cannot be read, Limited over the rate.
func (s *Server) Caller(r *http.Request, settings, attributes json.RawMessage) (identity.Caller, error) {
	agent, err := s.Authenticate(r)
	if err != nil || usesQueryKey(r) {
		return identity.Caller{}, &confluence.Error{Kind: confluence.Expired, Code: "auth.credentials", Err: err, Message: "A valid key is needed.",
			Next: "Send the agent's key in the Authorization header as a Bearer token; never in the URL."}
	}
	var m message
	m.Params.Meta.Settings, m.Params.Meta.Attributes = settings, attributes
	named, err := accessOf(r.Header, m)
	if err != nil {
		return identity.Caller{}, err
	}
	caller, err := resolveCaller(agent, named)
	if err != nil {
		return identity.Caller{}, err
	}
	if wait, ok := s.rates.take(agent.principal(), caller.Payer()); !ok {
		return identity.Caller{}, tooMany(wait).err
	}
	return caller, nil
}
