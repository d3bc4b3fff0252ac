package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/approval"
	"confluence-mcp/internal/config"
	"confluence-mcp/internal/confluence"
	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
	"confluence-mcp/internal/seal"
	"confluence-mcp/store"
)

// again runs the product anew in a process of its own, over the same folder.
func (p *product) again() *exec.Cmd {
	p.t.Helper()
	exe, err := os.Executable()
	require.NoError(p.t, err)
	p.errOut = &planted.Log{}
	c := &exec.Cmd{Path: exe, Args: []string{"confluence-mcp", "serve", "--config", filepath.Join(p.dir, "c.yaml"), "--listen", "127.0.0.1:0"}, Stderr: p.errOut}
	for name, value := range p.env {
		c.Env = append(c.Env, name+"="+value)
	}
	require.NoError(p.t, c.Start())
	p.t.Cleanup(func() { _ = c.Process.Kill() }) // it may have ended already
	eventually(p.t, func() bool { p.url = urlIn(p.errOut.String()); return p.url != "" }, "%s", p.errOut)
	return c
}

// killRounds is how often the process is killed: 20 times, or APPROVAL_KILLS.
func killRounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("APPROVAL_KILLS"), "20"))
	require.NoError(t, err)
	return n
}

func pageOf(round int) string { return strconv.Itoa(50_000 + round) }

