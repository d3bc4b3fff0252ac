package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/audit"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/store"
)

// TestAKeyMakesNoneThatOutlivesIt: an administrator whose key ends makes only
// keys that end no later.
func TestAKeyMakesNoneThatOutlivesIt(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken)
	before := len(site.Requests(0))
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	at := func(d time.Duration) string { return end.Add(d).Format(time.RFC3339) }
	status, out := p.api(opsKey, http.MethodPost, "/api/agents", `{"name":"brief","profile":"read-only","admin":true,"expires":"`+at(0)+`"}`)
	require.Equal(t, http.StatusCreated, status, out)
	brief, _ := out["key"].(string)
	for name, c := range map[string]struct {
		key, expires string
		status       int
		ends         string
	}{
		"later":               {brief, at(time.Second), http.StatusForbidden, ""},
		"years later":         {brief, at(9000 * time.Hour), http.StatusForbidden, ""},
		"as late":             {brief, at(0), http.StatusCreated, at(0)},
		"earlier":             {brief, at(-time.Minute), http.StatusCreated, at(-time.Minute)},
		"nothing is said":     {brief, "", http.StatusCreated, at(0)},
		"a key without end":   {opsKey, at(9000 * time.Hour), http.StatusCreated, at(9000 * time.Hour)},
		"and nothing is said": {opsKey, "", http.StatusCreated, ""},
	} {
		t.Run(name, func(t *testing.T) {
			agent := strings.ReplaceAll(name, " ", "-")
			status, out := p.api(c.key, http.MethodPost, "/api/agents", `{"name":"`+agent+`","profile":"read-only","admin":true,"expires":"`+c.expires+`"}`)
			require.Equal(t, c.status, status, out)
			list := p.send(http.MethodGet, "/api/agents", opsKey, "", nil).body
			if c.status != http.StatusCreated {
				assert.Equal(t, "auth.forbidden", codeOf(out))
				assert.NotContains(t, list, `"name":"`+agent+`"`, "nothing was kept")
				return
			}
			ends, _ := out["expires"].(string)
			assert.Equal(t, c.ends, ends)
		})
	}
	_, out = p.api(brief, http.MethodPost, "/api/agents", `{"name":"child","profile":"read-only","admin":true}`)
	child, _ := out["key"].(string)
	status, out = p.api(child, http.MethodPost, "/api/agents", `{"name":"grandchild","profile":"read-only","expires":"`+at(time.Hour)+`"}`)
	assert.Equal(t, http.StatusForbidden, status, out)
	assert.Len(t, site.Requests(before), 0, "Confluence was not asked")
}

// TestWhatIsNotRecordedIsNotChanged: without its line in the log no change is
// made.
func TestWhatIsNotRecordedIsNotChanged(t *testing.T) {
	ctx := context.Background()
	s, err := store.OpenPrecious(ctx, t.TempDir(), time.Now)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	done := false
	err = changes{log: s, now: time.Now}.make(ctx, atShell(), change{agentAdded, anAgent, "x"}, func() error { done = true; return nil })
	require.Error(t, err)
	assert.Contains(t, err.Error(), "not made")
	assert.False(t, done)
}

// TestNamesInTheLogAreCleaned: a name is written down before it is judged.
func TestNamesInTheLogAreCleaned(t *testing.T) {
	assert.Equal(t, "acme?[31m?", named("acme\x1b[31m\u202e"))
	assert.Len(t, []rune(named(strings.Repeat("é", 5000))), longestName)
	assert.Equal(t, "a?b", named("a\xffb"))
}

// changesIn are the changes of a stopped product's log: deed, what it was done
// to, and how it ended.
func (p *product) changesIn() []string {
	p.t.Helper()
	var out []string
	for _, r := range p.audit() {
		if strings.Contains(r.Entry.Tool, ".") {
			out = append(out, strings.TrimSpace(strings.Join([]string{r.Entry.Principal, r.Entry.Tool, r.Entry.ResourceType, r.Entry.ResourceID, r.Outcome.Result, r.Outcome.ErrorCode}, " ")))
		}
	}
	return out
}

