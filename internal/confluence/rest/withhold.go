package rest

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

// credentialLike is what a credential looks like in a sentence of somebody
// else: an authorization scheme with its value, an Atlassian token, a JWT.
var credentialLike = regexp.MustCompile(`(?i)\b(basic|bearer)\s+\S*[0-9=]|\bAT[AC]TT[a-z0-9]|\beyJ[a-z0-9_-]{10,}|authorization\s*[:=]`)

// withhold keeps a sentence of an answer back when it repeats the credential
// the request was sent with, as proxies and error pages that echo headers do.
// The sentence would go to the caller, who has no right to that credential.
func withhold(sentence string, sent *http.Request) string {
	repeats := credentialLike.MatchString(sentence)
	for _, secret := range sentSecrets(sent) {
		repeats = repeats || strings.Contains(sentence, secret)
	}
	if repeats {
		return "(its reason is withheld because it repeats a credential)"
	}
	return sentence
}

// sentSecrets are the forms of the credential of a request.
func sentSecrets(sent *http.Request) []string {
	if sent == nil {
		return nil
	}
	scheme, value, _ := strings.Cut(sent.Header.Get("Authorization"), " ")
	if value == "" {
		return nil
	}
	secrets := []string{value}
	if strings.EqualFold(scheme, "Basic") {
		pair, err := base64.StdEncoding.DecodeString(value)
		if _, token, ok := strings.Cut(string(pair), ":"); err == nil && ok && token != "" {
			secrets = append(secrets, token)
		}
	}
	return secrets
}
