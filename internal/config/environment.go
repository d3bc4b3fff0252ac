package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
)

// Environment names that users of other Confluence MCP servers already have.
const (
	envURL      = "CONFLUENCE_URL"
	envUsername = "CONFLUENCE_USERNAME"
	envAPIToken = "CONFLUENCE_API_TOKEN"      // Cloud
	envPAT      = "CONFLUENCE_PERSONAL_TOKEN" // Data Center
	envReadOnly = "READ_ONLY_MODE"
	envSpaces   = "CONFLUENCE_SPACES_FILTER" // comma-separated keys
)

// environment adds what the environment says. A file's integrations come
// first: with any of them, the CONFLUENCE_ variables are not looked at.
// READ_ONLY_MODE always counts, because it can only narrow.
func (s Source) environment(c *Config) error {
	readOnly, err := boolean(s.Getenv(envReadOnly))
	if err != nil {
		return invalid(envReadOnly+": "+err.Error(), "Set it to true or false, or unset it.", err)
	}
	c.ReadOnly = readOnly
	if len(c.Integrations) > 0 || s.Getenv(envURL) == "" {
		return nil
	}
	if holdsCredentials(s.Getenv(envURL)) {
		return invalid(envURL+" holds a user name or password", "Write the address alone; set "+envUsername+" and "+envAPIToken+" beside it.", nil)
	}
	i := Integration{Name: defaultIntegration, BaseURL: s.Getenv(envURL), UnsyncedVisibility: visibilityAdminOnly, Spaces: split(s.Getenv(envSpaces)),
		OpaqueAncestors: opaqueSeal, ACLMaxAge: confluence.DefaultRightsAge, ACLHardMaxAge: confluence.DefaultRightsHardAge}
	if s.Getenv(envSpaces) != "" && len(i.Spaces) == 0 { // none named must not mean all
		return invalid(envSpaces+" is set, but names no space", "Set it to space keys with commas between, or unset it for all spaces.", nil)
	}
	if slices.ContainsFunc(i.Spaces, func(k string) bool { return !confluence.IsSpaceKey(k) }) {
		return invalid(envSpaces+" holds something that is no space key", "Set it to keys such as ENG, of letters and digits, with commas between; personal spaces (~) are not mirrored.", nil)
	}
	switch api, pat := s.Getenv(envAPIToken), s.Getenv(envPAT); {
	case api != "" && s.Getenv(envUsername) == "":
		return invalid(envAPIToken+" is set, "+envUsername+" is not", "Set "+envUsername+" to the e-mail address the API token belongs to.", nil)
	case api != "":
		i.Username, i.Token = s.Getenv(envUsername), seal.NewSecret(api)
	case pat != "":
		i.Token = seal.NewSecret(pat)
	default:
		return invalid(envURL+" is set, but no token", "Set "+envUsername+" and "+envAPIToken+" (Cloud), or "+envPAT+" (Data Center).", nil)
	}
	c.Integrations = append(c.Integrations, i)
	return nil
}

// boolean reads a switch; anything but a clear yes or no is an error, because
// a mistyped READ_ONLY_MODE must not mean "writes allowed".
func boolean(v string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "", "no", "off":
		return false, nil
	case "yes", "on":
		return true, nil
	}
	b, err := strconv.ParseBool(strings.TrimSpace(v))
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v)
	}
	return b, nil
}

func split(list string) []string {
	var out []string
	for _, k := range strings.Split(list, ",") {
		if k = strings.TrimSpace(k); k != "" {
			out = append(out, k)
		}
	}
	return out
}
