package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// onlyProtocol says what is on a standard output beside JSON-RPC messages, one a
// line.
func onlyProtocol(out []byte) error {
	for line := range bytes.Lines(out) {
		var m struct {
			Version string `json:"jsonrpc"`
		}
		if err := json.Unmarshal(line, &m); err != nil || m.Version != "2.0" || line[len(line)-1] != '\n' {
			return fmt.Errorf("%d bytes on stdout are no protocol: %.200q", len(line), line)
		}
	}
	return nil
}

// TestStdoutHoldsProtocolOnly talks to the program about everything that makes
// it write somewhere: a first pass, refusals, a broken Confluence, a warning, a
// line that is no message, a signal. Every byte on its standard output is of a
// message.
func TestStdoutHoldsProtocolOnly(t *testing.T) {
	site := emulatortest.Start(t)
	site.Apply(`{"kind":"fault","match":"GET /wiki/api/v2/pages/1002*","action":{"status":500,"body":"stack trace"}}`)
	calls := []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"confluence_search","arguments":{"query":"a"}}}`,
		`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"confluence_get_page","arguments":{"page_id":"1002","fresh":true}}}`,
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"confluence_delete_page","arguments":{"page_id":"1001"}}}`,
		`this is no message`, `{"jsonrpc":"2.0","id":6,"method":"no/such"}`, `[]`, ``,
		`{"jsonrpc":"2.0","id":7,"method":"ping"}`,
	}
	for name, args := range map[string][]string{
		"serve": {"serve"}, "serve --stdio": {"serve", "--stdio", "--profile", "full-access"}, "demo --stdio": {"demo", "--stdio"},
	} {
		t.Run(name, func(t *testing.T) {
			exe, err := os.Executable()
			require.NoError(t, err)
			var errOut bytes.Buffer
			c := &exec.Cmd{Path: exe, Args: append([]string{"confluence-mcp"}, args...), Dir: t.TempDir(), Stderr: &errOut,
				Env: []string{"CONFLUENCE_URL=" + site.URL, "CONFLUENCE_USERNAME=bot@acme.test", "CONFLUENCE_API_TOKEN=bot-token", "HOME=" + t.TempDir()}}
			in, err := c.StdinPipe()
			require.NoError(t, err)
			out, err := c.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, c.Start())
			t.Cleanup(func() { _ = c.Process.Kill() })
			_, err = io.WriteString(in, strings.Join(calls, "\n")+"\n")
			require.NoError(t, err)
			r, all := bufio.NewReader(out), []byte(nil)
			for !bytes.Contains(all, []byte(`"id":7`)) {
				line, err := r.ReadBytes('\n')
				require.NoError(t, err, "%s\n%s", all, &errOut)
				all = append(all, line...)
			}
			require.NoError(t, c.Process.Signal(os.Interrupt))
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			all = append(all, rest...)
			assert.NoError(t, c.Wait())
			assert.NoError(t, onlyProtocol(all))
			for id := 1; id <= 7; id++ {
				assert.Contains(t, string(all), fmt.Sprintf(`"id":%d`, id))
			}
			assert.NotEmpty(t, errOut.String(), "what there is to tell is told beside it")
		})
	}
}
