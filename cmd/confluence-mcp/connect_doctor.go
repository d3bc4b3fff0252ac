package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/owner"
	"confluence-mcp/internal/registry"
)

// examineLink looks at an integration that is connected by OAuth: whether it
// is, whether its tokens are good, who answers and what its permissions do not
// cover. While a server runs, the server is asked.
func (p program) examineLink(ctx context.Context, cfg config.Config, in config.Integration) finding {
	check := "integration " + in.Name + " by OAuth"
	if cfg.OAuth == nil {
		return bad(check, (&links{}).configured())
	}
	own, err := owner.Claim(cfg.DataDir)
	var held *owner.Held
	if errors.As(err, &held) {
		return good(check, "is the running server's matter: confluence-mcp integrations show "+in.Name)
	}
	if err != nil {
		return bad(check, err)
	}
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	quiet := p
	quiet.errOut = discard{}
	e, err := quiet.open(ctx, cfg)
	if err != nil {
		return bad(check, err)
	}
	found, err := e.examineLink(ctx, quiet, in.Name)
	if err = errors.Join(err, e.close()); err != nil {
		return bad(check, err)
	}
	return finding{Check: check, OK: found.Next == "", Message: found.Message, Kind: found.Kind, Next: found.Next}
}

// discard is where the doctor's own engine logs to.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func (e *engine) examineLink(ctx context.Context, p program, name string) (finding, error) {
	i, err := e.links.target(name)
	if err != nil {
		return finding{}, err
	}
	g, err := e.links.grant(ctx, i.ID)
	if err != nil {
		return finding{}, err
	}
	if g == nil {
		return finding{}, &confluence.Error{Kind: confluence.Expired, Code: "auth.not_connected", Op: "look at connection", Ref: name, Message: "the integration is not connected", Next: "Connect it: confluence-mcp connect --integration " + name + "."}
	}
	spec := registry.Spec(registry.Declared{Name: i.Name, Values: i.Values})
	spec.ID, spec.Grant = i.ID, g
	probe, err := connections.Probe(ctx, spec, p.clientConfig(nil, time.Millisecond))
	if err != nil {
		return finding{}, err
	}
	now, _, err := e.links.service(ctx, i.ID)
	if err != nil {
		return finding{}, err
	}
	found := finding{Message: fmt.Sprintf("%s answers as %s (%s)", now.SiteURL, probe.User.Name, probe.User.ID)}
	lacks, err := e.links.lacks(i, now)
	if len(lacks) > 0 {
		found.Kind, found.Next = "auth.scope", "Allow them for your app at developer.atlassian.com, then: confluence-mcp reconnect --integration "+name+"."
		found.Message += "; permissions are missing for " + strings.Join(lacks, ", ")
	}
	if warning := now.Warning(p.now()); warning != "" && found.Next == "" {
		found.Message, found.Next = found.Message+"; "+warning, "Run: confluence-mcp reconnect --integration "+name+"."
	}
	return found, err
}

// lacks names, by tool group and action, what the permissions of a grant do not
// cover of what the profiles allow.
func (l *links) lacks(i registry.Integration, g oauth.Grant) ([]string, error) {
	needs, err := l.needs(i, nil)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, lack := range oauth.Lacks(g.Scopes, needs...) {
		out = append(out, lack.Group+" "+lack.Action+" ("+strings.Join(lack.Scopes, " ")+")")
	}
	return out, nil
}
