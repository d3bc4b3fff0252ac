package emulatortest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"confluence-mcp/internal/emulator/oauth"
)

const callbackURL = "http://127.0.0.1/callback"

type tokenPair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// grant walks the two steps of the authorization code flow.
func grant(gateway, user string, scopes []string) (tokenPair, error) {
	var pair tokenPair
	q := url.Values{"audience": {"api.atlassian.com"}, "client_id": {oauth.Client}, "scope": {strings.Join(scopes, " ")},
		"redirect_uri": {callbackURL}, "response_type": {"code"}, "prompt": {"consent"}, "emulator_user": {user}}
	req, err := http.NewRequest(http.MethodGet, gateway+"/authorize?"+q.Encode(), nil)
	if err != nil {
		return pair, err
	}
	res, err := http.DefaultTransport.RoundTrip(req) // the callback is read, not followed
	if err != nil {
		return pair, err
	}
	defer func() { _ = res.Body.Close() }()
	back, err := res.Location()
	if err != nil {
		return pair, fmt.Errorf("consent answered %s: %w", res.Status, err)
	}
	body, err := json.Marshal(map[string]string{"grant_type": "authorization_code", "client_id": oauth.Client,
		"client_secret": oauth.Secret, "code": back.Query().Get("code"), "redirect_uri": callbackURL})
	if err != nil {
		return pair, err
	}
	answer, err := http.Post(gateway+"/oauth/token", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return pair, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return pair, fmt.Errorf("code exchange answered %s", answer.Status)
	}
	return pair, json.NewDecoder(answer.Body).Decode(&pair)
}
