package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

// named is what a request says of its caller, whichever way it says it.
type named struct{ integration, user, attributes string }

// meta is it as members of _meta, and of a body of /api/query.
func (n named) meta(t *testing.T) (settings, attributes json.RawMessage) {
	t.Helper()
	s := map[string]string{}
	if n.integration != "" {
		s["integrationId"] = n.integration
	}
	if n.user != "" {
		s["externalUserId"] = n.user
	}
	var err error
	if len(s) > 0 {
		settings, err = json.Marshal(s)
		require.NoError(t, err)
	}
	if n.attributes != "" {
		attributes, err = json.Marshal(strings.Split(n.attributes, ","))
		require.NoError(t, err)
	}
	return settings, attributes
}

func (n named) inMeta(t *testing.T, a ask) ask {
	settings, attributes := n.meta(t)
	members := strings.TrimSuffix(meta2026, "}")
	if settings != nil {
		members += `,"accessSettings":` + string(settings)
	}
	if attributes != nil {
		members += `,"accessControlAttributes":` + string(attributes)
	}
	a.body = strings.Replace(a.body, meta2026, members+"}", 1)
	return a
}

func (n named) headers() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]string{"X-Access-Integration": n.integration, "X-Access-User": n.user, "X-Access-Attributes": n.attributes} {
		if v != "" {
			out[name] = v
		}
	}
	return out
}

func (n named) inHeaders(a ask) ask {
	for name, v := range n.headers() {
		a.header[name] = v
	}
	return a
}

// rest asks as a handler of /api/query does.
func rest(t *testing.T, s *server.Server, key string, headers map[string]string, settings, attributes json.RawMessage) (identity.Caller, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/api/query", nil)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+key)
	for name, v := range headers {
		q.Header.Set(name, v)
	}
	return s.Caller(q, settings, attributes)
}

// TestAnIntegrationBoundsItsAttributes: what a request names beside an
// integration counts in that one alone.
func TestAnIntegrationBoundsItsAttributes(t *testing.T) {
	r := serve(t, nil)
	for name, c := range map[string]struct {
		in     named
		kind   identity.Kind
		access []string
	}{
		"an id and a group":        {named{"1", "", "group-staff"}, identity.Nobody, []string{"1:group-staff"}},
		"a name and both kinds":    {named{"acme", "", "group-staff,user-42"}, identity.Nobody, []string{"acme:group-staff", "acme:user-42"}},
		"a user too":               {named{"1", "u-bob", "group-staff"}, identity.User, []string{"1:group-staff"}},
		"prefixed stays":           {named{"1", "", "2:group-a,1:group-b,beta:user-x"}, identity.Nobody, []string{"2:group-a", "1:group-b", "beta:user-x"}},
		"mixed":                    {named{"1", "u-bob", "2:group-a,group-b"}, identity.User, []string{"2:group-a", "1:group-b"}},
		"a colon in a group":       {named{"1", "", "group-2:staff"}, identity.Nobody, []string{"1:group-2:staff"}},
		"neither kind":             {named{"1", "", "staff"}, identity.Nobody, []string{"staff"}},
		"no integration":           {named{"", "", "group-staff,2:group-a"}, identity.Nobody, []string{"group-staff", "2:group-a"}},
		"a user, no integration":   {named{"", "u-bob", "group-staff"}, identity.User, []string{"group-staff"}},
		"a name like an attribute": {named{"group-it", "u-bob", "1:group-a"}, identity.User, []string{"1:group-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := identity.Caller{Agent: "many", Owner: "desk", Kind: c.kind, Integration: c.in.integration, AccountID: c.in.user,
				Access: c.access, Profile: "read-only", Transport: identity.HTTP}
			plain := func() ask { return call(manyKey, "confluence_echo", `{}`) }
			for way, a := range map[string]ask{"_meta": c.in.inMeta(t, plain()), "headers": c.in.inHeaders(plain())} {
				got := r.do(a)
				require.Equal(t, http.StatusOK, got.status, "%s: %s", way, got.body)
				assert.Equal(t, want, r.catalog.lastCaller(t), way)
			}
			settings, attributes := c.in.meta(t)
			got, err := rest(t, r.server, manyKey, nil, settings, attributes)
			require.NoError(t, err)
			assert.Equal(t, want, got, "the body of /api/query")
			got, err = rest(t, r.server, manyKey, c.in.headers(), nil, nil)
			require.NoError(t, err)
			assert.Equal(t, want, got, "the headers of /api/query")
		})
	}
}

// TestRefusedScopesReachNothing: an integration whose name would change what an
// attribute means, and an agent that may name nobody.
func TestRefusedScopesReachNothing(t *testing.T) {
	r := serve(t, nil)
	for name, c := range map[string]struct {
		in   named
		key  string
		code string
		kind confluence.Kind
	}{
		"a name like a group":       {named{"group-it", "", "group-staff"}, manyKey, "input.access", confluence.Invalid},
		"like a user":               {named{"user-it", "u-bob", "group-staff"}, manyKey, "input.access", confluence.Invalid},
		"a colon":                   {named{"1:group-x", "", "group-staff"}, manyKey, "input.access", confluence.Invalid},
		"nothing in the named one":  {named{"1", "", ""}, manyKey, "input.access", confluence.Invalid},
		"without the right to name": {named{"1", "", "group-staff"}, annKey, "auth.forbidden", confluence.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			plain := func() ask { return call(c.key, "confluence_echo", `{}`) }
			for way, a := range map[string]ask{"_meta": c.in.inMeta(t, plain()), "headers": c.in.inHeaders(plain())} {
				got := r.do(a)
				assert.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden}, got.status, way)
				assert.Equal(t, c.code, got.kind(t), way)
			}
			settings, attributes := c.in.meta(t)
			got, err := rest(t, r.server, c.key, nil, settings, attributes)
			assert.Equal(t, c.kind, confluence.KindOf(err))
			assert.False(t, got.Known(), "no caller comes of it")
			assert.Zero(t, r.catalog.calls())
		})
	}
}

// TestAStreamNamesNobody: over stdio the caller is fixed, whatever is named.
func TestAStreamNamesNobody(t *testing.T) {
	for name, meta := range map[string]string{
		"an integration and a group": `"accessSettings":{"integrationId":1},"accessControlAttributes":["group-staff"]`,
		"a group":                    `"accessControlAttributes":["1:group-staff"]`,
	} {
		t.Run(name, func(t *testing.T) {
			p := stream(t, nil)
			p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_echo","_meta":{` + meta + `}}}`)
			e, _ := p.next()["error"].(map[string]any)
			data, _ := e["data"].(map[string]any)
			assert.Equal(t, "auth.forbidden", data["kind"])
			assert.Zero(t, p.catalog.calls())
		})
	}
}
