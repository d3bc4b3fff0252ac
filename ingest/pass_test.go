package ingest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/store/mirror"
)

// Everybody sees in the mirror what the emulated site itself shows him.
func TestAFullPassOfTheSampleSite(t *testing.T) {
	b := newBox(t, nil)
	r := b.pass(true)
	assert.Equal(t, 3, r.Spaces)
	assert.Equal(t, 4, r.Groups)
	for id, want := range map[string][]string{
		"u-ann": {"1000", "1001", "1002", "1005", "1006", "1100", "3000", "3001", "3002"},
		"u-bob": {"1000", "1001", "1005", "1006", "1100", "2000", "3000", "3001"},
		"u-cid": {"1000", "1001", "1002", "1003", "1005", "1006", "1100", "3000", "3001", "3002"},
		"u-dan": {"3000", "3001", "3002"},
		"u-eve": {"3000", "3001"},
		"u-gus": {"3000", "3001"},
		"u-hal": {"1000", "1001", "1006", "1100", "2000", "3000", "3001"},
		"u-bot": {"1000", "1001", "1002", "1003", "1005", "1006", "1100", "2000", "3000", "3001", "3002"},
		"zzz":   {"3000", "3001"},
	} {
		assert.ElementsMatch(t, want, b.seen(who(id)), id)
	}
	assert.ElementsMatch(t, []string{"3000", "3001"}, b.seen(public()))

	page, err := b.Mirror.Page(t.Context(), who("u-ann"), mirror.Ref{ID: "1001"})
	require.NoError(t, err)
	assert.Equal(t, "Runbook", page.Title)
	assert.Equal(t, 3, page.Version.Number)
	assert.ElementsMatch(t, []string{"runbook", "ops"}, page.Labels)
	assert.Contains(t, page.Text, "# Restart the pump")
	assert.Contains(t, page.Body, "<ac:structured-macro")
	files, err := b.Mirror.Attachments(t.Context(), who("u-ann"), mirror.Ref{ID: "1001"})
	require.NoError(t, err)
	assert.Len(t, files, 2)
}
