package rest_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
)

// A page is asked for: that there is no blog post of the id either is not what
// the caller wants to hear.
func TestMissingPageIsCalledAPage(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wiki/rest/api/user/current" { // the credentials are good
			reply(w, 200, `{"type":"known","accountId":"a"}`)
			return
		}
		reply(w, 404, `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found"}]}`)
	})
	_, err := f.client(t).Page(context.Background(), "99", confluence.PageOptions{})
	var e *confluence.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, confluence.NotFound, e.Kind)
	assert.Equal(t, "page 99", e.Ref)
}
