package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"confluence-mcp/ingest"
	"confluence-mcp/internal/api"
	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/owner"
	"confluence-mcp/internal/registry"
	"confluence-mcp/store"
)

// examineIntegrations looks at each connection: those with a token in the file
// by asking Confluence, the others as the data folder has them. While a server
// runs, the server is asked for those.
func (p program) examineIntegrations(ctx context.Context, cfg config.Config) []finding {
	var out []finding
	for _, in := range cfg.Integrations {
		if !in.Token.Empty() {
			out = append(out, p.examineSite(ctx, in))
		}
	}
	_, err := os.Stat(filepath.Join(cfg.DataDir, store.PreciousFile))
	if errors.Is(err, os.ErrNotExist) && len(out) == len(cfg.Integrations) {
		return out // nothing was ever made by hand
	}
	own, err := owner.Claim(cfg.DataDir)
	var held *owner.Held
	if errors.As(err, &held) {
		return append(out, examineOwned(ctx, cfg)...)
	}
	if err != nil {
		return append(out, bad("integrations", err))
	}
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	quiet := p
	quiet.errOut, quiet.patience = discard{}, time.Millisecond // what is, at once
	e, err := quiet.open(ctx, cfg)
	if err != nil {
		return append(out, bad("integrations", err))
	}
	for _, i := range e.registry.List() {
		switch {
		case !i.HasToken:
			out = append(out, e.examineLink(ctx, i, p.now()))
		case !i.OfFile:
			out = append(out, e.examineKept(ctx, i, p.now()))
		}
	}
	if err := e.close(); err != nil {
		out = append(out, bad("integrations", err))
	}
	return out
}

// discard is where the doctor's own engine logs to.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// examineKept looks at an integration that was made with a token, by hand.
func (e *engine) examineKept(ctx context.Context, i registry.Integration, now time.Time) finding {
	check := "integration " + i.Name + " at " + i.Values.BaseURL
	probe, err := e.sites.Probe(ctx, i.ID)
	if err != nil {
		return bad(check, err)
	}
	return dated(good(check, fmt.Sprintf("answers as %s (%s)", probe.User.Name, probe.User.ID)), probe, e.tokenOf(ctx, i, now))
}

// wrongClock is how far two clocks may be apart: tokens are judged by them.
const wrongClock = 2 * time.Minute

// dated adds that a token that works ends soon, or should have ended, and that
// the clock that is judged by is wrong.
func dated(f finding, probe rest.Finding, t api.TokenState) finding {
	if off := probe.Ahead; off.Abs() > wrongClock {
		way := "behind"
		if off < 0 {
			way = "ahead of"
		}
		f.OK, f.Kind, f.Message = false, "net.clock", fmt.Sprintf("%s; the clock of this machine is %s %s Confluence's", f.Message, off.Abs().Round(time.Second), way)
		f.Next = "Set the clock of this machine, by NTP: the ends of tokens and keys are judged by it."
		return f
	}
	if t.State == api.TokenEndsSoon || t.State == api.TokenExpired {
		f.OK, f.Kind, f.Message, f.Next = false, "auth.expires", f.Message+"; "+t.Reason, t.Next
	}
	return f
}

// examineLink looks at an integration that is connected by OAuth: whether it
// is, whether its tokens are good, who answers and what its permissions do not
// cover.
func (e *engine) examineLink(ctx context.Context, i registry.Integration, now time.Time) finding {
	check := "integration " + i.Name + " by OAuth"
	t := e.tokenOf(ctx, i, now)
	if err := e.links.configured(); err != nil {
		return bad(check, err)
	}
	if t.State == api.TokenMissing {
		return finding{Check: check, Kind: "auth.not_connected", Message: t.Reason, Next: t.Next}
	}
	probe, err := e.sites.Probe(ctx, i.ID)
	if err != nil {
		f := bad(check, err)
		if confluence.KindOf(err) == confluence.Expired {
			f.Next = cmp.Or(t.Next, f.Next)
		}
		return f
	}
	g, _, err := e.links.service(ctx, i.ID)
	if err != nil {
		return bad(check, err)
	}
	return e.covered(ctx, dated(good(check, fmt.Sprintf("%s answers as %s (%s)", g.SiteURL, probe.User.Name, probe.User.ID)), probe, t), i, g)
}

// covered adds what the permissions of a connection do not cover.
func (e *engine) covered(ctx context.Context, f finding, i registry.Integration, g oauth.Grant) finding {
	lacks, err := e.links.lacks(ctx, i, g)
	if err != nil {
		return bad(f.Check, err)
	}
	if len(lacks) > 0 {
		f.OK, f.Kind, f.Next = false, "auth.scope", "Allow them for your app at developer.atlassian.com, then: confluence-mcp reconnect --integration "+i.Name+"."
		f.Message += "; permissions are missing for " + strings.Join(lacks, ", ")
	}
	return f
}

// examineOwned asks the running server for what only it knows.
func examineOwned(ctx context.Context, cfg config.Config) []finding {
	var said bytes.Buffer
	var all struct {
		Integrations []api.Integration `json:"integrations"`
	}
	code, err := owner.Run(ctx, cfg.DataDir, owner.Command{Args: []string{"integrations", "list", "--json"}}, &said, io.Discard)
	if err != nil || code != exitOK || json.Unmarshal(said.Bytes(), &all) != nil {
		return []finding{{Check: "integrations", Message: "the running server does not tell how they are", Next: "Look at its log.", Kind: "store.owned"}}
	}
	var out []finding
	for _, i := range all.Integrations {
		ofFile := slices.ContainsFunc(cfg.Integrations, func(in config.Integration) bool { return in.Name == i.Name && !in.Token.Empty() })
		f := ownedFinding(i)
		if !ofFile || !f.OK {
			out = append(out, f)
		}
	}
	return out
}

// ownedFinding is how the running server has an integration.
func ownedFinding(i api.Integration) finding {
	f := finding{Check: "integration " + i.Name + " in the running server", OK: i.Token.Works() && i.Token.State != api.TokenEndsSoon, Message: "token " + inWords(i.Token)}
	if !f.OK {
		f.Next = i.Token.Next
	}
	if i.Sync == nil {
		return f
	}
	f.Message += ", sync " + i.Sync.State
	if i.Sync.Error == "" {
		return f
	}
	f.OK, f.Kind, f.Message = false, i.Sync.Code, f.Message+": "+i.Sync.Error
	f.Next = cmp.Or(f.Next, map[string]string{
		ingest.StateForbidden: "Give the connecting account, or the app, the right that is named; then run: confluence-mcp sync.",
		ingest.StateLimited:   "Wait: the server goes on by itself.",
		ingest.StateDown:      "Check that Confluence can be reached from there; the server tries again by itself.",
		ingest.StateStore:     "Look at the disk of the data folder.",
	}[i.Sync.State], "Look at the server's log.")
	return f
}

// lacks names, by tool group and action, what the permissions of a grant do not
// cover of what the profiles allow.
func (l *links) lacks(ctx context.Context, i registry.Integration, g oauth.Grant) ([]string, error) {
	needs, err := l.needs(ctx, i, nil)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, lack := range oauth.Lacks(g.Scopes, needs...) {
		out = append(out, lack.Group+" "+lack.Action+" ("+strings.Join(lack.Scopes, " ")+")")
	}
	return out, nil
}
