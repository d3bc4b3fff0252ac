package ingest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The report of a space is kept in the mirror: it has an end.
func TestTheReportOfASpaceIsBounded(t *testing.T) {
	r := &spaceReport{Nodes: 1000, Problems: make([]Problem, mostProblems+50)}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(text, &out))
	assert.Len(t, out["problems"], mostProblems)
	assert.Equal(t, float64(50), out["problems_left_out"])
	assert.Equal(t, float64(1000), out["nodes"])
	assert.Len(t, r.Problems, mostProblems+50, "the pass counts all of them")
}
