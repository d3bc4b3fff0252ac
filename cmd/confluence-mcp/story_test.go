package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"confluence-mcp/internal/emulator/emulatortest"
	"confluence-mcp/internal/emulator/planted"
)

// TestMain makes this test binary the product when a story runs the command
// confluence-mcp.
func TestMain(m *testing.M) {
	testscript.Main(planted.Watch(m), map[string]func(){"confluence-mcp": main})
}

// TestStories runs the acceptance stories under testdata/scripts: each is a
// terminal transcript against the real program on an emulator of its own.
//
// Besides testscript's commands there are:
//
//	emulator                 start one, set CONFLUENCE_URL and credentials of bot; GATEWAY is its address there
//	apply LINE               change its site as POST /__emulator/apply does
//	mcp ARGS… <- FILE        run a server over stdio with the calls of FILE
//	untrusted KIND           serve TLS nobody should trust and set CONFLUENCE_URL
//	sites                    start three, write c.yaml for their OAuth app and set CLOUD_A, CLOUD_B, CLOUD_C
//	consent FILE USER        consent as USER at the address that connect --json has written into FILE
//	requests PATTERN N       N requests matching PATTERN have reached Confluence
//	start NAME ARGS…         run the program in the background until it is ready
//	stop NAME                SIGTERM and wait; its exit code must be 0
//	hangup NAME              SIGHUP
//	crash NAME               SIGKILL
//	http METHOD PATH [KEY] [FILE]   one HTTP request to the server at $ADDR; KEY may be @FILE
//	until PATTERN METHOD PATH [KEY] [FILE]   the same, again until the answer matches
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "testdata", "scripts"),
		Setup: func(env *testscript.Env) error {
			env.Values[siteKey{}] = &story{t: env.T().(testing.TB), running: map[string]*background{}}
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"emulator": startEmulator, "apply": apply, "mcp": mcp, "requests": requests,
			"start": start, "stop": stop, "crash": crash, "hangup": hangup, "http": request, "until": until,
			"untrusted": untrusted, "sites": startSites, "consent": giveConsent,
		},
	})
}

type siteKey struct{}

// story is what one script has running.
type story struct {
	t       testing.TB
	site    *emulatortest.Emulator
	running map[string]*background
}

type background struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func of(ts *testscript.TestScript) *story { return ts.Value(siteKey{}).(*story) }

func startEmulator(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	s.site = emulatortest.Start(s.t)
	ts.Setenv("CONFLUENCE_URL", s.site.URL)
	ts.Setenv("GATEWAY", s.site.Gateway+"/ex/confluence/"+s.site.CloudID+"/wiki")
	ts.Setenv("CONFLUENCE_USERNAME", "bot@acme.test")
	ts.Setenv("CONFLUENCE_API_TOKEN", "bot-token")
}

func apply(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).site.Apply(strings.Join(args, " "))
}

func requests(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	n := 0
	for _, r := range of(ts).site.Requests(0) {
		if pattern.MatchString(r.Method + " " + r.Path) {
			n++
		}
	}
	want := "0"
	if len(args) > 1 {
		want = args[1]
	}
	if (fmt.Sprint(n) == want) == neg {
		ts.Fatalf("%d requests match %q", n, args[0])
	}
}

// command prepares the program with the script's environment.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := exec.LookPath("confluence-mcp")
	ts.Check(err)
	c := exec.Command(path, args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "PATH", "XDG_DATA_HOME", "CONFLUENCE_URL", "CONFLUENCE_USERNAME", "CONFLUENCE_API_TOKEN", "READ_ONLY_MODE", "CONFLUENCE_SPACES_FILTER", "TMPDIR", "KEY"} {
		if v := ts.Getenv(name); v != "" {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	return c
}

// mcp opens a conversation over stdio, sends each line of a file as a call
// "TOOL {arguments}" and prints the answers' text, one a paragraph.
func mcp(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || args[len(args)-2] != "<-" {
		ts.Fatalf("usage: mcp ARGS… <- FILE")
	}
	c := command(ts, args[:len(args)-2])
	var errOut strings.Builder
	c.Stderr = &errOut
	in, err := c.StdinPipe()
	ts.Check(err)
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	answers := bufio.NewReader(out)
	talk(ts, in, answers, ts.ReadFile(args[len(args)-1]))
	ts.Check(in.Close())
	rest, err := io.ReadAll(answers)
	ts.Check(err)
	ts.Check(onlyProtocol(rest))
	if err := c.Wait(); (err != nil) != neg {
		ts.Fatalf("the server ended with %v: %s", err, errOut.String())
	}
	fmt.Fprint(ts.Stderr(), errOut.String())
}

func talk(ts *testscript.TestScript, in io.Writer, answers *bufio.Reader, calls string) {
	say(ts, in, 1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"story","version":"1"}}`)
	hear(ts, answers, 1)
	_, err := io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	ts.Check(err)
	for n, line := range strings.Split(strings.TrimSpace(calls), "\n") {
		tool, arguments, ok := strings.Cut(line, " ")
		if tool == "tools/list" {
			say(ts, in, n+2, "tools/list", `{}`)
		} else if ok {
			say(ts, in, n+2, "tools/call", `{"name":"confluence_`+tool+`","arguments":`+arguments+`}`)
		} else {
			ts.Fatalf("line %d is not TOOL {arguments}: %s", n+1, line)
		}
		fmt.Fprintf(ts.Stdout(), "%s\n\n", hear(ts, answers, n+2))
	}
}

func say(ts *testscript.TestScript, in io.Writer, id int, method, params string) {
	_, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, params)
	ts.Check(err)
}

// hear reads the answer to a request and gives what a model would read of it.
// What the server tells unasked before it is passed over.
func hear(ts *testscript.TestScript, answers *bufio.Reader, id int) string {
	var a struct {
		ID     int
		Method string
		Result struct {
			Content []struct{ Text string }
			Tools   []struct{ Name string }
		}
		Error *struct {
			Code    int
			Message string
		}
	}
	for a.ID != id {
		line, err := answers.ReadBytes('\n')
		ts.Check(err)
		ts.Check(onlyProtocol(line))
		ts.Check(json.Unmarshal(line, &a))
		if a.ID != id && a.Method == "" {
			ts.Fatalf("an answer nobody waits for: %s", line)
		}
	}
	if a.Error != nil {
		return fmt.Sprintf("protocol error %d: %s", a.Error.Code, a.Error.Message)
	}
	var words []string
	for _, c := range a.Result.Content {
		words = append(words, c.Text)
	}
	for _, tool := range a.Result.Tools {
		words = append(words, tool.Name)
	}
	return strings.Join(words, "\n")
}

var addressInLog = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)/mcp`)

