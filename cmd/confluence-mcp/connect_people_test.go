package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/config"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/oauth"
	"confluence-mcp/store"
)

// servePeople is a server that is connected, with own accounts of ann and bob.
func servePeople(t *testing.T) (*product, *emulatortest.Emulator) {
	t.Helper()
	p, sites := linked(t)
	p.serveLinked()
	status, page := p.connectOver(opsKey, `{"site":"`+cloudA+`"}`, "u-bot")
	require.Equal(t, http.StatusOK, status, page)
	p.finds("u-bob", "Beacon of A")
	for key, user := range map[string]string{annKey: "u-ann", bobKey: "u-bob"} {
		status, page = p.connectOver(key, `{"own":true}`, user)
		require.Equal(t, http.StatusOK, status, page)
	}
	return p, sites
}

// people are the account ids that are listed over REST.
func (p *product) people() []string {
	p.t.Helper()
	status, out := p.api(opsKey, http.MethodGet, "/api/integrations/acme/people", "")
	require.Equal(p.t, http.StatusOK, status, out)
	ids := []string{}
	for _, one := range out["people"].([]any) {
		person := one.(map[string]any)
		assert.Equal(p.t, "connected", person["state"])
		assert.NotEmpty(p.t, person["accountName"])
		ids = append(ids, person["account"].(string))
	}
	slices.Sort(ids)
	return ids
}

// grantsKept are role and account of what is sealed in a stopped product's folder.
func (p *product) grantsKept() []string {
	p.t.Helper()
	s, err := store.OpenPrecious(p.t.Context(), filepath.Join(p.dir, "data"), time.Now)
	require.NoError(p.t, err)
	defer func() { assert.NoError(p.t, s.Close()) }()
	all, err := s.Grants(p.t.Context(), 0)
	require.NoError(p.t, err)
	out := []string{}
	for _, g := range all {
		_, sealed, err := s.Grant(p.t.Context(), g.ID)
		require.NoError(p.t, err)
		assert.NotEmpty(p.t, sealed)
		out = append(out, string(g.Role)+" "+g.Account)
	}
	slices.Sort(out)
	return out
}

// TestAPersonWhoLeftIsForgotten: an administrator erases one person's own
// account, over REST or by a command beside the server; from then on nothing goes
// out as that person, and everybody else's stay.
func TestAPersonWhoLeftIsForgotten(t *testing.T) {
	p, sites := servePeople(t)
	assert.Equal(t, []string{"u-ann", "u-bob"}, p.people())
	rename := func(key string, version int) toolAnswer {
		return p.call(key, "update_page", map[string]any{"page_id": "1900", "base_version": version, "title": fmt.Sprintf("Beacon of A after %d", version)}).tool(t)
	}
	asWhom := func(key string) []string {
		mark := markOf(sites)
		p.call(key, "get_page", map[string]any{"page_id": "1900", "fresh": true})
		users := []string{}
		for _, q := range sites.Requests(mark) {
			users = append(users, q.User)
		}
		return users
	}
	require.False(t, rename(annKey, 1).IsError)
	assert.Contains(t, asWhom(annKey), "u-ann")

	mark := markOf(sites)
	status, out := p.api(opsKey, http.MethodDelete, "/api/integrations/acme/people/u-ann", "")
	require.Equal(t, http.StatusOK, status, out)
	assert.EqualValues(t, 1, out["erased"])
	assert.Equal(t, oauth.RevokeURL, out["revokeUrl"])
	assert.Equal(t, []string{"u-bob"}, p.people())
	assert.True(t, rename(annKey, 2).IsError, "as for everybody without an own account")
	for _, q := range sites.Requests(mark) {
		assert.True(t, reads(q), "%s %s", q.Method, q.Path)
		assert.NotEqual(t, "u-ann", q.User, "%s %s", q.Method, q.Path)
	}
	assert.NotContains(t, asWhom(annKey), "u-ann")
	assert.Len(t, p.found("u-ann"), 2, "what she may see is still hers to find")
	assert.Contains(t, asWhom(bobKey), "u-bob")

	text, errOut, code := p.command("connections", "forget", "acme", "u-bob")
	require.Zero(t, code, errOut)
	assert.Contains(t, text, "u-bob at acme is forgotten")
	assert.Contains(t, text, oauth.RevokeURL)
	assert.NotContains(t, asWhom(bobKey), "u-bob")
	assert.Empty(t, p.people())
	p.stop()
	assert.Equal(t, []string{"service u-bot"}, p.grantsKept())
	said := p.changesIn()
	assert.Contains(t, said, "ops||public| connection.end own_connection u-ann of acme ok")
	assert.Contains(t, said, "local||service| connection.end own_connection u-bob of acme ok")
}

