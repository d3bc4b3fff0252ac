//go:build clients

package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"confluence-mcp/internal/emulator/emulatortest"
)

// These tests run MCP clients that nobody here wrote against the product and
// against the conformance fixture. They need npm and the packages that
// testdata/clients/package-lock.json pins: run them with `make clients`.

// patience bounds every outside program.
const patience = 3 * time.Minute

const agentKey = "cmk_outside_5d41402abc4b2a76b9719d911017c592"

// bench is what the tests need: our programs and a Node that is new enough.
type bench struct {
	product, fixture string
	node             string
}

// TestMain builds the programs once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "outside")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/confluence-mcp", "./testdata/conformance")
	build.Dir = ".."
	build.Stderr = os.Stderr
	code := 1
	if err = build.Run(); err == nil {
		err = os.Setenv(programs, dir)
	}
	if err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const programs = "OUTSIDE_PROGRAMS"

func setUp(t *testing.T) bench {
	t.Helper()
	t.Chdir(filepath.Join("..", "testdata", "clients"))
	dir := os.Getenv(programs)
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	node, err := filepath.Abs("node_modules/node-linux-" + arch + "/bin/node")
	require.NoError(t, err)
	require.FileExists(t, node, "run npm ci --ignore-scripts in this folder first")
	return bench{
		product: filepath.Join(dir, "confluence-mcp"), fixture: filepath.Join(dir, "conformance"), node: node,
	}
}

// run runs a program to its end and gives what it printed.
func run(t *testing.T, name string, args ...string) (output string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	require.NoError(t, err, string(out))
	return string(out), 0
}

// end is the part of a long output that says why.
func end(out string) string { return out[max(0, len(out)-3000):] }

// start runs a program in the background and gives its first line of output
// that matches. Standard error is looked at as well when both is true.
func start(t *testing.T, want *regexp.Regexp, both bool, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if both {
		out, err = cmd.StderrPipe()
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Start())
	lines := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			default:
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
	})
	deadline := time.After(30 * time.Second)
	var seen []string
	for {
		select {
		case line := <-lines:
			if m := want.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
			seen = append(seen, line)
		case <-ended:
			require.FailNow(t, "it ended", strings.Join(seen, "\n"))
		case <-deadline:
			require.FailNow(t, "it does not start", strings.Join(seen, "\n"))
		}
	}
}

// startEmulator serves the site the clients walk; every exchange the product
// has with it is held against the official documents.
func (b bench) startEmulator(t *testing.T) string {
	t.Helper()
	site, err := os.ReadFile("site.jsonl")
	require.NoError(t, err)
	return emulatortest.Start(t, string(site)).URL
}

// startProduct serves HTTP for one agent with a key, or without keys.
func (b bench) startProduct(t *testing.T, confluence string, noAuth bool) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `data_dir: %s
integrations:
  - name: harbor
    baseUrl: %s
    username: ann@harbor.test
    token: ${OUTSIDE_TOKEN}
agents:
  - name: outside
    key: ${OUTSIDE_KEY}
    profile: full-access
    identity: {integration: harbor, user: u-ann}
`, filepath.Join(dir, "data"), confluence), 0o600))
	args := []string{"serve", "--listen", "127.0.0.1:0", "--config", config}
	if noAuth {
		args = append(args, "--no-auth", "--profile", "full-access")
	}
	cmd := exec.Command(b.product, args...)
	cmd.Env = append(os.Environ(), "OUTSIDE_TOKEN=ann-token", "OUTSIDE_KEY="+agentKey)
	return start(t, regexp.MustCompile(`http://127\.0\.0\.1:\d+/mcp`), true, cmd)
}

func stdioEnv(confluence string) map[string]string {
	return map[string]string{"CONFLUENCE_URL": confluence, "CONFLUENCE_USERNAME": "ann@harbor.test", "CONFLUENCE_API_TOKEN": "ann-token"}
}

