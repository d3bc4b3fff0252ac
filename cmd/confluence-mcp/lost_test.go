package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/oauth"
)

// integration is acme as REST shows it.
func (p *product) integration() map[string]any {
	p.t.Helper()
	status, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme", "")
	require.Equal(p.t, http.StatusOK, status, out)
	return out
}

// consents makes a person consent elsewhere to fewer scopes, which is what then
// counts for every token of the app.
func consents(t *testing.T, gateway, user string, scope string) {
	t.Helper()
	q := url.Values{"audience": {"api.atlassian.com"}, "client_id": {"emulator-client"}, "scope": {scope}, "redirect_uri": {"http://127.0.0.1:1/oauth/callback"},
		"state": {"x"}, "response_type": {"code"}, "prompt": {"consent"}, "emulator_user": {user}, "emulator_site": {cloudA}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway+"/authorize?"+q.Encode(), nil)
	require.NoError(t, err)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusFound, res.StatusCode)
}

// TestWhatIsLostLaterIsSealed: rights that could be read when the integration
// was connected and cannot be any more hide what they decide about, and it comes
// back with them.
func TestWhatIsLostLaterIsSealed(t *testing.T) {
	const most = "offline_access read:page:confluence read:comment:confluence read:attachment:confluence read:folder:confluence read:content.metadata:confluence " +
		"read:hierarchical-content:confluence search:confluence read:confluence-user"
	fault := func(match string) func(*testing.T, *emulatortest.Emulator) {
		return func(_ *testing.T, e *emulatortest.Emulator) {
			e.Apply(`{"kind":"fault","match":"` + match + `","action":{"status":403},"times":9999}`)
		}
	}
	clear := func(_ *testing.T, e *emulatortest.Emulator) { e.Apply(`{"kind":"fault","clear":true}`) }
	for name, c := range map[string]struct {
		lose, regain func(*testing.T, *emulatortest.Emulator)
		says         string
	}{
		"groups":            {fault("GET /*/rest/api/group"), clear, "list groups"},
		"members of groups": {fault("GET /*/rest/api/group/*"), clear, "the members of group"},
		"who may view":      {fault("GET /*/api/v2/spaces/*/*"), clear, "auth.forbidden"},
		"restrictions":      {fault("GET /*/rest/api/content*"), clear, "sealed"},
		"scopes": {func(t *testing.T, e *emulatortest.Emulator) { consents(t, e.Gateway, "u-bot", most) },
			func(t *testing.T, e *emulatortest.Emulator) {
				consents(t, e.Gateway, "u-bot", strings.Join(oauth.Scopes(oauth.Need{Group: "pages", Action: "read"}, oauth.Need{Group: "spaces", Action: "read"}, oauth.Need{Group: "search", Action: "read"},
					oauth.Need{Group: "users", Action: "read"}, oauth.Need{Group: "attachments", Action: "read"}, oauth.RightsSync()), " "))
			}, "auth.scope"},
	} {
		t.Run(name, func(t *testing.T) {
			p, sites := linked(t)
			p.serveLinked()
			status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
			require.Equal(t, http.StatusOK, status, page)
			p.finds("u-bob", "Beacon of A")
			p.settle()
			c.lose(t, sites)
			status, out := p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync?full=true", "")
			require.Contains(t, []int{http.StatusOK, http.StatusAccepted, http.StatusForbidden}, status, out)
			p.finds("u-bob")
			said, err := json.Marshal([]any{p.integration()["sync"], out})
			require.NoError(t, err)
			assert.Contains(t, string(said), c.says)
			c.regain(t, sites)
			p.api(opsKey, http.MethodPost, "/api/integrations/acme/sync?full=true", "")
			p.finds("u-bob", "Beacon of A")
		})
	}
}
