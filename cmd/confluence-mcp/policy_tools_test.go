package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/policy"
	"confluence-mcp/policy/profile"
	"confluence-mcp/tools"
)

// TestToolNamesSayTheirCell: profile tests and explain work a tool's cell out
// of its name; the catalogue must agree.
func TestToolNamesSayTheirCell(t *testing.T) {
	for _, tool := range tools.Every() {
		group, action, ok := profile.Cell(tool.Name)
		if tool.Group == "" {
			assert.False(t, ok, tool.Name)
			continue
		}
		assert.True(t, ok, tool.Name)
		assert.Equal(t, tool.Group, policy.Group(group), tool.Name)
		assert.Equal(t, tool.Action, policy.Action(action), tool.Name)
	}
}
