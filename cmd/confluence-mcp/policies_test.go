package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

const (
	wideTeam   = "version: 1\nname: team\ngroups: {pages: {level: read_write}}\n"
	narrowTeam = "version: 1\nname: team\ngroups: {pages: {level: read_only}}\n"
)

// openTeam opens an engine with a folder that holds the profile team.
func openTeam(t *testing.T, text string) (e *engine, file string) {
	t.Helper()
	cfg := settingsForNobody(t.TempDir())
	cfg.ProfilesDir = t.TempDir()
	require.NoError(t, os.Chmod(cfg.ProfilesDir, 0o700))
	file = filepath.Join(cfg.ProfilesDir, "team.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	p := program{errOut: io.Discard, now: time.Now, getenv: func(string) string { return "" }}
	e, err := p.open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.close()) })
	return e, file
}

// Clients hear of another list of tools after a change and after a rollback,
// and not otherwise.
func TestClientsHearOfAChangedProfile(t *testing.T) {
	e, file := openTeam(t, narrowTeam)
	first := e.profiles.Set().Revision()
	ctx, stop := context.WithCancel(context.Background())
	heard, done := make(chan int), make(chan error, 1)
	go func() {
		done <- e.watchProfiles(ctx, func() {
			caller, err := e.localCaller("team", "")
			assert.NoError(t, err)
			heard <- len(e.catalog.Tools(caller))
		})
	}()
	require.NoError(t, os.WriteFile(file, []byte(wideTeam), 0o600))
	wide := <-heard
	require.NoError(t, e.profiles.Rollback(first))
	narrow := <-heard
	assert.Greater(t, wide, narrow)
	stop()
	require.NoError(t, <-done)
	assert.Empty(t, heard)
}

// The shipped profiles name no tool that does not exist; a server without a
// folder of its own relies on it.
func TestShippedProfilesNameToolsThatExist(t *testing.T) {
	var names []string
	for _, tool := range tools.Every() {
		names = append(names, tool.Name)
	}
	_, err := policy.LoadFor(names, policies.FS)
	require.NoError(t, err)
}
