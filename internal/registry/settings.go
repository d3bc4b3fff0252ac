package registry

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Settings of an integration as they are written in a request. What is absent
// says nothing; in a new integration it means the default.
type Settings struct {
	Type                   *string   `json:"type"` // confluence
	BaseURL                *string   `json:"baseUrl"`
	Username               *string   `json:"username"`
	Token                  *string   `json:"token"`
	Space                  *string   `json:"space"`
	Spaces                 *[]string `json:"spaces"` // empty: all
	EnableAccessRightsSync *bool     `json:"enableAccessRightsSync"`
	UnsyncedVisibility     *string   `json:"unsyncedVisibility"`
}

// Values are settings that are complete, without the token.
type Values struct {
	Type                   string   `json:"type"`
	BaseURL                string   `json:"baseUrl"`
	Username               string   `json:"username,omitempty"`
	Spaces                 []string `json:"spaces"`
	EnableAccessRightsSync bool     `json:"enableAccessRightsSync"`
	UnsyncedVisibility     string   `json:"unsyncedVisibility"`
}

// Words of the settings.
const (
	kind        = "confluence"
	onlyAccount = "connected-admin-only"
	everybody   = "public"
	maxSpaces   = 1000
)

func (v Values) clone() Values {
	v.Spaces = slices.Clone(v.Spaces)
	return v
}

// with gives v with what the settings say, and the token if they say one.
func (v Values) with(s Settings) (Values, seal.Secret, error) {
	v = v.clone()
	take(&v.Type, s.Type)
	take(&v.Username, s.Username)
	take(&v.EnableAccessRightsSync, s.EnableAccessRightsSync)
	take(&v.UnsyncedVisibility, s.UnsyncedVisibility)
	if s.BaseURL != nil {
		v.BaseURL = strings.TrimRight(*s.BaseURL, "/")
	}
	switch {
	case s.Space != nil && s.Spaces != nil:
		return v, seal.Secret{}, wrong("Both space and spaces are set", "Send one of them.")
	case s.Space != nil:
		v.Spaces = []string{*s.Space}
	case s.Spaces != nil:
		v.Spaces = slices.Clone(*s.Spaces)
	}
	var token seal.Secret
	if s.Token != nil {
		if token = seal.NewSecret(*s.Token); token.Empty() {
			return v, token, wrong("The token is empty", "Leave it out to keep the present one.")
		}
	}
	return v, token, v.check()
}

func take[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

var spaceKey = regexp.MustCompile(`^[A-Za-z0-9~._-]+$`)

const longestKey = 255

func (v Values) check() error {
	switch {
	case v.Type != kind:
		return wrong("The type is not confluence", `Send "confluence": nothing else can be connected.`)
	case v.UnsyncedVisibility != onlyAccount && v.UnsyncedVisibility != everybody:
		return wrong("The unsyncedVisibility is neither connected-admin-only nor public", "Leave it out for connected-admin-only.")
	case len(v.Username) > 320 || strings.ContainsAny(v.Username, ":\r\n"):
		return wrong("The username is no account's e-mail address", "Send the address the API token belongs to.")
	case len(v.Spaces) > maxSpaces:
		return wrong("There are more than 1000 spaces", "Leave spaces out to mirror all.")
	case slices.ContainsFunc(v.Spaces, func(k string) bool { return len(k) > longestKey || !spaceKey.MatchString(k) }):
		return wrong("The list of spaces holds something that is no space key", `Send keys such as "ENG".`)
	}
	return checkAddress(v.BaseURL)
}

// checkAddress refuses what no Confluence can be at; which hosts are reached is
// the client's own rule.
func checkAddress(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return wrong("The baseUrl is no address of a Confluence", "Send for example https://acme.atlassian.net/wiki.")
	}
	return nil
}

func wrong(message, next string) error {
	return &confluence.Error{Kind: confluence.Invalid, Code: "input.settings", Op: "save integration", Message: message + ".", Next: next}
}

func (v Values) encode() ([]byte, error) { return json.Marshal(v) }
