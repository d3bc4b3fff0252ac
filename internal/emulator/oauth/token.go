package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const maxTokenRequest = 64 << 10 // bytes; a token request is a few hundred

type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Code         string `json:"code"`
	RedirectURI  string `json:"redirect_uri"`
	RefreshToken string `json:"refresh_token"`
	Verifier     string `json:"code_verifier"`
}

type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	TokenType    string `json:"token_type"`
}

type tokenError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Bodies as measured on the real service.
func errWrongClient() *tokenError {
	return &tokenError{http.StatusUnauthorized, "access_denied", "Unauthorized"}
}

func errRefreshInvalid() *tokenError {
	return &tokenError{http.StatusForbidden, "unauthorized_client", "refresh_token is invalid"}
}

func errCodeInvalid() *tokenError {
	return &tokenError{http.StatusForbidden, "invalid_grant", "Invalid authorization code"}
}

// Token is POST /oauth/token: JSON as documented, and form encoding as the
// real endpoint takes too.
func (p *Provider) Token(w http.ResponseWriter, r *http.Request) {
	req, bad := decodeTokenRequest(r)
	if bad == nil {
		var ok tokenAnswer
		if ok, bad = p.answer(req); bad == nil {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, ok)
			return
		}
	}
	writeJSON(w, bad.status, bad)
}

func decodeTokenRequest(r *http.Request) (tokenRequest, *tokenError) {
	var req tokenRequest
	invalid := &tokenError{http.StatusBadRequest, "invalid_request", "Malformed request body"}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxTokenRequest))
	if err != nil {
		return req, invalid
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return req, invalid
		}
		req = tokenRequest{form.Get("grant_type"), form.Get("client_id"), form.Get("client_secret"),
			form.Get("code"), form.Get("redirect_uri"), form.Get("refresh_token"), form.Get("code_verifier")}
	} else if json.Unmarshal(raw, &req) != nil {
		return req, invalid
	}
	if id, secret, ok := r.BasicAuth(); ok && req.ClientID == "" {
		req.ClientID, req.ClientSecret = id, secret
	}
	return req, nil
}

func (p *Provider) answer(req tokenRequest) (tokenAnswer, *tokenError) {
	if req.ClientID != Client || req.ClientSecret != Secret {
		return tokenAnswer{}, errWrongClient()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch req.GrantType {
	case "authorization_code":
		return p.exchange(req)
	case "refresh_token":
		return p.rotate(req.RefreshToken)
	}
	return tokenAnswer{}, &tokenError{http.StatusBadRequest, "unsupported_grant_type",
		"Unsupported grant type: " + req.GrantType}
}

// exchange turns a code into the first pair of a family. A code works once.
func (p *Provider) exchange(req tokenRequest) (tokenAnswer, *tokenError) {
	c, ok := p.codes[req.Code]
	if !ok {
		return tokenAnswer{}, errCodeInvalid()
	}
	if c.redirectURI != req.RedirectURI {
		return tokenAnswer{}, &tokenError{http.StatusForbidden, "invalid_grant", "Invalid redirect_uri"}
	}
	if sum := sha256.Sum256([]byte(req.Verifier)); c.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
		return tokenAnswer{}, &tokenError{http.StatusForbidden, "invalid_grant", "Invalid code verifier"}
	}
	delete(p.codes, req.Code)
	if p.now().After(c.expires) {
		return tokenAnswer{}, errCodeInvalid()
	}
	return p.issue(&family{grant: c.grant}), nil
}

// rotate answers with a new pair and starts the leeway of the sent one. A token
// whose leeway is over was stolen or lost track of: its family dies.
func (p *Provider) rotate(token string) (tokenAnswer, *tokenError) {
	old, ok := p.refresh[token]
	if !ok || old.family.revoked {
		return tokenAnswer{}, errRefreshInvalid()
	}
	now := p.now()
	if old.rotatedOut(now) {
		old.family.revoked = true
		return tokenAnswer{}, errRefreshInvalid()
	}
	if now.After(old.issued.Add(inactivityLife)) || now.After(old.family.grant.consented.Add(absoluteLife)) {
		return tokenAnswer{}, errRefreshInvalid()
	}
	if p.settings.OmitRefreshToken != nil && *p.settings.OmitRefreshToken {
		answer := p.issue(old.family)
		delete(p.refresh, answer.RefreshToken)
		answer.RefreshToken = ""
		return answer, nil
	}
	if old.rotated.IsZero() { // a repeat inside the leeway must not lengthen it
		old.rotated = now
	}
	return p.issue(old.family), nil
}

func (p *Provider) issue(f *family) tokenAnswer {
	pr := &pair{family: f, issued: p.now()}
	answer := tokenAnswer{
		AccessToken: random("at"), ExpiresIn: int(accessLife.Seconds()),
		Scope: strings.Join(f.grant.scopes, " "), TokenType: "Bearer",
	}
	p.access[answer.AccessToken] = pr
	if slices.Contains(f.grant.scopes, "offline_access") {
		answer.RefreshToken = random("rt")
		p.refresh[answer.RefreshToken] = pr
	}
	return answer
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone; there is nobody to tell
}
