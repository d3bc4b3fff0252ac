package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/owner"
	"confluence-mcp/internal/registry"
	"confluence-mcp/store"
)

// finding is one thing the doctor looked at. Next is empty when all is well.
type finding struct {
	Check   string `json:"check"`
	OK      bool   `json:"ok"`
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message"`
	Next    string `json:"next,omitempty"`
}

func (p program) doctorCommand() *cobra.Command {
	var at place
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at configuration, data folder, profiles and each connection, and say what to do",
		Long:  "Look at everything a server needs and say, for each part, whether it is well or what to do next.\nExit code 0: all well; 1: something is not.",
		RunE: func(c *cobra.Command, _ []string) error {
			findings := p.examine(c.Context(), at)
			if err := p.printFindings(findings, asJSON); err != nil {
				return err
			}
			for _, f := range findings {
				if !f.OK {
					return &exitError{exitFailed, errors.New("")}
				}
			}
			return nil
		},
	}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p program) examine(ctx context.Context, at place) []finding {
	cfg, err := p.load(at)
	if err != nil {
		return []finding{bad("configuration", err)}
	}
	out := []finding{good("configuration", declares(cfg))}
	out = append(out, p.examineData(ctx, cfg), p.examineProfiles(cfg))
	sites := p.examineIntegrations(ctx, cfg)
	if len(sites) == 0 {
		return append(out, bad("integrations", noSites()))
	}
	return append(out, sites...)
}

// declares says how much a configuration declares.
func declares(cfg config.Config) string {
	return several(len(cfg.Integrations), "integration") + ", " + several(len(cfg.Agents), "agent")
}

// several counts things by their name.
func several(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

func good(check, message string) finding { return finding{Check: check, OK: true, Message: message} }

func bad(check string, err error) finding {
	f := finding{Check: check, Message: err.Error()}
	var known *confluence.Error
	if errors.As(err, &known) {
		f.Kind, f.Next = known.StableCode(), known.Next
	}
	return f
}

func (p program) examineData(ctx context.Context, cfg config.Config) finding {
	check := "data folder " + cfg.DataDir
	if _, err := os.Stat(cfg.DataDir); errors.Is(err, os.ErrNotExist) {
		return good(check, "is not there yet; the first server makes it")
	}
	own, err := owner.Claim(cfg.DataDir)
	var held *owner.Held
	if errors.As(err, &held) {
		return examineOwner(ctx, check, cfg.DataDir, held)
	}
	if err != nil {
		return bad(check, err)
	}
	defer func() { _ = own.Close() }() // the lock ends with the process anyway
	precious, err := store.OpenPrecious(ctx, cfg.DataDir, p.now)
	if err != nil {
		return bad(check, err)
	}
	agents, err := precious.Agents(ctx)
	if err = errors.Join(err, precious.Close()); err != nil {
		return bad(check, err)
	}
	return good(check, "opens; "+several(len(agents), "agent")+" with keys in it")
}

// examineOwner asks the owner for anything at all.
func examineOwner(ctx context.Context, check, dir string, held *owner.Held) finding {
	whose := strings.TrimPrefix(held.Error(), "the data folder "+held.Dir+" ")
	if _, err := owner.Run(ctx, dir, owner.Command{Args: []string{"version"}}, io.Discard, io.Discard); err != nil {
		return finding{Check: check, Message: whose + ", which does not answer", Next: "End that process and start the server again."}
	}
	return good(check, whose+", which answers")
}

func (p program) examineProfiles(cfg config.Config) finding {
	r, err := p.peek(cfg)
	if err != nil {
		return bad("profiles", err)
	}
	if problem := r.Status().Problem; problem != "" {
		return bad("profiles", errors.New("the folder is refused, older profiles stay in force: "+problem))
	}
	set := r.Set()
	if err := knownProfiles(set, cfg.Agents); err != nil {
		return bad("profiles", err)
	}
	return good("profiles", strings.Join(set.Names(), ", "))
}

func (p program) examineSite(ctx context.Context, in config.Integration) finding {
	check := "integration " + in.Name + " at " + in.BaseURL
	// The doctor reports what is, at once, instead of waiting until it is better.
	probe, err := connections.Probe(ctx, registry.Spec(declaredIn(in)), p.clientConfig(nil, time.Millisecond))
	if err != nil {
		return bad(check, err)
	}
	found := good(check, fmt.Sprintf("answers as %s (%s)", probe.User.Name, probe.User.ID))
	return dated(found, probe, ownToken(registry.Integration{Values: declaredIn(in).Values}, connections.Status{}, true, p.now()))
}

func (p program) printFindings(findings []finding, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.out).Encode(map[string]any{"findings": findings})
	}
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		if _, err := fmt.Fprintf(p.out, "%s  %s: %s\n", mark, f.Check, f.Message); err != nil {
			return err
		}
		if f.Next != "" {
			fmt.Fprintf(p.out, "      next: %s\n", f.Next)
		}
	}
	return nil
}
