package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/identity"
)

func TestTraceParentsAreReadStrictly(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	good := "00-" + id + "-00f067aa0ba902b7-01"
	for _, parent := range []string{good, "01" + good[2:], "cc" + good[2:] + "-more", "00-" + id + "-00f067aa0ba902b7-00"} {
		assert.Equal(t, id, identity.TraceID(parent), parent)
	}
	for _, parent := range []string{
		"", id, good[:54], good + "-", good + "x", "ff" + good[2:], "cc" + good[2:] + "more", "0g" + good[2:],
		"00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "00-" + id + "-0000000000000000-01",
		strings.ReplaceAll(good, "-", "_"), " " + good, good + "\n", "cc" + good[2:] + "-" + strings.Repeat("x", 1000), "00-" + id[:31] + "é" + "-0f067aa0ba902b7-01",
	} {
		assert.Empty(t, identity.TraceID(parent), parent)
	}
	assert.True(t, identity.IsTraceID(id))
	for _, no := range []string{"", id[:31], id + "0", strings.Repeat("0", 32), strings.ToUpper(id)} {
		assert.False(t, identity.IsTraceID(no), no)
	}
}