// TestForgettingIsRefused to everybody but administrators, and of what is not
// there; nothing is erased and nothing asked.
func TestForgettingIsRefused(t *testing.T) {
	p, sites := servePeople(t)
	p.settle()
	mark := markOf(sites)
	for name, c := range map[string]struct {
		key, method, path string
		status            int
		code              string
	}{
		"ann lists":              {annKey, "GET", "acme/people", 403, "auth.forbidden"},
		"ann lists as her own":   {annKey, "GET", "acme/people?own=true", 403, "auth.forbidden"},
		"ann forgets bob":        {annKey, "DELETE", "acme/people/u-bob", 403, "auth.forbidden"},
		"ann as her own":         {annKey, "DELETE", "acme/people/u-bob?own=true", 403, "auth.forbidden"},
		"ann herself, this way":  {annKey, "DELETE", "acme/people/u-ann?own=true", 403, "auth.forbidden"},
		"nobody knows the key":   {"wrong", "DELETE", "acme/people/u-ann", 401, ""},
		"no such integration":    {opsKey, "GET", "nowhere/people", 404, "not_found"},
		"forgets at no such one": {opsKey, "DELETE", "nowhere/people/u-ann", 404, "not_found"},
		"no such person":         {opsKey, "DELETE", "acme/people/u-zzz", 404, "not_found"},
		"a name is no id":        {opsKey, "DELETE", "acme/people/Ann%20Archer", 404, "not_found"},
		"not the service's own":  {opsKey, "DELETE", "acme/people/u-bot", 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.send(c.method, "/api/integrations/"+c.path, c.key, "", nil)
			assert.Equal(t, c.status, r.status, r.body)
			assert.Contains(t, r.body, c.code)
		})
	}
	assert.Equal(t, []string{"u-ann", "u-bob"}, p.people())
	assert.Empty(t, sites.Requests(mark), "nothing went upstream")
	p.stop()
	assert.Equal(t, []string{"person u-ann", "person u-bob", "service u-bot"}, p.grantsKept())
	assert.Contains(t, p.changesIn(), "ops||public| connection.end own_connection u-zzz of acme error not_found")
}

// TestPeopleAreForgottenWithoutAServer, of an integration that has a token by now
// too.
func TestPeopleAreForgottenWithoutAServer(t *testing.T) {
	p, sites := linked(t)
	p.serveLinked()
	p.tokenOverGrants(sites)
	p.stop()
	mark := markOf(sites)
	text, errOut, code := p.command("connections", "people", "byhand")
	require.Zero(t, code, errOut)
	assert.Regexp(t, `^u-ann  .+  connected  ends `, text)
	_, errOut, code = p.command("connections", "forget", "byhand", "u-bob")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "connections people byhand")
	for _, bad := range [][]string{{"forget", "byhand"}, {"people"}, {"forget"}, {"nonsense"}} {
		_, _, code = p.command(append([]string{"connections"}, bad...)...)
		assert.Equal(t, exitUsage, code, bad)
	}
	text, errOut, code = p.command("connections", "forget", "byhand", "u-ann", "--json")
	require.Zero(t, code, errOut)
	assert.Contains(t, text, `"erased":1`)
	text, errOut, code = p.command("connections", "people", "byhand", "--json")
	require.Zero(t, code, errOut)
	assert.JSONEq(t, `{"people":[]}`, text)
	assert.Empty(t, p.grantsKept())
	assert.Equal(t, mark, markOf(sites), "nothing went upstream")
}

// TestAChangeBesideAReconnectionErasesNobody: an integration that is changed
// between the test of a grant and its taking into use is tested once more; what
// people connected stays.
func TestAChangeBesideAReconnectionErasesNobody(t *testing.T) {
	for name, c := range map[string]struct {
		fault, says string
		kept        []string
	}{
		"rights can be read":    {kept: []string{"person u-ann", "person u-bob", "service u-bot"}},
		"rights cannot be read": {fault: `{"kind":"fault","match":"GET /wiki/rest/api/group*","action":{"status":403}}`, says: "access rights", kept: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			p, sites := servePeople(t)
			require.Zero(t, p.stop())
			q := p.program("")
			cfg, err := config.Load(config.Source{File: filepath.Join(p.dir, "c.yaml"), Getenv: q.getenv, ReadFile: os.ReadFile})
			require.NoError(t, err)
			e, err := q.open(t.Context(), cfg) // its integration is as one just changed: no grant was tested with it
			require.NoError(t, err)
			now, there, err := e.links.service(t.Context(), e.registry.List()[0].ID)
			require.NoError(t, err)
			require.True(t, there)
			if c.fault != "" {
				sites.ApplyTo(0, c.fault)
			}
			err = e.links.settled(t.Context(), now)
			assert.NoError(t, e.close())
			if c.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.says)
			}
			assert.Equal(t, c.kept, p.grantsKept())
		})
	}
}
