package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/server"
)

// issuerKeys knows what an issuer's token may come to.
type issuerKeys struct{ server.Authenticator }

func (k issuerKeys) Authenticate(ctx context.Context, bearer string) (server.Agent, error) {
	switch bearer {
	case "too-few":
		return server.Agent{}, &server.Forbidden{Scopes: []string{"confluence", `wr"ite`}}
	case "nobody":
		return server.Agent{}, &server.Forbidden{}
	}
	return k.Authenticator.Authenticate(ctx, bearer)
}

// TestChallenges holds the answers of the MCP authorisation specification.
func TestChallenges(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		c.ResourceURL = "https://mcp.example.com/mcp"
		c.AuthorizationServers, c.Scopes = []string{"https://login.example.com"}, []string{"confluence"}
		c.Authenticator = issuerKeys{c.Authenticator}
	})
	const where = `resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`
	for name, c := range map[string]struct {
		key, path, method string
		status            int
		kind, challenge   string
	}{
		"nothing given":    {status: 401, kind: "auth.credentials", challenge: "Bearer " + where + `, scope="confluence"`},
		"not accepted":     {key: "eyJ.x.y", status: 401, kind: "auth.credentials", challenge: "Bearer " + where + `, scope="confluence", error="invalid_token"`},
		"scopes missing":   {key: "too-few", status: 403, kind: "auth.scope", challenge: `Bearer error="insufficient_scope", scope="confluence write", ` + where},
		"no agent fits":    {key: "nobody", status: 403, kind: "auth.forbidden"},
		"a stream":         {key: "too-few", method: http.MethodGet, status: 403, kind: "auth.scope", challenge: `Bearer error="insufficient_scope", scope="confluence write", ` + where},
		"another handler":  {path: "/metrics", method: http.MethodGet, status: 401, kind: "auth.credentials", challenge: "Bearer " + where + `, scope="confluence"`},
		"and its stranger": {path: "/metrics", method: http.MethodGet, key: "nobody", status: 403, kind: "auth.forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			a := call(c.key, "confluence_echo", `{}`)
			a.path, a.method = c.path, c.method
			got := r.do(a)
			assert.Equal(t, c.status, got.status)
			assert.Equal(t, c.challenge, got.header.Get("WWW-Authenticate"))
			assert.Equal(t, c.kind, got.kind(t))
			assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		})
	}
	assert.Zero(t, r.catalog.calls(), "none of them went further")
}

func TestMetadataNamesWhatAClientNeeds(t *testing.T) {
	r := serve(t, func(c *server.Config) {
		c.AuthorizationServers, c.Scopes = []string{"https://one.example", "https://two.example"}, []string{"confluence"}
	})
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		got := r.do(ask{path: path, method: http.MethodGet})
		var doc map[string]any
		require.NoError(t, json.Unmarshal([]byte(got.body), &doc))
		assert.Equal(t, map[string]any{
			"resource": r.url + "/mcp", "resource_name": "Confluence MCP server", "bearer_methods_supported": []any{"header"},
			"authorization_servers": []any{"https://one.example", "https://two.example"}, "scopes_supported": []any{"confluence"},
		}, doc)
	}
	assert.Equal(t, http.StatusNotFound, r.do(ask{path: "/.well-known/oauth-protected-resource/other", method: http.MethodGet}).status)
	assert.Equal(t, http.StatusForbidden, r.do(ask{path: "/.well-known/oauth-protected-resource", method: http.MethodGet, header: map[string]string{"Origin": "https://evil.example"}}).status)
}

// TestA11_KeysInTheURL: by whatever name, and beside a good key as well.
func TestA11_KeysInTheURL(t *testing.T) {
	r := serve(t, nil)
	for name, query := range map[string]string{
		"access_token": "access_token=" + annKey, "another name": "q=" + annKey, "as a name": annKey + "=1", "a token": "x=eyJhbGciOiJub25lIn0.e30.",
		"with its scheme": "x=" + url.QueryEscape("Bearer "+annKey), "an empty one": "token=",
		"behind a semicolon": "q=1;access_token=" + annKey, "half an escape": "q=%zz&access_token=x", "an escape in front": "a=%&b=" + annKey,
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"", annKey} {
				a := call(key, "confluence_echo", `{}`)
				a.path = "/mcp?" + query
				got := r.do(a)
				assert.Equal(t, http.StatusUnauthorized, got.status)
				assert.NotContains(t, got.body+got.header.Get("WWW-Authenticate"), "cmk_")
			}
		})
	}
	assert.NotContains(t, r.logs.String(), annKey)
	assert.NotContains(t, r.logs.String(), "eyJ")
	assert.Zero(t, r.catalog.calls())
	a := call(annKey, "confluence_echo", `{}`)
	a.path = "/mcp?trace=1"
	assert.Equal(t, http.StatusOK, r.do(a).status, "other parameters do no harm")
}

// TestB11_PeopleWhoShareAnAgent are told apart everywhere: one's session is not
// the other's, and what they ask is not either.
func TestB11_PeopleWhoShareAnAgent(t *testing.T) {
	r := serve(t, nil)
	person := func(subject string) server.Agent {
		return server.Agent{Name: "staff", Authority: "https://one.example", Subject: "https://one.example|" + subject, Owner: subject, Profile: "read-only"}
	}
	r.keys.keys["eyJ.one"], r.keys.keys["eyJ.two"] = person("s-1"), person("s-2")
	id := r.handshake("eyJ.one")
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	assert.Equal(t, http.StatusNotFound, r.do(ask{key: "eyJ.two", body: list, header: session(id)}).status)
	assert.Equal(t, http.StatusOK, r.do(ask{key: "eyJ.one", body: list, header: session(id)}).status)
	var principals []string
	for _, key := range []string{"eyJ.one", "eyJ.two"} {
		require.Equal(t, http.StatusOK, r.do(call(key, "confluence_echo", `{}`)).status)
		c := r.catalog.lastCaller(t)
		assert.True(t, strings.HasSuffix(c.Subject, c.Owner), c.Subject)
		principals = append(principals, c.Principal())
	}
	assert.NotEqual(t, principals[0], principals[1])
}
