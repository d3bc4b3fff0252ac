package rest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/tools"
)

// The client is what the tools ask for.
var _ tools.Site = (*rest.Client)(nil)

// TestTemplateSaysItsSpace: a template of a space is never taken for one of the
// site, even where the space is only pointed at.
func TestTemplateSaysItsSpace(t *testing.T) {
	for name, c := range map[string]struct{ told, key, kind string }{
		"in a space":      {`"space":{"key":"HR","type":"global"},"labels":[{"prefix":"global","name":"howto"}],`, "HR", "global"},
		"only pointed at": {`"labels":[{"name":"howto"}],"_expandable":{"body":"","space":"/rest/api/space/~ann"},`, "~ann", ""},
		"escaped":         {`"labels":[{"name":"howto"}],"_expandable":{"body":"","space":"/rest/api/space/%7Eann"},`, "~ann", ""},
		"escaped wrongly": {`"labels":[{"name":"howto"}],"_expandable":{"body":"","space":"/rest/api/space/%7"},`, "%7", ""},
		"of the site":     {`"labels":[{"name":"howto"}],"_expandable":{"body":""},`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				reply(w, http.StatusOK, `{"templateId":"7",`+c.told+`"name":"Minutes","body":{"storage":{"value":"<p>x</p>"}}}`)
			})
			got, err := f.client(t).Template(t.Context(), "7")
			require.NoError(t, err)
			assert.Equal(t, confluence.Template{ID: "7", Name: "Minutes", SpaceKey: c.key, SpaceType: c.kind, Labels: []string{"howto"}, Body: "<p>x</p>"}, got)
		})
	}
}
