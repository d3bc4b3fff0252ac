package reload_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/policy/reload"
)

const (
	closedText = "version: 1\nname: team\ngroups: {pages: {level: read_only}}\n"
	openText   = "version: 1\nname: team\ngroups: {pages: {level: read_write}}\n"
)

var write = policy.Request{
	Tool: "confluence_update_page", Group: policy.Pages, Action: policy.Update,
	Caller: identity.Caller{Kind: identity.Service, Profile: "team"},
}

// place writes a profile as an editor that replaces files does.
func place(t testing.TB, dir, name, text string) {
	t.Helper()
	tmp := filepath.Join(dir, ".tmp")
	require.NoError(t, os.WriteFile(tmp, []byte(text), 0o600))
	require.NoError(t, os.Rename(tmp, filepath.Join(dir, name)))
}

func folders(t testing.TB) reload.Config {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "policies")
	require.NoError(t, os.Mkdir(dir, 0o700))
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return reload.Config{
		Shipped: policies.FS, Dir: dir, Keep: filepath.Join(base, "kept"),
		Now: func() time.Time { return clock },
	}
}

func open(t testing.TB, cfg reload.Config) *reload.Reloader {
	t.Helper()
	r, err := reload.Open(cfg)
	require.NoError(t, err)
	return r
}

func TestAChangeIsTakenOver(t *testing.T) {
	cfg := folders(t)
	place(t, cfg.Dir, "team.yaml", closedText)
	r := open(t, cfg)
	assert.Equal(t, policy.Deny, r.Decide(write).Effect)
	assert.Contains(t, r.Set().Names(), "read-only")
	first := r.Status().Revision

	place(t, cfg.Dir, "team.yaml", openText)
	require.NoError(t, r.Reload())
	assert.Equal(t, policy.Allow, r.Decide(write).Effect)
	assert.NotEqual(t, first, r.Status().Revision)
	assert.True(t, r.Visible("team", policy.Pages, policy.Update))
	assert.False(t, r.NeedsResource("team", write.Tool, policy.Pages, policy.Update))
	assert.Equal(t, policy.Allow, r.Strictest(write, write).Effect)
}

// link makes name a link, in place of what is there.
func link(t *testing.T, to, name string) {
	t.Helper()
	require.NoError(t, os.Symlink(to, name+".new"))
	require.NoError(t, os.Rename(name+".new", name))
}

// mapped lays a profile out as Kubernetes does a ConfigMap: team.yaml leads to
// ..data/team.yaml, and ..data to the folder of the current version.
func mapped(t *testing.T, dir, version, text string) {
	t.Helper()
	require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o755))
	place(t, filepath.Join(dir, version), "team.yaml", text)
	link(t, version, filepath.Join(dir, "..data"))
	link(t, "..data/team.yaml", filepath.Join(dir, "team.yaml"))
}

// A ConfigMap is taken, and its next version too: links inside the folder lead
// nowhere its owner did not mean.
func TestG06LinksInsideTheFolder(t *testing.T) {
	cfg := folders(t)
	mapped(t, cfg.Dir, "..2026_1", closedText)
	r := open(t, cfg)
	assert.Equal(t, policy.Deny, r.Decide(write).Effect)
	mapped(t, cfg.Dir, "..2026_2", openText)
	require.NoError(t, os.RemoveAll(filepath.Join(cfg.Dir, "..2026_1")))
	require.NoError(t, r.Reload())
	assert.Equal(t, policy.Allow, r.Decide(write).Effect)
}