// TestConnectionsAreInTheLog: who connected, chose a site, linked an own account
// and disconnected.
func TestConnectionsAreInTheLog(t *testing.T) {
	p, _ := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	for _, cloud := range []string{"not-granted", cloudA} {
		p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", `{"cloudId":"`+cloud+`"}`)
	}
	status, page = p.connectOver(annKey, `{"own":true}`, "u-ann")
	require.Equal(t, http.StatusOK, status, page)
	p.api(annKey, http.MethodPost, "/api/integrations/acme/disconnect", `{"own":true}`)
	_, errOut, code := p.command("disconnect", "--integration", "acme")
	require.Zero(t, code, errOut)
	assert.Equal(t, []string{
		"ops||public| connection.consent connection acme ok",
		"ops||public| connection.make connection acme " + audit.Failed + " auth.no_site",
		"ops||public| connection.make connection acme ok",
		"ann|acme|user|u-ann connection.make own_connection acme ok",
		"ann|acme|user|u-ann connection.end own_connection acme ok",
		"local||service| connection.end connection acme ok",
	}, p.changesIn())
}

// without takes scopes out of the address of a consent page.
func without(t *testing.T, address string, scopes ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	var left []string
	for s := range strings.FieldsSeq(q.Get("scope")) {
		keep := true
		for _, out := range scopes {
			keep = keep && s != out
		}
		if keep {
			left = append(left, s)
		}
	}
	q.Set("scope", strings.Join(left, " "))
	u.RawQuery = q.Encode()
	return u.String()
}

// TestRightsOfAnOAuthConnectionAreTested: with enableAccessRightsSync a grant
// that cannot read groups, members or who may view spaces is refused, the
// missing right named, nothing stored and what was there before kept.
func TestRightsOfAnOAuthConnectionAreTested(t *testing.T) {
	for missing, c := range map[string]struct {
		scopes []string
		says   string
	}{
		"groups":       {[]string{"read:confluence-groups"}, "lacks the permissions read:confluence-groups,"},
		"space grants": {[]string{"read:space.permission:confluence", "read:confluence-content.all"}, "lacks the permissions read:space.permission:confluence read:confluence-content.all,"},
	} {
		t.Run(missing, func(t *testing.T) {
			p, sites := linked(t)
			p.serveLinked()
			status, out := p.api(opsKey, http.MethodPost, "/api/integrations/acme/connect", `{"site":"`+cloudA+`"}`)
			require.Equal(t, http.StatusOK, status, out)
			code, page := consentAs(t, without(t, out["authorize_url"].(string), c.scopes...), "u-bot")
			assert.Equal(t, http.StatusUnprocessableEntity, code, page)
			assert.Contains(t, page, c.says)
			_, out = p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
			assert.Empty(t, out["connections"], "nothing is stored")
			assert.Empty(t, p.found("u-bob"))

			status, page = p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
			require.Equal(t, http.StatusOK, status, page)
			p.finds("u-bob", "Beacon of A")
			_, out = p.api(opsKey, http.MethodPost, "/api/integrations/acme/reconnect", `{"site":"`+cloudB+`"}`)
			code, page = consentAs(t, without(t, out["authorize_url"].(string), c.scopes...), "u-bot")
			assert.Equal(t, http.StatusUnprocessableEntity, code, page)
			_, out = p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
			one := out["connections"].([]any)[0].(map[string]any)
			assert.Equal(t, "connected", one["state"], "what was in force stays")
			assert.Equal(t, cloudA, one["site"].(map[string]any)["cloudId"])
			assert.Positive(t, markOf(sites))
		})
	}
}

// TestRightsAreTestedWhenASiteIsChosen: as above where the consent opens
// several sites, and for the switch that is turned on later.
func TestRightsAreTestedWhenASiteIsChosen(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	for match, says := range map[string]string{
		"GET /*/rest/api/group*/*member*": "the members of groups", "GET /*/rest/api/group": "groups", "GET /*/api/v2/spaces/*/*": "who may view a space",
	} {
		sites.ApplyTo(1, `{"kind":"fault","match":"`+match+`","action":{"status":403},"times":9}`)
		status, out := p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", `{"cloudId":"`+cloudB+`"}`)
		assert.Equal(t, http.StatusUnprocessableEntity, status, "%s %v", match, out)
		assert.Equal(t, "auth.rights", codeOf(out))
		assert.Contains(t, out["error"].(map[string]any)["message"], "cannot read "+says)
		sites.ApplyTo(1, `{"kind":"fault","clear":true}`)
	}
	_, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme/connection", "")
	assert.Equal(t, "choosing", out["connections"].([]any)[0].(map[string]any)["state"], "it still waits for a choice")
	status, out = p.api(opsKey, http.MethodPut, "/api/integrations/acme/site", `{"cloudId":"`+cloudB+`"}`)
	require.Equal(t, http.StatusOK, status, out)
}

