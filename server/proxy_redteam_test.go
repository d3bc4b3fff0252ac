package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

const nameHeader = "X-Acme-User"

// portal trusts connections from peers to name people.
func portal(header string, peers ...string) server.Proxy {
	p := server.Proxy{Header: header, Identify: func(_ context.Context, name string) (server.Agent, error) {
		if name == "u-gone" {
			return server.Agent{}, server.ErrUnknownKey
		}
		return server.Agent{Name: "portal", Authority: "proxy", Subject: "proxy|" + name, Owner: name, Profile: "read-only",
			Identity: identity.Caller{Kind: identity.User, Integration: "acme", AccountID: name}}, nil
	}}
	for _, peer := range peers {
		p.Peers = append(p.Peers, netip.MustParsePrefix(peer))
	}
	return p
}

// named is a call with lines of headers, from an address.
func (r *rig) named(from string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	a := call("", "confluence_echo", `{}`)
	req := httptest.NewRequest(http.MethodPost, r.url+"/mcp", strings.NewReader(a.body))
	req.RemoteAddr = from
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range a.header {
		req.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, req)
	return w
}

func TestB09_IdentityHeaderOfAProxy(t *testing.T) {
	const trusted = "10.1.2.3:4711"
	r := serve(t, func(c *server.Config) {
		c.Proxies = []server.Proxy{portal(nameHeader, "10.1.2.0/28", "fd12::7/128"), portal("X-Other-User", "10.1.2.3/32")}
	})
	for name, c := range map[string]struct {
		from    string
		headers []string
	}{
		"another peer":              {"10.1.3.3:1", []string{nameHeader, "u-ann"}},
		"loopback":                  {"127.0.0.1:1", []string{nameHeader, "u-ann"}},
		"behind the peer":           {"192.0.2.1:1", []string{nameHeader, "u-ann", "X-Forwarded-For", "10.1.2.3", "X-Real-Ip", "10.1.2.3", "Forwarded", "for=10.1.2.3"}},
		"no address":                {"@", []string{nameHeader, "u-ann"}},
		"sent twice":                {trusted, []string{nameHeader, "u-ann", nameHeader, "u-bob"}},
		"sent twice the same":       {trusted, []string{nameHeader, "u-ann", nameHeader, "u-ann"}},
		"two headers":               {trusted, []string{nameHeader, "u-ann", "X-Other-User", "u-bob"}},
		"joined":                    {trusted, []string{nameHeader, "u-ann, u-bob"}},
		"empty":                     {trusted, []string{nameHeader, ""}},
		"a space":                   {trusted, []string{nameHeader, "u ann"}},
		"too long":                  {trusted, []string{nameHeader, strings.Repeat("u", 257)}},
		"not text":                  {trusted, []string{nameHeader, "u\xff"}},
		"a name nobody may have":    {trusted, []string{nameHeader, "u-gone"}},
		"with a key":                {trusted, []string{nameHeader, "u-ann", "Authorization", "Bearer " + annKey}},
		"with a key, another peer":  {"10.1.3.3:1", []string{nameHeader, "u-ann", "Authorization", "Bearer " + opsKey}},
		"with another scheme":       {trusted, []string{nameHeader, "u-ann", "Authorization", "Basic dTpw"}},
		"nothing but the address":   {trusted, nil},
		"another spelling, no peer": {"10.1.3.3:1", []string{"x-acme-user", "u-ann"}},
		"another proxy's header":    {"10.1.2.4:1", []string{"X-Other-User", "u-ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := r.named(c.from, c.headers...)
			assert.Equal(t, http.StatusUnauthorized, w.Code, w.Body.String())
			assert.Contains(t, w.Header().Get("WWW-Authenticate"), "resource_metadata=")
			assert.NotContains(t, w.Body.String(), "u-ann")
		})
	}
	t.Run("and names somebody else", func(t *testing.T) {
		w := r.named(trusted, nameHeader, "u-ann", "X-Access-User", "u-bob")
		assert.Equal(t, http.StatusForbidden, w.Code)
	})
	require.Zero(t, r.catalog.calls(), "none of them went further")

	for name, from := range map[string]string{"IPv4": trusted, "IPv4 in IPv6": "[::ffff:10.1.2.3]:1", "IPv6": "[fd12::7]:1"} {
		t.Run("trusted over "+name, func(t *testing.T) {
			w := r.named(from, nameHeader, "u-ann")
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			got := r.catalog.lastCaller(t)
			assert.Equal(t, identity.Caller{Agent: "portal", Owner: "u-ann", Subject: "proxy|u-ann", Kind: identity.User, Integration: "acme",
				AccountID: "u-ann", Profile: "read-only", Transport: identity.HTTP}, got)
		})
	}
	t.Run("keys come through it as well", func(t *testing.T) {
		assert.Equal(t, http.StatusOK, r.named(trusted, "Authorization", "Bearer "+annKey).Code)
		assert.Equal(t, "ann", r.catalog.lastCaller(t).Agent)
	})
	t.Run("a header nobody configured says nothing", func(t *testing.T) {
		plain := serve(t, nil)
		assert.Equal(t, http.StatusUnauthorized, plain.named(trusted, nameHeader, "u-ann").Code)
		assert.Equal(t, http.StatusOK, plain.named(trusted, nameHeader, "u-bob", "Authorization", "Bearer "+annKey).Code)
		assert.Equal(t, "u-ann", plain.catalog.lastCaller(t).AccountID)
	})
}

func TestProxiesThatAreRefused(t *testing.T) {
	for name, p := range map[string]server.Proxy{
		"everybody":           portal(nameHeader, "0.0.0.0/0"),
		"nearly everybody":    portal(nameHeader, "8.0.0.0/7"),
		"everybody over IPv6": portal(nameHeader, "::/0"),
		"half of IPv6":        portal(nameHeader, "2000::/3"),
		"nobody":              portal(nameHeader),
		"no header":           portal("", "10.0.0.1/32"),
		"two headers":         portal("X-A, X-B", "10.0.0.1/32"),
		"a line break":        portal("X-A\r\nX-B", "10.0.0.1/32"),
		"the address":         portal("X-Forwarded-For", "10.0.0.1/32"),
		"the key":             portal("authorization", "10.0.0.1/32"),
		"cookies":             portal("Cookie", "10.0.0.1/32"),
		"the protocol's":      portal("Mcp-Name", "10.0.0.1/32"),
		"who is asked for":    portal("X-Access-User", "10.0.0.1/32"),
		"nobody to make":      {Header: nameHeader, Peers: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}},
		"no prefix":           {Header: nameHeader, Peers: []netip.Prefix{{}}, Identify: portal("X", "10.0.0.1/32").Identify},
	} {
		c := config(t, newFakeCatalog(), &planted.Log{})
		c.Authenticator, c.Proxies = newKeyring(), []server.Proxy{p}
		_, err := server.New(c)
		assert.Error(t, err, name)
	}
	c := config(t, newFakeCatalog(), &planted.Log{})
	c.NoAuth, c.Proxies = &server.Agent{Name: "local", Profile: "read-only"}, []server.Proxy{portal(nameHeader, "10.0.0.1/32")}
	_, err := server.New(c)
	assert.Error(t, err, "with no authentication at all")
}
