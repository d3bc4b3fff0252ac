package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// Callers with tokens of an issuer and callers a proxy names, through the whole
// product: what they are refused never reaches Confluence, and what they are
// given goes there as the account they are.

const tokenAudience = "https://mcp.acme.example/mcp"

// issuer is an identity provider on loopback.
type issuer struct {
	t       *testing.T
	url     string
	private *rsa.PrivateKey
	fetches atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{t: t, private: private}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			i.fetches.Add(1)
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "one", Algorithm: "RS256"}}})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	}))
	t.Cleanup(s.Close)
	i.url = s.URL
	return i
}

func (i *issuer) token(changed map[string]any) string {
	return i.signed(i.private, jose.RS256, nil, changed)
}

func (i *issuer) signed(key any, algorithm jose.SignatureAlgorithm, header map[jose.HeaderKey]any, changed map[string]any) string {
	i.t.Helper()
	claims := map[string]any{"iss": i.url, "sub": "s-bot", "aud": tokenAudience, "scope": "confluence", "groups": []string{"staff"},
		"exp": time.Now().Add(time.Minute).Unix(), "email": "bot@acme.test", "email_verified": true}
	for name, v := range changed {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	payload, err := json.Marshal(claims)
	require.NoError(i.t, err)
	o := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "one")
	for name, v := range header {
		o = o.WithHeader(name, v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, o)
	require.NoError(i.t, err)
	jws, err := signer.Sign(payload)
	require.NoError(i.t, err)
	raw, err := jws.CompactSerialize()
	require.NoError(i.t, err)
	return raw
}

const callersFile = `data_dir: ./data
integrations:
  - {name: default, baseUrl: "${SITE}", username: bot@acme.test, token: "${BOT_TOKEN}"}
agents:
  - name: staff
    profile: read-only
    oidc: {issuer: "${ISSUER}", audience: "https://mcp.acme.example/mcp", match: {groups: staff}, scopes: [confluence], account: {integration: default, email: true}}
  - name: guests
    profile: read-only
    oidc: {issuer: "${ISSUER}", audience: "https://mcp.acme.example/mcp", match: {groups: guests}, account: {integration: default, claim: atlassian_account_id}}
  - name: portal
    profile: read-only
    rate: {per_second: 0.01, burst: 3}
    proxy: {addresses: [127.0.0.1], header: X-Portal-User, integration: default, by: email}
  - name: stranger
    profile: read-only
    proxy: {addresses: [192.0.2.7], header: X-Stranger-User, integration: default}
`

func serveCallers(t *testing.T, i *issuer, site string) *product {
	t.Helper()
	p := &product{t: t, dir: t.TempDir(), env: productEnv(site, botToken), out: &safeBuffer{}, errOut: &safeBuffer{}}
	p.env["ISSUER"] = i.url
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(callersFile), 0o600))
	p.start()
	return p
}

