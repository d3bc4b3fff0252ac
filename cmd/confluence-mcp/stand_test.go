package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// stand is the real program in a process of its own, serving HTTP over a folder
// that a test may harm, in front of one emulated site connected twice.
type stand struct {
	t    *testing.T
	site *emulatortest.Emulator
	dir  string
	cmd  *exec.Cmd
	log  *planted.Log
	url  string
}

const (
	deskKey  = "cmk_stand-desk_5d3c1a2b9e8f"
	adminKey = "cmk_stand-admin_4e5f6a7b8c9d"
)

const standFile = `data_dir: ./data
integrations:
  - {name: first, baseUrl: "${SITE}", username: bot@acme.test, token: bot-token, enableAccessRightsSync: true}
  - {name: second, baseUrl: "${SITE}", username: bot@acme.test, token: bot-token, enableAccessRightsSync: true}
agents:
  - {name: desk, key: "${DESK_KEY}", profile: read-only, act_for_users: true}
  - {name: admin, key: "${ADMIN_KEY}", profile: read-only, admin: true, identity: {integration: first, user: bot@acme.test}}
`

// newStand begins to serve, and waits until both integrations were read.
func newStand(t *testing.T, more ...string) *stand {
	t.Helper()
	s := &stand{t: t, site: emulatortest.Start(t), dir: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "c.yaml"), []byte(strings.ReplaceAll(strings.ReplaceAll(standFile, "token: bot-token", `token: "${BOT}"`), "${SITE}", s.site.URL)+strings.Join(more, "")), 0o600))
	s.start()
	s.synced("first", "second")
	return s
}

func (s *stand) file(parts ...string) string {
	return filepath.Join(append([]string{s.dir, "data"}, parts...)...)
}

// command is another run of the program over the same folder.
func (s *stand) command(args ...string) *exec.Cmd {
	s.t.Helper()
	exe, err := os.Executable()
	require.NoError(s.t, err)
	return &exec.Cmd{Path: exe, Args: append(append([]string{"confluence-mcp"}, args...), "--config", filepath.Join(s.dir, "c.yaml")),
		Env: []string{"BOT=bot-token", "DESK_KEY=" + deskKey, "ADMIN_KEY=" + adminKey, "HOME=" + s.dir}}
}

func (s *stand) start() {
	s.t.Helper()
	s.cmd, s.log = s.command("serve", "--listen", "127.0.0.1:0"), &planted.Log{}
	s.cmd.Stderr = s.log
	require.NoError(s.t, s.cmd.Start())
	running := s.cmd
	s.t.Cleanup(func() { _ = running.Process.Kill(); _ = running.Wait() })
	eventually(s.t, func() bool { s.url = urlIn(s.log.String()); return s.url != "" }, "%s", s.log)
}

func (s *stand) stop() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(os.Interrupt))
	require.NoError(s.t, s.cmd.Wait())
}

// synced waits until a pass has read everything of integrations.
func (s *stand) synced(names ...string) {
	s.t.Helper()
	for _, name := range names {
		eventually(s.t, func() bool {
			status, body := s.ask("GET", "/api/integrations/"+name, adminKey, "")
			return status == http.StatusOK && strings.Contains(body, `"last_complete"`)
		}, "%s", s.log)
	}
}

// peer starts another run with a client at its streams.
func (s *stand) peer(args ...string) *peer {
	s.t.Helper()
	c := s.command(args...)
	in, err := c.StdinPipe()
	require.NoError(s.t, err)
	out, err := c.StdoutPipe()
	require.NoError(s.t, err)
	errOut, err := c.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, c.Start())
	s.t.Cleanup(func() { _ = c.Process.Kill() })
	return &peer{t: s.t, cmd: c, in: in, out: json.NewDecoder(out), log: bufio.NewReader(errOut)}
}

// ask makes one request.
func (s *stand) ask(method, path, key, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res.StatusCode, string(text)
}

// found is an answer of /api/query, and its bytes but for how old things are.
type found struct {
	status int
	raw    string
	Total  int
	Next   string `json:"next_cursor"`
	Titles bool   `json:"titles_only"`

	Results []struct {
		ID    string `json:"page_id"`
		Title string
		Age   int64 `json:"age_seconds"`
	}
	Error struct{ Kind, Message, Next string }
}

// query asks as the caller that fields of the body name: `"query":"*",…`.
func (s *stand) query(fields string) found {
	s.t.Helper()
	status, text := s.ask("POST", "/api/query", deskKey, "{"+fields+"}")
	f := found{status: status}
	require.NoError(s.t, json.Unmarshal([]byte(text), &f), text)
	var all map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(text), &all))
	if rows, ok := all["results"].([]any); ok {
		for _, r := range rows {
			delete(r.(map[string]any), "age_seconds")
		}
	}
	raw, err := json.Marshal(all)
	require.NoError(s.t, err)
	f.raw = string(bytes.TrimSpace(raw))
	return f
}

func (f found) ids() []string {
	out := []string{}
	for _, r := range f.Results {
		out = append(out, r.ID)
	}
	return out
}

const asAnn = `"accessSettings":{"integrationId":1,"externalUserId":"u-ann"}`

// annSees is how many pages of the sample site ann may see, in one integration,
// with those of the other that are public.
const annSees = 9 + 2
