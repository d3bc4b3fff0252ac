package rest_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/emulatortest"
)

func TestPagesByIDAreReadInOneRequest(t *testing.T) {
	e := emulatortest.Start(t)
	c := as(t, e, "u-bob")
	before := len(e.Requests(0))
	pages, err := c.PagesByID(ctx, []string{"1000", "1001", "1002", "1100", "999999"}, confluence.TypePage)
	require.NoError(t, err)
	assert.Equal(t, []string{"1000", "1001"}, slices.Sorted(maps.Keys(pages)), "what bob may not see, a blog post and nothing are missing")
	assert.Equal(t, 3, pages["1001"].Version.Number)
	assert.Equal(t, "ENG", pages["1001"].SpaceKey)
	assert.Empty(t, pages["1001"].Body)
	assert.LessOrEqual(t, len(e.Requests(0))-before, 2, "the pages, and the key of their space")

	posts, err := c.PagesByID(ctx, []string{"1100"}, confluence.TypeBlogPost)
	require.NoError(t, err)
	assert.Equal(t, confluence.TypeBlogPost, posts["1100"].Type)

	_, err = c.PagesByID(ctx, []string{"1,2"}, confluence.TypePage)
	code(t, err, confluence.Invalid, "input.id")
	none, err := c.PagesByID(ctx, nil, confluence.TypePage)
	require.NoError(t, err)
	assert.Empty(t, none)
}
