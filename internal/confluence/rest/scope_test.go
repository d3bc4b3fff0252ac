package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/confluence/rest"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/internal/seal"
)

// TestEveryOperationNamesItsScope: a token with the scope that the allowlist
// names gets past Confluence's gate, and one without any does not.
func TestEveryOperationNamesItsScope(t *testing.T) {
	e := emulatortest.Start(t)
	every := everyScope()
	gated := func(token, method, path string, body bool) bool {
		sent := ""
		if body {
			sent = "{}"
		}
		req, err := http.NewRequestWithContext(ctx, method, e.Gateway+"/ex/confluence/"+e.CloudID+path, strings.NewReader(sent))
		require.NoError(t, err)
		req.SetBasicAuth(e.Email("u-ann"), token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode == http.StatusUnauthorized && strings.Contains(string(text), "scope does not match")
	}
	e.Apply(`{"kind":"token","user":"u-ann","token":"without","scopes":["read:me"]}`)
	for _, scope := range every {
		e.Apply(fmt.Sprintf(`{"kind":"token","user":"u-ann","token":"with-%s","scopes":["%s"]}`, scope, scope))
	}
	fill := strings.NewReplacer("{id}", "424242", "{att}", "att424242", "{key}", "NOPE", "{uuid}", "g-none", "{tree}", "pages", "{comments}", "footer-comments", "{position}", "append")
	for _, op := range rest.Operations() {
		t.Run(op.Method+" "+op.Template, func(t *testing.T) {
			if !strings.HasPrefix(op.Template, "/wiki/") {
				assert.Empty(t, op.Scope, "it is asked without a token")
				return
			}
			require.Contains(t, every, op.Scope, "a consent can hold it")
			assert.False(t, gated("with-"+op.Scope, op.Method, fill.Replace(op.Template), op.Body))
			assert.True(t, gated("without", op.Method, fill.Replace(op.Template), op.Body))
		})
	}
}

// everyScope is what a consent for everything asks for.
func everyScope() []string {
	var needs []oauth.Need
	for _, group := range []string{"search", "pages", "spaces", "attachments", "users"} {
		for _, action := range []string{"read", "create", "update", "delete"} {
			needs = append(needs, oauth.Need{Group: group, Action: action})
		}
	}
	return oauth.Scopes(append(needs, oauth.RightsSync())...)
}

func TestAMissingScopeIsNamed(t *testing.T) {
	e := emulatortest.Start(t)
	token, _ := e.Grant("u-ann", "read:page:confluence", "read:space:confluence", "read:confluence-user")
	c := newClient(t, rest.Config{BaseURL: e.Gateway + "/ex/confluence/" + e.CloudID, Auth: rest.Bearer, Token: seal.NewSecret(token)})
	for scope, ask := range map[string]func() error{
		"search:confluence":          func() error { _, err := c.Search(ctx, confluence.Search{CQL: "type = page"}); return err },
		"delete:page:confluence":     func() error { return c.DeletePage(ctx, "1001", "page") },
		"write:confluence-content":   func() error { _, err := c.AddLabels(ctx, "1001", []string{"x"}); return err },
		"read:attachment:confluence": func() error { _, err := c.Attachment(ctx, "att6002"); return err },
	} {
		err := ask()
		code(t, err, confluence.Denied, "auth.scope")
		assert.ErrorContains(t, err, "lacks a scope this operation needs: "+scope)
	}
}
