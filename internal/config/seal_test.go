package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
)

func TestSealSection(t *testing.T) {
	env := map[string]string{"MASTER": "confluence-mcp-key-1 id key"}
	for name, c := range map[string]struct {
		text string
		want config.Seal
	}{
		"nothing": {"data_dir: d", config.Seal{}},
		"file":    {"seal: {provider: file, key_file: keys/seal.key}", config.Seal{Provider: "file", KeyFile: "etc/keys/seal.key"}},
		"vault":   {"seal: {provider: azurekv, vault_url: \"https://acme.vault.azure.net\", vault_key: tokens}", config.Seal{Provider: "azurekv", VaultURL: "https://acme.vault.azure.net", VaultKey: "tokens"}},
		"keyring": {"seal: {provider: keyring}", config.Seal{Provider: "keyring"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(source("etc/c.yaml", env, map[string]string{"etc/c.yaml": c.text + "\n"}))
			require.NoError(t, err)
			assert.Equal(t, c.want, got.Seal)
		})
	}
	got, err := config.Load(source("etc/c.yaml", env, map[string]string{"etc/c.yaml": "seal: {provider: environment, key: \"${MASTER}\"}\n"}))
	require.NoError(t, err)
	assert.Equal(t, env["MASTER"], got.Seal.Key.Reveal())

	for name, text := range map[string]string{
		"key in clear":     "seal: {provider: environment, key: confluence-mcp-key-1 id key}",
		"unknown provider": "seal: {provider: cloud}",
		"unset variable":   "seal: {provider: environment, key: \"${NOBODY}\"}",
		"plain vault":      "seal: {provider: azurekv, vault_url: \"http://acme.vault.azure.net\"}",
		"unknown member":   "seal: {file: x}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(source("etc/c.yaml", env, map[string]string{"etc/c.yaml": text + "\n"}))
			assert.Equal(t, confluence.Invalid, confluence.KindOf(err))
		})
	}
}
