package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// TestK02_ShownConfigurationHasNoSecrets: every secret the file can name is
// shown as set, and none as it is.
func TestK02_ShownConfigurationHasNoSecrets(t *testing.T) {
	p := &product{t: t, dir: productFolder(t), env: productEnv("https://acme.atlassian.net/wiki", botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	const hookSecret, digest = "canary-hook-3c1f", "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
	p.env["HOOK_SECRET"] = hookSecret
	file := filepath.Join(p.dir, "c.yaml")
	text := productFile + `  - {name: hooked, key_hash: "sha256:` + digest + `", profile: read-only, notify: {url: "https://hooks.example/a", secret: "${HOOK_SECRET}"}}
  - {name: staff, profile: read-only, rate: {per_second: 2}, oidc: {issuer: "https://id.example", audience: mcp, match: {groups: staff}}}
  - {name: portal, profile: read-only, proxy: {addresses: [10.0.0.5], header: X-Portal-User, integration: default}}
`
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, errOut, code := p.command("config", "show")
	require.Zero(t, code, errOut)
	for _, secret := range []string{annKey, bobKey, opsKey, appSecret, botToken, hookSecret, digest} {
		assert.NotContains(t, out+errOut, secret)
	}
	for _, want := range []string{"client_secret: (set)", "token: (set)", "key: (set)", "key: (not set)", "key_hash: (set)", "secret: (set)",
		"base_url: https://acme.atlassian.net/wiki", "issuer: https://id.example", "groups: staff", "- 10.0.0.5/32", "rate: 2", "approval_life: 0s"} {
		assert.Contains(t, out, want)
	}
	assert.Equal(t, 6, strings.Count(out, "profile: "))
}

// TestConfigCheckJudgesCallers: what serve would refuse, config check finds.
func TestConfigCheckJudgesCallers(t *testing.T) {
	for name, agent := range map[string]string{
		"an issuer over http":  `oidc: {issuer: "http://id.example", audience: mcp}`,
		"Atlassian as issuer":  `oidc: {issuer: "https://auth.atlassian.com", audience: mcp}`,
		"a proxy of everybody": `proxy: {addresses: [0.0.0.0/0], header: X-Portal-User, integration: default}`,
		"a header of others":   `proxy: {addresses: [10.0.0.5], header: X-Forwarded-For, integration: default}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := &product{t: t, dir: productFolder(t), env: productEnv("https://acme.atlassian.net/wiki", botToken), out: &planted.Log{}, errOut: &planted.Log{}}
			require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+"  - {name: one, profile: read-only, "+agent+"}\n"), 0o600))
			for _, command := range [][]string{{"config", "check"}, {"serve", "--listen", "127.0.0.1:0"}} {
				_, errOut, code := p.command(command...)
				assert.Equal(t, exitFailed, code)
				assert.Contains(t, errOut, "Correct the agent's oidc or proxy section.")
			}
		})
	}
}

// TestConfigCheckSaysWhatServeDoes: a file that config check passes is served, and
// one that serve refuses is refused by it with the same words.
func TestConfigCheckSaysWhatServeDoes(t *testing.T) {
	for name, c := range map[string]struct{ old, new, profile, says string }{
		"as it is":                   {"", "", narrowTeam, ""},
		"a profile of the folder":    {"profile: full-access", "profile: team", narrowTeam, ""},
		"a profile nobody wrote":     {"profile: full-access", "profile: full-acess", narrowTeam, `agent ann: choose profile: there is no profile "full-acess"`},
		"a folder that is refused":   {"", "", "version: 7\n", "version"},
		"one key for two":            {"${BOB_KEY}", "${ANN_KEY}", narrowTeam, "the agents ann and bob have the same key"},
		"a redirect to another path": {"/oauth/callback", "/callback", narrowTeam, "oauth.redirect_url must end in /oauth/callback"},
		"a redirect in clear":        {"127.0.0.1:1/", "mcp.acme.example/", narrowTeam, "oauth.redirect_url must be https"},
		"another sign-in service":    {"redirect_url:", "auth_url: https://evil.example, redirect_url:", narrowTeam, "oauth.auth_url may only be"},
		"a key provider without key": {"agents:", "seal: {provider: azurekv}\nagents:", narrowTeam, "Azure Key Vault"},
		"an address that is none":    {"agents:", "http: {resource_url: \"https://%zz/mcp\"}\nagents:", narrowTeam, "http.resource_url is no address"},
	} {
		t.Run(name, func(t *testing.T) {
			site := emulatortest.Start(t, siteWith(botToken))
			p := &product{t: t, dir: productFolder(t, c.profile), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
			require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(strings.Replace(productFile, c.old, c.new, 1)), 0o600))
			_, errOut, code := p.command("config", "check")
			assert.NoDirExists(t, filepath.Join(p.dir, "data"), "nothing is made")
			if c.says == "" {
				require.Zero(t, code, errOut)
				p.startEmpty()
				assert.Zero(t, p.stop())
				return
			}
			assert.Equal(t, exitFailed, code)
			assert.Contains(t, errOut, c.says)
			_, errOut, code = p.command("serve", "--listen", "127.0.0.1:0")
			assert.Equal(t, exitFailed, code)
			assert.Contains(t, errOut, c.says)
			assert.Empty(t, site.Requests(0))
		})
	}
}
