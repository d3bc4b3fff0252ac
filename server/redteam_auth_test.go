package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/identity"
	"confluence-mcp/server"
)

// Who calls: sections B, C and K of the red-team list.

func TestB01NoCredentials(t *testing.T) {
	r := serve(t, nil)
	for name, authorization := range map[string][]string{
		"none": nil, "empty": {""}, "empty bearer": {"Bearer "}, "basic": {"Basic dTpw"}, "bare": {annKey}, "two": {"Bearer " + annKey, "Bearer " + bobKey}, "list": {"Bearer " + annKey + ", Bearer " + bobKey},
	} {
		t.Run(name, func(t *testing.T) {
			a := call("", "confluence_echo", `{}`)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/mcp", strings.NewReader(a.body))
			require.NoError(t, err)
			for name, value := range a.header {
				req.Header.Set(name, value)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header["Authorization"] = authorization
			res, err := http.DefaultTransport.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
			assert.Contains(t, res.Header.Get("WWW-Authenticate"), `resource_metadata="`+r.url+`/.well-known/oauth-protected-resource/mcp"`)
		})
	}
	assert.Zero(t, r.catalog.calls(), "none of them went further")
}

func TestB05AtlassianTokenIsNoKey(t *testing.T) {
	r := serve(t, nil)
	token := "ATATT3xFfGF0" + strings.Repeat("a", 160)
	got := r.do(call(token, "confluence_echo", `{}`))
	assert.Equal(t, http.StatusUnauthorized, got.status)
	assert.Contains(t, got.header.Get("WWW-Authenticate"), `error="invalid_token"`)
	assert.NotContains(t, r.logs.String(), token)
	assert.Zero(t, r.catalog.calls(), "it went no further")
}

func TestB08StaticKeys(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	agent := server.Agent{Name: "ann", Profile: "read-only"}
	expired := server.Agent{Name: "old", Profile: "read-only"}
	keys, err := server.NewStaticKeys([]server.StaticKey{
		{SHA256: keyOf(annKey), Agent: agent},
		{SHA256: keyOf("cmk_old_key"), Agent: expired, Expires: now},
		{SHA256: keyOf("cmk_new_key"), Agent: agent, Expires: now.Add(time.Nanosecond)},
	}, func() time.Time { return now })
	require.NoError(t, err)
	for name, key := range map[string]string{
		"wrong": "cmk_ann_ffffffffffffffff", "prefix": annKey[:len(annKey)-1], "longer": annKey + "0", "one byte off": annKey[:len(annKey)-1] + "e",
		"other case": strings.ToUpper(annKey), "its digest": keyOf(annKey), "empty": "", "expired": "cmk_old_key",
	} {
		_, err := keys.Authenticate(t.Context(), key)
		assert.ErrorIs(t, err, server.ErrUnknownKey, name)
	}
	for _, key := range []string{annKey, "cmk_new_key"} {
		got, err := keys.Authenticate(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, "ann", got.Name)
		assert.Equal(t, "key", got.Authority)
	}
	for name, bad := range map[string]server.StaticKey{
		"short digest": {SHA256: "abcd", Agent: agent}, "not hex": {SHA256: strings.Repeat("z", 64), Agent: agent},
		"no profile": {SHA256: keyOf("k"), Agent: server.Agent{Name: "x"}}, "no name": {SHA256: keyOf("k"), Agent: server.Agent{Profile: "x"}},
	} {
		_, err := server.NewStaticKeys([]server.StaticKey{bad}, time.Now)
		assert.Error(t, err, name)
	}
	_, err = server.NewStaticKeys([]server.StaticKey{{SHA256: keyOf(annKey), Agent: agent}, {SHA256: strings.ToUpper(keyOf(annKey)), Agent: server.Agent{Name: "bob", Profile: "full"}}}, time.Now)
	assert.ErrorContains(t, err, "the agents ann and bob have the same key")
}

func TestB11OneSubjectOfTwoIssuers(t *testing.T) {
	r := serve(t, nil)
	of := func(issuer string) server.Agent {
		return server.Agent{Name: "staff", Authority: issuer, Subject: issuer + "|s-1", Owner: "s-1", Profile: "read-only"}
	}
	r.keys.keys["one"], r.keys.keys["two"] = of("https://one.example"), of("https://two.example")
	id := r.handshake("one")
	assert.Equal(t, http.StatusNotFound, r.do(ask{key: "two", body: plainCall, header: session(id)}).status)
	assert.Zero(t, r.catalog.calls(), "it went no further")
	principals := map[string]bool{}
	for _, key := range []string{"one", "two"} {
		require.Equal(t, 200, r.do(ask{key: key, body: plainCall, header: session(r.handshake(key))}).status)
		principals[r.catalog.lastCaller(t).Principal()] = true
	}
	assert.Len(t, principals, 2)
}

func TestB12RevokedKeyEndsStreams(t *testing.T) {
	for name, open := range map[string]func(*rig) ask{
		"legacy GET": func(r *rig) ask {
			return ask{key: annKey, method: http.MethodGet, header: session(r.handshake(annKey))}
		},
		"subscriptions/listen": func(*rig) ask { return listen(annKey) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			res := r.open(ctx, open(r))
			defer func() { _ = res.Body.Close() }()
			require.Equal(t, 200, res.StatusCode)
			r.keys.revoke(annKey)
			_, err := io.ReadAll(res.Body)
			require.NoError(t, err, "the server ends it, not the deadline")
			assert.Equal(t, http.StatusUnauthorized, r.do(call(annKey, "confluence_echo", `{}`)).status)
			assert.Zero(t, r.catalog.calls(), "it went no further")
		})
	}
}

