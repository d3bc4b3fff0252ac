package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
	"confluence-mcp/store"
)

// changes are written into the audit log as calls are: before they are made,
// with who makes them, and afterwards with what came of it. One that cannot be
// written down is not made.
type changes struct {
	log    *store.Precious
	now    func() time.Time
	logger *slog.Logger
}

// change is what somebody does to agents, integrations, connections, keys or
// profiles. Deed is its name in the log, where calls have that of their tool.
type change struct {
	deed string // agents.add, integrations.change, …
	kind string // agent, integration, connection, own_connection, person, policy or secrets
	on   string // name of what is changed
}

// Deeds that are made in more than one place.
const (
	agentAdded         = "agents.add"
	agentChanged       = "agents.change"
	agentRevoked       = "agents.revoke"
	integrationAdded   = "integrations.add"
	integrationRemoved = "integrations.remove"
	connectionMade     = "connection.make"
	connectionEnded    = "connection.end"
	policyRolledBack   = "policy.rollback"
	policyReloaded     = "policy.reload"
)

// Kinds of what is changed.
const (
	anAgent         = "agent"
	anIntegration   = "integration"
	aConnection     = "connection"
	anOwnConnection = "own_connection" // of a person's own account
	thePolicy       = "policy"
)

// make writes a change down, makes it, and writes down what came of it.
func (c changes) make(ctx context.Context, by identity.Caller, what change, work func() error) error {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // crypto/rand never fails
	begun := c.now()
	line, err := c.log.Begin(ctx, audit.Entry{Time: begun, DecisionID: hex.EncodeToString(nonce[:]), Profile: by.Profile, Principal: by.Principal(), Kind: string(by.Kind),
		Transport: by.Transport, TraceID: by.Trace, Tool: what.deed, ResourceType: what.kind, ResourceID: named(what.on), Effect: "allow", Reason: "admin", Write: true})
	if err != nil {
		return &confluence.Error{Kind: confluence.Unavailable, Code: "audit.unavailable", Err: err,
			Message: "The change could not be written to the audit log, so it was not made.", Next: "Look at the server's log, or run: confluence-mcp doctor."}
	}
	err = work()
	came := audit.Outcome{Result: audit.OK, Duration: c.now().Sub(begun)}
	if err != nil {
		var known *confluence.Error
		came.Result, came.ErrorCode = audit.Failed, confluence.Internal.String()
		if errors.As(err, &known) {
			came.ErrorCode = known.StableCode()
		}
	}
	if unfinished := c.log.Finish(context.WithoutCancel(ctx), line, came); unfinished != nil && c.logger != nil {
		c.logger.ErrorContext(ctx, "what came of a change is not in the audit log", "change", what.deed, "entry", line, "err", unfinished)
	}
	return err
}

// recorder is what the REST surface of integrations writes with.
type recorder struct{ changes }

// Record implements api.Recorder.
func (r recorder) Record(ctx context.Context, by identity.Caller, deed, on string, work func() error) error {
	return r.make(ctx, by, change{deed, anIntegration, on}, work)
}

// longestName is how much of a name is kept, in characters: it is written down
// before it is judged.
const longestName = 128

// named is a name without what would upset a terminal.
func named(s string) string {
	out := []rune(strings.ToValidUTF8(s, "?"))
	if len(out) > longestName {
		out = out[:longestName]
	}
	for i, r := range out {
		if !unicode.IsPrint(r) {
			out[i] = '?'
		}
	}
	return string(out)
}

// changes of the data folder an engine has opened.
func (e *engine) changes(now func() time.Time) changes {
	return changes{log: e.precious, now: now, logger: e.logger}
}

// changes of a data folder that is opened by a command.
func (p program) changes(log *store.Precious) changes { return changes{log: log, now: p.now} }

// atShell is who changes something with a command.
func atShell() identity.Caller {
	return identity.Caller{Agent: localOwner, Owner: localOwner, Kind: identity.Service, Transport: identity.CLI}
}

// overHTTP is who changes something with an agent's key.
func overHTTP(a server.Agent) identity.Caller {
	c := a.Identity
	c.Kind = cmp.Or(c.Kind, identity.Nobody)
	c.Agent, c.Owner, c.Subject, c.Profile, c.Transport = a.Name, a.Owner, a.Subject, a.Profile, identity.HTTP
	return c
}