// TestG06BadFolders: whatever is wrong, the last good profiles stay.
func TestG06BadFolders(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"symlink", func(t *testing.T, dir string) {
			elsewhere := filepath.Join(t.TempDir(), "x.yaml")
			require.NoError(t, os.WriteFile(elsewhere, []byte(openText), 0o600))
			require.NoError(t, os.Remove(filepath.Join(dir, "team.yaml")))
			require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "team.yaml")))
		}, "leads out of the folder"},
		{"link with ..", func(t *testing.T, dir string) { link(t, "../x.yaml", filepath.Join(dir, "team.yaml")) }, "leads out of the folder"},
		{"link to a folder outside", func(t *testing.T, dir string) {
			link(t, "..data/team.yaml", filepath.Join(dir, "team.yaml"))
			link(t, t.TempDir(), filepath.Join(dir, "..data"))
		}, "leads out of the folder"},
		{"link in a circle", func(t *testing.T, dir string) { link(t, "team.yaml", filepath.Join(dir, "team.yaml")) }, "in circles"},
		{"dangling link", func(t *testing.T, dir string) { link(t, "gone.yaml", filepath.Join(dir, "team.yaml")) }, "profiles folder"},
		{"link to a file others may write", func(t *testing.T, dir string) {
			place(t, dir, "real", openText)
			require.NoError(t, os.Chmod(filepath.Join(dir, "real"), 0o666))
			link(t, "real", filepath.Join(dir, "team.yaml"))
		}, "may write it (mode 666)"},
		{"link through a folder others may write", func(t *testing.T, dir string) {
			mapped(t, dir, "..1", openText)
			require.NoError(t, os.Chmod(filepath.Join(dir, "..1"), 0o777))
		}, "may write it (mode 777)"},
		{"folder named like a profile", func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "z.yaml"), 0o700))
		}, "not a plain file"},
		{"mode 0666", func(t *testing.T, dir string) {
			place(t, dir, "team.yaml", openText)
			require.NoError(t, os.Chmod(filepath.Join(dir, "team.yaml"), 0o666))
		}, "may write it (mode 666)"},
		{"folder mode 0777", func(t *testing.T, dir string) {
			place(t, dir, "team.yaml", openText)
			require.NoError(t, os.Chmod(dir, 0o777))
		}, "may write it (mode 777)"},
		{"half written", func(t *testing.T, dir string) { place(t, dir, "team.yaml", openText[:30]) }, "team.yaml:"},
		{"10 MB", func(t *testing.T, dir string) {
			place(t, dir, "team.yaml", openText+"# "+strings.Repeat("x", 10<<20))
		}, "at most 262144"},
		{"anchor bomb", func(t *testing.T, dir string) {
			bomb := "a: &a [x, x]\n"
			for i := range 9 {
				bomb += fmt.Sprintf("%c: &%c [*%c, *%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i)
			}
			place(t, dir, "team.yaml", bomb)
		}, "anchors and aliases are refused"},
		{"unknown key", func(t *testing.T, dir string) { place(t, dir, "team.yaml", openText+"allow: all\n") }, `team.yaml:4:1: unknown key "allow"`},
		{"duplicate key", func(t *testing.T, dir string) { place(t, dir, "team.yaml", openText+"version: 1\n") }, "was already given on line 1"},
		{"failing test", func(t *testing.T, dir string) {
			place(t, dir, "team.yaml", openText+"tests:\n  - {name: a, given: {tool: update_page}, expect: {effect: deny}}\n")
		}, "want deny, got allow"},
		{"one bad beside a good one", func(t *testing.T, dir string) {
			place(t, dir, "team.yaml", openText)
			place(t, dir, "z.yaml", "x: 1\n")
		}, "z.yaml:1:1"},
		{"folder gone", func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) }, "profiles folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := folders(t)
			place(t, cfg.Dir, "team.yaml", closedText)
			r := open(t, cfg)
			c.spoil(t, cfg.Dir)

			require.ErrorContains(t, r.Reload(), c.want)
			require.Error(t, r.Reload())
			status := r.Status()
			assert.Contains(t, status.Problem, c.want)
			assert.EqualValues(t, 1, status.Failures, "one refused content is one failure")
			assert.Equal(t, policy.Deny, r.Decide(write).Effect)
			assert.Equal(t, "team", r.Decide(write).Profile)

			again := open(t, cfg)
			assert.Contains(t, again.Status().Problem, c.want, "a start with a broken folder uses the last good one")
			assert.Equal(t, "read_only", again.Decide(write).Reason)

			fresh := cfg
			fresh.Keep = ""
			_, err := reload.Open(fresh)
			assert.ErrorContains(t, err, "no last good revision", "without one it does not start")

			require.NoError(t, os.RemoveAll(cfg.Dir))
			require.NoError(t, os.Mkdir(cfg.Dir, 0o700))
			place(t, cfg.Dir, "team.yaml", openText)
			require.NoError(t, r.Reload())
			assert.Empty(t, r.Status().Problem)
			assert.Equal(t, policy.Allow, r.Decide(write).Effect)
		})
	}
}

