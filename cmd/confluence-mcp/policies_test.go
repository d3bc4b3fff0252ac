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

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/policy/budget"
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

// G09: however many deletions are asked for in a minute, a caller of a profile
// that says nothing about it gets 120 writes a minute and 100 deletions a day,
// and another caller has budgets of its own.
func TestG09_DeletionsArePerPrincipalAndDay(t *testing.T) {
	e, _ := openTeam(t, wideTeam)
	start, ctx := time.Now(), context.Background()
	book, err := budget.Open(ctx, spendings{e.precious}, start)
	require.NoError(t, err)
	purse := allowance{book: book, profiles: e.profiles}
	ann := identity.Caller{Agent: "a", AccountID: "u-ann", Kind: identity.User, Profile: "team"}
	let := func(c identity.Caller, n int, at time.Time) (done int, last error) {
		for range n {
			if err := purse.Spend(ctx, c, policy.Delete, at); err != nil {
				last = err
				continue
			}
			done++
		}
		return done, last
	}
	done, err := let(ann, 200, start)
	assert.Equal(t, 100, done)
	var refused *confluence.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "limit.destructive", refused.Code)
	assert.Equal(t, 24*time.Hour, refused.RetryAfter)
	require.NoError(t, purse.Spend(ctx, ann, policy.Update, start), "other writes go on")

	bob := ann
	bob.AccountID = "u-bob"
	require.NoError(t, purse.Spend(ctx, bob, policy.Delete, start))
	again, err := budget.Open(ctx, spendings{e.precious}, start.Add(time.Hour))
	require.NoError(t, err)
	purse.book = again
	done, _ = let(ann, 5, start.Add(time.Hour))
	assert.Zero(t, done, "after a restart")
	done, _ = let(ann, 5, start.Add(25*time.Hour))
	assert.Equal(t, 5, done, "a day later")

	ann.Profile = "gone"
	require.ErrorAs(t, purse.Spend(ctx, ann, policy.Update, start), &refused)
	assert.Equal(t, confluence.Denied, refused.Kind)
}
