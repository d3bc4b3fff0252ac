package ingest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/ingest"
)

// How long something took, and how old it is, says its unit.
func TestReportsNameTheirUnits(t *testing.T) {
	s := ingest.Status{State: ingest.StateIdle, Age: 95*time.Second + 300*time.Millisecond, Nodes: 7,
		Last: ingest.Report{Took: 1234567 * time.Microsecond, Spaces: 2, Problems: []ingest.Problem{{Code: "x"}}}}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(text, &out))
	assert.Equal(t, float64(95), out["age_seconds"])
	assert.NotContains(t, out, "age")
	assert.Equal(t, float64(7), out["nodes"])
	assert.Equal(t, "idle", out["state"])
	last := out["last"].(map[string]any)
	assert.Equal(t, float64(1234), last["took_ms"])
	assert.NotContains(t, last, "took")
	assert.Equal(t, float64(2), last["spaces"])
	assert.Len(t, last["problems"], 1)
}