func TestRollback(t *testing.T) {
	cfg := folders(t)
	place(t, cfg.Dir, "team.yaml", closedText)
	r := open(t, cfg)
	closed := r.Status().Revision
	place(t, cfg.Dir, "team.yaml", openText)
	require.NoError(t, r.Reload())
	require.Equal(t, policy.Allow, r.Decide(write).Effect)

	require.NoError(t, r.Rollback(closed))
	require.NoError(t, r.Reload(), "the folder is as it was")
	assert.Equal(t, policy.Deny, r.Decide(write).Effect)
	assert.True(t, r.Status().Pinned)

	again := open(t, cfg)
	assert.Equal(t, policy.Deny, again.Decide(write).Effect, "over a restart too")
	assert.True(t, again.Status().Pinned)

	place(t, cfg.Dir, "team.yaml", openText+"# touched\n")
	require.NoError(t, r.Reload())
	assert.Equal(t, policy.Allow, r.Decide(write).Effect)
	assert.False(t, open(t, cfg).Status().Pinned)

	for _, bad := range []string{"", "123456789abc", "../../../etc", closed[:6]} {
		assert.ErrorContains(t, r.Rollback(bad), "is not kept")
	}
}

// What is refused after a rollback is refused at every look, not only the first.
func TestABadFolderAfterARollback(t *testing.T) {
	cfg := folders(t)
	place(t, cfg.Dir, "team.yaml", closedText)
	r := open(t, cfg)
	closed := r.Status().Revision
	place(t, cfg.Dir, "team.yaml", openText)
	require.NoError(t, r.Reload())
	require.NoError(t, r.Rollback(closed))
	place(t, cfg.Dir, "team.yaml", "version: 7\n")
	for range 2 {
		require.Error(t, r.Reload())
	}
	assert.Equal(t, closed, r.Status().Revision)
	assert.EqualValues(t, 1, r.Status().Failures)
}

func TestTwentyRevisionsAreKept(t *testing.T) {
	cfg := folders(t)
	r := open(t, cfg)
	for i := range 25 {
		place(t, cfg.Dir, "team.yaml", strings.Replace(openText, "groups:", fmt.Sprintf("limits: {writes_per_minute: %d}\ngroups:", i), 1))
		require.NoError(t, r.Reload())
	}
	kept, err := r.Revisions()
	require.NoError(t, err)
	require.Len(t, kept, 20)
	assert.Equal(t, r.Status().Revision, kept[0].Revision)
	assert.True(t, kept[0].Since.After(kept[19].Since), "in order although the clock stood still")
	require.NoError(t, r.Rollback(kept[19].Revision))
	assert.Equal(t, kept[19].Revision, r.Set().Revision())
}

// TestReloadUnderLoad swaps 10,000 times while callers decide. A decision is
// right when its effect is the one of the revision it names.
func TestReloadUnderLoad(t *testing.T) {
	cfg := folders(t)
	cfg.Keep = ""
	file := filepath.Join(cfg.Dir, "team.yaml")
	want := map[string]policy.Effect{}
	for text, effect := range map[string]policy.Effect{closedText: policy.Deny, openText: policy.Allow} {
		p, err := policy.Parse("team.yaml", []byte(text))
		require.NoError(t, err)
		want[p.Revision()] = effect
	}
	place(t, cfg.Dir, "team.yaml", closedText)
	r := open(t, cfg)

	var decisions, wrong atomic.Int64
	work := make(chan int, swaps) // one item a swap, so that deciding goes on during later swaps
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := range work {
				for range n {
					d := r.Decide(write)
					if effect, known := want[d.Revision]; !known || d.Effect != effect {
						wrong.Add(1)
					}
					decisions.Add(1)
				}
			}
		})
	}
	started := time.Now()
	for i := range swaps {
		text := openText
		if i%2 == 1 {
			text = closedText
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		work <- 200
		require.NoError(t, r.Reload())
	}
	close(work)
	wg.Wait()
	t.Logf("%d swaps, %d decisions, %d wrong, %v", swaps, decisions.Load(), wrong.Load(), time.Since(started))
	assert.EqualValues(t, swaps+1, r.Status().Swaps)
	assert.EqualValues(t, 200*swaps, decisions.Load(), "no call was dropped")
	assert.Zero(t, wrong.Load())
	assert.Zero(t, r.Status().Failures)
}
