package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// TestEveryRouteTakesOneFromTheRate asks each operation of the document with a
// key of its own that may ask twice: one request after it is answered, and no
// second one, whether its body could be read or not.
func TestEveryRouteTakesOneFromTheRate(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	for n, o := range operations(t) {
		for m, body := range []string{`{}`, `{"own":`} {
			status, made := p.api(opsKey, http.MethodPost, "/api/agents", fmt.Sprintf(`{"name":"a-%d-%d","profile":"read-only","admin":true,"rate":0.0001,"burst":2}`, n, m))
			require.Equal(t, http.StatusCreated, status, made)
			key, _ := made["key"].(string)
			first := p.send(o.method, o.path, key, body, nil)
			assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError}, first.status, "%s: %s", o.pattern, first.body)
			assert.Equal(t, http.StatusOK, p.send(http.MethodGet, "/api/openapi.json", key, "", nil).status, "%s %s takes more than one", o.pattern, body)
			last := p.send(http.MethodGet, "/api/openapi.json", key, "", nil)
			assert.Equal(t, http.StatusTooManyRequests, last.status, "%s %s takes none", o.pattern, body)
			assert.Regexp(t, "^[1-9][0-9]*$", last.header.Get("Retry-After"))
		}
	}
}

// TestATokenThatConfluenceRefusesIsNoWrongKey: 401 is said of the asker's own key
// only, so that nobody exchanges a key that is good.
func TestATokenThatConfluenceRefusesIsNoWrongKey(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	const settings = `{"name":"other","settings":{"type":"confluence","baseUrl":"%s","username":"bot@acme.test","token":"%s","enableAccessRightsSync":true}}`
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", fmt.Sprintf(settings, site.URL, "wrong"))
	assert.Equal(t, http.StatusConflict, status, out)
	assert.Equal(t, "auth.credentials", codeOf(out))
	assert.Equal(t, http.StatusUnauthorized, p.send(http.MethodPost, "/api/integrations", "cmk_wrong", fmt.Sprintf(settings, site.URL, "wrong"), nil).status)
	status, out = p.api(opsKey, http.MethodGet, "/api/integrations/other", "")
	assert.Equal(t, http.StatusNotFound, status, out)
}