// TestRightsAreTestedWhenTheyAreSwitchedOn, of an integration that is connected
// by OAuth.
func TestRightsAreTestedWhenTheyAreSwitchedOn(t *testing.T) {
	p, sites := linked(t)
	text, err := os.ReadFile(filepath.Join(p.dir, "c.yaml"))
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(text), "agents:")
	before, _, _ := strings.Cut(string(text), "integrations:")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte(before+"agents:"+after), 0o600))
	p.serveLinked()
	status, out := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"acme","settings":{"type":"confluence","baseUrl":"https://acme.atlassian.net/wiki"}}`)
	require.Equal(t, http.StatusCreated, status, out)
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	const on = `{"settings":{"enableAccessRightsSync":true}}`
	sites.Apply(`{"kind":"fault","match":"GET /*/rest/api/group*","action":{"status":403},"times":9}`)
	status, out = p.api(opsKey, http.MethodPatch, "/api/integrations/acme", on)
	assert.Equal(t, http.StatusUnprocessableEntity, status, out)
	_, out = p.api(opsKey, http.MethodGet, "/api/integrations/acme", "")
	assert.Equal(t, false, out["settings"].(map[string]any)["enableAccessRightsSync"])
}

// TestPolicyChangesAreInTheLog: who put which profiles in force, over REST and by
// command, and who tried.
func TestPolicyChangesAreInTheLog(t *testing.T) {
	site := emulatortest.Start(t, siteWith(botToken))
	p := serveProduct(t, site.URL, botToken, narrowTeam)
	before, file := len(site.Requests(0)), filepath.Join(p.dir, "profiles", "a.yaml")
	inForce := func(status int, out map[string]any) string {
		require.Equal(t, http.StatusOK, status, out)
		revision, _ := out["in_force"].(map[string]any)["revision"].(string)
		require.NotEmpty(t, revision, out)
		return revision
	}
	narrow := inForce(p.api(opsKey, http.MethodGet, "/api/profiles", ""))
	require.NoError(t, os.WriteFile(file, []byte(wideTeam), 0o600))
	wide := inForce(p.api(opsKey, http.MethodPost, "/api/profiles/reload", "{}"))
	require.Equal(t, narrow, inForce(p.api(opsKey, http.MethodPost, "/api/profiles/rollback", `{"revision":"`+narrow+`"}`)))
	status, out := p.api(opsKey, http.MethodPost, "/api/profiles/rollback", `{"revision":"nowhere"}`)
	assert.Equal(t, http.StatusNotFound, status, out)
	status, out = p.api(annKey, http.MethodPost, "/api/profiles/rollback", `{"revision":"`+wide+`"}`)
	assert.Equal(t, http.StatusForbidden, status, out)
	_, errOut, code := p.command("policy", "rollback")
	require.Zero(t, code, errOut)
	require.NoError(t, os.WriteFile(file, []byte("version: 7\n"), 0o600))
	require.Equal(t, wide, inForce(p.api(opsKey, http.MethodPost, "/api/profiles/reload", "{}")))
	assert.Len(t, site.Requests(before), 0, "Confluence was not asked")
	p.stop()
	_, errOut, code = p.command("policy", "rollback", narrow)
	require.Zero(t, code, errOut)
	const ops, local = "ops|default|user|u-bot ", "local||service| "
	assert.Equal(t, []string{
		ops + "policy.reload policy  ok",
		ops + "policy.rollback policy " + narrow + " ok",
		ops + "policy.rollback policy nowhere " + audit.Failed + " not_found",
		local + "policy.rollback policy " + wide + " ok",
		ops + "policy.reload policy  " + audit.Failed + " input.invalid",
		local + "policy.rollback policy " + narrow + " ok",
	}, p.changesIn())
}
