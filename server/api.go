package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
)

// maxRESTBody is how much a request of [Config.Routes] may send, in bytes.
const maxRESTBody = 1 << 20

// Caller says who asks by a request of [Config.Routes], as the gates of /mcp
// would: its agent, or the user whom the body (accessSettings and
// accessControlAttributes, as they were sent; nil: absent) or the X-Access
// headers name. It takes one request from the agent's rate.
//
// Kind Denied for an agent that names a user without the right to, Invalid for
// what cannot be read, Limited over the rate; every other error is for
// [Server.Challenge].
func (s *Server) Caller(r *http.Request, settings, attributes json.RawMessage) (identity.Caller, error) {
	agent, err := s.Authenticate(r)
	if err != nil {
		return identity.Caller{}, err
	}
	if usesQueryKey(r) {
		return identity.Caller{}, ErrUnknownKey
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
	return caller, s.charge(agent, caller)
}

// Agent says which agent asks by a request of [Config.Routes] that is for the
// agent itself and for no user. It takes one request from the agent's rate.
//
// Kind Limited over the rate; every other error is for [Server.Challenge].
func (s *Server) Agent(r *http.Request) (Agent, error) {
	agent, err := s.Authenticate(r)
	if err != nil {
		return Agent{}, err
	}
	caller, err := resolveCaller(agent, access{})
	if err != nil {
		return Agent{}, err
	}
	return agent, s.charge(agent, caller)
}

// charge takes one request from the rate of an agent's caller.
func (s *Server) charge(a Agent, c identity.Caller) error {
	if wait, ok := s.rates.takeWithin(a, a.configured(), c.Payer()); !ok {
		return tooMany(wait).err
	}
	return nil
}

// Body reads the JSON object a request of [Config.Routes] brings. A page of
// another site can't send JSON without asking first, so nothing else is taken.
// Kind Invalid for anything but one well-formed object without keys that come
// twice, Limited for a body over 1 MiB.
func (s *Server) Body(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Message: "The body is not JSON.", Next: "Send a JSON object with Content-Type: application/json."}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRESTBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, tooLarge().err
	}
	if err != nil {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Message: "The body did not arrive whole.", Next: "Send it again.", Err: err}
	}
	if broken := checkJSON(raw); broken != nil {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Message: broken.reason, Next: "Send one well-formed JSON object."}
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return nil, &confluence.Error{Kind: confluence.Invalid, Code: "input.malformed", Message: "The body is not a JSON object.", Next: "Send one JSON object."}
	}
	return raw, nil
}
