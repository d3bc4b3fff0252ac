package registry

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store/guard"
)

// Settings of an integration as they are written in a request. What is absent
// says nothing; in a new integration it means the default.
type Settings struct {
	Type                   *string   `json:"type"` // confluence
	BaseURL                *string   `json:"baseUrl"`
	Username               *string   `json:"username"`
	Token                  *string   `json:"token"`
	TokenExpires           *string   `json:"tokenExpires"` // a date; empty: not known
	Space                  *string   `json:"space"`
	Spaces                 *[]string `json:"spaces"` // empty: all
	EnableAccessRightsSync *bool     `json:"enableAccessRightsSync"`
	UnsyncedVisibility     *string   `json:"unsyncedVisibility"`
	ServiceWrites          *bool     `json:"service_writes"`
	OpaqueAncestors        *string   `json:"opaqueAncestors"` // seal, trust or verify
	HonourSuperGroup       *bool     `json:"honourSuperGroup"`
	ACLMaxAge              *string   `json:"aclMaxAge"` // durations such as 24h
	ACLHardMaxAge          *string   `json:"aclHardMaxAge"`
}

// Values are settings that are complete, without the token.
type Values struct {
	Type                   string   `json:"type"`
	BaseURL                string   `json:"baseUrl"`
	Username               string   `json:"username,omitempty"`
	TokenExpires           string   `json:"tokenExpires,omitempty"` // a date, as the token's maker was told
	Spaces                 []string `json:"spaces"`
	EnableAccessRightsSync bool     `json:"enableAccessRightsSync"`
	UnsyncedVisibility     string   `json:"unsyncedVisibility"`
	ServiceWrites          bool     `json:"service_writes"` // the connecting account writes for callers without a credential
	OpaqueAncestors        string   `json:"opaqueAncestors"`
	HonourSuperGroup       bool     `json:"honourSuperGroup"`
	ACLMaxAge              string   `json:"aclMaxAge"`
	ACLHardMaxAge          string   `json:"aclHardMaxAge"`
}

// Words of the settings.
const (
	kind        = "confluence"
	onlyAccount = "connected-admin-only"
	everybody   = "public"
	maxSpaces   = 1000
)

// TokenEnds is when the token ends: its date begins, to be sure. Zero when nobody
// said so.
func (v Values) TokenEnds() time.Time {
	at, err := time.Parse(time.DateOnly, v.TokenExpires)
	if err != nil {
		return time.Time{}
	}
	return at
}

// policies are what stands below a node whose restrictions cannot be read.
func policies() map[string]guard.OpaquePolicy {
	return map[string]guard.OpaquePolicy{"seal": guard.SealOpaque, "trust": guard.TrustOpaque, "verify": guard.VerifyOpaque}
}

// Defaults are the values of an integration about which nothing is said.
func Defaults() Values {
	return Values{Type: kind, UnsyncedVisibility: onlyAccount, Spaces: []string{}, OpaqueAncestors: "seal",
		ACLMaxAge: confluence.DefaultRightsAge, ACLHardMaxAge: confluence.DefaultRightsHardAge}
}

func (v Values) clone() Values {
	v.Spaces = slices.Clone(v.Spaces)
	return v
}

// with gives v with what the settings say, and the token if they say one.
func (v Values) with(s Settings) (Values, seal.Secret, error) {
	v = v.clone()
	take(&v.Type, s.Type)
	take(&v.Username, s.Username)
	if s.Token != nil {
		v.TokenExpires = "" // it was the old one's
	}
	take(&v.TokenExpires, s.TokenExpires)
	take(&v.EnableAccessRightsSync, s.EnableAccessRightsSync)
	take(&v.UnsyncedVisibility, s.UnsyncedVisibility)
	take(&v.ServiceWrites, s.ServiceWrites)
	take(&v.OpaqueAncestors, s.OpaqueAncestors)
	take(&v.HonourSuperGroup, s.HonourSuperGroup)
	take(&v.ACLMaxAge, s.ACLMaxAge)
	take(&v.ACLHardMaxAge, s.ACLHardMaxAge)
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
	if s.Space != nil || s.Spaces != nil { // those kept stay, though they were refused today
		if err := checkSpaces(v.Spaces); err != nil {
			return v, token, err
		}
	}
	return v, token, v.check()
}

func take[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

func (v Values) check() error {
	_, known := policies()[v.OpaqueAncestors]
	_, _, ages := confluence.RightsAges(v.ACLMaxAge, v.ACLHardMaxAge)
	switch {
	case v.Type != kind:
		return wrong("The type is not confluence", `Send "confluence": nothing else can be connected.`)
	case v.UnsyncedVisibility != onlyAccount && v.UnsyncedVisibility != everybody:
		return wrong("The unsyncedVisibility is neither connected-admin-only nor public", "Leave it out for connected-admin-only.")
	case !known:
		return wrong("The opaqueAncestors is none of seal, trust and verify", "Leave it out for seal.")
	case ages != nil:
		return wrong(ages.Error(), "Leave both out for 24h and 168h.")
	case len(v.Username) > 320 || strings.ContainsAny(v.Username, ":\r\n"):
		return wrong("The username is no account's e-mail address", "Send the address the API token belongs to.")
	case v.TokenExpires != "" && v.TokenEnds().IsZero():
		return wrong("The tokenExpires is no date", "Send for example 2027-01-31, as the page where the token was made shows it.")
	}
	return checkAddress(v.BaseURL)
}

func checkSpaces(keys []string) error {
	switch {
	case len(keys) > maxSpaces:
		return wrong("There are more than 1000 spaces", "Leave spaces out to mirror all.")
	case slices.ContainsFunc(keys, func(k string) bool { return !confluence.IsSpaceKey(k) }):
		return wrong("The list of spaces holds something that is no space key", `Send keys such as "ENG", of letters and digits; personal spaces (~) are not mirrored.`)
	}
	return nil
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
