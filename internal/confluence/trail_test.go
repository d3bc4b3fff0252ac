package confluence_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"confluence-mcp/internal/confluence"
)

func TestTrailKeepsIDsAndNothingElse(t *testing.T) {
	answer := func(status int, id string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Atl-Traceid": {id}}}
	}
	confluence.NoteExchange(context.Background(), answer(200, "x")) // nobody follows
	ctx, trail := confluence.Follow(context.Background())
	for i := range 20 {
		confluence.NoteExchange(ctx, answer(200, "id-"+strconv.Itoa(i)))
	}
	for _, bad := range []string{"", "a b", "a\nb", `a"b`, "<b>", "ümlaut", strings.Repeat("x", 65)} {
		confluence.NoteExchange(ctx, answer(503, bad))
	}
	requests, status, ids := trail.Seen()
	assert.Equal(t, 27, requests)
	assert.Equal(t, 503, status)
	assert.Len(t, ids, 16)
	assert.Equal(t, "id-19", ids[15])
	confluence.NoteExchange(ctx, nil)
	_, status, _ = trail.Seen()
	assert.Zero(t, status, "no answer came")
}
