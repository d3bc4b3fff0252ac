package config_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

func source(file string, env map[string]string, files map[string]string) config.Source {
	disk := fstest.MapFS{}
	for name, text := range files {
		disk[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return config.Source{File: file, HomeData: "/home/data",
		Getenv:   func(k string) string { return env[k] },
		ReadFile: func(p string) ([]byte, error) { return fs.ReadFile(disk, p) }}
}

const whole = `data_dir: ./data
listen: 127.0.0.1:9000
oauth:
  client_id: ${ID}
  client_secret: ${SECRET}
  redirect_url: http://127.0.0.1:9000/oauth/callback
integrations:
  - name: acme
    baseUrl: https://acme.atlassian.net/wiki
    username: bot@acme.example
    token: file:token.txt
    spaces: [ENG, OPS]
    enableAccessRightsSync: true
agents:
  - name: helpdesk
    key: ${KEY}
    profile: documentation-manager
    act_for_users: true
  - name: ops
    key_hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
    profile: read-only
    identity: {integration: acme, user: u-1}
    admin: true
    notify: {url: "https://hooks.example/a", secret: "${KEY}"}
approvals: {self_confirm: true, expires: 48h, taint: 30m}
profiles_dir: ./policies
sync: {interval: 5m, full_interval: 12h, blog_posts: false}
http: {allowed_origins: ["https://app.example"], allowed_hosts: [mcp.example]}
`

func TestWholeFile(t *testing.T) {
	env := map[string]string{"ID": "app", "SECRET": "s3", "KEY": "k-1", "READ_ONLY_MODE": "true", "CONFLUENCE_URL": "ignored, the file has integrations"}
	c, err := config.Load(source("etc/c.yaml", env, map[string]string{"etc/c.yaml": whole, "etc/token.txt": "tok\n"}))
	require.NoError(t, err)
	assert.Equal(t, "etc/data", c.DataDir)
	assert.Equal(t, "etc/policies", c.ProfilesDir)
	assert.Equal(t, config.Sync{Interval: 5 * time.Minute, FullInterval: 12 * time.Hour}, c.Sync)
	assert.Equal(t, "app", c.OAuth.ClientID)
	assert.Equal(t, "https://auth.atlassian.com", c.OAuth.AuthURL)
	require.Len(t, c.Integrations, 1)
	assert.Equal(t, "tok", c.Integrations[0].Token.Reveal())
	assert.Equal(t, []string{"ENG", "OPS"}, c.Integrations[0].Spaces)
	require.Len(t, c.Agents, 2)
	assert.Equal(t, "k-1", c.Agents[0].Key.Reveal())
	assert.Equal(t, "u-1", c.Agents[1].User)
	assert.Equal(t, "https://hooks.example/a", c.Agents[1].Notify.URL)
	assert.Equal(t, "k-1", c.Agents[1].Notify.Secret.Reveal())
	assert.True(t, c.SelfConfirm)
	assert.Equal(t, 48*time.Hour, c.ApprovalLife)
	assert.Equal(t, 30*time.Minute, c.Taint)
	assert.True(t, c.ReadOnly)
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        map[string]string
		want       string
	}{
		{"unknown key", "data_dirr: x\n", nil, "c.yaml:1:1: unknown key"},
		{"secret in clear", "integrations:\n  - {name: a, baseUrl: https://x, token: plain}\n", nil, "c.yaml:2:42: integrations.0.token: the value does not have the form"},
		{"unset variable", "integrations:\n  - {name: a, baseUrl: https://x, token: \"${NOPE}\"}\n", nil, "NOPE is empty or not set"},
		{"missing secret file", "integrations:\n  - {name: a, baseUrl: https://x, token: \"file:gone\"}\n", nil, "secret file gone"},
		{"agent without profile", "agents:\n  - {name: a, key: \"${K}\"}\n", map[string]string{"K": "k"}, "missing property 'profile'"},
		{"agent without key", "agents:\n  - {name: a, profile: read-only}\n", nil, "exactly one of key, key_hash, oidc and proxy"},
		{"agent called as this machine", "agents:\n  - {name: local, profile: read-only, key: \"${K}\"}\n", map[string]string{"K": "k"}, "stands for this machine's command line"},
		{"a name like an id", "integrations:\n  - {name: a, baseUrl: https://x}\n  - {name: \"2\", baseUrl: https://y}\n", nil, "c.yaml:3:12: integrations.1.name: the value does not have the form ^([A-Za-z]|[0-9]+[A-Za-z._-])[A-Za-z0-9._-]*$ (letters, digits and . _ - after a letter or digit; not digits alone, which are read as the id of an integration)"},
		{"a long name like an id", "integrations:\n  - {name: \"0042\", baseUrl: https://y}\n", nil, "not digits alone"},
		{"a name too long", "integrations:\n  - {name: " + strings.Repeat("a", 64) + ", baseUrl: https://y}\n", nil, "maxLength: got 64, want 63"},
		{"two names", "integrations:\n  - {name: a, baseUrl: https://x}\n  - {name: a, baseUrl: https://y}\n", nil, "used twice"},
		{"both identities", "agents:\n  - {name: a, profile: p, key: \"${K}\", act_for_users: true, identity: {integration: i, user: u}}\n", map[string]string{"K": "k"}, "exclude each other"},
		{"hook in the open", "agents:\n  - {name: a, profile: p, key: \"${K}\", notify: {url: \"http://hooks.example\", secret: \"${K}\"}}\n", map[string]string{"K": "k"}, "must be https"},
		{"hook with a name in it", "agents:\n  - {name: a, profile: p, key: \"${K}\", notify: {url: \"https://u:p@hooks.example\", secret: \"${K}\"}}\n", map[string]string{"K": "k"}, "user name"},
		{"hook without secret", "agents:\n  - {name: a, profile: p, key: \"${K}\", notify: {url: \"https://hooks.example\"}}\n", map[string]string{"K": "k"}, "missing property 'secret'"},
		{"approvals for ever", "approvals: {expires: 1000h}\n", nil, "to 168h"},
		{"short interval", "sync: {interval: 5s}\n", nil, "at least a minute"},
		{"an unknown policy for folders", ofRights("opaqueAncestors: open"), nil, "c.yaml:2:82: integrations.0.opaqueAncestors: value must be one of 'seal', 'trust', 'verify'"},
		{"a policy for folders in capitals", ofRights("opaqueAncestors: Trust"), nil, "integrations.0.opaqueAncestors"},
		{"a super group by name", ofRights("honourSuperGroup: confluence-administrators"), nil, "integrations.0.honourSuperGroup: got string, want boolean"},
		{"an age in days", ofRights("aclMaxAge: 1d"), nil, "integrations.0.aclMaxAge"},
		{"an age of nothing", ofRights("aclMaxAge: 0s"), nil, "aclMaxAge: \"0s\" is not a duration from a minute to 2160h"},
		{"rights for ever", ofRights("aclHardMaxAge: 2161h"), nil, "aclHardMaxAge: \"2161h\" is not a duration from a minute to 2160h"},
		{"hidden before it is marked", ofRights("aclMaxAge: 48h, aclHardMaxAge: 24h"), nil, "aclMaxAge is longer than aclHardMaxAge"},
		{"hidden by the default before it is marked", ofRights("aclMaxAge: 169h"), nil, "aclMaxAge is longer than aclHardMaxAge"},
		{"hidden between two passes", ofRights("aclMaxAge: 5m, aclHardMaxAge: 15m"), nil, "not longer than the time between two passes (sync.interval, 15m0s)"},
		{"a setting that is spelt otherwise", ofRights("acl_max_age: 24h"), nil, "unknown key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Load(source("c.yaml", c.env, map[string]string{"c.yaml": c.file}))
			require.Error(t, err)
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
			assert.Contains(t, err.Error(), c.want)
			assert.NotContains(t, err.Error(), "plain", "a secret in clear must not be repeated")
		})
	}
	_, err := config.Load(source("nowhere.yaml", nil, nil))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(err))
}

