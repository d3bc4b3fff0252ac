//go:build azurekv

package seal

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// vault is Azure Key Vault, its sign-in and the machine's identity, as far as
// they are documented. It is inside the package because a vault is https and
// has one name in the world.
type vault struct {
	*httptest.Server
	keys    map[string]*rsa.PrivateKey // by version
	newest  string
	refuse  atomic.Int64 // status of wrapkey and unwrapkey
	machine atomic.Int64 // sign-ins as the machine
}

const vaultToken = "canary-vault-token"

func startVault(t *testing.T) (*vault, *azure) {
	t.Helper()
	v := &vault{keys: map[string]*rsa.PrivateKey{}}
	v.turn(t, "v1")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tenant-1/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_id") != "app" || r.FormValue("client_secret") != "canary-app-secret" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "https://vault.azure.net/.default" {
			http.Error(w, "no: "+r.FormValue("client_secret"), http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"` + vaultToken + `","expires_in":3600}`))
	})
	mux.HandleFunc("GET /metadata/identity/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata") != "true" || r.FormValue("resource") != "https://vault.azure.net" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		v.machine.Add(1)
		_, _ = w.Write([]byte(`{"access_token":"` + vaultToken + `"}`))
	})
	mux.HandleFunc("POST /keys/tokens/wrapkey", func(w http.ResponseWriter, r *http.Request) { v.crypt(w, r, v.newest, true) })
	mux.HandleFunc("POST /keys/tokens/{version}/unwrapkey", func(w http.ResponseWriter, r *http.Request) { v.crypt(w, r, r.PathValue("version"), false) })
	v.Server = httptest.NewTLSServer(mux)
	t.Cleanup(v.Close)
	env := map[string]string{"AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "canary-app-secret"}
	p, err := Choice{Provider: AzureKey, Vault: v.URL + "/", VaultKey: "tokens", Getenv: func(n string) string { return env[n] }}.Open()
	require.NoError(t, err)
	a := p.(*azure)
	a.login, a.machine, a.http.Transport = v.URL, v.URL, v.Client().Transport
	return v, a
}

func (v *vault) turn(t *testing.T, version string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	v.keys[version], v.newest = key, version
}

func (v *vault) crypt(w http.ResponseWriter, r *http.Request, version string, wrap bool) {
	var in vaultBody
	key := v.keys[version]
	value, _ := base64.RawURLEncoding.DecodeString("")
	err := json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		value, err = base64.RawURLEncoding.DecodeString(in.Value)
	}
	switch {
	case v.refuse.Load() != 0:
		http.Error(w, "echo "+r.Header.Get("Authorization"), int(v.refuse.Load()))
		return
	case r.Header.Get("Authorization") != "Bearer "+vaultToken:
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	case key == nil || r.FormValue("api-version") != vaultAPI || in.Alg != "RSA-OAEP-256" || err != nil:
		http.Error(w, "no such key", http.StatusNotFound)
		return
	case wrap:
		value, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, value, nil)
	default:
		value, err = rsa.DecryptOAEP(sha256.New(), nil, key, value, nil)
	}
	if err != nil {
		http.Error(w, "bad value", http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(vaultBody{Kid: v.URL + "/keys/tokens/" + version, Value: base64.RawURLEncoding.EncodeToString(value)})
}

func TestAzureWrapsAndUnwraps(t *testing.T) {
	v, a := startVault(t)
	key := []byte(strings.Repeat("k", keyBytes))
	version, wrapped, err := a.Wrap(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "v1", version)
	v.turn(t, "v2")
	got, err := a.Unwrap(t.Context(), version, wrapped)
	require.NoError(t, err)
	assert.Equal(t, key, got)
	version, _, err = a.Wrap(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "v2", version, "a rotation uses the newest version")

	a.tenant = ""
	_, err = a.Unwrap(t.Context(), "v1", wrapped)
	require.NoError(t, err)
	assert.EqualValues(t, 1, v.machine.Load())
}

func TestAzureRefusals(t *testing.T) {
	v, a := startVault(t)
	ctx := context.Background()
	_, wrapped, err := a.Wrap(ctx, []byte(strings.Repeat("k", keyBytes)))
	require.NoError(t, err)
	check := func(name string, kind confluence.Kind, err error) {
		t.Helper()
		require.Error(t, err, name)
		assert.Equal(t, kind, confluence.KindOf(err), name)
		assert.NotContains(t, err.Error(), "canary", name)
	}
	_, err = a.Unwrap(ctx, "v9", wrapped)
	check("unknown version", confluence.Invalid, err)
	_, err = a.Unwrap(ctx, "../x", wrapped)
	check("version that is a path", confluence.Invalid, err)
	wrapped[0] ^= 1
	_, err = a.Unwrap(ctx, "v1", wrapped)
	check("changed", confluence.Invalid, err)
	for status, kind := range map[int]confluence.Kind{401: confluence.Invalid, 403: confluence.Invalid, 429: confluence.Unavailable, 503: confluence.Unavailable, 302: confluence.Invalid} {
		v.refuse.Store(int64(status))
		_, _, err = a.Wrap(ctx, wrapped)
		check(http.StatusText(status), kind, err)
	}
	a.secret = NewSecret("canary-wrong")
	_, _, err = a.Wrap(ctx, wrapped)
	check("wrong application secret", confluence.Invalid, err)
	v.Close()
	_, _, err = a.Wrap(ctx, wrapped)
	check("down", confluence.Unavailable, err)
	for _, bad := range []Choice{{Vault: "http://x.vault.azure.net", VaultKey: "k"}, {Vault: "https://u@x", VaultKey: "k"}, {Vault: "https://x", VaultKey: "a/b"}} {
		bad.Provider = AzureKey
		_, err := bad.Open()
		check(bad.Vault, confluence.Invalid, err)
	}
}
