package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/api"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/registry"
)

// warnTokens is how long before its end a token is warned of, as connections
// by OAuth are.
const warnTokens = 15 * 24 * time.Hour

// tokenOf says how the credential of an integration stands, as far as it is
// known: by its date, by what became of it at Atlassian, and by the last pass.
func (e *engine) tokenOf(ctx context.Context, i registry.Integration, now time.Time) api.TokenState {
	running, connected := e.sites.Brief(i.ID)
	if i.HasToken {
		return ownToken(i, running, connected, now)
	}
	reconnect := "Consent again: confluence-mcp reconnect --integration " + i.Name + "."
	missing := api.TokenState{State: api.TokenMissing, Reason: "The integration is not connected.", Next: "Connect it: confluence-mcp connect --integration " + i.Name + "."}
	if e.links.grants == nil {
		return missing
	}
	g, there, err := e.links.service(ctx, i.ID)
	switch {
	case err != nil:
		return api.TokenState{State: api.TokenUnknown, Reason: "The connection cannot be looked up.", Next: "Run: confluence-mcp doctor."}
	case !there:
		if waiting, err := e.links.grants.List(ctx, i.ID); err == nil && len(waiting) > 0 {
			missing.Reason = "A site has to be chosen."
		}
		return missing
	case g.State == oauth.NeedsReconnect && !now.Before(g.Ends()):
		return api.TokenState{State: api.TokenExpired, Expires: day(g.Ends()), Reason: g.Reason, Next: reconnect}
	case g.State == oauth.NeedsReconnect && g.Revoked:
		return api.TokenState{State: api.TokenRevoked, Reason: g.Reason, Next: reconnect}
	case g.State == oauth.NeedsReconnect:
		return api.TokenState{State: api.TokenReconnect, Reason: g.Reason, Next: reconnect}
	case lastRefused(running):
		return api.TokenState{State: api.TokenReconnect, Expires: day(g.Ends()), Reason: running.Sync.Error, Next: reconnect}
	case !now.Before(g.Ends()):
		return api.TokenState{State: api.TokenExpired, Expires: day(g.Ends()), Reason: "It was not used for 90 days, or is a year old.", Next: reconnect}
	}
	if warning := g.Warning(now); warning != "" {
		return api.TokenState{State: api.TokenEndsSoon, Expires: day(g.Ends()), Reason: warning, Next: reconnect}
	}
	return api.TokenState{State: api.TokenValid, Expires: day(g.Ends())}
}

// lastRefused reports whether Confluence refused the credential at the last pass.
func lastRefused(s connections.Status) bool {
	return s.Sync != nil && s.Sync.State == ingest.StateReconnect
}

// ownToken is tokenOf for an API token or a personal access token. Nobody but
// whoever made it knows when it ends.
func ownToken(i registry.Integration, running connections.Status, connected bool, now time.Time) api.TokenState {
	ends := i.Values.TokenEnds()
	out := api.TokenState{State: api.TokenUnknown, Expires: day(ends), Next: "Make a new token and save it with its date."}
	switch {
	case !connected:
		out.Reason, out.Next = "The token cannot be used.", "Look at the server's log, or run: confluence-mcp doctor."
	case !ends.IsZero() && !now.Before(ends):
		out.State, out.Reason = api.TokenExpired, "The token ended on "+i.Values.TokenExpires+"."
	case lastRefused(running) && !ends.IsZero():
		out.State, out.Reason = api.TokenRevoked, "Confluence refuses the token before its date: it was revoked."
	case lastRefused(running):
		out.State, out.Reason = api.TokenReconnect, "Confluence refuses the token: it was revoked, or has expired."
	case !ends.IsZero() && !now.Before(ends.Add(-warnTokens)):
		out.State, out.Reason = api.TokenEndsSoon, "The token ends on "+i.Values.TokenExpires+"."
	case running.Account != "" || running.Sync != nil && !running.Sync.Complete.IsZero():
		out.State, out.Next = api.TokenValid, ""
	default:
		out.Reason, out.Next = "The token was not used yet.", "Run: confluence-mcp doctor."
	}
	return out
}

// notice says for which integrations, of those a caller can mean by a name, an
// id or by none, Confluence cannot be read any more.
func (e *engine) notice(ctx context.Context, name string, now time.Time) string {
	var all []string
	for _, i := range e.registry.List() {
		if name != "" && name != i.Name && name != strconv.FormatInt(i.ID, 10) {
			continue
		}
		t := e.tokenOf(ctx, i, now)
		if t.Works() || name == "" && t.State == api.TokenMissing {
			continue // one that was never connected is missed by who names it
		}
		words := "The connection of " + i.Name + " with Confluence has ended (" + t.State + "): "
		if b, ok := e.sites.Brief(i.ID); ok && b.Sync != nil && !b.Sync.Complete.IsZero() {
			words += "what is found was read on " + day(b.Sync.Complete) + " or before, and newer content is missing."
		} else {
			words += "its content cannot be found."
		}
		all = append(all, words+" An administrator has to connect it anew.")
	}
	return strings.Join(all, " ")
}

// inWords is a token's state in a list.
func inWords(t api.TokenState) string {
	switch t.State {
	case api.TokenEndsSoon:
		return "expires " + t.Expires
	case api.TokenValid, api.TokenUnknown, api.TokenMissing:
		return t.State
	}
	return t.State + " (" + t.Reason + ")"
}
