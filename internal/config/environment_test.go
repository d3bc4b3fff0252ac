package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

// A filter that names nothing is a mistake, and must not open every space.
func TestSpacesFilterThatNamesNothing(t *testing.T) {
	env := map[string]string{"CONFLUENCE_URL": "https://a.example", "CONFLUENCE_PERSONAL_TOKEN": "t"}
	for filter, want := range map[string][]string{"": nil, "ENG": {"ENG"}, " ENG,,OPS, ": {"ENG", "OPS"}} {
		env["CONFLUENCE_SPACES_FILTER"] = filter
		c, err := config.Load(source("", env, nil))
		require.NoError(t, err, filter)
		assert.Equal(t, want, c.Integrations[0].Spaces, filter)
	}
	for _, filter := range []string{",", " ", " , ,"} {
		env["CONFLUENCE_SPACES_FILTER"] = filter
		_, err := config.Load(source("", env, nil))
		assert.Equal(t, confluence.Invalid, confluence.KindOf(err), filter)
	}
}

// A list of spaces that names none must not open every space, and what is a key is
// the same in the file, in the environment and in a request.
func TestSpaceKeysInTheFile(t *testing.T) {
	load := func(spaces string) (config.Config, error) {
		text := "integrations:\n  - {name: acme, baseUrl: \"https://a.example\", spaces: " + spaces + "}\n"
		return config.Load(source("c.yaml", nil, map[string]string{"c.yaml": text}))
	}
	_, err := load("[]")
	require.Error(t, err)
	assert.Contains(t, err.Error(), "integrations.0.spaces: the list is empty (keys of the spaces to serve; leave it out for all)")
	for key, good := range map[string]bool{"ENG": true, "eng2": true, strings.Repeat("K", 255): true, strings.Repeat("K", 256): false, "~ann": false,
		"ENG-1": false, "A_B": false, "a.b": false, "": false, "ENG\n": false, "É": false} {
		quoted, err := json.Marshal([]string{key})
		require.NoError(t, err)
		_, err = load(string(quoted))
		assert.Equal(t, good, err == nil, "%q: %v", key, err)
		assert.Equal(t, good, confluence.IsSpaceKey(key), key)
		env := map[string]string{"CONFLUENCE_URL": "https://a.example", "CONFLUENCE_PERSONAL_TOKEN": "t", "CONFLUENCE_SPACES_FILTER": "OPS," + key}
		_, err = config.Load(source("", env, nil))
		assert.Equal(t, good || strings.TrimSpace(key) != key || key == "", err == nil, "%q: %v", key, err)
	}
	_, err = load(`["~ann"]`)
	assert.ErrorContains(t, err, "personal spaces (~) are not mirrored")
}
