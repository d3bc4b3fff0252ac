package main

import (
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// policyCommand gives the policy commands the profiles a server with this
// configuration would know.
func (p program) policyCommand() *cobra.Command {
	var at place
	deps := policyDeps{Out: p.out, Err: p.errOut, Profiles: func() (*policy.Set, error) { return p.profiles(at) }}
	for _, t := range tools.Every() {
		deps.Tools = append(deps.Tools, policyTool{Name: t.Name, Group: t.Group, Action: t.Action})
	}
	c := newPolicyCommand(deps)
	c.PersistentFlags().StringVar(&at.config, "config", "", "configuration `file` that names profiles_dir")
	return c
}

func (p program) profiles(at place) (*policy.Set, error) {
	if p.owned != nil {
		return p.owned.profiles, nil
	}
	cfg, err := p.load(at)
	if err != nil {
		return nil, err
	}
	return loadProfiles(cfg.ProfilesDir)
}

// loadProfiles reads the shipped profiles and, over them, an admin's folder.
func loadProfiles(dir string) (*policy.Set, error) {
	layers := []fs.FS{policies.FS}
	if dir != "" {
		layers = append(layers, os.DirFS(dir))
	}
	return policy.Load(layers...)
}
