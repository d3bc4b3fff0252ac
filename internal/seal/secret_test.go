package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/seal"
)

const canary = "canary-7f3a9"

func TestSecretNeverPrints(t *testing.T) {
	s := seal.NewSecret(canary)
	held := struct {
		Token   seal.Secret
		Pointer *seal.Secret
	}{s, &s}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d", "%20s", "%t"} {
		assert.NotContains(t, fmt.Sprintf(verb, s), canary, verb)
		assert.NotContains(t, fmt.Sprintf(verb, held), canary, verb)
		assert.NotContains(t, fmt.Sprintf(verb, []seal.Secret{s}), canary, verb)
	}
	assert.Equal(t, "redacted", s.String())
	assert.Equal(t, "redacted", fmt.Sprintf("%#v", s))
	assert.NotContains(t, fmt.Errorf("with %v: %w", s, errors.New("x")).Error(), canary)
}

func TestSecretNeverEncodes(t *testing.T) {
	s := seal.NewSecret(canary)
	out, err := json.Marshal(map[string]any{"token": s, "list": []seal.Secret{s}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"token":"redacted","list":["redacted"]}`, string(out))
	keyed, err := json.Marshal(map[seal.Secret]int{s: 1})
	require.NoError(t, err)
	assert.JSONEq(t, `{"redacted":1}`, string(keyed))

	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("connected", "token", s, slog.Group("g", "token", &s))
		assert.NotContains(t, b.String(), canary)
		assert.Contains(t, b.String(), "redacted")
	}
}

func TestSecretReveals(t *testing.T) {
	assert.Equal(t, canary, seal.NewSecret(canary).Reveal())
	assert.False(t, seal.NewSecret(canary).Empty())
	assert.True(t, seal.Secret{}.Empty())
}