func TestOutsideTypeScriptClientsWalk(t *testing.T) {
	b := setUp(t)
	for _, script := range []string{"sdk1.mjs", "sdk2.mjs"} {
		t.Run(script+" over stdio", func(t *testing.T) {
			args, err := json.Marshal(map[string]any{
				"mode": "stdio", "command": b.product, "env": stdioEnv(b.startEmulator(t)),
				"args": []string{"serve", "--stdio", "--profile", "full-access", "--data-dir", t.TempDir()},
			})
			require.NoError(t, err)
			out, code := run(t, b.node, script, string(args))
			assert.Zero(t, code, end(out))
			assert.Contains(t, out, "walked")
		})
		t.Run(script+" over HTTP", func(t *testing.T) {
			args, err := json.Marshal(map[string]any{"mode": "http", "url": b.startProduct(t, b.startEmulator(t), false), "key": agentKey})
			require.NoError(t, err)
			out, code := run(t, b.node, script, string(args))
			assert.Zero(t, code, end(out))
			assert.Contains(t, out, "walked")
		})
	}
}

const inspector = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

func TestOutsideInspectorIsStrictInBothEras(t *testing.T) {
	b := setUp(t)
	confluence := b.startEmulator(t)
	url := b.startProduct(t, confluence, false)
	data := t.TempDir()
	targets := map[string][]string{
		"HTTP":  {url, "--transport", "http", "--header", "Authorization: Bearer " + agentKey},
		"stdio": {b.product, "serve", "--stdio", "--profile", "full-access", "--data-dir", data},
	}
	for name, value := range stdioEnv(confluence) {
		targets["stdio"] = append(targets["stdio"], "-e", name+"="+value)
	}
	calls := map[string][]string{
		"list":   {"--method", "tools/list", "--strict"},
		"search": {"--method", "tools/call", "--tool-name", "confluence_search", "--tool-arg", "query=barnacle"},
	}
	for transport, target := range targets {
		for _, era := range []string{"legacy", "modern"} {
			for what, call := range calls {
				t.Run(transport+" "+era+" "+what, func(t *testing.T) {
					args := append([]string{inspector, "--cli"}, target...)
					args = append(args, "--protocol-era", era, "--format", "json")
					out, code := run(t, b.node, append(args, call...)...)
					assert.Zero(t, code, end(out))
					assert.True(t, strings.Contains(out, map[string]string{"list": "confluence_get_page", "search": "Mooring guide"}[what]), end(out))
				})
			}
		}
	}
}

const suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"

func TestOutsideConformance(t *testing.T) {
	b := setUp(t)
	url := start(t, regexp.MustCompile(`^http://\S+$`), false, exec.Command(b.fixture))
	for revision, want := range map[string]int{"2025-11-25": 30, "2026-07-28": 37} {
		t.Run(revision, func(t *testing.T) {
			out, code := run(t, b.node, suite, "server", "--url", url, "--requirements", revision, "-o", t.TempDir())
			assert.Zero(t, code, end(out))
			passed, failed := scored(t, out)
			assert.Equal(t, want, passed, end(out))
			assert.Empty(t, failed)
		})
	}
}

// scored counts the scenarios that count. What the suite runs for information
// only stands in a list of its own at the end.
func scored(t *testing.T, out string) (passed int, failed []string) {
	t.Helper()
	_, summary, found := strings.Cut(out, "=== SUMMARY ===")
	require.True(t, found, out)
	summary, rest, _ := strings.Cut(summary, "Not scored for")
	optional := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s+[✓✗] (\S+) \(`).FindAllStringSubmatch(rest, -1) {
		optional[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^([✓✗]) ([^:\s]+):`).FindAllStringSubmatch(summary, -1) {
		switch {
		case optional[m[2]]:
		case m[1] == "✓":
			passed++
		default:
			failed = append(failed, m[2])
		}
	}
	return passed, failed
}

// TestOutsideConformanceOfTheProduct runs the scenarios that need no fixture on the
// product itself.
func TestOutsideConformanceOfTheProduct(t *testing.T) {
	b := setUp(t)
	url := b.startProduct(t, b.startEmulator(t), true)
	scenarios := map[string][]string{
		"2025-11-25": {"server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection", "server-session-lifecycle", "server-sse-multiple-streams"},
		"2026-07-28": {"tools-list", "resources-list", "prompts-list", "dns-rebinding-protection", "caching", "http-header-validation", "input-required-result-unsupported-methods", "sep-2164-resource-not-found"},
	}
	for version, names := range scenarios {
		for _, name := range names {
			t.Run(version+" "+name, func(t *testing.T) {
				out, code := run(t, b.node, suite, "server", "--url", url, "--scenario", name, "--spec-version", version, "-o", t.TempDir())
				assert.Zero(t, code, end(out))
			})
		}
	}
}
