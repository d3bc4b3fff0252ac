package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"confluence-mcp/policies"
	"confluence-mcp/policy"
)

func BenchmarkLoadShipped(b *testing.B) {
	for b.Loop() {
		_, err := policy.Load(policies.FS)
		require.NoError(b, err)
	}
}

func BenchmarkLoad100Rules(b *testing.B) {
	var rules strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rules, "  - {id: r%d, when: 'resource.space_key in [\"HR%d\"] && change.removed_ratio > 0.5', effect: deny}\n", i, i)
	}
	files := fstest.MapFS{"open.yaml": {Data: []byte(openGroups + "rules:\n" + rules.String())}}
	for b.Loop() {
		_, err := policy.Load(files)
		require.NoError(b, err)
	}
}