// ofRights is a file with settings about synced rights.
func ofRights(settings string) string {
	return "integrations:\n  - {name: a, baseUrl: https://x, enableAccessRightsSync: true, " + settings + "}\n"
}

func TestSettingsOfSyncedRights(t *testing.T) {
	for settings, want := range map[string]config.Integration{
		"spaces: [A]": {OpaqueAncestors: "seal", ACLMaxAge: "24h", ACLHardMaxAge: "168h"},
		"opaqueAncestors: verify, honourSuperGroup: true, aclMaxAge: 90m, aclHardMaxAge: 2160h": {OpaqueAncestors: "verify", HonourSuperGroup: true, ACLMaxAge: "90m", ACLHardMaxAge: "2160h"},
		"opaqueAncestors: trust, honourSuperGroup: false, aclHardMaxAge: 24h":                   {OpaqueAncestors: "trust", ACLMaxAge: "24h", ACLHardMaxAge: "24h"},
	} {
		c, err := config.Load(source("c.yaml", nil, map[string]string{"c.yaml": ofRights(settings)}))
		require.NoError(t, err)
		got := c.Integrations[0]
		assert.Equal(t, want, config.Integration{OpaqueAncestors: got.OpaqueAncestors, HonourSuperGroup: got.HonourSuperGroup, ACLMaxAge: got.ACLMaxAge, ACLHardMaxAge: got.ACLHardMaxAge}, settings)
	}
}

// TestNamesBesideIds: a name may begin with digits, an agent may be called by
// them, and may refer to an integration by its id.
func TestNamesBesideIds(t *testing.T) {
	file := "integrations:\n  - {name: 2nd, baseUrl: https://x}\n  - {name: \"1.0\", baseUrl: https://y}\n  - {name: " + strings.Repeat("a", 63) +
		", baseUrl: https://z}\nagents:\n  - {name: \"7\", profile: p, key: \"${K}\", identity: {integration: \"2\", user: u}}\n"
	c, err := config.Load(source("c.yaml", map[string]string{"K": "k"}, map[string]string{"c.yaml": file}))
	require.NoError(t, err)
	assert.Equal(t, "2nd", c.Integrations[0].Name)
	assert.Equal(t, "1.0", c.Integrations[1].Name)
	assert.Equal(t, "2", c.Agents[0].Integration)
}

func TestEnvironment(t *testing.T) {
	cloud := map[string]string{"CONFLUENCE_URL": "https://a.example/wiki", "CONFLUENCE_USERNAME": "me@a.example", "CONFLUENCE_API_TOKEN": "t", "CONFLUENCE_SPACES_FILTER": "ENG, OPS"}
	c, err := config.Load(source("", cloud, nil))
	require.NoError(t, err)
	require.Len(t, c.Integrations, 1)
	assert.Equal(t, "default", c.Integrations[0].Name)
	assert.Equal(t, []string{"ENG", "OPS"}, c.Integrations[0].Spaces)
	assert.Equal(t, "/home/data", c.DataDir)
	assert.False(t, c.ReadOnly)

	for name, env := range map[string]map[string]string{
		"no token":         {"CONFLUENCE_URL": "https://a.example"},
		"no username":      {"CONFLUENCE_URL": "https://a.example", "CONFLUENCE_API_TOKEN": "t"},
		"unclear readonly": {"READ_ONLY_MODE": "ture"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(source("", env, nil))
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
		})
	}
}
