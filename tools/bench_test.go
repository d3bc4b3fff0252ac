package tools_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
	"confluence-mcp/tools"
)

// BenchmarkNew is the catalogue's part of the start of the program.
func BenchmarkNew(b *testing.B) {
	set, err := policy.Load(policies.FS)
	require.NoError(b, err)
	for b.Loop() {
		_, err := tools.New(tools.Config{Sites: sites{}, Policy: set, Log: &record{}, Now: time.Now})
		require.NoError(b, err)
	}
}

// BenchmarkCall is the gate around a read that costs nothing itself.
func BenchmarkCall(b *testing.B) {
	set, err := policy.Load(policies.FS)
	require.NoError(b, err)
	cat, err := tools.New(tools.Config{Sites: sites{site: newFake()}, Policy: set, Log: &record{}, Now: time.Now, Limits: tools.Limits{CallsPerMinute: 1e9}})
	require.NoError(b, err)
	for b.Loop() {
		result, known := cat.Call(context.Background(), ann(), "confluence_get_space", json.RawMessage(`{"space_key":"ENG"}`), nil)
		require.True(b, known)
		require.False(b, result.IsError)
	}
}