// start runs the program in the background and waits until it says where it
// serves, or, over stdio, that it does.
func start(ts *testscript.TestScript, _ bool, args []string) {
	c := command(ts, args[1:])
	errOut, err := c.StderrPipe()
	ts.Check(err)
	_, err = c.StdinPipe() // kept open: a stdio server ends with its input
	ts.Check(err)
	ts.Check(c.Start())
	b := &background{cmd: c, out: bufio.NewReader(errOut)}
	of(ts).running[args[0]] = b
	ts.Defer(func() { _ = c.Process.Kill() })
	for {
		line, err := b.out.ReadString('\n')
		if err != nil {
			ts.Fatalf("%s ended before it served: %v %s", args[0], err, line)
		}
		planted.See("the log of a server in a story", []byte(line))
		if m := addressInLog.FindStringSubmatch(line); m != nil {
			ts.Setenv("ADDR", m[1])
		}
		if strings.Contains(line, "serving MCP") {
			go func() { _, _ = io.Copy(planted.Writer("the log of a server in a story"), b.out) }()
			return
		}
	}
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	b := of(ts).running[args[0]]
	ts.Check(b.cmd.Process.Signal(os.Interrupt))
	ts.Check(b.cmd.Wait())
}

func hangup(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).running[args[0]].cmd.Process.Signal(syscall.SIGHUP))
}

func crash(ts *testscript.TestScript, _ bool, args []string) {
	b := of(ts).running[args[0]]
	ts.Check(b.cmd.Process.Kill())
	_ = b.cmd.Wait() // reports the kill
}

// request prints the status, the headers that matter and the body.
func request(ts *testscript.TestScript, _ bool, args []string) {
	fmt.Fprint(ts.Stdout(), ask(ts, args))
}

// until asks again and again until the answer matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern, deadline := regexp.MustCompile("(?m)"+args[0]), time.Now().Add(patience)
	pace := time.NewTicker(tick)
	defer pace.Stop()
	for range pace.C {
		answer := ask(ts, args[1:])
		if pattern.MatchString(answer) {
			fmt.Fprint(ts.Stdout(), answer)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no answer matched %q; the last was %s", args[0], answer)
		}
	}
}

func ask(ts *testscript.TestScript, args []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var body io.Reader
	if len(args) > 3 {
		body = strings.NewReader(strings.ReplaceAll(ts.ReadFile(args[3]), "${CONFLUENCE_URL}", ts.Getenv("CONFLUENCE_URL")))
	}
	req, err := http.NewRequestWithContext(ctx, args[0], "http://"+ts.Getenv("ADDR")+args[1], body)
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if len(args) > 2 && args[2] != "-" {
		key := args[2]
		if file, ok := strings.CutPrefix(key, "@"); ok {
			key = strings.TrimSpace(ts.ReadFile(file))
		}
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range modernHeaders(ts, args) {
		req.Header.Set(h[0], h[1])
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	return fmt.Sprintf("%d %s\n%s\n", res.StatusCode, res.Header.Get("WWW-Authenticate"), text)
}

// modernHeaders repeats what the body of a stateless call says, as clients of
// the 2026-07-28 revision do.
func modernHeaders(ts *testscript.TestScript, args []string) [][2]string {
	if len(args) < 4 {
		return nil
	}
	var m struct {
		Method string
		Params struct{ Name string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[3])), &m))
	if m.Method == "" {
		return nil // it is REST
	}
	out := [][2]string{{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", m.Method}}
	if m.Params.Name != "" {
		out = append(out, [2]string{"Mcp-Name", m.Params.Name})
	}
	return out
}
