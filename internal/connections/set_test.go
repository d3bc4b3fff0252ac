package connections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/connections"
	"confluence-mcp/internal/seal"
)

func spec(id int64, name string) connections.Spec {
	return connections.Spec{ID: id, Name: name, BaseURL: "http://127.0.0.1:1/wiki", Username: "bot@acme.test", Token: seal.NewSecret("a token")}
}

func TestIntegrationIsNamedByNameOrID(t *testing.T) {
	s := connections.New(rest.Config{})
	require.NoError(t, s.Put(context.Background(), spec(1, "acme")))
	id, err := s.ID("")
	require.NoError(t, err, "there is only one")
	assert.EqualValues(t, 1, id)
	require.NoError(t, s.Put(context.Background(), spec(2, "1")))
	for name, want := range map[string]int64{"acme": 1, "1": 2, "2": 2} { // a name counts before an id
		id, err := s.ID(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, id, name)
	}
	for _, name := range []string{"", "3", "01", "ACME"} {
		assert.Error(t, s.Check(name), name)
	}
}

func TestAsIsTakenApart(t *testing.T) {
	s := connections.New(rest.Config{})
	require.NoError(t, s.Put(context.Background(), spec(7, "acme")))
	for as, want := range map[string][2]string{
		"ann":                {"", "ann"},
		"acme:ann":           {"acme", "ann"},
		"7:ann":              {"acme", "ann"},
		"557058:uuid":        {"", "557058:uuid"},
		"acme:557058:uuid":   {"acme", "557058:uuid"},
		":ann":               {"", ":ann"},
		"elsewhere:557058:a": {"", "elsewhere:557058:a"},
	} {
		integration, user := s.SplitAs(as)
		assert.Equal(t, want, [2]string{integration, user}, as)
	}
}

func TestIntegrationWithoutToken(t *testing.T) {
	s := connections.New(rest.Config{})
	err := s.Put(context.Background(), connections.Spec{ID: 1, Name: "acme", BaseURL: "http://127.0.0.1:1/wiki"})
	var known *confluence.Error
	require.ErrorAs(t, err, &known)
	assert.Equal(t, "auth.not_connected", known.Code)
	assert.Contains(t, known.Next, "connect --integration acme")
	assert.Zero(t, s.Len())
}
