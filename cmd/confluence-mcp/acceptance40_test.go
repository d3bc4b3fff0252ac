package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// startEmpty serves until the test ends, with nothing to sync yet.
func (p *product) startEmpty() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- p.program("").run(ctx, []string{"serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", "127.0.0.1:0"})
	}()
	p.stop = sync.OnceValue(func() int { cancel(); return <-done })
	p.t.Cleanup(func() { p.stop() })
	require.Eventually(p.t, func() bool { p.url = urlIn(p.errOut.String()); return p.url != "" || len(done) > 0 }, 10*time.Second, 5*time.Millisecond)
	require.NotEmpty(p.t, p.url, p.errOut.String())
}

// Case 40: a save of settings that leaves the rights sync out, whatever else it
// changes, leaves it on: each caller sees what he saw.
func TestAcceptanceCase40RightsStaySyncedWhenLeftOut(t *testing.T) {
	site := emulatortest.Start(t, acceptPeople)
	p := &product{t: t, dir: t.TempDir(), env: productEnv("", ""), out: &safeBuffer{}, errOut: &safeBuffer{}}
	_, agents, _ := strings.Cut(acceptFile, "agents:")
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte("data_dir: ./data\nagents:"+agents), 0o600))
	a := &accepting{product: p, site: site}
	for _, n := range []node{{onP, top, "S", "group:A"}, {onX, top, "S", ""}} {
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
		require.Eventually(t, func() bool { return len(a.queried(who("u-ann"), "*")) == 2 }, 20*time.Second, 10*time.Millisecond, after)
		assert.Equal(t, []string{a.page(onX)}, a.queried(who("u-bob"), "*"), after)
		assert.False(t, slices.Contains(a.queried(asker{}, "*"), a.page(onX)), after)
	}
	holds("at first")
	for _, change := range []string{`"spaces":["S"]`, `"space":"S"`, `"username":"bot@acme.test"`, `"token":"` + site.Token("u-bot") + `"`, settings, ""} {
		status, out := p.api(opsKey, http.MethodPatch, "/api/integrations/I1", `{"settings":{`+change+`}}`)
		require.Equal(t, http.StatusOK, status, out)
		a.synced()
		holds(change)
	}
}
