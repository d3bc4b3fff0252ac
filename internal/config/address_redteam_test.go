package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

// TestD02_K01_AddressWithAPasswordIsRefusedAtLoad: addresses are printed, so no
// secret stands in one, and the refusal does not repeat it.
func TestD02_K01_AddressWithAPasswordIsRefusedAtLoad(t *testing.T) {
	const canary = "canary-0c5e"
	for _, address := range []string{"https://bot:" + canary + "@acme.example/wiki", "https://" + canary + "@acme.example/wiki", "https://bot:" + canary + "%zz@acme.example/wiki", "http://bot:" + canary + "@127.0.0.1:80@acme.example"} {
		for name, load := range map[string]config.Source{
			"file":               source("c.yaml", nil, map[string]string{"c.yaml": "integrations:\n  - {name: a, baseUrl: \"" + address + "\"}\n"}),
			"variable of a file": source("c.yaml", map[string]string{"U": address}, map[string]string{"c.yaml": "integrations:\n  - {name: a, baseUrl: \"${U}\"}\n"}),
			"environment":        source("", map[string]string{"CONFLUENCE_URL": address, "CONFLUENCE_USERNAME": "u", "CONFLUENCE_API_TOKEN": "t"}, nil),
		} {
			t.Run(name, func(t *testing.T) {
				_, err := config.Load(load)
				require.Error(t, err)
				assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
				assert.NotContains(t, err.Error(), canary)
			})
		}
	}
}
