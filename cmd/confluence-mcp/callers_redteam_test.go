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
	"confluence-mcp/internal/emulator/planted"
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
	close   func() // it does not answer any more
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
	i.url, i.close = s.URL, s.Close
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
  - name: partners
    profile: read-only
    oidc: {issuer: "${ISSUER2}", audience: "https://mcp.acme.example/mcp", match: {groups: partners}}
  - name: portal
    profile: read-only
    rate: {per_second: 0.01, burst: 3}
    proxy: {addresses: [127.0.0.1], header: X-Portal-User, integration: default, by: email}
  - name: stranger
    profile: read-only
    proxy: {addresses: [192.0.2.7], header: X-Stranger-User, integration: default}
  - name: desk
    profile: read-only
    proxy: {addresses: [127.0.0.1], header: X-Desk-User, integration: default}
`

// serveCallers serves callers of an issuer, and of a second one where there is.
func serveCallers(t *testing.T, i *issuer, site string, second ...*issuer) *product {
	t.Helper()
	p := &product{t: t, dir: t.TempDir(), env: productEnv(site, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["ISSUER"], p.env["ISSUER2"] = i.url, i.url
	for _, other := range second {
		p.env["ISSUER2"] = other.url
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(callersFile), 0o600))
	p.start()
	return p
}

func TestB02_B03_B04_B05_B06_B09_RefusedCallersReachNothing(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	before := len(site.Requests(0))
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
		"B02 unknown crit":             {key: i.signed(i.private, jose.RS256, map[jose.HeaderKey]any{"crit": []string{"x-own"}, "x-own": true}, nil), status: 401},
		"B02 jku, good signature":      {key: i.signed(i.private, jose.RS256, map[jose.HeaderKey]any{"jku": lure.URL}, nil), status: 401},
		"B02 another key":              {key: i.signed(own, jose.RS256, nil, nil), status: 401},
		"B03 audience":                 {key: i.token(map[string]any{"aud": "https://api.atlassian.com"}), status: 401},
		"B03 audience of another app":  {key: i.token(map[string]any{"aud": "https://other.acme.example/mcp"}), status: 401},
		"B03 issuer":                   {key: i.token(map[string]any{"iss": i.url + "/"}), status: 401},
		"B03 expired":                  {key: i.token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), status: 401},
		"B03 no end":                   {key: i.token(map[string]any{"exp": nil}), status: 401},
		"B03 not yet":                  {key: i.token(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), status: 401},
		"B04 an ID token":              {key: i.token(map[string]any{"scope": nil, "nonce": "n"}), status: 401},
		"B05 Atlassian's":              {key: i.token(map[string]any{"iss": "https://auth.atlassian.com", "aud": "api.atlassian.com"}), status: 401},
		"B06 an unknown key":           {key: i.signed(own, jose.RS256, map[jose.HeaderKey]any{"kid": "random-1"}, nil), status: 401},
		"B06 another unknown key":      {key: i.signed(own, jose.RS256, map[jose.HeaderKey]any{"kid": "random-2"}, nil), status: 401},
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
	assert.Len(t, site.Requests(0), before, "nothing reached Confluence")
	assert.Zero(t, lured.Load(), "no address of a token was asked")
	assert.LessOrEqual(t, i.fetches.Load(), int64(2), "once, and once more for all unknown keys")
	for _, secret := range []string{parts[1], parts[2]} {
		assert.NotContains(t, p.errOut.String(), secret, "no part of a token is logged")
	}
	assert.Empty(t, p.audit(), "nothing was decided")
}

// TestB07_WithoutItsIssuerATokenReachesNothing: keys that were never read judge
// nothing.
func TestB07_WithoutItsIssuerATokenReachesNothing(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := serveCallers(t, i, site.URL)
	i.close()
	asksNothing(t, site, "the issuer is down", func() {
		for range 3 {
			got := p.call(i.token(nil), "get_page", map[string]any{"page_id": "1001", "fresh": true})
			assert.Equal(t, http.StatusUnauthorized, got.status, got.body)
		}
	})
	assert.Empty(t, p.audit(), "nothing was decided")
}

func TestB10_B11_WhoATokenStandsFor(t *testing.T) {
	site, i, second := emulatortest.Start(t, siteWith(botToken)), newIssuer(t), newIssuer(t)
	p := serveCallers(t, i, site.URL, second)
	// Without synced rights nobody but the connecting account sees the copy, so
	// a page of its space tells it from everybody else.
	mayRead := func(key string, header map[string]string) bool {
		t.Helper()
		h := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "confluence_get_page"}
		for k, v := range header {
			h[k] = v
		}
		got := p.send(http.MethodPost, "/mcp", key, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+statelessMeta+`,"name":"confluence_get_page","arguments":{"page_id":"1001"}}}`, h)
		return !got.tool(t).IsError
	}
	require.True(t, mayRead(i.token(nil), nil), "the account of the address")
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
		"an address in the claim":         with(map[string]any{"atlassian_account_id": "bot@acme.test"}),
		"an address in capitals":          with(map[string]any{"atlassian_account_id": "Bot@Acme.test"}),
	} {
		t.Run(name+" is public", func(t *testing.T) {
			asksNothing(t, site, name, func() { assert.False(t, mayRead(i.token(claims), nil)) })
		})
	}
	t.Run("B11 the same subject of another issuer", func(t *testing.T) {
		asksNothing(t, site, "another issuer", func() {
			assert.False(t, mayRead(second.token(map[string]any{"groups": "partners"}), nil), "it has no account")
			assert.Equal(t, http.StatusForbidden, p.rpc(second.token(nil), "tools/list", "", "").status, "nor the first one's agents")
			assert.Equal(t, http.StatusUnauthorized, p.rpc(second.token(map[string]any{"iss": i.url}), "tools/list", "", "").status, "nor its name")
		})
	})
	t.Run("B10 the address went to somebody else", func(t *testing.T) {
		asksNothing(t, site, "a new owner of the address", func() { assert.False(t, mayRead(i.token(map[string]any{"sub": "s-new"}), nil)) })
		assert.True(t, mayRead(i.token(nil), nil))
		assert.Contains(t, p.errOut.String(), "belongs to somebody else than before")
	})
	t.Run("the account of the claim", func(t *testing.T) {
		assert.True(t, mayRead(i.token(with(map[string]any{"atlassian_account_id": "u-bot"})), nil))
	})
	t.Run("an account whose credential is not here", func(t *testing.T) {
		assert.False(t, mayRead(i.token(with(map[string]any{"atlassian_account_id": "u-ann"})), nil))
	})
	t.Run("whom the proxy names", func(t *testing.T) {
		assert.True(t, mayRead("", map[string]string{"X-Portal-User": "bot@acme.test"}))
		assert.False(t, mayRead("", map[string]string{"X-Portal-User": "nobody@acme.test"}))
		assert.False(t, mayRead("", map[string]string{"X-Portal-User": "Bot@acme.test"}))
		over := p.send(http.MethodPost, "/mcp", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+statelessMeta+`}}`,
			map[string]string{"X-Portal-User": "other@acme.test", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"})
		assert.Equal(t, http.StatusTooManyRequests, over.status, "the agent's own rate")
		assert.NotEmpty(t, over.header.Get("Retry-After"))
	})
	t.Run("whom a proxy names by account", func(t *testing.T) {
		assert.True(t, mayRead("", map[string]string{"X-Desk-User": "u-bot"}))
		assert.False(t, mayRead("", map[string]string{"X-Desk-User": "bot@acme.test"}), "an address is no account id")
		assert.False(t, mayRead("", map[string]string{"X-Desk-User": "BOT@acme.test"}))
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
		assert.Equal(t, map[string]bool{"staff oidc": true, "guests oidc": true, "partners oidc": true, "portal proxy": true, "desk proxy": true, "stranger proxy": false}, heard)
		out, _, _ = p.command("agents", "people")
		assert.Contains(t, out, "s-bot")
		assert.NotContains(t, out, "s-new")
	})
	people, sameSubject := map[string]bool{}, map[string]bool{}
	for _, line := range p.audit() {
		people[line.Entry.Principal] = true
		if strings.HasSuffix(line.Entry.Principal, "s-bot") {
			sameSubject[line.Entry.Principal[strings.LastIndex(line.Entry.Principal, "|"):]] = true
		}
	}
	assert.Len(t, sameSubject, 2, "B11: one subject of two issuers is two people: %v", sameSubject)
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

// TestB10_C01_PeopleReadTheMirrorAsThemselves: whoever a token names sees of
// the copy what that account may see, and not a page more.
func TestB10_C01_PeopleReadTheMirrorAsThemselves(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := &product{t: t, dir: t.TempDir(), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["ISSUER"], p.env["ISSUER2"] = i.url, i.url
	file := strings.Replace(callersFile, `token: "${BOT_TOKEN}"`, `token: "${BOT_TOKEN}", enableAccessRightsSync: true`, 1)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(file), 0o600))
	p.start()
	named := func(who string, changed map[string]any) string {
		claims := map[string]any{"sub": "s-" + who, "email": who + "@acme.test"}
		for k, v := range changed {
			claims[k] = v
		}
		return i.token(claims)
	}
	pages := []string{"1001", "1002", "1003", "1005", "2000", "3001", "3002"}
	sees := func(token string) (seen []string) {
		for _, id := range pages {
			if a := p.call(token, "get_page", map[string]any{"page_id": id}).tool(t); !a.IsError {
				seen = append(seen, id)
			}
		}
		return seen
	}
	ann := []string{"1001", "1002", "1005", "3001", "3002"}
	eventually(t, func() bool { return len(sees(named("ann", nil))) == len(ann) }, "the copy is complete")
	public := []string{"3001"}
	for name, c := range map[string]struct {
		token string
		want  []string
	}{
		"ann":                    {named("ann", nil), ann},
		"bob":                    {named("bob", nil), []string{"1001", "1005", "2000", "3001"}},
		"cid":                    {named("cid", nil), []string{"1001", "1002", "1003", "1005", "3001", "3002"}},
		"ann by her account id":  {i.token(map[string]any{"sub": "s-x", "groups": "guests", "atlassian_account_id": "u-ann"}), ann},
		"not verified":           {named("ann", map[string]any{"email_verified": false}), public},
		"upper case":             {named("ann", map[string]any{"email": "ANN@acme.test"}), public},
		"another has her e-mail": {named("ann", map[string]any{"sub": "s-thief"}), public},
		"deactivated":            {named("eve", nil), public},
		"nobody":                 {named("zoe", nil), public},
		"a user name":            {named("x", map[string]any{"email": "ann"}), public},
		"an account of nobody":   {i.token(map[string]any{"sub": "s-y", "groups": "guests", "atlassian_account_id": "u-none"}), public},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, sees(c.token)) })
	}
	for _, r := range site.Requests(0) {
		assert.Contains(t, []string{"u-bot", ""}, r.User, "%s %s", r.Method, r.Path)
	}
}

// TestH02_H08_PeopleWhoShareAnAgentDecideForThemselves: the agent is the same,
// the person is not: nobody sees another's request, nor decides on their own
// under another agent or another account.
func TestH02_H08_PeopleWhoShareAnAgentDecideForThemselves(t *testing.T) {
	site, i := emulatortest.Start(t, siteWith(botToken)), newIssuer(t)
	p := &product{t: t, dir: productFolder(t, carefulProfile), env: productEnv(site.URL, botToken), out: &planted.Log{}, errOut: &planted.Log{}}
	p.env["ISSUER"] = i.url
	more := `  - name: editors
    profile: careful
    oidc: {issuer: "${ISSUER}", audience: "https://mcp.acme.example/mcp", match: {groups: staff}, account: {integration: default, email: true}}
  - name: leads
    profile: read-only
    approver: true
    oidc: {issuer: "${ISSUER}", audience: "https://mcp.acme.example/mcp", match: {groups: leads}}
