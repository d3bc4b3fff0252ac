//go:build azurekv

package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
)

const (
	vaultAPI     = "7.4"
	vaultScope   = "https://vault.azure.net"
	azureLogin   = "https://login.microsoftonline.com"
	azureMachine = "http://169.254.169.254"
	vaultTimeout = 20 * time.Second
	maxVaultBody = 64 << 10 // bytes
)

var vaultKeyName = regexp.MustCompile(`^[0-9A-Za-z-]{1,127}$`)

// azure wraps data keys with a key that never leaves Azure Key Vault. It speaks
// the plain REST interface: POST {vault}/keys/{name}/wrapkey and
// {vault}/keys/{name}/{version}/unwrapkey, RSA-OAEP-256.
//
// It signs in as an application when AZURE_TENANT_ID, AZURE_CLIENT_ID and
// AZURE_CLIENT_SECRET are set, else as the identity of the machine it runs on.
type azure struct {
	vault   string // origin
	key     string
	login   string
	machine string
	tenant  string
	client  string
	secret  Secret
	http    *http.Client
}

func openAzure(c Choice) (KeyProvider, error) {
	a := &azure{vault: strings.TrimSuffix(c.Vault, "/"), key: c.VaultKey, login: azureLogin, machine: azureMachine,
		http: &http.Client{Timeout: vaultTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ForceAttemptHTTP2: true}}}
	u, err := url.Parse(a.vault)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, badKey("seal.vault_url is not the address of a vault", "Write it like https://NAME.vault.azure.net.", nil)
	}
	if !vaultKeyName.MatchString(a.key) {
		return nil, badKey("seal.vault_key is not the name of a key", "Name the RSA key in the vault.", nil)
	}
	if c.Getenv != nil {
		a.tenant, a.client, a.secret = c.Getenv("AZURE_TENANT_ID"), c.Getenv("AZURE_CLIENT_ID"), NewSecret(c.Getenv("AZURE_CLIENT_SECRET"))
	}
	return a, nil
}

func (a *azure) Name() string { return AzureKey }

type vaultBody struct {
	Kid   string `json:"kid,omitempty"`
	Alg   string `json:"alg,omitempty"`
	Value string `json:"value"`
}

// Wrap uses the newest version of the key; the version is the master id.
func (a *azure) Wrap(ctx context.Context, key []byte) (string, []byte, error) {
	out, err := a.call(ctx, "/keys/"+a.key+"/wrapkey", key)
	if err != nil {
		return "", nil, err
	}
	version, ok := strings.CutPrefix(out.Kid, a.vault+"/keys/"+a.key+"/")
	wrapped, err := base64.RawURLEncoding.DecodeString(out.Value)
	if !ok || !vaultKeyName.MatchString(version) || err != nil || len(wrapped) == 0 {
		return "", nil, a.odd(err)
	}
	return version, wrapped, nil
}

func (a *azure) Unwrap(ctx context.Context, version string, wrapped []byte) ([]byte, error) {
	if !vaultKeyName.MatchString(version) {
		return nil, badKey("the stored id of the vault's key is broken", "Restore the database from a backup.", nil)
	}
	out, err := a.call(ctx, "/keys/"+a.key+"/"+version+"/unwrapkey", wrapped)
	if err != nil {
		return nil, err
	}
	key, err := base64.RawURLEncoding.DecodeString(out.Value)
	if err != nil {
		return nil, a.odd(err)
	}
	return key, nil
}

// Renew does nothing: versions of the key are made in the vault, by its own
// rotation policy. A rotation here then uses the newest.
func (a *azure) Renew(context.Context) error { return nil }

// Forget does nothing: who may end a version is the vault's matter.
func (a *azure) Forget(context.Context, string) error { return nil }

func (a *azure) call(ctx context.Context, path string, value []byte) (vaultBody, error) {
	token, err := a.signIn(ctx)
	if err != nil {
		return vaultBody{}, err
	}
	body, err := json.Marshal(vaultBody{Alg: "RSA-OAEP-256", Value: base64.RawURLEncoding.EncodeToString(value)})
	if err != nil {
		return vaultBody{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.vault+path+"?api-version="+vaultAPI, bytes.NewReader(body))
	if err != nil {
		return vaultBody{}, a.odd(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token.value)
	var out vaultBody
	return out, a.send(req, &out)
}

// signIn asks for a token each time: keys are unwrapped once a start.
func (a *azure) signIn(ctx context.Context) (Secret, error) {
	req, err := a.signInRequest(ctx)
	if err != nil {
		return Secret{}, a.odd(err)
	}
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := a.send(req, &out); err != nil {
		return Secret{}, err
	}
	if out.AccessToken == "" || strings.ContainsFunc(out.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Secret{}, a.odd(errors.New("no access token"))
	}
	return Secret{out.AccessToken}, nil
}

func (a *azure) signInRequest(ctx context.Context) (*http.Request, error) {
	if a.tenant == "" || a.client == "" || a.secret.Empty() {
		q := url.Values{"api-version": {"2018-02-01"}, "resource": {vaultScope}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.machine+"/metadata/identity/oauth2/token?"+q.Encode(), nil)
		if err == nil {
			req.Header.Set("Metadata", "true")
		}
		return req, err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {a.client}, "client_secret": {a.secret.value}, "scope": {vaultScope + "/.default"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.login+"/"+url.PathEscape(a.tenant)+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

// send never puts anything of the answer into an error: it may echo what was
// sent.
func (a *azure) send(req *http.Request, into any) error {
	res, err := a.http.Do(req)
	if err != nil {
		return &confluence.Error{Kind: confluence.Unavailable, Code: "seal.key", Op: "open key", Message: "the key vault, or the sign-in to it, does not answer",
			Next: "Check seal.vault_url and the network, then start again."}
	}
	defer func() { _ = res.Body.Close() }() // read to its end or given up
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxVaultBody))
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return &confluence.Error{Kind: confluence.Unavailable, Code: "seal.key", Op: "open key", Message: "the key vault answers " + res.Status, Next: "Start again in a minute."}
	case res.StatusCode != http.StatusOK:
		return badKey("the key vault refuses with "+res.Status+" at "+req.URL.Host,
			"The identity this program runs as needs the key permissions wrapKey and unwrapKey, and the key and its version must be enabled.", nil)
	case err != nil || json.Unmarshal(raw, into) != nil:
		return a.odd(err)
	}
	return nil
}

func (a *azure) odd(err error) error {
	return &confluence.Error{Kind: confluence.Unavailable, Code: "seal.key", Op: "open key", Message: "the key vault gives an answer that is none", Next: "Check seal.vault_url.", Err: err}
}
