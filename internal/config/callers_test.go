package config_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

func TestCallers(t *testing.T) {
	const file = `agents:
  - name: staff
    profile: read-only
    oidc:
      issuer: ${ISSUER}
      audience: https://mcp.acme.example/mcp
      match: {groups: confluence-users, realm_access.roles: reader}
      scopes: [confluence]
      account: {integration: acme, claim: atlassian_account_id}
  - name: robots
    profile: read-only
    act_for_users: true
    oidc: {issuer: https://id.acme.example, audience: mcp, scopes: [confluence, "api://x/y"]}
  - name: portal
    profile: read-only
    proxy: {addresses: [10.0.0.5, 10.1.0.0/28, "fd00::1"], header: X-Portal-User, integration: acme, by: email}
  - name: slow
    key: ${KEY}
    profile: read-only
    rate: {per_second: 0.5, burst: 3}
http: {resource_url: https://mcp.acme.example/mcp}
`
	c, err := config.Load(source("c.yaml", map[string]string{"ISSUER": "https://id.acme.example", "KEY": "k"}, map[string]string{"c.yaml": file}))
	require.NoError(t, err)
	require.Len(t, c.Agents, 4)
	assert.Equal(t, &config.OIDC{Issuer: "https://id.acme.example", Audience: "https://mcp.acme.example/mcp", Match: map[string]string{"groups": "confluence-users", "realm_access.roles": "reader"},
		Scopes: []string{"confluence"}, Integration: "acme", Claim: "atlassian_account_id"}, c.Agents[0].OIDC)
	assert.True(t, c.Agents[1].ActForUsers)
	assert.Equal(t, &config.Proxy{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("10.1.0.0/28"), netip.MustParsePrefix("fd00::1/128")},
		Header: "X-Portal-User", Integration: "acme", Email: true}, c.Agents[2].Proxy)
	assert.InDelta(t, 0.5, c.Agents[3].Rate, 0)
	assert.Equal(t, 3, c.Agents[3].Burst)
	assert.Equal(t, "https://mcp.acme.example/mcp", c.HTTP.ResourceURL)
	issuers, scopes := c.Issuers()
	assert.Equal(t, []string{"https://id.acme.example"}, issuers)
	assert.Equal(t, []string{"confluence", "api://x/y"}, scopes)
}

func TestCallersThatAreRefused(t *testing.T) {
	const oidc = `oidc: {issuer: https://id.example, audience: mcp`
	for name, c := range map[string]struct{ agent, want string }{
		"a key and a token":      {oidc + `}, key: "${K}"`, "exactly one of"},
		"a token and a proxy":    {oidc + `}, proxy: {addresses: [10.0.0.1], header: X-User, integration: acme}`, "exactly one of"},
		"no audience":            {`oidc: {issuer: https://id.example}`, "missing property 'audience'"},
		"unset variable":         {`oidc: {issuer: "${NOPE}", audience: mcp}`, "NOPE is empty"},
		"account without site":   {oidc + `, account: {claim: sub}}`, "missing property 'integration'"},
		"account without source": {oidc + `, account: {integration: acme}}`, "exactly one of claim and email"},
		"account of two sources": {oidc + `, account: {integration: acme, claim: x, email: true}}`, "exactly one of claim and email"},
		"two identities":         {oidc + `, account: {integration: acme, claim: x}}, act_for_users: true`, "bring their own account"},
		"two fixed identities":   {oidc + `, account: {integration: acme, claim: x}}, identity: {integration: acme, user: u}`, "bring their own account"},
		"an unknown key":         {oidc + `, skip_verify: true}`, "unknown key"},
		"a scope with a quote":   {oidc + `, scopes: ['a"b']}`, "scopes"},
		"a scope with a space":   {oidc + `, scopes: ['a b']}`, "scopes"},
		"a proxy of names":       {`proxy: {addresses: [proxy.example], header: X-User, integration: acme}`, "no address and no network"},
		"a proxy of nobody":      {`proxy: {addresses: [], header: X-User, integration: acme}`, "addresses"},
		"a proxy for admins":     {`proxy: {addresses: [10.0.0.1], header: X-User, integration: acme}, admin: true`, "need a key or oidc"},
		"a proxy for approvers":  {`proxy: {addresses: [10.0.0.1], header: X-User, integration: acme}, approver: true`, "need a key or oidc"},
		"a proxy and a user":     {`proxy: {addresses: [10.0.0.1], header: X-User, integration: acme}, act_for_users: true`, "bring their own account"},
		"two headers":            {`proxy: {addresses: [10.0.0.1], header: "X-A, X-B", integration: acme}`, "header"},
		"no rate":                {`key: "${K}", rate: {per_second: 0}`, "per_second"},
		"burst alone":            {`key: "${K}", rate: {burst: 3}`, "per_second"},
	} {
		t.Run(name, func(t *testing.T) {
			file := "agents:\n  - {name: a, profile: p, " + c.agent + "}\n"
			_, err := config.Load(source("c.yaml", map[string]string{"K": "k"}, map[string]string{"c.yaml": file}))
			require.Error(t, err)
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
			assert.Contains(t, err.Error(), c.want)
		})
	}
}