func TestB02_B03_B04_B05_B09_RefusedCallersReachNothing(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	var lured atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Add(1) }))
	t.Cleanup(lure.Close)
	public, err := x509.MarshalPKIXPublicKey(i.private.Public())
	require.NoError(t, err)
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	parts := strings.Split(i.token(nil), ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))

	for name, c := range map[string]struct {
		key    string
		header map[string]string
		status int
	}{
		"B02 none":                     {key: none + "." + parts[1] + ".", status: 401},
		"B02 HS256":                    {key: i.signed(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), jose.HS256, nil, nil), status: 401},
		"B02 jku":                      {key: i.signed(own, jose.RS256, map[jose.HeaderKey]any{"jku": lure.URL}, nil), status: 401},
		"B02 x5u":                      {key: i.signed(own, jose.RS256, map[jose.HeaderKey]any{"x5u": lure.URL}, nil), status: 401},
		"B02 another key":              {key: i.signed(own, jose.RS256, nil, nil), status: 401},
		"B03 audience":                 {key: i.token(map[string]any{"aud": "https://api.atlassian.com"}), status: 401},
		"B03 issuer":                   {key: i.token(map[string]any{"iss": i.url + "/"}), status: 401},
		"B03 expired":                  {key: i.token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), status: 401},
		"B03 no end":                   {key: i.token(map[string]any{"exp": nil}), status: 401},
		"B03 not yet":                  {key: i.token(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), status: 401},
		"B04 an ID token":              {key: i.token(map[string]any{"scope": nil, "nonce": "n"}), status: 401},
		"B05 Atlassian's":              {key: i.token(map[string]any{"iss": "https://auth.atlassian.com", "aud": "api.atlassian.com"}), status: 401},
		"no scope":                     {key: i.token(map[string]any{"scope": "openid"}), status: 403},
		"no agent":                     {key: i.token(map[string]any{"groups": []string{"others"}}), status: 403},
		"B09 another peer":             {header: map[string]string{"X-Stranger-User": "u-bot"}, status: 401},
		"B09 another peer, forwarded":  {header: map[string]string{"X-Stranger-User": "u-bot", "X-Forwarded-For": "192.0.2.7"}, status: 401},
		"B09 beside a token":           {key: i.token(nil), header: map[string]string{"X-Portal-User": "bot@acme.test"}, status: 401},
		"B09 two of them":              {header: map[string]string{"X-Portal-User": "bot@acme.test", "X-Stranger-User": "u-bot"}, status: 401},
		"B09 names another user":       {header: map[string]string{"X-Portal-User": "nobody", "X-Access-User": "u-ann"}, status: 403},
		"a token names another user":   {key: i.token(map[string]any{"email": nil}), header: map[string]string{"X-Access-User": "u-ann"}, status: 403},
		"a header nobody configured":   {header: map[string]string{"X-Forwarded-User": "bot@acme.test"}, status: 401},
		"a key the file does not have": {key: annKey, status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page"}
			for k, v := range c.header {
				h[k] = v
			}
			got := p.send(http.MethodPost, "/mcp", c.key, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+statelessMeta+`,"name":"confluence_get_page","arguments":{"page_id":"1001"}}}`, h)
			assert.Equal(t, c.status, got.status, got.body)
			if c.status == 401 {
				assert.Contains(t, got.header.Get("WWW-Authenticate"), `scope="confluence"`)
			}
		})
	}
	assert.Empty(t, site.Requests(0), "nothing reached Confluence")
	assert.Zero(t, lured.Load(), "no address of a token was asked")
	assert.LessOrEqual(t, i.fetches.Load(), int64(1))
	for _, secret := range []string{parts[1], parts[2]} {
		assert.NotContains(t, p.errOut.String(), secret, "no part of a token is logged")
	}
	assert.Empty(t, p.audit(), "nothing was decided")
}

