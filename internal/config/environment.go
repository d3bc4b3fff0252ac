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
	EnvURL      = "CONFLUENCE_URL"
	EnvUsername = "CONFLUENCE_USERNAME"
	EnvAPIToken = "CONFLUENCE_API_TOKEN"      // Cloud
	EnvPAT      = "CONFLUENCE_PERSONAL_TOKEN" // Data Center
	EnvReadOnly = "READ_ONLY_MODE"
	EnvSpaces   = "CONFLUENCE_SPACES_FILTER" // comma-separated keys
)

// environment adds what the environment says. A file's integrations come
// first: with any of them, the CONFLUENCE_ variables are not looked at.
// READ_ONLY_MODE always counts, because it can only narrow.
func (s Source) environment(c *Config) error {
	readOnly, err := boolean(s.Getenv(EnvReadOnly))
	if err != nil {
		return invalid(EnvReadOnly+": "+err.Error(), "Set it to true or false, or unset it.", err)
	}
	c.ReadOnly = readOnly
	if len(c.Integrations) > 0 || s.Getenv(EnvURL) == "" {
		return nil
	}
	if holdsCredentials(s.Getenv(EnvURL)) {
		return invalid(EnvURL+" holds a user name or password", "Write the address alone; set "+EnvUsername+" and "+EnvAPIToken+" beside it.", nil)
	}
	i := Integration{Name: DefaultIntegration, BaseURL: s.Getenv(EnvURL), UnsyncedVisibility: visibilityAdminOnly, Spaces: split(s.Getenv(EnvSpaces)),
		OpaqueAncestors: opaqueSeal, ACLMaxAge: confluence.DefaultRightsAge, ACLHardMaxAge: confluence.DefaultRightsHardAge}
	if s.Getenv(EnvSpaces) != "" && len(i.Spaces) == 0 { // none named must not mean all
		return invalid(EnvSpaces+" is set, but names no space", "Set it to space keys with commas between, or unset it for all spaces.", nil)
	}
	if slices.ContainsFunc(i.Spaces, func(k string) bool { return !confluence.IsSpaceKey(k) }) {
		return invalid(EnvSpaces+" holds something that is no space key", "Set it to keys such as ENG, of letters and digits, with commas between; personal spaces (~) are not mirrored.", nil)
	}
	switch api, pat := s.Getenv(EnvAPIToken), s.Getenv(EnvPAT); {
	case api != "" && s.Getenv(EnvUsername) == "":
		return invalid(EnvAPIToken+" is set, "+EnvUsername+" is not", "Set "+EnvUsername+" to the e-mail address the API token belongs to.", nil)
	case api != "":
		i.Username, i.Token = s.Getenv(EnvUsername), seal.NewSecret(api)
	case pat != "":
		i.Token = seal.NewSecret(pat)
	default:
		return invalid(EnvURL+" is set, but no token", "Set "+EnvUsername+" and "+EnvAPIToken+" (Cloud), or "+EnvPAT+" (Data Center).", nil)
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
