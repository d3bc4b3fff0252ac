package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/oauth"
)

// version is the release; the commit comes from the build.
const version = "0.1.0"

type versionAnswer struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (p program) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "version", Short: "Print the version", RunE: func(*cobra.Command, []string) error {
		v := versionAnswer{Version: version, Revision: revision(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if asJSON {
			return json.NewEncoder(p.out).Encode(v)
		}
		_, err := fmt.Fprintf(p.out, "confluence-mcp %s %s (%s, %s)\n", v.Version, v.Revision, v.Go, v.Platform)
		return err
	}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func revision() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func (p program) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "The configuration file: its schema, and whether one is right"}
	c.AddCommand(alwaysJSON(&cobra.Command{Use: "schema", Short: "Print the JSON Schema of the configuration file, for editors", RunE: func(*cobra.Command, []string) error {
		_, err := fmt.Fprint(p.out, config.Schema)
		return err
	}}))
	var at place
	var asJSON bool
	check := &cobra.Command{Use: "check", Short: "Read the configuration and say what is wrong with it", Example: "  confluence-mcp config check --config confluence-mcp.yaml",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.load(at)
			if err != nil {
				return err
			}
			if err := p.check(cfg); err != nil {
				return err
			}
			said := map[string]any{"ok": true, "integrations": len(cfg.Integrations), "agents": len(cfg.Agents), "data_dir": cfg.DataDir}
			return p.print(asJSON, said, "ok: %s, data in %s\n", declares(cfg), cfg.DataDir)
		}}
	at.flags(check)
	show := &cobra.Command{Use: "show", Short: "Print what file, environment and defaults come to; secrets only as set or not set",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.configured(at)
			if err != nil {
				return err
			}
			text, err := cfg.Show()
			if err != nil {
				return err
			}
			var same any
			if err := yaml.Unmarshal([]byte(text), &same); err != nil {
				return err
			}
			return p.print(asJSON, same, "%s", text)
		}}
	at.flags(show)
	for _, one := range []*cobra.Command{check, show} {
		one.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	}
	c.AddCommand(check, show)
	return c
}

// check refuses what serve would not start with, as far as the configuration
// alone decides. It asks nobody and makes nothing.
func (p program) check(cfg config.Config) error {
	if err := errors.Join(checkSites(cfg), checkCallers(cfg, p.now)); err != nil {
		return err
	}
	if cfg.OAuth != nil {
		if err := oauth.App(*cfg.OAuth).Check(); err != nil {
			return err
		}
		if _, err := p.sealChoice(cfg, "").Open(); err != nil {
			return err
		}
	}
	profiles, err := p.peek(cfg)
	if err != nil {
		return err
	}
	return knownProfiles(profiles.Set(), cfg.Agents)
}
