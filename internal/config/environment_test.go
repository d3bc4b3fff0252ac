package config_test

import (
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