func TestB10_B11_WhoATokenStandsFor(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	askedAs := func(key string, header map[string]string) []string {
		t.Helper()
		before := site.Requests(0)
		h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page"}
		for k, v := range header {
			h[k] = v
		}
		got := p.send(http.MethodPost, "/mcp", key, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+statelessMeta+`,"name":"confluence_get_page","arguments":{"page_id":"1001"}}}`, h)
		require.Equal(t, http.StatusOK, got.status, got.body)
		users := []string{}
		for _, r := range site.Requests(0)[len(before):] {
			if r.Path != "/wiki/rest/api/user/current" { // who the connecting account is
				users = append(users, r.User)
			}
		}
		return users
	}
	only := func(user string, users []string) {
		t.Helper()
		for _, u := range users {
			assert.Equal(t, user, u)
		}
	}
	guest := map[string]any{"groups": "guests", "sub": "s-guest", "atlassian_account_id": nil}
	with := func(more map[string]any) map[string]any {
		out := map[string]any{}
		for _, m := range []map[string]any{guest, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	for name, claims := range map[string]map[string]any{
		"B10 not verified":                {"email_verified": false},
		"B10 upper case":                  {"email": "Bot@acme.test"},
		"B10 homoglyph":                   {"email": "b\u043et@acme.test"},
		"B10 of nobody":                   {"email": "nobody@acme.test", "sub": "s-nobody"},
		"no claim":                        guest,
		"the claim is no text":            with(map[string]any{"atlassian_account_id": []string{"u-bot"}}),
		"a subject that looks like it":    with(map[string]any{"sub": "u-bot"}),
		"the e-mail of the account, only": with(map[string]any{"email": "bot@acme.test"}),
	} {
		t.Run(name+" is public", func(t *testing.T) {
			only("", askedAs(i.token(claims), nil))
		})
	}
	t.Run("the account of the address", func(t *testing.T) {
		got := askedAs(i.token(nil), nil)
		require.NotEmpty(t, got)
		only("u-bot", got)
	})
	t.Run("B10 the address went to somebody else", func(t *testing.T) {
		only("", askedAs(i.token(map[string]any{"sub": "s-new"}), nil))
		only("u-bot", askedAs(i.token(nil), nil))
		assert.Contains(t, p.errOut.String(), "belongs to somebody else than before")
	})
	t.Run("the account of the claim", func(t *testing.T) {
		got := askedAs(i.token(with(map[string]any{"atlassian_account_id": "u-bot"})), nil)
		require.NotEmpty(t, got)
		only("u-bot", got)
	})
	t.Run("an account whose credential is not here", func(t *testing.T) {
		only("", askedAs(i.token(with(map[string]any{"atlassian_account_id": "u-ann"})), nil))
	})
	t.Run("whom the proxy names", func(t *testing.T) {
		got := askedAs("", map[string]string{"X-Portal-User": "bot@acme.test"})
		require.NotEmpty(t, got)
		only("u-bot", got)
		only("", askedAs("", map[string]string{"X-Portal-User": "nobody@acme.test"}))
		only("", askedAs("", map[string]string{"X-Portal-User": "Bot@acme.test"}))
		over := p.send(http.MethodPost, "/mcp", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+statelessMeta+`}}`,
			map[string]string{"X-Portal-User": "other@acme.test", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"})
		assert.Equal(t, http.StatusTooManyRequests, over.status, "the agent's own rate")
		assert.NotEmpty(t, over.header.Get("Retry-After"))
	})
	t.Run("agents are shown with when they were heard", func(t *testing.T) {
		out, errOut, code := p.command("agents", "list", "--json")
		require.Zero(t, code, errOut)
		var list struct {
			Agents []struct {
				Name, Known, Used string
				KnownBy           string `json:"known_by"`
				LastUsed          string `json:"last_used"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		heard := map[string]bool{}
		for _, a := range list.Agents {
			heard[a.Name+" "+a.KnownBy] = a.LastUsed != ""
		}
		assert.Equal(t, map[string]bool{"staff oidc": true, "guests oidc": true, "portal proxy": true, "stranger proxy": false}, heard)
		out, _, _ = p.command("agents", "people")
		assert.Contains(t, out, "s-bot")
		assert.NotContains(t, out, "s-new")
	})
	people := map[string]bool{}
	for _, line := range p.audit() {
		people[line.Entry.Principal] = true
	}
	assert.GreaterOrEqual(t, len(people), 6, "the log tells the people of one agent apart: %v", people)
}

// TestMetadataOfTheProduct: where a client learns whom to ask for a token.
func TestMetadataOfTheProduct(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	got := p.send(http.MethodGet, "/.well-known/oauth-protected-resource/mcp", "", "", nil)
	assert.JSONEq(t, `{"resource":"`+p.url+`/mcp","resource_name":"Confluence MCP server","bearer_methods_supported":["header"],
		"authorization_servers":["`+i.url+`"],"scopes_supported":["confluence"]}`, got.body)
}

// TestAgentsHaveOneName: a key in the data folder must not take the name of an
// agent of the configuration.
func TestAgentsHaveOneName(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	_, errOut, code := p.command("agents", "add", "staff", "--profile", "read-only")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "both have an agent of this name")
	out, errOut, code := p.command("agents", "add", "slow", "--profile", "read-only", "--rate", "0.001", "--burst", "2", "--expires", "1h", "--json")
	require.Zero(t, code, errOut)
	var made struct{ Key string }
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	statuses := []int{}
	for range 3 {
		statuses = append(statuses, p.rpc(made.Key, "tools/list", "", "").status)
	}
	assert.Equal(t, []int{200, 200, 429}, statuses)
}
