package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
)

// Inside the package: which integration a caller means is decided here alone.
func TestIntegrationIsNamedByNameOrID(t *testing.T) {
	s := &sites{all: []*integration{{id: 1, settings: config.Integration{Name: "acme"}}, {id: 2, settings: config.Integration{Name: "1"}}}}
	for name, want := range map[string]int64{"acme": 1, "1": 2, "2": 2} { // a name counts before an id
		i, err := s.integration(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, i.id, name)
	}
	for _, name := range []string{"", "3", "01", "ACME"} {
		_, err := s.integration(name)
		assert.Error(t, err, name)
	}
}
