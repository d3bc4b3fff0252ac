package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

func TestIntegrationsAreKept(t *testing.T) {
	ctx, p := context.Background(), open(t, t.TempDir())
	ofFile, err := p.IntegrationID(ctx, "file")
	require.NoError(t, err)

	keys, err := seal.Choice{Provider: seal.EnvironmentKey, Key: seal.NewKeyText()}.Open()
	require.NoError(t, err)
	ring, err := seal.OpenRing(ctx, keys, p)
	require.NoError(t, err)
	id, err := p.IntegrationID(ctx, "acme")
	require.NoError(t, err)
	sealed, err := ring.Seal(store.IntegrationToken(id), seal.NewSecret("a token"))
	require.NoError(t, err)
	made, err := p.AddIntegration(ctx, "acme", []byte(`{"baseUrl":"https://acme.test"}`), sealed)
	require.NoError(t, err)
	assert.Equal(t, id, made)
	assert.NotEqual(t, ofFile, id)

	all, err := p.Integrations(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1, "one of the file is not among them")
	assert.Equal(t, "acme", all[0].Name)
	assert.Equal(t, sealed, all[0].Token)

	_, err = p.AddIntegration(ctx, "acme", []byte(`{}`), nil)
	assert.Equal(t, confluence.Conflict, confluence.KindOf(err))

	require.NoError(t, p.ChangeIntegration(ctx, id, []byte(`{"spaces":["ENG"]}`), nil))
	all, err = p.Integrations(ctx)
	require.NoError(t, err)
	assert.JSONEq(t, `{"spaces":["ENG"]}`, string(all[0].Settings))
	assert.Equal(t, sealed, all[0].Token, "what is not given stays")

	require.NoError(t, p.RemoveIntegration(ctx, id))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(p.RemoveIntegration(ctx, id)))
	assert.Equal(t, confluence.NotFound, confluence.KindOf(p.ChangeIntegration(ctx, id, []byte(`{}`), nil)))
	again, err := p.AddIntegration(ctx, "acme", []byte(`{}`), nil)
	require.NoError(t, err)
	assert.Equal(t, id, again, "an id stays with its name")
	all, err = p.Integrations(ctx)
	require.NoError(t, err)
	assert.Empty(t, all[0].Token, "and the token is gone")
}

func TestIntegrationIsStoredWholeOrNotAtAll(t *testing.T) {
	ctx, p := context.Background(), open(t, t.TempDir())
	_, err := p.AddIntegration(ctx, "acme", []byte(`{}`), []byte("under no key"))
	require.Error(t, err)
	all, err := p.Integrations(ctx)
	require.NoError(t, err)
	assert.Empty(t, all)
}