func TestC02NamingAnotherUser(t *testing.T) {
	r := serve(t, nil)
	settings := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},`
	withMeta := func(key, extra string) ask {
		a := call(key, "confluence_echo", `{}`)
		a.body = strings.Replace(a.body, meta2026, settings+extra+"}", 1)
		return a
	}
	withHeader := func(key, name, value string) ask {
		a := call(key, "confluence_echo", `{}`)
		a.header[name] = value
		return a
	}
	for name, a := range map[string]ask{
		"accessSettings":          withMeta(annKey, `"accessSettings":{"integrationId":1,"externalUserId":"u-bob"}`),
		"empty accessSettings":    withMeta(annKey, `"accessSettings":{}`),
		"accessControlAttributes": withMeta(annKey, `"accessControlAttributes":["group-staff"]`),
		"X-Access-User":           withHeader(annKey, "X-Access-User", "u-bob"),
		"an integration alone":    withHeader(annKey, "X-Access-Integration", "1"),
		"X-Access-Attributes":     withHeader(annKey, "X-Access-Attributes", "group-staff"),
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(a)
			if name == "an integration alone" { // which nobody may name so
				assert.Equal(t, http.StatusBadRequest, got.status)
				assert.Equal(t, "input.access", got.kind(t))
			} else {
				assert.Equal(t, http.StatusForbidden, got.status)
				assert.Equal(t, "auth.forbidden", got.kind(t))
			}
			assert.Zero(t, r.catalog.calls(), "it went no further")
		})
	}
	t.Run("with the right it counts", func(t *testing.T) {
		require.Equal(t, 200, r.do(withMeta(manyKey, `"accessSettings":{"integrationId":7,"externalUserId":"u-bob"},"accessControlAttributes":["group-staff","7:user-x"]`)).status)
		got := r.catalog.lastCaller(t)
		assert.Equal(t, identity.Caller{Agent: "many", Owner: "desk", Kind: identity.User, Integration: "7", AccountID: "u-bob",
			Access: []string{"7:group-staff", "7:user-x"}, Profile: "read-only", Transport: identity.HTTP}, got)

		a := call(manyKey, "confluence_echo", `{}`)
		a.header["X-Access-User"], a.header["X-Access-Integration"], a.header["X-Access-Attributes"] = "u-ann", "acme", "group-a, group-b"
		require.Equal(t, 200, r.do(a).status)
		got = r.catalog.lastCaller(t)
		assert.Equal(t, "u-ann", got.AccountID)
		assert.Equal(t, "acme", got.Integration)
		assert.Equal(t, []string{"acme:group-a", "acme:group-b"}, got.Access)
	})
	t.Run("naming nobody is public", func(t *testing.T) {
		require.Equal(t, 200, r.do(call(manyKey, "confluence_echo", `{}`)).status)
		assert.Equal(t, identity.Nobody, r.catalog.lastCaller(t).Kind)
	})
	for name, extra := range map[string]string{
		"unknown key": `"accessSettings":{"userId":"x"}`, "wrong type": `"accessSettings":[]`, "odd integration": `"accessSettings":{"integrationId":{},"externalUserId":"x"}`,
		"integration without user": `"accessSettings":{"integrationId":1}`, "control character": `"accessSettings":{"externalUserId":"a\nb"}`,
		"attributes as text": `"accessControlAttributes":"group-a"`, "an empty attribute": `"accessControlAttributes":[""]`,
		"too long": `"accessControlAttributes":["` + strings.Repeat("x", 300) + `"]`, "too many": `"accessControlAttributes":["a"` + strings.Repeat(`,"a"`, 1000) + `]`,
	} {
		t.Run("malformed: "+name, func(t *testing.T) {
			got := r.do(withMeta(manyKey, extra))
			assert.Equal(t, 400, got.status)
			assert.Equal(t, "input.access", got.kind(t))
		})
	}
	t.Run("in headers and in the body at once", func(t *testing.T) {
		a := withMeta(manyKey, `"accessSettings":{"externalUserId":"u-bob"}`)
		a.header["X-Access-User"] = "u-ann"
		assert.Equal(t, 400, r.do(a).status)
	})
}

func TestK01NoSecretIsLogged(t *testing.T) {
	r := serve(t, nil)
	r.do(call(annKey, "confluence_echo", `{"text":"`+canary+`"}`))
	r.do(call("cmk_wrong_"+canary, "confluence_echo", `{}`))
	r.do(call(annKey, "confluence_panic", `{}`))
	id := r.handshake(annKey)
	metrics := r.do(ask{method: http.MethodGet, path: "/metrics", key: opsKey})
	require.Equal(t, 200, metrics.status)
	for _, secret := range []string{canary, annKey, opsKey, id} {
		assert.NotContains(t, r.logs.String(), secret)
		assert.NotContains(t, metrics.body, secret)
	}
}