// H12: the process is killed with SIGKILL while it executes an approval, again
// and again, before, while and after Confluence makes the change. Nothing is
// written twice, nothing is lost, everything ends defined.
func TestH12_KilledWhileExecuting(t *testing.T) {
	rounds := killRounds(t)
	site := emulatortest.Start(t, siteWith(botToken))
	dir := productFolder(t, carefulProfile+"limits: {writes_per_minute: 1000}\n")
	p := &product{t: t, dir: dir, env: productEnv(site.URL, botToken)}
	p.env["HELP_KEY"], p.env["BOSS_KEY"] = helpKey, bossKey
	more := `  - {name: help, key: "${HELP_KEY}", profile: careful, identity: {integration: default, user: bot@acme.test}}
  - {name: boss, key: "${BOSS_KEY}", profile: read-only, approver: true}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(productFile+more), 0o600))
	ids := map[string]string{} // page by approval
	cut, seed := 0, rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range rounds {
		site.Apply(fmt.Sprintf(`{"kind":"content","id":"%s","type":"page","space":"ENG","title":"Page %d","storage":"<p>x</p>","parent":"1000"}`, pageOf(n), n))
		id := p.killedRound(site, n, time.Duration(r.IntN(40))*time.Millisecond)
		ids[id] = pageOf(n)
		if p.stateOf(id) == approval.Executing {
			cut++
		}
	}
	held := time.Now().Add(4 * time.Second) // longer than Confluence was told to hold a request: clocks below go ahead of it
	eventually(t, func() bool { return time.Now().After(held) })
	last := p.settleAll(ids)
	assert.Positive(t, cut)

	ends, double, wrong := map[approval.State]int{}, 0, 0
	for id, page := range ids {
		made := writesOf(site, page)
		r := last[id]
		ends[r.State]++
		if made > 1 {
			double++
		}
		if (r.State == approval.Executed) != (made == 1) {
			wrong++
			t.Errorf("page %s: %s %q after %d writes", page, r.State, r.Reason, made)
		}
		assert.True(t, r.State.Ended(), "%s is %s", id, r.State)
	}
	t.Logf("%d kills, %d of them while executing: %d double writes, %d lost, %d wrong; ends %v", rounds, cut, double, rounds-len(last), wrong, ends)
	assert.Zero(t, double)
	assert.Len(t, last, rounds)
}

// killedRound asks for a change, has it approved and kills the process in the
// middle, in some rounds at a moment of chance.
func (p *product) killedRound(site *emulatortest.Emulator, n int, moment time.Duration) string {
	p.t.Helper()
	c := p.again()
	page := pageOf(n)
	a := p.call(helpKey, "update_page", map[string]any{"page_id": page, "base_version": 1, "title": "Changed " + page}).tool(p.t)
	require.Equal(p.t, "approval.required", a.Kind, a.Text)
	id, _ := a.Structured["error"].(map[string]any)["approval_id"].(string)
	_, shown := p.api(bossKey, "GET", "/api/approvals/"+id, "")
	switch n % 4 {
	case 0: // Confluence has the request and has not looked at it
		site.Apply(fmt.Sprintf(`{"kind":"fault","match":"PUT /wiki/api/v2/pages/%s*","action":{"delay_ms":3000},"times":1}`, page))
	case 1: // Confluence has made the change and is answering
		site.Apply(fmt.Sprintf(`{"kind":"fault","match":"PUT /wiki/api/v2/pages/%s*","action":{"bytes_per_second":100},"times":1}`, page))
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/api/approvals/"+id+"/approve", strings.NewReader(`{"view":"`+shown["view"].(string)+`"}`))
	require.NoError(p.t, err)
	req.Header.Set("Authorization", "Bearer "+bossKey)
	req.Header.Set("Content-Type", "application/json")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	if n%4 == 2 {
		<-time.After(moment)
	} else {
		// Not at every tick: the kill is to come while it executes.
		require.Eventually(p.t, func() bool { return arrived(site, page, n%4 == 1) }, patience, time.Millisecond)
	}
	require.NoError(p.t, c.Process.Kill())
	_ = c.Wait() // reports the kill
	<-done
	return id
}

func arrived(site *emulatortest.Emulator, page string, answered bool) bool {
	for _, r := range site.Requests(0) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/pages/"+page) && (!answered || r.Status == 200) {
			return true
		}
	}
	return false
}

// writesOf is how many versions were made of a page after its first.
func writesOf(site *emulatortest.Emulator, page string) int {
	req, _ := http.NewRequest(http.MethodGet, site.URL+"/api/v2/pages/"+page, nil) // the address is good
	req.SetBasicAuth("bot@acme.test", botToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	var p struct{ Version struct{ Number int } }
	if json.NewDecoder(res.Body).Decode(&p) != nil {
		return -1
	}
	return p.Version.Number - 1
}

// folder opens the data of the product as its own commands do.
func (p *product) folder() *store.Precious {
	p.t.Helper()
	dir := filepath.Join(p.dir, "data")
	s, err := store.OpenPrecious(context.Background(), dir, time.Now)
	require.NoError(p.t, err)
	s.SealWith(&vault{choice: seal.Choice{File: filepath.Join(dir, keyFile)}, keys: s})
	return s
}

// stateOf looks into the folder nobody owns just now.
func (p *product) stateOf(id string) approval.State {
	p.t.Helper()
	s := p.folder()
	defer func() { assert.NoError(p.t, s.Close()) }()
	r, err := s.Approval(context.Background(), id)
	require.NoError(p.t, err)
	return r.State
}

// settleAll runs the product in this process, on a clock that is moved on, until
// everything has ended. What the kill left pending is approved then.
func (p *product) settleAll(ids map[string]string) map[string]approval.Request {
	p.t.Helper()
	var ahead atomic.Int64
	q := p.program("")
	q.errOut, q.now = &planted.Log{}, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	cfg, err := config.Load(config.Source{File: filepath.Join(p.dir, "c.yaml"), Getenv: q.getenv, ReadFile: os.ReadFile})
	require.NoError(p.t, err)
	e, err := q.open(p.t.Context(), cfg)
	require.NoError(p.t, err)
	defer func() { assert.NoError(p.t, e.close()) }()
	boss := approval.Person{Principal: "boss||public|", Agent: "boss", Owner: "boss"}
	last := map[string]approval.Request{}
	for range 5 {
		e.desk.Sweep(p.t.Context())
		for id := range ids {
			r, err := e.desk.Show(p.t.Context(), id)
			require.NoError(p.t, err, "lost")
			if r.State == approval.Pending {
				_, err = e.desk.Approve(p.t.Context(), approval.Verdict{ID: id, Digest: r.Digest, By: boss})
				require.True(p.t, err == nil || confluence.KindOf(err) == confluence.Conflict, "%v", err)
			}
			last[id] = r
		}
		ahead.Add(int64(61 * time.Second))
	}
	return last
}
