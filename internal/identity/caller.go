// Package identity holds who is asking. A [Caller] is made in one place per
// transport (package server, or the command line) and then travels as an
// explicit parameter: no package below server takes an identity from a
// context, so code that does not say who is asking does not compile.
//
// The package decides nothing. What a caller may do is package policy's
// answer, what a caller may see is the mirror's.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Kind says what stands behind a caller.
type Kind string

// The kinds. There is no zero kind: a Caller without one is refused.
const (
	User    Kind = "user"    // a person, or an agent that acts as one person
	Service Kind = "service" // the connecting account itself
	Nobody  Kind = "public"  // no known user: public content only
)

// Transports a call can come in by.
const (
	Stdio = "stdio"
	HTTP  = "http"
	CLI   = "cli"
)

// Local is the agent of everybody at this machine's command line and standard
// streams. No other agent may be called so: it has rights a key does not give.
const Local = "local"

// Caller is the identity of one call. The zero value is nobody and is refused
// everywhere; use [Public] for a caller who may see public content only.
type Caller struct {
	Agent       string // name of the configured agent; [Local] over stdio
	Owner       string // who answers for the agent's key; compared for self-approval
	Subject     string // whom a token or a trusted proxy names, with who vouches for it; empty for keys
	Kind        Kind
	Integration string // name of the integration the user belongs to
	AccountID   string // accountId or user key; empty for Service and Nobody
	Email       string
	Groups      []string
	Attributes  map[string]string
	Access      []string // access control attributes as the request names them: group-<name>, user-<id>, each also with <integration>: in front
	Profile     string   // name of the policy profile that judges this caller
	Transport   string
	ReadOnly    bool   // READ_ONLY_MODE of whoever started the caller's own process: reads only, whatever Profile allows
	Client      string // what the client calls itself; for the record, never trusted
	Trace       string // W3C trace id of the request, for the record; names nobody
	Admin       bool   // may use admin surfaces
	Approver    bool   // may decide approvals
}

// Public returns the caller with the least rights: public content only.
func Public(agent, profile, transport string) Caller {
	return Caller{Agent: agent, Kind: Nobody, Profile: profile, Transport: transport}
}

// Known reports whether the caller was made on purpose. An unknown caller gets
// nothing, not even public content.
func (c Caller) Known() bool {
	return c.Kind == User && c.AccountID != "" || c.Kind == Service || c.Kind == Nobody
}

// Payer names whoever pays for the caller's calls: rates, budgets and the mark
// of having read restricted content. Access attributes do not count, because
// each request chooses its own, and a new one must not buy a fresh budget.
// Subject does: people who share an agent do not share its budget.
// [AgentOf] is the other way round.
func (c Caller) Payer() string {
	name := part(c.Agent) + "|" + part(c.Integration) + "|" + part(string(c.Kind)) + "|" + part(c.AccountID)
	if c.Subject != "" {
		name += "|" + part(c.Subject)
	}
	return name
}

// part is a piece of a name, which holds no separator: requests and identity
// providers choose what some are made of.
func part(s string) string { return strings.NewReplacer("%", "%25", "|", "%7C").Replace(s) }

// AgentOf is the agent of a [Caller.Payer]. What all payers of one agent use
// together is bounded too, because an agent that acts for users names them.
func AgentOf(payer string) string {
	agent, _, _ := strings.Cut(payer, "|")
	return agent
}

// CrowdShare is how many times the limit of one payer all payers of one agent
// have together.
const CrowdShare = 20

// Principal names the caller for handles, cursors and the audit log: agent, integration and account, so that two agents acting for one
// person and one agent acting for two are all told apart. Access attributes
// count too, as a short digest: whoever asks with other attributes is somebody
// else.
func (c Caller) Principal() string {
	name := c.Payer()
	if len(c.Access) == 0 {
		return name
	}
	if c.Subject == "" {
		name += "|" // the digest stands in a place of its own
	}
	var attributes strings.Builder
	for _, a := range slices.Compact(slices.Sorted(slices.Values(c.Access))) {
		attributes.WriteString(strconv.Quote(a))
	}
	sum := sha256.Sum256([]byte(attributes.String()))
	return name + "|" + hex.EncodeToString(sum[:8])
}
