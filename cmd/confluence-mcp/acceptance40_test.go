package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// Case 40: a save of settings that leaves the rights sync out, whatever else it
// changes, leaves it on: each caller sees what he saw.
func rightsStaySyncedWhenLeftOut(t *testing.T) {
	site := emulatortest.Start(t, acceptPeople)
	p := &product{t: t, dir: t.TempDir(), env: productEnv("", ""), out: &planted.Log{}, errOut: &planted.Log{}}
	_, agents, _ := strings.Cut(acceptFile, "agents:")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte("data_dir: ./data\nagents:"+agents), 0o600))
	a := &accepting{product: p, site: site}
	first := []node{{onP, top, "S", "group:A"}, {onX, top, "S", ""}}
	for _, n := range first {
		site.Apply(a.line(n)...)
	}
	p.startEmpty()
	settings := fmt.Sprintf(`"type":"confluence","baseUrl":%q,"username":"bot@acme.test"`, site.URL)
	status, made := p.api(opsKey, http.MethodPost, "/api/integrations", `{"name":"I1","settings":{`+settings+`,"token":"`+site.Token("u-bot")+`","enableAccessRightsSync":true}}`)
	require.Equal(t, http.StatusCreated, status, made)
	a.synced()
	who := func(user string) asker { return asker{"I1", user, nil} }
	holds := func(after string) {
		t.Helper()
		a.comes(who("u-ann"), "*", func(ids []string) bool { return len(ids) == 2 }, after)
		assert.Equal(t, []string{a.page(onX)}, a.queried(who("u-bob"), "*"), after)
		assert.False(t, slices.Contains(a.queried(asker{}, "*"), a.page(onX)), after)
		for user, sees := range map[string]bool{"u-ann": true, "u-bob": false} {
			a.check(acceptance{row: row{"40", first, nil, who(user), onP, sees}})
		}
	}
	holds("at first")
	for _, change := range []string{`"spaces":["S"]`, `"space":"S"`, `"username":"bot@acme.test"`, `"token":"` + site.Token("u-bot") + `"`, settings, ""} {
		status, out := p.api(opsKey, http.MethodPatch, "/api/integrations/I1", `{"settings":{`+change+`}}`)
		require.Equal(t, http.StatusOK, status, out)
		a.synced()
		holds(change)
	}
}
