package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// peer is the program in a process of its own, with a client at its streams.
type peer struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	log *bufio.Reader
}

// spawn starts this test binary as the product.
func spawn(t *testing.T, site *emulatortest.Emulator, args ...string) *peer {
	t.Helper()
	return spawnWith(t, site.URL, nil, args...)
}

// spawnWith is spawn in front of whatever is at an address, with more of an
// environment.
func spawnWith(t *testing.T, url string, env []string, args ...string) *peer {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &exec.Cmd{Path: exe, Args: append([]string{"confluence-mcp"}, args...),
		Env: append([]string{"CONFLUENCE_URL=" + url, "CONFLUENCE_USERNAME=bot@acme.test", "CONFLUENCE_API_TOKEN=bot-token", "HOME=" + t.TempDir()}, env...)}
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	errOut, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	return &peer{t: t, cmd: c, in: in, out: json.NewDecoder(out), log: bufio.NewReader(errOut)}
}

func (p *peer) waitForLog(word string) {
	p.t.Helper()
	for {
		line, err := p.log.ReadString('\n')
		require.NoError(p.t, err, "waiting for %q", word)
		if strings.Contains(line, word) {
			return
		}
	}
}

func (p *peer) say(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
}

type answer struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (p *peer) hear() answer {
	p.t.Helper()
	var a answer
	require.NoError(p.t, p.out.Decode(&a))
	return a
}

func (p *peer) open() {
	p.t.Helper()
	p.say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	require.Nil(p.t, p.hear().Error)
	p.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func (p *peer) read(id int, page string) answer {
	p.t.Helper()
	p.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":%q}}}`, id, page))
	return p.hear()
}

func TestClientSurvivesTheOwnersDeath(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	first := spawn(t, site, "serve", "--data-dir", dir)
	first.waitForLog("serving MCP over stdio")
	second := spawn(t, site, "serve", "--data-dir", dir)
	second.waitForLog("through the owner")
	second.open()
	require.Contains(t, string(second.read(2, "1001").Result), "Runbook")

	require.NoError(t, first.cmd.Process.Kill())
	second.waitForLog("serving MCP over stdio")
	a := second.read(3, "1001")
	assert.Equal(t, 3, a.ID, "the answer to the replayed initialize is not shown twice")
	assert.Contains(t, string(a.Result), "Runbook")

	require.NoError(t, second.in.Close())
	assert.NoError(t, second.cmd.Wait())
}

func TestUnansweredRequestsAreToldOfTheOwnersDeath(t *testing.T) {
	site := emulatortest.Start(t)
	dir := t.TempDir()
	first := spawn(t, site, "serve", "--data-dir", dir)
	first.waitForLog("serving MCP over stdio")
	second := spawn(t, site, "serve", "--data-dir", dir)
	second.waitForLog("through the owner")
	second.open()
	site.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages/1001*","action":{"delay_ms":30000},"times":1}`)
	second.say(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1001"}}}`)
	eventually(t, func() bool {
		for _, r := range site.Requests(0) {
			if strings.Contains(r.Path, "/pages/1001") {
				return true
			}
		}
		return false
	})
	require.NoError(t, first.cmd.Process.Kill())
	a := second.hear()
	assert.Equal(t, 7, a.ID)
	require.NotNil(t, a.Error)
	assert.Contains(t, a.Error.Message, "before you repeat a write")
}

func TestServerEndsWithItsInputAndOnSIGTERM(t *testing.T) {
	site := emulatortest.Start(t)
	for name, end := range map[string]func(*peer) error{
		"EOF":     func(p *peer) error { return p.in.Close() },
		"SIGTERM": func(p *peer) error { return p.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			p := spawn(t, site, "serve", "--data-dir", t.TempDir())
			p.open()
			require.NoError(t, end(p))
			rest, err := io.ReadAll(p.out.Buffered())
			require.NoError(t, err)
			assert.Empty(t, strings.TrimSpace(string(rest)), "nothing but protocol on stdout")
			assert.NoError(t, p.cmd.Wait())
		})
	}
}