`
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(productFile+more), 0o600))
	p.start()
	editor, other := i.token(nil), i.token(map[string]any{"sub": "s-other", "email": nil})
	lead, self := i.token(map[string]any{"sub": "s-lead", "groups": "leads"}), i.token(map[string]any{"groups": "leads"})
	a := p.call(editor, "update_page", map[string]any{"page_id": "1001", "base_version": 3, "title": "New name"}).tool(t)
	require.Equal(t, "approval.required", a.Kind, a.Text)
	id, _ := a.Structured["error"].(map[string]any)["approval_id"].(string)
	path := "/api/approvals/" + id

	_, out := p.api(other, "GET", "/api/approvals", "")
	assert.Empty(t, out["approvals"], "the same agent, another person")
	for method, at := range map[string]string{"GET": path, "POST": path + "/cancel"} {
		status, _ := p.api(other, method, at, "{}")
		assert.Equal(t, http.StatusNotFound, status, at)
	}
	assert.True(t, p.call(other, "get_approval", map[string]any{"approval_id": id}).tool(t).IsError)
	_, out = p.api(editor, "GET", "/api/approvals", "")
	assert.Len(t, out["approvals"], 1, "who asked sees it")

	_, out = p.api(self, "GET", path, "")
	view, _ := out["view"].(string)
	status, out := p.api(self, "POST", path+"/approve", `{"view":"`+view+`"}`)
	assert.Equal(t, http.StatusForbidden, status)
	assert.Equal(t, "approval.self", codeOf(out), "another agent, the same person")
	status, out = p.api(lead, "POST", path+"/approve", `{"view":"`+view+`"}`)
	assert.Equal(t, http.StatusConflict, status, "what one lead looked at, another did not")
	assert.Equal(t, "approval.view", codeOf(out))
	assert.Zero(t, writes(site))
	_, out = p.api(lead, "GET", path, "")
	view, _ = out["view"].(string)
	status, out = p.api(lead, "POST", path+"/approve", `{"view":"`+view+`"}`)
	assert.Equal(t, http.StatusOK, status, out)
	assert.Equal(t, "executed", out["state"], out)
	assert.Equal(t, 1, writes(site))
}
