package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/identity"
)

// Agent is who a key belongs to: a program that calls, with the rights it was
// given. Two agents are the same when Authority and Name are.
type Agent struct {
	Name      string
	Authority string // what vouches for the name: "key", or an issuer's URL
	Owner     string // who answers for the key
	Profile   string // policy profile of everything it asks

	// Subject tells the people apart who share an agent: whom a token or a
	// trusted proxy names. Empty for a key, which has one holder.
	Subject string

	// Rate and Burst bound all requests of the agent together, in requests a
	// second and at once; zero means the server's own, which bounds each of
	// its users, and all of them together at [identity.CrowdShare] times that.
	Rate  float64
	Burst int

	// Identity is whom the agent acts as; the zero Kind is nobody, who sees
	// public content only. With ActForUsers each request names its own user
	// instead, and Identity is not used.
	Identity    identity.Caller
	ActForUsers bool

	Admin    bool
	Approver bool

	// Expires is the end of its key; zero: it has none, or, as with tokens and
	// proxies, somebody else decides how long it is good.
	Expires time.Time
}

// principal is who a session or a stream belongs to.
func (a Agent) principal() string {
	if a.Subject == "" {
		return a.configured()
	}
	return a.configured() + "|" + a.Subject
}

// configured is the agent as the admin knows it, whoever uses it.
func (a Agent) configured() string { return a.Authority + "|" + a.Name }

// ErrUnknownKey is what an [Authenticator] answers for every key it does not
// accept: unknown, revoked, expired or malformed are never told apart.
var ErrUnknownKey = errors.New("unknown key")

// Forbidden is what an [Authenticator] answers for good credentials that open
// nothing here. Scopes are those that would; empty when none would.
type Forbidden struct{ Scopes []string }

// Error implements error.
func (f *Forbidden) Error() string { return "the credentials are good, but open nothing here" }

// Authenticator judges a bearer key. It must compare in constant time, and
// must answer [ErrUnknownKey] for a key it does not know. It is asked again
// while a request runs, so revoking a key ends its open streams.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (Agent, error)
}

// StaticKey is one configured key. SHA256 is the hex digest of the whole key,
// so the key itself need not be kept. A zero Expires never expires.
type StaticKey struct {
	SHA256  string
	Agent   Agent
	Expires time.Time
}

// StaticKeys is an [Authenticator] over a fixed list, as a configuration file
// gives it. Keys should hold 256 random bits (cmk_<id>_<secret>); the digest is
// not slowed down.
type StaticKeys struct {
	keys []digestKey
	now  func() time.Time
}

type digestKey struct {
	digest  [sha256.Size]byte
	agent   Agent
	expires time.Time
}

// NewStaticKeys checks the list: a digest must be 64 hex digits and an agent
// must have a name, and a profile, because there is no default one over HTTP. A
// key must belong to one agent only, or nobody could say who calls.
func NewStaticKeys(keys []StaticKey, now func() time.Time) (*StaticKeys, error) {
	s := &StaticKeys{now: now}
	for _, k := range keys {
		raw, err := hex.DecodeString(k.SHA256)
		if err != nil || len(raw) != sha256.Size {
			return nil, errors.New("server: the key digest of agent " + k.Agent.Name + " is not sha256 in hex")
		}
		if k.Agent.Name == "" || k.Agent.Profile == "" {
			return nil, errors.New("server: an agent needs a name and a profile")
		}
		if k.Agent.Authority == "" {
			k.Agent.Authority = "key"
		}
		if i := slices.IndexFunc(s.keys, func(d digestKey) bool { return d.digest == [sha256.Size]byte(raw) }); i >= 0 {
			return nil, errors.New("server: the agents " + s.keys[i].agent.Name + " and " + k.Agent.Name + " have the same key")
		}
		k.Agent.Expires = k.Expires
		s.keys = append(s.keys, digestKey{digest: [sha256.Size]byte(raw), agent: k.Agent, expires: k.Expires})
	}
	return s, nil
}

// Authenticate implements [Authenticator]. It always looks at every key, so
// the time it takes says nothing about which one was nearly right.
func (s *StaticKeys) Authenticate(_ context.Context, bearer string) (Agent, error) {
	digest := sha256.Sum256([]byte(bearer))
	found := -1
	for i := range s.keys {
		if subtle.ConstantTimeCompare(digest[:], s.keys[i].digest[:]) == 1 {
			found = i
		}
	}
	if bearer == "" || found < 0 {
		return Agent{}, ErrUnknownKey
	}
	k := s.keys[found]
	if !k.expires.IsZero() && !s.now().Before(k.expires) {
		return Agent{}, ErrUnknownKey
	}
	return k.agent, nil
}

// Authenticate says which agent a request comes from: by its Authorization
// header, or by the header of a trusted proxy, and never by both. It takes
// nothing from a rate: handlers of [Config.Routes] ask [Server.Caller] or
// [Server.Agent]. Whatever the error is, [Server.Challenge] tells the client.
func (s *Server) Authenticate(r *http.Request) (Agent, error) {
	if usesQueryKey(r) {
		return Agent{}, ErrUnknownKey
	}
	agent, given, err := s.proxied(r)
	if !given {
		agent, err = s.authenticateBearer(r)
	}
	if err != nil {
		return Agent{}, err
	}
	if agent.Name == "" || agent.Profile == "" {
		return Agent{}, ErrUnknownKey
	}
	agent.Identity.Trace = headerTrace(r.Header)
	return agent, nil
}

func (s *Server) authenticateBearer(r *http.Request) (Agent, error) {
	bearer, given := bearerOf(r)
	if s.cfg.NoAuth != nil && (!given || s.cfg.Authenticator == nil) {
		return *s.cfg.NoAuth, nil
	}
	if s.cfg.Authenticator == nil || bearer == "" {
		return Agent{}, ErrUnknownKey
	}
	return s.cfg.Authenticator.Authenticate(r.Context(), bearer)
}

// bearerOf reads the one Authorization header. A request with two of them, or
// with another scheme, has given credentials but brings no usable key.
func bearerOf(r *http.Request) (key string, given bool) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", false
	}
	scheme, key, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || strings.ContainsAny(key, " \t,") {
		return "", true
	}
	return key, true
}
